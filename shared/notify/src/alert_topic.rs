//! The topic to which people subscribe.

use aws_sdk_sns::{Client, error::ProvideErrorMetadata, types::MessageAttributeValue};
use platform::{
    aws::SdkConfig,
    env::{self, EnvError},
};

use crate::NotifyError;

/// The topic to which people subscribe.
#[derive(Debug, Clone)]
pub struct AlertTopic {
    client: Client,
    arn: String,
}

impl AlertTopic {
    /// The topic that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { client: Client::new(config), arn: env::required("ALERTS_TOPIC")? })
    }

    /// Publishes a message. A subscription can filter by `kind`: `alert`, `report` or `review`.
    ///
    /// # Errors
    /// If SNS does not accept it.
    pub async fn publish(&self, kind: &str, subject: &str, text: &str) -> Result<(), NotifyError> {
        let attribute = MessageAttributeValue::builder().data_type("String").string_value(kind).build();
        let attribute = attribute.map_err(|_| NotifyError::AlertTopic("invalid kind".to_owned()))?;
        let request = self.client.publish().topic_arn(&self.arn).subject(subject).message(text);
        let sent = request.message_attributes("kind", attribute).send().await;
        sent.map(drop).map_err(|error| NotifyError::AlertTopic(error.code().unwrap_or("not_reached").to_owned()))
    }
}
