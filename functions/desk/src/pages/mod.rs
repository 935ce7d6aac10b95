//! The pages. Each reads what it shows and nothing else.

pub mod appointment;
pub mod ask;
pub mod calendar;
pub mod customer;
pub mod evidence;
pub mod people;
pub mod quality;
pub mod search;
pub mod system;
pub mod team;
pub mod to_do;
