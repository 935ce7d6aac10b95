//! The bodies of requests to Cal.com.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use scheduling::ids::{AppointmentId, CallId, EventTypeId, HostId};
use serde::Serialize;
use serde_json::Value;

/// The key in a booking's `metadata` that holds our appointment's id.
pub const APPOINTMENT_KEY: &str = "frontdeskAppointmentId";
/// The key in a booking's `metadata` that holds the call's id.
pub const CALL_KEY: &str = "frontdeskCallId";

/// The body of `POST /v2/bookings`.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewBooking {
    #[serde(serialize_with = "in_utc")]
    start: DateTime<Utc>,
    event_type_id: EventTypeId,
    attendee: Attendee,
    metadata: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    booking_fields_responses: BTreeMap<&'static str, String>,
    #[serde(rename = "rrHostSubsetIds", skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<HostId>,
}

/// The customer. Cal.com needs an email or a phone number, and treats an empty value as missing.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attendee {
    /// The name.
    pub name: String,
    /// IANA name of the zone in which the customer reads the time.
    pub time_zone: String,
    /// The email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The number in E.164 form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// ISO 639 letters of the language in which Cal.com writes to the customer.
    pub language: String,
}

impl NewBooking {
    /// A booking that carries our ids, so that it can be found if the response is lost.
    pub fn new(
        appointment: &AppointmentId,
        call: &CallId,
        event_type: EventTypeId,
        start: DateTime<Utc>,
        attendee: Attendee,
    ) -> Self {
        let metadata = BTreeMap::from([(APPOINTMENT_KEY, appointment.to_string()), (CALL_KEY, call.to_string())]);
        Self {
            start,
            event_type_id: event_type,
            attendee,
            metadata,
            booking_fields_responses: BTreeMap::new(),
            hosts: Vec::new(),
        }
    }

    /// The same booking with notes, which the host reads in Cal.com's calendar and mails.
    #[must_use]
    pub fn with_notes(mut self, notes: Option<String>) -> Self {
        self.booking_fields_responses.extend(notes.map(|notes| ("notes", notes)));
        self
    }

    /// The same booking for one host of a round robin. Cal.com ignores a host that it does not know, and any host if the
    /// event type does not allow the choice: compare the host that it returns.
    #[must_use]
    pub fn with_host(mut self, host: Option<HostId>) -> Self {
        self.hosts.extend(host);
        self
    }

    /// The body as it is stored: without the customer.
    pub(crate) fn without_customer(&self) -> Value {
        let mut kept = serde_json::to_value(self).unwrap_or_default();
        for field in ["name", "email", "phoneNumber"] {
            if let Some(value) = kept["attendee"].get_mut(field) {
                *value = Value::from("[personal]");
            }
        }
        if let Some(notes) = kept["bookingFieldsResponses"].get_mut("notes") {
            *notes = Value::from("[personal]");
        }
        kept
    }
}

/// Which slots to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotsWindow {
    /// From this time.
    pub start: DateTime<Utc>,
    /// To this time.
    pub end: DateTime<Utc>,
}

/// An instant in Cal.com's own form.
pub(crate) fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn in_utc<S: serde::Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&utc(*at))
}
