//! What each account's key sees at Cal.com, and since when the key is used.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use platform::{aws::SdkConfig, env::EnvError, ttl_cache::TtlCache};
use scheduling::{event_type::Catalog, ids::AccountName};
use serde::{Deserialize, Serialize};

use crate::{
    error::StoreError,
    item::{decode, encode, fingerprint},
    schema,
    table::Table,
};

/// The sort key of a catalog.
const CATALOG: &str = "catalog";
/// A catalog that another process stored is used after this time.
const TTL: Duration = Duration::from_secs(60);

/// The catalogs, in the appointments table.
#[derive(Clone)]
pub struct Catalogs {
    table: Table,
    cache: Arc<TtlCache<AccountName, Arc<AccountCatalog>>>,
}

/// What an account's key sees, and since when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountCatalog {
    /// What it sees.
    pub catalog: Catalog,
    /// A fingerprint of the key, by which a new one is noticed.
    pub key: String,
    /// The day on which the key was first used here.
    pub key_since: NaiveDate,
}

impl AccountCatalog {
    /// A catalog that was read with `key`, after `stored`: a key keeps the day on which it was first used.
    pub fn new(catalog: Catalog, key: &str, stored: Option<&Self>) -> Self {
        let key = fingerprint(key.as_bytes());
        let since = stored.filter(|stored| stored.key == key).map(|stored| stored.key_since);
        Self { key_since: since.unwrap_or_else(|| catalog.checked_at.date_naive()), catalog, key }
    }

    /// Whether it was read with this key.
    pub fn is_of(&self, key: &str) -> bool {
        self.key == fingerprint(key.as_bytes())
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    catalog: String,
    key: String,
    key_since: NaiveDate,
    checked_at: DateTime<Utc>,
}

impl Catalogs {
    /// The catalogs in the table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { table: Table::from_env(config, schema::APPOINTMENTS)?, cache: Arc::new(TtlCache::new(TTL)) })
    }

    /// The catalog of an account. `None` if there is none that this deployed version can read.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn of(&self, account: &AccountName) -> Result<Option<Arc<AccountCatalog>>, StoreError> {
        if let Some(cached) = self.cache.get(account) {
            return Ok(Some(cached));
        }
        let Some(item) = self.table.get(&partition(account), CATALOG).await? else { return Ok(None) };
        let read = || {
            let stored: Stored = decode(item).ok()?;
            let catalog = serde_json::from_str(&stored.catalog).ok()?;
            Some(Arc::new(AccountCatalog { catalog, key: stored.key, key_since: stored.key_since }))
        };
        let Some(found) = read() else { return Ok(None) };
        self.cache.insert(account.clone(), Arc::clone(&found));
        Ok(Some(found))
    }

    /// Stores the catalog of an account.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn save(&self, account: &AccountName, found: AccountCatalog) -> Result<Arc<AccountCatalog>, StoreError> {
        let catalog = serde_json::to_string(&found.catalog).map_err(|_| StoreError::Unencodable)?;
        let checked_at = found.catalog.checked_at;
        let mut item = encode(&Stored { catalog, key: found.key.clone(), key_since: found.key_since, checked_at })?;
        item.extend(self.table.key(&partition(account), CATALOG));
        self.table.client.put_item().table_name(&self.table.name).set_item(Some(item)).send().await?;
        let found = Arc::new(found);
        self.cache.insert(account.clone(), Arc::clone(&found));
        Ok(found)
    }
}

fn partition(account: &AccountName) -> String {
    format!("catalog#{account}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_new_key_is_noticed_and_an_old_one_keeps_its_age() {
        let day = |day: u32| format!("2026-12-{day:02}T08:00:00Z").parse::<DateTime<Utc>>().unwrap();
        let read_with = |key, stored, on| {
            AccountCatalog::new(Catalog { checked_at: day(on), event_types: BTreeMap::new() }, key, stored)
        };
        let first = read_with("cal_1", None, 1);
        assert!(!first.key.contains("cal_1") && first.is_of("cal_1") && !first.is_of("cal_2"));
        assert_eq!(read_with("cal_1", Some(&first), 20).key_since, day(1).date_naive());
        assert_eq!(read_with("cal_2", Some(&first), 20).key_since, day(20).date_naive());
    }
}
