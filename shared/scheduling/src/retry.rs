//! What happens after a failure. [`decide`] is the whole policy, readable from top to bottom.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{booking::UnconfirmedBooking, failure::BookingFailure, timing::Timing};

/// What is known when an attempt has failed.
#[derive(Debug, Clone, Copy)]
pub struct RetryContext<'a> {
    /// Delays and timeouts.
    pub timing: &'a Timing,
    /// Now.
    pub now: DateTime<Utc>,
    /// When the appointment starts.
    pub start: DateTime<Utc>,
    /// When the retry window began.
    pub first_attempt: DateTime<Utc>,
    /// How often it was already retried for this category.
    pub retries: u32,
    /// Whether a part of the contact was already omitted.
    pub contact_omitted: bool,
    /// Whether the contact is already the appointment's own.
    pub has_own_contact: bool,
    /// Why Cal.com may hold a booking of it.
    pub unconfirmed: Option<UnconfirmedBooking>,
    /// In `0.0..1.0`: the position of a delay in its jitter range, so that retries are spread out.
    pub jitter: f64,
}

/// What happens after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Cancel it: its start has passed.
    CancelPast,
    /// A person decides.
    Review,
    /// Retry, not before `at`.
    Retry {
        /// When.
        at: DateTime<Utc>,
    },
    /// Retry at once without the part of the contact that Cal.com refuses.
    RetryWithoutContact,
    /// Retry at once with a contact of the appointment's own.
    RetryWithOwnContact,
    /// Pause the whole account until `until`; then one appointment tries the key.
    PauseAccount {
        /// Until when.
        until: DateTime<Utc>,
    },
}

/// How often an unknown failure is retried.
pub const UNKNOWN_RETRIES: u32 = 3;
/// After so many errors in succession an appointment that fails alone goes to a person.
const MAX_ERRORS_ALONE: u32 = 3;

/// Whether an appointment fails alone to which Cal.com answered with so many errors in succession: an outage would hit
/// the others, too. `others_booked` says whether Cal.com booked any since it first failed.
pub fn fails_alone(errors: u32, others_booked: bool) -> bool {
    others_booked && errors >= MAX_ERRORS_ALONE
}
/// An unconfirmed booking is looked up for this multiple of the retry window.
const LOOKUP_WINDOW_FACTOR: i32 = 3;

/// What happens after an attempt that failed with `failure`.
pub fn decide(failure: &BookingFailure, context: &RetryContext<'_>) -> Decision {
    match failure {
        BookingFailure::Past => Decision::CancelPast,
        BookingFailure::ContactRefused(_) if !context.contact_omitted => Decision::RetryWithoutContact,
        BookingFailure::SharedContact if !context.has_own_contact => Decision::RetryWithOwnContact,
        BookingFailure::SlotTaken { .. }
        | BookingFailure::Overtaken
        | BookingFailure::OutsideWindow { .. }
        | BookingFailure::ContactRefused(_)
        | BookingFailure::PhoneRequired
        | BookingFailure::SharedContact
        | BookingFailure::NoEventType(_)
        | BookingFailure::Misconfigured(_)
        | BookingFailure::BookerLimit { .. }
        | BookingFailure::FailsAlone
        | BookingFailure::ChangeRefused
        | BookingFailure::NotVisible { .. } => Decision::Review,
        BookingFailure::RateLimited { retry_after } => {
            context.retry_in(context.backoff().max(context.capped(retry_after.unwrap_or(context.timing.rate_limit))))
        }
        BookingFailure::Unavailable { retry_after, .. } => {
            context.retry_in(context.backoff().max(context.capped(retry_after.unwrap_or(TimeDelta::zero()))))
        }
        BookingFailure::CredentialsRefused => {
            Decision::PauseAccount { until: context.now + context.spread(context.timing.pause) }
        }
        BookingFailure::Unknown { .. } | BookingFailure::Forbidden if context.retries < UNKNOWN_RETRIES => {
            context.retry_in(context.backoff())
        }
        BookingFailure::Unknown { .. } | BookingFailure::Forbidden => Decision::Review,
    }
}

