//! When each deployed version was active.

use quality::regression::VersionActivity;

use crate::{
    counters::CounterStore,
    error::StoreError,
    item::{decode, encode},
};

/// The partition of versions.
const VERSIONS: &str = "versions";

impl CounterStore {
    /// When each version was active.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn version_activity(&self) -> Result<Vec<VersionActivity>, StoreError> {
        self.table.query(VERSIONS, "").await?.into_iter().map(decode).collect()
    }

    /// Writes when a version was active.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn record_activity(&self, activity: &VersionActivity) -> Result<(), StoreError> {
        let mut item = encode(activity)?;
        item.extend(self.table.key(VERSIONS, &activity.version));
        self.table.client.put_item().table_name(&self.table.name).set_item(Some(item)).send().await?;
        Ok(())
    }
}
