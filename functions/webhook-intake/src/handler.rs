//! Handles a webhook: verify it, store the call with the appointment that it requests, queue that, and respond.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use chrono::{DateTime, Utc};
use intake::{CallIntake, Delivery, IntakeError, Received, Verified, json_response};
use lambda_runtime::{Context, Error};
use platform::{
    aws, env,
    secrets::{RetellKeys, Secret},
    telemetry::{LogContext, Metrics},
};
use retell::event::Event;
use scheduling::{
    appointment::{Actor, Appointment},
    contact,
    ids::AppointmentId,
};
use serde_json::{Value, json};
use tracing::Instrument;

use crate::{error::WebhookError, rejections::Rejections};

const FUNCTION: &str = "webhook-intake";
const UNROUTED: &str = "no tenant has the call's agent or business number yet; the call is stored until one has";

/// Everything that the intake needs, created once per process.
pub struct Intake {
    keys: Secret<RetellKeys>,
    intake: CallIntake,
    rejections: Rejections,
    metrics: Metrics,
    version: String,
}

impl Intake {
    /// Reads the environment, creates the clients and opens their connections.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let intake = Self {
            keys: Secret::from_env(&config)?,
            intake: CallIntake::from_env(&config, timing)?,
            rejections: Rejections::default(),
            metrics: Metrics::new(FUNCTION),
            version: env::deployed_version(),
        };
        intake.warm_up().await;
        Ok(intake)
    }

    /// Prepares everything that the first webhook would wait for: keys, connections, and the numbering plans.
    async fn warm_up(&self) {
        let plans = std::thread::spawn(contact::load_numbering_plans);
        tokio::join!(self.keys.prefetch(), self.intake.connect());
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
        let accepted = match Delivery::of(&request) {
            Ok(delivery) => self.accept(&delivery, &mut log).await,
            Err(error) => Err(error.into()),
        };
        match accepted {
            Ok(body) => Ok(json_response(200, &body)),
            Err(error) => {
                let (reason, cause) = (error.as_str(), error.cause());
                log.span().in_scope(|| tracing::warn!(reason, cause, "webhook rejected"));
                if self.rejections.is_first(reason, request.body.as_deref().unwrap_or_default().as_bytes()) {
                    self.metrics.count("WebhookRejected", Some(reason), &log);
                }
                Ok(json_response(error.status(), &json!({"error": reason, "message": error.to_string()})))
            }
        }
    }

    async fn accept(&self, delivery: &Delivery<'_>, log: &mut LogContext) -> Result<Value, WebhookError> {
        let now = Utc::now();
        let webhook = delivery.verify_with(&self.keys, now).await?;
        let event = Event::parse(webhook.body)?;
        log.call = Some(event.call.id.clone());
        let tenant = self.intake.tenant_of(&event.call, &webhook.account).await.map_err(IntakeError::from)?;
        let Some(tenant) = tenant else { return self.keep(&event, &webhook, now, log).await };
        log.tenant = Some(tenant.id.clone());
        let by = Actor { function: FUNCTION, version: &self.version, now, person: None };
        async {
            let received = Received { event: &event, body: webhook.body, received_at: now };
            let appointments = self.intake.take_in(received, &tenant, by, log).await?;
            tracing::info!(event = event.kind.as_str(), appointments = appointments.len(), "call stored");
            Ok(stored(appointments))
        }
        .instrument(log.span())
        .await
    }

    /// Keeps a call that no tenant has, until one has its agent or number. People are notified of each agent and number
    /// once.
    async fn keep(
        &self,
        event: &Event,
        webhook: &Verified<'_>,
        now: DateTime<Utc>,
        log: &LogContext,
    ) -> Result<Value, WebhookError> {
        let kept = self.intake.keep_unrouted(event, webhook.body, &webhook.account, now).await;
        if kept.map_err(IntakeError::from)? {
            self.metrics.count("CallUnrouted", None, log);
            log.span().in_scope(|| {
                tracing::error!("unrouted call stored: no tenant has its agent or number; load a tenant that has")
            });
        }
        Ok(json!({"status": "unrouted", "message": UNROUTED}))
    }
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
