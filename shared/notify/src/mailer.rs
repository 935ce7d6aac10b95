//! Mail to a tenant's own address, through Amazon SES.

use aws_sdk_ses::{
    Client,
    error::ProvideErrorMetadata,
    types::{Body, Content, Destination, Message},
};
use platform::{aws::SdkConfig, env};

use crate::NotifyError;

/// Sends mail from the stack's address.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    sender: String,
}

impl Mailer {
    /// The mailer with the sender that the environment names. `None` if it names none: then the stack sends no mail.
    pub fn from_env(config: &SdkConfig) -> Option<Self> {
        Some(Self { client: Client::new(config), sender: env::optional("MAIL_SENDER")? })
    }

    /// Sends a mail as plain text.
    ///
    /// # Errors
    /// If SES does not accept it. The error holds nothing of the mail.
    pub async fn send(&self, to: &str, subject: &str, text: &str) -> Result<(), NotifyError> {
        let content = |text: &str| {
            let content = Content::builder().charset("UTF-8").data(text).build();
            content.map_err(|_| NotifyError::Mail("invalid content".to_owned()))
        };
        let body = Body::builder().text(content(text)?).build();
        let message = Message::builder().subject(content(subject)?).body(body).build();
        let destination = Destination::builder().to_addresses(to).build();
        let request = self.client.send_email().source(&self.sender).destination(destination).message(message);
        let sent = request.send().await;
        sent.map(drop).map_err(|error| NotifyError::Mail(error.code().unwrap_or("not_reached").to_owned()))
    }
}
