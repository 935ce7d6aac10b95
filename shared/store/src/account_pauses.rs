//! Account pauses: until when nothing is booked at an account whose key Cal.com refuses.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_sdk_dynamodb::types::ReturnValue;
use chrono::{DateTime, Utc};
use platform::{aws::SdkConfig, env::EnvError, ttl_cache::TtlCache};
use scheduling::ids::AccountName;
use serde::Deserialize;

use crate::{
    error::{StoreError, applied},
    item::{Item, decode, timestamp},
    schema,
    table::Table,
};

/// The partition of all pauses: their sort key is the account. They are rare, so that one partition carries them.
const PAUSES: &str = "pauses";
/// A pause that another process began is noticed after this time.
const TTL: Duration = Duration::from_secs(20);

/// The account pauses, in the appointments table.
#[derive(Clone)]
pub struct AccountPauses {
    table: Table,
    cache: Arc<TtlCache<AccountName, Option<Pause>>>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Nothing is booked before this time; then one appointment probes the key.
    pub until: DateTime<Utc>,
}

impl AccountPauses {
    /// The pauses in the table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { table: Table::from_env(config, schema::APPOINTMENTS)?, cache: Arc::new(TtlCache::new(TTL)) })
    }

    /// The pause of an account, if there is one.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn of(&self, account: &AccountName) -> Result<Option<Pause>, StoreError> {
        if let Some(cached) = self.cache.get(account) {
            return Ok(cached);
        }
        let pause: Option<Pause> =
            self.table.get_consistent(PAUSES, account.as_str()).await?.map(decode).transpose()?;
        self.cache.insert(account.clone(), pause.clone());
        Ok(pause)
    }

    /// The accounts that are paused now, each with its pause.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn all(&self) -> Result<BTreeMap<AccountName, Pause>, StoreError> {
        let read = |item: Item| {
            let account = AccountName::new(self.table.sort_key(&item).unwrap_or_default());
            Ok((account, decode(item)?))
        };
        self.table.query(PAUSES, "").await?.into_iter().map(read).collect()
    }

    /// Begins a pause. Returns `false` if there is one, so that only the first to begin it raises the alarm.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn begin(
        &self,
        account: &AccountName,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut item = self.table.key(PAUSES, account.as_str());
        item.insert("since".to_owned(), timestamp(since));
        item.insert("until".to_owned(), timestamp(until));
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
        self.cache.remove(account);
        applied(put.condition_expression("attribute_not_exists(id)").send().await.map_err(StoreError::from))
    }

    /// Takes the right to probe the key after `pause`; until `until` no other worker does. Returns `false` if another
    /// worker was first.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn take_probe(
        &self,
        account: &AccountName,
        pause: &Pause,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(self.table.key(PAUSES, account.as_str())))
            .update_expression("SET #until = :next")
            .condition_expression("#until = :seen")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":next", timestamp(until))
            .expression_attribute_values(":seen", timestamp(pause.until));
        self.cache.remove(account);
        applied(update.send().await.map_err(StoreError::from))
    }

    /// Ends a pause: the key is accepted. Returns `false` if there was none any more.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn end(&self, account: &AccountName) -> Result<bool, StoreError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name);
        let delete = delete.set_key(Some(self.table.key(PAUSES, account.as_str())));
        let deleted = delete.return_values(ReturnValue::AllOld).send().await?;
        self.cache.remove(account);
        Ok(deleted.attributes.is_some())
    }
}
