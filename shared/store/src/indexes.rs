//! The indexes of appointments, read page by page.
//!
//! DynamoDB carries a thousand written units a second for each partition key. An index over all appointments therefore has
//! [`SHARDS`] keys for each of its partitions, and an appointment's id decides which one is its own.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::ReturnConsumedCapacity};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use scheduling::{
    appointment::{Appointment, State},
    ids::AppointmentId,
    timing::Timing,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::StoreError,
    item::{Item, decode, group_of, sortable, text, timestamp},
    schema::{BY_CALCOM_UID, BY_DUE, BY_NAME, BY_PHASE, BY_REVIEW, BY_TENANT, BY_UNCOUNTED, Index, RECORD},
    table::Table,
};

/// The partition of [`BY_DUE`].
pub(crate) const DUE: &str = "due";
/// The partition of [`BY_DUE`] whose appointments people are to be told of.
pub(crate) const NOTICE: &str = "notice";
/// The partition of [`BY_UNCOUNTED`].
pub(crate) const UNCOUNTED: &str = "uncounted";
/// How many keys a partition has. An appointment writes six units under its key of [`DUE`], so that sixteen keys carry 2,600
/// appointments a second (`tests/run scale`).
pub const SHARDS: u8 = 16;
/// How many appointments of a page are read from each key at once.
const PAGE_OF_A_KEY: i32 = 25;

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

/// Where reading an index continues: the last appointment that was found under each key that holds more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(BTreeMap<String, Position>);

/// The place of an appointment in an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Position {
    /// The instant by which it was found.
    at: DateTime<Utc>,
    /// Its id.
    appointment: AppointmentId,
}

impl Cursor {
    /// Just before whatever is found under a key from an instant on.
    pub(crate) fn from(key: &str, at: DateTime<Utc>) -> Self {
        // A cursor excludes itself; no appointment has such an id.
        Self(BTreeMap::from([(key.to_owned(), Position { at, appointment: AppointmentId::new("-") })]))
    }
}

/// The keys of a partition.
pub(crate) fn keys_of(partition: &str) -> impl Iterator<Item = String> {
    (0..SHARDS).map(move |shard| format!("{partition}#{shard:02}"))
}

