#![doc = include_str!("../README.md")]

pub mod aws;
pub mod batch;
pub mod bucket;
pub mod deadline;
pub mod env;
pub mod queues;
pub mod secrets;
pub mod signed;
pub mod telemetry;
pub mod trace;
pub mod ttl_cache;
