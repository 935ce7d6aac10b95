//! The outline of an appointment: what a calendar shows of it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    history::Cause,
    record::Appointment,
    state::{CancelReason, ChangeKind, StateName},
};
use crate::ids::{EventTypeId, StaffId};

/// So long after its start, an appointment is over.
const OVER: TimeDelta = TimeDelta::hours(3);

/// What a calendar shows of an appointment, besides when it starts. It is stored beside the whole one, so that a week of a large
/// business is sent and read in half the time; under short names, because DynamoDB bills what is written and stored by size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// The name of its state.
    #[serde(rename = "s")]
    pub state: StateName,
    /// Whether it has no start yet.
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_undated: bool,
    /// Whether Cal.com may hold a booking that is not stored here.
    #[serde(rename = "q", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unconfirmed: bool,
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

impl Outline {
    /// Whether an appointment that starts then can be closed as past: it is booked and over, or was certainly never booked.
    pub fn can_be_cleaned_up(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        match (self.state, self.event_type) {
            (state, Some(_)) => state.is_open() && start < now - OVER,
            (StateName::Requested | StateName::NeedsReview, None) => !self.is_unconfirmed && start < now,
            _ => false,
        }
    }
}

impl Appointment {
    /// Whether it can be closed as past. See [`Outline::can_be_cleaned_up`].
    pub fn can_be_cleaned_up(&self, now: DateTime<Utc>) -> bool {
        self.start().is_some_and(|start| self.outline().can_be_cleaned_up(start, now))
    }

    /// Its outline.
    pub fn outline(&self) -> Outline {
        let event_type = self.booking().map(|booking| booking.event_type);
        Outline {
            state: self.state.name(),
            is_undated: self.start().is_none(),
            is_unconfirmed: self.unconfirmed_booking().is_some(),
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
