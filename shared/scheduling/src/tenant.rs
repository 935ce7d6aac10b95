//! One business: its staff and services, and how its calls are read.
//!
//! One type is read from the tenant file, stored, and used by the functions. The command rejects unknown fields in
//! a tenant file; this type ignores them, so that two deployed versions read each other's tenants.

use std::{collections::BTreeMap, fmt};

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{AccountName, AgentId, EventTypeId, HostId, ServiceId, StaffId, TenantId},
    personal::Personal,
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
    /// Where its calls come from.
    pub retell: RetellSource,
    /// Where its bookings go.
    pub calcom: CalcomTarget,
    /// The staff.
    pub staff: Vec<StaffMember>,
    /// The services.
    pub services: Vec<Service>,
    /// The keys under which its voice agent writes what a caller wants.
    #[serde(default)]
    pub fields: FieldMapping,
    /// Hosts whose staff member the operator knows. They are stored beside the tenant, one item each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_mappings: Vec<MappedHost>,
}

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
    /// The called numbers, in E.164 form. They count if the agent is unknown.
    #[serde(default)]
    pub numbers: Vec<String>,
}

/// Where a tenant's bookings go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalcomTarget {
    /// The account in the secret of Cal.com keys.
    pub account: AccountName,
    /// Domain of the placeholder address for customers who gave neither an email nor a usable number.
    pub placeholder_email_domain: String,
    /// The name of customers who gave none.
    #[serde(default = "unnamed_customer")]
    pub unnamed_customer: String,
    /// When the account's key expires: a day, or `never`. Cal.com does not say; without it a key counts as one that
    /// expires 30 days after it was first used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_expires: Option<KeyExpiry>,
}

/// When a key expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyExpiry {
    /// Never.
    Never,
    /// On this day.
    On(NaiveDate),
}

impl TryFrom<String> for KeyExpiry {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "never" => Ok(Self::Never),
            day => day.parse().map(Self::On).map_err(|_| "give a day in the form 2026-12-24, or \"never\""),
        }
    }
}

impl From<KeyExpiry> for String {
    fn from(expiry: KeyExpiry) -> Self {
        match expiry {
            KeyExpiry::Never => "never".to_owned(),
            KeyExpiry::On(day) => day.to_string(),
        }
    }
}

impl KeyExpiry {
    /// How long a key is valid for which no other choice was made, in days.
    const USUAL_DAYS: u64 = 30;

    /// The day on which a key expires that was first used on `first_used`; `None` for never.
    pub fn day(given: Option<Self>, first_used: NaiveDate) -> Option<NaiveDate> {
        match given {
            Some(Self::Never) => None,
            Some(Self::On(day)) => Some(day),
            None => first_used.checked_add_days(Days::new(Self::USUAL_DAYS)),
        }
    }
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

/// What callers and voice agents say for "anybody".
const ANYBODY: [&str; 17] = [
    "",
    "-",
    "any",
    "anybody",
    "anyone",
    "anyone available",
    "beliebig",
    "egal",
    "egal wer",
    "ist egal",
    "kein wunsch",
    "keine",
    "keine präferenz",
    "no preference",
    "none",
    "null",
    "wer frei ist",
];

/// Why no event type fits a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEventType {
    /// The request has no service.
    #[error("the call names no service")]
    ServiceMissing,
    /// The tenant has no such service. The caller's words stay in the request.
    #[error("the tenant has no service of the requested name")]
    ServiceUnknown,
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

impl Tenant {
    /// The staff member of this id.
    pub fn staff_member(&self, id: &StaffId) -> Option<&StaffMember> {
        self.staff.iter().find(|member| member.id == *id)
    }

    /// The active staff member with this id, name, alias or first name.
    /// `None` if it fits several.
    pub fn staff_called(&self, raw: &str) -> Option<&StaffMember> {
        let mut fitting = self.staff.iter().filter(|member| member.active && member.is_called(raw));
        fitting.next().filter(|_| fitting.next().is_none())
    }

    /// Whom a customer wants to come to who said `raw`.
    pub fn wish(&self, raw: Option<&str>) -> StaffWish<'_> {
        match raw {
            None => StaffWish::Anybody,
            Some(raw) if ANYBODY.contains(&plain(raw).trim_end_matches('.')) => StaffWish::Anybody,
            Some(raw) => self.staff_called(raw).map_or(StaffWish::Unclear, StaffWish::Member),
        }
    }

