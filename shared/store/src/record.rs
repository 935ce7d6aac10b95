//! The item of an appointment.

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure};
use scheduling::{appointment::Appointment, timing::Timing};
use serde::{Deserialize, Serialize};

use crate::{
    error::StoreError,
    indexes,
    item::{Item, decode, encode, number, text},
    schema::RECORD,
    transaction::{build_put, put},
};

/// The condition that nobody else has written the appointment.
pub(crate) const UNCHANGED: &str = "#version = :version";

/// The version of a stored appointment. Each write requires the version that was read, and increments it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version(pub(crate) u64);

/// A stored value with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// The version that a write must name.
    pub version: Version,
}

/// The item of an appointment: the appointment, and the keys of the indexes that it belongs to.
pub(crate) fn item_of(
    appointment: &Appointment,
    Version(version): Version,
    timing: &Timing,
) -> Result<Item, StoreError> {
    let mut item = encode(appointment)?;
    item.insert("item".to_owned(), text(RECORD));
    item.insert("version".to_owned(), number(version));
    indexes::insert_keys(&mut item, appointment, timing);
    Ok(item)
}

/// The put of a new appointment. If it exists, the cancelled transaction returns it.
pub(crate) fn put_new(appointment: &Appointment, table: &str, timing: &Timing) -> Result<Put, StoreError> {
    build_put(
        put(table, item_of(appointment, Version(1), timing)?)
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld),
    )
}

/// The appointment in an item.
pub(crate) fn versioned(item: Item) -> Result<Versioned<Appointment>, StoreError> {
    #[derive(Deserialize)]
    struct Stored {
        version: Version,
        #[serde(flatten)]
        appointment: Appointment,
    }
    let Stored { version, appointment } = decode(item)?;
    Ok(Versioned { value: appointment, version })
}
