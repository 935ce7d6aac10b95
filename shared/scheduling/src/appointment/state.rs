//! The states of an appointment, and what belongs to each.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    assignment::{Assignment, Unassigned},
    booking::{Booking, UnconfirmedBooking},
    contact::ContactPart,
    failure::Category,
    request::Intent,
    start_time::StartProblem,
};

/// The state of an appointment. A booked one always has its booking, an unassigned one its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum State {
    /// Waits to be booked.
    Requested {
        /// Not to be claimed before this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<DateTime<Utc>>,
        /// State carried over from earlier attempts.
        #[serde(default, skip_serializing_if = "BookingProgress::is_empty")]
        progress: BookingProgress,
    },
    /// One worker is booking it.
    Booking {
        /// Until then the appointment belongs to this worker alone.
        lease_until: DateTime<Utc>,
        /// State carried over from earlier attempts.
        #[serde(default, skip_serializing_if = "BookingProgress::is_empty")]
        progress: BookingProgress,
    },
    /// Booked with Cal.com.
    Booked {
        /// The booking.
        booking: Booking,
        /// Its hosts are not to be looked up again before this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<DateTime<Utc>>,
    },
    /// Booked and assigned to a staff member.
    Assigned {
        /// The booking.
        booking: Booking,
        /// The staff member, and how they were found.
        assignment: Assignment,
    },
    /// Waits for a person's decision.
    NeedsReview {
        /// Why.
        reason: ReviewReason,
        /// What Cal.com holds of it.
        #[serde(default, skip_serializing_if = "ReviewBooking::is_none")]
        booking: ReviewBooking,
        /// Free slots near the requested start, nearest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        proposals: Vec<DateTime<Utc>>,
        /// More for that person: what is missing, or what Cal.com named. Never personal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// Will not take place.
    Cancelled {
        /// Why.
        reason: CancelReason,
        /// The booking, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        booking: Option<Booking>,
        /// The staff member, if one was assigned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignment: Option<Assignment>,
    },
    /// Its start passed, and no cancellation or no-show was recorded.
    Completed {
        /// The booking.
        booking: Booking,
        /// The staff member, if one was assigned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignment: Option<Assignment>,
    },
    /// Cal.com recorded a no-show.
    NoShow {
        /// The booking.
        booking: Booking,
        /// The staff member, if one was assigned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignment: Option<Assignment>,
    },
}

/// State carried from one attempt to book to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookingProgress {
    /// The start of the retry window: the first attempt with a key that Cal.com accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt: Option<DateTime<Utc>>,
    /// Why Cal.com may hold a booking that is not stored here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<UnconfirmedBooking>,
    /// The part of the contact that Cal.com refused. It stays in the request and is not sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted_contact: Option<ContactPart>,
    /// How many requests to book were answered with an error of Cal.com's in succession.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u32,
    /// Whether it is booked with a contact of its own, since another appointment has the customer's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_own_contact: bool,
}

impl BookingProgress {
    /// Whether no attempt left anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The progress of an appointment that starts over, but whose booking may exist.
    pub(super) fn with_unconfirmed(unconfirmed: Option<UnconfirmedBooking>) -> Self {
        Self { unconfirmed, ..Self::default() }
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What Cal.com holds of an appointment that needs review.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewBooking {
    /// No booking.
    #[default]
    None,
    /// Perhaps a booking.
    Unconfirmed(UnconfirmedBooking),
    /// This booking.
    Booked(Booking),
}

impl ReviewBooking {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl From<Option<UnconfirmedBooking>> for ReviewBooking {
    fn from(unconfirmed: Option<UnconfirmedBooking>) -> Self {
        unconfirmed.map_or(Self::None, Self::Unconfirmed)
    }
}

/// The name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// See [`State::Requested`].
    Requested,
    /// See [`State::Booking`].
    Booking,
    /// See [`State::Booked`].
    Booked,
    /// See [`State::Assigned`].
    Assigned,
    /// See [`State::NeedsReview`].
    NeedsReview,
    /// See [`State::Cancelled`].
    Cancelled,
    /// See [`State::Completed`].
    Completed,
    /// See [`State::NoShow`].
    NoShow,
}

/// Why an appointment needs a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewReason {
    /// The caller wants something that a person does: to cancel, to move, an appointment for several.
    Intent(Intent),
    /// The requested start could not be read.
    Start(StartProblem),
    /// It could not be booked.
    Booking(Category),
    /// It is booked, and no staff member could be found.
    Assignment(Unassigned),
    /// Its message became a dead letter, or its workers died repeatedly.
    Stalled,
    /// Its booking was moved to another time at Cal.com, and the customer requests the first time again.
    Rescheduled,
    /// A later analysis corrected it to what the customer has already.
    Duplicate,
}

/// Why an appointment will not take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Its start passed before it was booked.
    Past,
    /// Its booking was cancelled or rejected at Cal.com.
    CancelledAtCalcom,
    /// The customer's data was erased before it was booked.
    Erased,
    /// A person settled it with the customer in another way.
    SettledOtherwise,
    /// The customer no longer wants it.
    NotWanted,
    /// The customer could not be reached.
    NotReached,
    /// The customer has it already, or nobody wished it.
    Mistaken,
    /// Its start was not free, and its customer heard that while on the line.
    NotFree,
    /// Its customer cancelled it.
    ByCustomer,
}

