//! Webhooks that are not taken, and what their sender is told.

use platform::{queues::QueueError, secrets::SecretError, store::StoreError};
use retell::{event::NotAnEvent, signature::Refused};

/// Why a webhook is not taken. What it says of itself goes to the sender and holds nothing of what was sent.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It isn't Retell's, or comes too late.
    #[error("{0}")]
    Signature(#[from] Refused),
    /// It is signed and yet no event.
    #[error("{0}")]
    NotAnEvent(#[from] NotAnEvent),
    /// It is larger than we take.
    #[error("the body is larger than 4 MiB")]
    TooLarge,
    /// No tenant of the account that signed has this agent or number.
    #[error("no tenant of this account has the call's agent_id or to_number")]
    UnknownTenant,
    /// It could not be stored. Retell sends it again.
    #[error("the call can't be stored now; send it again")]
    StoreDown(StoreError),
    /// It is stored and could not be queued. Retell sends it again.
    #[error("the call can't be queued now; send it again")]
    QueueDown(QueueError),
    /// The keys can't be read. Retell sends it again.
    #[error("the signature can't be checked now; send it again")]
    KeysDown(SecretError),
}

impl IntakeError {
    /// The HTTP status. 5xx are for what Retell shall send again.
    pub fn status(&self) -> i64 {
        match self {
            Self::Signature(_) => 401,
            Self::NotAnEvent(_) => 400,
            Self::TooLarge => 413,
            Self::UnknownTenant => 404,
            Self::StoreDown(_) | Self::QueueDown(_) | Self::KeysDown(_) => 503,
        }
    }

    /// The word for it in answers, logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Signature(Refused::Missing) => "signature_missing",
            Self::Signature(Refused::Malformed) => "signature_malformed",
            Self::Signature(Refused::Stale) => "signature_stale",
            Self::Signature(Refused::Wrong) => "signature_wrong",
            Self::NotAnEvent(NotAnEvent::NotJson) => "not_json",
            Self::NotAnEvent(NotAnEvent::NotRetell | NotAnEvent::BadName) => "not_a_retell_event",
            Self::TooLarge => "too_large",
            Self::UnknownTenant => "unknown_tenant",
            Self::StoreDown(_) => "store_down",
            Self::QueueDown(_) => "queue_down",
            Self::KeysDown(_) => "keys_down",
        }
    }

    /// What stands behind a 503, for the log alone.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::StoreDown(error) => Some(error.to_string()),
            Self::QueueDown(error) => Some(error.to_string()),
            Self::KeysDown(error) => Some(error.to_string()),
            _ => None,
        }
    }
}
