//! Why a booking failed.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    availability::Closed, booking::UnconfirmedBooking, contact::ContactPart, event_type::SetupFault, ids::BookingUid,
    tenant::NoEventType,
};

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
    /// The key is not valid, or has expired.
    Credentials,
    /// Cal.com refuses the request, though it accepts the key.
    Forbidden,
    /// The event type or the tenant is set up so that nobody can be booked.
    Misconfigured,
    /// Cal.com may hold the booking, and the account's key can't see it.
    NotVisible,
    /// A response that Frontdesk does not know.
    Unknown,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 13] = [
        Self::Past,
        Self::HostConflict,
        Self::OutsideWindow,
        Self::InvalidContact,
        Self::NoEventType,
        Self::BookerLimit,
        Self::RateLimited,
        Self::CalcomUnavailable,
        Self::Credentials,
        Self::Forbidden,
        Self::Misconfigured,
        Self::NotVisible,
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
            Self::Forbidden => "forbidden",
            Self::Misconfigured => "misconfigured",
            Self::NotVisible => "not_visible",
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
        /// Why not even an empty calendar would have a slot, as far as the slots of that day show it.
        closed: Option<Closed>,
    },
    /// Another request was first at that moment. Another host may still be free.
    Overtaken,
    /// The event type can't be booked at that time at all.
    OutsideWindow {
        /// Free slots near it, nearest first.
        proposals: Vec<DateTime<Utc>>,
    },
    /// Cal.com refuses a part of the contact: the one that it names, if it names one.
    ContactRefused(Option<ContactPart>),
    /// The event type requires a phone number, and the customer's is unknown.
    PhoneRequired,
    /// Cal.com returned the booking of another appointment with the same contact, and booked nothing.
    SharedContact,
    /// The event type or the tenant is set up so that nobody can be booked.
    Misconfigured(SetupFault),
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
    /// Cal.com answers this booking with an error again and again, while it books others. None was made of it.
    FailsAlone,
    /// The key is not valid, or has expired.
    CredentialsRefused,
    /// Cal.com refuses the request, and not because of its key.
    Forbidden,
    /// Cal.com does not let this booking be moved or cancelled by us.
    ChangeRefused,
    /// Cal.com may hold the booking, and the account's key can't see it.
    NotVisible {
        /// Why Cal.com may hold it.
        unconfirmed: UnconfirmedBooking,
    },
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
            Self::SlotTaken { .. } | Self::Overtaken => Category::HostConflict,
            Self::OutsideWindow { .. } => Category::OutsideWindow,
            Self::ContactRefused(_) | Self::PhoneRequired | Self::SharedContact => Category::InvalidContact,
            Self::Misconfigured(_) => Category::Misconfigured,
            Self::NoEventType(_) => Category::NoEventType,
            Self::BookerLimit { .. } => Category::BookerLimit,
            Self::RateLimited { .. } => Category::RateLimited,
            Self::Unavailable { .. } | Self::FailsAlone => Category::CalcomUnavailable,
            Self::CredentialsRefused => Category::Credentials,
            Self::Forbidden | Self::ChangeRefused => Category::Forbidden,
            Self::NotVisible { .. } => Category::NotVisible,
            Self::Unknown { .. } => Category::Unknown,
        }
    }

    /// Whether another start would do: a caller who is on the line chooses one.
    pub fn leaves_a_choice(&self) -> bool {
        matches!(self, Self::SlotTaken { .. } | Self::Overtaken | Self::OutsideWindow { .. } | Self::Past)
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
            Self::NotVisible { unconfirmed } => Some(*unconfirmed),
            // Cal.com refuses it after it has inserted the booking.
            Self::Misconfigured(SetupFault::Payment) => Some(UnconfirmedBooking::ErrorResponse),
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
            Self::SlotTaken { proposals, .. } | Self::OutsideWindow { proposals } => proposals,
            _ => &[],
        }
    }

    /// What a person needs to know besides the category. Never personal.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::NoEventType(missing) => Some(missing.to_string()),
            Self::SlotTaken { closed, .. } => closed.map(|closed| closed.to_string()),
            Self::Misconfigured(fault) => Some(fault.to_string()),
            Self::PhoneRequired => Some("the event type requires a phone number, and the caller's is unknown".to_owned()),
            Self::SharedContact => {
                Some("Cal.com returned the booking of another appointment with the same contact".to_owned())
            }
            Self::NotVisible { .. } => Some(
                "Cal.com may hold the booking, and the account's key can't see this event type's bookings: look there, \
                 then use `frontdesk appointment not-booked`"
                    .to_owned(),
            ),
            Self::FailsAlone => Some(
                "Cal.com answers this booking with an error while others succeed: the email may be on its watch list"
                    .to_owned(),
            ),
            Self::ChangeRefused => Some("Cal.com does not let this booking be changed: a person does it there".to_owned()),
            Self::BookerLimit { existing } => existing.as_ref().map(ToString::to_string),
            Self::Unknown { unconfirmed: Some(UnconfirmedBooking::UnreadableResponse) } => {
                Some("Cal.com confirmed the booking in a form that could not be read".to_owned())
            }
            _ => None,
        }
    }
}
