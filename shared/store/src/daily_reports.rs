//! Which daily reports were sent: Lambda may invoke the monitor twice for one event of a schedule.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::{
    counters::CounterStore,
    error::{StoreError, applied},
    item::{text, timestamp},
    transaction::{build_put, put, write_one},
};

/// The partition of the reports that were sent.
const REPORTS: &str = "reports";
/// A run that has not sent a report by then has died.
const CLAIM: TimeDelta = TimeDelta::minutes(10);

impl CounterStore {
    /// Claims the sending of a day's report. Returns `false` if it was sent, or another run is sending it.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn claim_report(&self, day: NaiveDate, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut item = self.table.key(REPORTS, &day.to_string());
        item.insert("claimed_until".to_owned(), timestamp(now + CLAIM));
        let claim = put(&self.table.name, item)
            .condition_expression("attribute_not_exists(#kind) OR claimed_until < :now")
            .expression_attribute_names("#kind", self.table.schema.partition)
            .expression_attribute_values(":now", timestamp(now));
        applied(write_one(&self.table.client, build_put(claim)?).await)
    }

    /// Records that a day's report was sent.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn mark_report_sent(&self, day: NaiveDate) -> Result<(), StoreError> {
        let mut item = self.table.key(REPORTS, &day.to_string());
        item.insert("state".to_owned(), text("sent"));
        write_one(&self.table.client, build_put(put(&self.table.name, item))?).await
    }

    /// Gives the claim back: the report could not be sent, and the next attempt may.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn release_report(&self, day: NaiveDate) -> Result<(), StoreError> {
        self.table.delete_all(vec![self.table.key(REPORTS, &day.to_string())]).await.map(drop)
    }
}
