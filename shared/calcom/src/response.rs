//! Cal.com's responses.

use chrono::{DateTime, Utc};
use scheduling::{
    booking::{Booking, BookingStatus, Host, HostEvidence, Hosts, NoHost},
    exchange::Exchange,
    ids::{AppointmentId, BookingUid, EventTypeId, HostId},
    personal::Personal,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::request::APPOINTMENT_KEY;

/// A value, with the exchange that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response<T> {
    /// The value.
    pub value: T,
    /// The exchange.
    pub exchange: Exchange,
}

/// A booking in a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBooking {
    /// The booking.
    pub booking: Booking,
    /// The appointments that it was made for, if it was made by us. A booking with seats is made for several.
    pub appointments: Vec<AppointmentId>,
    /// Whether Cal.com has noted that the customer did not come.
    pub attendee_absent: bool,
    /// The booking that it was rescheduled to.
    pub rescheduled_to: Option<BookingUid>,
    /// When it was made; `None` where Cal.com does not say so.
    pub made_at: Option<DateTime<Utc>>,
}

/// A booking of ours in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBooking {
    /// When it was made; `None` where Cal.com does not say so.
    pub made_at: Option<DateTime<Utc>>,
    /// Whether it is one of a series that one request made.
    pub is_in_series: bool,
    /// The booking; `None` where it has a form that can't be read.
    pub booking: Option<Booking>,
}

/// A booking in Cal.com's form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBooking {
    uid: String,
    status: BookingStatus,
    start: DateTime<Utc>,
    event_type_id: Option<u64>,
    event_type: Option<RawEventType>,
    #[serde(default)]
    hosts: Value,
    #[serde(default)]
    rescheduled_to_uid: Value,
}

#[derive(Deserialize)]
struct RawEventType {
    id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHost {
    id: Value,
    email: Option<String>,
    display_email: Option<String>,
}

/// The `data` of a response, or the response itself if a proxy or an older version left out the envelope.
pub(crate) fn data(body: &[u8]) -> Option<Value> {
    match serde_json::from_slice(body).ok()? {
        Value::Object(mut envelope) if envelope.contains_key("data") => envelope.remove("data"),
        bare => Some(bare),
    }
}

/// The booking in a response. Of a recurring event type's bookings it is the first.
pub fn booking(body: &[u8]) -> Option<FoundBooking> {
    match data(body)? {
        Value::Array(bookings) => one_booking(bookings.into_iter().next()?),
        one => one_booking(one),
    }
}

/// One page of a list of bookings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Every booking on the page, including those not made by Frontdesk.
    pub rows: Vec<Row>,
    /// Those that were made for the appointment.
    pub ours: Vec<ListedBooking>,
}

/// What identifies a booking in a list, and orders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its uid, or all of it where it has none.
    pub identity: String,
    /// When it was made.
    pub made_at: Option<DateTime<Utc>>,
    /// Whether it was made for the appointment.
    pub is_ours: bool,
}

fn row(booking: &Value, is_ours: bool) -> Row {
    Row {
        identity: booking["uid"].as_str().map_or_else(|| booking.to_string(), str::to_owned),
        made_at: made_at(booking),
        is_ours,
    }
}

fn made_at(booking: &Value) -> Option<DateTime<Utc>> {
    booking["createdAt"].as_str()?.parse().ok()
}

/// The bookings in a response to a list that were made for `appointment`. Only their metadata identifies them, so that
/// one that can't be read is still found.
pub fn page(body: &[u8], appointment: &AppointmentId) -> Option<Page> {
    let Value::Array(bookings) = data(body)? else { return None };
    let mut page = Page { rows: Vec::new(), ours: Vec::new() };
    for booking in bookings {
        let is_ours = appointments_of(&booking).contains(appointment);
        page.rows.push(row(&booking, is_ours));
        if is_ours {
            page.ours.push(ListedBooking {
                made_at: made_at(&booking),
                is_in_series: !booking["recurringBookingUid"].is_null(),
                booking: one_booking(booking).map(|found| found.booking),
            });
        }
    }
    Some(page)
}

/// One page of a list of bookings, including those not made by Frontdesk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// Every booking on the page.
    pub rows: Vec<Row>,
    /// Those that could be read.
    pub bookings: Vec<Booking>,
}

