//! What the stand-in knows: event types, hosts, bookings.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeBounds,
};

use chrono::{DateTime, Datelike, NaiveTime, SecondsFormat, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    StandIn,
    faults::{Fault, RequestKind, Sky},
};

/// A bookable service.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// Its id.
    pub id: u64,
    /// How long a booking lasts.
    pub minutes: u32,
    /// The zone of its opening hours.
    pub time_zone: Tz,
    /// Its hosts. One books that host, several book the one with the fewest bookings that is free.
    pub hosts: Vec<BookedHost>,
    /// When it opens, in full hours.
    #[serde(default = "nine")]
    pub opens: u32,
    /// When it closes.
    #[serde(default = "eighteen")]
    pub closes: u32,
    /// How long Cal.com thinks between its check and its insert, in milliseconds.
    #[serde(default = "thirty")]
    pub thinks_for: u64,
    /// Whether Sundays are free as well.
    #[serde(default)]
    pub sundays: bool,
    /// How the host appears in the answer to a booking.
    #[serde(default)]
    pub host_when_booked: HostForm,
    /// How the host appears when a booking is read later.
    #[serde(default)]
    pub host_when_read: HostForm,
}

/// One of Cal.com's persons.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BookedHost {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its email, with `+` and 25 characters where it is a managed user.
    pub email: String,
}

/// How a host appears in answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostForm {
    /// With id and email.
    #[default]
    Named,
    /// As the host `unknown` with the id `"unknown"`.
    Unknown,
    /// Not at all: an empty list.
    Empty,
}

/// No booking is longer.
const LONGEST_BOOKING: TimeDelta = TimeDelta::hours(24);

fn nine() -> u32 {
    9
}

fn eighteen() -> u32 {
    18
}

fn thirty() -> u64 {
    30
}

/// A booking.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// With which key it was made. A key lists what was made with it alone.
    pub(crate) key: String,
    pub(crate) number: u64,
    pub(crate) uid: String,
    pub(crate) event_type: u64,
    pub(crate) host: BookedHost,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    pub(crate) status: &'static str,
    pub(crate) attendee: Value,
    pub(crate) metadata: Value,
    pub(crate) made_at: DateTime<Utc>,
    pub(crate) attendee_absent: bool,
    /// The booking that took its place.
    pub(crate) rescheduled_to: Option<String>,
}

/// All that the stand-in knows.
#[derive(Default)]
pub struct Calendar {
    pub(crate) event_types: BTreeMap<u64, EventType>,
    pub(crate) bookings: Vec<Made>,
    /// Which of the bookings each host has, by their start.
    of_host: HashMap<u64, BTreeMap<DateTime<Utc>, Vec<usize>>>,
    pub(crate) weather: Option<Sky>,
    pub(crate) faults: Vec<(u64, Fault)>,
    pub(crate) requests: BTreeMap<(u64, RequestKind), u32>,
}

impl StandIn {
    /// Offers these event types.
    pub fn offer(&self, event_types: impl IntoIterator<Item = EventType>) {
        let mut calendar = self.calendar();
        calendar.event_types.extend(event_types.into_iter().map(|event_type| (event_type.id, event_type)));
    }
}

impl Calendar {
    /// The free hosts of an event type at a time, the one with the fewest bookings first.
    pub(crate) fn free_hosts(&self, event_type: &EventType, start: DateTime<Utc>) -> Vec<BookedHost> {
        let is_free = |host: &&BookedHost| self.is_free(host, event_type, start);
        let mut free: Vec<BookedHost> = event_type.hosts.iter().filter(is_free).cloned().collect();
        free.sort_by_key(|host| self.standing_of(host, ..).count());
        free
    }

    fn is_free(&self, host: &BookedHost, event_type: &EventType, start: DateTime<Utc>) -> bool {
        let end = start + length(event_type);
        !self.standing_of(host, start - LONGEST_BOOKING..end).any(|made| start < made.end)
    }

    /// The bookings of a host that begin within this time and are not cancelled.
    fn standing_of(&self, host: &BookedHost, within: impl RangeBounds<DateTime<Utc>>) -> impl Iterator<Item = &Made> {
        let bookings = self.of_host.get(&host.id).map(|bookings| bookings.range(within));
        let numbers = bookings.into_iter().flatten().flat_map(|(_, numbers)| numbers);
        numbers.map(|&number| &self.bookings[number]).filter(|made| made.status != "cancelled")
    }

