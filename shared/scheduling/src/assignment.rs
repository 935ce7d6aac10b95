//! From a booking's hosts to a member of the tenant's staff.
//!
//! [`assign`] tries the [`STRATEGIES`] in their order. Each is a small type behind the [`Strategy`] trait.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    booking::{Booking, Host, HostEvidence},
    ids::{HostId, StaffId, TenantId},
    tenant::{StaffMember, StaffWish, Tenant},
};

/// The staff member of an appointment, and how they were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The staff member.
    pub staff: StaffId,
    /// How they were found.
    pub strategy: StrategyName,
    /// The host they were found by. `None` where the booking's host evidence says why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
}

/// How a staff member was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyName {
    /// The tenant's host mapping.
    HostMapping,
    /// The host's email is the staff member's.
    HostEmail,
    /// The event type is the staff member's own.
    EventTypeOwner,
    /// An operator assigned them.
    Operator,
    /// Another system had assigned them.
    Imported,
}

impl StrategyName {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HostMapping => "host_mapping",
            Self::HostEmail => "host_email",
            Self::EventTypeOwner => "event_type_owner",
            Self::Operator => "operator",
            Self::Imported => "imported",
        }
    }
}

/// Why no staff member could be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unassigned {
    /// Cal.com named no host, even when queried again.
    NoHostInBooking,
    /// No host is a member of the staff by any strategy.
    HostUnknownToUs,
    /// More than one member of the staff fits.
    SeveralStaffMatch,
    /// The staff member found does not take appointments now.
    StaffInactive,
    /// The customer named another staff member than the one whom Cal.com booked.
    OtherStaffRequested,
    /// The customer named somebody whom the tenant's staff does not have.
    StaffWishUnclear,
}

impl Unassigned {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoHostInBooking => "no_host_in_booking",
            Self::HostUnknownToUs => "host_unknown_to_us",
            Self::SeveralStaffMatch => "several_staff_match",
            Self::StaffInactive => "staff_inactive",
            Self::OtherStaffRequested => "other_staff_requested",
            Self::StaffWishUnclear => "staff_wish_unclear",
        }
    }
}

/// A mapping from a Cal.com host to a staff member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMapping {
    /// The tenant that it applies to.
    pub tenant: TenantId,
    /// The Cal.com host.
    pub host: HostId,
    /// The staff member.
    pub staff: StaffId,
    /// Where it came from.
    pub source: MappingSource,
    /// When it was written.
    pub since: DateTime<Utc>,
}

impl HostMapping {
    /// Whether it tells whom this host is. One that was found is outweighed by an email that names somebody else: the
    /// tenant file was corrected since.
    pub fn is_of(&self, host: &Host, tenant: &Tenant) -> bool {
        let mut named = tenant.staff.iter().filter(|member| host.has_email_of(member)).peekable();
        let is_outweighed =
            !self.source.is_a_persons() && named.peek().is_some() && named.all(|member| member.id != self.staff);
        self.tenant == tenant.id && self.host == host.id && !is_outweighed
    }
}

/// Where a host mapping came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingSource {
    /// From the tenant file. Automatic matches never replace it.
    Operator,
    /// A person said so at the desk. Automatic matches never replace it.
    Desk,
    /// The host's email was the staff member's.
    HostEmail,
    /// The host was only ever booked for event types that are the staff member's own, and an operator accepted that.
    EventTypeOwner,
}

impl MappingSource {
    /// Whether a person wrote it, so that no automatic match replaces it.
    pub fn is_a_persons(self) -> bool {
        matches!(self, Self::Operator | Self::Desk)
    }
}

/// What is known when a staff member is looked up.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The booking, with its hosts.
    pub booking: &'a Booking,
    /// The tenant whose appointment it is.
    pub tenant: &'a Tenant,
    /// The mappings stored for the booking's hosts.
    pub mappings: &'a [HostMapping],
    /// The staff member whom the customer named.
    pub wish: StaffWish<'a>,
}

