//! Handles a request of Retell's while a caller waits: verify it, find the tenant, run the tool, and answer.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use booking::Bookings;
use chrono::{TimeDelta, Utc};
use intake::{CallIntake, Delivery, Verified, json_response};
use lambda_runtime::{Context, Error};
use platform::{
    aws, env,
    secrets::{RetellKeys, Secret},
    telemetry::{LogContext, Metrics, Unit},
};
use retell::live::ToolCall;
use scheduling::contact;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::Instrument;

use crate::{
    answer::{Answer, Status},
    conversation::Conversation,
    error::{RequestError, ToolError},
    tools::Tool,
};

const FUNCTION: &str = "voice-tools";
const TOOLS: &str = "/tools/";

/// Everything that the function needs, created once per process.
pub struct VoiceTools {
    keys: Secret<RetellKeys>,
    pub(crate) bookings: Bookings,
    pub(crate) intake: CallIntake,
    pub(crate) metrics: Metrics,
}

impl VoiceTools {
    /// Reads the environment, creates the clients and opens their connections.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let tools = Self {
            keys: Secret::from_env(&config)?,
            bookings: Bookings::from_env(&config, timing, FUNCTION, env::deployed_version())?,
            intake: CallIntake::from_env(&config, timing)?,
            metrics: Metrics::new(FUNCTION),
        };
        let plans = std::thread::spawn(contact::load_numbering_plans);
        tokio::join!(tools.keys.prefetch(), tools.bookings.connect());
        if plans.join().is_err() {
            tracing::error!("failed to load the numbering plans");
        }
        Ok(tools)
    }

    /// Responds to one request.
    pub async fn handle(
        &self,
        request: ApiGatewayV2httpRequest,
        context: Context,
    ) -> Result<ApiGatewayV2httpResponse, Error> {
        let (began, mut log) = (Instant::now(), LogContext::for_request(&context));
        let path = request.raw_path.as_deref().unwrap_or_default();
        let tool = path.rsplit('/').next().filter(|_| path.contains(TOOLS));
        let responded = match (Delivery::of(&request), tool) {
            (Err(error), _) => Err(error.into()),
            (Ok(delivery), Some(tool)) => self.use_tool(tool, &delivery, began, &mut log).await,
            (Ok(delivery), None) => self.greet(&delivery, began, &mut log).await,
        };
        Ok(match responded {
            Ok(body) => json_response(200, &body),
            Err(error) => {
                log.span().in_scope(|| tracing::warn!(reason = error.as_str(), "request refused"));
                self.metrics.count("ToolRefused", Some(error.as_str()), &log);
                json_response(error.status(), &json!({"error": error.as_str(), "message": error.to_string()}))
            }
        })
    }

    async fn use_tool(
        &self,
        name: &str,
        delivery: &Delivery<'_>,
        began: Instant,
        log: &mut LogContext,
    ) -> Result<Value, RequestError> {
        let (now, longest) = (Utc::now(), waiting(self.bookings.timing.caller_limit));
        let verified = timeout(longest, delivery.verify_with(&self.keys, now)).await;
        let Verified { body, account } = verified.map_err(|_| RequestError::TooSlow)??;
        let called = ToolCall::parse(body)?;
        let tool = Tool::parse(name).ok_or(RequestError::UnknownTool)?;
        log.call = Some(called.call.id.clone());
        let left = longest.saturating_sub(began.elapsed());
        let Ok(Ok(Some(tenant))) = timeout(left, self.intake.tenant_of(&called.call, &account)).await else {
            self.metrics.count("ToolFailed", Some("no_tenant"), log);
            log.span().in_scope(|| tracing::error!("tool called for an agent or number whose tenant was not found"));
            return Ok(unrouted().body());
        };
        log.tenant = Some(tenant.id.clone());
        let conversation = Conversation {
            bookings: &self.bookings,
            intake: &self.intake,
            tenant: &tenant,
            call: &called.call,
            args: &called.args,
            log,
            now,
            until: began + waiting(self.bookings.timing.caller_patience),
            stored: RefCell::default(),
        };
        let left = longest.saturating_sub(began.elapsed());
        let answered = timeout(left, tool.run(&conversation)).instrument(log.span()).await;
        let answer = match answered.unwrap_or(Err(ToolError::TooSlow)) {
            Ok(answer) => answer,
            Err(error) => {
                self.metrics.count("ToolFailed", Some(tool.as_str()), log);
                log.span().in_scope(|| tracing::error!(%error, tool = tool.as_str(), "tool failed"));
                conversation.failed()
            }
        };
        self.metrics.count("ToolAnswered", Some(answer.status.as_str()), log);
        self.metrics.record("ToolDuration", Unit::Seconds(began.elapsed().as_secs_f64()), None, log);
        let (tool, status) = (tool.as_str(), answer.status.as_str());
        let milliseconds = began.elapsed().as_millis() as u64;
        log.span().in_scope(|| tracing::info!(tool, status, milliseconds, "tool answered"));
        Ok(answer.body())
    }

    /// Finds the account that signed a request.
    pub(crate) async fn verify<'d>(&self, delivery: &'d Delivery<'_>) -> Result<Verified<'d>, RequestError> {
        Ok(delivery.verify_with(&self.keys, Utc::now()).await?)
    }
}

/// A time that people wait.
pub(crate) fn waiting(time: TimeDelta) -> Duration {
    time.to_std().unwrap_or_default()
}

/// In both languages, since nobody knows whose caller it is.
fn unrouted() -> Answer {
    let say = "Ich komme gerade nicht an den Kalender. / I can't reach the calendar right now.";
    Answer::new(Status::Unavailable, say.to_owned())
}
