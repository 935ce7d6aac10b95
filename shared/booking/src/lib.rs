#![doc = include_str!("../README.md")]

mod accounts;
mod adoption;
mod attempt;
mod booker;
mod bookings;
mod breaker;
mod changes;
mod earlier;
mod slots;
mod standing;
mod wish;

pub use accounts::Accounts;
pub use bookings::{Bookings, Job, Outcome};
pub use changes::ChangeOutcome;
pub use slots::Slots;
pub use standing::Standing;
