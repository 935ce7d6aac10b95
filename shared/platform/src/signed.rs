//! Signed requests to services of AWS of which Frontdesk uses one or two operations.
//!
//! The SDKs of Cognito and Lambda know hundreds of operations each and take minutes to build (tests/bench/RESULTS.md). A request of theirs is a POST of JSON with a signature.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use reqwest::{Client, Url, header::CONTENT_TYPE};
use serde_json::Value;

use crate::{aws::SdkConfig, bucket::suffix_of};

/// The timeout of a request. What the desk has others do takes seconds at most.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A request that failed. It holds nothing of the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to use {service}: {code}")]
pub struct ServiceError {
    /// The service.
    pub service: &'static str,
    /// The service's own code, or what kept the request from reaching it.
    pub code: String,
}

/// A service of AWS.
#[derive(Debug, Clone)]
pub struct Service {
    name: &'static str,
    http: Client,
    credentials: SharedCredentialsProvider,
    region: String,
    base: Url,
}

impl Service {
    /// The service of this name, as its host and its signature have it.
    ///
    /// # Errors
    /// Without a region or credentials, or if TLS can't be set up.
    pub fn new(config: &SdkConfig, name: &'static str) -> Result<Self, ServiceError> {
        let unusable = |code: &str| ServiceError { service: name, code: code.to_owned() };
        let region = config.region().ok_or_else(|| unusable("no region"))?.to_string();
        let credentials = config.credentials_provider().ok_or_else(|| unusable("no credentials"))?;
        let base = match config.endpoint_url() {
            Some(endpoint) => endpoint.to_owned(),
            None => format!("https://{name}.{region}.{}", suffix_of(&region)),
        };
        let base = Url::parse(&base).map_err(|_| unusable("invalid endpoint"))?;
        let http = Client::builder().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build();
        Ok(Self { name, http: http.map_err(|_| unusable("no TLS"))?, credentials, region, base })
    }

    /// Calls an operation of a service that is named in a header, such as Cognito's.
    ///
    /// # Errors
    /// [`ServiceError`], with the service's code.
    pub async fn call(&self, operation: &str, request: &Value) -> Result<Value, ServiceError> {
        let headers = [("x-amz-target", operation), ("content-type", "application/x-amz-json-1.1")];
        self.post("/", &headers, request).await.map(|(response, _)| response)
    }

    /// Invokes a function of Lambda, and waits for its response.
    ///
    /// # Errors
    /// [`ServiceError`], also if the function fails.
    pub async fn invoke(&self, function: &str, request: &Value) -> Result<Value, ServiceError> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let (response, has_failed) = self.post(&path, &[("content-type", "application/json")], request).await?;
        if has_failed { Err(self.failed("function_error")) } else { Ok(response) }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<(Value, bool), ServiceError> {
        let url = self.base.join(path).map_err(|_| self.failed("invalid path"))?;
        let body = body.to_string();
        let credentials =
            self.credentials.provide_credentials().await.map_err(|_| self.failed("no credentials"))?.into();
        let parameters = SigningParams::builder()
            .identity(&credentials)
            .region(&self.region)
            .name(self.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| self.failed("failed to sign"))?
            .into();
        let signable =
            SignableRequest::new("POST", url.as_str(), headers.iter().copied(), SignableBody::Bytes(body.as_bytes()));
        let signed = signable.and_then(|request| sign(request, &parameters));
        let (signed, _) = signed.map_err(|_| self.failed("failed to sign"))?.into_parts();
        let (signed, _) = signed.into_parts();
        let mut request = self.http.post(url).body(body);
        for (name, value) in headers.iter().filter(|(name, _)| *name != CONTENT_TYPE.as_str()) {
            request = request.header(*name, *value);
        }
        let kind = headers.iter().find(|(name, _)| *name == CONTENT_TYPE.as_str());
        request = request.header(CONTENT_TYPE, kind.map_or("application/json", |(_, value)| value));
        for header in signed {
            request = request.header(header.name().to_owned(), header.value().to_owned());
        }
        let response = request.send().await.map_err(|_| self.failed("not_reached"))?;
        let (status, has_failed) = (response.status(), response.headers().contains_key("x-amz-function-error"));
        let body = response.bytes().await.map_err(|_| self.failed("not_reached"))?;
        let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_default() };
        if status.is_success() {
            return Ok((body, has_failed));
        }
        let code = body.get("__type").and_then(Value::as_str).and_then(|code| code.rsplit('#').next());
        Err(self.failed(code.unwrap_or(status.as_str())))
    }

    fn failed(&self, code: &str) -> ServiceError {
        ServiceError { service: self.name, code: code.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use aws_config::Region;
    use aws_credential_types::Credentials;
    use serde_json::json;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_json, header, header_exists, path},
    };

    use super::*;

    fn service_at(base: &str, name: &'static str) -> Service {
        let credentials = Credentials::from_keys("AKIAIOSFODNN7EXAMPLE", "secret", None);
        let config = SdkConfig::builder()
            .region(Some(Region::new("eu-central-1")))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(base)
            .build();
        Service::new(&config, name).unwrap()
    }

    #[tokio::test]
    async fn an_operation_is_signed_and_a_refusal_has_the_services_code() {
        let aws = MockServer::start().await;
        Mock::given(path("/"))
            .and(header("x-amz-target", "Service.Operation"))
            .and(header_exists("authorization"))
            .and(body_json(json!({"a": 1})))
            .respond_with(ResponseTemplate::new(400).set_body_json(json!({"__type": "x#UserNotFoundException"})))
            .expect(1)
            .mount(&aws)
            .await;
        let refused = service_at(&aws.uri(), "cognito-idp").call("Service.Operation", &json!({"a": 1})).await;
        assert_eq!(refused.unwrap_err().to_string(), "failed to use cognito-idp: UserNotFoundException");
    }

    #[tokio::test]
    async fn a_function_that_fails_is_no_response() {
        let aws = MockServer::start().await;
        Mock::given(path("/2015-03-31/functions/f/invocations"))
            .respond_with(ResponseTemplate::new(200).insert_header("x-amz-function-error", "Unhandled"))
            .mount(&aws)
            .await;
        assert_eq!(service_at(&aws.uri(), "lambda").invoke("f", &json!({})).await.unwrap_err().code, "function_error");
    }
}
