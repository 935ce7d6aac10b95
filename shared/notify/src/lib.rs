#![doc = include_str!("../README.md")]

mod alert_topic;
mod report_bucket;

pub use alert_topic::AlertTopic;
pub use report_bucket::ReportBucket;

/// A notification that could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// SNS did not accept a message.
    #[error("failed to publish to the alert topic: {0}")]
    AlertTopic(String),
    /// S3 did not store or return a report.
    #[error("failed to use the report bucket: {0}")]
    ReportBucket(String),
}
