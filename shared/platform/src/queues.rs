//! The messages between functions. They carry identities, never the data itself: that stands in the store.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    error::BuildError,
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use scheduling::{
    appointment::Appointment,
    ids::{AppointmentId, CallId, TenantId},
    timing::Timing,
};
use serde::{Deserialize, Serialize};

use crate::trace::TraceHeader;

/// The longest that SQS keeps a message back.
pub const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);
/// How much before its time a message may come because clocks differ. One that comes earlier is a second one.
const TOO_EARLY: TimeDelta = TimeDelta::seconds(5);

/// "There is something to do for this appointment."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppointmentMessage {
    /// The form of this message.
    pub v: MessageVersion,
    /// Whose appointment.
    pub tenant: TenantId,
    /// Which.
    pub appointment: AppointmentId,
    /// From which call.
    pub call: CallId,
    /// Whether the customer has asked for it again although it is booked: the booking may no longer stand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looked_up_again: bool,
    /// The trace that it belongs to. It travels beside the body, where SQS and X-Ray look for it.
    #[serde(skip)]
    pub trace: Option<TraceHeader>,
}

/// The form of a message. A message of a form that is not known here is poison and not guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct MessageVersion;

const CURRENT: u8 = 1;

impl TryFrom<u8> for MessageVersion {
    type Error = String;

    fn try_from(version: u8) -> Result<Self, String> {
        if version == CURRENT { Ok(Self) } else { Err(format!("message version {version} is not known here")) }
    }
}

impl From<MessageVersion> for u8 {
    fn from(MessageVersion: MessageVersion) -> Self {
        CURRENT
    }
}

impl AppointmentMessage {
    /// The message for an appointment.
    pub fn about(appointment: &Appointment) -> Self {
        Self {
            v: MessageVersion,
            tenant: appointment.tenant.clone(),
            appointment: appointment.id.clone(),
            call: appointment.call.clone(),
            looked_up_again: false,
            trace: None,
        }
    }
}

/// A message that could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("the queue does not take the message: {0}")]
pub struct QueueError(String);

/// A queue to send to.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue at this URL.
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self { client: Client::new(config), url }
    }

    /// Opens a connection, by asking for an attribute: the first message is sent sooner.
    pub async fn connect(&self) {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let asked = request.attribute_names(QueueAttributeName::QueueArn).send().await;
        if let Err(error) = asked {
            tracing::warn!(error = crate::store::code_of(&error), "SQS can't be reached yet");
        }
    }

    /// Sends a message, to be received at once.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
    pub async fn send(&self, message: &AppointmentMessage) -> Result<(), QueueError> {
        self.send_after(message, Duration::ZERO).await
    }

    /// Sends a message, to be received at a time. A wait that is longer than a message's is left to the reconciler.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
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

    /// Sends on a message that came before its time, unless it came so early that another one timing already.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
    pub async fn send_on(
        &self,
        message: &AppointmentMessage,
        at: DateTime<Utc>,
        timing: &Timing,
    ) -> Result<(), QueueError> {
        if at - Utc::now() > TOO_EARLY { Ok(()) } else { self.send_at(message, at, timing).await }
    }

    /// Sends a message, to be received after `delay`, or after [`LONGEST_DELAY`] where that is shorter: whoever
    /// receives it too early sends it on.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
    pub async fn send_after(&self, message: &AppointmentMessage, delay: Duration) -> Result<(), QueueError> {
        let body = serde_json::to_string(message).map_err(|error| QueueError(error.to_string()))?;
        let whole_seconds = delay.min(LONGEST_DELAY).as_secs_f64().ceil() as i32;
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        let request = match &message.trace {
            Some(trace) => request.message_system_attributes(
                MessageSystemAttributeNameForSends::AwsTraceHeader,
                as_attribute(trace).map_err(|error| QueueError(error.to_string()))?,
            ),
            None => request,
        };
        let sent = request.delay_seconds(whole_seconds).send().await;
        sent.map(drop).map_err(|error| QueueError(crate::store::code_of(&error)))
    }

    /// Puts a message aside for a person, as it came, with the reason as an attribute.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
    pub async fn set_aside(&self, body: &str, reason: &str, message_id: &str) -> Result<(), QueueError> {
        let attribute = |value: &str| {
            let text = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            text.map_err(|error| QueueError(error.to_string()))
        };
        // SQS takes no empty body, and no empty attribute.
        let body = if body.is_empty() { "(empty)" } else { body };
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        let sent = request
            .message_attributes("reason", attribute(reason)?)
            .message_attributes("message_id", attribute(message_id)?)
            .send()
            .await;
        sent.map(drop).map_err(|error| QueueError(crate::store::code_of(&error)))
    }
}

fn as_attribute(trace: &TraceHeader) -> Result<MessageSystemAttributeValue, BuildError> {
    MessageSystemAttributeValue::builder().data_type("String").string_value(trace.as_str()).build()
}

/// A message that was taken out of a queue for a while.
#[derive(Debug, Clone)]
pub struct Received {
    /// SQS's name for it.
    pub id: String,
    /// Its body.
    pub body: String,
    /// Why it was set aside, where a function did that.
    pub reason: Option<String>,
    receipt: String,
}

impl Queue {
    /// About how many messages wait to be received.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
    pub async fn waiting(&self) -> Result<u32, QueueError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer = request.send().await.map_err(|error| QueueError(crate::store::code_of(&error)))?;
        let waiting = answer.attributes.and_then(|mut attributes| attributes.remove(&name));
        Ok(waiting.and_then(|waiting| waiting.parse().ok()).unwrap_or_default())
    }

    /// Takes up to ten messages out of the queue. Those that are not [`Self::delete`]d are back after `hidden_for`.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
    pub async fn receive(&self, hidden_for: Duration) -> Result<Vec<Received>, QueueError> {
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let request = request.visibility_timeout(hidden_for.as_secs_f64().ceil() as i32).wait_time_seconds(1);
        let answer = request.message_attribute_names("All").send().await;
        let answer = answer.map_err(|error| QueueError(crate::store::code_of(&error)))?;
        let received = answer.messages.unwrap_or_default().into_iter().map(|message| {
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

    /// Puts a message that was received back at once.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
    pub async fn put_back(&self, message: &Received) -> Result<(), QueueError> {
        let request = self.client.change_message_visibility().queue_url(&self.url).visibility_timeout(0);
        let sent = request.receipt_handle(&message.receipt).send().await;
        sent.map(drop).map_err(|error| QueueError(crate::store::code_of(&error)))
    }

    /// Deletes a message that was received.
    ///
    /// # Errors
    /// When the queue can't be reached or refuses.
    pub async fn delete(&self, message: &Received) -> Result<(), QueueError> {
        let request = self.client.delete_message().queue_url(&self.url).receipt_handle(&message.receipt);
        request.send().await.map(drop).map_err(|error| QueueError(crate::store::code_of(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"v":1,"tenant":"salon","appointment":"a1","call":"c1"}"#;

    #[test]
    fn the_form_of_a_message_stays_readable() {
        let message: AppointmentMessage = serde_json::from_str(MESSAGE).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), MESSAGE);
    }

    #[test]
    fn other_versions_and_unknown_fields_are_refused() {
        for body in [
            r#"{"v":2,"tenant":"salon","appointment":"a1","call":"c1"}"#,
            r#"{"v":1,"tenant":"salon","appointment":"a1","call":"c1","name":"x"}"#,
            r#"{"v":1,"tenant":"salon"}"#,
            "",
        ] {
            assert!(serde_json::from_str::<AppointmentMessage>(body).is_err(), "{body}");
        }
    }
}
