//! Host backfill: which hosts of past bookings can be mapped to staff members.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::{
    assignment::{ByHostEmail, Case, HostMapping, MappingSource, Strategy, Unassigned},
    booking::{Booking, Host, HostEvidence, Hosts},
    ids::{HostId, StaffId},
    tenant::{StaffMember, StaffWish, Tenant},
};

/// The confidence of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Every booking of the host was of an event type that the staff member owns.
    Likely,
    /// The host has the staff member's email.
    Certain,
}

/// A host without a mapping, and a proposal for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProposal {
    /// The host.
    pub host: HostId,
    /// The number of its bookings.
    pub bookings: usize,
    /// The proposed staff member, or why there is none.
    pub staff: Result<(StaffId, Confidence), Unassigned>,
}

/// Bookings, grouped by host. The same booking may be added twice.
#[derive(Debug, Default)]
pub struct HostObservations(BTreeMap<HostId, Observed>);

#[derive(Debug)]
struct Observed {
    /// The host's bookings by uid.
    bookings: BTreeMap<String, Booking>,
    host: Host,
}

impl HostObservations {
    /// Adds a booking.
    pub fn observe(&mut self, booking: &Booking) {
        let HostEvidence::Named(hosts) = &booking.hosts else { return };
        for host in hosts.iter() {
            let seen =
                self.0.entry(host.id).or_insert_with(|| Observed { bookings: BTreeMap::new(), host: host.clone() });
            seen.bookings.insert(booking.uid.to_string(), booking.clone());
            seen.host.email = seen.host.email.take().or_else(|| host.email.clone());
            seen.host.display_email = seen.host.display_email.take().or_else(|| host.display_email.clone());
        }
    }

    /// A proposal for every host without a mapping, most frequent first.
    pub fn proposals(&self, tenant: &Tenant, known: &[HostMapping]) -> Vec<HostProposal> {
        let is_known = |host: &HostId| known.iter().any(|mapping| mapping.host == *host);
        let unknown = self.0.iter().filter(|(host, _)| !is_known(host));
        let mut proposals: Vec<HostProposal> = unknown
            .map(|(host, seen)| HostProposal { host: *host, bookings: seen.bookings.len(), staff: seen.staff(tenant) })
            .collect();
        proposals.sort_by_key(|proposal| std::cmp::Reverse(proposal.bookings));
        proposals
    }
}

impl HostProposal {
    /// The mapping to write, if the proposal has at least this confidence.
    pub fn mapping(&self, tenant: &Tenant, least: Confidence, now: DateTime<Utc>) -> Option<HostMapping> {
        let (staff, confidence) = self.staff.as_ref().ok()?;
        let source = match confidence {
            Confidence::Certain => MappingSource::HostEmail,
            Confidence::Likely => MappingSource::EventTypeOwner,
        };
        let mapping =
            HostMapping { tenant: tenant.id.clone(), host: self.host, staff: staff.clone(), source, since: now };
        (*confidence >= least).then_some(mapping)
    }
}

impl Observed {
    fn staff(&self, tenant: &Tenant) -> Result<(StaffId, Confidence), Unassigned> {
        let by_email = match self.by_email(tenant) {
            found if found.is_empty() => None,
            found => Some((found, Confidence::Certain)),
        };
        let (found, confidence) = by_email.unwrap_or_else(|| (self.by_event_types(tenant), Confidence::Likely));
        match (found.as_slice(), confidence) {
            ([], _) => Err(Unassigned::HostUnknownToUs),
            ([member], _) if member.active => Ok((member.id.clone(), confidence)),
            ([_], _) => Err(Unassigned::StaffInactive),
            _ => Err(Unassigned::SeveralStaffMatch),
        }
    }