/// The bookings in a response to a list.
pub fn list(body: &[u8]) -> Option<ListPage> {
    let Value::Array(bookings) = data(body)? else { return None };
    let rows = bookings.iter().map(|booking| row(booking, false)).collect();
    let read = bookings.into_iter().filter_map(one_booking).map(|found| found.booking);
    Some(ListPage { rows, bookings: read.collect() })
}

/// The host to whom a booking was given instead.
pub fn reassigned(body: &[u8]) -> Option<Host> {
    one_host(data(body)?.get_mut("reassignedTo")?.take())
}

/// The free slots in a response, in order.
pub fn slots(body: &[u8]) -> Option<Vec<DateTime<Utc>>> {
    #[derive(Deserialize)]
    struct Slot {
        start: DateTime<Utc>,
    }
    let days: Map<String, Value> = serde_json::from_value(data(body)?).ok()?;
    let mut starts = Vec::new();
    for day in days.into_values() {
        let slots: Vec<Slot> = serde_json::from_value(day).ok()?;
        starts.extend(slots.into_iter().map(|slot| slot.start));
    }
    starts.sort_unstable();
    Some(starts)
}

fn one_booking(value: Value) -> Option<FoundBooking> {
    let appointments = appointments_of(&value);
    let (attendee_absent, made_at) = (is_booker_absent(&value), made_at(&value));
    let raw: RawBooking = serde_json::from_value(value).ok()?;
    let event_type = raw.event_type_id.or(raw.event_type.map(|event_type| event_type.id))?;
    Some(FoundBooking {
        booking: Booking {
            uid: Some(raw.uid).filter(|uid| !uid.is_empty()).map(BookingUid::new)?,
            status: raw.status,
            event_type: EventTypeId(event_type),
            start: raw.start,
            hosts: hosts(raw.hosts),
        },
        appointments,
        attendee_absent,
        made_at,
        rescheduled_to: raw.rescheduled_to_uid.as_str().filter(|uid| !uid.is_empty()).map(BookingUid::new),
    })
}

/// The appointments that a booking was made for: in its metadata, or in that of its seats.
fn appointments_of(booking: &Value) -> Vec<AppointmentId> {
    let seats = booking["attendees"].as_array().into_iter().flatten();
    let places = std::iter::once(booking).chain(seats);
    places.filter_map(|place| place["metadata"].get(APPOINTMENT_KEY)?.as_str()).map(AppointmentId::new).collect()
}

/// Whether the customer did not come. The other hosts of a collective booking are attendees, too: the customer is the
/// one whose email was given when it was booked, else the first.
fn is_booker_absent(booking: &Value) -> bool {
    let given = &booking["bookingFieldsResponses"]["email"];
    let attendees = booking["attendees"].as_array().into_iter().flatten();
    let by_email = attendees.clone().find(|attendee| given.is_string() && attendee["email"] == *given);
    by_email.or_else(|| attendees.clone().next()).is_some_and(|booker| booker["absent"] == Value::Bool(true))
}

/// The hosts, or why there are none. A host whose id is not a number does not exist.
fn hosts(value: Value) -> HostEvidence {
    let Value::Array(listed) = value else { return no_hosts(NoHost::Empty) };
    let reason = if listed.is_empty() { NoHost::Empty } else { NoHost::Unknown };
    let known: Vec<Host> = listed.into_iter().filter_map(one_host).collect();
    Hosts::try_from(known).map_or_else(|_| no_hosts(reason), HostEvidence::Named)
}

fn one_host(value: Value) -> Option<Host> {
    let raw: RawHost = serde_json::from_value(value).ok()?;
    let id = raw.id.as_u64().or_else(|| raw.id.as_str()?.parse().ok())?;
    Some(Host {
        id: HostId(id),
        email: raw.email.map(Personal::new),
        display_email: raw.display_email.map(Personal::new),
    })
}

