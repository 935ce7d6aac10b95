//! The body of a webhook: unread until its signature is verified.

use std::borrow::Cow;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use platform::secrets::RetellKeys;
use retell::{
    event::{Event, EventError},
    signature::{Signature, SignatureError},
};
use scheduling::ids::AccountName;

use crate::error::WebhookError;

/// Bytes from an unverified sender. They can't be read before [`Delivery::verify`].
pub struct Delivery<'r> {
    body: Cow<'r, [u8]>,
    signature: Option<&'r str>,
}

/// Bytes that one of our Retell accounts signed.
pub struct Verified<'d> {
    /// The raw body.
    pub body: &'d [u8],
    /// The account that signed it.
    pub account: AccountName,
}

impl<'r> Delivery<'r> {
    /// The raw body of API Gateway's request.
    pub fn of(request: &'r ApiGatewayV2httpRequest) -> Result<Self, WebhookError> {
        let sent = request.body.as_deref().unwrap_or_default();
        let body = if request.is_base64_encoded {
            Cow::Owned(BASE64_STANDARD.decode(sent).map_err(|_| WebhookError::Event(EventError::NotJson))?)
        } else {
            Cow::Borrowed(sent.as_bytes())
        };
        let signature = request.headers.get("x-retell-signature").and_then(|value| value.to_str().ok());
        Ok(Self { body, signature })
    }

    /// Finds the account that signed the bytes.
    pub fn verify(&self, keys: &RetellKeys, now: DateTime<Utc>) -> Result<Verified<'_>, SignatureError> {
        let account = Signature::parse(self.signature)?.signer_of(&self.body, keys.iter(), now)?.clone();
        Ok(Verified { body: &self.body, account })
    }
}

impl Verified<'_> {
    /// Parses the event.
    pub fn event(&self) -> Result<Event, EventError> {
        Event::parse(self.body)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    const BODY: &str = r#"{"event":"call_ended","call":{"call_id":"c"}}"#;

    fn request(body: &str, is_base64_encoded: bool) -> ApiGatewayV2httpRequest {
        let mut request = ApiGatewayV2httpRequest::default();
        request.body = Some(body.to_owned());
        request.is_base64_encoded = is_base64_encoded;
        let header = retell::signature::sign(&SecretString::from("key".to_owned()), BODY.as_bytes(), now());
        request.headers.insert("x-retell-signature", header.parse().unwrap());
        request
    }

    fn now() -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    fn keys() -> RetellKeys {
        serde_json::from_str(r#"{"other": {"current": "x"}, "main": {"current": "new", "previous": "key"}}"#).unwrap()
    }

    #[test]
    fn the_signature_covers_the_bytes_that_retell_sent() {
        for request in [request(BODY, false), request(&BASE64_STANDARD.encode(BODY), true)] {
            let delivery = Delivery::of(&request).unwrap();
            let verified = delivery.verify(&keys(), now()).unwrap();
            assert_eq!(verified.account.as_str(), "main");
            assert_eq!(verified.event().unwrap().call.id.as_str(), "c");
        }
    }
}
