//! Why a booking failed and what happens then. [`decide`] is the whole policy, to be read from top to bottom.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::appointment::CancelReason;

/// Why a booking failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The start has gone by.
    Past,
    /// The host is not free at that time.
    HostConflict,
    /// The event type can't be booked at that time at all.
    OutsideWindow,
    /// Cal.com refuses the customer's phone number or email.
    InvalidContact,
    /// No event type fits, or Cal.com doesn't know it.
    NoEventType,
    /// The customer has as many bookings as the event type allows.
    BookerLimit,
    /// Too many requests.
    RateLimited,
    /// Cal.com doesn't answer, or answers that it can't. The booking may have been made.
    CalcomUnavailable,
    /// The key is wrong or may not do this.
    Credentials,
    /// Something that nobody has seen yet.
    Unknown,
}

impl Category {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::HostConflict => "host_conflict",
            Self::OutsideWindow => "outside_window",
            Self::InvalidContact => "invalid_contact",
            Self::NoEventType => "no_event_type",
            Self::BookerLimit => "booker_limit",
            Self::RateLimited => "rate_limited",
            Self::CalcomUnavailable => "calcom_unavailable",
            Self::Credentials => "credentials",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known when an attempt has failed.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Now.
    pub now: DateTime<Utc>,
    /// When the appointment starts.
    pub start: DateTime<Utc>,
    /// When it was first tried.
    pub first_attempt: DateTime<Utc>,
    /// How often it has already been sent again for this category.
    pub again_so_far: u32,
    /// Whether it was already sent with a repaired contact.
    pub contact_repaired: bool,
    /// How long Cal.com asked to wait.
    pub retry_after: Option<TimeDelta>,
    /// In `0.0..1.0`: where in the range of delays this one lies, so that retries don't come all at once.
    pub spread: f64,
}

/// What happens after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The appointment is cancelled.
    Cancel(CancelReason),
    /// A person decides. With `propose`, the nearest free slots are kept with it.
    Review {
        /// Whether free slots help the person.
        propose: bool,
    },
    /// It is tried again, not before `at`.
    Again {
        /// When.
        at: DateTime<Utc>,
    },
    /// It is tried again at once without the phone number and with an email of our own where there is none.
    AgainWithRepairedContact,
}

/// How long an appointment is tried again for, counted from its first attempt.
pub const TRIED_FOR: TimeDelta = TimeDelta::hours(24);
/// How often something unknown is tried again.
pub const UNKNOWN_TRIES: u32 = 3;

const FIRST_DELAY: TimeDelta = TimeDelta::seconds(10);
const LONGEST_DELAY: TimeDelta = TimeDelta::minutes(15);
const CREDENTIALS_DELAY: TimeDelta = TimeDelta::minutes(15);
const RATE_LIMIT_DELAY: TimeDelta = TimeDelta::seconds(30);

/// What happens after an attempt that failed with `category`.
pub fn decide(category: Category, after: &Circumstances) -> Decision {
    let review = Decision::Review { propose: false };
    match category {
        Category::Past => Decision::Cancel(CancelReason::Past),
        Category::HostConflict | Category::OutsideWindow => Decision::Review { propose: true },
        Category::InvalidContact if !after.contact_repaired => Decision::AgainWithRepairedContact,
        Category::InvalidContact | Category::NoEventType | Category::BookerLimit => review,
        Category::RateLimited => after.again_in(after.retry_after.unwrap_or(RATE_LIMIT_DELAY)),
        Category::CalcomUnavailable => {
            after.again_in(after.growing_delay().max(after.retry_after.unwrap_or(TimeDelta::zero())))
        }
        Category::Credentials => after.again_in(CREDENTIALS_DELAY),
        Category::Unknown if after.again_so_far < UNKNOWN_TRIES => after.again_in(after.growing_delay()),
        Category::Unknown => review,
    }
}

impl Circumstances {
    /// 10 s, 20 s, 40 s and so on up to 15 min, each stretched by up to half.
    fn growing_delay(&self) -> TimeDelta {
        let doubled = FIRST_DELAY * 2_i32.pow(self.again_so_far.min(10));
        stretched(doubled.min(LONGEST_DELAY), self.spread / 2.0)
    }

    fn again_in(&self, delay: TimeDelta) -> Decision {
        let at = self.now + stretched(delay.max(TimeDelta::seconds(1)), self.spread / 10.0);
        if at >= self.start || at > self.first_attempt + TRIED_FOR {
            return Decision::Review { propose: false };
        }
        Decision::Again { at }
    }
}

fn stretched(delay: TimeDelta, share: f64) -> TimeDelta {
    delay + TimeDelta::milliseconds((delay.num_milliseconds() as f64 * share) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(again_so_far: u32) -> Circumstances {
        let now = "2026-12-01T08:00:00Z".parse().unwrap();
        Circumstances {
            now,
            start: now + TimeDelta::days(3),
            first_attempt: now,
            again_so_far,
            contact_repaired: false,
            retry_after: None,
            spread: 0.0,
        }
    }

    fn seconds(decision: Decision, after: &Circumstances) -> Option<i64> {
        match decision {
            Decision::Again { at } => Some((at - after.now).num_seconds()),
            _ => None,
        }
    }

    #[test]
    fn an_outage_is_waited_out_with_growing_delays() {
        let delays: Vec<_> =
            (0..9).map(|n| seconds(decide(Category::CalcomUnavailable, &after(n)), &after(n)).unwrap()).collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
    }

    #[test]
    fn the_other_sides_wait_is_respected() {
        let asked = Circumstances { retry_after: Some(TimeDelta::seconds(77)), ..after(0) };
        assert_eq!(seconds(decide(Category::RateLimited, &asked), &asked), Some(77));
        assert_eq!(seconds(decide(Category::CalcomUnavailable, &asked), &asked), Some(77));
    }

    #[test]
    fn what_is_unknown_is_tried_three_times_more_and_then_shown_to_a_person() {
        assert!(matches!(decide(Category::Unknown, &after(2)), Decision::Again { .. }));
        assert_eq!(decide(Category::Unknown, &after(3)), Decision::Review { propose: false });
    }

    #[test]
    fn a_contact_is_repaired_once() {
        assert_eq!(decide(Category::InvalidContact, &after(0)), Decision::AgainWithRepairedContact);
        let repaired = Circumstances { contact_repaired: true, ..after(0) };
        assert_eq!(decide(Category::InvalidContact, &repaired), Decision::Review { propose: false });
    }

    proptest! {
        #[test]
        fn nothing_is_tried_past_its_start_or_for_more_than_a_day(
            again_so_far in 0_u32..1000, waited in 0_i64..100_000, until_start in -1000_i64..200_000,
            retry_after in proptest::option::of(0_i64..1_000_000), spread in 0.0..1.0_f64, which in 0_usize..4,
        ) {
            let base = after(again_so_far);
            let circumstances = Circumstances {
                first_attempt: base.now - TimeDelta::seconds(waited),
                start: base.now + TimeDelta::seconds(until_start),
                retry_after: retry_after.map(TimeDelta::seconds),
                spread,
                ..base
            };
            let category =
                [Category::RateLimited, Category::CalcomUnavailable, Category::Credentials, Category::Unknown][which];
            if let Decision::Again { at } = decide(category, &circumstances) {
                prop_assert!(at > circumstances.now);
                prop_assert!(at < circumstances.start);
                prop_assert!(at <= circumstances.first_attempt + TRIED_FOR);
            }
        }
    }
}
