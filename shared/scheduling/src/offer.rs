//! What is offered to a caller: the free slots that fit a wish, few enough to be said.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::StaffId,
    spoken_time::{Candidate, Doubt, NoTime, TimeReading, Window},
};

/// So many slots are said; more can't be remembered.
pub const SAID: usize = 3;
/// So many are given as data.
pub const LISTED: usize = 10;
/// Slots this long before and after a wish are looked at.
const BEFORE: TimeDelta = TimeDelta::days(1);
const AFTER: TimeDelta = TimeDelta::days(7);
/// The soonest slots are looked for within this time.
const SOON: TimeDelta = TimeDelta::days(14);

/// A slot that can be offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeSlot {
    /// Its start.
    pub start: DateTime<Utc>,
    /// Who would do it, as far as that is known: nobody where Cal.com chooses.
    pub staff: Vec<StaffId>,
}

/// When a caller wants to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeWish {
    /// At this time.
    At(DateTime<Utc>),
    /// At any time in one of these, at least one.
    Within(Vec<Window>),
    /// As soon as possible.
    Soonest,
}

/// A wish that has to be asked back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclear {
    /// It has several meanings, or lacks something.
    Question {
        /// What has to be asked.
        doubt: Doubt,
        /// What may have been meant.
        readings: Vec<Candidate>,
    },
    /// It is no time that can be booked.
    NoTime(NoTime),
}

impl TimeWish {
    /// The wish of a caller who asks what is free. A day without a time is a wish then; so is saying nothing.
    ///
    /// # Errors
    /// If the caller has to be asked back.
    pub fn of(reading: TimeReading) -> Result<Self, Unclear> {
        match reading {
            TimeReading::Moment { at, .. } => Ok(Self::At(at)),
            TimeReading::Window(windows) => Ok(Self::Within(windows)),
            TimeReading::None(NoTime::Missing) => Ok(Self::Soonest),
            TimeReading::None(reason) => Err(Unclear::NoTime(reason)),
            TimeReading::Question { doubt: Doubt::AsSoonAsPossible, .. } => Ok(Self::Soonest),
            TimeReading::Question { doubt, readings } => {
                let is_wide = matches!(doubt, Doubt::OnlyDay | Doubt::Vague | Doubt::Closed);
                let windows = readings.iter().filter_map(|reading| match reading {
                    Candidate::Window(window) => Some(*window),
                    Candidate::At { .. } => None,
                });
                let windows: Vec<Window> = windows.collect();
                if is_wide && !windows.is_empty() && windows.len() == readings.len() {
                    Ok(Self::Within(windows))
                } else {
                    Err(Unclear::Question { doubt, readings })
                }
            }
        }
    }

    /// The range in which slots are looked at. It ends with a day, so that the same question a second later has the same.
    pub fn range(&self, now: DateTime<Utc>) -> Window {
        let (from, to) = match self {
            Self::At(at) => (*at - BEFORE, *at + AFTER),
            Self::Within(windows) => {
                let from = windows.iter().map(|window| window.from).min().unwrap_or(now);
                let to = windows.iter().map(|window| window.to).max().unwrap_or(now);
                (from - BEFORE, to + AFTER)
            }
            Self::Soonest => (now, now + SOON),
        };
        let end = to.date_naive().and_hms_opt(23, 59, 59).map_or(to, |end| end.and_utc());
        Window { from: from.max(now), to: end.max(now) }
    }

    fn contains(&self, at: DateTime<Utc>) -> bool {
        match self {
            Self::At(wished) => *wished == at,
            Self::Within(windows) => windows.iter().any(|window| (window.from..window.to).contains(&at)),
            Self::Soonest => true,
        }
    }

    /// How far a start is from the wish.
    fn distance(&self, at: DateTime<Utc>) -> TimeDelta {
        let from_window = |window: &Window| match at {
            at if at < window.from => window.from - at,
            at if at >= window.to => at - window.to,
            _ => TimeDelta::zero(),
        };
        match self {
            Self::At(wished) => (at - *wished).abs(),
            Self::Within(windows) => windows.iter().map(from_window).min().unwrap_or_default(),
            Self::Soonest => TimeDelta::zero(),
        }
    }
}

/// What is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The slots that are as wished, in order: of an exact time that one, of a span those inside it.
    pub fitting: Vec<FreeSlot>,
    /// The nearest other ones, in order. Of an exact time that is free, and of a span with free slots, there are none.
    pub others: Vec<FreeSlot>,
}