    /// The service with this id, name or alias.
    pub fn service_called(&self, raw: &str) -> Option<&Service> {
        let raw = plain(raw);
        self.services.iter().find(|service| {
            let names = service.aliases.iter().chain([&service.name]);
            plain(service.id.as_str()) == raw || names.map(|name| plain(name)).any(|name| name == raw)
        })
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
        let service = self.service_called(raw).ok_or(NoEventType::ServiceUnknown)?;
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

    /// Every problem of this configuration, with its path inside the tenant file.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        found.check(is_plain_id(self.id.as_str()), "id", "use lower-case letters, digits and '-'");
        found.check(
            self.country.len() == 2 && self.country.chars().all(|c| c.is_ascii_uppercase()),
            "country",
            "use the two upper-case letters of ISO 3166, such as DE",
        );
        found.check(
            LANGUAGES.contains(&self.language.as_str()),
            "language",
            "use one of Cal.com's languages, such as de or en (without a country: de-AT is refused)",
        );
        found.check(
            self.time_zone == Tz::UTC
                || self.time_zone.name().contains('/') && !self.time_zone.name().starts_with("Etc/"),
            "time_zone",
            "use a zone of the form Europe/Berlin",
        );
        found.check(
            self.calcom.placeholder_email_domain.contains('.') && !self.calcom.placeholder_email_domain.contains('@'),
            "calcom.placeholder_email_domain",
            "give a domain, such as example.org",
        );
        found.check(
            !(self.retell.agent_ids.is_empty() && self.retell.numbers.is_empty()),
            "retell",
            "give at least one of agent_ids and numbers, or no call can be matched to this tenant",
        );
        for (at, number) in self.retell.numbers.iter().enumerate() {
            let is_e164 = number.strip_prefix('+').is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
            found.check(
                is_e164,
                format!("retell.numbers[{at}]"),
                "write the number in E.164 form, such as +4930901820",
            );
            found.first(number, "retell", at, "numbers");
        }
        for (at, agent) in self.retell.agent_ids.iter().enumerate() {
            found.first(agent, "retell", at, "agent_ids");
        }
        self.staff_problems(&mut found);
        self.service_problems(&mut found);
        for (at, mapping) in self.host_mappings.iter().enumerate() {
            found.known_staff(self, &mapping.staff, format!("host_mappings[{at}].staff"));
            found.first(&mapping.host, "host_mappings", at, "host");
        }
        found.list
    }

    fn staff_problems(&self, found: &mut Problems) {
        for (at, member) in self.staff.iter().enumerate() {
            found.check(
                is_plain_id(member.id.as_str()),
                format!("staff[{at}].id"),
                "use lower-case letters, digits and '-'",
            );
            found.first(&member.id, "staff", at, "id");
            for (nth, email) in member.emails.iter().enumerate() {
                found.check(
                    crate::contact::email(email.reveal()).is_some(),
                    format!("staff[{at}].emails[{nth}]"),
                    "this is not an email address",
                );
            }
        }
    }

    fn service_problems(&self, found: &mut Problems) {
        found.check(!self.services.is_empty(), "services", "give at least one service, or nothing can be booked");
        for (at, service) in self.services.iter().enumerate() {
            found.first(&service.id, "services", at, "id");
            let EventTypes { round_robin, per_staff } = &service.event_types;
            found.check(
                round_robin.is_some() || !per_staff.is_empty(),
                format!("services[{at}].event_types"),
                "give round_robin, per_staff or both",
            );
            for staff in per_staff.keys() {
                found.known_staff(self, staff, format!("services[{at}].event_types.per_staff.{staff}"));
            }
        }
    }
}

impl StaffMember {
    fn is_called(&self, raw: &str) -> bool {
        let raw = plain(raw);
        let first_name = self.name.reveal().split_whitespace().next().unwrap_or_default();
        let names = self.aliases.iter().chain([&self.name]).map(|name| name.reveal().as_str());
        names.chain([self.id.as_str(), first_name]).any(|name| plain(name) == raw)
    }
}

