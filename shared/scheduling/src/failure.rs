//! Why a booking failed and what happens then. [`decide`] is the whole policy, to be read from top to bottom.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{appointment::CancelReason, timing::Timing};

/// Why a booking failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// Every one of them.
    pub const ALL: [Self; 10] = [
        Self::Past,
        Self::HostConflict,
        Self::OutsideWindow,
        Self::InvalidContact,
        Self::NoEventType,
        Self::BookerLimit,
        Self::RateLimited,
        Self::CalcomUnavailable,
        Self::Credentials,
        Self::Unknown,
    ];

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
pub struct RetryContext<'a> {
    /// How long things wait.
    pub timing: &'a Timing,
    /// Now.
    pub now: DateTime<Utc>,
    /// When the appointment starts.
    pub start: DateTime<Utc>,
    /// When it was first tried.
    pub first_attempt: DateTime<Utc>,
    /// How often it has already been sent again for this category.
    pub retries: u32,
    /// Whether it was already sent with a repaired contact.
    pub contact_omitted: bool,
    /// Whether a request to book was sent whose answer never came: Cal.com may still be at it.
    pub may_be_booked: bool,
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
    /// It is tried again at once without the part of the contact that Cal.com refuses.
    AgainWithRepairedContact,
    /// The key is refused: nothing of the tenant's is tried before `until`, and then one appointment first.
    Pause {
        /// Until when.
        until: DateTime<Utc>,
    },
}

/// How often something unknown is tried again.
pub const UNKNOWN_TRIES: u32 = 3;
/// How many times as long as an appointment is tried a booking is looked for that Cal.com may hold.
const LOOKED_FOR_LONGER: i32 = 3;

/// What happens after an attempt that failed with `category`.
pub fn decide(category: Category, after: &RetryContext<'_>) -> Decision {
    let review = Decision::Review { propose: false };
    let asked_for = after.retry_after.unwrap_or(TimeDelta::zero());
    match category {
        Category::Past => Decision::Cancel(CancelReason::Past),
        Category::HostConflict | Category::OutsideWindow => Decision::Review { propose: true },
        Category::InvalidContact if !after.contact_omitted => Decision::AgainWithRepairedContact,
        Category::InvalidContact | Category::NoEventType | Category::BookerLimit => review,
        Category::RateLimited if after.retry_after.is_none() => {
            after.again_in(after.backoff().max(after.timing.rate_limit))
        }
        Category::RateLimited | Category::CalcomUnavailable => after.again_in(after.backoff().max(asked_for)),
        Category::Credentials => Decision::Pause { until: after.now + after.spread_out(after.timing.pause) },
        Category::Unknown if after.retries < UNKNOWN_TRIES => after.again_in(after.backoff()),
        Category::Unknown => review,
    }
}

impl RetryContext<'_> {
    /// 10 s, 20 s, 40 s and so on up to 15 min, each with_jitter by up to half.
    fn backoff(&self) -> TimeDelta {
        let doubled = self.timing.first_retry * 2_i32.pow(self.retries.min(10));
        with_jitter(doubled.min(self.timing.longest_retry), self.spread / 2.0)
    }

    /// Again after `delay`, but never past the start, or for longer than a day. Where Cal.com may hold a booking, it is
    /// asked for it all the same, for some days more, once it can no longer be about to make it.
    fn again_in(&self, delay: TimeDelta) -> Decision {
        let at = self.now + self.spread_out(delay.max(TimeDelta::seconds(1)));
        let looked_for_until = self.first_attempt + self.timing.retry_window * LOOKED_FOR_LONGER;
        if self.may_be_booked && at <= looked_for_until {
            return Decision::Again { at: at.max(self.now + self.timing.late_booking) };
        }
        if at >= self.start || at > self.first_attempt + self.timing.retry_window {
            return Decision::Review { propose: false };
        }
        Decision::Again { at }
    }

    fn spread_out(&self, delay: TimeDelta) -> TimeDelta {
        with_jitter(delay, self.spread / 10.0)
    }
}