impl RetryContext<'_> {
    /// The backoff, longer by up to half.
    fn backoff(&self) -> TimeDelta {
        with_jitter(self.timing.backoff(self.retries), self.jitter / 2.0)
    }

    /// Retries after `delay`, but never past the start or the retry window. An unconfirmed booking is looked up for
    /// some days longer, once Cal.com can no longer be making it.
    fn retry_in(&self, delay: TimeDelta) -> Decision {
        let at = self.now + self.spread(delay.max(TimeDelta::seconds(1)));
        let lookup_until = self.first_attempt + self.timing.retry_window * LOOKUP_WINDOW_FACTOR;
        let lookup_after = match self.unconfirmed {
            Some(UnconfirmedBooking::NoResponse) => Some(self.timing.late_booking),
            Some(UnconfirmedBooking::ErrorResponse) => Some(self.timing.replica_lag),
            Some(UnconfirmedBooking::MadeInCall) => Some(TimeDelta::zero()),
            Some(UnconfirmedBooking::UnreadableResponse) | None => None,
        };
        if let Some(delay) = lookup_after.filter(|_| at <= lookup_until) {
            return Decision::Retry { at: at.max(self.now + delay) };
        }
        if at >= self.start || at > self.first_attempt + self.timing.retry_window {
            return Decision::Review;
        }
        Decision::Retry { at }
    }

    /// A delay that Cal.com asks for, up to the longest backoff.
    fn capped(&self, asked: TimeDelta) -> TimeDelta {
        asked.min(self.timing.max_backoff)
    }

    fn spread(&self, delay: TimeDelta) -> TimeDelta {
        with_jitter(delay, self.jitter / 10.0)
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
    const UNAVAILABLE: BookingFailure = BookingFailure::NOT_SENT;
    const UNKNOWN: BookingFailure = BookingFailure::Unknown { unconfirmed: None };
    const CONTACT: BookingFailure = BookingFailure::ContactRefused(None);

    fn limited(retry_after: Option<i64>) -> BookingFailure {
        BookingFailure::RateLimited { retry_after: retry_after.map(TimeDelta::seconds) }
    }

    fn after(retries: u32) -> RetryContext<'static> {
        let now = "2026-12-01T08:00:00Z".parse().unwrap();
        RetryContext {
            timing: &TIMING,
            now,
            start: now + TimeDelta::days(3),
            first_attempt: now,
            retries,
            contact_omitted: false,
            has_own_contact: false,
            unconfirmed: None,
            jitter: 0.0,
        }
    }

    fn seconds(failure: &BookingFailure, context: &RetryContext<'_>) -> Option<i64> {
        match decide(failure, context) {
            Decision::Retry { at } | Decision::PauseAccount { until: at } => Some((at - context.now).num_seconds()),
            _ => None,
        }
    }

    #[test]
    fn an_outage_is_retried_with_exponential_backoff() {
        let delays: Vec<_> = (0..9).map(|retries| seconds(&UNAVAILABLE, &after(retries)).unwrap()).collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
    }

    #[test]
    fn the_delay_that_cal_com_asks_for_is_respected() {
        assert_eq!(seconds(&limited(Some(77)), &after(0)), Some(77));
        let unavailable = BookingFailure::Unavailable { retry_after: Some(TimeDelta::seconds(77)), unconfirmed: None };
        assert_eq!(seconds(&unavailable, &after(0)), Some(77));
        assert_eq!(seconds(&limited(None), &after(0)), Some(30));
    }

    #[test]
    fn a_retry_after_of_zero_does_not_send_a_request_every_second() {
        let delays: Vec<_> = (0..4).map(|retries| seconds(&limited(Some(0)), &after(retries)).unwrap()).collect();
        assert_eq!(delays, [10, 20, 40, 80]);
    }

    #[test]
    fn an_unconfirmed_booking_is_looked_up_even_when_its_time_is_up() {
        let late = RetryContext { start: after(0).now, unconfirmed: Some(UnconfirmedBooking::NoResponse), ..after(0) };
        assert_eq!(seconds(&UNAVAILABLE, &late), Some(90));
        let certain = RetryContext { unconfirmed: None, ..late };
        assert_eq!(decide(&UNAVAILABLE, &certain), Decision::Review);
    }

    #[test]
    fn a_refused_key_pauses_its_account_and_escalates_no_appointment() {
        let late = RetryContext { start: after(0).now + TimeDelta::seconds(1), ..after(90) };
        assert_eq!(seconds(&BookingFailure::CredentialsRefused, &late), Some(120));
    }

    #[test]
    fn an_unknown_failure_is_retried_three_times_and_then_reviewed() {
        assert!(matches!(decide(&UNKNOWN, &after(2)), Decision::Retry { .. }));
        assert_eq!(decide(&UNKNOWN, &after(3)), Decision::Review);
    }

    #[test]
    fn a_part_of_the_contact_is_omitted_once() {
        assert_eq!(decide(&CONTACT, &after(0)), Decision::RetryWithoutContact);
        let omitted = RetryContext { contact_omitted: true, ..after(0) };
        assert_eq!(decide(&CONTACT, &omitted), Decision::Review);
    }

    #[test]
    fn an_error_of_cal_com_is_looked_into_within_seconds() {
        let error = Some(UnconfirmedBooking::ErrorResponse);
        let failure = BookingFailure::Unavailable { retry_after: None, unconfirmed: error };
        let delays: Vec<_> =
            (0..3).map(|retries| seconds(&failure, &RetryContext { unconfirmed: error, ..after(retries) })).collect();
        assert_eq!(delays, [Some(15), Some(20), Some(40)]);
    }

    #[test]
    fn an_error_that_one_appointment_alone_gets_goes_to_a_person_early() {
        assert!(!fails_alone(2, true) && fails_alone(3, true));
        assert!(!fails_alone(50, false), "an outage hits all, and is waited out");
        assert_eq!(decide(&BookingFailure::FailsAlone, &after(0)), Decision::Review);
    }

    #[test]
    fn however_long_cal_com_asks_to_wait_nobody_waits_for_a_day() {
        assert_eq!(seconds(&limited(Some(86_400)), &after(0)), Some(900));
    }

    #[test]
    fn a_fault_of_the_set_up_is_a_persons_at_once() {
        use crate::event_type::SetupFault;
        let failure = BookingFailure::Misconfigured(SetupFault::EmailVerification);
        assert_eq!(decide(&failure, &after(0)), Decision::Review);
    }

    #[test]
    fn a_contact_that_another_appointment_has_is_replaced_once() {
        assert_eq!(decide(&BookingFailure::SharedContact, &after(0)), Decision::RetryWithOwnContact);
        let own = RetryContext { has_own_contact: true, ..after(0) };
        assert_eq!(decide(&BookingFailure::SharedContact, &own), Decision::Review);
    }

    proptest! {
        #[test]
        fn nothing_is_retried_past_its_start_or_for_more_than_a_day(
            retries in 0_u32..1000, waited in 0_i64..100_000, until_start in -1000_i64..200_000,
            retry_after in proptest::option::of(0_i64..1_000_000), jitter in 0.0..1.0_f64, which in 0_usize..3,
        ) {
            let base = after(retries);
            let context = RetryContext {
                first_attempt: base.now - TimeDelta::seconds(waited),
                start: base.now + TimeDelta::seconds(until_start),
                jitter,
                ..base
            };
            let unavailable =
                BookingFailure::Unavailable { retry_after: retry_after.map(TimeDelta::seconds), unconfirmed: None };
            let failure = [limited(retry_after), unavailable, UNKNOWN][which].clone();
            if let Decision::Retry { at } = decide(&failure, &context) {
                prop_assert!(at > context.now);
                prop_assert!(at < context.start);
                prop_assert!(at <= context.first_attempt + TIMING.retry_window);
            }
        }
    }
}
