//! The messages between functions, and the queues. A message carries ids; the data is in the store.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    error::BuildError,
    operation::send_message::builders::SendMessageFluentBuilder,
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName,
    },
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use scheduling::{
    appointment::Appointment,
    ids::{AppointmentId, CallId, TenantId},
    timing::Timing,
};
use serde::{Deserialize, Serialize};

use crate::{
    aws::{SdkConfig, error_code},
    env::{self, EnvError},
    trace::TraceHeader,
};

/// The longest delay that SQS supports.
const MAX_DELAY: Duration = Duration::from_secs(15 * 60);
/// How early a message may arrive because clocks differ. One that arrives earlier is a second copy.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(5);

/// A message about an appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentMessage {
    /// The version of this form. A higher one is another deployed version's.
    v: u32,
    /// The step that it requests.
    pub kind: MessageKind,
    /// The tenant.
    pub tenant: TenantId,
    /// The appointment.
    pub appointment: AppointmentId,
    /// The call that requested it.
    pub call: CallId,
    /// The trace that it belongs to. It is a system attribute, where SQS and X-Ray expect it.
    #[serde(skip)]
    pub trace: Option<TraceHeader>,
}

/// The step that a message requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// The queue's step: book it, or assign it.
    Process,
    /// Its customer requested it again although it is booked: verify that the booking is still active.
    Verify,
    /// Its customer requested that its booking is moved or cancelled.
    Change,
}

/// A message that this version can't process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageError {
    /// Another deployed version wrote it, in a newer form or of a newer kind.
    NewerForm,
    /// It is not a message of ours.
    Unreadable,
}

const VERSION: u32 = 1;

impl AppointmentMessage {
    /// The message for the next step of an appointment.
    pub fn new(kind: MessageKind, appointment: &Appointment, trace: Option<TraceHeader>) -> Self {
        Self {
            v: VERSION,
            kind,
            tenant: appointment.tenant.clone(),
            appointment: appointment.id.clone(),
            call: appointment.call.clone(),
            trace,
        }
    }

    /// A [`MessageKind::Process`] message without a trace, from a sweep or a person.
    pub fn process(appointment: &Appointment) -> Self {
        Self::new(MessageKind::Process, appointment, None)
    }

    /// The group of its tenant. A standard queue delivers the groups fairly: one tenant's many messages do not delay the
    /// other tenants' few.
    fn group(&self) -> &str {
        self.tenant.as_str()
    }

    /// The same message of another kind, for the next step.
    #[must_use]
    pub fn with_kind(&self, kind: MessageKind) -> Self {
        Self { kind, ..self.clone() }
    }

    /// Reads a message. Unknown fields pass: two deployed versions read each other's messages.
    ///
    /// # Errors
    /// Says which version can read it, if any.
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        #[derive(Deserialize)]
        struct Envelope {
            v: u32,
            kind: String,
        }
        if let Ok(message) = serde_json::from_str::<Self>(body)
            && message.v == VERSION
        {
            return Ok(message);
        }
        let envelope: Envelope = serde_json::from_str(body).map_err(|_| MessageError::Unreadable)?;
        let is_known_kind = serde_json::from_value::<MessageKind>(envelope.kind.into()).is_ok();
        let is_newer = envelope.v > VERSION || (envelope.v == VERSION && !is_known_kind);
        Err(if is_newer { MessageError::NewerForm } else { MessageError::Unreadable })
    }
}

/// A queue operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} the queue: {cause}")]
pub struct QueueError {
    action: &'static str,
    cause: String,
}

impl QueueError {
    fn sending(cause: impl ToString) -> Self {
        Self { action: "send a message to", cause: cause.to_string() }
    }

