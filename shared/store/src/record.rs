//! The item of an appointment.
//!
//! DynamoDB bills each begun kilobyte, twice within a transaction, and an appointment is written eight times. Its history, which
//! is half of it and repeats the same words, is therefore stored compressed.

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure};
use chrono::{DateTime, Utc};
use scheduling::{
    appointment::{Appointment, Outline},
    ids::AppointmentId,
    timing::Timing,
};
use serde::{Deserialize, Serialize};

use crate::{
    blob,
    error::StoreError,
    indexes,
    item::{Item, bytes, decode, encode, number, take_bytes, take_number, text},
    schema::{BY_TENANT, RECORD},
    transaction::{build_put, put},
};

/// The condition that nobody else has written the appointment.
pub(crate) const UNCHANGED: &str = "#version = :version";

/// The attribute of the compressed history: JSON, as what it adds to [`USUAL_HISTORY`]. Its name says which base that is.
const HISTORY: &str = "history_1";
/// The attribute of the outline: JSON in one text, which is read faster than nested attributes. If what a field means changes,
/// the attribute needs another name: those who read it don't look at the appointment.
const OUTLINE: &str = "outline_1";
/// The words of a usual history. It must never change: what was stored with it can't be read without it.
const USUAL_HISTORY: &[u8] = br#"[{"at":"2026-11-26T08:00:00.000000000Z","to":"requested","cause":"requested","by":"webhook-intake","version":"0000000"},{"at":"2026-11-26T08:00:00.000000000Z","from":"requested","to":"booking","cause":"claimed","by":"calcom-booking","version":"0000000"},{"at":"2026-11-26T08:00:00.000000000Z","from":"booking","to":"booked","cause":"booked","by":"calcom-booking","version":"0000000"},{"at":"2026-11-26T08:00:00.000000000Z","from":"booked","to":"assigned","cause":"assigned:host_email","by":"staff-assignment","version":"0000000"},{"at":"2026-11-26T08:00:00.000000000Z","from":"assigned","to":"completed","cause":"completed","by":"past-cleanup","version":"0000000"}]"#;

/// The version of a stored appointment. Each write requires the version that was read, and increments it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version(pub(crate) u64);

impl Version {
    /// The version of what was inserted.
    pub const FIRST: Self = Self(1);
}

/// A stored value with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// The version that a write must name.
    pub version: Version,
}

/// An appointment as a list of very many shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: AppointmentId,
    /// When it was first requested.
    pub created_at: DateTime<Utc>,
    /// When it starts.
    pub start: Option<DateTime<Utc>>,
    /// Its outline.
    pub outline: Outline,
}

impl Listed {
    /// The attributes that it is made of.
    pub(crate) const ATTRIBUTES: [&str; 4] = ["id", "created_at", BY_TENANT.sort, OUTLINE];
}

impl From<Appointment> for Listed {
    fn from(appointment: Appointment) -> Self {
        let (start, outline) = (appointment.start(), appointment.outline());
        Self { id: appointment.id, created_at: appointment.created_at, start, outline }
    }
}

/// The listed appointment in some attributes of an item, or its id if another version stored it without an outline that can be
/// read.
pub(crate) fn listed(item: Item) -> Result<Result<Listed, AppointmentId>, StoreError> {
    #[derive(Deserialize)]
    struct Stored {
        id: AppointmentId,
        created_at: DateTime<Utc>,
        // Where it is listed, which is its start if it has one.
        tenant_start: DateTime<Utc>,
        #[serde(rename = "outline_1")]
        outline: Option<String>,
    }
    let Stored { id, created_at, tenant_start, outline } = decode(item)?;
    let Some(outline) = outline else { return Ok(Err(id)) };
    // What another version wrote may not be readable; the appointment is.
    let Ok(outline) = serde_json::from_str::<Outline>(&outline) else { return Ok(Err(id)) };
    Ok(Ok(Listed { id, created_at, start: (!outline.is_undated).then_some(tenant_start), outline }))
}

/// The item of an appointment: the appointment, and the keys of the indexes that it belongs to.
pub(crate) fn item_of(
    appointment: &Appointment,
    Version(version): Version,
    timing: &Timing,
) -> Result<Item, StoreError> {
    let mut item = encode(appointment)?;
    item.remove("history");
    let history = serde_json::to_vec(appointment.history()).map_err(|_| StoreError::Unencodable)?;
    item.insert(HISTORY.to_owned(), bytes(blob::compress(&history, USUAL_HISTORY)?));
    let outline = serde_json::to_string(&appointment.outline()).map_err(|_| StoreError::Unencodable)?;
    item.insert(OUTLINE.to_owned(), text(outline));
    item.insert("item".to_owned(), text(RECORD));
    item.insert("version".to_owned(), number(version));
    indexes::insert_keys(&mut item, appointment, timing);
    Ok(item)
}

/// The put of a new appointment. If it exists, the cancelled transaction returns it.
pub(crate) fn put_new(appointment: &Appointment, table: &str, timing: &Timing) -> Result<Put, StoreError> {
    build_put(
        put(table, item_of(appointment, Version::FIRST, timing)?)
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld),
    )
}

