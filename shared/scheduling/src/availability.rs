//! Free slots: which are proposed, and whether a business is closed at a time.

use std::fmt;

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::ids::AppointmentId;

/// How many free slots are proposed.
const MAX_PROPOSALS: usize = 5;
/// Among how many of the nearest slots the proposals are distributed, apart from the nearest one.
const SPREAD_OVER: usize = 16;
/// How many groups of proposals that makes.
const GROUPS: usize = SPREAD_OVER / (MAX_PROPOSALS - 1);

/// Fewer free slots than this say nothing of opening hours: most of them are taken.
const MIN_SLOTS: usize = 12;

/// Why a time has no free slot although nothing is booked then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// No slot of the days around it is at that time of day: the first and the last one, on the tenant's clock.
    OutsideHours {
        /// The first one.
        first: NaiveTime,
        /// The last one.
        last: NaiveTime,
    },
    /// That day has no free slot at all, though other days have.
    DayWithoutSlots,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsideHours { first, last } => {
                write!(f, "closed: appointments start between {} and {}", first.format("%H:%M"), last.format("%H:%M"))
            }
            Self::DayWithoutSlots => f.write_str("closed or fully booked: that day has no free slot"),
        }
    }
}

/// Whether the business is closed at `start`, as the free slots of the days around it show it. Cal.com answers closed
/// hours in the words of a conflict.
pub fn closed_at(start: DateTime<Utc>, slots: &[DateTime<Utc>], zone: Tz) -> Option<Closed> {
    if slots.len() < MIN_SLOTS {
        return None;
    }
    let local = |at: &DateTime<Utc>| at.with_timezone(&zone).naive_local();
    let clock = |at: &DateTime<Utc>| local(at).time();
    let (first, last) = (slots.iter().map(clock).min()?, slots.iter().map(clock).max()?);
    if !(first..=last).contains(&clock(&start)) {
        return Some(Closed::OutsideHours { first, last });
    }
    let has_slots = slots.iter().any(|slot| local(slot).date() == local(&start).date());
    (!has_slots).then_some(Closed::DayWithoutSlots)
}

/// The free slots that are proposed instead of `start`: the nearest one, and others near it.
///
/// Of those others each appointment gets its share, so that callers who wanted the same time are not all offered the
/// same ones. Of two at the same distance, the earlier one comes first.
pub fn proposals(slots: &[DateTime<Utc>], start: DateTime<Utc>, appointment: &AppointmentId) -> Vec<DateTime<Utc>> {
    let mut nearest: Vec<DateTime<Utc>> = slots.iter().copied().filter(|slot| *slot != start).collect();
    nearest.sort_by_key(|slot| ((*slot - start).abs(), *slot));
    nearest.dedup();
    if nearest.len() <= MAX_PROPOSALS {
        return nearest;
    }
    let group = (appointment.jitter(0) * GROUPS as f64) as usize;
    let (first, others) = nearest.split_at(1);
    let ours = others.iter().take(SPREAD_OVER).skip(group).step_by(GROUPS);
    let mut proposed: Vec<DateTime<Utc>> = first.iter().chain(ours).copied().collect();
    let missing = others.iter().filter(|slot| !proposed.contains(slot)).copied().collect::<Vec<_>>();
    proposed.extend(missing.into_iter().take(MAX_PROPOSALS - proposed.len()));
    proposed.sort_by_key(|slot| ((*slot - start).abs(), *slot));
    proposed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::TimeDelta;
    use chrono_tz::Europe::Berlin;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-12-{text}:00Z").parse().unwrap()
    }

    fn day(day: u32) -> Vec<DateTime<Utc>> {
        (8..16).flat_map(|hour| [0, 30].map(|minute| at(&format!("{day:02}T{hour:02}:{minute:02}")))).collect()
    }

    #[test]
    fn a_night_and_a_sunday_are_closed_and_a_taken_slot_is_not() {
        let slots = [day(4), day(5), day(7)].concat();
        let hours = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        let last = NaiveTime::from_hms_opt(16, 30, 0).unwrap();
        let night = Some(Closed::OutsideHours { first: hours(9), last });
        assert_eq!(closed_at(at("05T02:00"), &slots, Berlin), night);
        assert_eq!(closed_at(at("06T10:00"), &slots, Berlin), Some(Closed::DayWithoutSlots));
        assert_eq!(closed_at(at("05T10:00"), &slots, Berlin), None);
        assert_eq!(closed_at(at("05T10:00"), &[], Berlin), None, "nothing is known");
    }

    #[test]
    fn a_few_slots_are_all_proposed_nearest_first_and_once() {
        let slots = [at("01T08:00"), at("01T11:00"), at("01T09:00"), at("01T11:00"), at("01T10:00")];
        let proposed = proposals(&slots, at("01T10:00"), &AppointmentId::new("a"));
        assert_eq!(proposed, [at("01T09:00"), at("01T11:00"), at("01T08:00")]);
    }

    #[test]
    fn fifty_who_wanted_one_time_are_not_all_offered_the_same() {
        let (slots, start) = ([day(1), day(2)].concat(), at("01T10:00"));
        let mut offered = BTreeSet::new();
        for caller in 0..50 {
            let proposed = proposals(&slots, start, &AppointmentId::new(format!("a{caller}")));
            assert_eq!((proposed.len(), (proposed[0] - start).abs()), (5, TimeDelta::minutes(30)));
            assert!(proposed.is_sorted_by_key(|slot| (*slot - start).abs()) && !proposed.contains(&start));
            offered.extend(proposed);
        }
        assert_eq!(offered.len(), 1 + SPREAD_OVER);
    }
}
