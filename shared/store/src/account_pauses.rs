//! Accounts that are left alone because Cal.com refuses their key.

use std::{sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use chrono::{DateTime, Utc};
use scheduling::ids::AccountName;
use serde::Deserialize;

use super::{Item, StoreError, happened, read, sortable, text};
use crate::expiring::TtlCache;

const PAUSE: &str = "pause";
/// What was read is kept so long. A pause that others began is noticed after this time.
const KEPT_FOR: Duration = Duration::from_secs(20);

/// The pauses, in the table of appointments.
#[derive(Clone)]
pub struct Pauses {
    client: Client,
    table: String,
    kept: Arc<TtlCache<AccountName, Option<Pause>>>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Nothing is tried before; then one appointment tries the key.
    pub until: DateTime<Utc>,
}

impl Pauses {
    /// The pauses in this table.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table, kept: Arc::new(TtlCache::new(KEPT_FOR)) }
    }

    /// The pause of an account, if there is one.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn of(&self, account: &AccountName) -> Result<Option<Pause>, StoreError> {
        if let Some(kept) = self.kept.get(account) {
            return Ok(kept);
        }
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let found = request.key("id", text(key(account))).key("item", text(PAUSE)).send().await?;
        let pause: Option<Pause> = found.item.map(read).transpose()?;
        self.kept.keep(account.clone(), pause.clone());
        Ok(pause)
    }

    /// Begins a pause. `false` where there is one already, so that only the first to begin it tells people.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn begin(
        &self,
        account: &AccountName,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let item = Item::from([
            ("id".to_owned(), text(key(account))),
            ("item".to_owned(), text(PAUSE)),
            ("since".to_owned(), text(sortable(since))),
            ("until".to_owned(), text(sortable(until))),
        ]);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        self.kept.forget(account);
        happened(put.condition_expression("attribute_not_exists(id)").send().await.map_err(StoreError::from))
    }

    /// Takes the right to try the key once `pause` is over; until `until` nobody else does. `false` where somebody else
    /// was first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn take_trial(
        &self,
        account: &AccountName,
        pause: &Pause,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .key("id", text(key(account)))
            .key("item", text(PAUSE))
            .update_expression("SET #until = :next")
            .condition_expression("#until = :seen")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":next", text(sortable(until)))
            .expression_attribute_values(":seen", text(sortable(pause.until)));
        self.kept.forget(account);
        happened(update.send().await.map_err(StoreError::from))
    }

    /// Ends a pause: the key works.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn end(&self, account: &AccountName) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        delete.key("id", text(key(account))).key("item", text(PAUSE)).send().await?;
        self.kept.forget(account);
        Ok(())
    }
}

fn key(account: &AccountName) -> String {
    format!("pause#{account}")
}
