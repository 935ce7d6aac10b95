//! The commands, one file each.

pub mod appointment;
pub mod calls;
pub mod customer;
pub mod dead_letters;
pub mod hosts;
pub mod import;
pub mod people;
pub mod quality;
pub mod restore;
pub mod tenant;
pub mod understand;
