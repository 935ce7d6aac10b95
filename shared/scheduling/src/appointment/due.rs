//! When an appointment should have moved on, and what is wrong if it has not.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{record::Appointment, state::State};
use crate::timing::Timing;

/// When an appointment should have moved on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// From this time the reconciler resends it.
    pub at: DateTime<Utc>,
    /// Why it has not moved, if it has not by then.
    pub cause: DueCause,
}

/// Why the reconciler resends an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DueCause {
    /// Its first message was never sent, or was lost.
    NeverSent,
    /// The delayed message for its next attempt was lost.
    MessageLost,
    /// Its next attempt is due, which was too far ahead for a delayed message.
    AttemptDue,
    /// Its worker died or ran out of time.
    LeaseExpired,
    /// It is booked, but staff assignment has not run.
    NotAssigned,
    /// Its customer requested it again, and its booking has not been verified.
    NotVerified,
    /// Its customer requested a change of its booking, and it has not been made.
    NotChanged,
}

impl DueCause {
    /// The word for it in reports, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverSent => "never_sent",
            Self::MessageLost => "message_lost",
            Self::AttemptDue => "attempt_due",
            Self::LeaseExpired => "lease_expired",
            Self::NotAssigned => "not_assigned",
            Self::NotVerified => "not_verified",
            Self::NotChanged => "not_changed",
        }
    }
}

impl Appointment {
    /// When it should move next. `None` if only a person can move it.
    ///
    /// For anything due soon a message is queued, so the reconciler waits `timing.grace` longer. No message exists for
    /// a time beyond the queue's maximum delay.
    pub fn due(&self, timing: &Timing) -> Option<Due> {
        let last = self.history.last().map_or(self.created_at, |transition| transition.last_at());
        let waiting = |not_before: Option<DateTime<Utc>>, sooner: DueCause| match not_before {
            Some(at) if at - last > timing.max_queue_delay => Due { at, cause: DueCause::AttemptDue },
            _ => Due { at: not_before.unwrap_or(last) + timing.grace, cause: sooner },
        };
        let by_verification = self.verification.map(|verification| {
            let at = verification.not_before.unwrap_or(verification.since) + timing.grace;
            Due { at, cause: DueCause::NotVerified }
        });
        let by_change = self.change.map(|change| {
            let at = change.not_before.unwrap_or(change.since) + timing.grace;
            Due { at, cause: DueCause::NotChanged }
        });
        let by_state = match &self.state {
            State::Requested { not_before: None, .. } => Some(waiting(None, DueCause::NeverSent)),
            State::Requested { not_before, .. } => Some(waiting(*not_before, DueCause::MessageLost)),
            State::Booking { lease_until, .. } => Some(Due { at: *lease_until, cause: DueCause::LeaseExpired }),
            State::Booked { not_before, .. } => Some(waiting(*not_before, DueCause::NotAssigned)),
            _ => None,
        };
        by_state.into_iter().chain(by_verification).chain(by_change).min_by_key(|due| due.at)
    }
}
