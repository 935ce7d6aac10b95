//! All that the stand-in knows, and the clock by which it lives.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeBounds,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    booking::Made,
    event_type::{EventType, Scheduling},
    faults::{Fault, RequestKind, Sky},
    rate_limit::RateLimits,
};

/// No booking is longer.
const MAX_BOOKING_LENGTH: TimeDelta = TimeDelta::hours(24);

/// A person at Cal.com.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The id.
    pub id: u64,
    /// The name.
    pub name: String,
    /// The email, with `+` and 25 characters for a managed user.
    pub email: String,
    /// Whether nobody else may book with this person's email.
    #[serde(default)]
    pub is_impersonation_protected: bool,
}

/// An API key.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The person whose rights it has.
    pub user: u64,
    /// Whether it has expired.
    #[serde(default)]
    pub is_expired: bool,
}

/// A team.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// The id.
    pub id: u64,
    /// The name.
    #[serde(default)]
    pub name: String,
    /// The members.
    pub members: Vec<Member>,
}

/// A member of a team.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The person.
    pub user: u64,
    /// What the person may do.
    pub role: Role,
}

/// What a member of a team may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything that concerns the team's bookings.
    Admin,
    /// To host bookings.
    Member,
}

/// The version of Cal.com that the stand-in stands in for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Generation {
    /// With teams, and without `displayEmail`.
    December2025,
    /// With `displayEmail`, and without teams.
    July2026,
    /// With both, as the hosted service.
    #[default]
    Hosted,
}

/// What a test puts into the stand-in. What it names replaces what had the same id.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Content {
    /// The version of Cal.com.
    pub generation: Option<Generation>,
    /// People.
    pub users: Vec<User>,
    /// Keys by their text.
    pub keys: BTreeMap<String, ApiKey>,
    /// Teams.
    pub teams: Vec<Team>,
    /// Event types.
    pub event_types: Vec<EventType>,
    /// Addresses with which nobody may book (403).
    pub blocked_emails: Vec<String>,
    /// Addresses on Cal.com's watch list: each booking with them fails with 500.
    pub watched_emails: Vec<String>,
    /// How many requests a key may send a minute.
    pub requests_per_minute: Option<u32>,
}

/// A slot that somebody has reserved.
#[derive(Debug, Clone)]
pub(crate) struct Reservation {
    pub(crate) uid: String,
    pub(crate) event_type: u64,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

/// All that the stand-in knows.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) generation: Generation,
    pub(crate) users: BTreeMap<u64, User>,
    pub(crate) keys: BTreeMap<String, ApiKey>,
    pub(crate) teams: BTreeMap<u64, Team>,
    pub(crate) event_types: BTreeMap<u64, EventType>,
    pub(crate) blocked_emails: Vec<String>,
    pub(crate) watched_emails: Vec<String>,
    pub(crate) bookings: Vec<Made>,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) rate_limits: RateLimits,
    pub(crate) weather: Option<Sky>,
    pub(crate) faults: Vec<(u64, Fault)>,
    pub(crate) requests: BTreeMap<(u64, RequestKind), u32>,
    clock: Option<DateTime<Utc>>,
    /// Which bookings each host has, by start.
    of_host: HashMap<u64, BTreeMap<DateTime<Utc>, Vec<usize>>>,
    by_uid: HashMap<String, usize>,
}

impl World {
    /// Adds or replaces what `content` names.
    pub(crate) fn put(&mut self, content: Content) {
        self.generation = content.generation.unwrap_or(self.generation);
        self.users.extend(content.users.into_iter().map(|user| (user.id, user)));
        self.keys.extend(content.keys);
        self.teams.extend(content.teams.into_iter().map(|team| (team.id, team)));
        self.blocked_emails.extend(content.blocked_emails);
        self.watched_emails.extend(content.watched_emails);
        if let Some(limit) = content.requests_per_minute {
            self.rate_limits.limit = limit;
        }
        content.event_types.into_iter().for_each(|event_type| self.offer(event_type));
    }

    /// Offers an event type. One that names no team stays in the team that it had.
    pub(crate) fn offer(&mut self, mut event_type: EventType) {
        for host in &event_type.hosts {
            self.users.entry(host.id).or_insert_with(|| host.clone()).email.clone_from(&host.email);
        }
        event_type.team = event_type.team.or_else(|| self.event_types.get(&event_type.id).and_then(|it| it.team));
        self.event_types.insert(event_type.id, event_type);
    }