/// A way to find the staff member.
pub trait Strategy: Sync {
    /// Its name.
    fn name(&self) -> StrategyName;

    /// The members of the staff that it finds, each with the host they were found by.
    fn find<'a>(&self, case: &Case<'a>) -> Vec<(&'a StaffMember, Option<HostId>)>;
}

/// The strategies, in the order in which they are tried.
pub const STRATEGIES: [&dyn Strategy; 3] = [&ByHostMapping, &ByHostEmail, &ByEventTypeOwner];

/// Finds the staff member of a booking.
///
/// The first strategy with a match decides. One active staff member is assigned; an inactive one, several, or another
/// than the customer named need a person.
///
/// # Errors
/// With the reason why no staff member could be found.
pub fn assign(case: &Case<'_>) -> Result<Assignment, Unassigned> {
    for strategy in STRATEGIES {
        let found = strategy.find(case);
        let staff: BTreeSet<&StaffId> = found.iter().map(|(member, _)| &member.id).collect();
        let Some((member, host)) = found.first() else { continue };
        return match (staff.len(), member.active, case.wish) {
            (1, false, _) => Err(Unassigned::StaffInactive),
            (1, true, StaffWish::Unclear) => Err(Unassigned::StaffWishUnclear),
            (1, true, StaffWish::Member(wished)) if wished.id != member.id => Err(Unassigned::OtherStaffRequested),
            (1, true, _) => Ok(Assignment { staff: member.id.clone(), strategy: strategy.name(), host: *host }),
            _ => Err(Unassigned::SeveralStaffMatch),
        };
    }
    Err(match case.booking.hosts {
        HostEvidence::Named(_) => Unassigned::HostUnknownToUs,
        HostEvidence::None { .. } => Unassigned::NoHostInBooking,
    })
}

/// The host mapping to store after a match by email, so that the next booking of this host needs no match.
pub fn mapping_from(assignment: &Assignment, tenant: &TenantId, now: DateTime<Utc>) -> Option<HostMapping> {
    let host = assignment.host.filter(|_| assignment.strategy == StrategyName::HostEmail)?;
    Some(HostMapping {
        tenant: tenant.clone(),
        host,
        staff: assignment.staff.clone(),
        source: MappingSource::HostEmail,
        since: now,
    })
}

impl<'a> Case<'a> {
    fn hosts(&self) -> impl Iterator<Item = &'a Host> + use<'a> {
        let named = match &self.booking.hosts {
            HostEvidence::Named(hosts) => Some(hosts),
            HostEvidence::None { .. } => None,
        };
        named.into_iter().flat_map(|hosts| hosts.iter())
    }
}

/// The tenant's host mapping.
pub struct ByHostMapping;

impl Strategy for ByHostMapping {
    fn name(&self) -> StrategyName {
        StrategyName::HostMapping
    }

    fn find<'a>(&self, case: &Case<'a>) -> Vec<(&'a StaffMember, Option<HostId>)> {
        let mapped = |host: &Host| {
            let mapping = case.mappings.iter().find(|mapping| mapping.is_of(host, case.tenant))?;
            Some((case.tenant.staff_member(&mapping.staff)?, Some(host.id)))
        };
        case.hosts().filter_map(mapped).collect()
    }
}

/// The host's email against the staff's.
pub struct ByHostEmail;

impl Strategy for ByHostEmail {
    fn name(&self) -> StrategyName {
        StrategyName::HostEmail
    }

    fn find<'a>(&self, case: &Case<'a>) -> Vec<(&'a StaffMember, Option<HostId>)> {
        let staff = &case.tenant.staff;
        case.hosts()
            .flat_map(|host| {
                let is_theirs = move |member: &&StaffMember| host.has_email_of(member);
                staff.iter().filter(is_theirs).map(|member| (member, Some(host.id)))
            })
            .collect()
    }
}

