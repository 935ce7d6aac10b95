//! Why a page can't be shown.

use operations::{OperationError, people::PeopleError};
use platform::signed::ServiceError;
use store::StoreError;

/// Why a page can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// There is no such page, or not for this person: both look the same.
    #[error("not found")]
    NotFound,
    /// The form is not one of this session's.
    #[error("the form was not sent by the desk")]
    Forged,
    /// An operation failed.
    #[error(transparent)]
    Operation(OperationError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user pool or the back office failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<PeopleError> for PageError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Pool(error) => Self::Service(error),
            PeopleError::Store(error) => Self::Store(error),
            PeopleError::Env(error) => Self::Operation(error.into()),
        }
    }
}

impl From<OperationError> for PageError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::NotFound(_) => Self::NotFound,
            error => Self::Operation(error),
        }
    }
}
