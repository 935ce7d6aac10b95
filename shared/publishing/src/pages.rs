//! The bucket of pages.

use std::time::Duration;

use aws_sdk_s3::{
    Client, config::Builder, error::ProvideErrorMetadata, presigning::PresigningConfig, primitives::ByteStream,
};
use platform::aws::SdkConfig;

use crate::PublishingError;

/// A link to a page opens it for so long at the most; it ends sooner with the credentials of the function that made it.
const LINK_LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// The bucket of pages.
#[derive(Debug, Clone)]
pub struct Pages {
    client: Client,
    bucket: String,
}

impl Pages {
    /// The bucket of this name.
    pub fn new(config: &SdkConfig, bucket: String) -> Self {
        // A bucket's own host name can't be resolved where AWS is an address on this machine.
        let own_host = config.endpoint_url().is_none();
        let client = Client::from_conf(Builder::from(config).force_path_style(!own_host).build());
        Self { client, bucket }
    }

    /// Keeps a file under `name`.
    ///
    /// # Errors
    /// When S3 does not take it.
    pub async fn put(&self, name: &str, content_type: &str, content: String) -> Result<(), PublishingError> {
        let request = self.client.put_object().bucket(&self.bucket).key(name).content_type(content_type);
        let sent = request.body(ByteStream::from(content.into_bytes())).send().await;
        sent.map(drop).map_err(|error| PublishingError::Bucket(error.code().unwrap_or("not_reached").to_owned()))
    }

    /// The file of this name.
    ///
    /// # Errors
    /// When there is none, or S3 does not give it.
    pub async fn get(&self, name: &str) -> Result<Vec<u8>, PublishingError> {
        let unread = |code: &str| PublishingError::Bucket(code.to_owned());
        let found = self.client.get_object().bucket(&self.bucket).key(name).send().await;
        let found = found.map_err(|error| unread(error.code().unwrap_or("not_reached")))?;
        let content = found.body.collect().await.map_err(|_| unread("cut_off"))?;
        Ok(content.to_vec())
    }

    /// A link that opens the file of this name for some hours, for whoever has it.
    ///
    /// # Errors
    /// When there are no credentials to sign it with.
    pub async fn link(&self, name: &str) -> Result<String, PublishingError> {
        let unsigned = |_| PublishingError::Bucket("not_signed".to_owned());
        let lasting =
            PresigningConfig::expires_in(LINK_LASTS).map_err(|_| PublishingError::Bucket("expiry".to_owned()))?;
        let link =
            self.client.get_object().bucket(&self.bucket).key(name).presigned(lasting).await.map_err(unsigned)?;
        Ok(link.uri().to_owned())
    }
}
