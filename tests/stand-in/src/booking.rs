//! Bookings, and how Cal.com shows them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::{
    event_type::{HostForm, Scheduling, username},
    world::{User, World},
};

/// A booking.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) uid: String,
    /// The uid in calendars, which stays when a booking is moved.
    pub(crate) ics_uid: String,
    pub(crate) event_type: u64,
    /// The organizer.
    pub(crate) host: User,
    /// The other hosts of a collective event type.
    pub(crate) co_hosts: Vec<u64>,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    pub(crate) status: &'static str,
    pub(crate) cancellation_reason: String,
    /// The customer, then the other hosts of a collective event type; several customers of a seated one.
    pub(crate) attendees: Vec<Attendee>,
    pub(crate) responses: Value,
    pub(crate) metadata: Value,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) rescheduled_from: Option<String>,
    pub(crate) rescheduled_to: Option<String>,
    pub(crate) series: Option<String>,
    /// How it was before each change.
    pub(crate) earlier: Vec<(DateTime<Utc>, Box<Self>)>,
}

/// An attendee.
#[derive(Debug, Clone)]
pub(crate) struct Attendee {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) time_zone: String,
    pub(crate) language: String,
    pub(crate) phone: Option<String>,
    pub(crate) is_absent: bool,
    /// The uid and metadata of a seat.
    pub(crate) seat: Option<(String, Value)>,
}

/// In which response a booking is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShownIn {
    Booked,
    Read,
}

impl Made {
    /// The booking as it was at a time, if it existed.
    pub(crate) fn at(&self, time: DateTime<Utc>) -> Option<&Self> {
        if self.created_at > time {
            return None;
        }
        Some(self.earlier.iter().find(|(changed, _)| *changed > time).map_or(self, |(_, before)| before))
    }

    pub(crate) fn is_active(&self) -> bool {
        matches!(self.status, "accepted" | "pending")
    }

    /// The booking in Cal.com's form.
    pub(crate) fn shown(&self, world: &World, number: usize, shown_in: ShownIn) -> Value {
        let event_type = world.event_types.get(&self.event_type);
        let form = event_type.map_or(HostForm::Named, |it| match shown_in {
            ShownIn::Booked => it.host_when_booked,
            ShownIn::Read => it.host_when_read,
        });
        let is_seated = event_type.is_some_and(|it| it.seats.is_some());
        let with_display = world.has_display_emails();
        let attendees: Vec<Value> =
            self.attendees.iter().map(|attendee| attendee.shown(with_display, is_seated)).collect();
        let slug = event_type.map_or("", |it| it.slug.as_str());
        let organizer = match event_type.map(|it| (it.scheduling(), it.team)) {
            Some((Scheduling::Collective, Some(team))) => {
                world.teams.get(&team).map_or(self.host.name.as_str(), |team| team.name.as_str())
            }
            _ => self.host.name.as_str(),
        };
        let attendee = self.attendees.first().map_or("", |attendee| attendee.name.as_str());
        let mut shown = json!({
            "id": number + 1, "uid": self.uid, "title": format!("{slug} zwischen {organizer} und {attendee}"),
            "description": self.description(is_seated), "hosts": self.hosts(form, with_display), "status": self.status,
            "cancellationReason": self.cancellation_reason, "cancelledByEmail": "", "rescheduledByEmail": null,
            "start": iso(self.start), "end": iso(self.end), "duration": (self.end - self.start).num_minutes(),
            "eventTypeId": self.event_type, "eventType": {"id": self.event_type, "slug": slug},
            "meetingUrl": "Salon Sommer, Berlin", "location": "Salon Sommer, Berlin", "absentHost": false,
            "createdAt": iso(self.created_at), "updatedAt": iso(self.updated_at), "metadata": self.metadata,
            "rating": null, "icsUid": self.ics_uid, "attendees": attendees,
            "bookingFieldsResponses": self.responses,
        });
        if with_display && let Some(email) = self.responses["email"].as_str() {
            shown["bookingFieldsResponses"]["displayEmail"] = json!(display_email(email));
            if shown_in == ShownIn::Booked {
                shown["isPlatformManagedUserBooking"] = json!(false);
            }
        }
        for (key, uid) in [("rescheduledFromUid", &self.rescheduled_from), ("rescheduledToUid", &self.rescheduled_to)] {
            if let Some(uid) = uid {
                shown[key] = json!(uid);
            }
        }
        let mut left_out: Vec<&str> = Vec::new();
        if is_seated {
            left_out.extend(["metadata", "bookingFieldsResponses", "cancelledByEmail"]);
            let latest = self.attendees.last().and_then(|attendee| attendee.seat.as_ref());
            if let (ShownIn::Booked, Some((seat, _))) = (shown_in, latest) {
                shown["seatUid"] = json!(seat);
            }
        }
        if let Some(series) = &self.series {
            shown["recurringBookingUid"] = json!(series);
            left_out.push("rescheduledByEmail");
        }
        if let Some(shown) = shown.as_object_mut() {
            left_out.iter().for_each(|key| drop(shown.remove(*key)));
        }
        shown
    }

    fn description(&self, is_seated: bool) -> Value {
        if is_seated { Value::Null } else { json!(self.responses["notes"].as_str().unwrap_or_default()) }
    }

    fn hosts(&self, form: HostForm, with_display: bool) -> Value {
        let unknown = || {
            let mut host = json!({"id": "unknown", "name": "unknown", "email": "unknown", "username": "unknown"});
            if with_display {
                host["displayEmail"] = json!("unknown");
            }
            json!([host])
        };
        match form {
            HostForm::Named => {
                let host = &self.host;
                let mut shown = json!({"id": host.id, "name": host.name, "email": host.email,
                                       "username": username(host), "timeZone": "Europe/Berlin"});
                if with_display {
                    shown["displayEmail"] = json!(display_email(&host.email));
                }
                json!([shown])
            }
            HostForm::Unknown => unknown(),
            HostForm::Empty => json!([]),
        }
    }
}

impl Attendee {
    fn shown(&self, with_display: bool, is_seated: bool) -> Value {
        let mut shown = json!({"name": self.name, "email": self.email, "timeZone": self.time_zone,
                               "language": self.language, "absent": self.is_absent});
        if with_display {
            shown["displayEmail"] = json!(display_email(&self.email));
        }
        if let Some(phone) = &self.phone {
            shown["phoneNumber"] = json!(phone);
        }
        if let (true, Some((uid, metadata))) = (is_seated, &self.seat) {
            shown["seatUid"] = json!(uid);
            shown["bookingFieldsResponses"] = json!({"name": self.name, "guests": []});
            shown["metadata"] = metadata.clone();
        }
        shown
    }
}

/// How many letters and digits a managed user's address carries behind its `+`.
const MANAGED_SUFFIX: usize = 25;

/// An address without a managed user's suffix.
pub(crate) fn display_email(email: &str) -> String {
    match email.split_once('@').and_then(|(local, domain)| Some((local.rsplit_once('+')?, domain))) {
        Some(((name, suffix), domain)) if suffix.len() == MANAGED_SUFFIX => format!("{name}@{domain}"),
        _ => email.to_owned(),
    }
}

/// An instant in Cal.com's form.
pub(crate) fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
