//! The appointment: its state, the transitions between states, and its history.
//!
//! ```text
//! requested -> booking -> booked -> assigned -> completed, no_show
//!     |  ^________|  |       |  ^       |
//!     |  ^           |       |  |       |
//!     +--|-----------+-------+--|-------+--> cancelled
//!     |  |           |       |  |
//!     +--------------+-------+-----> needs_review, which resumes where it stopped, or is cancelled
//! ```
//!
//! A transition either changes the state and adds an entry to the history, or fails and changes nothing. The store
//! writes the result only if the stored version is still the one that was loaded.

mod change;
mod claimed;
mod due;
mod history;
mod notice;
mod outline;
mod record;
mod state;
#[cfg(test)]
mod tests;
mod to_do;
mod transitions;

pub use claimed::{Claimed, Confirmation};
pub use due::{Due, DueCause};
pub use history::{Actor, Cause, OPERATOR, Repetition, Transition};
pub use notice::{DELAY_NOTICE_WINDOW, Notice, Seen};
pub use outline::{LastChange, Outline};
pub use record::{Appointment, Verification};
pub use state::{
    BookingProgress, CancelReason, Change, ChangeKind, Outcome, RequestedChange, ReviewBooking, ReviewReason, State,
    StateName,
};
pub use to_do::{Action, SharedCause, ToDo, ToDoKind, Told, Urgency};
pub use transitions::{InvalidTransition, NotClaimable, Settlement};
