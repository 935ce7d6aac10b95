//! The alerts, raised or cleared.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};
use quality::rules::{Evaluation, Scope};
use serde::{Deserialize, Serialize};

use crate::{
    counters::CounterStore,
    error::{StoreError, applied},
    item::{Item, decode, encode},
};

/// The partition of alerts.
const ALERTS: &str = "alerts";

/// An alert, and whether it is raised now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The evaluation by which it was raised or cleared.
    pub evaluation: Evaluation,
    /// Whether it is raised.
    pub raised: bool,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether people were notified.
    pub notified: bool,
}

impl CounterStore {
    /// Every alert. One that can't be decoded is logged and left out: a newer deployed version raised it.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let mut alerts = Vec::new();
        for item in self.table.query(ALERTS, "").await? {
            let name = self.table.sort_key(&item).unwrap_or_default().to_owned();
            match decode(item) {
                Ok(alert) => alerts.push(alert),
                Err(error) => tracing::error!(alert = name, %error, "failed to read an alert"),
            }
        }
        Ok(alerts)
    }

    /// Raises or clears an alert, by counters that were read at its `since`. Returns `true` if this changed it: only one
    /// of two concurrent monitors gets `true`, and a monitor whose counters are older than the stored alert gets `false`.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn transition_alert(&self, alert: &Alert) -> Result<bool, StoreError> {
        const TRANSITION: &str = "#raised <> :raised AND #since < :since";
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(self.item_of(alert)?));
        let put = put
            .expression_attribute_names("#raised", "raised")
            .expression_attribute_names("#since", "since")
            .expression_attribute_values(":raised", AttributeValue::Bool(alert.raised))
            .expression_attribute_values(":since", since(alert)?);
        let put = if alert.raised {
            put.condition_expression(format!("attribute_not_exists(#kind) OR {TRANSITION}"))
                .expression_attribute_names("#kind", self.table.schema.partition)
        } else {
            put.condition_expression(TRANSITION)
        };
        applied(put.send().await.map_err(StoreError::from))
    }

    /// Claims the notification of an alert that nobody was notified of. Returns `None` if another monitor claimed it.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn claim_notification(&self, alert: &Alert, now: DateTime<Utc>) -> Result<Option<Alert>, StoreError> {
        let claimed = Alert { since: now, ..alert.clone() };
        Ok(self.replace(alert, &claimed).await?.then_some(claimed))
    }

    /// Records that people were notified of an alert, unless it has changed since.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn mark_notified(&self, alert: &Alert) -> Result<(), StoreError> {
        self.replace(alert, &Alert { notified: true, ..alert.clone() }).await.map(drop)
    }

    async fn replace(&self, before: &Alert, after: &Alert) -> Result<bool, StoreError> {
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(self.item_of(after)?));
        let put = put
            .condition_expression("#since = :since")
            .expression_attribute_names("#since", "since")
            .expression_attribute_values(":since", since(before)?);
        applied(put.send().await.map_err(StoreError::from))
    }

    fn item_of(&self, alert: &Alert) -> Result<Item, StoreError> {
        let Evaluation { rule, scope, .. } = &alert.evaluation;
        let scope = match scope {
            Scope::All => "all".to_owned(),
            Scope::Tenant(tenant) => format!("tenant#{tenant}"),
            Scope::Version(version) => format!("version#{version}"),
        };
        let mut item = encode(alert)?;
        item.extend(self.table.key(ALERTS, &format!("{rule}#{scope}")));
        Ok(item)
    }
}

/// An alert's `since` as it is stored.
fn since(alert: &Alert) -> Result<AttributeValue, StoreError> {
    encode(alert)?.remove("since").ok_or(StoreError::Unencodable)
}
