//! What is wrong with a tenant file.

use std::{collections::BTreeSet, fmt};

use chrono_tz::Tz;

use super::{EventTypes, LANGUAGES, MIN_RETENTION_DAYS, Tenant};
use crate::{contact, ids::StaffId};

/// Words with which keys of the calls table begin that belong to no tenant.
const RESERVED_IDS: [&str; 3] = ["customer", "unrouted", "recovery"];

impl Tenant {
    /// Every problem of this configuration, with its path inside the tenant file.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        found.check(is_plain_id(self.id.as_str()), "id", "use lower-case letters, digits and '-'");
        found.check(!RESERVED_IDS.contains(&self.id.as_str()), "id", "use another id: the store uses this word itself");
        found.check(contact::is_country(&self.country), "country", "use a known ISO 3166 country code, such as DE");
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
            self.retention_days.is_none_or(|days| days >= MIN_RETENTION_DAYS),
            "retention_days",
            "give at least 7 days",
        );
        found.check(
            self.review_email.as_ref().is_none_or(|email| contact::email(email.reveal()).is_some()),
            "review_email",
            "this is not an email address",
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
                    contact::email(email.reveal()).is_some(),
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
    seen: BTreeSet<(String, String)>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{HostId, TenantId},
        personal::Personal,
        tenant::{MappedHost, salon},
    };

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
