//! A batch of messages, each of which may fail alone.
//!
//! | what happens to a message | what the batch says of it |
//! |---|---|
//! | it is worked off | nothing: SQS deletes it |
//! | it can't be read | set aside in the dead-letter queue with its reason, at once |
//! | its work fails or panics, or takes past the deadline | failed: SQS delivers it again |
//! | the same at its last delivery | its appointment needs review; set aside in the dead-letter queue with its reason |
//! | the deadline is near before it was started | failed: SQS delivers it again |

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use chrono::Utc;
use futures_util::{FutureExt, StreamExt, stream};
use scheduling::appointment::Actor;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::{
    deadline::time_left,
    queues::{AppointmentMessage, Queue},
    settings::{self, SettingsError},
    store::Appointments,
    telemetry::{Metrics, LogContext},
    trace::TraceHeader,
};

/// How many messages of a batch are worked on at once. The template's batch size is the same.
const CONCURRENCY: usize = 10;
/// A message is not started with less time than this left.
const LEAST_TIME: Duration = Duration::from_secs(15);
/// What is still running so long before the deadline is given up, so that the batch can still say so.
const TIME_TO_ANSWER: Duration = Duration::from_secs(2);

/// Works off batches.
pub struct Batches {
    dead_letters: Queue,
    appointments: Appointments,
    last_delivery: u32,
    metrics: Metrics,
}

/// What became of one message.
enum Outcome {
    Processed,
    Stalled,
    CalcomError(BatchItemFailure),
    /// It has no id: an empty one in the answer would have SQS deliver the whole batch again.
    MissingId,
}

impl Batches {
    /// Sets aside in `dead_letters` what can't be worked off, and has its appointment reviewed. `MAX_RECEIVE_COUNT` in
    /// the environment is the queue's.
    ///
    /// # Errors
    /// When that variable can't be read.
    pub fn new(dead_letters: Queue, appointments: Appointments, metrics: Metrics) -> Result<Self, SettingsError> {
        let last_delivery = settings::parsed_or("MAX_RECEIVE_COUNT", 5)?;
        Ok(Self { dead_letters, appointments, last_delivery, metrics })
    }

    /// Hands each message to `work`, several at once, and says which have failed.
    pub async fn process<F, W, E>(
        &self,
        event: SqsEvent,
        context: &lambda_runtime::Context,
        work: F,
    ) -> SqsBatchResponse
    where
        F: Fn(AppointmentMessage, LogContext) -> W,
        W: Future<Output = Result<(), E>>,
        E: std::error::Error,
    {
        let deadline = Instant::now() + time_left(context);
        let request = LogContext::of_request(context);
        let outcomes: Vec<Outcome> = stream::iter(event.records)
            .map(|message| self.work_off_one(message, deadline, &request, &work))
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let is_worked_off = |outcome: &Outcome| matches!(outcome, Outcome::Processed);
        if !outcomes.is_empty() && !outcomes.iter().any(is_worked_off) {
            self.metrics.count("BatchAllFailed", None, &request);
        }
        let failure = |outcome| match outcome {
            Outcome::CalcomError(failure) => Some(failure),
            Outcome::Processed | Outcome::Stalled | Outcome::MissingId => None,
        };
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = outcomes.into_iter().filter_map(failure).collect();
        response
    }

    async fn work_off_one<F, W, E>(
        &self,
        message: SqsMessage,
        deadline: Instant,
        request: &LogContext,
        work: &F,
    ) -> Outcome
    where
        F: Fn(AppointmentMessage, LogContext) -> W,
        W: Future<Output = Result<(), E>>,
        E: std::error::Error,
    {
        let body = message.body.as_deref().unwrap_or_default();
        let Ok(mut order) = serde_json::from_str::<AppointmentMessage>(body) else {
            return self.set_aside(&message, "unreadable", request).instrument(request.span()).await;
        };
        order.trace = message.attributes.get("AWSTraceHeader").and_then(|header| TraceHeader::read(header));
        let subject = LogContext {
            tenant: Some(order.tenant.clone()),
            call: Some(order.call.clone()),
            appointment: Some(order.appointment.clone()),
            trace: order.trace.clone(),
            ..request.clone()
        };
        let span = subject.span();
        async {
            if deadline.saturating_duration_since(Instant::now()) < LEAST_TIME {
                tracing::info!("handed back: not enough time left to start it");
                return failed(&message);
            }
            // Unwind-safe, since nothing that the work shares is left half changed: what counts is in the store.
            let work = AssertUnwindSafe(work(order, subject.clone()).in_current_span()).catch_unwind();
            let reason = match timeout_at(deadline - TIME_TO_ANSWER, work).await {
                Ok(Ok(Ok(()))) => return Outcome::Processed,
                Ok(Ok(Err(error))) => error.to_string(),
                Ok(Err(_)) => "panic".to_owned(),
                Err(_) => "deadline".to_owned(),
            };
            tracing::warn!(reason, "the message failed");
            self.metrics.count("MessageFailed", None, &subject);
            if receive_count(&message) < self.last_delivery {
                return failed(&message);
            }
            self.have_reviewed(&subject, &reason).await;
            self.set_aside(&message, &reason, &subject).await
        }
        .instrument(span)
        .await
    }

    /// Ties a dead letter to its appointment. Where that can't be done, the reconciler finds the appointment by itself.
    async fn have_reviewed(&self, subject: &LogContext, reason: &str) {
        let Some(appointment) = &subject.appointment else { return };
        let version = settings::deployed_version();
        let by = Actor { function: self.metrics.function(), version: &version, now: Utc::now() };
        match self.appointments.set_aside(appointment, reason, by).await {
            Ok(needs_review) => tracing::info!(needs_review, "its appointment is seen to"),
            Err(error) => tracing::error!(%error, "its appointment can't be moved to review"),
        }
    }

    /// Puts a message into the dead-letter queue with its reason. Where that fails, SQS does it, without the reason.
    async fn set_aside(&self, message: &SqsMessage, reason: &str, subject: &LogContext) -> Outcome {
        let id = message.message_id.as_deref().unwrap_or("unknown");
        tracing::error!(reason, message_id = id, "the message is set aside in the dead-letter queue");
        self.metrics.count("MessageSetAside", None, subject);
        let body = message.body.as_deref().unwrap_or_default();
        match self.dead_letters.set_aside(body, reason, id).await {
            Ok(()) => Outcome::Stalled,
            Err(error) => {
                tracing::error!(%error, "the message can't be set aside");
                failed(message)
            }
        }
    }
}

fn failed(message: &SqsMessage) -> Outcome {
    let Some(id) = message.message_id.clone().filter(|id| !id.is_empty()) else { return Outcome::MissingId };
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    Outcome::CalcomError(failure)
}

fn receive_count(message: &SqsMessage) -> u32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}
