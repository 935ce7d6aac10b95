//! Accounts that asked to be left alone for a while.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use scheduling::ids::AccountName;

/// Until when which account is left alone, as far as this process knows. Other processes find out by themselves.
#[derive(Default)]
pub struct Cooldowns {
    until: Mutex<HashMap<AccountName, DateTime<Utc>>>,
}

impl Cooldowns {
    /// Leaves an account alone until a time, or longer where that was asked for before.
    pub fn keep(&self, account: &AccountName, until: DateTime<Utc>) {
        let mut kept = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.entry(account.clone()).or_insert(until);
        *known = until.max(*known);
    }

    /// Until when an account is left alone, if that is to come.
    pub fn until(&self, account: &AccountName, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let kept = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(account).copied().filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn an_account_is_left_alone_for_the_longest_time_that_was_asked_for_and_no_other_with_it() {
        let (quiet, account, now) = (Cooldowns::default(), AccountName::new("a"), DateTime::UNIX_EPOCH);
        let at = |seconds| now + TimeDelta::seconds(seconds);
        quiet.keep(&account, at(20));
        quiet.keep(&account, at(10));
        assert_eq!(quiet.until(&account, at(19)), Some(at(20)));
        assert_eq!(quiet.until(&account, at(20)), None);
        assert_eq!(quiet.until(&AccountName::new("b"), now), None);
    }
}
