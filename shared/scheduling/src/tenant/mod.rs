//! One business: its staff and services, and how its calls are read.
//!
//! One type is read from the tenant file, stored, and used by the functions. The command rejects unknown fields in
//! a tenant file; this type ignores them, so that two deployed versions read each other's tenants.

mod key_expiry;
mod problems;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use key_expiry::KeyExpiry;
pub use problems::Problem;

use crate::{
    hours::OpeningHours,
    ids::{AccountName, AgentId, EventTypeId, HostId, ServiceId, StaffId, TenantId},
    personal::Personal,
    spoken_name::{self, NameReading, Named, NearMiss},
};

/// One business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The id: lower-case letters, digits and `-`.
    pub id: TenantId,
    /// The name.
    pub name: String,
    /// The IANA time zone of its callers.
    pub time_zone: Tz,
    /// ISO 3166 letters of the country whose national phone numbers its callers use.
    #[serde(default = "germany")]
    pub country: String,
    /// The language in which Cal.com writes to its customers: one of [`LANGUAGES`].
    #[serde(default = "german")]
    pub language: String,
    /// When it is open. What a caller means by a bare clock time depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<OpeningHours>,
    /// The address to which its people get mail when an appointment needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_email: Option<Personal<String>>,
    /// How many days a closed appointment is kept after its start. Without it, for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u16>,
    /// Where its calls come from.
    pub retell: RetellSource,
    /// Where its bookings go.
    pub calcom: CalcomTarget,
    /// The staff.
    pub staff: Vec<StaffMember>,
    /// The services.
    pub services: Vec<Service>,
    /// The keys under which its voice agent writes what a caller wants.
    #[serde(default, skip_serializing_if = "FieldMapping::is_default")]
    pub fields: FieldMapping,
    /// Hosts whose staff member the operator knows. They are stored beside the tenant, one item each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_mappings: Vec<MappedHost>,
}

/// The shortest retention: what is closed later, such as a no-show that is recorded after days, needs its appointment.
pub const MIN_RETENTION_DAYS: u16 = 7;

/// The languages in which Cal.com writes. It refuses every booking with another one.
pub const LANGUAGES: [&str; 43] = [
    "ar", "az", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "es-419", "et", "eu", "fi", "fr", "he", "hr",
    "hu", "id", "it", "iw", "ja", "km", "ko", "lv", "nl", "no", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sr", "sv",
    "ta", "th", "tr", "uk", "vi", "zh-CN", "zh-TW",
];

/// Where a tenant's calls come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetellSource {
    /// The account in the secret of Retell keys. A call signed by another account is not this tenant's.
    pub account: AccountName,
    /// The voice agents that answer for this tenant.
    #[serde(default)]
    pub agent_ids: Vec<AgentId>,
    /// The called numbers, in E.164 form. They outweigh the agent, which may answer for several tenants.
    #[serde(default)]
    pub numbers: Vec<String>,
}

/// Where a tenant's bookings go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalcomTarget {
    /// The account in the secret of Cal.com keys.
    pub account: AccountName,
    /// Domain of the placeholder email `customer+<appointment>@...` of customers who gave none, or whose own Cal.com refuses.
    pub placeholder_email_domain: String,
    /// The name of customers who gave none.
    #[serde(default = "unnamed_customer")]
    pub unnamed_customer: String,
    /// When the account's key expires: a day, or `never`. Cal.com does not say; without it a key counts as one that
    /// expires 30 days after it was first used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_expires: Option<KeyExpiry>,
}

/// A staff member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffMember {
    /// The id, unique within the tenant.
    pub id: StaffId,
    /// The name that callers say.
    pub name: Personal<String>,
    /// Other names that callers say.
    #[serde(default)]
    pub aliases: Vec<Personal<String>>,
    /// The emails that they have at Cal.com.
    #[serde(default)]
    pub emails: Vec<Personal<String>>,
    /// Whether they take appointments.
    #[serde(default = "yes")]
    pub active: bool,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The id, unique within the tenant.
    pub id: ServiceId,
    /// The name that callers say.
    pub name: String,
    /// Other names that callers say.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Cal.com's event types for it.
    pub event_types: EventTypes,
}

/// Cal.com's event types for one service: one for all of its staff, one per staff member, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTypes {
    /// The event type at which Cal.com chooses the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_robin: Option<EventTypeId>,
    /// The event types with one staff member as the host.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_staff: BTreeMap<StaffId, EventTypeId>,
}

impl EventTypes {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = EventTypeId> {
        self.round_robin.into_iter().chain(self.per_staff.values().copied())
    }
}

