//! From a webhook to a stored call and a queued appointment.

use std::sync::Arc;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    queues::{AppointmentMessage, Queue},
    secrets::{RetellKeys, Secret},
    settings,
    store::{Appointments, Asked, CallEvent, Calls, Pointers, Recorded, StoreError, Tenants},
    telemetry::{Metrics, LogContext},
};
use retell::{
    event::{Event, EventKind},
    signature::Refused,
};
use scheduling::{
    appointment::{Actor, Appointment, StateName},
    contact,
    ids::{AppointmentId, CallId, CustomerId},
    tenant::Tenant,
    request::{CallFields, AppointmentRequest},
};
use serde_json::{Value, json};
use tracing::Instrument;

use crate::{
    delivery::{Delivery, Verified},
    refusal::IntakeError,
};

const FUNCTION: &str = "webhook-intake";
/// How often a place is looked for among the customer's appointments.
const TRIES: u32 = 3;

/// All that intake needs, made once per process.
pub struct Intake {
    keys: Secret<RetellKeys>,
    tenants: Tenants,
    calls: Calls,
    appointments: Appointments,
    bookings: Queue,
    metrics: Metrics,
    version: String,
}

/// What has become of an appointment that was asked for before.
enum Before {
    /// It is what is asked for now.
    Stands(Box<Appointment>),
    /// It is another person's with the same contact.
    IsAnothers,
    /// It no longer counts.
    IsOver,
}