/// The appointment in an item.
pub(crate) fn versioned(mut item: Item) -> Result<Versioned<Appointment>, StoreError> {
    let version = take_number(&mut item, "version").map(Version)?;
    // Another version may store it as it is.
    if !item.contains_key("history") {
        let history = blob::decompress(&take_bytes(&mut item, HISTORY)?, USUAL_HISTORY)?;
        let history: serde_json::Value = serde_json::from_slice(&history).map_err(|_| StoreError::Undecodable)?;
        let history = serde_dynamo::to_attribute_value(history).map_err(|_| StoreError::Undecodable)?;
        item.insert("history".to_owned(), history);
    }
    Ok(Versioned { value: decode(item)?, version })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use scheduling::{
        appointment::{Actor, ChangeKind, Confirmation, Outcome},
        booking::{Booking, BookingStatus, HostEvidence, NoHost},
        contact::Customer,
        ids::{BookingUid, CallId, EventTypeId, Source, TenantId},
        personal::Personal,
        request::{AppointmentRequest, Intent},
        start_time::RequestedStart,
    };

    use super::*;

    /// An appointment that was booked at the second attempt.
    fn booked() -> Appointment {
        let began: DateTime<Utc> = "2027-03-01T08:00:00.123456789Z".parse().unwrap();
        let by = |function, minutes| Actor {
            function,
            version: "3fa9c1b",
            now: began + TimeDelta::minutes(minutes),
            person: None,
        };
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: Some("Haarschnitt".to_owned()),
            start: RequestedStart::exactly(began + TimeDelta::days(3)),
            customer: Customer {
                name: Some(Personal::new("Erika Beispiel".to_owned())),
                phone: Some(Personal::new("+4930901821".to_owned())),
                email: Some(Personal::new("erika@beispiel.example".to_owned())),
                ..Customer::default()
            },
            staff: None,
            notes: Some(Personal::new("lange Haare".to_owned())),
        };
        let call = CallId::new("call_2c9e5b7a41d84f6e93b05f1a");
        let requested =
            Appointment::new(TenantId::new("salon-sommer"), call, Source::phone(), request, by("webhook-intake", 0));
        let booking = Booking {
            uid: BookingUid::new("ae8383fd03604d4eaebed6"),
            status: BookingStatus::Accepted,
            event_type: EventTypeId(2_563_193),
            start: began + TimeDelta::days(3),
            hosts: HostEvidence::None { reason: NoHost::Empty, looked_up_again: false },
        };
        let died = requested.claim(TimeDelta::minutes(1), by("calcom-booking", 0)).unwrap().appointment().clone();
        let claimed = died.claim(TimeDelta::minutes(1), by("calcom-booking", 5)).unwrap();
        claimed.confirm(booking, Confirmation::Booked, by("calcom-booking", 6))
    }

    #[test]
    fn an_appointment_is_read_as_it_was_written_and_its_history_takes_little() {
        let appointment = booked();
        let item = item_of(&appointment, Version(4), &Timing::default()).unwrap();
        let history = item[HISTORY].as_b().unwrap().as_ref().len();
        assert!(history < 150 && !item.contains_key("history"), "{history}");
        assert_eq!(versioned(item).unwrap(), Versioned { value: appointment, version: Version(4) });
    }

    #[test]
    fn an_appointment_is_listed_from_a_few_attributes_as_it_is() {
        let mut appointment = booked();
        let by = Actor { function: "calcom-events", version: "1", now: Utc::now(), person: None };
        for is_cancelled in [false, true] {
            if is_cancelled {
                appointment.close(Outcome::CancelledAtCalcom, by).unwrap();
            }
            let mut item = item_of(&appointment, Version(4), &Timing::default()).unwrap();
            assert!(item[OUTLINE].as_s().unwrap().len() < if is_cancelled { 150 } else { 40 }, "{item:?}");
            item.retain(|name, _| Listed::ATTRIBUTES.contains(&name.as_str()));
            let listed = listed(item).unwrap().unwrap();
            let whole = Listed::from(appointment.clone());
            // Where it is listed has milliseconds.
            assert_eq!(listed.start.unwrap().timestamp_millis(), whole.start.unwrap().timestamp_millis());
            assert_eq!(Listed { start: whole.start, ..listed.clone() }, whole);
            let change = listed.outline.last_change.map(|change| (change.kind, change.at_calcom));
            assert_eq!(change, is_cancelled.then_some((ChangeKind::Cancel, true)));
        }
    }

    #[test]
    fn what_another_version_stored_without_an_outline_that_can_be_read_is_read_whole() {
        let appointment = booked();
        let mut item = item_of(&appointment, Version(4), &Timing::default()).unwrap();
        item.insert(OUTLINE.to_owned(), text(r#"{"s":"a_state_of_the_next_version"}"#));
        assert_eq!(listed(item.clone()).unwrap(), Err(appointment.id.clone()));
        item.remove(OUTLINE);
        assert_eq!(listed(item).unwrap(), Err(appointment.id));
    }

    #[test]
    fn a_history_that_another_version_stored_plainly_is_read() {
        let appointment = booked();
        let mut item = item_of(&appointment, Version(4), &Timing::default()).unwrap();
        item.remove(HISTORY);
        item.insert("history".to_owned(), encode(&appointment).unwrap().remove("history").unwrap());
        assert_eq!(versioned(item).unwrap().value, appointment);
    }

    #[test]
    fn what_a_history_adds_is_added_to_the_words_that_never_change() {
        // Whatever is stored can't be read with other words: another base needs another name.
        assert_eq!(
            (HISTORY, crate::item::fingerprint(USUAL_HISTORY).as_str()),
            ("history_1", "d62616cc78f7d0d7353281ee")
        );
    }
}
