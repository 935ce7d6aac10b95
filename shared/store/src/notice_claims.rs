//! When each tenant's people were last told what waits for them, in the appointments table.

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

const TOLD: &str = "told";

/// The right to tell a tenant's people, which one run has at a time.
#[derive(Debug, Clone)]
pub struct NoticeClaims {
    table: Table,
}

impl NoticeClaims {
    /// The claims in the table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { table: Table::from_env(config, schema::APPOINTMENTS)? })
    }

    /// Takes the right to tell a tenant's people now. Returns `false` if they were told within `interval`.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn take(&self, tenant: &TenantId, now: DateTime<Utc>, interval: TimeDelta) -> Result<bool, StoreError> {
        let mut item = self.table.key(&format!("notices#{tenant}"), TOLD);
        item.insert("told_at".to_owned(), timestamp(now));
        let claim = put(&self.table.name, item)
            .condition_expression("attribute_not_exists(id) OR told_at <= :before")
            .expression_attribute_values(":before", text(sortable(now - interval)));
        applied(write_one(&self.table.client, build_put(claim)?).await)
    }
}
