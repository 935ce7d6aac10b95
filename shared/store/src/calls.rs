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
    ids::{AppointmentId, CallId, CustomerId, TenantId},
    timing::Timing,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    Item, StoreError, appointments,
    customers::{self, Asked, Pointers},
    number, parts, read, text,
};

/// The tables that intake writes.
#[derive(Debug, Clone)]
pub struct Calls {
    client: Client,
    calls: String,
    appointments: String,
    kept_for: TimeDelta,
    timing: Timing,
}

/// One webhook.
#[derive(Debug, Clone, Copy)]
pub struct CallEvent<'a> {
    /// Whose call.
    pub tenant: &'a TenantId,
    /// Which.
    pub call: &'a CallId,
    /// Party called, as far as the number tells.
    pub caller: Option<&'a CustomerId>,
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
    /// The customer has another appointment for the same service and start. Nothing was written.
    AskedBefore(AppointmentId),
}

/// How often a write is tried again that met another one for the same call.
const TRIES: u32 = 8;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

impl Calls {
    /// The tables of these names. Events are kept for `kept_for`; `timing` decides when an appointment is due.
    pub fn new(config: &SdkConfig, calls: String, appointments: String, kept_for: TimeDelta, timing: Timing) -> Self {
        Self { client: Client::new(config), calls, appointments, kept_for, timing }
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
        asked: Option<(&Asked<'_>, &Pointers)>,
    ) -> Result<Recorded, StoreError> {
        let event_puts = self.puts_of(event)?;
        let (mut event_is_new, mut known) = (true, None);
        for tries in 0..TRIES {
            let events = if event_is_new { event_puts.clone() } else { Vec::new() };
            let appointments = match asked.filter(|_| known.is_none()) {
                Some((asked, how)) => {
                    let record = appointments::put_new(asked.appointment, &self.appointments, &self.timing)?;
                    let pointers = customers::puts_of(asked, how, &self.appointments)?;
                    std::iter::once(record).chain(pointers).collect()
                }
                None => Vec::new(),
            };
            let (event_count, appointment_count) = (events.len(), appointments.len());
            if event_count + appointment_count == 0 {
                return Ok(Recorded::Known(known));
            }
            let Err(error) = self.write_together(events.into_iter().chain(appointments)).await else {
                return Ok(Recorded::New);
            };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(error.into());
            };
            let (of_event, of_appointment) =
                cancelled.cancellation_reasons().split_at_checked(event_count).unwrap_or_default();
            let event_failed = of_event.iter().any(was_there);
            match of_appointment.split_first() {
                Some((record, _)) if was_there(record) => {
                    let item = record.item.clone().ok_or(StoreError::Unreadable)?;
                    known = Some(Box::new(appointments::stored(item)?.0));
                }
                Some((_, pointers)) => {
                    if let Some(pointer) = pointers.iter().find(|pointer| was_there(pointer)) {
                        let item = pointer.item.clone().ok_or(StoreError::Unreadable)?;
                        return Ok(Recorded::AskedBefore(read::<Pointer>(item)?.appointment));
                    }
                }
                None => {}
            }
            if event_failed {
                event_is_new = false;
            } else if known.is_none() {
                // Somebody is writing the same items at this moment.
                tokio::time::sleep(BETWEEN_TRIES * (tries + 1)).await;
            }
        }
        Err(StoreError::Conflict)
    }

    /// Stores an event of a call that asks for nothing more than `appointment`, and ties the call to it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn link(&self, event: &CallEvent<'_>, appointment: &AppointmentId) -> Result<(), StoreError> {
        self.record(event, None).await?;
        let link = appointments::put_link(appointment, event.call, event.received_at, &self.appointments)?;
        self.client.put_item().table_name(link.table_name).set_item(Some(link.item)).send().await?;
        Ok(())
    }

    /// The calls that came from a customer's number and are still kept.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn of_customer(&self, customer: &CustomerId) -> Result<Vec<CallId>, StoreError> {
        #[derive(Deserialize)]
        struct Pointer {
            of: CallId,
        }
        let items = self.items_under(customers::key_of(customer)).await?;
        items.into_iter().map(|item| read::<Pointer>(item).map(|pointer| pointer.of)).collect()
    }

    /// Deletes every event of a call, and answers how many items that was.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn forget(&self, tenant: &TenantId, call: &CallId) -> Result<usize, StoreError> {
        self.delete_all(self.items_under(key_of(tenant, call)).await?).await
    }

    /// Deletes which calls came from a customer's number.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn forget_customer(&self, customer: &CustomerId) -> Result<usize, StoreError> {
        self.delete_all(self.items_under(customers::key_of(customer)).await?).await
    }

    async fn items_under(&self, key: String) -> Result<Vec<Item>, StoreError> {
        let query = self.client.query().table_name(&self.calls).consistent_read(true);
        let query = query
            .key_condition_expression("#call = :call")
            .expression_attribute_names("#call", "call")
            .expression_attribute_values(":call", text(key));
        let mut pages = query.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item?);
        }
        Ok(items)
    }

    async fn delete_all(&self, items: Vec<Item>) -> Result<usize, StoreError> {
        let found = items.len();
        for mut item in items {
            item.retain(|name, _| name == "call" || name == "event");
            self.client.delete_item().table_name(&self.calls).set_key(Some(item)).send().await?;
        }
        Ok(found)
    }

    /// Every event of a call with its body, for whoever has to know what was said.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn events(&self, tenant: &TenantId, call: &CallId) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut events: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
        for mut item in self.items_under(key_of(tenant, call)).await? {
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
        puts: impl Iterator<Item = Put>,
    ) -> Result<(), aws_sdk_dynamodb::error::SdkError<TransactWriteItemsError>> {
        let items = puts.map(|put| TransactWriteItem::builder().put(put).build()).collect();
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
        let mut puts: Vec<Put> =
            parts::split(event.body)?.into_iter().enumerate().map(put).collect::<Result<_, _>>()?;
        if let Some(caller) = event.caller {
            let item = Item::from([
                ("call".to_owned(), text(customers::key_of(caller))),
                ("event".to_owned(), text(format!("call#{}", event.call))),
                ("of".to_owned(), text(event.call.as_str())),
                ("expires_at".to_owned(), number(expires_at)),
            ]);
            puts.push(appointments::built(Put::builder().table_name(&self.calls).set_item(Some(item)))?);
        }
        Ok(puts)
    }
}

#[derive(Deserialize)]
struct Pointer {
    appointment: AppointmentId,
}

fn was_there(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

fn key_of(tenant: &TenantId, call: &CallId) -> String {
    format!("{tenant}#{call}")
}
