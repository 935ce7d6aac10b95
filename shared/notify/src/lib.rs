#![doc = include_str!("../README.md")]

mod alert_topic;
mod mailer;

pub use alert_topic::AlertTopic;
pub use mailer::Mailer;

/// A notification that could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// SNS did not accept a message.
    #[error("failed to publish to the alert topic: {0}")]
    AlertTopic(String),
    /// SES did not accept a mail.
    #[error("failed to send a mail: {0}; check that the sender is verified in SES, and SES's sandbox")]
    Mail(String),
}