fn no_hosts(reason: NoHost) -> HostEvidence {
    HostEvidence::None { reason, looked_up_again: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn made(hosts: Value) -> Value {
        json!({"uid": "u1", "status": "accepted", "start": "2026-12-01T08:00:00.000Z", "eventTypeId": 7,
               "hosts": hosts, "metadata": {"frontdeskAppointmentId": "a1"}})
    }

    fn read(answer: &Value) -> Option<FoundBooking> {
        booking(answer.to_string().as_bytes())
    }

    #[test]
    fn a_booking_is_read_alone_in_a_list_and_without_its_envelope() {
        let bare = made(json!([{"id": 3, "email": "a@b.example"}]));
        let found = read(&bare).unwrap();
        assert_eq!(found.appointments, [AppointmentId::new("a1")]);
        assert_eq!(read(&json!({"status": "success", "data": bare.clone()})), Some(found.clone()));
        assert_eq!(read(&json!({"status": "success", "data": [bare]})), Some(found));
    }

    #[test]
    fn the_hosts_are_named_or_the_reason_is() {
        let evidence = |hosts| read(&made(hosts)).unwrap().booking.hosts;
        let none = |reason| HostEvidence::None { reason, looked_up_again: false };
        assert_eq!(evidence(json!([])), none(NoHost::Empty));
        assert_eq!(evidence(Value::Null), none(NoHost::Empty));
        assert_eq!(
            evidence(json!([{"id": "unknown", "name": "unknown", "email": "unknown", "username": "unknown"}])),
            none(NoHost::Unknown)
        );
        let HostEvidence::Named(hosts) = evidence(json!([{"id": "unknown"}, {"id": 5}, {"id": 6}])) else {
            panic!("two hosts have a number");
        };
        assert_eq!(hosts.iter().map(|host| host.id.0).collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn an_unknown_status_does_not_lose_a_booking() {
        let mut answer = made(json!([]));
        answer["status"] = json!("awaiting_host");
        assert_eq!(read(&answer).unwrap().booking.status, BookingStatus::Other);
    }

    #[test]
    fn a_booking_of_ours_is_seen_in_a_list_even_where_it_cannot_be_read() {
        let strange = json!({"uid": 7, "metadata": {"frontdeskAppointmentId": "a1"}});
        let other = json!({"uid": "u2", "metadata": {"frontdeskAppointmentId": "a2"}});
        let answer = json!({"status": "success", "data": [made(json!([])), strange, other, null, 3]});
        let page = page(answer.to_string().as_bytes(), &AppointmentId::new("a1")).unwrap();
        let readable: Vec<bool> = page.ours.iter().map(|listed| listed.booking.is_some()).collect();
        assert_eq!((page.rows.len(), readable), (5, vec![true, false]));
    }

    #[test]
    fn an_absent_attendee_is_noticed() {
        let mut answer = made(json!([]));
        assert!(!read(&answer).unwrap().attendee_absent);
        answer["attendees"] = json!([{"name": "a", "absent": false}]);
        assert!(!read(&answer).unwrap().attendee_absent);
        answer["attendees"] = json!([{"name": "a", "absent": true}]);
        assert!(read(&answer).unwrap().attendee_absent);
        assert_eq!(read(&answer).unwrap().rescheduled_to, None);
        answer["rescheduledToUid"] = json!("u2");
        assert_eq!(read(&answer).unwrap().rescheduled_to, Some(BookingUid::new("u2")));
    }

    #[test]
    fn an_absent_co_host_is_no_absent_customer() {
        let mut answer = made(json!([]));
        answer["attendees"] = json!([{"email": "max@kunde.example", "absent": false},
                                     {"email": "lena@salon.example", "absent": true}]);
        assert!(!read(&answer).unwrap().attendee_absent);
        answer["bookingFieldsResponses"] = json!({"email": "lena@salon.example"});
        assert!(read(&answer).unwrap().attendee_absent, "this time she was the customer");
    }

    #[test]
    fn the_seats_of_a_booking_name_their_appointments() {
        let mut answer = made(json!([]));
        answer["metadata"] = Value::Null;
        answer["attendees"] = json!([{"metadata": {"frontdeskAppointmentId": "a1"}}, {"metadata": {}},
                                     {"metadata": {"frontdeskAppointmentId": "a2"}}]);
        assert_eq!(read(&answer).unwrap().appointments, [AppointmentId::new("a1"), AppointmentId::new("a2")]);
    }

    #[test]
    fn slots_come_in_order_and_in_utc() {
        let answer = json!({"status": "success", "data": {
            "2026-12-02": [{"start": "2026-12-02T09:00:00.000+01:00"}],
            "2026-12-01": [{"start": "2026-12-01T10:00:00.000+01:00"}, {"start": "2026-12-01T09:00:00.000+01:00"}]}});
        let starts: Vec<String> =
            slots(answer.to_string().as_bytes()).unwrap().into_iter().map(|start| start.to_rfc3339()).collect();
        assert_eq!(starts, ["2026-12-01T08:00:00+00:00", "2026-12-01T09:00:00+00:00", "2026-12-02T08:00:00+00:00"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (booking(&bytes), page(&bytes, &AppointmentId::new("a")), slots(&bytes));
        }
    }
}
