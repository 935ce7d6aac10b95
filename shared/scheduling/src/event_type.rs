//! What Cal.com says about its event types: how long they last, who hosts them, and what prevents a booking.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    assignment::HostMapping,
    booking::Host,
    ids::{EventTypeId, HostId},
    slot::{SlotHosts, SlotSpan},
    tenant::{StaffMember, Tenant},
};

/// What an account's key sees at Cal.com.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// When Cal.com was queried.
    pub checked_at: DateTime<Utc>,
    /// The event types that it sees.
    pub event_types: BTreeMap<EventTypeId, EventType>,
}

/// An event type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventType {
    /// The team that it belongs to; `None` for a personal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<u64>,
    /// How long a booking lasts, in minutes.
    pub minutes: u32,
    /// Minutes that stay free before a booking.
    #[serde(default)]
    pub buffer_before: u32,
    /// Minutes that stay free after a booking.
    #[serde(default)]
    pub buffer_after: u32,
    /// Its hosts.
    pub hosts: Vec<Host>,
    /// Whether Cal.com chooses one of its hosts.
    #[serde(default)]
    pub is_round_robin: bool,
    /// Whether a booking may name its host (`rrHostSubsetEnabled`).
    #[serde(default)]
    pub is_host_selectable: bool,
    /// Whether the key sees the bookings of all of its hosts.
    #[serde(default)]
    pub is_visible: bool,
    /// Whether a booking may carry notes.
    #[serde(default)]
    pub takes_notes: bool,
    /// What prevents a booking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<SetupFault>,
}

/// What is set up so that no booking can be made, or none that Frontdesk could answer for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupFault {
    /// A booking field of the event type's own is required. This is its name.
    RequiredField(String),
    /// Bookers must verify their email.
    EmailVerification,
    /// Only some emails may book.
    EmailRule,
    /// Bookers must log in.
    LoginRequired,
    /// It has no hosts.
    NoHosts,
    /// It is the template of a team's managed event types.
    ManagedParent,
    /// It must be paid.
    Payment,
    /// It has seats: several customers share one booking.
    Seats,
    /// One request makes a series of bookings.
    Recurrence,
    /// Its length can't be chosen, or must be.
    Length,
    /// Cal.com does not know the tenant's language.
    Language,
    /// Cal.com does not know the tenant's time zone.
    TimeZone,
}

impl fmt::Display for SetupFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self {
            Self::RequiredField(name) => {
                return write!(
                    f,
                    "the event type requires the booking field {name:?}, which no caller can fill in: make it optional \
                     in Cal.com under Advanced, Booking questions"
                );
            }
            Self::EmailVerification => {
                "the event type requires email verification: turn it off in Cal.com under Advanced"
            }
            Self::EmailRule => {
                "the event type accepts or excludes certain emails: remove that rule in Cal.com under Advanced, Booking \
                 questions, Email"
            }
            Self::LoginRequired => "the event type requires a login: turn that off in Cal.com under Advanced",
            Self::NoHosts => "the event type has no hosts: add at least one in Cal.com under Assignment",
            Self::ManagedParent => {
                "the event type is the template of managed event types: use those of the staff in the tenant file"
            }
            Self::Payment => "the event type must be paid: set its price to 0 in Cal.com under Apps",
            Self::Seats => {
                "the event type has seats, which Frontdesk does not support: turn off \"Offer seats\" in Cal.com under \
                 Advanced"
            }
            Self::Recurrence => {
                "the event type is recurring, which Frontdesk does not support: turn that off in Cal.com under Recurring"
            }
            Self::Length => "the event type has several lengths: give it one in Cal.com under Basics",
            Self::Language => "Cal.com does not know the tenant's language: correct `language` in the tenant file",
            Self::TimeZone => "Cal.com does not know the tenant's time zone: correct `time_zone` in the tenant file",
        };
        f.write_str(change)
    }
}

impl EventType {
    /// The time that a booking at `start` occupies, of whichever host: even one that is named may be ignored.
    pub fn span(&self, start: DateTime<Utc>) -> SlotSpan {
        let minutes = |minutes: u32| TimeDelta::minutes(minutes.into());
        let hosts = if self.hosts.is_empty() {
            SlotHosts::Any
        } else {
            SlotHosts::Named(self.hosts.iter().map(|host| host.id).collect())
        };
        SlotSpan {
            from: start - minutes(self.buffer_before),
            to: start + minutes(self.minutes) + minutes(self.buffer_after),
            hosts,
        }
    }

    /// The host that is this staff member: by the tenant's mapping, else by email. `None` if there is none, or several.
    pub fn host_of(&self, staff: &StaffMember, tenant: &Tenant, mappings: &[HostMapping]) -> Option<HostId> {
        let is_theirs = |host: &&Host| {
            let mapped = mappings.iter().find(|mapping| mapping.is_of(host, tenant));
            mapped.map_or_else(|| host.has_email_of(staff), |mapping| mapping.staff == staff.id)
        };
        let mut fitting = self.hosts.iter().filter(is_theirs);
        fitting.next().filter(|_| fitting.next().is_none()).map(|host| host.id)
    }
}

impl Catalog {
    /// An event type.
    pub fn event_type(&self, id: EventTypeId) -> Option<&EventType> {
        self.event_types.get(&id)
    }

