//! Copies what is missing in a table back from a restored one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt, TryStreamExt, stream};
use platform::{aws::SdkConfig, env::EnvError};
use scheduling::{appointment::Actor, ids::TenantId, timing::Timing};
use serde::{Deserialize, Serialize};

use crate::{
    calls,
    error::{StoreError, applied},
    item::{Item, text},
    record::{Versioned, item_of, versioned},
    schema,
    table::Table,
    tenants::Tenants,
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
    /// How many were missing because their customer or tenant was erased, or their tenant removed. They stay so.
    pub erased: u64,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<RestoreCursor>,
}

/// A table, and the restored one from which it gets back what is missing.
pub struct Restore {
    table: Table,
    restored: Table,
    kind: RestorableTable,
    tenants: Tenants,
    timing: Timing,
}

/// What decides whether a missing item comes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Witness {
    /// The tenant exists: what belongs to a removed one may have been erased.
    Tenant(TenantId),
    /// The appointment exists, here or in the restored table, and was not erased.
    Appointment(String),
    /// Nothing stands for the erased content of this call's event.
    NotErased(String, String),
}

/// What is written again as soon as it is needed, and would say something of an earlier moment.
const MOMENTARY: [&str; 2] = ["leases#", "pauses"];

impl Restore {
    /// The table that the environment names, and the restored one of this name.
    ///
    /// # Errors
    /// If the environment names none.
    pub fn from_env(
        config: &SdkConfig,
        kind: RestorableTable,
        restored: String,
        timing: Timing,
    ) -> Result<Self, EnvError> {
        let schema = match kind {
            RestorableTable::Appointments => schema::APPOINTMENTS,
            RestorableTable::Calls => schema::CALLS,
            RestorableTable::Tenants => schema::TENANTS,
            RestorableTable::Counters => schema::COUNTERS,
        };
        let restored = Table::new(config, restored, schema);
        let (table, tenants) = (Table::from_env(config, schema)?, Tenants::from_env(config)?);
        Ok(Self { table, restored, kind, tenants, timing })
    }

    /// Copies the next page of items. What the table has stays as it is, since it may be newer, so that a page can be copied any
    /// number of times. An appointment without a booking notes that it may have been booked since. Without `by` it only counts.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn copy_page(
        &self,
        after: Option<&RestoreCursor>,
        by: Option<Actor<'_>>,
    ) -> Result<RestoredPage, StoreError> {
        let scan = self.restored.client.scan().table_name(&self.restored.name).limit(PAGE);
        let start =
            after.map(|RestoreCursor(key)| key.iter().map(|(name, value)| (name.clone(), text(value))).collect());
        let found = scan.set_exclusive_start_key(start).send().await?;
        let next = found.last_evaluated_key.map(cursor).transpose()?;
        let items = found.items.unwrap_or_default();
        let read = items.len() as u64;
        let existing = self.existing(&items).await?;
        let is_wanted = |item: &Item| {
            let key = self.key_of(item);
            !existing.contains(&key) && !MOMENTARY.iter().any(|momentary| key.0.starts_with(momentary))
        };
        let missing = items.into_iter().filter(is_wanted);
        let (missing, erased) = self.without_erased(missing.collect()).await?;
        let mut page = RestoredPage { read, erased, next, ..RestoredPage::default() };
        let Some(by) = by else {
            page.missing = missing.len() as u64;
            return Ok(page);
        };
        let writes = missing.into_iter().map(|item| self.write(item, by));
        let written: Vec<bool> = stream::iter(writes).buffer_unordered(CONCURRENCY).try_collect().await?;
        page.missing = written.into_iter().filter(|written| *written).count() as u64;
        Ok(page)
    }

    /// Writes an item, unless the table has it by now.
    async fn write(&self, item: Item, by: Actor<'_>) -> Result<bool, StoreError> {
        let is_record = self.kind == RestorableTable::Appointments && self.key_of(&item).1 == schema::RECORD;
        let item = if is_record { self.distrusted(item, by)? } else { item };
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

    /// A record as it comes back: without a booking it may have been booked since.
    fn distrusted(&self, item: Item, by: Actor<'_>) -> Result<Item, StoreError> {
        let Versioned { value: mut appointment, version } = versioned(item)?;
        appointment.restore(by);
        item_of(&appointment, version, &self.timing)
    }

    /// Without what was erased since, and how many items that are.
    async fn without_erased(&self, items: Vec<Item>) -> Result<(Vec<Item>, u64), StoreError> {
        let (mut kept, mut erased) = (Vec::new(), 0);
        let mut known: HashMap<Witness, bool> = HashMap::new();
        for item in items {
            let mut comes_back = true;
            for witness in self.witnesses_of(&item) {
                let holds = match known.get(&witness) {
                    Some(known) => *known,
                    None => self.holds(&witness).await?,
                };
                known.insert(witness, holds);
                comes_back &= holds;
            }
            if comes_back { kept.push(item) } else { erased += 1 }
        }
        Ok((kept, erased))
    }

    fn witnesses_of(&self, item: &Item) -> Vec<Witness> {
        let (partition, sort) = self.key_of(item);
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        match self.kind {
            RestorableTable::Appointments if sort == schema::RECORD => {
                text("tenant").map(|tenant| Witness::Tenant(TenantId::new(tenant))).into_iter().collect()
            }
            RestorableTable::Appointments => {
                // An entry of a customer names its appointment; exchanges and further calls are beside it.
                let of = if partition.contains('#') { text("appointment").cloned() } else { Some(partition) };
                of.map(Witness::Appointment).into_iter().collect()
            }
            RestorableTable::Calls => {
                let tenant = partition.split_once('#').map_or(partition.as_str(), |(tenant, _)| tenant);
                let is_call = !matches!(tenant, "customer" | "unrouted" | "recovery");
                let tenant = is_call.then(|| Witness::Tenant(TenantId::new(tenant)));
                tenant.into_iter().chain([Witness::NotErased(partition.clone(), calls::erasure_of(&sort))]).collect()
            }
            RestorableTable::Tenants | RestorableTable::Counters => Vec::new(),
        }
    }

    async fn holds(&self, witness: &Witness) -> Result<bool, StoreError> {
        match witness {
            Witness::Tenant(tenant) => Ok(self.tenants.load(tenant).await?.is_some()),
            Witness::NotErased(call, marker) => Ok(self.table.get(call, marker).await?.is_none()),
            Witness::Appointment(id) => {
                let record = match self.table.get(id, schema::RECORD).await? {
                    Some(record) => Some(record),
                    None => self.restored.get(id, schema::RECORD).await?,
                };
                let Some(record) = record.map(versioned).transpose()? else { return Ok(false) };
                let exists = self.tenants.load(&record.value.tenant).await?.is_some();
                Ok(exists && !record.value.is_erased())
            }
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
