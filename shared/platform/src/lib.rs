//! What the functions stand on: DynamoDB, SQS, Secrets Manager, logs and metrics. The only crate that knows AWS's SDKs.
//!
//! | module | what it holds |
//! |---|---|
//! | [`aws`] | the SDK's configuration, made once per process |
//! | [`settings`] | what the template hands to a function |
//! | [`store`] | the tables: appointments, calls, tenants |
//! | [`queues`] | the messages between functions |
//! | [`batch`] | a batch of messages, each of which may fail alone |
//! | [`sweep`] | going through an index as long as there is time |
//! | [`deadline`] | how long an invocation may still take |
//! | [`secrets`] | Retell's and Cal.com's keys |
//! | [`telemetry`] | logs and metrics without anything personal |
//! | [`trace`] | the trace from a webhook to its staff member |

pub mod aws;
pub mod batch;
pub mod deadline;
mod expiring;
pub mod queues;
pub mod secrets;
pub mod settings;
pub mod store;
pub mod sweep;
pub mod telemetry;
pub mod trace;
