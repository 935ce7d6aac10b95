//! Copies what is missing in a table back from a restored one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, stream};
use platform::{aws::SdkConfig, env::EnvError};
use serde::{Deserialize, Serialize};

use crate::{
    calls,
    error::{StoreError, applied},
    item::{Item, text},
    record::versioned,
    schema,
    table::Table,
    transaction::{build_put, put, write_one},
};

/// How many items are read at once. DynamoDB sends at most a megabyte of them.
const PAGE: i32 = 100;
/// How many items are written concurrently.
const CONCURRENCY: usize = 16;

/// One of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestorableTable {
    /// Appointments.
    Appointments,
    /// Calls.
    Calls,
    /// Tenants.
    Tenants,
    /// Counters.
    Counters,
}

/// Where copying continues: the last key that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreCursor(BTreeMap<String, String>);

/// What was copied of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoredPage {
    /// How many items the restored table holds there.
    pub read: u64,
    /// How many of them were missing. They were written, unless this only counted.
    pub missing: u64,
    /// How many were missing because their customer was erased. They stay so.
    pub erased: u64,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<RestoreCursor>,
}

/// A table, and the restored one from which it gets back what is missing.
pub struct Restore {
    table: Table,
    restored: Table,
    kind: RestorableTable,
}

impl Restore {
    /// The table that the environment names, and the restored one of this name.
    ///
    /// # Errors
    /// If the environment names none.
    pub fn from_env(config: &SdkConfig, kind: RestorableTable, restored: String) -> Result<Self, EnvError> {
        let schema = match kind {
            RestorableTable::Appointments => schema::APPOINTMENTS,
            RestorableTable::Calls => schema::CALLS,
            RestorableTable::Tenants => schema::TENANTS,
            RestorableTable::Counters => schema::COUNTERS,
        };
        let restored = Table::new(config, restored, schema);
        Ok(Self { table: Table::from_env(config, schema)?, restored, kind })
    }

    /// Copies the next page of items, whole and unchanged. What the table has stays as it is, since it may be newer, so that
    /// a page can be copied any number of times. With `is_dry_run` it only counts.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn copy_page(&self, after: Option<&RestoreCursor>, is_dry_run: bool) -> Result<RestoredPage, StoreError> {
        let scan = self.restored.client.scan().table_name(&self.restored.name).limit(PAGE);
        let start =
            after.map(|RestoreCursor(key)| key.iter().map(|(name, value)| (name.clone(), text(value))).collect());
        let found = scan.set_exclusive_start_key(start).send().await?;
        let next = found.last_evaluated_key.map(cursor).transpose()?;
        let items = found.items.unwrap_or_default();
        let read = items.len() as u64;
        let existing = self.existing(&items).await?;
        let missing = items.into_iter().filter(|item| !existing.contains(&self.key_of(item)));
        let (missing, erased) = self.without_erased(missing.collect()).await?;
        let mut page = RestoredPage { read, erased, next, ..RestoredPage::default() };
        if is_dry_run {
            page.missing = missing.len() as u64;
            return Ok(page);
        }
        let writes = missing.into_iter().map(|item| self.write(item));
        let written: Vec<bool> = stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect().await?;
        page.missing = written.into_iter().filter(|written| *written).count() as u64;
        Ok(page)
    }

    /// Writes an item, unless the table has it by now.
    async fn write(&self, item: Item) -> Result<bool, StoreError> {
        let put = put(&self.table.name, item)
            .condition_expression("attribute_not_exists(#partition)")
            .expression_attribute_names("#partition", self.table.schema.partition);
        applied(write_one(&self.table.client, build_put(put)?).await)
    }

    async fn existing(&self, items: &[Item]) -> Result<BTreeSet<(String, String)>, StoreError> {
        let keys = items.iter().map(|item| {
            let (partition, sort) = self.key_of(item);
            self.table.key(&partition, &sort)
        });
        let found = self.table.batch_get(keys.collect(), true).await?;
        Ok(found.iter().map(|item| self.key_of(item)).collect())
    }

    /// Without what was erased since, and how many items that are.
    async fn without_erased(&self, items: Vec<Item>) -> Result<(Vec<Item>, u64), StoreError> {
        let (mut kept, mut erased) = (Vec::new(), 0);
        let mut known: HashMap<(String, String), bool> = HashMap::new();
        for item in items {
            let Some(witness) = self.witness_of(&item) else {
                kept.push(item);
                continue;
            };
            let is_erased = match known.get(&witness) {
                Some(known) => *known,
                None => {
                    let found = self.table.get(&witness.0, &witness.1).await?;
                    let is_erased = found.is_some_and(|found| self.says_erased(found));
                    known.insert(witness, is_erased);
                    is_erased
                }
            };
            if is_erased { erased += 1 } else { kept.push(item) }
        }
        Ok((kept, erased))
    }

    /// The key of the item that says whether this one was erased: an appointment's record, or what stands for an event.
    fn witness_of(&self, item: &Item) -> Option<(String, String)> {
        let (partition, sort) = self.key_of(item);
        match self.kind {
            RestorableTable::Calls => Some((partition, calls::erasure_of(&sort))),
            RestorableTable::Appointments => (sort != schema::RECORD).then(|| (partition, schema::RECORD.to_owned())),
            RestorableTable::Tenants | RestorableTable::Counters => None,
        }
    }

    fn says_erased(&self, witness: Item) -> bool {
        match self.kind {
            RestorableTable::Appointments => versioned(witness).is_ok_and(|stored| stored.value.is_erased()),
            _ => true,
        }
    }

    fn key_of(&self, item: &Item) -> (String, String) {
        let of = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        (of(self.table.schema.partition), of(self.table.schema.sort))
    }
}

fn cursor(key: Item) -> Result<RestoreCursor, StoreError> {
    let text = |(name, value)| match value {
        AttributeValue::S(value) => Ok((name, value)),
        _ => Err(StoreError::Undecodable),
    };
    Ok(RestoreCursor(key.into_iter().map(text).collect::<Result<_, _>>()?))
}
