//! The tables. Every one is read by key or index; none is scanned.
//!
//! | table | partition key | sort key | holds |
//! |---|---|---|---|
//! | appointments | `id` | `item`: `appointment`, `answer#<attempt>#<request>#<part>`, `call#<id>` | each appointment with Cal.com's answers, and further calls that ask for the same |
//! | | `customer#<customer>` | `<start>#<service>` | which appointment a customer has for what |
//! | | `slot#<account>#<start>` | `lease` | who alone may book at this account for this start now |
//! | | `pause#<account>` | `pause` | until when an account is left alone whose key Cal.com refuses |
//! | | an appointment's `id` | `counted` | what was counted of it |
//! | figures | `about`: `day#<date>` | `[tenant, source, service, version]` | counters |
//! | | `versions` | the version | when it was seen |
//! | | `alerts` | `<rule>#<scope>` | what there is cause for alarm about |
//! | calls | `call` (`<tenant>#<call id>`) | `event` (`<name>#<digest>#<part>`) | each webhook's body, compressed |
//! | | `customer#<customer>` | `call#<call id>` | which calls came from a number |
//! | tenants | `key` | `item` | `tenant#<id>`: the tenant (`tenant`) and its host mappings (`host#<id>`); `agent#<id>` and `number#<number>`: whose calls these are (`route`) |

mod appointments;
mod calls;
mod customers;
mod figures;
mod index;
mod parts;
mod pauses;
mod slots;
mod tenants;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::AttributeValue,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;

pub use appointments::{Along, Appointments, ExchangeRecord, Overdue, StoredExchange, Version};
pub use calls::{CallEvent, Calls, Recorded};
pub use customers::{Asked, Pointers};
pub use figures::{Alert, Countable, CounterStore};
pub use index::{Cursor, Page, Phase};
pub use pauses::{Pause, Pauses};
pub use slots::{SlotChange, SlotLease};
pub use tenants::{TenantRecord, Tenants};

/// A DynamoDB item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the item first. Nothing was written.
    #[error("the stored version is another one by now")]
    Conflict,
    /// Somebody else is booking at the same account for the same start. Nothing was written.
    #[error("another worker books for the same start")]
    SlotTaken,
    /// DynamoDB can't be reached, or refuses. Whether anything was written is not known.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// What is stored can't be read, or what is to be stored can't be written.
    #[error("a stored item does not have the form that this version knows")]
    Unreadable,
}

impl<E: ProvideErrorMetadata, R> From<SdkError<E, R>> for StoreError {
    fn from(error: SdkError<E, R>) -> Self {
        match error.as_service_error().and_then(ProvideErrorMetadata::code) {
            Some("ConditionalCheckFailedException") => Self::Conflict,
            _ => Self::Unavailable(code_of(&error)),
        }
    }
}

/// The service's code for an error, or what kept the request from reaching it. Holds nothing of the request.
pub(crate) fn code_of<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    let transport = match error {
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(_) => "not_reached",
        SdkError::ConstructionFailure(_) => "not_sent",
        _ => "unreadable_answer",
    };
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or(transport).to_owned()
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// An instant in a form that sorts as text.
pub(crate) fn sortable(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn read<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|_| StoreError::Unreadable)
}

pub(crate) fn written(value: &impl serde::Serialize) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(|_| StoreError::Unreadable)
}

/// Whether a conditional write was made: somebody else may have been first.
fn happened<T>(written: Result<T, StoreError>) -> Result<bool, StoreError> {
    match written {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}
