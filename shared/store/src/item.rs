//! Conversions between values and DynamoDB items.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::error::StoreError;

/// A DynamoDB item.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn bytes(value: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// The first 96 bits of the SHA-256 of some bytes, as text: enough to tell stored values apart.
pub(crate) fn fingerprint(of: &[u8]) -> String {
    Sha256::digest(of)[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One of so many groups, evenly and always the same for a text. The hash is not the standard library's, which may differ from
/// release to release.
pub(crate) fn group_of(text: &str, groups: u32) -> u32 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 16) % groups
}

/// An instant in a form that sorts as text.
pub(crate) fn sortable(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An instant as an attribute that sorts.
pub(crate) fn timestamp(at: DateTime<Utc>) -> AttributeValue {
    text(sortable(at))
}

/// The value of an item. Unknown attributes pass: two deployed versions read each other's items.
pub(crate) fn decode<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    serde_dynamo::from_item(item).map_err(|_| StoreError::Undecodable)
}

/// The item of a value.
pub(crate) fn encode(value: &impl Serialize) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(|_| StoreError::Unencodable)
}

/// Takes a text out of an item.
pub(crate) fn take_text(item: &mut Item, name: &str) -> Result<String, StoreError> {
    match item.remove(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(StoreError::Undecodable),
    }
}

/// Takes a whole number out of an item.
pub(crate) fn take_number(item: &mut Item, name: &str) -> Result<u64, StoreError> {
    match item.remove(name) {
        Some(AttributeValue::N(number)) => number.parse().map_err(|_| StoreError::Undecodable),
        _ => Err(StoreError::Undecodable),
    }
}

/// Takes bytes out of an item.
pub(crate) fn take_bytes(item: &mut Item, name: &str) -> Result<Vec<u8>, StoreError> {
    match item.remove(name) {
        Some(AttributeValue::B(bytes)) => Ok(bytes.into_inner()),
        _ => Err(StoreError::Undecodable),
    }
}
