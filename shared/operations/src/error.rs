//! Why something that a person wanted was not done.

use platform::{bucket::BucketSetupError, env::EnvError, queues::QueueError};
use scheduling::{
    appointment::{Appointment, InvalidTransition, ReviewBooking, State},
    ids::AppointmentId,
    tenant::NoEventType,
};
use store::StoreError;

/// Why something that a person wanted was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// There is no such thing.
    #[error("failed to find {0}")]
    NotFound(String),
    /// It is not possible as things are.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// Somebody else changed it first. Nothing was written.
    #[error("failed to change it: somebody else was first; look at it again")]
    Changed,
    /// Cal.com could not be used. The text says what to do.
    #[error("{0}")]
    Calcom(String),
    /// Something is left that doing it again completes.
    #[error("{0}")]
    Incomplete(String),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// A queue failed. What was stored is found by the reconciler.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The environment lacks something.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A bucket can't be used.
    #[error(transparent)]
    Bucket(#[from] BucketSetupError),
}

/// Why it is not possible as things are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Cal.com may hold a booking that is not stored.
    #[error("Cal.com may hold a booking of it")]
    MaybeBooked,
    /// It is booked.
    #[error("it is booked")]
    Booked,
    /// It has no start that is still to come.
    #[error("it has no start that is still to come")]
    NoStart,
    /// It does not need a person, or is not booked, or is closed.
    #[error("it is {0}")]
    OtherState(&'static str),
    /// No event type fits.
    #[error("{0}")]
    NoEventType(NoEventType),
    /// The customer has that already.
    #[error("the customer has that already, as {0}")]
    HasItAlready(AppointmentId),
    /// The tenant file says whom the host is.
    #[error("the tenant file says whom this host is: change `host_mappings` there and load it")]
    MappedInFile,
}

impl Refusal {
    /// Why an appointment can't be settled.
    pub fn to_settle(appointment: &Appointment) -> Self {
        match appointment.state() {
            State::NeedsReview { booking: ReviewBooking::Unconfirmed(_), .. } => Self::MaybeBooked,
            State::NeedsReview { booking: ReviewBooking::Booked(_), .. } => Self::Booked,
            State::NeedsReview { .. } => Self::NoStart,
            state => Self::OtherState(state.name().as_str()),
        }
    }
}

impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Changed,
            error => Self::Store(error),
        }
    }
}

impl From<InvalidTransition> for OperationError {
    fn from(invalid: InvalidTransition) -> Self {
        Self::Refused(Refusal::OtherState(invalid.from.as_str()))
    }
}