/// A problem of a tenant file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, for instance `services[1].event_types.per_staff.anna`.
    pub path: String,
    /// The problem, and what to write instead. Never the value, which may be personal.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

#[derive(Default)]
struct Problems {
    list: Vec<Problem>,
    seen: std::collections::BTreeSet<(String, String)>,
}

impl Problems {
    fn check(&mut self, holds: bool, path: impl Into<String>, problem: impl Into<String>) {
        if !holds {
            self.list.push(Problem { path: path.into(), problem: problem.into() });
        }
    }

    fn first(&mut self, id: &impl fmt::Display, list: &str, at: usize, field: &str) {
        let is_first = self.seen.insert((list.to_owned(), id.to_string()));
        self.check(is_first, format!("{list}[{at}].{field}"), "duplicates an earlier entry");
    }

    fn known_staff(&mut self, tenant: &Tenant, staff: &StaffId, path: String) {
        self.check(tenant.staff_member(staff).is_some(), path, "no entry of staff has this id");
    }
}

fn is_plain_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// A name for comparison: lower case, with single spaces.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
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
    fn languages_and_time_zones_are_those_that_calcom_takes() {
        let problems = |change: &dyn Fn(&mut Tenant)| -> Vec<String> {
            let mut tenant = salon();
            change(&mut tenant);
            tenant.problems().into_iter().map(|problem| problem.path).collect()
        };
        for language in ["de", "en", "pt-BR", "zh-TW"] {
            assert!(problems(&|tenant| tenant.language = language.to_owned()).is_empty(), "{language}");
        }
        for language in ["de-AT", "en-US", "DE", ""] {
            assert_eq!(problems(&|tenant| tenant.language = language.to_owned()), ["language"], "{language}");
        }
        for zone in [Tz::UTC, Tz::America__Argentina__Buenos_Aires] {
            assert!(problems(&|tenant| tenant.time_zone = zone).is_empty(), "{zone}");
        }
        for zone in [Tz::EST5EDT, Tz::Etc__GMTPlus1] {
            assert_eq!(problems(&|tenant| tenant.time_zone = zone), ["time_zone"], "{zone}");
        }
    }

    #[test]
    fn a_key_counts_as_one_that_expires_after_thirty_days_unless_the_file_says_otherwise() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let expires = |given: &str| {
            let given = (!given.is_empty()).then(|| KeyExpiry::try_from(given.to_owned()).unwrap());
            KeyExpiry::day(given, day("2026-12-01"))
        };
        assert_eq!(expires(""), Some(day("2026-12-31")));
        assert_eq!(expires("2027-03-01"), Some(day("2027-03-01")));
        assert_eq!(expires("never"), None);
        assert!(KeyExpiry::try_from("soon".to_owned()).is_err());
    }

    #[test]
    fn the_missing_part_is_named() {
        let service = |id| ServiceId::new(id);
        assert_eq!(fitting(None, None), Err(NoEventType::ServiceMissing));
        assert_eq!(fitting(Some("Massage"), None), Err(NoEventType::ServiceUnknown));
        assert_eq!(fitting(Some("Farbe"), Some("Cem")), Err(NoEventType::StaffHasNone { service: service("color") }));
        assert_eq!(fitting(Some("Bart"), None), Err(NoEventType::NobodyActive { service: service("beard") }));
    }

    #[test]
    fn a_good_tenant_has_no_problems_and_each_fault_is_named_with_its_path() {
        assert_eq!(salon().problems(), []);
        let mut tenant = salon();
        tenant.id = TenantId::new("Salon 1");
        tenant.retell.numbers = vec!["030 901820".to_owned()];
        tenant.staff[1].id = StaffId::new("anna");
        tenant.staff[0].emails = vec![Personal::new("anna".to_owned())];
        tenant.services[0].event_types.round_robin = None;
        tenant.host_mappings = vec![MappedHost { host: HostId(1), staff: StaffId::new("zoe") }];
        let paths: Vec<String> = tenant.problems().into_iter().map(|problem| problem.path).collect();
        assert_eq!(
            paths,
            [
                "id",
                "retell.numbers[0]",
                "staff[0].emails[0]",
                "staff[1].id",
                "services[0].event_types",
                "services[1].event_types.per_staff.ben",
                "host_mappings[0].staff",
            ]
        );
    }
}