impl Host {
    /// Whether one of the host's addresses is one of the staff member's.
    pub fn has_email_of(&self, member: &StaffMember) -> bool {
        let theirs: Vec<String> = member.emails.iter().map(|email| address_for_comparison(email.reveal())).collect();
        let ours = [&self.email, &self.display_email].into_iter().flatten();
        ours.map(|address| address_for_comparison(address.reveal())).any(|address| theirs.contains(&address))
    }
}

/// The staff member to whom the event type belongs. Needs no host.
pub struct ByEventTypeOwner;

impl Strategy for ByEventTypeOwner {
    fn name(&self) -> StrategyName {
        StrategyName::EventTypeOwner
    }

    fn find<'a>(&self, case: &Case<'a>) -> Vec<(&'a StaffMember, Option<HostId>)> {
        let host = case.hosts().next().map(|host| host.id);
        case.tenant.owners_of(case.booking.event_type).into_iter().map(|member| (member, host)).collect()
    }
}

/// How many letters and digits Cal.com puts behind the `+` in a managed user's address.
const MANAGED_SUFFIX: usize = 25;

/// An address in lower case and without a managed user's suffix.
fn address_for_comparison(address: &str) -> String {
    let address = address.trim().to_lowercase();
    let Some((local, domain)) = address.rsplit_once('@') else { return address };
    match local.rsplit_once('+') {
        Some((name, suffix)) if suffix.len() == MANAGED_SUFFIX && suffix.chars().all(|c| c.is_ascii_alphanumeric()) => {
            format!("{name}@{domain}")
        }
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        booking::{BookingStatus, Hosts, NoHost},
        ids::{BookingUid, EventTypeId},
        personal::Personal,
        tenant::salon,
    };

    fn host(id: u64, email: &str) -> Host {
        Host { id: HostId(id), email: Some(Personal::new(email.to_owned())), display_email: None }
    }

    fn booked(event_type: u64, hosts: Vec<Host>) -> Booking {
        Booking {
            uid: BookingUid::new("uid"),
            status: BookingStatus::Accepted,
            event_type: EventTypeId(event_type),
            start: "2026-12-01T08:00:00Z".parse().unwrap(),
            hosts: Hosts::try_from(hosts)
                .map_or(HostEvidence::None { reason: NoHost::Unknown, looked_up_again: true }, HostEvidence::Named),
        }
    }

    fn mapping(tenant: &str, host: u64, staff: &str) -> HostMapping {
        HostMapping {
            tenant: TenantId::new(tenant),
            host: HostId(host),
            staff: StaffId::new(staff),
            source: MappingSource::Operator,
            since: "2026-12-01T08:00:00Z".parse().unwrap(),
        }
    }

    fn found(booking: &Booking, mappings: &[HostMapping]) -> Result<(String, StrategyName, Option<u64>), Unassigned> {
        let tenant = salon();
        assign(&Case { booking, tenant: &tenant, mappings, wish: StaffWish::Anybody })
            .map(|found| (found.staff.to_string(), found.strategy, found.host.map(|host| host.0)))
    }

    #[test]
    fn the_mapping_comes_before_the_email() {
        let booking = booked(100, vec![host(7, "ben@salon.example")]);
        assert_eq!(
            found(&booking, &[mapping("salon", 7, "anna")]),
            Ok(("anna".to_owned(), StrategyName::HostMapping, Some(7)))
        );
    }

    #[test]
    fn an_email_that_names_another_outweighs_what_was_found_and_not_what_an_operator_says() {
        let booking = booked(100, vec![host(7, "ben@salon.example")]);
        let found_before = HostMapping { source: MappingSource::HostEmail, ..mapping("salon", 7, "anna") };
        assert_eq!(
            found(&booking, std::slice::from_ref(&found_before)),
            Ok(("ben".to_owned(), StrategyName::HostEmail, Some(7)))
        );
        let unknown = booked(100, vec![host(7, "new@elsewhere.example")]);
        assert_eq!(found(&unknown, &[found_before]), Ok(("anna".to_owned(), StrategyName::HostMapping, Some(7))));
    }

    #[test]
    fn another_tenants_mapping_does_not_count() {
        let booking = booked(100, vec![host(7, "stranger@other.example")]);
        assert_eq!(found(&booking, &[mapping("garage", 7, "anna")]), Err(Unassigned::HostUnknownToUs));
    }

    #[test]
    fn an_email_is_known_in_any_case_and_in_the_form_of_a_managed_user() {
        for email in ["ANNA@Salon.example", "anna+clx1a2b3c4d5e6f7g8h9i0j1k@salon.example"] {
            let booking = booked(100, vec![host(7, email)]);
            assert_eq!(found(&booking, &[]), Ok(("anna".to_owned(), StrategyName::HostEmail, Some(7))), "{email}");
        }
        let shorter = booked(100, vec![host(7, "anna+clx1@salon.example")]);
        assert_eq!(found(&shorter, &[]), Err(Unassigned::HostUnknownToUs));
    }

    #[test]
    fn the_display_email_is_compared_too() {
        let mut anna = host(7, "x@cal.example");
        anna.display_email = Some(Personal::new("Anna@salon.example".to_owned()));
        assert_eq!(found(&booked(100, vec![anna]), &[]), Ok(("anna".to_owned(), StrategyName::HostEmail, Some(7))));
    }

    #[test]
    fn an_event_type_of_a_staff_member_is_enough_even_without_a_host() {
        assert_eq!(found(&booked(202, vec![]), &[]), Ok(("ben".to_owned(), StrategyName::EventTypeOwner, None)));
        let covering = booked(202, vec![host(9, "stranger@other.example")]);
        assert_eq!(found(&covering, &[]), Ok(("ben".to_owned(), StrategyName::EventTypeOwner, Some(9))));
    }

    #[test]
    fn an_unassigned_booking_has_one_reason() {
        assert_eq!(found(&booked(100, vec![]), &[]), Err(Unassigned::NoHostInBooking));
        assert_eq!(found(&booked(100, vec![host(7, "x@y.example")]), &[]), Err(Unassigned::HostUnknownToUs));
        assert_eq!(found(&booked(100, vec![host(7, "cem@salon.example")]), &[]), Err(Unassigned::StaffInactive));
        let both = booked(100, vec![host(7, "anna@salon.example"), host(8, "ben@salon.example")]);
        assert_eq!(found(&both, &[]), Err(Unassigned::SeveralStaffMatch));
    }

    #[test]
    fn a_wish_for_a_staff_member_is_honoured_or_flagged() {
        let (tenant, booking) = (salon(), booked(100, vec![host(7, "anna@salon.example")]));
        let assigned =
            |raw| assign(&Case { booking: &booking, tenant: &tenant, mappings: &[], wish: tenant.wish(raw) });
        for raw in [None, Some("egal"), Some("Anna"), Some(" ")] {
            assert_eq!(assigned(raw).unwrap().staff, StaffId::new("anna"), "{raw:?}");
        }
        assert_eq!(assigned(Some("Ben")), Err(Unassigned::OtherStaffRequested));
        assert_eq!(assigned(Some("Anja")), Err(Unassigned::StaffWishUnclear));
    }

    #[test]
    fn only_a_match_by_email_becomes_a_mapping() {
        let now = "2026-12-01T08:00:00Z".parse().unwrap();
        let by = |strategy| Assignment { staff: StaffId::new("anna"), strategy, host: Some(HostId(7)) };
        let tenant = TenantId::new("salon");
        assert_eq!(mapping_from(&by(StrategyName::HostEmail), &tenant, now).unwrap().source, MappingSource::HostEmail);
        assert_eq!(mapping_from(&by(StrategyName::HostMapping), &tenant, now), None);
        assert_eq!(mapping_from(&by(StrategyName::EventTypeOwner), &tenant, now), None);
    }
}
