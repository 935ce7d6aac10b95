//! What Frontdesk tells people: alerts through an SNS topic, and pages in an S3 bucket.
//!
//! It stands apart from `platform`, so that the functions which only move appointments are not built with SNS's SDK.

mod pages;
mod topic;

pub use pages::ReportBucket;
pub use topic::AlertTopic;

/// Why something could not be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// SNS did not take a message.
    #[error("the topic does not take the message: {0}")]
    AlertTopic(String),
    /// S3 did not take or give a page.
    #[error("the bucket of pages does not answer as it should: {0}")]
    Bucket(String),
}
