//! Cal.com's rate limit: so many requests of a key a minute, then none for a minute.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

/// How long a window lasts, and how long a key is blocked that has used it up.
const WINDOW: TimeDelta = TimeDelta::seconds(60);

/// The rate limits of all keys.
pub(crate) struct RateLimits {
    /// How many requests a key may send in a window.
    pub(crate) limit: u32,
    windows: HashMap<String, Window>,
}

#[derive(Clone, Copy)]
struct Window {
    ends_at: DateTime<Utc>,
    used: u32,
    is_blocked: bool,
}

/// The rate limit as a response shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until the window ends.
    pub(crate) reset: i64,
    pub(crate) is_exceeded: bool,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { limit: 120, windows: HashMap::new() }
    }
}

impl RateLimits {
    /// Counts a request of a key, or of all who have none.
    pub(crate) fn count(&mut self, key: &str, now: DateTime<Utc>) -> Allowance {
        let fresh = Window { ends_at: now + WINDOW, used: 0, is_blocked: false };
        let window = self.windows.entry(key.to_owned()).or_insert(fresh);
        if window.ends_at <= now {
            *window = fresh;
        }
        window.used += 1;
        if window.used > self.limit && !window.is_blocked {
            (window.is_blocked, window.ends_at) = (true, now + WINDOW);
        }
        Allowance {
            limit: self.limit,
            remaining: self.limit.saturating_sub(window.used),
            reset: (window.ends_at - now).num_milliseconds().div_euclid(1000)
                + i64::from((window.ends_at - now).subsec_nanos() > 0),
            is_exceeded: window.is_blocked,
        }
    }
}