    /// Now, by the clock that a test has set.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.unwrap_or_else(Utc::now)
    }

    /// Stops the clock at `now`.
    pub(crate) fn set_clock(&mut self, now: DateTime<Utc>) {
        self.clock = Some(now);
    }

    /// A booking as reads see it, which lag behind writes. `None` if they don't see it yet.
    pub(crate) fn as_read<'m>(&self, made: &'m Made) -> Option<&'m Made> {
        let lag = self.event_types.get(&made.event_type).map_or(0, |event_type| event_type.lag);
        made.at(self.now() - TimeDelta::milliseconds(lag.into()))
    }

    pub(crate) fn booking(&self, uid: &str) -> Option<&Made> {
        self.by_uid.get(uid).map(|&number| &self.bookings[number])
    }

    /// Changes a booking, and notes when.
    pub(crate) fn change(&mut self, uid: &str, change: impl FnOnce(&mut Made)) -> Option<&Made> {
        let (number, now) = (*self.by_uid.get(uid)?, self.now());
        let made = &mut self.bookings[number];
        let (before, host) = (made.clone(), made.host.id);
        change(made);
        made.updated_at = now;
        made.earlier.push((now, Box::new(Made { earlier: Vec::new(), ..before })));
        let (start, now_hosted_by) = (made.start, made.host.id);
        if now_hosted_by != host {
            self.of_host.entry(host).or_default().entry(start).or_default().retain(|&it| it != number);
            self.of_host.entry(now_hosted_by).or_default().entry(start).or_default().push(number);
        }
        Some(&self.bookings[number])
    }

    pub(crate) fn insert(&mut self, made: Made) -> &Made {
        let number = self.bookings.len();
        self.of_host.entry(made.host.id).or_default().entry(made.start).or_default().push(number);
        self.by_uid.insert(made.uid.clone(), number);
        self.bookings.push(made);
        &self.bookings[number]
    }

    /// The hosts of an event type that are free at a time, longest unbooked first. All requests that are checked at the
    /// same moment find the same host first.
    pub(crate) fn free_hosts(
        &self,
        event_type: &EventType,
        start: DateTime<Utc>,
        except: Option<&str>,
        wished: &[u64],
    ) -> Vec<User> {
        let wished: Vec<u64> =
            wished.iter().copied().filter(|id| event_type.hosts.iter().any(|host| host.id == *id)).collect();
        let counts = |host: &&User| wished.is_empty() || !event_type.is_host_selectable || wished.contains(&host.id);
        let is_free = |host: &&User| self.is_free(host, event_type, start, except);
        let mut free: Vec<User> = event_type.hosts.iter().filter(counts).filter(is_free).cloned().collect();
        if event_type.scheduling() == Scheduling::Collective && free.len() < event_type.hosts.len() {
            return Vec::new();
        }
        free.sort_by_key(|host| self.last_booked(host.id, event_type.id));
        free
    }

    fn last_booked(&self, host: u64, event_type: u64) -> Option<DateTime<Utc>> {
        let is_active = |made: &&Made| made.event_type == event_type && made.status != "cancelled";
        self.bookings_of(host, ..).filter(is_active).map(|made| made.created_at).max()
    }

    /// Whether no accepted booking of the host overlaps. A pending one does not count.
    pub(crate) fn is_free(
        &self,
        host: &User,
        event_type: &EventType,
        start: DateTime<Utc>,
        except: Option<&str>,
    ) -> bool {
        let (from, to) = event_type.occupied(start);
        let overlaps = |made: &Made| {
            let is_other = except.is_none_or(|uid| made.uid != uid);
            let (made_from, made_to) = self.occupied_by(made);
            is_other && made.status == "accepted" && made_from < to && from < made_to
        };
        let hosted = self.bookings_of(host.id, from - MAX_BOOKING_LENGTH..to + MAX_BOOKING_LENGTH);
        !hosted.into_iter().any(overlaps)
            && !self.bookings.iter().rev().take(50).any(|made| made.co_hosts.contains(&host.id) && overlaps(made))
    }

    fn occupied_by(&self, made: &Made) -> (DateTime<Utc>, DateTime<Utc>) {
        let buffers = self.event_types.get(&made.event_type).map(EventType::buffers).unwrap_or_default();
        (made.start - buffers.0, made.end + buffers.1)
    }

    fn bookings_of(&self, host: u64, within: impl RangeBounds<DateTime<Utc>>) -> impl Iterator<Item = &Made> {
        let bookings = self.of_host.get(&host).map(|bookings| bookings.range(within));
        bookings.into_iter().flatten().flat_map(|(_, numbers)| numbers).map(|&number| &self.bookings[number])
    }

    /// Whether an accepted booking of this host has exactly this time, which Cal.com's database forbids.
    pub(crate) fn is_identical_taken(&self, host: u64, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        self.bookings_of(host, start..=start).any(|made| made.end == end && made.status == "accepted")
    }

    /// Whether a person hosts a booking, attends it, or may see it as an administrator of its team.
    pub(crate) fn may_see(&self, user: &User, made: &Made) -> bool {
        made.host.id == user.id
            || made.co_hosts.contains(&user.id)
            || made.attendees.iter().any(|attendee| attendee.email == user.email)
            || self
                .event_types
                .get(&made.event_type)
                .and_then(|it| it.team)
                .is_some_and(|team| self.is_admin(user, team))
    }

    pub(crate) fn is_admin(&self, user: &User, team: u64) -> bool {
        self.role(user, team).is_some_and(|role| role != Role::Member)
    }

    pub(crate) fn role(&self, user: &User, team: u64) -> Option<Role> {
        self.teams.get(&team)?.members.iter().find(|member| member.user == user.id).map(|member| member.role)
    }

    pub(crate) fn has_display_emails(&self) -> bool {
        self.generation != Generation::December2025
    }
}
