//! Event types: when they are open, and how Cal.com shows them.

use chrono::{DateTime, Datelike, Days, NaiveTime, SecondsFormat, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::world::{Reservation, User, World};

/// A bookable service.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// Its id.
    pub id: u64,
    /// Its name in links and titles.
    #[serde(default = "termin")]
    pub slug: String,
    /// How long a booking lasts.
    pub minutes: u32,
    /// The zone of its opening hours.
    pub time_zone: Tz,
    /// Its hosts.
    pub hosts: Vec<User>,
    /// The team that it belongs to. Without one it is the personal event type of its first host.
    #[serde(default)]
    pub team: Option<u64>,
    /// Whether all of its hosts take part, instead of one of them.
    #[serde(default)]
    pub is_collective: bool,
    /// When it opens, in full hours.
    #[serde(default = "nine")]
    pub opens: u32,
    /// When it closes.
    #[serde(default = "eighteen")]
    pub closes: u32,
    /// On which days it is closed, `Sun` for instance.
    #[serde(default = "sunday")]
    pub closed_on: Vec<Weekday>,
    /// How long Cal.com takes between its check and its insert, in milliseconds.
    #[serde(default = "thirty")]
    pub thinks_for: u64,
    /// How far reads of its bookings lag behind writes, in milliseconds.
    #[serde(default)]
    pub lag: u32,
    /// Minutes that stay free before a booking.
    #[serde(default)]
    pub buffer_before: u32,
    /// Minutes that stay free after a booking.
    #[serde(default)]
    pub buffer_after: u32,
    /// How many minutes ahead it must be booked.
    #[serde(default)]
    pub notice: u32,
    /// How many days ahead it can be booked.
    #[serde(default)]
    pub days_ahead: Option<u32>,
    /// How many attendees share one booking.
    #[serde(default)]
    pub seats: Option<u32>,
    /// How many weekly bookings one request makes.
    #[serde(default)]
    pub weekly: Option<u32>,
    /// Whether the host must confirm each booking.
    #[serde(default)]
    pub must_be_confirmed: bool,
    /// Whether an attendee may have only one booking to come.
    #[serde(default)]
    pub is_one_per_attendee: bool,
    /// Whether it takes only one booking a day.
    #[serde(default)]
    pub is_one_per_day: bool,
    /// Whether a booking may name its host.
    #[serde(default)]
    pub is_host_selectable: bool,
    /// Whether the attendee needs no email.
    #[serde(default)]
    pub is_email_optional: bool,
    /// Whether the attendee needs a phone number, which is then validated.
    #[serde(default)]
    pub is_phone_required: bool,
    /// Fields of its own that a booking must answer.
    #[serde(default)]
    pub required_fields: Vec<RequiredField>,
    /// Whether its attendees must verify their email.
    #[serde(default)]
    pub verifies_email: bool,
    /// Whether its attendees must log in.
    #[serde(default)]
    pub wants_login: bool,
    /// Its price.
    #[serde(default)]
    pub price: u32,
    /// Whether it is a template of a team's managed event types, which can't be booked.
    #[serde(default)]
    pub is_managed_parent: bool,
    /// How the host appears in the response to a booking.
    #[serde(default)]
    pub host_when_booked: HostForm,
    /// How the host appears when a booking is read later.
    #[serde(default)]
    pub host_when_read: HostForm,
}

/// A field of an event type's own.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredField {
    /// Its name in requests.
    pub slug: String,
    /// Its name for people.
    pub label: String,
}

/// How a host appears in responses.
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

/// Who of the hosts takes a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheduling {
    Personal,
    RoundRobin,
    Collective,
}

fn termin() -> String {
    "termin".to_owned()
}

fn nine() -> u32 {
    9
}

fn eighteen() -> u32 {
    18
}

fn thirty() -> u64 {
    30
}

fn sunday() -> Vec<Weekday> {
    vec![Weekday::Sun]
}

impl EventType {
    pub(crate) fn scheduling(&self) -> Scheduling {
        match (self.team.is_some() || self.hosts.len() > 1, self.is_collective) {
            (false, _) => Scheduling::Personal,
            (true, false) => Scheduling::RoundRobin,
            (true, true) => Scheduling::Collective,
        }
    }

    pub(crate) fn length(&self) -> TimeDelta {
        TimeDelta::minutes(self.minutes.into())
    }

