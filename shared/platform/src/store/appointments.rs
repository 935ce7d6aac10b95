//! The table of appointments.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata,
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem},
};
use chrono::{DateTime, SecondsFormat, Utc};
use scheduling::{
    appointment::{Appointment, State},
    assignment::HostMapping,
    ids::{AppointmentId, BookingUid, TenantId},
};
use serde::{Deserialize, Serialize};

use super::{Item, StoreError, number, parts, read, tenants, text, written};

const RECORD: &str = "appointment";
const UNCHANGED: &str = "#version = :version";

/// Appointments by whether something is booked and their start is known. Holds no settled ones.
const BY_PHASE: &str = "by-phase-and-start";
/// Appointments that need a person, by tenant, oldest first.
const BY_REVIEW: &str = "by-review";
/// Appointments by the uid of their booking.
const BY_UID: &str = "by-calcom-uid";

/// The table of appointments.
#[derive(Debug, Clone)]
pub struct Appointments {
    client: Client,
    table: String,
    tenants: Option<String>,
}

/// The version of a stored appointment. Each write asks for the one that was read, and counts up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version(u64);

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
            State::Cancelled { .. } => None,
            _ if appointment.booking().is_some() => Some(Self::Booked),
            _ => Some(Self::Unbooked),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Unbooked => "unbooked",
            Self::Booked => "booked",
        }
    }
}

/// An answer of Cal.com's to be kept with an appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was asked, for instance `book`.
    pub request: &'static str,
    /// The HTTP status of the answer; `None` where none came.
    pub status: Option<u16>,
    /// Every byte of it.
    pub body: Vec<u8>,
}

/// An answer of Cal.com's as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// In which attempt, for which request.
    pub name: String,
    /// The HTTP status; `None` where no answer came.
    pub status: Option<u16>,
    /// Every byte of it.
    pub body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct AnswerPart {
    id: AppointmentId,
    item: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

/// Where a look-up of past appointments goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Start of the last appointment that was seen.
    pub start_at: DateTime<Utc>,
    /// Its id.
    pub appointment: AppointmentId,
}

/// A page of past appointments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastPage {
    /// Oldest start first.
    pub appointments: Vec<AppointmentId>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
}

impl Appointments {
    /// The table of this name.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table, tenants: None }
    }

    /// The same, able to write a host mapping along with an appointment.
    #[must_use]
    pub fn with_tenants(self, table: String) -> Self {
        Self { tenants: Some(table), ..self }
    }

    /// The appointment of this id with the version to write it back, if there is one.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn load(&self, id: &AppointmentId) -> Result<Option<(Appointment, Version)>, StoreError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let found = request.key("id", text(id.as_str())).key("item", text(RECORD)).send().await?;
        found.item.map(stored).transpose()
    }

    /// Writes a changed appointment on the condition that it is still at `version`, and answers the new one. What
    /// Cal.com answered, and what was learned of a host, is written in the same step.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was first.
    pub async fn save(
        &self,
        appointment: &Appointment,
        Version(version): Version,
        evidence: &[Evidence],
        learned: Option<&HostMapping>,
    ) -> Result<Version, StoreError> {
        let next = Version(version + 1);
        let record = built(
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(item_of(appointment, next)?))
                .condition_expression(UNCHANGED)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
        )?;
        let mut along = self.answers_of(appointment, version, evidence)?;
        if let (Some(mapping), Some(table)) = (learned, &self.tenants) {
            along.push(tenants::put_learned(mapping, table)?);
        }
        self.write_together(record, along).await?;
        Ok(next)
    }

    /// One conditional write; alone it costs half of what a transaction does.
    async fn write_together(&self, record: Put, along: Vec<Put>) -> Result<(), StoreError> {
        if along.is_empty() {
            let request = self.client.put_item().table_name(record.table_name).set_item(Some(record.item));
            let request = request
                .set_condition_expression(record.condition_expression)
                .set_expression_attribute_names(record.expression_attribute_names)
                .set_expression_attribute_values(record.expression_attribute_values);
            return Ok(request.send().await.map(drop)?);
        }
        let puts = std::iter::once(record).chain(along);
        let items = puts.map(|put| TransactWriteItem::builder().put(put).build()).collect();
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        sent.map(drop).map_err(|error| refusal_of(error.as_service_error()).unwrap_or_else(|| error.into()))
    }

    /// A page of the appointments in `phase` that start before `before`, oldest first.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn past(
        &self,
        phase: Phase,
        before: DateTime<Utc>,
        after: Option<&Cursor>,
        at_most: i32,
    ) -> Result<PastPage, StoreError> {
        let from = after.map(|cursor| {
            HashMap::from([
                ("id".to_owned(), text(cursor.appointment.as_str())),
                ("item".to_owned(), text(RECORD)),
                ("phase".to_owned(), text(phase.as_str())),
                ("start_at".to_owned(), text(sortable(cursor.start_at))),
            ])
        });
        let found = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_PHASE)
            .key_condition_expression("phase = :phase AND start_at < :before")
            .expression_attribute_values(":phase", text(phase.as_str()))
            .expression_attribute_values(":before", text(sortable(before)))
            .set_exclusive_start_key(from)
            .limit(at_most)
            .send()
            .await?;
        #[derive(Deserialize)]
        struct Key {
            id: AppointmentId,
            start_at: DateTime<Utc>,
        }
        let key = |item: Item| read::<Key>(item);
        let next = found.last_evaluated_key.map(key).transpose()?;
        let listed = found.items.unwrap_or_default().into_iter().map(key);
        Ok(PastPage {
            appointments: listed.map(|key| key.map(|key| key.id)).collect::<Result<_, _>>()?,
            next: next.map(|key| Cursor { start_at: key.start_at, appointment: key.id }),
        })
    }

    /// The tenant's appointments that need a person, the longest waiting first.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn in_review(&self, tenant: &TenantId) -> Result<Vec<AppointmentId>, StoreError> {
        self.ids_by(BY_REVIEW, "review_tenant", tenant.as_str()).await
    }

    /// The appointment of a booking.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn of_booking(&self, uid: &BookingUid) -> Result<Option<AppointmentId>, StoreError> {
        Ok(self.ids_by(BY_UID, "calcom_uid", uid.as_str()).await?.into_iter().next())
    }

    /// Every answer of Cal.com's that was kept with an appointment, in order.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn answers(&self, id: &AppointmentId) -> Result<Vec<StoredAnswer>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("id = :id AND begins_with(#item, :prefix)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":id", text(id.as_str()))
            .expression_attribute_values(":prefix", text("answer#"))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut packed: Vec<(AnswerPart, Vec<Vec<u8>>)> = Vec::new();
        while let Some(item) = pages.next().await {
            let mut item = item?;
            let Some(AttributeValue::B(bytes)) = item.remove("part") else { return Err(StoreError::Unreadable) };
            let part: AnswerPart = read(item)?;
            match packed.last_mut() {
                Some((last, parts)) if last.name == part.name => parts.push(bytes.into_inner()),
                _ => packed.push((part, vec![bytes.into_inner()])),
            }
        }
        let whole = |(part, parts): (AnswerPart, Vec<Vec<u8>>)| {
            Ok(StoredAnswer { name: part.name, status: part.status, body: parts::join(&parts)? })
        };
        packed.into_iter().map(whole).collect()
    }

    async fn ids_by(&self, index: &str, key: &str, value: &str) -> Result<Vec<AppointmentId>, StoreError> {
        #[derive(Deserialize)]
        struct Found {
            id: AppointmentId,
        }
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", key)
            .expression_attribute_values(":value", text(value))
            .into_paginator()
            .items()
            .send();
        let mut ids = Vec::new();
        while let Some(item) = pages.next().await {
            ids.push(read::<Found>(item?)?.id);
        }
        Ok(ids)
    }

    fn answers_of(
        &self,
        appointment: &Appointment,
        version: u64,
        evidence: &[Evidence],
    ) -> Result<Vec<Put>, StoreError> {
        let mut puts = Vec::new();
        for (nth, answer) in evidence.iter().enumerate() {
            // The version keeps the names of later attempts apart and in order.
            let name = format!("{version:06}#{nth:02}#{}", answer.request);
            for (at, part) in parts::split(&answer.body)?.into_iter().enumerate() {
                let mut item = written(&AnswerPart {
                    id: appointment.id.clone(),
                    item: format!("answer#{name}#{at:03}"),
                    name: name.clone(),
                    status: answer.status,
                })?;
                item.insert("part".to_owned(), AttributeValue::B(Blob::new(part)));
                puts.push(built(Put::builder().table_name(&self.table).set_item(Some(item)))?);
            }
        }
        Ok(puts)
    }
}

