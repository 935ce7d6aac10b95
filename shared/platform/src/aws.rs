//! The SDK's configuration.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_sdk_sqs::config::SharedCredentialsProvider;

use crate::settings::{self, SettingsError};

/// One try of a request. DynamoDB and SQS answer in milliseconds; what takes seconds is lost.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// A request with the SDK's own retries. Shorter than any function's time-out, so that a handler can still answer.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(7);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// For a function: Lambda puts region and credentials into the environment, so that nothing is looked for elsewhere, and
/// what would look there is not linked. Called once per process.
///
/// # Errors
/// Where the environment names no region.
pub fn config_of_function() -> Result<SdkConfig, SettingsError> {
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings::required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(timeouts())
        .stalled_stream_protection(no_stalled_stream_protection());
    config.set_endpoint_url(settings::required("AWS_ENDPOINT_URL").ok());
    Ok(config.build())
}

/// For a person's machine: region, credentials and endpoint from wherever the AWS CLI has them.
pub async fn config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts())
        .stalled_stream_protection(no_stalled_stream_protection())
        .load()
        .await
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// It watches long transfers, of which there are none, and an attempt's time-out ends what stalls.
fn no_stalled_stream_protection() -> StalledStreamProtectionConfig {
    StalledStreamProtectionConfig::disabled()
}
