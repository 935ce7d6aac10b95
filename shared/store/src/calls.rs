//! The calls table: the body of each webhook, stored together with the appointment that it requests.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::Put;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use platform::{
    aws::SdkConfig,
    bucket::{Bucket, BucketSetupError},
    env,
};
use scheduling::{
    appointment::Appointment,
    ids::{AppointmentId, CallId, CustomerId, TenantId},
    timing::Timing,
};
use serde::Deserialize;

use crate::{
    appointments::Appointments,
    bodies::{Bodies, StoredBody},
    customer_index::{self, NewAppointment, SlotClaim, appointment_in},
    error::{StoreError, applied},
    item::{Item, bytes, decode, fingerprint, number, take_bytes, take_text, text},
    record::{put_new, versioned},
    schema,
    table::Table,
    transaction::{RETRY_DELAY, Transaction, TransactionError, build_put, is_condition_failed, put, write_one},
};

/// Stands for the digest of an event whose content was erased.
const ERASED: &str = "erased";
/// An event that is stored later than this after it was received expires noticeably earlier than an object that is made now.
const LATE: TimeDelta = TimeDelta::days(1);
/// The attribute that names the object to which an event's parts add something.
const OBJECT: &str = "object";
/// The maximum number of attempts to store a call while others write the same items.
const TRIES: u32 = 8;

/// The tables that the intake writes.
#[derive(Debug, Clone)]
pub struct Calls {
    table: Table,
    bodies: Bodies,
    appointments: Table,
    retention: TimeDelta,
    timing: Timing,
}

/// One webhook.
#[derive(Debug, Clone, Copy)]
pub struct CallEvent<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The call.
    pub call: &'a CallId,
    /// The caller, if the number is known.
    pub caller: Option<&'a CustomerId>,
    /// Retell's name for the event.
    pub name: &'a str,
    /// The raw body.
    pub body: &'a [u8],
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

/// A call of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CustomerCall {
    /// The call.
    #[serde(rename = "of")]
    pub call: CallId,
    /// The appointment that it requested and that another call had made, if so.
    #[serde(default)]
    pub appointment: Option<AppointmentId>,
}

impl CallEvent<'_> {
    /// What tells its body from any other.
    pub fn digest(&self) -> String {
        fingerprint(self.body)
    }
}

/// What the store holds after an event was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The event was inserted with its appointment, if it requests one.
    Inserted,
    /// The appointment existed, or the event that requests none. This is the stored appointment, if the event requests one.
    Existing(Option<Box<Appointment>>),
    /// The customer has another appointment for the same service and start. Nothing was written.
    Duplicate(AppointmentId),
}

impl Calls {
    /// The tables of these names, and the bucket of large bodies. Events are kept for `retention`; `timing` decides when an
    /// appointment is due.
    pub fn new(
        config: &SdkConfig,
        (calls, bodies): (String, Bucket),
        appointments: String,
        retention: TimeDelta,
        timing: Timing,
    ) -> Self {
        Self {
            table: Table::new(config, calls, schema::CALLS),
            bodies: Bodies::new(bodies),
            appointments: Table::new(config, appointments, schema::APPOINTMENTS),
            retention,
            timing,
        }
    }

    /// The tables, the bucket and the retention that the environment names.
    ///
    /// # Errors
    /// If a variable is missing or unreadable, or the bucket can't be used.
    pub fn from_env(config: &SdkConfig, timing: Timing) -> Result<Self, BucketSetupError> {
        Ok(Self {
            table: Table::from_env(config, schema::CALLS)?,
            bodies: Bodies::new(Bucket::calls_from_env(config)?),
            appointments: Table::from_env(config, schema::APPOINTMENTS)?,
            retention: TimeDelta::days(env::parsed_or("CALL_RETENTION_DAYS", 30)?),
            timing,
        })
    }

