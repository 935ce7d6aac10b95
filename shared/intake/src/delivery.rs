//! The body of a request from Retell: unread until its signature is verified.

use std::borrow::Cow;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use platform::secrets::{RetellKeys, Secret, SecretError};
use retell::signature::{Signature, SignatureError};
use scheduling::ids::AccountName;
use serde_json::Value;

/// Why a request is not one of our accounts'.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not signed by one of our accounts, or too long ago.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The keys could not be read.
    #[error("failed to verify the signature: {0}")]
    KeysUnavailable(SecretError),
}

/// A body in an encoding that it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not base64")]
pub struct NotBase64;

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
    ///
    /// # Errors
    /// If it says that its body is base64, and it is not.
    pub fn of(request: &'r ApiGatewayV2httpRequest) -> Result<Self, NotBase64> {
        let sent = request.body.as_deref().unwrap_or_default();
        let body = if request.is_base64_encoded {
            Cow::Owned(BASE64_STANDARD.decode(sent).map_err(|_| NotBase64)?)
        } else {
            Cow::Borrowed(sent.as_bytes())
        };
        let signature = request.headers.get("x-retell-signature").and_then(|value| value.to_str().ok());
        Ok(Self { body, signature })
    }

    /// Finds the account that signed the bytes. If no key fits, the keys are refreshed: one may have been replaced.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify_with(
        &self,
        keys: &Secret<RetellKeys>,
        now: DateTime<Utc>,
    ) -> Result<Verified<'_>, VerifyError> {
        let known = keys.read().await.map_err(VerifyError::KeysUnavailable)?;
        match self.verify(&known, now) {
            Err(SignatureError::Wrong) => {
                let refreshed = keys.refresh_after(&known).await.ok_or(SignatureError::Wrong)?;
                Ok(self.verify(&refreshed, now)?)
            }
            verified => Ok(verified?),
        }
    }

    fn verify(&self, keys: &RetellKeys, now: DateTime<Utc>) -> Result<Verified<'_>, SignatureError> {
        let account = Signature::parse(self.signature)?.signer_of(&self.body, keys.iter(), now)?.clone();
        Ok(Verified { body: &self.body, account })
    }
}

/// The response to a request, in JSON.
pub fn json_response(status: i64, body: &Value) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = status;
    response.headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    response.body = Some(body.to_string().into());
    response
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
            assert_eq!(verified.body, BODY.as_bytes());
        }
    }
}
