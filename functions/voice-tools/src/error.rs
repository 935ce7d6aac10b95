//! Requests that are refused, and what keeps a tool from answering.

use intake::{NotBase64, VerifyError};
use platform::queues::QueueError;
use retell::{event::EventError, signature::SignatureError};
use scheduling::appointment::InvalidTransition;
use store::{StoreError, step::StepError};

/// Why a request is refused. The text goes to the sender and holds nothing of what was sent.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It isn't Retell's, or the keys could not be read.
    #[error("{0}")]
    Unverified(#[from] VerifyError),
    /// It is signed, but no call of a tool.
    #[error("{0}")]
    Body(#[from] EventError),
    /// The keys could not be read in time.
    #[error("failed to verify the signature in time; send it again")]
    TooSlow,
    /// There is no such tool.
    #[error("there is no such tool; see infra/voice-agent")]
    UnknownTool,
}

impl RequestError {
    /// The HTTP status.
    pub fn status(&self) -> i64 {
        match self {
            Self::Unverified(VerifyError::Signature(_)) => 401,
            Self::Unverified(VerifyError::KeysUnavailable(_)) | Self::TooSlow => 503,
            Self::Body(_) => 400,
            Self::UnknownTool => 404,
        }
    }

    /// The word for it in responses, logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unverified(VerifyError::Signature(SignatureError::Missing)) => "signature_missing",
            Self::Unverified(VerifyError::Signature(SignatureError::Malformed)) => "signature_malformed",
            Self::Unverified(VerifyError::Signature(SignatureError::Stale)) => "signature_stale",
            Self::Unverified(VerifyError::Signature(SignatureError::Wrong)) => "signature_wrong",
            Self::Unverified(VerifyError::KeysUnavailable(_)) | Self::TooSlow => "keys_unavailable",
            Self::Body(EventError::NotJson) => "not_json",
            Self::Body(_) => "not_a_tool_call",
            Self::UnknownTool => "unknown_tool",
        }
    }
}

impl From<NotBase64> for RequestError {
    fn from(NotBase64: NotBase64) -> Self {
        Self::Body(EventError::NotJson)
    }
}

/// What kept a tool from answering. The caller hears that the calendar can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A step of booking failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// It took too long.
    #[error("failed to answer in time: a service that Frontdesk needs is slow")]
    TooSlow,
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        Self::Step(error.into())
    }
}

impl From<QueueError> for ToolError {
    fn from(error: QueueError) -> Self {
        Self::Step(error.into())
    }
}

impl From<InvalidTransition> for ToolError {
    fn from(error: InvalidTransition) -> Self {
        Self::Step(error.into())
    }
}
