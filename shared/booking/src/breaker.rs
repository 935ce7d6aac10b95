//! The credential breaker: pauses an account whose key Cal.com refuses, and probes the key.

use chrono::{DateTime, Utc};
use platform::telemetry::{LogContext, Metrics};
use scheduling::{ids::AccountName, timing::Timing};
use store::{AccountPauses, StoreError};

use crate::{accounts::Accounts, job::Job};

/// Pauses accounts whose key Cal.com refuses.
pub struct CredentialBreaker {
    pauses: AccountPauses,
    metrics: Metrics,
    timing: Timing,
}

/// What a worker may do with an account now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Book.
    Allowed,
    /// Nothing until this time.
    Blocked(DateTime<Utc>),
}

impl CredentialBreaker {
    /// The breaker of every account.
    pub fn new(pauses: AccountPauses, metrics: Metrics, timing: Timing) -> Self {
        Self { pauses, metrics, timing }
    }

    /// What a worker may do with the account. After each pause one worker probes the key with a request of its own: no
    /// customer's appointment is spent on it.
    pub async fn admit(&self, accounts: &Accounts, job: &Job<'_>) -> Result<Admission, StoreError> {
        let (account, now) = (&job.tenant.calcom.account, Utc::now());
        let Some(pause) = self.pauses.of(account).await? else { return Ok(Admission::Allowed) };
        if pause.until > now {
            return Ok(Admission::Blocked(pause.until));
        }
        let next = now + self.timing.pause;
        if !self.pauses.take_probe(account, &pause, next).await? {
            // Another worker is probing it.
            return Ok(Admission::Blocked(now + self.timing.first_retry));
        }
        let accepted = self.resume(accounts, job).await?;
        Ok(if accepted == Some(true) { Admission::Allowed } else { Admission::Blocked(next) })
    }

    /// Ends the account's pause if Cal.com accepts its key now, and returns whether it does. `None` if that can't be found
    /// out now.
    pub async fn resume(&self, accounts: &Accounts, job: &Job<'_>) -> Result<Option<bool>, StoreError> {
        let account = &job.tenant.calcom.account;
        let accepted = accounts.is_key_accepted(account, &job.calcom).await;
        if accepted == Some(true) && self.pauses.end(account).await? {
            self.metrics.count("AccountResumed", None, job.log);
            tracing::info!(account = account.as_str(), "account resumed: Cal.com accepts its key");
        }
        Ok(accepted)
    }

    /// Pauses an account until a time. The first to do so raises the alarm, once for everything that will wait.
    pub async fn pause(&self, account: &AccountName, until: DateTime<Utc>, log: &LogContext) -> Result<(), StoreError> {
        if self.pauses.begin(account, Utc::now(), until).await? {
            self.metrics.count("AccountPaused", None, log);
            tracing::error!(account = account.as_str(), "account paused: Cal.com refuses its key");
        }
        Ok(())
    }
}