/// What a customer wants to change of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Change {
    /// Another start.
    Move {
        /// The new one.
        to: DateTime<Utc>,
    },
    /// No appointment.
    Cancel,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// See [`Change::Move`].
    Move,
    /// See [`Change::Cancel`].
    Cancel,
}

impl Change {
    /// Its kind.
    pub fn kind(self) -> ChangeKind {
        match self {
            Self::Move { .. } => ChangeKind::Move,
            Self::Cancel => ChangeKind::Cancel,
        }
    }
}

impl ChangeKind {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::Cancel => "cancel",
        }
    }

    /// What the customer wants, as a person who has to do it reads it.
    pub(super) fn intent(self) -> Intent {
        match self {
            Self::Move => Intent::Reschedule,
            Self::Cancel => Intent::Cancel,
        }
    }
}

/// A change that was requested and is not made yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedChange {
    /// What.
    #[serde(flatten)]
    pub change: Change,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until then it belongs to one worker, or waits for its next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
}

/// What became of a booked appointment after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No cancellation or no-show was recorded.
    Completed,
    /// The customer did not come.
    NoShow,
    /// It had been cancelled or rejected at Cal.com.
    CancelledAtCalcom,
}

impl State {
    /// The name of this state.
    pub fn name(&self) -> StateName {
        match self {
            Self::Requested { .. } => StateName::Requested,
            Self::Booking { .. } => StateName::Booking,
            Self::Booked { .. } => StateName::Booked,
            Self::Assigned { .. } => StateName::Assigned,
            Self::NeedsReview { .. } => StateName::NeedsReview,
            Self::Cancelled { .. } => StateName::Cancelled,
            Self::Completed { .. } => StateName::Completed,
            Self::NoShow { .. } => StateName::NoShow,
        }
    }

    pub(super) fn requested(progress: BookingProgress) -> Self {
        Self::Requested { not_before: None, progress }
    }

    pub(super) fn booked(booking: Booking) -> Self {
        Self::Booked { booking, not_before: None }
    }

    pub(super) fn cancelled_unbooked(reason: CancelReason) -> Self {
        Self::Cancelled { reason, booking: None, assignment: None }
    }

    pub(super) fn review(reason: ReviewReason, booking: ReviewBooking) -> Self {
        Self::NeedsReview { reason, booking, proposals: Vec::new(), detail: None }
    }
}

impl StateName {
    /// Whether the appointment may still take place.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Cancelled | Self::Completed | Self::NoShow)
    }

    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Booking => "booking",
            Self::Booked => "booked",
            Self::Assigned => "assigned",
            Self::NeedsReview => "needs_review",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::NoShow => "no_show",
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ReviewReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intent(intent) => f.write_str(intent.as_str()),
            Self::Start(problem) => f.write_str(problem.as_str()),
            Self::Booking(category) => f.write_str(category.as_str()),
            Self::Assignment(reason) => f.write_str(reason.as_str()),
            Self::Stalled => f.write_str("stalled"),
            Self::Rescheduled => f.write_str("rescheduled"),
            Self::Duplicate => f.write_str("duplicate"),
        }
    }
}

impl CancelReason {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::CancelledAtCalcom => "cancelled_at_calcom",
            Self::Erased => "erased",
            Self::SettledOtherwise => "settled_otherwise",
            Self::NotWanted => "not_wanted",
            Self::NotReached => "not_reached",
            Self::Mistaken => "mistaken",
            Self::NotFree => "not_free",
            Self::ByCustomer => "by_customer",
        }
    }
}
