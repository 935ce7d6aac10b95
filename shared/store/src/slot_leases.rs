//! Slot leases: which appointment alone may book at an account for a start.
//!
//! Cal.com checks whether a host is free and then books, without a lock in between: two concurrent requests for one slot
//! can both succeed. A lease keeps Frontdesk from sending two. It is taken in the transaction that claims the
//! appointment and released in the one that stores the result; the lease of a dead worker expires with its claim.
//!
//! The key is account and start, not the event type: two event types may share a host.

use aws_sdk_dynamodb::types::{Delete, Put, builders::DeleteBuilder};
use chrono::{DateTime, TimeDelta, Utc};
use scheduling::ids::{AccountName, AppointmentId};

use crate::{
    error::StoreError,
    item::{Item, number, sortable, text, timestamp},
    table::Table,
    transaction::{build_put, put},
};

/// How long an expired lease is kept before DynamoDB deletes it.
const KEPT_AFTER_EXPIRY: TimeDelta = TimeDelta::days(1);
/// The sort key of a lease.
const LEASE: &str = "lease";

/// The right to book alone at an account for a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLease {
    /// The Cal.com account.
    pub account: AccountName,
    /// The start.
    pub start: DateTime<Utc>,
    /// The appointment that holds it.
    pub holder: AppointmentId,
}

impl SlotLease {
    fn key(&self) -> String {
        format!("slot#{}#{}", self.account, sortable(self.start))
    }
}

/// The put that takes a lease, unless another holder has it.
pub(crate) fn put_lease(
    table: &str,
    lease: &SlotLease,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Put, StoreError> {
    let item = Item::from([
        ("id".to_owned(), text(lease.key())),
        ("item".to_owned(), text(LEASE)),
        ("holder".to_owned(), text(lease.holder.as_str())),
        ("until".to_owned(), timestamp(until)),
        ("expires_at".to_owned(), number((until + KEPT_AFTER_EXPIRY).timestamp())),
    ]);
    build_put(
        put(table, item)
            .condition_expression("attribute_not_exists(id) OR #until <= :now OR holder = :holder")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":now", timestamp(now))
            .expression_attribute_values(":holder", text(lease.holder.as_str())),
    )
}

/// The delete that releases a lease, unless another holder has it.
pub(crate) fn delete_lease(table: &Table, lease: &SlotLease) -> DeleteBuilder {
    Delete::builder()
        .table_name(&table.name)
        .set_key(Some(table.key(&lease.key(), LEASE)))
        .condition_expression("attribute_not_exists(id) OR holder = :holder")
        .expression_attribute_values(":holder", text(lease.holder.as_str()))
}
