//! When each tenant was last notified, in the appointments table.

use chrono::{DateTime, TimeDelta, Utc};
use platform::{aws::SdkConfig, env::EnvError};
use scheduling::ids::TenantId;

use crate::{
    error::{StoreError, applied},
    item::{sortable, text, timestamp},
    schema,
    table::Table,
    transaction::{build_put, put, write_one},
};

const NOTICE: &str = "notice";

/// Limits how often a tenant is notified.
#[derive(Debug, Clone)]
pub struct NoticeThrottle {
    table: Table,
}

impl NoticeThrottle {
    /// The limits in the table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { table: Table::from_env(config, schema::APPOINTMENTS)? })
    }

    /// Records that a tenant is notified now. Returns `false` if it was notified within `interval`.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn admit(&self, tenant: &TenantId, now: DateTime<Utc>, interval: TimeDelta) -> Result<bool, StoreError> {
        let mut item = self.table.key(&format!("notices#{tenant}"), NOTICE);
        item.insert("notified_at".to_owned(), timestamp(now));
        let record = put(&self.table.name, item)
            .condition_expression("attribute_not_exists(id) OR notified_at <= :before")
            .expression_attribute_values(":before", text(sortable(now - interval)));
        applied(write_one(&self.table.client, build_put(record)?).await)
    }
}
