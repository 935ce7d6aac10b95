//! Spans of time that a booking would occupy, and which of them must not be booked at the same moment.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::HostId;

/// The time that a booking would occupy, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotSpan {
    /// From this time, the buffer before it included.
    pub from: DateTime<Utc>,
    /// To this time, the buffer after it included.
    pub to: DateTime<Utc>,
    /// The hosts who may get the booking.
    pub hosts: SlotHosts,
}

/// The hosts who may get a booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotHosts {
    /// Unknown, so that it may be anybody.
    Any,
    /// These.
    Named(BTreeSet<HostId>),
}

/// How far the bookings of an event type may reach about which nothing is known.
const UNKNOWN_LENGTH: TimeDelta = TimeDelta::hours(8);

impl SlotSpan {
    /// The span of a booking about which only its start is known: wide enough for any.
    pub fn unknown(start: DateTime<Utc>) -> Self {
        Self { from: start - UNKNOWN_LENGTH, to: start + UNKNOWN_LENGTH, hosts: SlotHosts::Any }
    }

    /// The span of either of two bookings.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let hosts = match (self.hosts, other.hosts) {
            (SlotHosts::Named(ours), SlotHosts::Named(theirs)) => SlotHosts::Named(&ours | &theirs),
            _ => SlotHosts::Any,
        };
        Self { from: self.from.min(other.from), to: self.to.max(other.to), hosts }
    }

    /// Whether one host could get both at once.
    ///
    /// Cal.com looks whether a host is free and then books: of two requests at the same moment it refuses the second
    /// only if both have exactly the same start, end and host.
    pub fn overlaps(&self, other: &Self) -> bool {
        let shares_host = match (&self.hosts, &other.hosts) {
            (SlotHosts::Named(ours), SlotHosts::Named(theirs)) => !ours.is_disjoint(theirs),
            (SlotHosts::Any, _) | (_, SlotHosts::Any) => true,
        };
        shares_host && self.from < other.to && other.from < self.to
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(from: i64, minutes: i64, hosts: &[u64]) -> SlotSpan {
        let at = |minute| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        let hosts = match hosts {
            [] => SlotHosts::Any,
            hosts => SlotHosts::Named(hosts.iter().copied().map(HostId).collect()),
        };
        SlotSpan { from: at(from), to: at(from + minutes), hosts }
    }

    #[test]
    fn only_what_one_host_could_get_at_once_overlaps() {
        assert!(span(0, 30, &[1]).overlaps(&span(15, 30, &[1, 2])));
        assert!(span(0, 90, &[1]).overlaps(&span(60, 30, &[])));
        assert!(!span(0, 30, &[1]).overlaps(&span(30, 30, &[1])), "one after the other");
        assert!(!span(0, 30, &[1]).overlaps(&span(0, 30, &[2])), "another host");
    }

    proptest! {
        #[test]
        fn overlapping_is_mutual(
            a in 0_i64..100, b in 0_i64..100, long in 1_i64..90, other in 1_i64..90,
            ours in proptest::collection::vec(0_u64..4, 0..3), theirs in proptest::collection::vec(0_u64..4, 0..3),
        ) {
            let (one, two) = (span(a, long, &ours), span(b, other, &theirs));
            prop_assert_eq!(one.overlaps(&two), two.overlaps(&one));
            prop_assert!(one.overlaps(&one));
            if one.overlaps(&two) {
                prop_assert!(one.clone().union(span(500, 10, &[9])).overlaps(&two), "a union overlaps all that its parts do");
            }
        }
    }
}
