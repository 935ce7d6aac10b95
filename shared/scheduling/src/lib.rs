//! The domain of Frontdesk: what an appointment is, which states it can be in and what moves it from one to the next.
//!
//! Nothing here knows AWS, HTTP or a clock. Time and ids come in as arguments, so every rule can be tested by calling
//! a function.
//!
//! | module | what it knows |
//! |---|---|
//! | [`appointment`] | the appointment, its states and transitions, its history |
//! | [`assignment`] | from a booking's hosts to a staff member |
//! | [`booking`] | what Cal.com made of an appointment |
//! | [`contact`] | names, phone numbers and emails of customers |
//! | [`exchange`] | what was asked of Cal.com, and the answer |
//! | [`failure`] | why a booking failed and what happens then |
//! | [`host_backfill`] | which hosts could be mapped to which staff |
//! | [`ids`] | one type for each kind of id |
//! | [`personal`] | values that never reach a log |
//! | [`start_time`] | from spoken times to instants, clock changes included |
//! | [`tenant`] | one business: staff, services, where its calls come from |
//! | [`timing`] | every lease, time-out and delay |
//! | [`request`] | what the caller asked for, read out of a call |

pub mod appointment;
pub mod assignment;
pub mod booking;
pub mod contact;
pub mod exchange;
pub mod failure;
pub mod host_backfill;
pub mod ids;
pub mod personal;
pub mod start_time;
pub mod tenant;
pub mod timing;
pub mod request;
