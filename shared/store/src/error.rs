//! The errors of the store.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use platform::{aws::error_code, bucket::BucketError};

/// Why the store could not read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer changed the item first. Nothing was written.
    #[error("failed to write an item: another writer was first; try again")]
    Conflict,
    /// Another worker holds the slot lease. Nothing was written.
    #[error("failed to take a slot lease: another worker holds it")]
    SlotTaken,
    /// DynamoDB can't be reached, or refuses. Whether anything was written is unknown.
    #[error("failed to query DynamoDB: {0}")]
    Unavailable(String),
    /// S3 can't be reached, or refuses.
    #[error("failed to use the body of a call: {0}")]
    BodyUnavailable(BucketError),
    /// An item has another form than this version reads: a newer deployed version may have written it.
    #[error("failed to decode a stored item: another version of Frontdesk wrote it, or it is damaged")]
    Undecodable,
    /// A value can't be stored.
    #[error("failed to encode an item")]
    Unencodable,
}

impl<E: ProvideErrorMetadata, R> From<SdkError<E, R>> for StoreError {
    fn from(error: SdkError<E, R>) -> Self {
        match error.as_service_error().and_then(ProvideErrorMetadata::code) {
            Some("ConditionalCheckFailedException") => Self::Conflict,
            _ => Self::Unavailable(error_code(&error)),
        }
    }
}

/// Whether a conditional write was applied: another writer may have been first.
pub(crate) fn applied<T>(written: Result<T, StoreError>) -> Result<bool, StoreError> {
    match written {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}
