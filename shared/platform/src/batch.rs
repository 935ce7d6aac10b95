//! Batches of messages, each of which may fail alone.
//!
//! | what happens to a message | what SQS does with it |
//! |---|---|
//! | it is processed | deletes it |
//! | it is unreadable | deletes it: it is in the dead-letter queue with its reason |
//! | a newer deployed version wrote it | deletes it: it is back in its queue, delayed, for that version |
//! | its work fails, panics or runs past the deadline | delivers it again |
//! | the same at its last delivery | deletes it: its appointment needs review, and it is in the dead-letter queue |
//! | the deadline is too close to start it | delivers it again |

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, StreamExt, stream};
use lambda_runtime::Context;
use scheduling::{ids::AppointmentId, timing::Timing};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::{
    aws::SdkConfig,
    deadline::time_left,
    env::{self, EnvError},
    queues::{AppointmentMessage, MessageError, Queue},
    telemetry::{LogContext, Metrics},
    trace::TraceHeader,
};

/// How many messages of a batch are processed concurrently. The template's batch size is the same.
const CONCURRENCY: usize = 10;
/// A message is not started with less time than this left.
const MIN_TIME_TO_START: Duration = Duration::from_secs(15);
/// Work that still runs this long before the deadline is abandoned, so that the batch can still respond.
const TIME_TO_RESPOND: Duration = Duration::from_secs(2);

/// An error of the work on a message.
pub trait WorkError: std::error::Error {
    /// Whether a newer deployed version wrote what could not be read: that version can process the message.
    fn is_newer_form(&self) -> bool;
}

/// Processes the batches of one queue.
pub struct Batches {
    source: Queue,
    dead_letters: Queue,
    last_delivery: u32,
    timing: Timing,
    metrics: Metrics,
}

/// What became of one message.
enum Outcome {
    Processed,
    DeadLettered,
    Deferred,
    Failed(BatchItemFailure),
    /// It has no id: an empty one in the response would make SQS deliver the whole batch again.
    MissingId,
}

impl Batches {
    /// The batches of `source`. The environment names its dead-letter queue and its maximum number of deliveries.
    ///
    /// # Errors
    /// If a variable is missing or unreadable.
    pub fn from_env(config: &SdkConfig, source: Queue, timing: Timing, metrics: Metrics) -> Result<Self, EnvError> {
        let dead_letters = Queue::dead_letters_from_env(config)?;
        let last_delivery = env::parsed_or("MAX_RECEIVE_COUNT", 5)?;
        Ok(Self { source, dead_letters, last_delivery, timing, metrics })
    }