/// The item of an appointment: the appointment itself, and the keys of the indexes that it belongs into.
fn item_of(appointment: &Appointment, Version(version): Version) -> Result<Item, StoreError> {
    let mut item = written(appointment)?;
    item.insert("item".to_owned(), text(RECORD));
    item.insert("version".to_owned(), number(version));
    if let (Some(phase), Some(start)) = (Phase::of(appointment), appointment.wish.start.at()) {
        item.insert("phase".to_owned(), text(phase.as_str()));
        item.insert("start_at".to_owned(), text(sortable(start)));
    }
    if let Some(booking) = appointment.booking() {
        item.insert("calcom_uid".to_owned(), text(booking.uid.as_str()));
    }
    if let (State::NeedsReview { .. }, Some(last)) = (appointment.state(), appointment.history().last()) {
        item.insert("review_tenant".to_owned(), text(appointment.tenant.as_str()));
        item.insert("review_since".to_owned(), text(sortable(last.at)));
    }
    Ok(item)
}

/// The put of an appointment that must not be there yet. Where it is, the answer holds it.
pub(super) fn put_new(appointment: &Appointment, table: &str) -> Result<Put, StoreError> {
    built(
        Put::builder()
            .table_name(table)
            .set_item(Some(item_of(appointment, Version(1))?))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            ),
    )
}

pub(super) fn stored(item: Item) -> Result<(Appointment, Version), StoreError> {
    #[derive(Deserialize)]
    struct Stored {
        version: Version,
        #[serde(flatten)]
        appointment: Appointment,
    }
    let Stored { version, appointment } = read(item)?;
    Ok((appointment, version))
}

pub(super) fn built(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<Put, StoreError> {
    put.build().map_err(|_| StoreError::Unreadable)
}

/// [`StoreError::Conflict`] for a transaction that was cancelled because somebody else was first or is writing now.
pub(super) fn refusal_of(error: Option<&TransactWriteItemsError>) -> Option<StoreError> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error? else { return None };
    let codes: Vec<&str> = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    let lost = ["ConditionalCheckFailed", "TransactionConflict"].iter().any(|lost| codes.contains(lost));
    let other = codes.iter().find(|code| **code != "None").or_else(|| cancelled.code().as_ref().map(|_| &"cancelled"));
    Some(if lost { StoreError::Conflict } else { StoreError::Unavailable((*other.unwrap_or(&"cancelled")).to_owned()) })
}

/// An instant in a form that sorts as text.
fn sortable(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
