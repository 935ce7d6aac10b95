#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
mod bookings;
#[cfg(feature = "client")]
mod catalog;
#[cfg(feature = "client")]
mod client;
mod error;
#[cfg(feature = "client")]
mod list_cursor;
#[cfg(feature = "client")]
mod rate_limit;
mod request;
mod response;

/// The parsers of Cal.com's responses, for fuzzing: no input makes them panic.
pub mod parse {
    pub use crate::{
        error::category_of,
        response::{Page, booking, list, page, reassigned, slots},
    };
}

#[cfg(feature = "client")]
pub use bookings::LookedUp;
#[cfg(feature = "client")]
pub use client::{Calcom, CalcomConfig, UnsupportedVersion};
pub use error::{CalcomError, Effect};
#[cfg(feature = "client")]
pub use list_cursor::{ListCursor, PAGE};
#[cfg(feature = "client")]
pub use rate_limit::Priority;
pub use request::{APPOINTMENT_KEY, Attendee, CALL_KEY, NewBooking, SlotsWindow};
pub use response::{FoundBooking, ListPage, ListedBooking, Response, Row};