    fn reading(cause: impl ToString) -> Self {
        Self { action: "read", cause: cause.to_string() }
    }
}

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The attribute that says since when a message has been returned to its queue for a newer deployed version.
    pub(crate) const DEFERRED_SINCE: &str = "deferred_since";

    /// The queue at this URL.
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self { client: Client::new(config), url }
    }

    /// The queue of appointments to be booked.
    ///
    /// # Errors
    /// If the environment does not name it.
    pub fn bookings_from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Self::from_env(config, "BOOKINGS_QUEUE_URL")
    }

    /// The queue of appointments to be assigned.
    ///
    /// # Errors
    /// If the environment does not name it.
    pub fn assignments_from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Self::from_env(config, "ASSIGNMENTS_QUEUE_URL")
    }

    /// The dead-letter queue of a function's own queue.
    ///
    /// # Errors
    /// If the environment does not name it.
    pub fn dead_letters_from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Self::from_env(config, "DEAD_LETTER_QUEUE_URL")
    }

    /// Every dead-letter queue, as the command finds them.
    ///
    /// # Errors
    /// If the environment does not name one of them.
    pub fn all_dead_letters_from_env(config: &SdkConfig) -> Result<[Self; 2], EnvError> {
        let bookings = Self::from_env(config, "BOOKINGS_DEAD_LETTER_QUEUE_URL")?;
        Ok([bookings, Self::from_env(config, "ASSIGNMENTS_DEAD_LETTER_QUEUE_URL")?])
    }

    fn from_env(config: &SdkConfig, variable: &'static str) -> Result<Self, EnvError> {
        Ok(Self::new(config, env::required(variable)?))
    }

    /// Opens a connection by requesting an attribute, so that the first message is sent sooner.
    pub async fn connect(&self) {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        if let Err(error) = request.attribute_names(QueueAttributeName::QueueArn).send().await {
            tracing::warn!(error = error_code(&error), "failed to connect to SQS");
        }
    }

    /// Sends a message, to be received at once.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn send(&self, message: &AppointmentMessage) -> Result<(), QueueError> {
        self.send_after(message, Duration::ZERO).await
    }

    /// Sends a message, to be received at `at`. A delay that is too long for a queue is left to the reconciler.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn send_at(
        &self,
        message: &AppointmentMessage,
        at: DateTime<Utc>,
        timing: &Timing,
    ) -> Result<(), QueueError> {
        let delay = at - Utc::now();
        if delay > timing.max_queue_delay {
            return Ok(());
        }
        self.send_after(message, delay.to_std().unwrap_or_default()).await
    }

    /// Resends a message that arrived before it is due, unless it arrived so early that another copy is delayed.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn return_until(
        &self,
        message: &AppointmentMessage,
        at: DateTime<Utc>,
        timing: &Timing,
    ) -> Result<(), QueueError> {
        if at - Utc::now() > CLOCK_TOLERANCE { Ok(()) } else { self.send_at(message, at, timing).await }
    }

    async fn send_after(&self, message: &AppointmentMessage, delay: Duration) -> Result<(), QueueError> {
        let body = serde_json::to_string(message).map_err(QueueError::sending)?;
        self.send_body(body, delay, message.trace.as_ref(), |request| Ok(request.message_group_id(message.group())))
            .await
    }

    /// Sends a body that only a newer deployed version can read back to this queue.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub(crate) async fn defer(
        &self,
        body: &str,
        since: DateTime<Utc>,
        delay: TimeDelta,
        trace: Option<TraceHeader>,
    ) -> Result<(), QueueError> {
        let since = attribute(&since.to_rfc3339_opts(SecondsFormat::Millis, true))?;
        let delay = delay.to_std().unwrap_or_default();
        self.send_body(body.to_owned(), delay, trace.as_ref(), |request| {
            Ok(request.message_attributes(Self::DEFERRED_SINCE, since))
        })
        .await
    }

    /// Puts a message into this dead-letter queue, as it came, with the reason as an attribute.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn dead_letter(&self, body: &str, reason: &str, message_id: &str) -> Result<(), QueueError> {
        // SQS accepts no empty body, and no empty attribute.
        let body = if body.is_empty() { "(empty)" } else { body };
        self.send_body(body.to_owned(), Duration::ZERO, None, |request| {
            let request = request.message_attributes("reason", attribute(reason)?);
            Ok(request.message_attributes("message_id", attribute(message_id)?))
        })
        .await
    }

    async fn send_body(
        &self,
        body: String,
        delay: Duration,
        trace: Option<&TraceHeader>,
        with_attributes: impl FnOnce(SendMessageFluentBuilder) -> Result<SendMessageFluentBuilder, QueueError>,
    ) -> Result<(), QueueError> {
        let whole_seconds = delay.min(MAX_DELAY).as_secs_f64().ceil() as i32;
        let request = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(whole_seconds);
        let mut request = with_attributes(request)?;
        if let Some(trace) = trace {
            let header = trace_attribute(trace).map_err(QueueError::sending)?;
            request = request.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, header);
        }
        request.send().await.map(drop).map_err(|error| QueueError::sending(error_code(&error)))
    }
}

fn attribute(value: &str) -> Result<MessageAttributeValue, QueueError> {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().map_err(QueueError::sending)
}