/// A host whose staff member the operator knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedHost {
    /// The host.
    pub host: HostId,
    /// The staff member.
    pub staff: StaffId,
}

/// The keys under which a voice agent writes what a caller wants. The first key with a value counts. They are looked up
/// in the call's `custom_analysis_data`, then in its `collected_dynamic_variables`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldMapping {
    /// A yes or no: whether the caller wants an appointment at all. If none of these keys has a value, a service or a start
    /// counts as a request.
    pub wanted: Vec<String>,
    /// The service.
    pub service: Vec<String>,
    /// Date and time in one field.
    pub start: Vec<String>,
    /// The date, if it is separate.
    pub date: Vec<String>,
    /// The time of day, if it is separate.
    pub time: Vec<String>,
    /// The customer's name.
    pub name: Vec<String>,
    /// The customer's phone number; else the caller's own number is used.
    pub phone: Vec<String>,
    /// The customer's email.
    pub email: Vec<String>,
    /// The requested staff member.
    pub staff: Vec<String>,
    /// Anything else.
    pub notes: Vec<String>,
    /// What the caller wants, if it is to cancel or to move an appointment.
    pub intent: Vec<String>,
    /// A list of appointments, each with the fields above: an array, or its JSON text.
    pub list: Vec<String>,
}

impl FieldMapping {
    /// Whether the keys are the usual ones, which need not be written.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for FieldMapping {
    fn default() -> Self {
        let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        Self {
            wanted: keys(&["appointment_requested"]),
            service: keys(&["service", "dienstleistung"]),
            start: keys(&["appointment_start", "start", "termin"]),
            date: keys(&["appointment_date", "date", "datum"]),
            time: keys(&["appointment_time", "time", "uhrzeit"]),
            name: keys(&["customer_name", "name"]),
            phone: keys(&["customer_phone", "phone", "telefon"]),
            email: keys(&["customer_email", "email"]),
            staff: keys(&["staff_member", "staff", "mitarbeiter"]),
            notes: keys(&["notes", "notizen"]),
            intent: keys(&["intent", "anliegen"]),
            list: keys(&["appointments", "termine"]),
        }
    }
}

fn germany() -> String {
    "DE".to_owned()
}

fn german() -> String {
    "de".to_owned()
}

fn unnamed_customer() -> String {
    "Telefonkunde".to_owned()
}

fn yes() -> bool {
    true
}

/// The event types that fit a request, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FittingEventTypes {
    /// The requested service.
    pub service: ServiceId,
    /// At least one.
    pub event_types: Vec<EventTypeId>,
    /// The requested staff member, if Cal.com chooses among several.
    pub wished: Option<StaffId>,
}

/// Whom a customer wants to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaffWish<'t> {
    /// Anybody.
    Anybody,
    /// This active staff member.
    Member(&'t StaffMember),
    /// Somebody whom the staff does not have, or several fit.
    Unclear,
}

/// Why no event type fits a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEventType {
    /// The request has no service.
    #[error("the call names no service")]
    ServiceMissing,
    /// The tenant has no such service. The caller's words stay in the request.
    #[error("the tenant has no service of the requested name")]
    ServiceUnknown,
    /// The words fit several services.
    #[error("the call names several services: {}", listed(services))]
    SeveralServices {
        /// They.
        services: Vec<ServiceId>,
    },
    /// The tenant has no service of that name, but one with nearly that name.
    #[error("the tenant has no service of the requested name; {}", near_misses(near))]
    ServiceNearlyKnown {
        /// The words, with the service that each nearly names.
        near: Vec<NearMiss<ServiceId>>,
    },
    /// The service has no event type of the requested staff member, and none for round robin.
    #[error("service {service} has no event type for the requested staff member, and none for round robin")]
    StaffHasNone {
        /// The service.
        service: ServiceId,
    },
    /// No active staff member has an event type of the service.
    #[error("service {service} has no event type of an active staff member, and none for round robin")]
    NobodyActive {
        /// The service.
        service: ServiceId,
    },
    /// Cal.com does not know the event type.
    #[error("Cal.com does not know the event type")]
    UnknownToCalcom,
}

fn listed(services: &[ServiceId]) -> String {
    services.iter().map(ServiceId::as_str).collect::<Vec<_>>().join(", ")
}

fn near_misses(near: &[NearMiss<ServiceId>]) -> String {
    let ids: Vec<&str> = near.iter().map(|miss| miss.nearly.as_str()).collect();
    format!("a word of it is nearly {}: add an alias if that is meant", ids.join(", "))
}

impl Tenant {
    /// Whether one of its services has this event type.
    pub fn has_event_type(&self, event_type: EventTypeId) -> bool {
        self.services.iter().any(|service| service.event_types.all().any(|id| id == event_type))
    }