/// Chooses what is offered of the free slots, which are in order.
pub fn offer(free: &[FreeSlot], wish: &TimeWish, now: DateTime<Utc>) -> Offer {
    let to_come = || free.iter().filter(|slot| slot.start > now);
    let fitting: Vec<FreeSlot> = to_come().filter(|slot| wish.contains(slot.start)).take(LISTED).cloned().collect();
    if !fitting.is_empty() {
        return Offer { fitting, others: Vec::new() };
    }
    let mut others: Vec<FreeSlot> = to_come().cloned().collect();
    others.sort_by_key(|slot| (wish.distance(slot.start), slot.start));
    others.truncate(LISTED);
    Offer { fitting, others }
}

/// The slots that are said, in order: the nearest ones. They are listed by how near they are.
pub fn said(mut nearest: Vec<FreeSlot>) -> Vec<FreeSlot> {
    nearest.truncate(SAID);
    nearest.sort_by_key(|slot| slot.start);
    nearest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn free(minutes: &[i64]) -> Vec<FreeSlot> {
        minutes.iter().map(|minute| FreeSlot { start: at(*minute), staff: Vec::new() }).collect()
    }

    fn starts(slots: &[FreeSlot]) -> Vec<i64> {
        slots.iter().map(|slot| (slot.start - at(0)).num_minutes()).collect()
    }

    #[test]
    fn a_time_that_is_free_is_offered_alone_and_else_the_nearest_ones() {
        let slots = free(&[-60, 30, 60, 90, 120, 600]);
        let offered = offer(&slots, &TimeWish::At(at(60)), at(0));
        assert_eq!((starts(&offered.fitting), starts(&offered.others)), (vec![60], vec![]));
        let offered = offer(&slots, &TimeWish::At(at(100)), at(0));
        assert_eq!((offered.fitting.len(), starts(&said(offered.others))), (0, vec![60, 90, 120]));
    }

    #[test]
    fn of_a_span_only_what_is_inside_fits() {
        let slots = free(&[30, 60, 90, 120, 600]);
        let within = TimeWish::Within(vec![Window { from: at(60), to: at(120) }]);
        assert_eq!(starts(&offer(&slots, &within, at(0)).fitting), [60, 90]);
        let empty = TimeWish::Within(vec![Window { from: at(200), to: at(300) }]);
        let offered = offer(&slots, &empty, at(0));
        assert_eq!((offered.fitting.len(), starts(&said(offered.others))), (0, vec![60, 90, 120]));
    }

    #[test]
    fn a_day_is_a_wish_when_a_caller_asks_what_is_free_and_two_days_are_a_question() {
        let day = Candidate::Window(Window { from: at(0), to: at(600) });
        let question = |doubt| TimeReading::Question { doubt, readings: vec![day] };
        assert!(matches!(TimeWish::of(question(Doubt::OnlyDay)), Ok(TimeWish::Within(_))));
        assert!(matches!(TimeWish::of(question(Doubt::WhichWeek)), Err(Unclear::Question { .. })));
        assert_eq!(TimeWish::of(TimeReading::None(NoTime::Missing)), Ok(TimeWish::Soonest));
    }

    proptest! {
        #[test]
        fn nothing_is_offered_that_has_passed_or_is_not_free(
            minutes in proptest::collection::btree_set(-500_i64..5000, 0..60), wished in -500_i64..5000, long in 0_i64..600,
        ) {
            let slots = free(&minutes.into_iter().collect::<Vec<_>>());
            for wish in [
                TimeWish::At(at(wished)),
                TimeWish::Within(vec![Window { from: at(wished), to: at(wished + long) }]),
                TimeWish::Soonest,
            ] {
                let offered = offer(&slots, &wish, at(0));
                let all: Vec<_> = offered.fitting.iter().chain(&offered.others).collect();
                prop_assert!(all.len() <= LISTED && all.iter().all(|slot| slot.start > at(0) && slots.contains(slot)));
                prop_assert!(offered.fitting.iter().all(|slot| wish.contains(slot.start)));
                prop_assert!(offered.fitting.is_empty() || offered.others.is_empty());
                let has_fitting = slots.iter().any(|slot| slot.start > at(0) && wish.contains(slot.start));
                prop_assert_eq!(has_fitting, !offered.fitting.is_empty());
            }
        }
    }
}