fn trace_attribute(trace: &TraceHeader) -> Result<MessageSystemAttributeValue, BuildError> {
    MessageSystemAttributeValue::builder().data_type("String").string_value(trace.as_str()).build()
}

/// A message that was received and not yet deleted.
#[derive(Debug, Clone)]
pub struct Received {
    /// SQS's id.
    pub id: String,
    /// The body.
    pub body: String,
    /// Why it became a dead letter, if a function moved it.
    pub reason: Option<String>,
    receipt: String,
}

impl Queue {
    /// About how many messages wait to be received.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn approximate_length(&self) -> Result<u32, QueueError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let response = request.send().await.map_err(|error| QueueError::reading(error_code(&error)))?;
        let length = response.attributes.and_then(|mut attributes| attributes.remove(&name));
        Ok(length.and_then(|length| length.parse().ok()).unwrap_or_default())
    }

    /// About how many messages wait.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn waiting(&self) -> Result<u64, QueueError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let found = request.send().await.map_err(|error| QueueError::reading(error_code(&error)))?;
        let count = found.attributes.as_ref().and_then(|attributes| attributes.get(&name));
        Ok(count.and_then(|count| count.parse().ok()).unwrap_or_default())
    }

    /// Receives up to ten messages. Those that are not [`Self::delete`]d are visible again after `visibility_timeout`.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn receive(&self, visibility_timeout: Duration) -> Result<Vec<Received>, QueueError> {
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let request = request.visibility_timeout(visibility_timeout.as_secs_f64().ceil() as i32).wait_time_seconds(1);
        let response = request.message_attribute_names("All").send().await;
        let response = response.map_err(|error| QueueError::reading(error_code(&error)))?;
        let received = response.messages.unwrap_or_default().into_iter().map(|message| {
            let attributes = message.message_attributes.unwrap_or_default();
            Received {
                id: message.message_id.unwrap_or_default(),
                body: message.body.unwrap_or_default(),
                reason: attributes.get("reason").and_then(|reason| reason.string_value.clone()),
                receipt: message.receipt_handle.unwrap_or_default(),
            }
        });
        Ok(received.collect())
    }

    /// Makes a received message visible again at once.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn release(&self, message: &Received) -> Result<(), QueueError> {
        let request = self.client.change_message_visibility().queue_url(&self.url).visibility_timeout(0);
        let sent = request.receipt_handle(&message.receipt).send().await;
        sent.map(drop).map_err(|error| QueueError::reading(error_code(&error)))
    }

    /// Deletes a received message.
    ///
    /// # Errors
    /// If the queue can't be reached or refuses.
    pub async fn delete(&self, message: &Received) -> Result<(), QueueError> {
        let request = self.client.delete_message().queue_url(&self.url).receipt_handle(&message.receipt);
        request.send().await.map(drop).map_err(|error| QueueError::reading(error_code(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"v":1,"kind":"process","tenant":"salon","appointment":"a1","call":"c1"}"#;

    #[test]
    fn the_form_of_a_message_stays_readable() {
        let message = AppointmentMessage::parse(MESSAGE).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), MESSAGE);
    }

    #[test]
    fn the_next_versions_fields_pass() {
        let body = MESSAGE.replace(r#""v":1"#, r#""v":1,"priority":"high","deadline":null"#);
        assert_eq!(AppointmentMessage::parse(&body), AppointmentMessage::parse(MESSAGE));
    }

    #[test]
    fn the_next_versions_kinds_and_forms_are_recognised_and_not_processed() {
        for body in [
            MESSAGE.replace("process", "reschedule"),
            r#"{"v":1,"kind":"reschedule","booking":"b1"}"#.to_owned(),
            MESSAGE.replace(r#""v":1"#, r#""v":2"#),
            r#"{"v":2,"kind":"process","appointments":["a1","a2"]}"#.to_owned(),
        ] {
            assert_eq!(AppointmentMessage::parse(&body), Err(MessageError::NewerForm), "{body}");
        }
    }

    #[test]
    fn a_body_that_is_no_message_is_unreadable() {
        for body in [
            r#"{"v":1,"kind":"process","tenant":"salon"}"#,
            r#"{"v":0,"kind":"process","tenant":"salon","appointment":"a1","call":"c1"}"#,
            r#"{"v":"2","kind":"process"}"#,
            r#"{"tenant":"salon"}"#,
            "[]",
            "",
        ] {
            assert_eq!(AppointmentMessage::parse(body), Err(MessageError::Unreadable), "{body}");
        }
    }
}