    /// The staff member of this id.
    pub fn staff_member(&self, id: &StaffId) -> Option<&StaffMember> {
        self.staff.iter().find(|member| member.id == *id)
    }

    /// Whom a customer means who said `raw`. Only active staff members are known by it.
    pub fn staff_wish(&self, raw: Option<&str>) -> NameReading<StaffId> {
        let active: Vec<&StaffMember> = self.staff.iter().filter(|member| member.active).collect();
        if let Some(member) = active.iter().find(|member| raw.map(str::trim) == Some(member.id.as_str())) {
            return NameReading::Known(member.id.clone());
        }
        let named = active.iter().map(|member| Named {
            id: &member.id,
            name: member.name.reveal(),
            aliases: member.aliases.iter().map(|alias| alias.reveal().as_str()).collect(),
        });
        let named: Vec<Named<'_, StaffId>> = named.collect();
        spoken_name::read_staff(raw, &named)
    }

    /// Whom a customer wants to come to who said `raw`.
    pub fn wish(&self, raw: Option<&str>) -> StaffWish<'_> {
        match self.staff_wish(raw) {
            NameReading::Anyone => StaffWish::Anybody,
            NameReading::Known(id) => self.staff_member(&id).map_or(StaffWish::Unclear, StaffWish::Member),
            NameReading::Several(_) | NameReading::Ambiguous(_) | NameReading::Unknown { .. } => StaffWish::Unclear,
        }
    }

    /// The active staff member whom a customer wants to come to who said `raw`.
    pub fn staff_called(&self, raw: &str) -> Option<&StaffMember> {
        match self.wish(Some(raw)) {
            StaffWish::Member(member) => Some(member),
            StaffWish::Anybody | StaffWish::Unclear => None,
        }
    }

    /// Those who take appointments for a service.
    pub fn staff_for<'t>(&'t self, service: &'t Service) -> impl Iterator<Item = &'t StaffMember> {
        let EventTypes { round_robin, per_staff } = &service.event_types;
        self.staff
            .iter()
            .filter(move |member| member.active && (round_robin.is_some() || per_staff.contains_key(&member.id)))
    }

    /// The services that a customer means who said `raw`.
    pub fn service_wish(&self, raw: &str) -> NameReading<ServiceId> {
        if let Some(service) = self.services.iter().find(|service| service.id.as_str() == raw.trim()) {
            return NameReading::Known(service.id.clone());
        }
        let named = self.services.iter().map(|service| Named {
            id: &service.id,
            name: &service.name,
            aliases: service.aliases.iter().map(String::as_str).collect(),
        });
        let named: Vec<Named<'_, ServiceId>> = named.collect();
        spoken_name::read_service(Some(raw), &named)
    }

    /// The service that a customer means who said `raw`, if it is one.
    pub fn service_called(&self, raw: &str) -> Option<&Service> {
        match self.service_wish(raw) {
            NameReading::Known(id) => self.services.iter().find(|service| service.id == id),
            _ => None,
        }
    }

    /// The event types that fit a request, best first.
    ///
    /// The event type of the requested staff member comes alone. Otherwise the round-robin event type comes alone; a service
    /// without one offers those of its active staff in turn.
    ///
    /// # Errors
    /// If no event type fits, with what is missing.
    pub fn event_types_for(
        &self,
        service: Option<&str>,
        staff: Option<&str>,
    ) -> Result<FittingEventTypes, NoEventType> {
        let raw = service.ok_or(NoEventType::ServiceMissing)?;
        let service = match self.service_wish(raw) {
            NameReading::Known(id) => self.services.iter().find(|service| service.id == id),
            NameReading::Several(ids) | NameReading::Ambiguous(ids) => {
                return Err(NoEventType::SeveralServices { services: ids });
            }
            NameReading::Unknown { near } if !near.is_empty() => {
                return Err(NoEventType::ServiceNearlyKnown { near });
            }
            NameReading::Unknown { .. } | NameReading::Anyone => None,
        };
        let service = service.ok_or(NoEventType::ServiceUnknown)?;
        let EventTypes { round_robin, per_staff } = &service.event_types;
        let wish = self.wish(staff);
        let of_wished = match wish {
            StaffWish::Member(member) => per_staff.get(&member.id),
            StaffWish::Anybody | StaffWish::Unclear => None,
        };
        let fitting = match (of_wished.or(round_robin.as_ref()), wish) {
            (Some(event_type), _) => vec![*event_type],
            (None, StaffWish::Member(_) | StaffWish::Unclear) => {
                return Err(NoEventType::StaffHasNone { service: service.id.clone() });
            }
            (None, StaffWish::Anybody) => self
                .staff
                .iter()
                .filter(|member| member.active)
                .filter_map(|member| per_staff.get(&member.id).copied())
                .collect(),
        };
        let wished = match wish {
            StaffWish::Member(member) if of_wished.is_none() => Some(member.id.clone()),
            _ => None,
        };
        if fitting.is_empty() {
            return Err(NoEventType::NobodyActive { service: service.id.clone() });
        }
        Ok(FittingEventTypes { service: service.id.clone(), event_types: fitting, wished })
    }

    /// The staff members who own an event type.
    pub fn owners_of(&self, event_type: EventTypeId) -> Vec<&StaffMember> {
        let owns = |member: &&StaffMember| {
            self.services.iter().any(|service| service.event_types.per_staff.get(&member.id) == Some(&event_type))
        };
        self.staff.iter().filter(owns).collect()
    }
}