/// The key of a partition to which an appointment belongs.
fn key_of(partition: &str, appointment: &AppointmentId) -> String {
    format!("{partition}#{:02}", group_of(appointment.as_str(), SHARDS.into()))
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

/// A page of a partition of an index, up to an instant: all its keys are read at once, and each gives its oldest ones.
pub(crate) async fn page(
    table: &Table,
    index: Index,
    partition: &str,
    before: DateTime<Utc>,
    after: Option<&Cursor>,
) -> Result<Page, StoreError> {
    let reads: Vec<(String, Option<Position>)> = match after {
        Some(Cursor(positions)) => positions.iter().map(|(key, at)| (key.clone(), Some(at.clone()))).collect(),
        None => keys_of(partition).map(|key| (key, None)).collect(),
    };
    let reads = reads.into_iter().map(async |(key, after)| {
        let found = page_of_key(table, index, &key, before, after.as_ref(), PAGE_OF_A_KEY).await?;
        Ok::<_, StoreError>((key, found))
    });
    let found: Vec<(String, PageOfKey)> =
        stream::iter(reads).buffer_unordered(usize::from(SHARDS)).try_collect().await?;
    let (mut positions, mut next, mut read_units) = (Vec::new(), BTreeMap::new(), 0.0);
    for (key, page) in found {
        positions.extend(page.positions);
        read_units += page.read_units;
        next.extend(page.next.map(|position| (key, position)));
    }
    positions.sort_unstable();
    let appointments = positions.into_iter().map(|position| position.appointment).collect();
    Ok(Page { appointments, next: (!next.is_empty()).then_some(Cursor(next)), read_units })
}

/// A page of an index whose partitions have one key each.
pub(crate) async fn page_of_one_key(
    table: &Table,
    index: Index,
    key: &str,
    before: DateTime<Utc>,
    after: Option<&Cursor>,
    limit: i32,
) -> Result<Page, StoreError> {
    let after = after.and_then(|Cursor(positions)| positions.get(key));
    let PageOfKey { positions, next, read_units } = page_of_key(table, index, key, before, after, limit).await?;
    let next = next.map(|position| Cursor(BTreeMap::from([(key.to_owned(), position)])));
    Ok(Page { appointments: positions.into_iter().map(|position| position.appointment).collect(), next, read_units })
}

struct PageOfKey {
    positions: Vec<Position>,
    next: Option<Position>,
    read_units: f64,
}

async fn page_of_key(
    table: &Table,
    index: Index,
    partition: &str,
    before: DateTime<Utc>,
    after: Option<&Position>,
    limit: i32,
) -> Result<PageOfKey, StoreError> {
    let start = after.map(|position| {
        let mut key = table.key(position.appointment.as_str(), RECORD);
        key.insert(index.partition.to_owned(), text(partition));
        key.insert(index.sort.to_owned(), timestamp(position.at));
        key
    });
    let found = query(table, index, partition)
        .key_condition_expression("#partition = :partition AND #sort < :before")
        .projection_expression("id, #sort")
        .expression_attribute_names("#sort", index.sort)
        .expression_attribute_values(":before", text(sortable(before)))
        .set_exclusive_start_key(start)
        .limit(limit)
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await?;
    let positions = found.items.unwrap_or_default().into_iter().map(|item| position(index, item));
    Ok(PageOfKey {
        positions: positions.collect::<Result<_, _>>()?,
        next: found.last_evaluated_key.map(|key| position(index, key)).transpose()?,
        read_units: found.consumed_capacity.and_then(|consumed| consumed.capacity_units).unwrap_or_default(),
    })
}

/// A query of a partition of an index. Its condition names `#partition` and `:partition`.
fn query(table: &Table, index: Index, partition: &str) -> QueryFluentBuilder {
    let query = table.client.query().table_name(&table.name).index_name(index.name);
    let query = query.expression_attribute_names("#partition", index.partition);
    query.expression_attribute_values(":partition", text(partition))
}

/// Every appointment in a partition of an index.
pub(crate) async fn ids_in(table: &Table, index: Index, partition: &str) -> Result<Vec<AppointmentId>, StoreError> {
    let query = query(table, index, partition).key_condition_expression("#partition = :partition");
    let mut pages = query.into_paginator().items().send();
    let mut ids = Vec::new();
    while let Some(item) = pages.next().await {
        ids.push(id_in(item?)?);
    }
    Ok(ids)
}

/// The appointments of a tenant whose customer's name begins so, in the order of the names.
pub(crate) async fn ids_by_name(
    table: &Table,
    tenant: &str,
    beginning: &str,
    limit: i32,
) -> Result<Vec<AppointmentId>, StoreError> {
    let found = query(table, BY_NAME, tenant)
        .key_condition_expression("#partition = :partition AND begins_with(#sort, :beginning)")
        .expression_attribute_names("#sort", BY_NAME.sort)
        .expression_attribute_values(":beginning", text(beginning))
        .limit(limit)
        .send()
        .await?;
    found.items.unwrap_or_default().into_iter().map(id_in).collect()
}

fn id_in(item: Item) -> Result<AppointmentId, StoreError> {
    #[derive(Deserialize)]
    struct Key {
        id: AppointmentId,
    }
    decode::<Key>(item).map(|key| key.id)
}

fn position(index: Index, mut key: Item) -> Result<Position, StoreError> {
    #[derive(Deserialize)]
    struct Key {
        id: AppointmentId,
        at: DateTime<Utc>,
    }
    let at = key.remove(index.sort).ok_or(StoreError::Undecodable)?;
    key.insert("at".to_owned(), at);
    let Key { id, at } = decode(key)?;
    Ok(Position { at, appointment: id })
}

/// Inserts the keys of the indexes that an appointment belongs to. Without its keys an item is not in an index.
pub(crate) fn insert_keys(item: &mut Item, appointment: &Appointment, timing: &Timing) {
    let mut insert = |index: Index, partition: &str, sort: DateTime<Utc>| {
        item.insert(index.partition.to_owned(), text(partition));
        item.insert(index.sort.to_owned(), timestamp(sort));
    };
    let key = |partition| key_of(partition, &appointment.id);
    if let (Some(phase), Some(start)) = (Phase::of(appointment), appointment.start()) {
        insert(BY_PHASE, &key(phase.as_str()), start);
    }
    if let Some(due) = appointment.due(timing) {
        insert(BY_DUE, &key(DUE), due.at);
    } else if let Some(since) = appointment.notice_due() {
        insert(BY_DUE, &key(NOTICE), since);
    }
    insert(BY_UNCOUNTED, &key(UNCOUNTED), appointment.created_at);
    insert(BY_TENANT, appointment.tenant.as_str(), list_position(appointment));
    if let State::NeedsReview { .. } = appointment.state() {
        insert(BY_REVIEW, appointment.tenant.as_str(), appointment.entered_at());
    }
    if let Some(name) = appointment.request.customer.sort_name() {
        item.insert(BY_NAME.sort.to_owned(), text(name));
    }
    if let Some(booking) = appointment.booking() {
        item.insert(BY_CALCOM_UID.partition.to_owned(), text(booking.uid.as_str()));
    }
}

/// Where an appointment belongs in its tenant's list: at the start of its booking or request, else at the earliest start
/// that may be meant, else when it was stored.
pub(crate) fn list_position(appointment: &Appointment) -> DateTime<Utc> {
    appointment.start().or_else(|| appointment.earliest_start()).unwrap_or(appointment.created_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appointments_are_spread_evenly_over_the_keys_of_a_partition() {
        let mut counts: BTreeMap<String, u32> = keys_of(DUE).map(|key| (key, 0)).collect();
        for nth in 0..16_000_u32 {
            let id = AppointmentId::new(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, &nth.to_be_bytes()).to_string());
            *counts.get_mut(&key_of(DUE, &id)).unwrap() += 1;
        }
        assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor::from("due#03", DateTime::UNIX_EPOCH);
        let json = serde_json::to_string(&cursor).unwrap();
        assert_eq!(json, r#"{"due#03":{"at":"1970-01-01T00:00:00Z","appointment":"-"}}"#);
        assert_eq!(serde_json::from_str::<Cursor>(&json).unwrap(), cursor);
    }
}
