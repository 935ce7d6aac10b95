//! A bucket of S3.
//!
//! Each request is sent to a presigned URL, like the one that people get. S3's SDK would add 0.6 MB of checksum tables
//! that no request uses (tests/bench/RESULTS.md).

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{CONTENT_TYPE, IF_NONE_MATCH},
    retry,
};

use crate::{
    aws::SdkConfig,
    env::{self, EnvError},
};

/// How long a link is valid at most; it expires with the credentials of the function that made it.
const LINK_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// How long the URL of a request is valid: as long as two clocks may differ.
const REQUEST_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// The timeout of a request with its retries.
const TIMEOUT: Duration = Duration::from_secs(7);

/// A request to S3 that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to use a bucket: {0}")]
pub struct BucketError(String);

impl BucketError {
    /// S3 did not answer in the time that the caller has.
    pub fn too_slow() -> Self {
        Self("no answer in time".to_owned())
    }
}

/// Why a bucket can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BucketSetupError {
    /// The environment does not name it.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// There is no region, there are no credentials, or TLS can't be set up.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    http: Client,
    credentials: SharedCredentialsProvider,
    region: String,
    /// The URL of its objects, with a slash at the end.
    base: Url,
}

impl Bucket {
    /// The bucket of quality reports.
    ///
    /// # Errors
    /// If the environment does not name it, or [`Bucket::new`] fails.
    pub fn reports_from_env(config: &SdkConfig) -> Result<Self, BucketSetupError> {
        Ok(Self::new(config, &env::required("REPORTS_BUCKET")?)?)
    }

    /// The bucket of the bodies of calls.
    ///
    /// # Errors
    /// If the environment does not name it, or [`Bucket::new`] fails.
    pub fn calls_from_env(config: &SdkConfig) -> Result<Self, BucketSetupError> {
        Ok(Self::new(config, &env::required("CALLS_BUCKET")?)?)
    }

    /// The bucket of this name, in the region of the configuration.
    ///
    /// # Errors
    /// Without a region or credentials, or if TLS can't be set up.
    pub fn new(config: &SdkConfig, bucket: &str) -> Result<Self, BucketError> {
        let region = config.region().ok_or_else(|| unusable("no region"))?.to_string();
        let credentials = config.credentials_provider().ok_or_else(|| unusable("no credentials"))?;
        let base = match config.endpoint_url() {
            // A bucket's own host name can't be resolved where AWS is an address on this machine.
            Some(endpoint) => format!("{endpoint}/{bucket}/"),
            None => format!("https://{bucket}.s3.{region}.{}/", suffix_of(&region)),
        };
        let base = Url::parse(&base).map_err(|_| unusable("invalid bucket name"))?;
        // Every request is idempotent.
        let retries =
            retry::for_host(base.host_str().unwrap_or_default().to_owned()).no_budget().classify_fn(|sent| match sent
                .status()
            {
                Some(status) if !status.is_server_error() => sent.success(),
                _ => sent.retryable(),
            });
        let http = Client::builder().timeout(TIMEOUT).retry(retries).build().map_err(|_| unusable("no TLS"))?;
        Ok(Self { http, credentials, region, base })
    }

    /// Stores an object under `name`.
    ///
    /// # Errors
    /// If S3 does not accept it.
    pub async fn put(&self, name: &str, content_type: &str, content: String) -> Result<(), BucketError> {
        let url = self.signed(&Method::PUT, name, REQUEST_LIFETIME).await?;
        let sent = self.http.put(url).header(CONTENT_TYPE, content_type).body(content).send().await;
        sent.and_then(Response::error_for_status).map(drop).map_err(refused)
    }

    /// Stores an object under `name`, unless there is one. Returns whether this stored it.
    ///
    /// # Errors
    /// If S3 does not accept it.
    pub async fn put_new(&self, name: &str, content: Vec<u8>) -> Result<bool, BucketError> {
        let url = self.signed(&Method::PUT, name, REQUEST_LIFETIME).await?;
        let sent = self.http.put(url).header(IF_NONE_MATCH, "*").body(content).send().await.map_err(refused)?;
        match sent.status() {
            // Another one was first, or is being written at the same moment.
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Ok(false),
            _ => sent.error_for_status().map(|_| true).map_err(refused),
        }
    }

    /// Deletes the object of this name, if there is one.
    ///
    /// # Errors
    /// If S3 does not accept it.
    pub async fn delete(&self, name: &str) -> Result<(), BucketError> {
        let url = self.signed(&Method::DELETE, name, REQUEST_LIFETIME).await?;
        let sent = self.http.delete(url).send().await;
        sent.and_then(Response::error_for_status).map(drop).map_err(refused)
    }

