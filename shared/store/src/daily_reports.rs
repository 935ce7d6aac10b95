//! Which daily reports were sent: Lambda may invoke the monitor twice for one event of a schedule.

use chrono::NaiveDate;

use crate::{
    counters::CounterStore,
    error::{StoreError, applied},
    transaction::{build_put, put, write_one},
};

/// The partition of the reports that were sent.
const REPORTS: &str = "reports";

impl CounterStore {
    /// Claims the sending of a day's report. Returns `false` if it was sent or another run is sending it.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn claim_report(&self, day: NaiveDate) -> Result<bool, StoreError> {
        let claim = put(&self.table.name, self.table.key(REPORTS, &day.to_string()))
            .condition_expression("attribute_not_exists(#kind)")
            .expression_attribute_names("#kind", self.table.schema.partition);
        applied(write_one(&self.table.client, build_put(claim)?).await)
    }

    /// Gives the claim back: the report could not be sent, and the next attempt may.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn release_report(&self, day: NaiveDate) -> Result<(), StoreError> {
        self.table.delete_all(vec![self.table.key(REPORTS, &day.to_string())]).await.map(drop)
    }
}
