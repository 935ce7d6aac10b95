//! Every lease, timeout and delay in one place, because they only make sense together.

use chrono::TimeDelta;

/// Leases, timeouts and delays.
///
/// ```text
/// claim                                    lease expires
///   |<---------------- lease ------------------->|
///   |  may send  |<- booking_timeout ->|<- late ->|
/// ```
///
/// A request to book is only sent while the lease outlasts its timeout and the time that Cal.com may lag behind: the
/// next worker then finds every booking that was made under the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long an appointment, and the slot that it books, belongs to one worker.
    pub lease: TimeDelta,
    /// The timeout of a request to book.
    pub booking_timeout: TimeDelta,
    /// How long after the timeout Cal.com may still make the booking. Until then it is neither looked up nor sent again.
    pub late_booking: TimeDelta,
    /// How far Cal.com's reads may lag behind its writes: a booking is not believed to be missing before.
    pub replica_lag: TimeDelta,
    /// The delay before the second attempt. Each further delay is twice as long.
    pub first_retry: TimeDelta,
    /// The longest delay between two attempts, even if Cal.com asks for a longer one.
    pub max_backoff: TimeDelta,
    /// The delay after a rate limit that does not say how long it lasts.
    pub rate_limit: TimeDelta,
    /// The delay between two probes of a key that Cal.com refuses.
    pub pause: TimeDelta,
    /// How long an appointment is retried, counted from its first attempt.
    pub retry_window: TimeDelta,
    /// The delay before a message for a slot that another appointment has leased is received again.
    pub slot: TimeDelta,
    /// How long a worker waits for such a slot before it returns the message.
    pub slot_wait: TimeDelta,
    /// The longest delay for which a message is queued. Anything later is left to the reconciler.
    pub max_queue_delay: TimeDelta,
    /// How long a message of a newer deployed version stays in its queue. Longer than any gradual deployment.
    pub defer_window: TimeDelta,
    /// How long a message may take before the reconciler considers it lost.
    pub grace: TimeDelta,
    /// The reconciler's longest delay between two resends.
    pub max_resend_delay: TimeDelta,
    /// The shortest time between two notices to a tenant.
    pub notice_interval: TimeDelta,
    /// The same, if something is urgent.
    pub urgent_notice_interval: TimeDelta,
    /// How long after its end the webhooks of a call may take before the call is fetched.
    pub webhook_delay: TimeDelta,
    /// How long after its end the analysis of a call may take before a person has to follow up.
    pub analysis_delay: TimeDelta,
    /// How long Cal.com may take while a caller waits. What it has not answered by then is stored and goes on from the queue.
    pub caller_patience: TimeDelta,
    /// How long a caller waits at most, whatever is slow.
    pub caller_limit: TimeDelta,
    /// How long the caller's phone rings for what the agent should know before it says hello.
    pub greeting_limit: TimeDelta,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: TimeDelta::seconds(150),
            booking_timeout: TimeDelta::seconds(30),
            late_booking: TimeDelta::seconds(90),
            replica_lag: TimeDelta::seconds(15),
            first_retry: TimeDelta::seconds(10),
            max_backoff: TimeDelta::minutes(15),
            rate_limit: TimeDelta::seconds(30),
            pause: TimeDelta::minutes(2),
            retry_window: TimeDelta::hours(24),
            slot: TimeDelta::seconds(2),
            slot_wait: TimeDelta::seconds(8),
            max_queue_delay: TimeDelta::minutes(15),
            defer_window: TimeDelta::hours(3),
            grace: TimeDelta::minutes(2),
            max_resend_delay: TimeDelta::hours(1),
            notice_interval: TimeDelta::hours(1),
            urgent_notice_interval: TimeDelta::minutes(1),
            webhook_delay: TimeDelta::minutes(5),
            analysis_delay: TimeDelta::minutes(30),
            caller_patience: TimeDelta::milliseconds(3500),
            caller_limit: TimeDelta::milliseconds(3900),
            greeting_limit: TimeDelta::milliseconds(250),
        }
    }
}

impl Timing {
    /// All of them divided by the same divisor, so that a test does not take a day, but for what people wait. Their order stays.
    #[must_use]
    pub fn divided_by(self, divisor: u16) -> Self {
        let shorter = |delay: TimeDelta| delay / i32::from(divisor.max(1));
        Self {
            lease: shorter(self.lease),
            booking_timeout: shorter(self.booking_timeout),
            late_booking: shorter(self.late_booking),
            replica_lag: shorter(self.replica_lag),
            first_retry: shorter(self.first_retry),
            max_backoff: shorter(self.max_backoff),
            rate_limit: shorter(self.rate_limit),
            pause: shorter(self.pause),
            retry_window: shorter(self.retry_window),
            slot: shorter(self.slot),
            slot_wait: shorter(self.slot_wait),
            max_queue_delay: shorter(self.max_queue_delay),
            defer_window: shorter(self.defer_window),
            grace: shorter(self.grace),
            max_resend_delay: shorter(self.max_resend_delay),
            notice_interval: shorter(self.notice_interval),
            urgent_notice_interval: shorter(self.urgent_notice_interval),
            webhook_delay: shorter(self.webhook_delay),
            analysis_delay: shorter(self.analysis_delay),
            caller_patience: self.caller_patience,
            caller_limit: self.caller_limit,
            greeting_limit: self.greeting_limit,
        }
    }

    /// The delay before attempt `times` + 1 of something that fails: 10 s, 20 s, 40 s and so on up to 15 min.
    pub fn backoff(&self, times: u32) -> TimeDelta {
        (self.first_retry * 2_i32.pow(times.min(10))).min(self.max_backoff)
    }

    /// The delay after `resends` resends: the grace, then twice that, and so on.
    pub fn resend_delay(&self, resends: u32) -> TimeDelta {
        (self.grace * 2_i32.pow(resends.min(16))).min(self.max_resend_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_booking_that_is_sent_in_time_exists_before_the_lease_expires() {
        for timing in [Timing::default(), Timing::default().divided_by(10)] {
            assert!(timing.lease > timing.booking_timeout + timing.late_booking);
            assert!(timing.late_booking > timing.replica_lag);
        }
    }

    #[test]
    fn a_key_that_works_again_lets_all_go_on_within_five_minutes() {
        let timing = Timing::default();
        // The next probe, the message after it, and the reconciler where that message was lost; a tenth is jitter.
        let longest = timing.pause + timing.pause / 10 + timing.grace + TimeDelta::seconds(40);
        assert!(longest <= TimeDelta::minutes(5));
    }

    #[test]
    fn a_caller_is_answered_within_four_seconds_with_time_to_store_the_result() {
        let timing = Timing::default();
        assert!(timing.caller_patience + TimeDelta::milliseconds(300) <= timing.caller_limit);
        assert!(timing.caller_limit < TimeDelta::seconds(4) && timing.greeting_limit < TimeDelta::milliseconds(300));
    }

    #[test]
    fn resends_back_off_exponentially() {
        let minutes: Vec<i64> = (0..7).map(|resends| Timing::default().resend_delay(resends).num_minutes()).collect();
        assert_eq!(minutes, [2, 4, 8, 16, 32, 60, 60]);
    }
}
