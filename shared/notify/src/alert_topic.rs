//! The topic to which people subscribe.

use aws_sdk_sns::{Client, error::ProvideErrorMetadata, types::MessageAttributeValue};
use platform::aws::SdkConfig;

use crate::NotifyError;

/// The topic to which people subscribe.
#[derive(Debug, Clone)]
pub struct AlertTopic {
    client: Client,
    arn: String,
}

impl AlertTopic {
    /// The topic of this ARN.
    pub fn new(config: &SdkConfig, arn: String) -> Self {
        Self { client: Client::new(config), arn }
    }

    /// Sends a message to all who subscribe. `kind` is the word by which a subscription can choose: `alert` or `report`.
    ///
    /// # Errors
    /// When SNS does not take it.
    pub async fn publish(&self, kind: &str, subject: &str, text: &str) -> Result<(), NotifyError> {
        let attribute = MessageAttributeValue::builder().data_type("String").string_value(kind).build();
        let attribute = attribute.map_err(|_| NotifyError::AlertTopic("kind".to_owned()))?;
        let request = self.client.publish().topic_arn(&self.arn).subject(subject).message(text);
        let sent = request.message_attributes("kind", attribute).send().await;
        sent.map(drop).map_err(|error| NotifyError::AlertTopic(error.code().unwrap_or("not_reached").to_owned()))
    }
}
