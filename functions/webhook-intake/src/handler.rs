//! Handles a webhook: verify it, store the call with the appointment that it requests, queue that, and respond.

use std::sync::Arc;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use chrono::{DateTime, Utc};
use lambda_runtime::{Context, Error};
use platform::{
    aws, env,
    queues::{AppointmentMessage, MessageKind, Queue},
    secrets::{RetellKeys, Secret},
    telemetry::{LogContext, Metrics},
};
use retell::{
    event::{Event, EventKind},
    signature::SignatureError,
};
use scheduling::{
    appointment::{Actor, Appointment, StateName},
    contact,
    ids::{AppointmentId, CustomerId},
    request::{AppointmentRequest, CallFields},
    tenant::Tenant,
};
use serde_json::{Value, json};
use store::{Appointments, CallEvent, Calls, Tenants};
use tracing::Instrument;

use crate::{
    delivery::{Delivery, Verified},
    error::IntakeError,
    recording::Recorder,
};

const FUNCTION: &str = "webhook-intake";

/// Everything that the intake needs, created once per process.
pub struct Intake {
    keys: Secret<RetellKeys>,
    tenants: Tenants,
    calls: Calls,
    appointments: Appointments,
    bookings: Queue,
    metrics: Metrics,
    version: String,
}

impl Intake {
    /// Reads the environment, creates the clients and opens their connections.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let intake = Self {
            keys: Secret::from_env(&config)?,
            tenants: Tenants::from_env(&config)?,
            calls: Calls::from_env(&config, timing)?,
            appointments: Appointments::from_env(&config, timing)?,
            bookings: Queue::bookings_from_env(&config)?,
            metrics: Metrics::new(FUNCTION),
            version: env::deployed_version(),
        };
        intake.warm_up().await;
        Ok(intake)
    }

    /// Prepares everything that the first webhook would wait for: keys, connections, and the numbering plans.
    async fn warm_up(&self) {
        let plans = std::thread::spawn(contact::load_numbering_plans);
        tokio::join!(self.keys.prefetch(), self.tenants.connect(), self.bookings.connect());
        if plans.join().is_err() {
            tracing::error!("failed to load the numbering plans");
        }
    }

    /// Responds to one webhook. The response says whatever went wrong, so that Retell knows whether to retry.
    pub async fn handle(
        &self,
        request: ApiGatewayV2httpRequest,
        context: Context,
    ) -> Result<ApiGatewayV2httpResponse, Error> {
        let mut log = LogContext::for_request(&context);
        match self.accept(&request, &mut log).await {
            Ok(body) => Ok(response(200, &body)),
            Err(error) => {
                let (reason, cause) = (error.as_str(), error.cause());
                log.span().in_scope(|| tracing::warn!(reason, cause, "webhook rejected"));
                self.metrics.count("WebhookRejected", Some(reason), &log);
                Ok(response(error.status(), &json!({"error": reason, "message": error.to_string()})))
            }
        }
    }

    async fn accept(&self, request: &ApiGatewayV2httpRequest, log: &mut LogContext) -> Result<Value, IntakeError> {
        let now = Utc::now();
        let delivery = Delivery::of(request)?;
        let webhook = self.verify(&delivery, now).await?;
        let event = webhook.event()?;
        log.call = Some(event.call.id.clone());
        let tenant = self.tenant_of(&event, &webhook).await?;
        log.tenant = Some(tenant.id.clone());
        let by = Actor { function: FUNCTION, version: &self.version, now };
        let requested = requested_appointments(&event, &tenant, by);
        log.appointment = requested.first().map(|appointment| appointment.id.clone());
        let caller = event.call.caller_number().and_then(|number| contact::phone_number(number, &tenant.country));
        let caller = caller.map(|number| CustomerId::of_phone(&tenant.id, number.reveal()));
        let call_event = CallEvent {
            tenant: &tenant.id,
            call: &event.call.id,
            caller: caller.as_ref(),
            name: event.kind.as_str(),
            body: webhook.body,
            received_at: now,
        };
        async {
            let (calls, appointments) = (&self.calls, &self.appointments);
            let recorder = Recorder { calls, appointments, tenant: &tenant, by };
            let recorded = recorder.record_all(&call_event, requested).await.map_err(IntakeError::StoreUnavailable)?;
            for appointment in &recorded {
                self.queue(appointment, log).await?;
            }
            tracing::info!(event = event.kind.as_str(), appointments = recorded.len(), "call stored");
            Ok(stored(recorded))
        }
        .instrument(log.span())
        .await
    }

    /// Finds the account that signed the bytes. If no key fits, the keys are refreshed: one may have been replaced.
    async fn verify<'d>(&self, delivery: &'d Delivery<'_>, now: DateTime<Utc>) -> Result<Verified<'d>, IntakeError> {
        let keys = self.keys.read().await.map_err(IntakeError::KeysUnavailable)?;
        match delivery.verify(&keys, now) {
            Err(SignatureError::Wrong) => {
                let refreshed = self.keys.refresh_after(&keys).await.ok_or(SignatureError::Wrong)?;
                Ok(delivery.verify(&refreshed, now)?)
            }
            verified => Ok(verified?),
        }
    }

    async fn tenant_of(&self, event: &Event, webhook: &Verified<'_>) -> Result<Arc<Tenant>, IntakeError> {
        let (agent, number) = (event.call.agent_id.as_ref(), event.call.business_number());
        let found = self.tenants.of_call(agent, number).await.map_err(IntakeError::StoreUnavailable)?;
        found.filter(|tenant| tenant.retell.account == webhook.account).ok_or(IntakeError::UnknownTenant)
    }

    /// Queues an appointment that waits to be booked. One that existed and still waits is queued again: its first
    /// message may never have been sent, and a second one does no harm. One that another call requests although it is
    /// booked is queued to verify its booking, which may have been cancelled or moved at Cal.com.
    async fn queue(&self, appointment: &Appointment, log: &LogContext) -> Result<(), IntakeError> {
        let kind = match appointment.state().name() {
            StateName::Requested => MessageKind::Process,
            _ if appointment.verification().is_some() => MessageKind::Verify,
            _ => return Ok(()),
        };
        let message = AppointmentMessage::new(kind, appointment, log.trace.clone());
        self.bookings.send(&message).await.map_err(IntakeError::QueueUnavailable)
    }
}

/// The appointments that a call requests, in their order. What was said of a time counts from the beginning of the call.
fn requested_appointments(event: &Event, tenant: &Tenant, by: Actor<'_>) -> Vec<Appointment> {
    if event.kind != EventKind::CallAnalyzed {
        return Vec::new();
    }
    let (call, said_at) = (&event.call, event.call.began_at().unwrap_or(by.now));
    let requests = AppointmentRequest::all_of_call(call, tenant, said_at).into_iter();
    let numbered = (1..).zip(requests).map(|(number, request)| {
        let id = if number == 1 { call.id.clone() } else { call.id.further(number) };
        Appointment::new(tenant.id.clone(), id, call.source(), request, by)
    });
    numbered.collect()
}

/// The first appointment under its usual name, and all if there are several.
fn stored(appointments: Vec<Appointment>) -> Value {
    let ids: Vec<AppointmentId> = appointments.into_iter().map(|appointment| appointment.id).collect();
    match ids.as_slice() {
        [] => json!({"status": "stored"}),
        [id] => json!({"status": "stored", "appointment_id": id}),
        [first, ..] => json!({"status": "stored", "appointment_id": first, "appointment_ids": ids}),
    }
}

fn response(status: i64, body: &Value) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = status;
    response.headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    response.body = Some(body.to_string().into());
    response
}
