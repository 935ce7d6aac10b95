#![doc = include_str!("../README.md")]

pub mod appointment;
pub mod assignment;
pub mod backfill;
pub mod booking;
pub mod contact;
pub mod duplicate;
pub mod exchange;
pub mod failure;
pub mod ids;
pub mod personal;
pub mod request;
pub mod retry;
pub mod start_time;
pub mod tenant;
pub mod timing;
