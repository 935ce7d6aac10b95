//! Cooldowns: accounts whose rate limit is exhausted.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use scheduling::ids::AccountName;

/// Until when each account gets no request from this process. Other processes find out on their own.
#[derive(Default)]
pub struct Cooldowns {
    until: Mutex<HashMap<AccountName, DateTime<Utc>>>,
}

impl Cooldowns {
    /// Starts a cooldown, or extends the current one.
    pub fn start(&self, account: &AccountName, until: DateTime<Utc>) {
        let mut cooldowns = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let current = cooldowns.entry(account.clone()).or_insert(until);
        *current = until.max(*current);
    }

    /// The end of an account's cooldown, if it is in the future.
    pub fn until(&self, account: &AccountName, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let cooldowns = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        cooldowns.get(account).copied().filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_longest_cooldown_of_an_account_counts_and_no_other_account_has_it() {
        let (cooldowns, account, now) = (Cooldowns::default(), AccountName::new("a"), DateTime::UNIX_EPOCH);
        let at = |seconds| now + TimeDelta::seconds(seconds);
        cooldowns.start(&account, at(20));
        cooldowns.start(&account, at(10));
        assert_eq!(cooldowns.until(&account, at(19)), Some(at(20)));
        assert_eq!(cooldowns.until(&account, at(20)), None);
        assert_eq!(cooldowns.until(&AccountName::new("b"), now), None);
    }
}
