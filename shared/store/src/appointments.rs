//! The table of appointments.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::{AttributeValue, Put, TransactWriteItem},
};
use chrono::{DateTime, Utc};
use scheduling::{
    appointment::{Actor, Appointment},
    assignment::HostMapping,
    exchange::Exchange,
    ids::{AppointmentId, BookingUid, CallId, TenantId},
    timing::Timing,
};
use serde::{Deserialize, Serialize};

use super::{
    Item, StoreError,
    index::{self, BY_DUE, BY_PHASE, BY_UNCOUNTED, Cursor, DUE, Page, Phase, UNCOUNTED},
    number, parts, read,
    slots::SlotChange,
    sortable, tenants, text, written,
};

pub(super) const RECORD: &str = "appointment";
pub(super) const UNCHANGED: &str = "#version = :version";
/// DynamoDB takes 4 MB and 100 items in one transaction. Answers beyond this are written before it.
const LARGEST_ALONG: usize = 2 * 1024 * 1024;
const MAX_ITEMS: usize = 90;

/// How often a write is tried that met another one of the same item.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

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
    timing: Timing,
}

/// The version of a stored appointment. Each write asks for the one that was read, and counts up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version(u64);

impl Version {
    pub(super) fn as_number(self) -> AttributeValue {
        number(self.0)
    }
}

/// What is written in the same step as an appointment.
#[derive(Debug, Default, Clone, Copy)]
pub struct Along<'a> {
    /// What was asked of Cal.com, and what it answered.
    pub evidence: &'a [ExchangeRecord],
    /// What was learned of a host.
    pub learned: Option<&'a HostMapping>,
    /// What becomes of the lease on its slot.
    pub slot: Option<SlotChange<'a>>,
}

/// An appointment that may not have moved when it should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The appointment.
    pub appointment: Appointment,
    /// Its version.
    pub version: Version,
    /// How often it was sent once more since it last moved.
    pub resends: u32,
}

/// An exchange with Cal.com, to be kept with an appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRecord {
    /// What was asked, for instance `book`.
    pub asked: &'static str,
    /// The request and its answer.
    pub exchange: Exchange,
}

/// An exchange with Cal.com as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredExchange {
    /// In which attempt, for which request.
    pub name: String,
    /// The request and its answer.
    pub exchange: Exchange,
}

#[derive(Serialize, Deserialize)]
struct AnswerPart {
    id: AppointmentId,
    item: String,
    name: String,
    #[serde(default)]
    sent: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

impl Appointments {
    /// The table of this name. `timing` decides when what was written is due.
    pub fn new(config: &SdkConfig, table: String, timing: Timing) -> Self {
        Self { client: Client::new(config), table, tenants: None, timing }
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
        self.record_of(id).await?.map(stored).transpose()
    }

    /// The same, with how often it was sent once more.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn load_overdue(&self, id: &AppointmentId) -> Result<Option<Overdue>, StoreError> {
        #[derive(Deserialize)]
        struct Nudged {
            #[serde(default)]
            resends: u32,
        }
        let Some(item) = self.record_of(id).await? else { return Ok(None) };
        let Nudged { resends } = read(item.clone())?;
        let (appointment, version) = stored(item)?;
        Ok(Some(Overdue { appointment, version, resends }))
    }

