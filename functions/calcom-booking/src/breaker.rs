//! The credential breaker: pauses an account whose key Cal.com refuses, and probes the key with one appointment.

use chrono::{DateTime, Utc};
use platform::telemetry::{LogContext, Metrics};
use scheduling::{ids::AccountName, timing::Timing};
use store::{AccountPauses, StoreError};

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
    /// Probe the key with one appointment; no other worker does.
    Probe,
    /// Nothing. The reconciler resends what waits.
    Blocked,
}

impl CredentialBreaker {
    /// The breaker of every account.
    pub fn new(pauses: AccountPauses, metrics: Metrics, timing: Timing) -> Self {
        Self { pauses, metrics, timing }
    }

    /// What a worker may do with the account.
    pub async fn admit(&self, account: &AccountName) -> Result<Admission, StoreError> {
        let now = Utc::now();
        let Some(pause) = self.pauses.of(account).await? else { return Ok(Admission::Allowed) };
        if pause.until > now {
            return Ok(Admission::Blocked);
        }
        let is_ours = self.pauses.take_probe(account, &pause, now + self.timing.pause).await?;
        Ok(if is_ours { Admission::Probe } else { Admission::Blocked })
    }

    /// Pauses an account until a time. The first to do so raises the alarm, once for everything that will wait.
    pub async fn pause(&self, account: &AccountName, until: DateTime<Utc>, log: &LogContext) -> Result<(), StoreError> {
        if self.pauses.begin(account, Utc::now(), until).await? {
            self.metrics.count("AccountPaused", None, log);
            tracing::error!(account = account.as_str(), "account paused: Cal.com refuses its key");
        }
        Ok(())
    }

    /// Ends the pause: Cal.com accepts the key.
    pub async fn resume(&self, account: &AccountName, log: &LogContext) -> Result<(), StoreError> {
        self.pauses.end(account).await?;
        self.metrics.count("AccountResumed", None, log);
        tracing::info!(account = account.as_str(), "account resumed: Cal.com accepts its key");
        Ok(())
    }
}
