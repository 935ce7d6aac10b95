#![doc = include_str!("../README.md")]

mod accounts;
mod adoption;
mod attempt;
mod booker;
mod bookings;
mod breaker;
mod changes;
mod earlier;
mod job;
mod slot_cache;
mod slots;
mod standing;
mod wish;

pub use accounts::Accounts;
pub use bookings::{Bookings, Outcome};
pub use changes::ChangeOutcome;
pub use job::Job;
pub use standing::Standing;
