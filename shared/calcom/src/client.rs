//! The client: its configuration, and how a request is sent.

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder};
use scheduling::{exchange::Exchange, timing::Timing};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    error::CalcomError,
    rate_limit::{Priority, RateLimits},
    response::Response,
};

/// The version of the API whose form the client reads. An unknown one silently selects an old form.
const BOOKINGS_VERSION: &str = "2024-08-13";

/// A version of the API that the client does not read.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to read CALCOM_BOOKINGS_VERSION: {0:?} is not a version that Frontdesk reads, and Cal.com might respond in \
     another form; leave it out, or give {BOOKINGS_VERSION}"
)]
pub struct UnsupportedVersion(String);

/// Cal.com's base URL, API versions and timeouts.
#[derive(Debug, Clone)]
pub struct CalcomConfig {
    /// Without a slash at its end.
    pub base_url: String,
    /// `cal-api-version` of the requests about bookings.
    pub bookings_version: String,
    /// `cal-api-version` of the requests about slots.
    pub slots_version: String,
    /// For a request that changes nothing, from its start to the last byte of its response.
    pub timeout: Duration,
    /// For a request to book, which takes longer: abandoning it early would leave the booking unconfirmed.
    pub booking_timeout: Duration,
}

impl CalcomConfig {
    /// The defaults, or what `CALCOM_BASE_URL` says instead, with the timeout for bookings that the lease on an
    /// appointment allows.
    ///
    /// # Errors
    /// If `CALCOM_BOOKINGS_VERSION` names a version that the client does not read.
    pub fn from_env(timing: &Timing) -> Result<Self, UnsupportedVersion> {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let defaults = Self::default();
        Ok(Self {
            base_url: variable("CALCOM_BASE_URL").unwrap_or(defaults.base_url),
            bookings_version: supported(variable("CALCOM_BOOKINGS_VERSION"))?,
            booking_timeout: timing.booking_timeout.to_std().unwrap_or(defaults.booking_timeout),
            ..Self::default()
        })
    }
}

fn supported(version: Option<String>) -> Result<String, UnsupportedVersion> {
    match version {
        Some(other) if other != BOOKINGS_VERSION => Err(UnsupportedVersion(other)),
        _ => Ok(BOOKINGS_VERSION.to_owned()),
    }
}

impl Default for CalcomConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.cal.com".to_owned(),
            bookings_version: BOOKINGS_VERSION.to_owned(),
            slots_version: "2024-09-04".to_owned(),
            timeout: Duration::from_secs(12),
            booking_timeout: Duration::from_secs(30),
        }
    }
}

/// The timeout of a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A response is stored up to this size; the rest is not read.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// The client. Make one for each process: it keeps its connections, and what it knows of rate limits.
#[derive(Debug, Clone)]
pub struct Calcom {
    http: reqwest::Client,
    pub(crate) config: CalcomConfig,
    rate_limits: Arc<RateLimits>,
    deadline: Option<Instant>,
}

impl Calcom {
    /// Makes the client.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(config: CalcomConfig) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, config, rate_limits: Arc::default(), deadline: None })
    }

    /// The same client, which abandons every request at `deadline` and sends none after it: somebody waits.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// Whether at least so much time is left before the deadline, if there is one.
    pub fn has_left(&self, time: Duration) -> bool {
        self.deadline.is_none_or(|deadline| deadline.saturating_duration_since(Instant::now()) >= time)
    }

    /// Opens a connection, without a key and whatever the response is, so that the first request is sent sooner.
    pub async fn connect(&self) {
        let _ = self.http.head(&self.config.base_url).timeout(CONNECT_TIMEOUT).send().await;
    }

    /// Until when nothing of this priority should be sent with the key, because its rate limit is exhausted or soon
    /// will be. `None` if it may be sent now.
    pub fn rests_until(&self, key: &SecretString, priority: Priority, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.rate_limits.rests_until(key, priority, now)
    }

    pub(crate) fn request(&self, method: Method, path: &str, version: Option<&str>) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.config.base_url));
        match version {
            Some(version) => request.header("cal-api-version", version),
            None => request,
        }
    }

    /// Sends a request; `body` is the part of its body that is stored.
    pub(crate) async fn send<T>(
        &self,
        request: RequestBuilder,
        body: Option<Value>,
        key: &SecretString,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Response<T>, CalcomError> {
        let Ok(mut request) = request.bearer_auth(key.expose_secret()).build() else {
            return Err(CalcomError::no_response(String::new(), false));
        };
        let sent = describe(&request, body);
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CalcomError::no_response(sent, false));
            }
            let timeout = request.timeout().copied().unwrap_or(self.config.timeout);
            *request.timeout_mut() = Some(timeout.min(left));
        }
        self.rate_limits.count(key);
        // The error itself may quote the URL; only whether Cal.com was reached matters.
        let whole = async {
            let response = self.http.execute(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, whole_body(response).await?))
        };
        let (status, headers, body) = match whole.await {
            Ok(answer) => answer,
            Err(error) => return Err(CalcomError::no_response(sent, !error.is_connect())),
        };
        self.rate_limits.note(key, status.as_u16() == 429, &headers, Utc::now());
        let exchange = Exchange { request: sent, status: Some(status.as_u16()), body };
        if !status.is_success() {
            return Err(CalcomError::refused(status.as_u16(), exchange, &headers, Utc::now()));
        }
        match read(&exchange.body) {
            Some(value) => Ok(Response { value, exchange }),
            None => Err(CalcomError::unreadable(exchange)),
        }
    }
}

/// A request as it is stored: method, path, and the part of its body that may be stored. The key is in a header.
fn describe(request: &reqwest::Request, body: Option<Value>) -> String {
    let url = request.url();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let body = body.map(|body| format!(" {body}")).unwrap_or_default();
    format!("{} {}{query}{body}", request.method(), url.path())
}

async fn whole_body(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_BODY {
            break;
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_cal_com_would_answer_in_another_form_is_refused() {
        assert_eq!(supported(None).unwrap(), "2024-08-13");
        assert_eq!(supported(Some("2024-08-13".to_owned())).unwrap(), "2024-08-13");
        let refused = supported(Some("2026-02-25".to_owned())).unwrap_err().to_string();
        assert!(refused.contains("2026-02-25") && refused.contains("leave it out"), "{refused}");
    }
}
