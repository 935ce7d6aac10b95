#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
mod client;
mod error;
mod request;
mod response;

/// The parsers of Cal.com's responses, for fuzzing: no input makes them panic.
pub mod parse {
    pub use crate::{
        error::category_of,
        response::{Page, booking, list, page, slots},
    };
}

#[cfg(feature = "client")]
pub use client::{Calcom, CalcomConfig, PAGE};
pub use error::{CalcomError, Effect};
pub use request::{APPOINTMENT_KEY, Attendee, CALL_KEY, NewBooking, SlotsWindow};
pub use response::{FoundBooking, ListPage, ListedBooking, Response};
