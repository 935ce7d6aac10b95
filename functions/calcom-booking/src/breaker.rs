//! Whether an account may be asked now, and what follows when it refuses its key.

use chrono::{DateTime, Utc};
use platform::{
    store::{Pauses, StoreError},
    telemetry::{Metrics, LogContext},
};
use scheduling::{ids::AccountName, timing::Timing};

/// Pauses the accounts whose key Cal.com refuses, and lets one appointment at a time try the key again.
pub struct CredentialBreaker {
    pauses: Pauses,
    metrics: Metrics,
    timing: Timing,
}

/// What a worker may do with an account now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Whatever it has to.
    Open,
    /// Try the key with one appointment; nobody else does.
    Trial,
    /// Nothing. What timing is sent again by the reconciler.
    Closed,
}

impl CredentialBreaker {
    /// The gate to every account.
    pub fn new(pauses: Pauses, metrics: Metrics, timing: Timing) -> Self {
        Self { pauses, metrics, timing }
    }

    /// Whether the account may be asked.
    pub async fn admit(&self, account: &AccountName) -> Result<Admission, StoreError> {
        let now = Utc::now();
        let Some(pause) = self.pauses.of(account).await? else { return Ok(Admission::Open) };
        if pause.until > now {
            return Ok(Admission::Closed);
        }
        let is_ours = self.pauses.take_trial(account, &pause, now + self.timing.pause).await?;
        Ok(if is_ours { Admission::Trial } else { Admission::Closed })
    }

    /// Pauses an account until a time. The first to do so raises the alarm, once for all that will wait.
    pub async fn close(
        &self,
        account: &AccountName,
        until: DateTime<Utc>,
        subject: &LogContext,
    ) -> Result<(), StoreError> {
        if self.pauses.begin(account, Utc::now(), until).await? {
            self.metrics.count("TenantPaused", None, subject);
            tracing::error!(account = account.as_str(), "Cal.com refuses the key: bookings pause until it is replaced");
        }
        Ok(())
    }

    /// Ends the pause: Cal.com takes the key.
    pub async fn open(&self, account: &AccountName, subject: &LogContext) -> Result<(), StoreError> {
        self.pauses.end(account).await?;
        self.metrics.count("TenantResumed", None, subject);
        tracing::info!(account = account.as_str(), "Cal.com takes the key again: bookings go on");
        Ok(())
    }
}
