//! The indexes of appointments, read page by page.

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use chrono::{DateTime, Utc};
use scheduling::{
    appointment::{Appointment, State},
    ids::AppointmentId,
    timing::Timing,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::StoreError,
    item::{Item, decode, sortable, text, timestamp},
    schema::{BY_CALCOM_UID, BY_DUE, BY_PHASE, BY_REVIEW, BY_TENANT, BY_UNCOUNTED, Index, RECORD},
    table::Table,
};

/// The partition of [`BY_DUE`].
pub(crate) const DUE: &str = "due";
/// The partition of [`BY_DUE`] whose appointments people are to be told of.
pub(crate) const NOTICE: &str = "notice";
/// The partition of [`BY_UNCOUNTED`].
pub(crate) const UNCOUNTED: &str = "uncounted";

/// Whether an open appointment is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has no booking.
    Unbooked,
    /// It has a booking.
    Booked,
}

impl Phase {
    fn of(appointment: &Appointment) -> Option<Self> {
        appointment.is_open().then(|| match appointment.booking() {
            Some(_) => Self::Booked,
            None => Self::Unbooked,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unbooked => "unbooked",
            Self::Booked => "booked",
        }
    }
}

/// Where reading an index continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The cost of reading it, in DynamoDB's read units.
    pub read_units: f64,
}

/// A page of a partition of an index, up to an instant.
pub(crate) async fn page(
    table: &Table,
    index: Index,
    partition: &str,
    before: DateTime<Utc>,
    after: Option<&Cursor>,
    limit: i32,
) -> Result<Page, StoreError> {
    let start = after.map(|cursor| {
        let mut key = table.key(cursor.appointment.as_str(), RECORD);
        key.insert(index.partition.to_owned(), text(partition));
        key.insert(index.sort.to_owned(), timestamp(cursor.at));
        key
    });
    let query = table.client.query().table_name(&table.name).index_name(index.name);
    let found = query
        .key_condition_expression("#partition = :partition AND #sort < :before")
        .expression_attribute_names("#partition", index.partition)
        .expression_attribute_names("#sort", index.sort)
        .expression_attribute_values(":partition", text(partition))
        .expression_attribute_values(":before", text(sortable(before)))
        .set_exclusive_start_key(start)
        .limit(limit)
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await?;
    let keys = found.items.unwrap_or_default().into_iter().map(|item| cursor(index, item));
    Ok(Page {
        appointments: keys.map(|key| key.map(|key| key.appointment)).collect::<Result<_, _>>()?,
        next: found.last_evaluated_key.map(|key| cursor(index, key)).transpose()?,
        read_units: found.consumed_capacity.and_then(|consumed| consumed.capacity_units).unwrap_or_default(),
    })
}

/// Every appointment in a partition of an index.
pub(crate) async fn ids_in(table: &Table, index: Index, partition: &str) -> Result<Vec<AppointmentId>, StoreError> {
    #[derive(Deserialize)]
    struct Key {
        id: AppointmentId,
    }
    let query = table.client.query().table_name(&table.name).index_name(index.name);
    let query = query
        .key_condition_expression("#partition = :partition")
        .expression_attribute_names("#partition", index.partition)
        .expression_attribute_values(":partition", text(partition));
    let mut pages = query.into_paginator().items().send();
    let mut ids = Vec::new();
    while let Some(item) = pages.next().await {
        ids.push(decode::<Key>(item?)?.id);
    }
    Ok(ids)
}

fn cursor(index: Index, mut key: Item) -> Result<Cursor, StoreError> {
    #[derive(Deserialize)]
    struct Key {
        id: AppointmentId,
        at: DateTime<Utc>,
    }
    let at = key.remove(index.sort).ok_or(StoreError::Undecodable)?;
    key.insert("at".to_owned(), at);
    let Key { id, at } = decode(key)?;
    Ok(Cursor { at, appointment: id })
}

/// Inserts the keys of the indexes that an appointment belongs to. Without its keys an item is not in an index.
pub(crate) fn insert_keys(item: &mut Item, appointment: &Appointment, timing: &Timing) {
    let mut insert = |index: Index, partition: &str, sort: DateTime<Utc>| {
        item.insert(index.partition.to_owned(), text(partition));
        item.insert(index.sort.to_owned(), timestamp(sort));
    };
    if let (Some(phase), Some(start)) = (Phase::of(appointment), start_of(appointment)) {
        insert(BY_PHASE, phase.as_str(), start);
    }
    if let Some(due) = appointment.due(timing) {
        insert(BY_DUE, DUE, due.at);
    } else if let Some(since) = appointment.notice_due() {
        insert(BY_DUE, NOTICE, since);
    }
    insert(BY_UNCOUNTED, UNCOUNTED, appointment.created_at);
    insert(BY_TENANT, appointment.tenant.as_str(), list_position(appointment));
    if let State::NeedsReview { .. } = appointment.state() {
        insert(BY_REVIEW, appointment.tenant.as_str(), appointment.entered_at());
    }
    if let Some(booking) = appointment.booking() {
        item.insert(BY_CALCOM_UID.partition.to_owned(), text(booking.uid.as_str()));
    }
}

/// Where an appointment belongs in its tenant's list: at the start of its booking or request, else at the earliest start
/// that may be meant, else when it was stored.
pub(crate) fn list_position(appointment: &Appointment) -> DateTime<Utc> {
    start_of(appointment).or_else(|| appointment.earliest_start()).unwrap_or(appointment.created_at)
}

fn start_of(appointment: &Appointment) -> Option<DateTime<Utc>> {
    appointment.booking().map(|booking| booking.start).or_else(|| appointment.request.start.at())
}
