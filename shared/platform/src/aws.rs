//! The SDK's configuration.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig};

/// One try of a request. DynamoDB and SQS answer in milliseconds; what takes seconds is lost.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// A request with the SDK's own retries. Shorter than any function's time-out, so that a handler can still answer.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(7);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads region, credentials and endpoint from the environment. Called once per process.
pub async fn config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts)
        // It watches long transfers, of which there are none, and an attempt's time-out ends what stalls.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await
}