    pub(crate) fn make(&mut self, made: Made) -> Value {
        let answer = self.shown(&made, RequestKind::Book);
        let of_host = self.of_host.entry(made.host.id).or_default();
        of_host.entry(made.start).or_default().push(self.bookings.len());
        self.bookings.push(made);
        answer
    }

    pub(crate) fn find(&mut self, uid: &str) -> Option<&mut Made> {
        self.bookings.iter_mut().find(|made| made.uid == uid)
    }

    /// A booking in Cal.com's form.
    pub(crate) fn shown(&self, made: &Made, request: RequestKind) -> Value {
        let event_type = self.event_types.get(&made.event_type);
        let form = event_type.map_or(HostForm::Named, |event_type| match request {
            RequestKind::Book => event_type.host_when_booked,
            _ => event_type.host_when_read,
        });
        let host = &made.host;
        let hosts = match form {
            HostForm::Named => json!([{
                "id": host.id, "name": host.name, "email": host.email, "displayEmail": display_email(&host.email),
                "username": host.name.to_lowercase(), "timeZone": "Europe/Berlin"}]),
            HostForm::Unknown => {
                json!([{"id": "unknown", "name": "unknown", "email": "unknown", "username": "unknown"}])
            }
            HostForm::Empty => json!([]),
        };
        let mut attendee = made.attendee.clone();
        attendee["absent"] = json!(made.attendee_absent);
        json!({
            "id": made.number, "uid": made.uid, "title": "Termin", "status": made.status, "hosts": hosts,
            "start": iso(made.start), "end": iso(made.end), "duration": (made.end - made.start).num_minutes(),
            "eventTypeId": made.event_type, "eventType": {"id": made.event_type, "slug": "termin"},
            "attendees": [attendee], "bookingFieldsResponses": {}, "metadata": made.metadata,
            "rescheduledToUid": made.rescheduled_to, "createdAt": iso(made.made_at), "updatedAt": iso(made.made_at),
        })
    }

    /// The free slots of an event type between two times, by day.
    pub(crate) fn slots(&self, event_type: &EventType, from: DateTime<Utc>, to: DateTime<Utc>, shown_in: Tz) -> Value {
        let mut days: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let step = length(event_type);
        let zone = event_type.time_zone;
        let is_any_free = |start| event_type.hosts.iter().any(|host| self.is_free(host, event_type, start));
        let mut day = from.with_timezone(&zone).date_naive();
        while day <= to.with_timezone(&zone).date_naive() {
            let opening = NaiveTime::from_hms_opt(event_type.opens, 0, 0)
                .and_then(|time| zone.from_local_datetime(&day.and_time(time)).earliest());
            let mut slot = opening.map(|at| at.to_utc());
            let is_on_this_day = |start: &DateTime<Utc>| start.with_timezone(&zone).date_naive() == day;
            while let Some(start) = slot.filter(|start| is_on_this_day(start) && is_open(event_type, *start)) {
                if start >= from.max(Utc::now()) && start < to && is_any_free(start) {
                    let local = start.with_timezone(&shown_in);
                    let shown = json!({"start": local.to_rfc3339_opts(SecondsFormat::Millis, true)});
                    days.entry(local.date_naive().to_string()).or_default().push(shown);
                }
                slot = Some(start + step);
            }
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
        Value::Object(days.into_iter().map(|(day, slots)| (day, Value::Array(slots))).collect::<Map<_, _>>())
    }
}

/// Whether a booking at this time would lie within the opening hours.
pub(crate) fn is_open(event_type: &EventType, start: DateTime<Utc>) -> bool {
    let local = start.with_timezone(&event_type.time_zone);
    let end = (start + length(event_type)).with_timezone(&event_type.time_zone);
    let closes_in_time = end.date_naive() == local.date_naive() && (end.hour(), end.minute()) <= (event_type.closes, 0);
    let is_sunday = local.weekday() == chrono::Weekday::Sun;
    local.hour() >= event_type.opens
        && (closes_in_time || event_type.closes == 24)
        && (event_type.sundays || !is_sunday)
}

pub(crate) fn length(event_type: &EventType) -> TimeDelta {
    TimeDelta::minutes(i64::from(event_type.minutes))
}

pub(crate) fn new_uid() -> String {
    Uuid::new_v4().simple().to_string()
}

fn display_email(email: &str) -> String {
    match (email.split_once('+'), email.split_once('@')) {
        (Some((name, _)), Some((_, domain))) => format!("{name}@{domain}"),
        _ => email.to_owned(),
    }
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