    pub(crate) fn buffers(&self) -> (TimeDelta, TimeDelta) {
        (TimeDelta::minutes(self.buffer_before.into()), TimeDelta::minutes(self.buffer_after.into()))
    }

    /// The time that a booking occupies, with its buffers.
    pub(crate) fn occupied(&self, start: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let (before, after) = self.buffers();
        (start - before, start + self.length() + after)
    }

    /// Whether a booking at this time is within the opening hours.
    pub(crate) fn is_open(&self, start: DateTime<Utc>) -> bool {
        let (local, end) =
            (start.with_timezone(&self.time_zone), (start + self.length()).with_timezone(&self.time_zone));
        let ends_in_time = self.closes == 24
            || end.date_naive() == local.date_naive() && (end.hour(), end.minute()) <= (self.closes, 0);
        local.hour() >= self.opens && ends_in_time && !self.closed_on.contains(&local.weekday())
    }

    /// Whether the minimum notice and the booking window allow a booking at this time.
    pub(crate) fn is_in_window(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let last_day =
            self.days_ahead.map(|days| now.with_timezone(&self.time_zone).date_naive() + Days::new(days.into()));
        start >= now + TimeDelta::minutes(self.notice.into())
            && last_day.is_none_or(|day| start.with_timezone(&self.time_zone).date_naive() <= day)
    }

    /// The free slots between two times, by day in `shown_in`.
    pub(crate) fn slots(
        &self,
        world: &World,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        shown_in: Tz,
        wished: &[u64],
    ) -> Value {
        let mut days: std::collections::BTreeMap<String, Vec<Value>> = std::collections::BTreeMap::new();
        let (zone, now) = (self.time_zone, world.now());
        let is_reserved = |start| {
            let end = start + self.length();
            let blocks =
                |it: &Reservation| it.event_type == self.id && it.until > now && it.start < end && start < it.end;
            world.reservations.iter().any(blocks)
        };
        let is_free = |start| !world.free_hosts(self, start, None, wished).is_empty() && !is_reserved(start);
        let mut day = from.with_timezone(&zone).date_naive();
        while day <= to.with_timezone(&zone).date_naive() {
            let opening = NaiveTime::from_hms_opt(self.opens, 0, 0);
            let opening = opening.and_then(|time| zone.from_local_datetime(&day.and_time(time)).earliest());
            let mut slot = opening.map(|at| at.to_utc());
            let is_on_this_day = |start: &DateTime<Utc>| start.with_timezone(&zone).date_naive() == day;
            while let Some(start) = slot.filter(|start| is_on_this_day(start) && self.is_open(*start)) {
                if start >= from.max(now) && start < to && self.is_in_window(start, now) && is_free(start) {
                    let local = start.with_timezone(&shown_in);
                    let shown = json!({"start": local.to_rfc3339_opts(SecondsFormat::Millis, true)});
                    days.entry(local.date_naive().to_string()).or_default().push(shown);
                }
                slot = Some(start + self.length());
            }
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
        Value::Object(days.into_iter().map(|(day, slots)| (day, Value::Array(slots))).collect::<Map<_, _>>())
    }

    /// The event type as Cal.com shows it. `team` is how it shows the team.
    pub(crate) fn shown(&self, team: Option<Value>) -> Value {
        let mut shown = json!({
            "id": self.id, "lengthInMinutes": self.minutes, "title": self.slug, "slug": self.slug, "description": "",
            "locations": [{"type": "address", "address": "Salon Sommer, Berlin", "public": true}],
            "bookingFields": self.booking_fields(), "recurrence": self.recurrence(), "disableGuests": false,
            "slotInterval": null, "minimumBookingNotice": self.notice, "beforeEventBuffer": self.buffer_before,
            "afterEventBuffer": self.buffer_after, "metadata": {}, "price": self.price, "currency": "usd",
            "lockTimeZoneToggleOnBookingPage": false, "forwardParamsSuccessRedirect": true,
            "successRedirectUrl": null, "isInstantEvent": false, "scheduleId": null,
            "onlyShowFirstAvailableSlot": false, "offsetStart": 0, "bookingWindow": self.booking_window(),
            "confirmationPolicy": disabled_unless(self.must_be_confirmed,
                json!({"type": "always", "blockUnconfirmedBookingsInBooker": false})),
            "requiresBookerEmailVerification": self.verifies_email, "hideCalendarNotes": false,
            "seats": self.seats.map_or(json!({"disabled": true}), |seats| json!({"disabled": false,
                "seatsPerTimeSlot": seats, "showAttendeeInfo": true, "showAvailabilityCount": true})),
            "useDestinationCalendarEmail": false, "hideCalendarEventDetails": false, "hideOrganizerEmail": false,
            "hidden": false, "bookingRequiresAuthentication": self.wants_login,
            "bookerActiveBookingsLimit": disabled_unless(self.is_one_per_attendee,
                json!({"maximumActiveBookings": 1, "offerReschedule": true})),
        });
        if self.is_one_per_day {
            shown["bookingLimitsCount"] = json!({"day": 1});
        }
        match team {
            Some(team) => self.add_team(&mut shown, team),
            None => {
                let owner = self.hosts.first();
                shown["ownerId"] = json!(owner.map(|host| host.id));
                shown["users"] = json!(
                    owner
                        .map(|host| json!({
                            "id": host.id, "name": host.name, "username": username(host), "avatarUrl": null,
                            "brandColor": null, "darkBrandColor": null, "weekStart": "Monday", "metadata": {}
                        }))
                        .into_iter()
                        .collect::<Vec<_>>()
                );
            }
        }
        shown
    }

    fn add_team(&self, shown: &mut Value, team: Value) {
        let is_round_robin = self.scheduling() == Scheduling::RoundRobin;
        let hosts = self.hosts.iter().map(|host| {
            let mut shown =
                json!({"userId": host.id, "name": host.name, "username": username(host), "avatarUrl": null});
            if is_round_robin {
                shown["mandatory"] = json!(false);
                shown["priority"] = json!("medium");
            }
            shown
        });
        let scheduling = match (self.is_managed_parent, is_round_robin) {
            (true, _) => "managed",
            (false, true) => "roundRobin",
            (false, false) => "collective",
        };
        let more = json!({
            "calVideoSettings": null, "hosts": hosts.collect::<Vec<_>>(), "teamId": self.team, "ownerId": null,
            "parentEventTypeId": null, "schedulingType": scheduling, "assignAllTeamMembers": false, "team": team,
            "rescheduleWithSameRoundRobinHost": false, "rrHostSubsetEnabled": self.is_host_selectable,
        });
        if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
            shown.extend(more);
        }
    }

