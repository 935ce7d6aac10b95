//! A table, read by key. No function scans one; only what a person starts does.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    operation::query::builders::QueryFluentBuilder,
    types::{AttributeValue, KeysAndAttributes, builders::KeysAndAttributesBuilder},
};
use platform::{
    aws::{SdkConfig, error_code},
    env::{self, EnvError},
};

use crate::{
    error::StoreError,
    item::{Item, text},
    schema::Schema,
};

/// DynamoDB's limit for one batch of reads.
pub(crate) const MAX_BATCH: usize = 100;
/// The delay before unprocessed keys are requested again.
const BATCH_RETRY_DELAY: Duration = Duration::from_millis(50);

/// A table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) schema: Schema,
}

impl Table {
    pub(crate) fn new(config: &SdkConfig, name: String, schema: Schema) -> Self {
        Self { client: Client::new(config), name, schema }
    }

    /// The table that the environment names.
    pub(crate) fn from_env(config: &SdkConfig, schema: Schema) -> Result<Self, EnvError> {
        Ok(Self::new(config, env::required(schema.variable)?, schema))
    }

    /// Opens a connection by reading an item that does not exist, so that the first request is sent sooner.
    pub(crate) async fn connect(&self) {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(self.key("none", "none")));
        if let Err(error) = request.send().await {
            tracing::warn!(error = error_code(&error), "failed to connect to DynamoDB");
        }
    }

    /// The key of an item.
    pub(crate) fn key(&self, partition: &str, sort: &str) -> Item {
        Item::from([(self.schema.partition.to_owned(), text(partition)), (self.schema.sort.to_owned(), text(sort))])
    }

    /// An item without its key.
    pub(crate) fn without_key(&self, mut item: Item) -> Item {
        item.remove(self.schema.partition);
        item.remove(self.schema.sort);
        item
    }

    /// An item, as eventually consistent reads see it.
    pub(crate) async fn get(&self, partition: &str, sort: &str) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.name);
        Ok(request.set_key(Some(self.key(partition, sort))).send().await?.item)
    }

    /// An item, with every write that was acknowledged.
    pub(crate) async fn get_consistent(&self, partition: &str, sort: &str) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        Ok(request.set_key(Some(self.key(partition, sort))).send().await?.item)
    }

    /// The items of a partition whose sort key begins with `prefix`, in order.
    pub(crate) async fn query(&self, partition: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        collect(self.build_query(partition, prefix)).await
    }

    /// Every item of a partition whose sort key is not below `from`, in order.
    pub(crate) async fn query_from(&self, partition: &str, from: &str) -> Result<Vec<Item>, StoreError> {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let query = query
            .key_condition_expression("#partition = :partition AND #sort >= :from")
            .expression_attribute_names("#partition", self.schema.partition)
            .expression_attribute_names("#sort", self.schema.sort)
            .expression_attribute_values(":partition", text(partition))
            .expression_attribute_values(":from", text(from));
        collect(query).await
    }

    /// A page of the sort keys of a partition after one of them, in order, and whether there are more.
    pub(crate) async fn sort_keys_after(
        &self,
        partition: &str,
        after: Option<&str>,
        limit: i32,
    ) -> Result<(Vec<String>, bool), StoreError> {
        let query = self.build_query(partition, "").limit(limit);
        let query = query.projection_expression("#sort").expression_attribute_names("#sort", self.schema.sort);
        let found = query.set_exclusive_start_key(after.map(|after| self.key(partition, after))).send().await?;
        let has_more = found.last_evaluated_key.is_some();
        let items = found.items.unwrap_or_default();
        Ok((items.iter().filter_map(|item| self.sort_key(item)).map(str::to_owned).collect(), has_more))
    }

    /// The sort keys of a partition that begin with `prefix`, in order. Nothing else of the items is sent.
    pub(crate) async fn query_sort_keys(&self, partition: &str, prefix: &str) -> Result<Vec<String>, StoreError> {
        let query = self.build_query(partition, prefix);
        let query = query.projection_expression("#sort").expression_attribute_names("#sort", self.schema.sort);
        let items = collect(query).await?;
        Ok(items.iter().filter_map(|item| self.sort_key(item)).map(str::to_owned).collect())
    }

    fn build_query(&self, partition: &str, prefix: &str) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let query = query
            .expression_attribute_names("#partition", self.schema.partition)
            .expression_attribute_values(":partition", text(partition));
        if prefix.is_empty() {
            query.key_condition_expression("#partition = :partition")
        } else {
            query
                .key_condition_expression("#partition = :partition AND begins_with(#sort, :prefix)")
                .expression_attribute_names("#sort", self.schema.sort)
                .expression_attribute_values(":prefix", text(prefix))
        }
    }

    /// The items with these keys, in no particular order. DynamoDB refuses a key that is given twice.
    pub(crate) async fn batch_get(&self, keys: Vec<Item>, consistent: bool) -> Result<Vec<Item>, StoreError> {
        self.batch_get_some(keys, KeysAndAttributes::builder().consistent_read(consistent)).await
    }

    /// These attributes of the items with these keys, in no particular order, as eventually consistent reads see them.
    pub(crate) async fn batch_get_attributes(
        &self,
        keys: Vec<Item>,
        attributes: &[&str],
    ) -> Result<Vec<Item>, StoreError> {
        // Some are words that DynamoDB reserves.
        let names = attributes.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let projection = attributes.iter().map(|name| format!("#{name}")).collect::<Vec<_>>().join(", ");
        let wanted = KeysAndAttributes::builder().projection_expression(projection);
        self.batch_get_some(keys, wanted.set_expression_attribute_names(Some(names))).await
    }

    async fn batch_get_some(&self, keys: Vec<Item>, wanted: KeysAndAttributesBuilder) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for chunk in keys.chunks(MAX_BATCH) {
            let mut unprocessed = chunk.to_vec();
            while !unprocessed.is_empty() {
                let keys = wanted.clone().set_keys(Some(unprocessed)).build().map_err(|_| StoreError::Unencodable)?;
                let response = self.client.batch_get_item().request_items(&self.name, keys).send().await?;
                found.extend(response.responses.unwrap_or_default().remove(&self.name).unwrap_or_default());
                let left = response.unprocessed_keys.unwrap_or_default().remove(&self.name);
                unprocessed = left.map(|left| left.keys).unwrap_or_default();
                if !unprocessed.is_empty() {
                    tokio::time::sleep(BATCH_RETRY_DELAY).await;
                }
            }
        }
        Ok(found)
    }

    /// Deletes these items, and returns how many there were.
    pub(crate) async fn delete_all(&self, items: Vec<Item>) -> Result<usize, StoreError> {
        let count = items.len();
        for mut item in items {
            item.retain(|name, _| name == self.schema.partition || name == self.schema.sort);
            self.client.delete_item().table_name(&self.name).set_key(Some(item)).send().await?;
        }
        Ok(count)
    }

    /// The sort key of an item.
    pub(crate) fn sort_key<'i>(&self, item: &'i Item) -> Option<&'i str> {
        item.get(self.schema.sort).and_then(|value: &AttributeValue| value.as_s().ok()).map(String::as_str)
    }
}

async fn collect(query: QueryFluentBuilder) -> Result<Vec<Item>, StoreError> {
    let mut pages = query.into_paginator().items().send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item?);
    }
    Ok(items)
}