    /// Stores an event whole, and the appointment that it requests in the same transaction.
    ///
    /// What exists is left as it is, so that the same event can arrive any number of times, also concurrently. A new
    /// event whose appointment exists is stored beside the earlier events.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn record(
        &self,
        event: &CallEvent<'_>,
        new: Option<(&NewAppointment<'_>, &SlotClaim)>,
    ) -> Result<Recorded, StoreError> {
        let event_puts = self.puts_of(event).await?;
        if new.is_none() {
            // Outside of a transaction it costs half.
            return self.write_event(event_puts).await;
        }
        let (mut event_is_new, mut existing) = (true, None);
        for tries in 0..TRIES {
            let event_puts = if event_is_new { event_puts.clone() } else { Vec::new() };
            let appointment_puts = match new.filter(|_| existing.is_none()) {
                Some((new, claim)) => {
                    let record = put_new(new.appointment, &self.appointments.name, &self.timing)?;
                    let entries = customer_index::puts_of(new, claim, &self.appointments.name)?;
                    std::iter::once(record).chain(entries).collect()
                }
                None => Vec::new(),
            };
            let event_count = event_puts.len();
            let mut transaction = Transaction::default();
            event_puts.into_iter().chain(appointment_puts).for_each(|put| transaction.put(put));
            if transaction.is_empty() {
                return Ok(Recorded::Existing(existing));
            }
            let reasons = match transaction.commit(&self.table.client).await {
                Ok(()) if existing.is_some() => return Ok(Recorded::Existing(existing)),
                Ok(()) => return Ok(Recorded::Inserted),
                Err(TransactionError::Cancelled(reasons)) => reasons,
                Err(TransactionError::Failed(error)) => return Err(error),
            };
            let (of_event, of_appointment) = reasons.split_at_checked(event_count).unwrap_or_default();
            match of_appointment.split_first() {
                Some((record, _)) if is_condition_failed(record) => {
                    let item = record.item.clone().ok_or(StoreError::Undecodable)?;
                    existing = Some(Box::new(versioned(item)?.value));
                }
                Some((_, entries)) => {
                    if let Some(entry) = entries.iter().find(|entry| is_condition_failed(entry)) {
                        let item = entry.item.clone().ok_or(StoreError::Undecodable)?;
                        return Ok(Recorded::Duplicate(appointment_in(item)?));
                    }
                }
                None => {}
            }
            if of_event.iter().any(is_condition_failed) {
                event_is_new = false;
            } else if existing.is_none() {
                // Another process is writing the same items now.
                tokio::time::sleep(RETRY_DELAY * (tries + 1)).await;
            }
        }
        Err(StoreError::Conflict)
    }

    /// Writes an event that requests no appointment. All of it each time, so that what failed before is made good.
    async fn write_event(&self, puts: Vec<Put>) -> Result<Recorded, StoreError> {
        let is_new = try_join_all(puts.into_iter().map(async |put| {
            let decides = put.condition_expression.is_some();
            Ok::<_, StoreError>(applied(write_one(&self.table.client, put).await)? || !decides)
        }));
        Ok(if is_new.await?.contains(&false) { Recorded::Existing(None) } else { Recorded::Inserted })
    }

