//! Rate limits: how many requests each key has left, as Cal.com's own responses say.
//!
//! Cal.com counts the requests of all processes together, so that what it says of one request is true for all of them.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};

use crate::error::retry_after;

/// How long a key rests whose limit is exhausted, where Cal.com does not say.
const USUAL_REST: TimeDelta = TimeDelta::seconds(60);

/// What a request is for. The less urgent ones leave the rest of the limit to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A customer's booking.
    Live,
    /// Whatever can wait for some minutes.
    Sweep,
}

impl Priority {
    /// How many requests of the limit it leaves.
    fn reserve(self) -> u32 {
        match self {
            // What one booking needs, and what other processes send meanwhile: past the limit the key is blocked.
            Self::Live => 8,
            Self::Sweep => 60,
        }
    }
}

/// The rate limits of all keys. A key is known by its hash.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    hasher: RandomState,
    of_key: Mutex<HashMap<u64, Limit>>,
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    remaining: u32,
    resets_at: DateTime<Utc>,
    rests_until: DateTime<Utc>,
}

impl RateLimits {
    /// Until when nothing of this priority is to be sent with the key. `None` if it may be sent now.
    pub(crate) fn rests_until(
        &self,
        key: &SecretString,
        priority: Priority,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let limits = self.of_key.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limits.get(&self.hash(key))?;
        if limit.rests_until > now {
            return Some(limit.rests_until);
        }
        (limit.resets_at > now && limit.remaining < priority.reserve()).then_some(limit.resets_at)
    }

    /// Counts a request that is sent now, until its response says how many are left.
    pub(crate) fn count(&self, key: &SecretString) {
        let mut limits = self.of_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = limits.get_mut(&self.hash(key)) {
            limit.remaining = limit.remaining.saturating_sub(1);
        }
    }

    /// Notes what a response says.
    pub(crate) fn note(&self, key: &SecretString, is_exhausted: bool, headers: &HeaderMap, now: DateTime<Utc>) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let (remaining, wait) = (number("x-ratelimit-remaining-default"), retry_after(headers, now));
        let mut limits = self.of_key.lock().unwrap_or_else(PoisonError::into_inner);
        let limit =
            limits.entry(self.hash(key)).or_insert(Limit { remaining: u32::MAX, resets_at: now, rests_until: now });
        if is_exhausted {
            limit.rests_until = now + wait.unwrap_or(USUAL_REST);
        }
        if let (Some(remaining), Some(wait)) = (remaining, wait) {
            (limit.remaining, limit.resets_at) = (remaining, now + wait);
        }
    }

    fn hash(&self, key: &SecretString) -> u64 {
        self.hasher.hash_one(key.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(remaining: u32, reset: u32) -> HeaderMap {
        let header = |name: &str, value: u32| (name.parse().unwrap(), value.into());
        [header("x-ratelimit-remaining-default", remaining), header("x-ratelimit-reset-default", reset)]
            .into_iter()
            .collect()
    }

    fn key(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[test]
    fn sweeps_stop_while_bookings_go_on_and_both_stop_before_the_limit() {
        let (limits, now) = (RateLimits::default(), Utc::now());
        let rests = |priority| limits.rests_until(&key("a"), priority, now).map(|until| (until - now).num_seconds());
        assert_eq!((rests(Priority::Live), rests(Priority::Sweep)), (None, None));
        limits.note(&key("a"), false, &headers(119, 60), now);
        assert_eq!((rests(Priority::Live), rests(Priority::Sweep)), (None, None));
        limits.note(&key("a"), false, &headers(59, 30), now);
        assert_eq!((rests(Priority::Live), rests(Priority::Sweep)), (None, Some(30)));
        limits.note(&key("a"), false, &headers(7, 20), now);
        assert_eq!((rests(Priority::Live), rests(Priority::Sweep)), (Some(20), Some(20)));
        assert_eq!(limits.rests_until(&key("b"), Priority::Sweep, now), None, "another key");
        let later = now + TimeDelta::seconds(20);
        assert_eq!(limits.rests_until(&key("a"), Priority::Live, later), None);
    }

    #[test]
    fn requests_under_way_count() {
        let (limits, now) = (RateLimits::default(), Utc::now());
        limits.note(&key("a"), false, &headers(10, 60), now);
        (0..3).for_each(|_| limits.count(&key("a")));
        assert!(limits.rests_until(&key("a"), Priority::Live, now).is_some());
    }

    #[test]
    fn an_exhausted_key_rests_for_as_long_as_cal_com_says() {
        let (limits, now) = (RateLimits::default(), Utc::now());
        let rest = || limits.rests_until(&key("a"), Priority::Live, now).map(|until| (until - now).num_seconds());
        limits.note(&key("a"), true, &headers(0, 55), now);
        assert_eq!(rest(), Some(55));
        limits.note(&key("a"), true, &HeaderMap::new(), now);
        assert_eq!(rest(), Some(60));
        limits.note(&key("a"), true, &headers(0, 86_400), now);
        assert_eq!(rest(), Some(900));
    }
}
