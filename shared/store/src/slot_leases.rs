//! Party alone may book at an account for a start.
//!
//! Cal.com checks whether a host is free and then books, without a lock between: two requests for one slot at the same
//! moment can both succeed. So Frontdesk never has two under way. The lease goes with the claim of an appointment, in
//! the same transaction, and comes back with its result; that of a worker that died runs out with its claim.
//!
//! It is by account and start and not by event type, since two event types may share a host.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use chrono::{DateTime, TimeDelta, Utc};
use scheduling::ids::{AccountName, AppointmentId};

use super::{Item, StoreError, number, sortable, text};

/// How long after it ran out a forgotten lease is deleted.
const SWEPT_AFTER: TimeDelta = TimeDelta::days(1);

/// The right to book alone at an account for a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLease {
    /// The Cal.com account.
    pub account: AccountName,
    /// The start.
    pub start: DateTime<Utc>,
    /// Party has it.
    pub holder: AppointmentId,
}

/// What becomes of a lease when its holder is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotChange<'a> {
    /// It is taken until a time, if nobody has it at another.
    Take {
        /// The lease.
        lease: &'a SlotLease,
        /// Now.
        now: DateTime<Utc>,
        /// When it runs out.
        until: DateTime<Utc>,
    },
    /// It is given back.
    GiveBack(&'a SlotLease),
}

impl SlotChange<'_> {
    pub(super) fn written(self, table: &str) -> Result<TransactWriteItem, StoreError> {
        match self {
            Self::Take { lease, now, until } => {
                let item = Item::from([
                    ("id".to_owned(), text(lease.key())),
                    ("item".to_owned(), text(LEASE)),
                    ("holder".to_owned(), text(lease.holder.as_str())),
                    ("until".to_owned(), text(sortable(until))),
                    ("expires_at".to_owned(), number((until + SWEPT_AFTER).timestamp())),
                ]);
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .condition_expression("attribute_not_exists(id) OR #until <= :now OR holder = :holder")
                    .expression_attribute_names("#until", "until")
                    .expression_attribute_values(":now", text(sortable(now)))
                    .expression_attribute_values(":holder", text(lease.holder.as_str()));
                Ok(TransactWriteItem::builder().put(super::appointments::built(put)?).build())
            }
            Self::GiveBack(lease) => {
                let delete = Delete::builder()
                    .table_name(table)
                    .key("id", text(lease.key()))
                    .key("item", text(LEASE))
                    .condition_expression("attribute_not_exists(id) OR holder = :holder")
                    .expression_attribute_values(":holder", text(lease.holder.as_str()));
                let delete = delete.build().map_err(|_| StoreError::Unreadable)?;
                Ok(TransactWriteItem::builder().delete(delete).build())
            }
        }
    }
}

const LEASE: &str = "lease";

impl SlotLease {
    fn key(&self) -> String {
        format!("slot#{}#{}", self.account, sortable(self.start))
    }
}
