#![doc = include_str!("../README.md")]

pub mod attribution;
pub mod counters;
pub mod html;
pub mod overview;
pub mod rate;
pub mod regression;
pub mod report;
pub mod rules;
pub mod summary;
pub mod text;