    /// The object of this name, if there is one.
    ///
    /// # Errors
    /// If S3 does not say.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BucketError> {
        let url = self.signed(&Method::GET, name, REQUEST_LIFETIME).await?;
        let found = self.http.get(url).send().await.map_err(refused)?;
        if found.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let found = found.error_for_status().map_err(refused)?;
        Ok(Some(found.bytes().await.map_err(refused)?.to_vec()))
    }

    /// A link that opens the object of this name for some hours, without further credentials.
    ///
    /// # Errors
    /// Without credentials to sign it with.
    pub async fn link(&self, name: &str) -> Result<String, BucketError> {
        Ok(self.signed(&Method::GET, name, LINK_LIFETIME).await?.into())
    }

    async fn signed(&self, method: &Method, name: &str, lifetime: Duration) -> Result<Url, BucketError> {
        self.signed_at(SystemTime::now(), method, name, lifetime).await
    }

    /// The URL of an object with a signature in its query.
    async fn signed_at(
        &self,
        now: SystemTime,
        method: &Method,
        name: &str,
        lifetime: Duration,
    ) -> Result<Url, BucketError> {
        let mut url = self.base.join(name).map_err(|_| unusable("invalid object name"))?;
        let credentials = self.credentials.provide_credentials().await.map_err(|_| unusable("no credentials"))?;
        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(lifetime);
        // S3 does not normalise paths.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(now)
            .settings(settings)
            .build()
            .map_err(|_| unusable("failed to sign"))?
            .into();
        let request =
            SignableRequest::new(method.as_str(), url.as_str(), [].into_iter(), SignableBody::UnsignedPayload);
        let signed = request.and_then(|request| sign(request, &parameters)).map_err(|_| unusable("failed to sign"))?;
        url.query_pairs_mut().extend_pairs(signed.output().params());
        Ok(url)
    }
}

/// The suffix of a region's host names. AWS has three public partitions.
pub(crate) fn suffix_of(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

fn unusable(cause: &str) -> BucketError {
    BucketError(cause.to_owned())
}

/// Without the URL, which holds a signature.
fn refused(error: reqwest::Error) -> BucketError {
    BucketError(error.status().map_or_else(|| "not reached".to_owned(), |status| status.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_credential_types::Credentials;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{method, path, query_param_contains},
    };

    use super::*;

    fn bucket_at(base: &str, region: &str) -> Bucket {
        let credentials =
            Credentials::from_keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
        let config = SdkConfig::builder()
            .region(Some(aws_config::Region::new(region.to_owned())))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(base)
            .build();
        Bucket::new(&config, "pages").unwrap()
    }

    /// The example of AWS's documentation, in "Authenticating Requests: Using Query Parameters".
    #[tokio::test]
    async fn a_link_has_the_signature_that_aws_documents() {
        let bucket = Bucket {
            base: "https://examplebucket.s3.amazonaws.com/".parse().unwrap(),
            ..bucket_at("http://localhost", "us-east-1")
        };
        let friday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600);
        let link = bucket.signed_at(friday, &Method::GET, "test.txt", Duration::from_secs(86_400)).await.unwrap();
        let query: BTreeMap<_, _> = link.query_pairs().collect();
        assert_eq!(query["X-Amz-Date"], "20130524T000000Z");
        assert_eq!(query["X-Amz-Signature"], "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    }

    #[tokio::test]
    async fn an_object_that_s3_does_not_accept_at_first_is_stored_again() {
        let s3 = MockServer::start().await;
        let put = || {
            Mock::given(method("PUT")).and(path("/pages/latest.html")).and(query_param_contains("X-Amz-Signature", ""))
        };
        put().respond_with(ResponseTemplate::new(503)).up_to_n_times(2).expect(2).mount(&s3).await;
        put().respond_with(ResponseTemplate::new(200)).expect(1).mount(&s3).await;
        bucket_at(&s3.uri(), "eu-central-1").put("latest.html", "text/html", "<p>".to_owned()).await.unwrap();
    }

    #[tokio::test]
    async fn a_refusal_is_reported_once_and_without_the_signature() {
        let s3 = MockServer::start().await;
        Mock::given(method("GET")).respond_with(ResponseTemplate::new(403)).expect(1).mount(&s3).await;
        let refused = bucket_at(&s3.uri(), "eu-central-1").get("latest.json").await.unwrap_err();
        assert_eq!(refused.to_string(), "failed to use a bucket: 403 Forbidden");
    }

    #[tokio::test]
    async fn before_the_first_report_there_is_none() {
        let s3 = MockServer::start().await;
        Mock::given(method("GET")).respond_with(ResponseTemplate::new(404)).expect(1).mount(&s3).await;
        assert_eq!(bucket_at(&s3.uri(), "eu-central-1").get("latest.json").await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_object_that_exists_is_not_replaced() {
        let s3 = MockServer::start().await;
        let put =
            || Mock::given(method("PUT")).and(path("/pages/a/b")).and(wiremock::matchers::header("if-none-match", "*"));
        put().respond_with(ResponseTemplate::new(200)).up_to_n_times(1).expect(1).mount(&s3).await;
        put().respond_with(ResponseTemplate::new(412)).expect(1).mount(&s3).await;
        let bucket = bucket_at(&s3.uri(), "eu-central-1");
        assert!(bucket.put_new("a/b", b"one".to_vec()).await.unwrap());
        assert!(!bucket.put_new("a/b", b"other".to_vec()).await.unwrap());
    }

    #[test]
    fn each_kind_of_region_has_its_hosts() {
        let of = ["eu-central-1", "cn-north-1", "eusc-de-east-1"].map(suffix_of);
        assert_eq!(of, ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"]);
    }
}