    async fn record_of(&self, id: &AppointmentId) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        Ok(request.key("id", text(id.as_str())).key("item", text(RECORD)).send().await?.item)
    }

    /// Writes a changed appointment on the condition that it is still at `version`, and answers the new one. What goes
    /// along is written in the same step, and with it or not at all; but for answers too large for that, which are
    /// written before.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was first, [`StoreError::SlotTaken`] when somebody else has the slot.
    pub async fn save(
        &self,
        appointment: &Appointment,
        Version(version): Version,
        along: Along<'_>,
    ) -> Result<Version, StoreError> {
        let next = Version(version + 1);
        let record = built(
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(item_of(appointment, next, &self.timing)?))
                .condition_expression(UNCHANGED)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
        )?;
        // An answer of Cal.com's names the customer; of one who was erased nothing is kept any more.
        let evidence = if appointment.is_erased() { &[] } else { along.evidence };
        let mut puts = self.answers_of(appointment, version, evidence)?;
        if puts.len() > MAX_ITEMS || puts.iter().map(weight).sum::<usize>() > LARGEST_ALONG {
            for put in puts.drain(..) {
                self.client.put_item().table_name(put.table_name).set_item(Some(put.item)).send().await?;
            }
        }
        if let (Some(mapping), Some(table)) = (along.learned, &self.tenants) {
            puts.push(tenants::put_learned(mapping, table)?);
        }
        let slot = along.slot.map(|change| change.written(&self.table)).transpose()?;
        match self.write_together(record.clone(), puts.clone(), slot).await {
            // Its lease ran out and somebody else took the slot since: there is nothing to give back.
            Err(StoreError::SlotTaken) if matches!(along.slot, Some(SlotChange::GiveBack(_))) => {
                self.write_together(record, puts, None).await?;
            }
            written => written?,
        }
        Ok(next)
    }

    /// One conditional write. Where somebody else is writing one of the items at this moment, it is tried again: then
    /// the condition tells who was first.
    async fn write_together(
        &self,
        record: Put,
        along: Vec<Put>,
        slot: Option<TransactWriteItem>,
    ) -> Result<(), StoreError> {
        if along.is_empty() && slot.is_none() {
            return self.write_alone(record).await;
        }
        let has_slot = slot.is_some();
        let puts = std::iter::once(record).chain(along);
        let items: Vec<_> = puts.map(|put| TransactWriteItem::builder().put(put).build()).chain(slot).collect();
        for tries in 1.. {
            let sent = self.client.transact_write_items().set_transact_items(Some(items.clone())).send().await;
            let Err(error) = sent else { break };
            if tries < TRIES && is_being_written(&error) {
                tokio::time::sleep(BETWEEN_TRIES * tries).await;
                continue;
            }
            let is_slot_taken = has_slot && only_the_last_failed(&error);
            return Err(if is_slot_taken { StoreError::SlotTaken } else { refused(error) });
        }
        Ok(())
    }

    /// A single item costs half of what a transaction does.
    async fn write_alone(&self, record: Put) -> Result<(), StoreError> {
        let request = self.client.put_item().table_name(record.table_name).set_item(Some(record.item));
        let request = request
            .set_condition_expression(record.condition_expression)
            .set_expression_attribute_names(record.expression_attribute_names)
            .set_expression_attribute_values(record.expression_attribute_values);
        for tries in 1.. {
            match request.clone().send().await.map_err(StoreError::from) {
                Err(StoreError::Unavailable(code)) if tries < TRIES && code == "TransactionConflictException" => {
                    tokio::time::sleep(BETWEEN_TRIES * tries).await;
                }
                written => return written.map(drop),
            }
        }
        Ok(())
    }

    /// Has the reconciler look at an appointment that is still at `version` again at `until`, one resend_delay later where
    /// `nudged`. Does nothing where it has moved since.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn postpone(
        &self,
        id: &AppointmentId,
        Version(version): Version,
        until: DateTime<Utc>,
        nudged: bool,
    ) -> Result<(), StoreError> {
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .key("id", text(id.as_str()))
            .key("item", text(RECORD))
            .update_expression("SET due_at = :until ADD resends :more")
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":more", number(u8::from(nudged)))
            .expression_attribute_values(":until", text(sortable(until)));
        match update.send().await.map_err(StoreError::from) {
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Moves an appointment to `needs_review` because its message becomes a dead letter. `false` where it is settled, or
    /// somebody else is at it.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn set_aside(&self, id: &AppointmentId, why: &str, by: Actor<'_>) -> Result<bool, StoreError> {
        let Some((mut appointment, version)) = self.load(id).await? else { return Ok(false) };
        if appointment.set_aside(why.to_owned(), by).is_err() {
            return Ok(false);
        }
        match self.save(&appointment, version, Along::default()).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
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
    ) -> Result<Page, StoreError> {
        BY_PHASE.page(&self.client, &self.table, phase.as_str(), before, after, at_most).await
    }

    /// A page of the appointments that should have moved before `before`, the longest waiting first.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn due(&self, before: DateTime<Utc>, after: Option<&Cursor>, at_most: i32) -> Result<Page, StoreError> {
        BY_DUE.page(&self.client, &self.table, DUE, before, after, at_most).await
    }

    /// A page of the appointments that have changed since they were counted, or are under way; the oldest first.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn uncounted(
        &self,
        before: DateTime<Utc>,
        after: Option<&Cursor>,
        at_most: i32,
    ) -> Result<Page, StoreError> {
        BY_UNCOUNTED.page(&self.client, &self.table, UNCOUNTED, before, after, at_most).await
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
    pub async fn answers(&self, id: &AppointmentId) -> Result<Vec<StoredExchange>, StoreError> {
        let mut packed: Vec<(AnswerPart, Vec<Vec<u8>>)> = Vec::new();
        for mut item in self.beside(id, "answer#").await? {
            let Some(AttributeValue::B(bytes)) = item.remove("part") else { return Err(StoreError::Unreadable) };
            let part: AnswerPart = read(item)?;
            match packed.last_mut() {
                Some((last, parts)) if last.name == part.name => parts.push(bytes.into_inner()),
                _ => packed.push((part, vec![bytes.into_inner()])),
            }
        }
        let whole = |(part, parts): (AnswerPart, Vec<Vec<u8>>)| {
            let exchange = Exchange { request: part.sent, status: part.status, body: parts::join(&parts)? };
            Ok(StoredExchange { name: part.name, exchange })
        };
        packed.into_iter().map(whole).collect()
    }

    /// Further calls that asked for what this appointment is, besides the one it came from.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn linked_calls(&self, id: &AppointmentId) -> Result<Vec<CallId>, StoreError> {
        #[derive(Deserialize)]
        struct Linked {
            call: CallId,
        }
        let items = self.beside(id, LINKED_CALL).await?;
        items.into_iter().map(|item| read::<Linked>(item).map(|linked| linked.call)).collect()
    }

    /// Deletes what is kept beside an appointment, Cal.com's answers and the links to further calls, and answers how
    /// many items that was.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn forget_what_is_beside(&self, id: &AppointmentId) -> Result<usize, StoreError> {
        let mut items = self.beside(id, "answer#").await?;
        items.extend(self.beside(id, LINKED_CALL).await?);
        self.delete_all(items).await
    }

    async fn beside(&self, id: &AppointmentId, prefix: &str) -> Result<Vec<Item>, StoreError> {
        self.items_under(id.as_str(), Some(prefix)).await
    }

    pub(super) async fn items_under(&self, id: &str, prefix: Option<&str>) -> Result<Vec<Item>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.expression_attribute_values(":id", text(id));
        let query = match prefix {
            Some(prefix) => query
                .key_condition_expression("id = :id AND begins_with(#item, :prefix)")
                .expression_attribute_names("#item", "item")
                .expression_attribute_values(":prefix", text(prefix)),
            None => query.key_condition_expression("id = :id"),
        };
        let mut pages = query.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item?);
        }
        Ok(items)
    }

    pub(super) async fn delete_all(&self, items: Vec<Item>) -> Result<usize, StoreError> {
        let found = items.len();
        for mut item in items {
            item.retain(|name, _| name == "id" || name == "item");
            self.client.delete_item().table_name(&self.table).set_key(Some(item)).send().await?;
        }
        Ok(found)
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
        evidence: &[ExchangeRecord],
    ) -> Result<Vec<Put>, StoreError> {
        let mut puts = Vec::new();
        for (nth, ExchangeRecord { asked, exchange }) in evidence.iter().enumerate() {
            // The version keeps the names of later attempts apart and in order.
            let name = format!("{version:06}#{nth:02}#{asked}");
            for (at, part) in parts::split(&exchange.body)?.into_iter().enumerate() {
                let mut item = written(&AnswerPart {
                    id: appointment.id.clone(),
                    item: format!("answer#{name}#{at:03}"),
                    name: name.clone(),
                    sent: if at == 0 { exchange.request.clone() } else { String::new() },
                    status: exchange.status,
                })?;
                item.insert("part".to_owned(), AttributeValue::B(Blob::new(part)));
                puts.push(built(Put::builder().table_name(&self.table).set_item(Some(item)))?);
            }
        }
        Ok(puts)
    }
}

