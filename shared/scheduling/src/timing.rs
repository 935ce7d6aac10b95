//! How long Frontdesk timing: every lease, time-out and delay in one place, since they only make sense together.

use chrono::TimeDelta;

/// How long things take and wait.
///
/// ```text
/// claim                                    lease runs out
///   |<---------------- lease ------------------->|
///   |  may send  |<- booking_timeout ->|<- late ->|
/// ```
///
/// A booking is only sent while the lease lasts longer than the request may take and Cal.com may lag behind; whoever
/// comes after the lease finds every booking that was made under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long one worker has an appointment, and the slot that it books, to itself.
    pub lease: TimeDelta,
    /// How long Cal.com may take to answer a request to book.
    pub booking_timeout: TimeDelta,
    /// How long after that Cal.com may still make the booking. Before, nothing is looked for and nothing sent again.
    pub late_booking: TimeDelta,
    /// Before the second attempt. Each further one timing twice as long.
    pub first_retry: TimeDelta,
    /// No retry timing longer of itself.
    pub longest_retry: TimeDelta,
    /// After a rate limit that does not say how long it lasts.
    pub rate_limit: TimeDelta,
    /// Between two tries of a key that Cal.com refuses.
    pub pause: TimeDelta,
    /// An appointment is tried for so long, counted from its first attempt.
    pub retry_window: TimeDelta,
    /// Until a worker looks again whether another one has given a slot back.
    pub slot: TimeDelta,
    /// A wait up to this long is a delayed message. A longer one is left to the reconciler.
    pub max_queue_delay: TimeDelta,
    /// How long a message may be under way before the reconciler takes it for lost.
    pub grace: TimeDelta,
    /// The reconciler's longest wait before it sends once more what does not move.
    pub max_resend_delay: TimeDelta,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: TimeDelta::seconds(150),
            booking_timeout: TimeDelta::seconds(30),
            late_booking: TimeDelta::seconds(90),
            first_retry: TimeDelta::seconds(10),
            longest_retry: TimeDelta::minutes(15),
            rate_limit: TimeDelta::seconds(30),
            pause: TimeDelta::minutes(5),
            retry_window: TimeDelta::hours(24),
            slot: TimeDelta::seconds(2),
            max_queue_delay: TimeDelta::minutes(15),
            grace: TimeDelta::minutes(2),
            max_resend_delay: TimeDelta::hours(1),
        }
    }
}

impl Timing {
    /// All of them shorter by the same divisor, so that a test does not take a day. Their order stays.
    #[must_use]
    pub fn divided_by(self, divisor: u16) -> Self {
        let shorter = |wait: TimeDelta| wait / i32::from(divisor.max(1));
        Self {
            lease: shorter(self.lease),
            booking_timeout: shorter(self.booking_timeout),
            late_booking: shorter(self.late_booking),
            first_retry: shorter(self.first_retry),
            longest_retry: shorter(self.longest_retry),
            rate_limit: shorter(self.rate_limit),
            pause: shorter(self.pause),
            retry_window: shorter(self.retry_window),
            slot: shorter(self.slot),
            max_queue_delay: shorter(self.max_queue_delay),
            grace: shorter(self.grace),
            max_resend_delay: shorter(self.max_resend_delay),
        }
    }

    /// When the reconciler sends once more what it has sent `resends` times already: after the grace, then after twice
    /// that, and so on.
    pub fn resend_delay(&self, resends: u32) -> TimeDelta {
        (self.grace * 2_i32.pow(resends.min(16))).min(self.max_resend_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_booking_that_is_sent_in_time_is_there_before_the_lease_runs_out() {
        for timing in [Timing::default(), Timing::default().divided_by(10)] {
            assert!(timing.lease > timing.booking_timeout + timing.late_booking);
        }
    }

    #[test]
    fn what_does_not_move_is_sent_ever_more_seldom() {
        let minutes: Vec<i64> = (0..7).map(|resends| Timing::default().resend_delay(resends).num_minutes()).collect();
        assert_eq!(minutes, [2, 4, 8, 16, 32, 60, 60]);
    }
}
