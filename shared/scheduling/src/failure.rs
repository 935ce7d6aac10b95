//! Why a booking failed.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{booking::UnconfirmedBooking, contact::ContactPart, ids::BookingUid, tenant::NoEventType};

/// The category of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// The start has passed.
    Past,
    /// No host is free at that time.
    HostConflict,
    /// The event type can't be booked at that time at all.
    OutsideWindow,
    /// Cal.com refuses the customer's phone number or email.
    InvalidContact,
    /// No event type fits, or Cal.com doesn't know it.
    NoEventType,
    /// The customer has as many bookings as the event type allows.
    BookerLimit,
    /// Too many requests.
    RateLimited,
    /// Cal.com doesn't respond, or responds that it can't. The booking may have been made.
    CalcomUnavailable,
    /// The key is wrong or lacks permission.
    Credentials,
    /// A response that Frontdesk does not know.
    Unknown,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 10] = [
        Self::Past,
        Self::HostConflict,
        Self::OutsideWindow,
        Self::InvalidContact,
        Self::NoEventType,
        Self::BookerLimit,
        Self::RateLimited,
        Self::CalcomUnavailable,
        Self::Credentials,
        Self::Unknown,
    ];

    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::HostConflict => "host_conflict",
            Self::OutsideWindow => "outside_window",
            Self::InvalidContact => "invalid_contact",
            Self::NoEventType => "no_event_type",
            Self::BookerLimit => "booker_limit",
            Self::RateLimited => "rate_limited",
            Self::CalcomUnavailable => "calcom_unavailable",
            Self::Credentials => "credentials",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a booking failed, with what the next step needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookingFailure {
    /// The start has passed.
    Past,
    /// No host is free at that time.
    SlotTaken {
        /// Free slots near it, nearest first.
        proposals: Vec<DateTime<Utc>>,
    },
    /// The event type can't be booked at that time at all.
    OutsideWindow {
        /// Free slots near it, nearest first.
        proposals: Vec<DateTime<Utc>>,
    },
    /// Cal.com refuses a part of the contact: the one that it names, if it names one.
    ContactRefused(Option<ContactPart>),
    /// No event type fits.
    NoEventType(NoEventType),
    /// The customer has as many bookings as the event type allows.
    BookerLimit {
        /// The booking that Cal.com offers to reschedule.
        existing: Option<BookingUid>,
    },
    /// Too many requests.
    RateLimited {
        /// How long Cal.com asks to wait.
        retry_after: Option<TimeDelta>,
    },
    /// Cal.com doesn't respond, or responds that it can't.
    Unavailable {
        /// How long Cal.com asks to wait.
        retry_after: Option<TimeDelta>,
        /// Why Cal.com may hold a booking despite the failure.
        unconfirmed: Option<UnconfirmedBooking>,
    },
    /// The key is wrong or lacks permission.
    CredentialsRefused,
    /// A response that Frontdesk does not know.
    Unknown {
        /// Why Cal.com may hold a booking despite the failure.
        unconfirmed: Option<UnconfirmedBooking>,
    },
}

impl BookingFailure {
    /// Cal.com is unavailable, and nothing was sent to it.
    pub const NOT_SENT: Self = Self::Unavailable { retry_after: None, unconfirmed: None };

    /// The category, by which failures are counted and reviewed.
    pub fn category(&self) -> Category {
        match self {
            Self::Past => Category::Past,
            Self::SlotTaken { .. } => Category::HostConflict,
            Self::OutsideWindow { .. } => Category::OutsideWindow,
            Self::ContactRefused(_) => Category::InvalidContact,
            Self::NoEventType(_) => Category::NoEventType,
            Self::BookerLimit { .. } => Category::BookerLimit,
            Self::RateLimited { .. } => Category::RateLimited,
            Self::Unavailable { .. } => Category::CalcomUnavailable,
            Self::CredentialsRefused => Category::Credentials,
            Self::Unknown { .. } => Category::Unknown,
        }
    }

    /// The same failure of a request to book, after which Cal.com may hold a booking.
    #[must_use]
    pub fn with_unconfirmed(self, unconfirmed: Option<UnconfirmedBooking>) -> Self {
        match self {
            Self::Unavailable { retry_after, .. } => Self::Unavailable { retry_after, unconfirmed },
            Self::Unknown { .. } => Self::Unknown { unconfirmed },
            other => other,
        }
    }

    /// Why Cal.com may hold a booking despite the failure.
    pub fn unconfirmed(&self) -> Option<UnconfirmedBooking> {
        match self {
            Self::Unavailable { unconfirmed, .. } | Self::Unknown { unconfirmed } => *unconfirmed,
            _ => None,
        }
    }

    /// How long Cal.com asks to wait.
    pub fn retry_after(&self) -> Option<TimeDelta> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Free slots near the requested start, nearest first.
    pub fn proposals(&self) -> &[DateTime<Utc>] {
        match self {
            Self::SlotTaken { proposals } | Self::OutsideWindow { proposals } => proposals,
            _ => &[],
        }
    }

    /// What a person needs to know besides the category. Never personal.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::NoEventType(missing) => Some(missing.to_string()),
            Self::BookerLimit { existing } => existing.as_ref().map(ToString::to_string),
            Self::Unknown { unconfirmed: Some(UnconfirmedBooking::UnreadableResponse) } => {
                Some("Cal.com confirmed the booking in a form that could not be read".to_owned())
            }
            _ => None,
        }
    }
}