fn with_jitter(delay: TimeDelta, share: f64) -> TimeDelta {
    delay + TimeDelta::milliseconds((delay.num_milliseconds() as f64 * share) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static TIMING: std::sync::LazyLock<Timing> = std::sync::LazyLock::new(Timing::default);

    fn after(retries: u32) -> RetryContext<'static> {
        let now = "2026-12-01T08:00:00Z".parse().unwrap();
        RetryContext {
            timing: &TIMING,
            now,
            start: now + TimeDelta::days(3),
            first_attempt: now,
            retries,
            contact_omitted: false,
            may_be_booked: false,
            retry_after: None,
            spread: 0.0,
        }
    }

    fn seconds(decision: Decision, after: &RetryContext<'_>) -> Option<i64> {
        match decision {
            Decision::Again { at } | Decision::Pause { until: at } => Some((at - after.now).num_seconds()),
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
        let asked = RetryContext { retry_after: Some(TimeDelta::seconds(77)), ..after(0) };
        assert_eq!(seconds(decide(Category::RateLimited, &asked), &asked), Some(77));
        assert_eq!(seconds(decide(Category::CalcomUnavailable, &asked), &asked), Some(77));
        assert_eq!(seconds(decide(Category::RateLimited, &after(0)), &after(0)), Some(30));
    }

    #[test]
    fn a_wait_of_nothing_does_not_have_cal_com_asked_every_second() {
        let delays: Vec<_> = (0..4)
            .map(|n| RetryContext { retry_after: Some(TimeDelta::zero()), ..after(n) })
            .map(|asked| seconds(decide(Category::RateLimited, &asked), &asked).unwrap())
            .collect();
        assert_eq!(delays, [10, 20, 40, 80]);
    }

    #[test]
    fn what_may_be_booked_is_looked_for_even_when_its_time_is_up() {
        let late = RetryContext { start: after(0).now, may_be_booked: true, ..after(0) };
        assert_eq!(seconds(decide(Category::CalcomUnavailable, &late), &late), Some(90));
        let sure = RetryContext { may_be_booked: false, ..late };
        assert_eq!(decide(Category::CalcomUnavailable, &sure), Decision::Review { propose: false });
    }

    #[test]
    fn a_refused_key_pauses_its_tenant_and_gives_up_no_appointment() {
        let late = RetryContext { start: after(0).now + TimeDelta::seconds(1), ..after(90) };
        assert_eq!(seconds(decide(Category::Credentials, &late), &late), Some(300));
    }

    #[test]
    fn what_is_unknown_is_tried_three_times_more_and_then_shown_to_a_person() {
        assert!(matches!(decide(Category::Unknown, &after(2)), Decision::Again { .. }));
        assert_eq!(decide(Category::Unknown, &after(3)), Decision::Review { propose: false });
    }

    #[test]
    fn a_contact_is_repaired_once() {
        assert_eq!(decide(Category::InvalidContact, &after(0)), Decision::AgainWithRepairedContact);
        let repaired = RetryContext { contact_omitted: true, ..after(0) };
        assert_eq!(decide(Category::InvalidContact, &repaired), Decision::Review { propose: false });
    }

    proptest! {
        #[test]
        fn nothing_is_tried_past_its_start_or_for_more_than_a_day(
            retries in 0_u32..1000, waited in 0_i64..100_000, until_start in -1000_i64..200_000,
            retry_after in proptest::option::of(0_i64..1_000_000), spread in 0.0..1.0_f64, which in 0_usize..3,
        ) {
            let base = after(retries);
            let context_of_retry = RetryContext {
                first_attempt: base.now - TimeDelta::seconds(waited),
                start: base.now + TimeDelta::seconds(until_start),
                retry_after: retry_after.map(TimeDelta::seconds),
                spread,
                ..base
            };
            let category = [Category::RateLimited, Category::CalcomUnavailable, Category::Unknown][which];
            if let Decision::Again { at } = decide(category, &context_of_retry) {
                prop_assert!(at > context_of_retry.now);
                prop_assert!(at < context_of_retry.start);
                prop_assert!(at <= context_of_retry.first_attempt + TIMING.retry_window);
            }
        }
    }
}