    /// What prevents that the tenant's services are booked, and what to change.
    pub fn problems(&self, tenant: &Tenant) -> Vec<String> {
        const UNSEEN: &str = "the account's key does not see it: give the number of an event type of the key's user, or \
                              of a team of which that user is an admin";
        const NOT_VISIBLE: &str = "the account's key can't see the bookings of all hosts, so that a lost response could \
                                   not be looked up: use the key of an admin or owner of the team";
        let mut found = Vec::new();
        for (path, id) in services_of(tenant) {
            let problems = match self.event_types.get(&id) {
                None => vec![UNSEEN.to_owned()],
                Some(event_type) => {
                    let visible = (!event_type.is_visible).then(|| NOT_VISIBLE.to_owned());
                    event_type.faults.iter().map(ToString::to_string).chain(visible).collect()
                }
            };
            found.extend(problems.into_iter().map(|problem| format!("{path}: event type {id}: {problem}")));
        }
        found
    }

    /// What should be changed although bookings are possible.
    pub fn advice(&self, tenant: &Tenant) -> Vec<String> {
        let lacks_notes = |(path, id): (String, EventTypeId)| {
            self.event_types.get(&id).filter(|event_type| !event_type.takes_notes)?;
            Some(format!(
                "{path}: event type {id}: its booking field \"notes\" is hidden, so that the staff does not read what \
                 callers say (an allergy, for instance): show it in Cal.com under Advanced, Booking questions"
            ))
        };
        services_of(tenant).filter_map(lacks_notes).collect()
    }
}

/// The event types of a tenant's services, each with its path inside the tenant file.
fn services_of(tenant: &Tenant) -> impl Iterator<Item = (String, EventTypeId)> {
    tenant.services.iter().enumerate().flat_map(|(at, service)| {
        let round_robin = service.event_types.round_robin.iter().map(|id| ("round_robin".to_owned(), *id));
        let per_staff = service.event_types.per_staff.iter().map(|(staff, id)| (format!("per_staff.{staff}"), *id));
        round_robin.chain(per_staff).map(move |(field, id)| (format!("services[{at}].event_types.{field}"), id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assignment::MappingSource, ids::StaffId, personal::Personal, tenant::salon};

    fn host(id: u64, email: &str) -> Host {
        Host { id: HostId(id), email: Some(Personal::new(email.to_owned())), display_email: None }
    }

    fn cut() -> EventType {
        EventType {
            team: Some(1),
            minutes: 30,
            buffer_before: 0,
            buffer_after: 10,
            hosts: vec![host(1, "Anna@salon.example"), host(2, "ben@salon.example")],
            is_round_robin: true,
            is_host_selectable: true,
            is_visible: true,
            takes_notes: true,
            faults: Vec::new(),
        }
    }

    #[test]
    fn a_host_is_known_by_mapping_before_email() {
        let tenant = salon();
        let anna = tenant.staff.iter().find(|member| member.id.as_str() == "anna").unwrap();
        assert_eq!(cut().host_of(anna, &tenant, &[]), Some(HostId(1)));
        let mapping = |host, staff: &str| HostMapping {
            tenant: tenant.id.clone(),
            host: HostId(host),
            staff: StaffId::new(staff),
            source: MappingSource::Operator,
            since: DateTime::UNIX_EPOCH,
        };
        assert_eq!(cut().host_of(anna, &tenant, &[mapping(1, "ben"), mapping(2, "anna")]), Some(HostId(2)));
        assert_eq!(cut().host_of(anna, &tenant, &[mapping(2, "anna")]), None, "two hosts fit");
    }

    #[test]
    fn a_booking_occupies_its_buffers_and_all_hosts_that_may_get_it() {
        let start: DateTime<Utc> = "2026-12-01T09:00:00Z".parse().unwrap();
        let whole = cut().span(start);
        assert_eq!(whole.to - whole.from, TimeDelta::minutes(40));
        assert_eq!(whole.hosts, SlotHosts::Named([HostId(1), HostId(2)].into()));
    }

    #[test]
    fn the_catalog_says_what_to_change_and_where() {
        let tenant = salon();
        let round_robin = tenant.services[0].event_types.round_robin.unwrap();
        let with = |event_type| Catalog {
            checked_at: DateTime::UNIX_EPOCH,
            event_types: BTreeMap::from([(round_robin, event_type)]),
        };
        let problem_of = |event_type: EventType| -> Vec<String> {
            let is_it = |problem: &String| problem.starts_with("services[0].event_types.round_robin");
            with(event_type).problems(&tenant).into_iter().filter(is_it).collect()
        };
        assert_eq!(problem_of(cut()), Vec::<String>::new());
        for (event_type, says) in [
            (EventType { faults: vec![SetupFault::Seats], ..cut() }, "seats"),
            (EventType { faults: vec![SetupFault::Recurrence], ..cut() }, "recurring"),
            (EventType { is_visible: false, ..cut() }, "admin or owner"),
        ] {
            let found = problem_of(event_type);
            assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
        }
        assert!(with(cut()).advice(&tenant).is_empty());
        let silent = with(EventType { takes_notes: false, ..cut() }).advice(&tenant);
        assert!(silent.len() == 1 && silent[0].contains("notes"), "{silent:?}");
    }
}
