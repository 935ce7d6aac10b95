#![doc = include_str!("../README.md")]

#[cfg(feature = "client")]
pub mod client;
pub mod event;
pub mod live;
pub mod signature;
mod tools;