    fn by_email<'t>(&self, tenant: &'t Tenant) -> Vec<&'t StaffMember> {
        let Some(booking) = self.bookings.values().next() else { return Vec::new() };
        let Ok(alone) = Hosts::try_from(vec![self.host.clone()]) else { return Vec::new() };
        let booking = Booking { hosts: HostEvidence::Named(alone), ..booking.clone() };
        let found = ByHostEmail.find(&Case { booking: &booking, tenant, mappings: &[], wish: StaffWish::Anybody });
        let ids: BTreeSet<StaffId> = found.into_iter().map(|(member, _)| member.id.clone()).collect();
        tenant.staff.iter().filter(|member| ids.contains(&member.id)).collect()
    }

    /// The one staff member who owns the event types of all of the host's bookings.
    fn by_event_types<'t>(&self, tenant: &'t Tenant) -> Vec<&'t StaffMember> {
        let mut owners: Vec<Vec<&StaffMember>> =
            self.bookings.values().map(|booking| tenant.owners_of(booking.event_type)).collect();
        owners.dedup();
        match owners.as_slice() {
            [owners] => owners.clone(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        booking::BookingStatus,
        ids::{BookingUid, EventTypeId},
        personal::Personal,
        tenant::salon,
    };

    fn booked(uid: &str, event_type: u64, host: u64, email: Option<&str>) -> Booking {
        let email = email.map(|email| Personal::new(email.to_owned()));
        let host = Host { id: HostId(host), email, display_email: None };
        Booking {
            uid: BookingUid::new(uid),
            status: BookingStatus::Accepted,
            event_type: EventTypeId(event_type),
            start: "2026-12-01T08:00:00Z".parse().unwrap(),
            hosts: HostEvidence::Named(Hosts::try_from(vec![host]).unwrap()),
        }
    }

    type Row = (u64, usize, Result<(String, Confidence), Unassigned>);

    fn proposed(bookings: &[Booking]) -> Vec<Row> {
        let mut seen = HostObservations::default();
        bookings.iter().for_each(|booking| seen.observe(booking));
        let row = |proposal: HostProposal| {
            let staff = proposal.staff.map(|(staff, confidence)| (staff.to_string(), confidence));
            (proposal.host.0, proposal.bookings, staff)
        };
        seen.proposals(&salon(), &[]).into_iter().map(row).collect()
    }

    #[test]
    fn an_email_is_certain_an_owned_event_type_is_likely_and_the_rest_has_a_reason() {
        let bookings = [
            booked("u1", 100, 1, Some("Anna@salon.example")),
            booked("u2", 202, 2, Some("stranger@other.example")),
            booked("u3", 100, 3, Some("stranger@other.example")),
            booked("u4", 100, 4, Some("cem@salon.example")),
            booked("u5", 201, 5, None),
            booked("u6", 202, 5, None),
        ];
        assert_eq!(
            proposed(&bookings),
            [
                (5, 2, Err(Unassigned::HostUnknownToUs)),
                (1, 1, Ok(("anna".to_owned(), Confidence::Certain))),
                (2, 1, Ok(("ben".to_owned(), Confidence::Likely))),
                (3, 1, Err(Unassigned::HostUnknownToUs)),
                (4, 1, Err(Unassigned::StaffInactive)),
            ]
        );
    }

    #[test]
    fn a_booking_counts_once_and_a_mapped_host_gets_no_proposal() {
        let twice = booked("u1", 100, 1, Some("anna@salon.example"));
        assert_eq!(proposed(&[twice.clone(), twice.clone()])[0].1, 1);
        let mut seen = HostObservations::default();
        seen.observe(&twice);
        let now = "2026-12-01T08:00:00Z".parse().unwrap();
        let mapping = seen.proposals(&salon(), &[])[0].mapping(&salon(), Confidence::Certain, now).unwrap();
        assert_eq!(seen.proposals(&salon(), &[mapping]), []);
    }

    #[test]
    fn a_likely_proposal_is_written_only_on_request() {
        let mut seen = HostObservations::default();
        seen.observe(&booked("u1", 202, 2, None));
        let now = "2026-12-01T08:00:00Z".parse().unwrap();
        let proposal = &seen.proposals(&salon(), &[])[0];
        assert_eq!(proposal.mapping(&salon(), Confidence::Certain, now), None);
        assert!(proposal.mapping(&salon(), Confidence::Likely, now).is_some());
    }
}
