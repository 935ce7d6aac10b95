#![doc = include_str!("../README.md")]

mod body;
mod delivery;
mod live;
mod recording;
mod unrouted;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    aws::SdkConfig,
    bucket::BucketSetupError,
    queues::{AppointmentMessage, MessageKind, Queue, QueueError},
    telemetry::LogContext,
    trace::TraceHeader,
};
use retell::event::{Call, Event, EventKind};
use scheduling::{
    appointment::{Actor, Appointment, StateName},
    booking::CallBookings,
    ids::{AccountName, CallId},
    request::AppointmentRequest,
    tenant::Tenant,
    timing::Timing,
};
use store::{Appointments, CallEvent, Calls, StoreError, Tenants, UnroutedCalls};

use crate::recording::Recorder;
pub use crate::{
    delivery::{Delivery, NotBase64, Verified, VerifyError, json_response},
    live::caller_of,
    recording::LiveRecord,
    unrouted::TakenUp,
};

/// Why an event could not be taken in. Its sender retries.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is stored and could not be queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// A call whose beginning Retell does not name began no longer ago.
const LONGEST_CALL: TimeDelta = TimeDelta::hours(3);

/// Our own event of a call that Retell did not analyze: it was fetched long after its end.
pub const NOT_ANALYZED: &str = "call_not_analyzed";

/// An event with its body.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The event.
    pub event: &'a Event,
    /// The body that it was parsed from.
    pub body: &'a [u8],
    /// When it came: of two analyses of a call, the later one counts.
    pub received_at: DateTime<Utc>,
}

/// Takes events of calls into the store.
pub struct CallIntake {
    /// The tenants.
    pub tenants: Tenants,
    /// The calls.
    pub calls: Calls,
    /// The calls that belong to no tenant yet.
    pub unrouted: UnroutedCalls,
    bookings: Queue,
    appointments: Appointments,
}

impl CallIntake {
    /// The tables, the bucket and the queue that the environment names.
    ///
    /// # Errors
    /// If a variable is missing or unreadable, or the bucket can't be used.
    pub fn from_env(config: &SdkConfig, timing: Timing) -> Result<Self, BucketSetupError> {
        Ok(Self {
            tenants: Tenants::from_env(config)?,
            calls: Calls::from_env(config, timing)?,
            unrouted: UnroutedCalls::from_env(config)?,
            bookings: Queue::bookings_from_env(config)?,
            appointments: Appointments::from_env(config, timing)?,
        })
    }

    /// Opens the connections that the first event would wait for.
    pub async fn connect(&self) {
        tokio::join!(self.tenants.connect(), self.bookings.connect());
    }

    /// The tenant of a call among those of the Retell account that took it.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn tenant_of(&self, call: &Call, account: &AccountName) -> Result<Option<Arc<Tenant>>, StoreError> {
        let found = self.tenants.of_call(call.agent_id.as_ref(), call.business_number()).await?;
        Ok(found.filter(|tenant| tenant.retell.account == *account))
    }

    /// Stores an event with the appointments that it requests, queues those that wait to be booked, and returns them as
    /// they are stored.
    ///
    /// # Errors
    /// [`IntakeError`]. What was stored stays; the same event again does no harm.
    pub async fn take_in(
        &self,
        received: Received<'_>,
        tenant: &Tenant,
        by: Actor<'_>,
        log: &LogContext,
    ) -> Result<Vec<Appointment>, IntakeError> {
        let requested = requested_appointments(received.event, tenant, by);
        let requested = self.without_settled(&received.event.call, requested, tenant).await?;
        self.store_and_queue(received, requested, tenant, by, log).await
    }

    /// Stores a call that was never analyzed, with an appointment for a person to find out what the caller wants.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn take_in_unanalyzed(
        &self,
        received: Received<'_>,
        tenant: &Tenant,
        by: Actor<'_>,
        log: &LogContext,
    ) -> Result<Vec<Appointment>, IntakeError> {
        let call = &received.event.call;
        let request = AppointmentRequest::of_unanalyzed_call(call, tenant);
        let requested = Appointment::new(tenant.id.clone(), call.id.clone(), call.source(), request, by);
        let bookings = CallBookings { uids: call.bookings(), began_at: began_at(call, by), is_only_request: true };
        let requested = vec![requested.with_call_bookings(&bookings)];
        let requested = self.without_settled(call, requested, tenant).await?;
        self.store_and_queue(received, requested, tenant, by, log).await
    }

    async fn store_and_queue(
        &self,
        Received { event, body, received_at }: Received<'_>,
        requested: Vec<Appointment>,
        tenant: &Tenant,
        by: Actor<'_>,
        log: &LogContext,
    ) -> Result<Vec<Appointment>, IntakeError> {
        let caller = caller_of(&event.call, tenant);
        let body = body::fit_into_transaction(body);
        let call_event = CallEvent {
            tenant: &tenant.id,
            call: &event.call.id,
            caller: caller.as_ref(),
            name: event.kind.as_str(),
            body: &body,
            received_at,
        };
        let recorder = Recorder { calls: &self.calls, appointments: &self.appointments, tenant, by };
        let recorded = recorder.record_all(&call_event, requested).await?;
        for appointment in &recorded {
            self.queue(appointment, log.trace.clone()).await?;
        }
        Ok(recorded)
    }

    /// Queues an appointment that waits to be booked. One that existed and still waits is queued again: its first
    /// message may never have been sent, and a second one does no harm. One that another call requests although it is
    /// booked is queued to verify its booking, which may have been cancelled or moved at Cal.com.
    async fn queue(&self, appointment: &Appointment, trace: Option<TraceHeader>) -> Result<(), QueueError> {
        let kind = match appointment.state().name() {
            StateName::Requested => MessageKind::Process,
            _ if appointment.verification().is_some() => MessageKind::Verify,
            _ => return Ok(()),
        };
        self.bookings.send(&AppointmentMessage::new(kind, appointment, trace)).await
    }
}

/// The appointments that an event requests, in their order. What was said of a time counts from the beginning of the call.
fn requested_appointments(event: &Event, tenant: &Tenant, by: Actor<'_>) -> Vec<Appointment> {
    if event.kind != EventKind::CallAnalyzed {
        return Vec::new();
    }
    let (call, said_at) = (&event.call, event.call.began_at().unwrap_or(by.now));
    let mut requests = AppointmentRequest::all_of_call(call, tenant, said_at);
    let uids = call.bookings();
    if requests.is_empty() && !uids.is_empty() {
        requests.push(AppointmentRequest::of_booked_call(call, tenant));
    }
    let bookings = CallBookings { uids, began_at: began_at(call, by), is_only_request: requests.len() == 1 };
    let numbered = (1..).zip(requests).map(|(number, request)| {
        let id: CallId = if number == 1 { call.id.clone() } else { call.id.further(number) };
        Appointment::new(tenant.id.clone(), id, call.source(), request.escalate_if_passed(by.now), by)
            .with_call_bookings(&bookings)
    });
    numbered.collect()
}

/// When a call began: the bookings that its tools made are younger.
fn began_at(call: &Call, by: Actor<'_>) -> DateTime<Utc> {
    call.began_at().unwrap_or(by.now - LONGEST_CALL)
}
