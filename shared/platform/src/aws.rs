//! The configuration of the AWS SDKs.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_sdk_sqs::{
    config::SharedCredentialsProvider,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::env::{self, EnvError};

/// One attempt of a request. DynamoDB and SQS respond in milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// A request with the SDK's own retries. Shorter than any function's timeout, so that a handler can still respond.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(7);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The configuration of a function. Lambda sets region and credentials in the environment, so no other provider is
/// linked. Called once per process.
///
/// # Errors
/// If the environment names no region.
pub fn function_config() -> Result<SdkConfig, EnvError> {
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(env::required("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(timeouts())
        .stalled_stream_protection(no_stalled_stream_protection());
    config.set_endpoint_url(env::optional("AWS_ENDPOINT_URL"));
    Ok(config.build())
}

/// The configuration of a person's machine: region, credentials and endpoint as the AWS CLI finds them.
pub async fn user_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts())
        .stalled_stream_protection(no_stalled_stream_protection())
        .load()
        .await
}

/// The service's code for an error, or what kept the request from reaching the service. Holds nothing of the request.
pub fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    let transport = match error {
        SdkError::TimeoutError(_) => "timeout",
        SdkError::DispatchFailure(_) => "not_reached",
        SdkError::ConstructionFailure(_) => "not_sent",
        _ => "unreadable_response",
    };
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or(transport).to_owned()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// Stalled-stream protection is for long transfers. Frontdesk has none, and the attempt timeout ends stalled requests.
fn no_stalled_stream_protection() -> StalledStreamProtectionConfig {
    StalledStreamProtectionConfig::disabled()
}
