//! Webhooks that are rejected, and the response to their sender.

use intake::{IntakeError, NotBase64, VerifyError};
use platform::{queues::QueueError, secrets::SecretError};
use retell::{event::EventError, signature::SignatureError};
use store::StoreError;

/// Why a webhook is rejected. The text goes to the sender and holds nothing of what was sent.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// It isn't Retell's, or is too old.
    #[error("{0}")]
    Signature(#[from] SignatureError),
    /// It is signed, but no event.
    #[error("{0}")]
    Event(#[from] EventError),
    /// It could not be stored. Retell retries.
    #[error("failed to store the call; send it again")]
    StoreUnavailable(StoreError),
    /// It is stored and could not be queued. Retell retries.
    #[error("failed to queue the call; send it again")]
    QueueUnavailable(QueueError),
    /// The keys could not be read. Retell retries.
    #[error("failed to verify the signature; send it again")]
    KeysUnavailable(SecretError),
}

impl WebhookError {
    /// The HTTP status. With 5xx Retell retries.
    pub fn status(&self) -> i64 {
        match self {
            Self::Signature(_) => 401,
            Self::Event(_) => 400,
            Self::StoreUnavailable(_) | Self::QueueUnavailable(_) | Self::KeysUnavailable(_) => 503,
        }
    }

    /// The word for it in responses, logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Signature(SignatureError::Missing) => "signature_missing",
            Self::Signature(SignatureError::Malformed) => "signature_malformed",
            Self::Signature(SignatureError::Stale) => "signature_stale",
            Self::Signature(SignatureError::Wrong) => "signature_wrong",
            Self::Event(EventError::NotJson) => "not_json",
            Self::Event(EventError::NotRetell | EventError::BadName) => "not_a_retell_event",
            Self::StoreUnavailable(_) => "store_unavailable",
            Self::QueueUnavailable(_) => "queue_unavailable",
            Self::KeysUnavailable(_) => "keys_unavailable",
        }
    }

    /// The cause of a 503, for the log only.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::StoreUnavailable(error) => Some(error.to_string()),
            Self::QueueUnavailable(error) => Some(error.to_string()),
            Self::KeysUnavailable(error) => Some(error.to_string()),
            _ => None,
        }
    }
}

impl From<VerifyError> for WebhookError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Signature(error) => Self::Signature(error),
            VerifyError::KeysUnavailable(error) => Self::KeysUnavailable(error),
        }
    }
}

impl From<NotBase64> for WebhookError {
    fn from(NotBase64: NotBase64) -> Self {
        Self::Event(EventError::NotJson)
    }
}

impl From<IntakeError> for WebhookError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Store(error) => Self::StoreUnavailable(error),
            IntakeError::Queue(error) => Self::QueueUnavailable(error),
        }
    }
}
