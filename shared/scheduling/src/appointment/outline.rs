//! The outline of an appointment: what a calendar shows of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    history::Cause,
    record::Appointment,
    state::{CancelReason, ChangeKind, StateName},
};
use crate::ids::{EventTypeId, StaffId};

/// What a calendar shows of an appointment, besides when it starts. It is stored beside the whole one, so that a week of a large
/// business is read at a fraction of the cost; under short names, because DynamoDB bills by size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// The name of its state.
    #[serde(rename = "s")]
    pub state: StateName,
    /// Whether it has no start yet.
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_undated: bool,
    /// Who does it, if that is decided.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<StaffId>,
    /// What was booked, if it is or was.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventTypeId>,
    /// What is requested, in the caller's words, if nothing was booked.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// See [`Appointment::last_change`].
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<LastChange>,
}

/// The last time that an appointment was moved or cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastChange {
    /// When.
    pub at: DateTime<Utc>,
    /// What was done.
    pub kind: ChangeKind,
    /// Whether somebody did it at Cal.com itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_calcom: bool,
}

impl Appointment {
    /// Its outline.
    pub fn outline(&self) -> Outline {
        let event_type = self.booking().map(|booking| booking.event_type);
        Outline {
            state: self.state.name(),
            is_undated: self.start().is_none(),
            staff: self.assignment().map(|assignment| assignment.staff.clone()),
            event_type,
            service: self.request.service.clone().filter(|_| event_type.is_none()),
            last_change: self.last_change(),
        }
    }

    /// The last time that it was moved or cancelled, if it was.
    pub fn last_change(&self) -> Option<LastChange> {
        self.history.iter().rev().find_map(|it| {
            let (kind, at_calcom) = match it.cause {
                Cause::Moved => (ChangeKind::Move, false),
                Cause::Rescheduled => (ChangeKind::Move, true),
                Cause::Cancelled(reason) => (ChangeKind::Cancel, reason == CancelReason::CancelledAtCalcom),
                _ => return None,
            };
            Some(LastChange { at: it.at, kind, at_calcom })
        })
    }
}
