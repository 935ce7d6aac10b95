//! A typed client for Cal.com's API v2: bookings and slots.
//!
//! Every answer is kept whole, and every failure says which [category](scheduling::failure::Category) it is in and
//! whether a booking may have been made all the same. The forms reschedule Cal.com's published API sources: `hosts` may be
//! the single host with the id `"unknown"`, `data` may be an array or missing, and the errors of a refused booking are
//! told apart by their message alone.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use calcom::{Calcom, Settings};
//! use scheduling::ids::BookingUid;
//!
//! let calcom = Calcom::new(Settings::default())?;
//! let key = "cal_live_...".to_owned().into();
//! let booking = calcom.get(&key, &BookingUid::new("vx3gSRGCyqpE3ymzVqauwQ")).await?;
//! println!("{:?}, as Cal.com put it in {} bytes", booking.value.booking.status, booking.exchange.body.len());
//! # Ok(())
//! # }
//! ```

mod answer;
mod client;
mod failure;
mod request;

/// Cal.com's answers, read by themselves: whatever the bytes are, nothing panics.
pub mod read {
    pub use crate::{
        answer::{Page, booking, list, page, slots},
        failure::category_of,
    };
}

pub use answer::{Response, FoundBooking, ListPage, ListedBooking};
pub use client::{Calcom, PAGE, Settings};
pub use failure::{Effect, CalcomError};
pub use request::{APPOINTMENT_KEY, Attendee, CALL_KEY, NewBooking, SlotsWindow};