impl Intake {
    /// Reads the settings and makes the clients. The keys are fetched now, while Lambda gives a whole core for free.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::config_of_function()?, settings::timing()?);
        let table = settings::required("APPOINTMENTS_TABLE")?;
        let kept_for = TimeDelta::days(settings::parsed_or("CALL_RETENTION_DAYS", 30)?);
        let intake = Self {
            keys: Secret::new(&config, settings::required("RETELL_KEYS_SECRET")?),
            tenants: Tenants::new(&config, settings::required("TENANTS_TABLE")?),
            calls: Calls::new(&config, settings::required("CALLS_TABLE")?, table.clone(), kept_for, timing),
            appointments: Appointments::new(&config, table, timing),
            bookings: Queue::new(&config, settings::required("BOOKINGS_QUEUE_URL")?),
            metrics: Metrics::new(FUNCTION),
            version: settings::deployed_version(),
        };
        intake.prepare().await;
        Ok(intake)
    }

    /// Does while Lambda gives whole cores what the first webhook would wait for otherwise: the keys, a connection to
    /// each service, and the numbering plans.
    async fn prepare(&self) {
        let plans = std::thread::spawn(contact::load_numbering_plans);
        tokio::join!(self.keys.prepare(), self.tenants.connect(), self.bookings.connect());
        if plans.join().is_err() {
            tracing::error!("the numbering plans can't be read");
        }
    }

    /// Answers one webhook. Whatever happens is said in the answer, so that Retell knows whether to send it again.
    pub async fn answer(
        &self,
        request: ApiGatewayV2httpRequest,
        context: Context,
    ) -> Result<ApiGatewayV2httpResponse, Error> {
        let mut subject = LogContext::of_request(&context);
        match self.take(&request, &mut subject).await {
            Ok(body) => Ok(response(200, &body)),
            Err(refusal) => {
                let (word, cause) = (refusal.word(), refusal.cause());
                subject.span().in_scope(|| tracing::warn!(reason = word, cause, "the webhook is refused"));
                self.metrics.count("WebhookRefused", Some(word), &subject);
                Ok(response(refusal.status(), &json!({"error": word, "message": refusal.to_string()})))
            }
        }
    }

    async fn take(&self, request: &ApiGatewayV2httpRequest, subject: &mut LogContext) -> Result<Value, IntakeError> {
        let now = Utc::now();
        let delivery = Delivery::of(request)?;
        let webhook = self.verified(&delivery, now).await?;
        let event = webhook.event()?;
        subject.call = Some(event.call.id.clone());
        let tenant = self.tenant_of(&event, &webhook).await?;
        subject.tenant = Some(tenant.id.clone());
        let by = Actor { function: FUNCTION, version: &self.version, now };
        let asked_for = asked_for(&event, &tenant, by);
        subject.appointment = asked_for.as_ref().map(|appointment| appointment.id.clone());
        let caller = event.call.caller_number().and_then(|number| contact::phone_number(number, &tenant.country));
        let caller = caller.map(|number| CustomerId::of_phone(&tenant.id, number.reveal()));
        let stored = CallEvent {
            tenant: &tenant.id,
            call: &event.call.id,
            caller: caller.as_ref(),
            name: event.kind.as_str(),
            body: webhook.body,
            received_at: now,
        };
        async {
            let appointment = self.store(&stored, asked_for, &tenant).await?;
            self.tell_booking(appointment.as_ref(), &event.call.id, subject).await?;
            tracing::info!(event = event.kind.as_str(), "the call is stored");
            Ok(told(appointment.map(|appointment| appointment.id)))
        }
        .instrument(subject.span())
        .await
    }

    /// Finds out whose the bytes are. Where no key fits, the keys are read again: one may have been changed just now.
    async fn verified<'d>(&self, delivery: &'d Delivery<'_>, now: DateTime<Utc>) -> Result<Verified<'d>, IntakeError> {
        let keys = self.keys.read().await.map_err(IntakeError::KeysDown)?;
        match delivery.verified(&keys, now) {
            Err(Refused::Wrong) => {
                let anew = self.keys.refresh_after(&keys).await.ok_or(Refused::Wrong)?;
                Ok(delivery.verified(&anew, now)?)
            }
            verified => Ok(verified?),
        }
    }

    /// Stores the event with the appointment that it asks for, and answers that as it stands now. A customer who has the
    /// same service at the same time already gets no second one: the call is tied to the first.
    async fn store(
        &self,
        event: &CallEvent<'_>,
        asked_for: Option<Appointment>,
        tenant: &Tenant,
    ) -> Result<Option<Appointment>, IntakeError> {
        let Some(appointment) = asked_for else {
            self.calls.record(event, None).await.map_err(IntakeError::StoreDown)?;
            return Ok(None);
        };
        let customers = appointment.request.customer.ids(&tenant.id);
        let what = appointment.request.what(tenant);
        let asked = Asked { appointment: &appointment, customers: &customers, what: what.as_deref() };
        let mut how = Pointers::IfFree;
        for _ in 0..TRIES {
            let recorded = self.calls.record(event, Some((&asked, &how))).await.map_err(IntakeError::StoreDown)?;
            let before = match recorded {
                Recorded::New => return Ok(Some(appointment)),
                Recorded::Known(known) => return Ok(known.map(|known| *known)),
                Recorded::AskedBefore(before) => before,
            };
            how = match self.satisfies(&before, &asked).await.map_err(IntakeError::StoreDown)? {
                Before::Stands(before) => {
                    self.calls.link(event, &before.id).await.map_err(IntakeError::StoreDown)?;
                    tracing::info!(linked_to = before.id.as_str(), "the call asks for what is there already");
                    return Ok(Some(*before));
                }
                Before::IsAnothers => Pointers::Beside,
                Before::IsOver => Pointers::InPlaceOf(before),
            };
        }
        // Two ways to reach the customer lead to two appointments that no longer count.
        let recorded = self.calls.record(event, Some((&asked, &Pointers::Beside))).await.map_err(IntakeError::StoreDown)?;
        Ok(match recorded {
            Recorded::Known(known) => known.map(|known| *known),
            Recorded::New | Recorded::AskedBefore(_) => Some(appointment),
        })
    }

    /// Whether what was asked for before is what is asked for now. People who share a contact have one each.
    async fn satisfies(&self, before: &AppointmentId, asked: &Asked<'_>) -> Result<Before, StoreError> {
        let known = self.appointments.load(before).await?.map(|(known, _)| known);
        let Some(known) = known.filter(Appointment::is_open) else { return Ok(Before::IsOver) };
        if known.satisfies(asked.appointment) {
            return Ok(Before::Stands(Box::new(known)));
        }
        for customer in asked.customers {
            let ids = self.appointments.of_customer_for(customer, asked.what.unwrap_or_default()).await?;
            for id in ids.into_iter().filter(|id| id != before) {
                match self.appointments.load(&id).await? {
                    Some((known, _)) if known.satisfies(asked.appointment) && known.id != asked.appointment.id => {
                        return Ok(Before::Stands(Box::new(known)));
                    }
                    _ => {}
                }
            }
        }
        Ok(Before::IsAnothers)
    }

    async fn tenant_of(&self, event: &Event, webhook: &Verified<'_>) -> Result<Arc<Tenant>, IntakeError> {
        let (agent, number) = (event.call.agent_id.as_ref(), event.call.business_number());
        let found = self.tenants.of_call(agent, number).await.map_err(IntakeError::StoreDown)?;
        found.filter(|tenant| tenant.retell.account == webhook.account).ok_or(IntakeError::UnknownTenant)
    }

    /// Queues what timing to be booked. One that was known and still timing is queued once more: its first message may
    /// never have been sent, and a second one does no harm. One that another call asks for again although it is booked
    /// is queued, too: its booking may have been cancelled at Cal.com.
    async fn tell_booking(
        &self,
        appointment: Option<&Appointment>,
        call: &CallId,
        subject: &LogContext,
    ) -> Result<(), IntakeError> {
        let Some(appointment) = appointment else { return Ok(()) };
        let looked_up_again = appointment.is_booked() && appointment.call != *call;
        if !looked_up_again && appointment.state().name() != StateName::Requested {
            return Ok(());
        }
        let trace = subject.trace.clone();
        let message = AppointmentMessage { looked_up_again, trace, ..AppointmentMessage::about(appointment) };
        self.bookings.send(&message).await.map_err(IntakeError::QueueDown)
    }
}

fn asked_for(event: &Event, tenant: &Tenant, by: Actor<'_>) -> Option<Appointment> {
    if event.kind != EventKind::CallAnalyzed {
        return None;
    }
    let request = AppointmentRequest::of_call(&event.call, tenant)?;
    Some(Appointment::new(tenant.id.clone(), event.call.id.clone(), event.call.source(), request, by))
}

fn told(appointment: Option<AppointmentId>) -> Value {
    match appointment {
        Some(id) => json!({"status": "stored", "appointment_id": id}),
        None => json!({"status": "stored"}),
    }
}

fn response(status: i64, body: &Value) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = status;
    response.headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    response.body = Some(body.to_string().into());
    response
}