/// The item of an appointment: the appointment itself, and the keys of the indexes that it belongs into.
fn item_of(appointment: &Appointment, Version(version): Version, timing: &Timing) -> Result<Item, StoreError> {
    let mut item = written(appointment)?;
    item.insert("item".to_owned(), text(RECORD));
    item.insert("version".to_owned(), number(version));
    index::put_keys(&mut item, appointment, timing);
    Ok(item)
}

/// The put of an appointment that must not be there yet. Where it is, the answer holds it.
pub(super) fn put_new(appointment: &Appointment, table: &str, timing: &Timing) -> Result<Put, StoreError> {
    built(
        Put::builder()
            .table_name(table)
            .set_item(Some(item_of(appointment, Version(1), timing)?))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            ),
    )
}

/// The put that ties a further call to an appointment.
pub(super) fn put_link(
    appointment: &AppointmentId,
    call: &CallId,
    at: DateTime<Utc>,
    table: &str,
) -> Result<Put, StoreError> {
    let item = Item::from([
        ("id".to_owned(), text(appointment.as_str())),
        ("item".to_owned(), text(format!("{LINKED_CALL}{call}"))),
        ("call".to_owned(), text(call.as_str())),
        ("linked_at".to_owned(), text(sortable(at))),
    ]);
    built(Put::builder().table_name(table).set_item(Some(item)))
}

const LINKED_CALL: &str = "call#";

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
pub(super) fn refused<R>(error: SdkError<TransactWriteItemsError, R>) -> StoreError {
    match failures_of(&error) {
        Some(codes) if codes.iter().any(|code| is_lost(code)) => StoreError::Conflict,
        Some(codes) => {
            StoreError::Unavailable(codes.into_iter().find(|code| *code != "None").unwrap_or("cancelled").to_owned())
        }
        None => error.into(),
    }
}

/// Whether a transaction was cancelled for its last item alone.
fn only_the_last_failed<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let codes = failures_of(error).unwrap_or_default();
    codes.split_last().is_some_and(|(last, others)| is_lost(last) && others.iter().all(|code| *code == "None"))
}

/// Whether a transaction was cancelled only because somebody else was writing one of its items.
fn is_being_written<R>(error: &SdkError<TransactWriteItemsError, R>) -> bool {
    let codes = failures_of(error).unwrap_or_default();
    codes.contains(&"TransactionConflict") && !codes.contains(&"ConditionalCheckFailed")
}

fn failures_of<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<&str>> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            Some(cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect())
        }
        _ => None,
    }
}

fn is_lost(code: &str) -> bool {
    matches!(code, "ConditionalCheckFailed" | "TransactionConflict")
}

fn weight(put: &Put) -> usize {
    match put.item.get("part") {
        Some(AttributeValue::B(part)) => part.as_ref().len(),
        _ => 0,
    }
}