/// The tenant that the tests of this crate share.
#[cfg(test)]
pub(crate) fn salon() -> Tenant {
    serde_json::from_value(serde_json::json!({
        "id": "salon", "name": "Salon", "time_zone": "Europe/Berlin",
        "retell": {"account": "main", "agent_ids": ["agent_1"], "numbers": ["+4930901820"]},
        "calcom": {"account": "salon", "placeholder_email_domain": "salon.example"},
        "staff": [
            {"id": "anna", "name": "Anna Berg", "emails": ["anna@salon.example"]},
            {"id": "ben", "name": "Ben Tal", "emails": ["ben@salon.example"]},
            {"id": "cem", "name": "Cem Au", "emails": ["cem@salon.example"], "active": false}
        ],
        "services": [
            {"id": "cut", "name": "Haarschnitt", "aliases": ["Schneiden"], "event_types": {"round_robin": 100}},
            {"id": "color", "name": "Farbe", "event_types": {"per_staff": {"anna": 201, "ben": 202, "cem": 203}}},
            {"id": "beard", "name": "Bart", "event_types": {"per_staff": {"cem": 301}}}
        ]
    }))
    .unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(service: Option<&str>, staff: Option<&str>) -> Result<Vec<u64>, NoEventType> {
        let fitting = salon().event_types_for(service, staff)?;
        Ok(fitting.event_types.into_iter().map(|event_type| event_type.0).collect())
    }

    #[test]
    fn a_round_robin_service_has_one_event_type_for_any_staff_member() {
        assert_eq!(fitting(Some("Haarschnitt"), None), Ok(vec![100]));
        assert_eq!(fitting(Some(" schneiden "), Some("Anna")), Ok(vec![100]));
    }

    #[test]
    fn a_per_staff_service_has_the_requested_staff_member_or_all_who_are_active() {
        assert_eq!(fitting(Some("Farbe"), Some("ben tal")), Ok(vec![202]));
        assert_eq!(fitting(Some("color"), None), Ok(vec![201, 202]));
    }

    #[test]
    fn a_wish_that_cal_com_must_be_asked_for_comes_with_the_event_type() {
        let wished = |service, staff| salon().event_types_for(Some(service), Some(staff)).unwrap().wished;
        assert_eq!(wished("Haarschnitt", "Anna"), Some(StaffId::new("anna")));
        assert_eq!(wished("Farbe", "Anna"), None, "the event type is hers alone");
        assert_eq!(wished("Haarschnitt", "egal"), None);
    }

    #[test]
    fn anybody_is_a_wish_for_nobody_and_a_name_that_nobody_has_is_not_anybody() {
        let tenant = salon();
        for raw in ["egal", " Egal. ", "keine Präferenz", "no preference", "", "-"] {
            assert_eq!(tenant.wish(Some(raw)), StaffWish::Anybody, "{raw:?}");
        }
        for raw in ["Anja", "egal, nur nicht Ben", "Cem"] {
            assert_eq!(tenant.wish(Some(raw)), StaffWish::Unclear, "{raw:?}");
        }
        assert!(matches!(tenant.wish(Some("anna")), StaffWish::Member(member) if member.id.as_str() == "anna"));
    }

    #[test]
    fn the_missing_part_is_named() {
        let service = |id| ServiceId::new(id);
        assert_eq!(fitting(None, None), Err(NoEventType::ServiceMissing));
        assert_eq!(fitting(Some("Massage"), None), Err(NoEventType::ServiceUnknown));
        assert_eq!(fitting(Some("Farbe"), Some("Cem")), Err(NoEventType::StaffHasNone { service: service("color") }));
        assert_eq!(fitting(Some("Bart"), None), Err(NoEventType::NobodyActive { service: service("beard") }));
    }
}