    fn booking_fields(&self) -> Value {
        let field = |kind: &str, slug: &str, required: bool| {
            json!({"isDefault": true, "type": kind, "slug": slug, "required": required, "disableOnPrefill": false,
                   "hidden": false})
        };
        let mut fields = vec![
            json!({"isDefault": true, "type": "name", "slug": "name", "required": true, "label": "your_name",
                   "disableOnPrefill": false}),
            field("email", "email", !self.is_email_optional),
        ];
        if self.is_phone_required {
            fields.push(field("phone", "attendeePhoneNumber", true));
        }
        fields.push(json!({"isDefault": true, "type": "radioInput", "slug": "location", "required": false,
                           "hidden": false}));
        if self.team.is_some() {
            fields.push(json!({"isDefault": true, "type": "text", "slug": "title", "required": true,
                               "disableOnPrefill": false, "hidden": true}));
        }
        fields.extend(self.required_fields.iter().map(|own| {
            json!({"isDefault": false, "type": "text", "slug": own.slug, "label": own.label, "required": true,
                   "placeholder": "", "disableOnPrefill": false, "hidden": false})
        }));
        fields.push(field("textarea", "notes", false));
        fields.push(field("multiemail", "guests", false));
        fields.push(field("textarea", "rescheduleReason", false));
        Value::Array(fields)
    }

    fn recurrence(&self) -> Value {
        let weekly = |count| json!({"disabled": false, "interval": 1, "occurrences": count, "frequency": "weekly"});
        self.weekly.map_or(Value::Null, weekly)
    }

    fn booking_window(&self) -> Value {
        let days = |days| json!({"type": "calendarDays", "value": days, "rolling": false});
        self.days_ahead.map_or(json!({"disabled": true}), days)
    }
}

fn disabled_unless(applies: bool, shown: Value) -> Value {
    if applies { shown } else { json!({"disabled": true}) }
}

/// Cal.com's name of a person in links.
pub(crate) fn username(user: &User) -> String {
    user.name.to_lowercase().replace(' ', "-")
}
