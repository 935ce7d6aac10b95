//! Writes that are applied together or not at all.

use std::{future::Future, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update, builders},
};
use uuid::Uuid;

use crate::{error::StoreError, item::Item};

/// DynamoDB's limit for one transaction.
pub(crate) const MAX_ITEMS: usize = 100;
/// The maximum number of attempts of a write that conflicts with others.
const TRIES: u32 = 5;
/// The delay before the second attempt. Each further one waits that much longer.
pub(crate) const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Writes that are applied together or not at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transaction {
    items: Vec<TransactWriteItem>,
}

/// Why a transaction was not applied.
pub(crate) enum TransactionError {
    /// DynamoDB cancelled it: one reason for each item, in order.
    Cancelled(Vec<CancellationReason>),
    /// Anything else.
    Failed(StoreError),
}

impl Transaction {
    pub(crate) fn put(&mut self, put: Put) {
        self.items.push(TransactWriteItem::builder().put(put).build());
    }

    pub(crate) fn update(&mut self, update: builders::UpdateBuilder) -> Result<(), StoreError> {
        let update: Update = update.build().map_err(|_| StoreError::Unencodable)?;
        self.items.push(TransactWriteItem::builder().update(update).build());
        Ok(())
    }

    pub(crate) fn delete(&mut self, delete: builders::DeleteBuilder) -> Result<(), StoreError> {
        let delete: Delete = delete.build().map_err(|_| StoreError::Unencodable)?;
        self.items.push(TransactWriteItem::builder().delete(delete).build());
        Ok(())
    }

    pub(crate) fn check(&mut self, check: builders::ConditionCheckBuilder) -> Result<(), StoreError> {
        let check: ConditionCheck = check.build().map_err(|_| StoreError::Unencodable)?;
        self.items.push(TransactWriteItem::builder().condition_check(check).build());
        Ok(())
    }

    pub(crate) fn append(&mut self, other: &Self) {
        self.items.extend(other.items.iter().cloned());
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Applies it once.
    ///
    /// Its token comes from the operating system's randomness. The SDK's own are seeded by the time at which a process
    /// starts, and DynamoDB refuses a transaction whose token another process used.
    pub(crate) async fn commit(&self, client: &Client) -> Result<(), TransactionError> {
        let request = client.transact_write_items().set_transact_items(Some(self.items.clone()));
        let request = request.client_request_token(Uuid::new_v4().to_string());
        let Err(error) = request.send().await else { return Ok(()) };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                Err(TransactionError::Cancelled(cancelled.cancellation_reasons().to_vec()))
            }
            _ => Err(TransactionError::Failed(error.into())),
        }
    }

    /// Applies it, again if another writer was writing one of the items: then the conditions decide who was first.
    pub(crate) async fn commit_with_retries(&self, client: &Client) -> Result<(), TransactionError> {
        with_retries(|| self.commit(client), TransactionError::is_only_contention).await
    }

    /// The same without the write that was added last.
    pub(crate) fn without_last(mut self) -> Self {
        self.items.pop();
        self
    }

    /// Applies it in as many transactions as its size needs.
    pub(crate) async fn commit_in_chunks(&self, client: &Client) -> Result<(), StoreError> {
        for chunk in self.items.chunks(MAX_ITEMS) {
            Self { items: chunk.to_vec() }.commit(client).await?;
        }
        Ok(())
    }
}

impl TransactionError {
    /// Whether only the last item's condition did not hold.
    pub(crate) fn is_only_the_last(&self) -> bool {
        let Self::Cancelled(reasons) = self else { return false };
        let Some((last, others)) = reasons.split_last() else { return false };
        is_lost(last) && others.iter().all(|reason| matches!(reason.code(), None | Some("None")))
    }

    fn is_only_contention(&self) -> bool {
        let Self::Cancelled(reasons) = self else { return false };
        let has = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
        has("TransactionConflict") && !has("ConditionalCheckFailed")
    }
}

impl From<TransactionError> for StoreError {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Cancelled(reasons) if reasons.iter().any(is_lost) => Self::Conflict,
            TransactionError::Cancelled(reasons) => {
                let code = reasons.iter().filter_map(CancellationReason::code).find(|code| *code != "None");
                Self::Unavailable(code.unwrap_or("cancelled").to_owned())
            }
            TransactionError::Failed(error) => error,
        }
    }
}

/// Whether the condition of an item did not hold.
pub(crate) fn is_condition_failed(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

fn is_lost(reason: &CancellationReason) -> bool {
    matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict"))
}

/// A put into a table.
pub(crate) fn put(table: &str, item: Item) -> builders::PutBuilder {
    Put::builder().table_name(table).set_item(Some(item))
}

/// A complete put.
pub(crate) fn build_put(put: builders::PutBuilder) -> Result<Put, StoreError> {
    put.build().map_err(|_| StoreError::Unencodable)
}

/// Applies a single put, which costs half of a transaction. Retried like [`Transaction::commit_with_retries`].
pub(crate) async fn write_one(client: &Client, put: Put) -> Result<(), StoreError> {
    let request = client.put_item().table_name(put.table_name).set_item(Some(put.item));
    let request = request
        .set_condition_expression(put.condition_expression)
        .set_expression_attribute_names(put.expression_attribute_names)
        .set_expression_attribute_values(put.expression_attribute_values);
    let write = || async { request.clone().send().await.map(drop).map_err(StoreError::from) };
    let is_only_contention =
        |error: &StoreError| matches!(error, StoreError::Unavailable(code) if code == "TransactionConflictException");
    with_retries(write, is_only_contention).await
}

/// Writes, again if another writer was writing the same item.
async fn with_retries<E, F: Future<Output = Result<(), E>>>(
    write: impl Fn() -> F,
    is_only_contention: impl Fn(&E) -> bool,
) -> Result<(), E> {
    let mut tries = 1;
    loop {
        match write().await {
            Err(error) if tries < TRIES && is_only_contention(&error) => {
                tokio::time::sleep(RETRY_DELAY * tries).await;
                tries += 1;
            }
            written => return written,
        }
    }
}
