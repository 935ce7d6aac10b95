//! The indexes of appointments, read page by page.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::ReturnConsumedCapacity};
use chrono::{DateTime, Utc};
use scheduling::{
    appointment::{Appointment, State},
    ids::AppointmentId,
    timing::Timing,
};
use serde::{Deserialize, Serialize};

use super::{Item, StoreError, appointments::RECORD, read, sortable, text};

/// Appointments by whether something is booked and their start is known. Holds no settled ones.
pub(super) const BY_PHASE: Index = Index { name: "by-phase-and-start", hash: "phase", range: "start_at" };
/// Appointments with which something is to happen without a person, by when.
pub(super) const BY_DUE: Index = Index { name: "by-due", hash: "due", range: "due_at" };
/// What the partition key of [`BY_DUE`] holds.
pub(super) const DUE: &str = "due";
/// Appointments that have changed since they were counted, and those that are under way, by when they were asked for:
/// a key that stays, so that a change of one that is in the index already costs no write to it.
pub(super) const BY_UNCOUNTED: Index = Index { name: "by-to-count", hash: "uncounted", range: "to_count_since" };
/// What the partition key of [`BY_UNCOUNTED`] holds.
pub(super) const UNCOUNTED: &str = "uncounted";

/// An index whose range key is an instant.
pub(super) struct Index {
    pub(super) name: &'static str,
    pub(super) hash: &'static str,
    pub(super) range: &'static str,
}

/// What part of its life an open appointment is in, as the index by start knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is booked.
    Unbooked,
    /// Something is booked.
    Booked,
}

impl Phase {
    fn of(appointment: &Appointment) -> Option<Self> {
        match appointment.state() {
            State::Cancelled { .. } | State::Completed { .. } | State::NoShow { .. } => None,
            _ if appointment.booking().is_some() => Some(Self::Booked),
            _ => Some(Self::Unbooked),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unbooked => "unbooked",
            Self::Booked => "booked",
        }
    }
}

/// Where reading an index goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The instant by which the last appointment was found.
    pub at: DateTime<Utc>,
    /// Its id.
    pub appointment: AppointmentId,
}

/// A page of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Oldest first.
    pub appointments: Vec<AppointmentId>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
    /// What reading it cost, in DynamoDB's read units.
    pub read_units: f64,
}

impl Index {
    /// A page of those under `hash` whose instant lies before `before`.
    pub(super) async fn page(
        &self,
        client: &Client,
        table: &str,
        hash: &str,
        before: DateTime<Utc>,
        after: Option<&Cursor>,
        at_most: i32,
    ) -> Result<Page, StoreError> {
        let from = after.map(|cursor| {
            HashMap::from([
                ("id".to_owned(), text(cursor.appointment.as_str())),
                ("item".to_owned(), text(RECORD)),
                (self.hash.to_owned(), text(hash)),
                (self.range.to_owned(), text(sortable(cursor.at))),
            ])
        });
        let found = client
            .query()
            .table_name(table)
            .index_name(self.name)
            .key_condition_expression("#hash = :hash AND #range < :before")
            .expression_attribute_names("#hash", self.hash)
            .expression_attribute_names("#range", self.range)
            .expression_attribute_values(":hash", text(hash))
            .expression_attribute_values(":before", text(sortable(before)))
            .set_exclusive_start_key(from)
            .limit(at_most)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let listed = found.items.unwrap_or_default().into_iter().map(|item| self.cursor(item));
        Ok(Page {
            appointments: listed.map(|key| key.map(|key| key.appointment)).collect::<Result<_, _>>()?,
            next: found.last_evaluated_key.map(|key| self.cursor(key)).transpose()?,
            read_units: found.consumed_capacity.and_then(|consumed| consumed.capacity_units).unwrap_or_default(),
        })
    }

    fn cursor(&self, mut key: Item) -> Result<Cursor, StoreError> {
        #[derive(Deserialize)]
        struct Key {
            id: AppointmentId,
            at: DateTime<Utc>,
        }
        let at = key.remove(self.range).ok_or(StoreError::Unreadable)?;
        key.insert("at".to_owned(), at);
        let Key { id, at } = read(key)?;
        Ok(Cursor { at, appointment: id })
    }
}

/// Puts the keys of the indexes that an appointment belongs into on its item.
pub(super) fn put_keys(item: &mut Item, appointment: &Appointment, timing: &Timing) {
    if let (Some(phase), Some(start)) = (Phase::of(appointment), start_of(appointment)) {
        item.insert(BY_PHASE.hash.to_owned(), text(phase.as_str()));
        item.insert(BY_PHASE.range.to_owned(), text(sortable(start)));
    }
    if let Some(due) = appointment.due(timing) {
        item.insert(BY_DUE.hash.to_owned(), text(DUE));
        item.insert(BY_DUE.range.to_owned(), text(sortable(due.at)));
    }
    item.insert(BY_UNCOUNTED.hash.to_owned(), text(UNCOUNTED));
    item.insert(BY_UNCOUNTED.range.to_owned(), text(sortable(appointment.created_at)));
    if let Some(booking) = appointment.booking() {
        item.insert("calcom_uid".to_owned(), text(booking.uid.as_str()));
    }
    if let (State::NeedsReview { .. }, Some(last)) = (appointment.state(), appointment.history().last()) {
        item.insert("review_tenant".to_owned(), text(appointment.tenant.as_str()));
        item.insert("review_since".to_owned(), text(sortable(last.at)));
    }
}

fn start_of(appointment: &Appointment) -> Option<DateTime<Utc>> {
    appointment.booking().map(|booking| booking.start).or_else(|| appointment.request.start.at())
}
