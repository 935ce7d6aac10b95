//! The table of calls: each webhook's body as it came, and with it the appointment that it asks for.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::{AttributeValue, CancellationReason, Put, TransactWriteItem},
};
use chrono::{DateTime, TimeDelta, Utc};
use scheduling::{
    appointment::Appointment,
    ids::{CallId, TenantId},
};
use sha2::{Digest, Sha256};

use super::{Item, StoreError, appointments, number, parts, text};

/// The tables that intake writes.
#[derive(Debug, Clone)]
pub struct Calls {
    client: Client,
    calls: String,
    appointments: String,
    kept_for: TimeDelta,
}

/// One webhook.
#[derive(Debug, Clone, Copy)]
pub struct CallEvent<'a> {
    /// Whose call.
    pub tenant: &'a TenantId,
    /// Which.
    pub call: &'a CallId,
    /// Retell's name for what happened.
    pub name: &'a str,
    /// The raw bytes.
    pub body: &'a [u8],
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// What the store holds after an event was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The event, or its appointment, was not there before.
    New,
    /// Both were. This is the appointment as it stands now, if the event asks for one.
    Known(Option<Box<Appointment>>),
}

/// How often a write is tried again that met another one for the same call.
const TRIES: u32 = 8;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

impl Calls {
    /// The tables of these names. Events are kept for `kept_for`.
    pub fn new(config: &SdkConfig, calls: String, appointments: String, kept_for: TimeDelta) -> Self {
        Self { client: Client::new(config), calls, appointments, kept_for }
    }

    /// Stores an event whole, and the appointment that it asks for, in one write.
    ///
    /// What is there already is left as it is, so that the same event can come any number of times, also at the same
    /// moment. An event that is new while its appointment is known is stored beside the earlier ones.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn record(
        &self,
        event: &CallEvent<'_>,
        appointment: Option<&Appointment>,
    ) -> Result<Recorded, StoreError> {
        let event_puts = self.puts_of(event)?;
        let mut event_is_new = true;
        let mut known = None;
        for tries in 0..TRIES {
            let new_appointment = appointment.filter(|_| known.is_none());
            let mut puts = if event_is_new { event_puts.clone() } else { Vec::new() };
            puts.extend(new_appointment.map(|new| appointments::put_new(new, &self.appointments)).transpose()?);
            if puts.is_empty() {
                return Ok(Recorded::Known(known));
            }
            let Err(error) = self.write_together(puts).await else { return Ok(Recorded::New) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(error.into());
            };
            let reasons = cancelled.cancellation_reasons();
            let failed = |reason: &&CancellationReason| reason.code() == Some("ConditionalCheckFailed");
            let event_failed = event_is_new && reasons.first().filter(failed).is_some();
            let appointment_failed = new_appointment.and(reasons.last()).filter(failed);
            if let Some(reason) = appointment_failed {
                let item = reason.item.clone().ok_or(StoreError::Unreadable)?;
                known = Some(Box::new(appointments::stored(item)?.0));
            }
            if event_failed {
                event_is_new = false;
            } else if appointment_failed.is_none() {
                // Somebody is writing the same items at this moment.
                tokio::time::sleep(BETWEEN_TRIES * (tries + 1)).await;
            }
        }
        Err(StoreError::Conflict)
    }

    /// Every event of a call with its body, for whoever has to know what was said.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn events(&self, tenant: &TenantId, call: &CallId) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.calls)
            .key_condition_expression("#call = :call")
            .expression_attribute_names("#call", "call")
            .expression_attribute_values(":call", text(key_of(tenant, call)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut events: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
        while let Some(item) = pages.next().await {
            let mut item = item?;
            let (Some(AttributeValue::S(event)), Some(AttributeValue::B(part))) =
                (item.remove("event"), item.remove("part"))
            else {
                return Err(StoreError::Unreadable);
            };
            let name = event.rsplit_once('#').map_or(event.as_str(), |(name, _)| name).to_owned();
            match events.last_mut() {
                Some((last, parts)) if *last == name => parts.push(part.into_inner()),
                _ => events.push((name, vec![part.into_inner()])),
            }
        }
        events.into_iter().map(|(name, packed)| Ok((name, parts::join(&packed)?))).collect()
    }

    async fn write_together(
        &self,
        puts: Vec<Put>,
    ) -> Result<(), aws_sdk_dynamodb::error::SdkError<TransactWriteItemsError>> {
        let items = puts.into_iter().map(|put| TransactWriteItem::builder().put(put).build()).collect();
        self.client.transact_write_items().set_transact_items(Some(items)).send().await.map(drop)
    }

    /// The items of an event. Its name and digest are its key, so that the same body is the same items; the first one
    /// decides whether it is known.
    fn puts_of(&self, event: &CallEvent<'_>) -> Result<Vec<Put>, StoreError> {
        let digest: String = Sha256::digest(event.body)[..12].iter().map(|byte| format!("{byte:02x}")).collect();
        let expires_at = (event.received_at + self.kept_for).timestamp();
        let put = |(at, part): (usize, Vec<u8>)| {
            let item = Item::from([
                ("call".to_owned(), text(key_of(event.tenant, event.call))),
                ("event".to_owned(), text(format!("{}#{digest}#{at:03}", event.name))),
                ("part".to_owned(), AttributeValue::B(Blob::new(part))),
                ("received_at".to_owned(), text(event.received_at.to_rfc3339())),
                ("expires_at".to_owned(), number(expires_at)),
            ]);
            let put = Put::builder().table_name(&self.calls).set_item(Some(item));
            let first = at == 0;
            let put = put.set_condition_expression(first.then(|| "attribute_not_exists(#call)".to_owned()));
            appointments::built(if first { put.expression_attribute_names("#call", "call") } else { put })
        };
        parts::split(event.body)?.into_iter().enumerate().map(put).collect()
    }
}

fn key_of(tenant: &TenantId, call: &CallId) -> String {
    format!("{tenant}#{call}")
}
