//! How far the calls of each Retell account were compared with what is stored, in the calls table.

use chrono::{DateTime, Utc};
use platform::{aws::SdkConfig, env::EnvError};
use scheduling::ids::AccountName;

use crate::{
    error::StoreError,
    item::{take_text, text},
    schema,
    table::Table,
    transaction::{build_put, put, write_one},
};

const CURSOR: &str = "cursor";

/// How far the calls of each account were compared with what is stored.
#[derive(Debug, Clone)]
pub struct RecoveryCursors {
    table: Table,
}

impl RecoveryCursors {
    /// The calls table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { table: Table::from_env(config, schema::CALLS)? })
    }

    /// Every call that began before this time is complete. `None` if the account's calls were never compared.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn load(&self, account: &AccountName) -> Result<Option<DateTime<Utc>>, StoreError> {
        let Some(mut item) = self.table.get_consistent(&partition(account), CURSOR).await? else { return Ok(None) };
        take_text(&mut item, "began_at")?.parse().map(Some).map_err(|_| StoreError::Undecodable)
    }

    /// Moves an account's cursor.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn save(&self, account: &AccountName, began_at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut item = self.table.key(&partition(account), CURSOR);
        item.insert("began_at".to_owned(), text(began_at.to_rfc3339()));
        write_one(&self.table.client, build_put(put(&self.table.name, item))?).await
    }
}

fn partition(account: &AccountName) -> String {
    format!("recovery#{account}")
}