    /// Whether no other event of this name and call was received after this one.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn is_latest(&self, event: &CallEvent<'_>) -> Result<bool, StoreError> {
        let own = format!("{}#{}#", event.name, event.digest());
        let mut latest: Option<(String, String)> = None;
        for mut item in self.table.query(&key_of(event.tenant, event.call), &format!("{}#", event.name)).await? {
            let received = (take_text(&mut item, "received_at")?, take_text(&mut item, schema::CALLS.sort)?);
            latest = latest.max(Some(received));
        }
        Ok(latest.is_none_or(|(_, name)| name.starts_with(&own)))
    }

    /// The names of the events that are stored of a call.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn event_names(&self, tenant: &TenantId, call: &CallId) -> Result<BTreeSet<String>, StoreError> {
        let sorts = self.table.query_sort_keys(&key_of(tenant, call), "").await?;
        Ok(sorts.iter().filter_map(|sort| sort.split('#').next()).map(str::to_owned).collect())
    }

    /// Stores an event of a call that requests the existing `appointment`, links the call to it, and enters the call for
    /// these customers: what only this call says of them must be found, too.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn link(
        &self,
        event: &CallEvent<'_>,
        appointment: &AppointmentId,
        customers: &[CustomerId],
    ) -> Result<(), StoreError> {
        self.record(event, None).await?;
        let link = Appointments::put_link(appointment, event.call, event.received_at, &self.appointments.name)?;
        write_one(&self.appointments.client, link).await?;
        self.enter(event, appointment, customers).await
    }

    /// Enters a call for customers who are named in it.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn enter(
        &self,
        event: &CallEvent<'_>,
        appointment: &AppointmentId,
        customers: &[CustomerId],
    ) -> Result<(), StoreError> {
        for customer in customers {
            let mut item = self.customer_entry(event, customer);
            // Beside the caller's own entry, which each event of the call writes again.
            item.insert(schema::CALLS.sort.to_owned(), text(format!("linked#{}", event.call)));
            item.insert("appointment".to_owned(), text(appointment.as_str()));
            write_one(&self.table.client, build_put(put(&self.table.name, item))?).await?;
        }
        Ok(())
    }

    /// The calls of a customer that are still kept.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn of_customer(&self, customer: &CustomerId) -> Result<Vec<CustomerCall>, StoreError> {
        let items = self.table.query(&customer_index::key_of(customer), "").await?;
        items.into_iter().map(decode).collect()
    }

    /// The calls of a tenant that are still kept. This scans the table: only a person who erases a tenant needs it.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn of_tenant(&self, tenant: &TenantId) -> Result<BTreeSet<CallId>, StoreError> {
        let prefix = format!("{tenant}#");
        let scan = self.table.client.scan().table_name(&self.table.name);
        let scan = scan
            .filter_expression("begins_with(#call, :prefix)")
            .projection_expression("#call")
            .expression_attribute_names("#call", schema::CALLS.partition)
            .expression_attribute_values(":prefix", text(&prefix));
        let mut pages = scan.into_paginator().items().send();
        let mut calls = BTreeSet::new();
        while let Some(item) = pages.next().await {
            let key = take_text(&mut item?, schema::CALLS.partition)?;
            calls.extend(key.strip_prefix(&prefix).map(CallId::new));
        }
        Ok(calls)
    }

    /// Every event of a call with its body, as far as it is still kept.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn events(&self, tenant: &TenantId, call: &CallId) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.events_named(tenant, call, "").await
    }

    /// The same of those events whose names begin with `prefix`.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn events_named(
        &self,
        tenant: &TenantId,
        call: &CallId,
        prefix: &str,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut events: Vec<(String, StoredBody)> = Vec::new();
        for mut item in self.table.query(&key_of(tenant, call), prefix).await? {
            let event = take_text(&mut item, schema::CALLS.sort)?;
            if event.ends_with(&format!("#{ERASED}#000")) {
                continue;
            }
            let part = take_bytes(&mut item, "part")?;
            let name = event.rsplit_once('#').map_or(event.as_str(), |(name, _)| name).to_owned();
            match events.last_mut() {
                Some((last, body)) if *last == name => body.parts.push(part),
                _ => events.push((name, StoredBody { object: take_text(&mut item, OBJECT).ok(), parts: vec![part] })),
            }
        }
        let loaded = events.into_iter().map(async |(name, stored)| {
            let body = self.bodies.load(&stored).await?;
            Ok::<_, StoreError>(body.map(|body| (name, body)))
        });
        Ok(try_join_all(loaded).await?.into_iter().flatten().collect())
    }

    /// Deletes what every event of a call holds, and keeps its name: a call whose events are all missing would be fetched from
    /// Retell once more.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn erase_content(&self, tenant: &TenantId, call: &CallId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let key = key_of(tenant, call);
        self.bodies.erase(tenant, call).await?;
        for name in self.event_names(tenant, call).await? {
            let mut item = self.table.key(&key, &erasure_of(&name));
            item.insert("received_at".to_owned(), text(now.to_rfc3339()));
            item.insert("expires_at".to_owned(), number((now + self.retention).timestamp()));
            write_one(&self.table.client, build_put(put(&self.table.name, item))?).await?;
        }
        let sorts = self.table.query_sort_keys(&key, "").await?;
        let items = sorts.iter().filter(|sort| !sort.ends_with(&format!("#{ERASED}#000")));
        self.table.delete_all(items.map(|sort| self.table.key(&key, sort)).collect()).await?;
        // An event that came meanwhile may have stored it again.
        self.bodies.erase(tenant, call).await
    }

    /// Deletes every event of a call, and returns how many items there were.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn erase(&self, tenant: &TenantId, call: &CallId) -> Result<usize, StoreError> {
        self.bodies.erase(tenant, call).await?;
        let deleted = self.table.delete_all(self.table.query(&key_of(tenant, call), "").await?).await?;
        // An event that came meanwhile may have stored it again.
        self.bodies.erase(tenant, call).await?;
        Ok(deleted)
    }

    /// Deletes the entries of a customer's calls, and returns how many there were.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn erase_customer_index(&self, customer: &CustomerId) -> Result<usize, StoreError> {
        self.table.delete_all(self.table.query(&customer_index::key_of(customer), "").await?).await
    }

    /// The puts of an event. Its name and digest are its key, so that the same body is the same items; the condition of
    /// the first one decides whether it exists.
    async fn puts_of(&self, event: &CallEvent<'_>) -> Result<Vec<Put>, StoreError> {
        let enter_caller = async {
            match event.caller {
                Some(caller) => self.write_caller(event, caller).await,
                None => Ok(()),
            }
        };
        // Of an event that comes late, such as one that was kept for a tenant, an object would outlive the event.
        let is_recent = Utc::now() - event.received_at < LATE;
        let StoredBody { object, parts } = if is_recent {
            self.bodies.store(event.tenant, event.call, event.body, enter_caller).await?
        } else {
            StoredBody::whole(event.body)?
        };
        let digest = event.digest();
        let expires_at = (event.received_at + self.retention).timestamp();
        let put_part = |(at, part): (usize, Vec<u8>)| {
            let mut item = Item::from([
                ("call".to_owned(), text(key_of(event.tenant, event.call))),
                ("event".to_owned(), text(format!("{}#{digest}#{at:03}", event.name))),
                ("part".to_owned(), bytes(part)),
                ("received_at".to_owned(), text(event.received_at.to_rfc3339())),
                ("expires_at".to_owned(), number(expires_at)),
            ]);
            item.extend(object.as_ref().map(|object| (OBJECT.to_owned(), text(object))));
            let put = put(&self.table.name, item);
            build_put(if at == 0 {
                put.condition_expression("attribute_not_exists(#call)").expression_attribute_names("#call", "call")
            } else {
                put
            })
        };
        let mut puts: Vec<Put> = parts.into_iter().enumerate().map(put_part).collect::<Result<_, _>>()?;
        // Of a large body the caller was entered before its object was stored.
        if let Some(caller) = event.caller.filter(|_| object.is_none()) {
            puts.push(build_put(put(&self.table.name, self.customer_entry(event, caller)))?);
        }
        Ok(puts)
    }
}

impl Calls {
    async fn write_caller(&self, event: &CallEvent<'_>, caller: &CustomerId) -> Result<(), StoreError> {
        write_one(&self.table.client, build_put(put(&self.table.name, self.customer_entry(event, caller)))?).await
    }

    fn customer_entry(&self, event: &CallEvent<'_>, customer: &CustomerId) -> Item {
        Item::from([
            ("call".to_owned(), text(customer_index::key_of(customer))),
            ("event".to_owned(), text(format!("call#{}", event.call))),
            ("of".to_owned(), text(event.call.as_str())),
            ("expires_at".to_owned(), number((event.received_at + self.retention).timestamp())),
        ])
    }
}

/// The sort key of what stands for an event whose content was erased.
pub(crate) fn erasure_of(event: &str) -> String {
    format!("{}#{ERASED}#000", event.split('#').next().unwrap_or_default())
}

fn key_of(tenant: &TenantId, call: &CallId) -> String {
    format!("{tenant}#{call}")
}