    /// Passes each message to `work`, several concurrently, and responds with those that failed. `at_last_delivery` is
    /// called with the appointment and the reason before a message that keeps failing becomes a dead letter.
    pub async fn process<W, WF, E, L, LF>(
        &self,
        event: SqsEvent,
        context: &Context,
        work: W,
        at_last_delivery: L,
    ) -> SqsBatchResponse
    where
        W: Fn(AppointmentMessage, LogContext) -> WF,
        WF: Future<Output = Result<(), E>>,
        E: WorkError,
        L: Fn(AppointmentId, String) -> LF,
        LF: Future<Output = ()>,
    {
        let deadline = Instant::now() + time_left(context);
        let request = LogContext::for_request(context);
        let outcomes: Vec<Outcome> = stream::iter(event.records)
            .map(|message| self.process_one(message, deadline, &request, &work, &at_last_delivery))
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        if !outcomes.is_empty() && !outcomes.iter().any(|outcome| matches!(outcome, Outcome::Processed)) {
            self.metrics.count("BatchAllFailed", None, &request);
        }
        let failure = |outcome| match outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Processed | Outcome::DeadLettered | Outcome::Deferred | Outcome::MissingId => None,
        };
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = outcomes.into_iter().filter_map(failure).collect();
        response
    }

    async fn process_one<W, WF, E, L, LF>(
        &self,
        message: SqsMessage,
        deadline: Instant,
        request: &LogContext,
        work: &W,
        at_last_delivery: &L,
    ) -> Outcome
    where
        W: Fn(AppointmentMessage, LogContext) -> WF,
        WF: Future<Output = Result<(), E>>,
        E: WorkError,
        L: Fn(AppointmentId, String) -> LF,
        LF: Future<Output = ()>,
    {
        let parsed = AppointmentMessage::parse(message.body.as_deref().unwrap_or_default());
        let mut parsed = match parsed {
            Ok(parsed) => parsed,
            Err(MessageError::NewerForm) => return self.defer(&message, request).instrument(request.span()).await,
            Err(MessageError::Unreadable) => {
                return self.dead_letter(&message, "unreadable", request).instrument(request.span()).await;
            }
        };
        parsed.trace = trace_of(&message);
        let log = request.for_message(&parsed);
        let span = log.span();
        async {
            if deadline.saturating_duration_since(Instant::now()) < MIN_TIME_TO_START {
                tracing::info!("message returned to the queue: too little time left to start it");
                return failed(&message);
            }
            let appointment = parsed.appointment.clone();
            // Unwind-safe: the work leaves nothing shared half changed, since all state is in the store.
            let work = AssertUnwindSafe(work(parsed, log.clone()).in_current_span()).catch_unwind();
            let reason = match timeout_at(deadline - TIME_TO_RESPOND, work).await {
                Ok(Ok(Ok(()))) => return Outcome::Processed,
                Ok(Ok(Err(error))) if error.is_newer_form() => return self.defer(&message, &log).await,
                Ok(Ok(Err(error))) => error.to_string(),
                Ok(Err(_)) => "panic".to_owned(),
                Err(_) => "deadline".to_owned(),
            };
            tracing::warn!(reason, "message failed");
            self.metrics.count("MessageFailed", None, &log);
            if receive_count(&message) < self.last_delivery {
                return failed(&message);
            }
            at_last_delivery(appointment, reason.clone()).await;
            self.dead_letter(&message, &reason, &log).await
        }
        .instrument(span)
        .await
    }

    /// Returns a message that a newer deployed version wrote to its queue, for a process of that version. If none takes
    /// it within the defer window, because that version was rolled back, it becomes a dead letter.
    async fn defer(&self, message: &SqsMessage, log: &LogContext) -> Outcome {
        let now = Utc::now();
        let since = deferred_since(message).unwrap_or(now);
        if now - since > self.timing.defer_window {
            return self.dead_letter(message, "newer_form", log).await;
        }
        tracing::info!(%since, "message of a newer deployed version returned to its queue");
        self.metrics.count("MessageDeferred", None, log);
        let body = message.body.as_deref().unwrap_or_default();
        match self.source.defer(body, since, self.timing.grace, trace_of(message)).await {
            Ok(()) => Outcome::Deferred,
            Err(error) => {
                tracing::error!(%error, "failed to return a message to its queue");
                failed(message)
            }
        }
    }

    /// Moves a message to the dead-letter queue with its reason. If that fails, SQS moves it, without the reason.
    async fn dead_letter(&self, message: &SqsMessage, reason: &str, log: &LogContext) -> Outcome {
        let id = message.message_id.as_deref().unwrap_or("unknown");
        tracing::error!(reason, message_id = id, "message moved to the dead-letter queue");
        self.metrics.count("MessageDeadLettered", None, log);
        let body = message.body.as_deref().unwrap_or_default();
        match self.dead_letters.dead_letter(body, reason, id).await {
            Ok(()) => Outcome::DeadLettered,
            Err(error) => {
                tracing::error!(%error, "failed to move a message to the dead-letter queue");
                failed(message)
            }
        }
    }
}

fn failed(message: &SqsMessage) -> Outcome {
    let Some(id) = message.message_id.clone().filter(|id| !id.is_empty()) else { return Outcome::MissingId };
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    Outcome::Failed(failure)
}

fn trace_of(message: &SqsMessage) -> Option<TraceHeader> {
    message.attributes.get("AWSTraceHeader").and_then(|header| TraceHeader::parse(header))
}

fn deferred_since(message: &SqsMessage) -> Option<DateTime<Utc>> {
    message.message_attributes.get(Queue::DEFERRED_SINCE)?.string_value.as_deref()?.parse().ok()
}

fn receive_count(message: &SqsMessage) -> u32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}
