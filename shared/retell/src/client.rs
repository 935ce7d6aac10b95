//! The client: lists an account's calls, and fetches one whole.
//!
//! Source: `POST /v3/list-calls` and `GET /v2/get-call/{call_id}` as retell-sdk 6.2.13 types them. The list has neither
//! transcripts nor recordings; a page ends with an opaque `pagination_key`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder, StatusCode};
use scheduling::ids::CallId;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::event::{Call, Event, EventKind};

/// Retell's API.
pub const BASE_URL: &str = "https://api.retellai.com";
/// The timeout of a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The timeout of a request: a page holds up to 500 calls, and a long call is megabytes.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How many calls a page has at most.
const PAGE_SIZE: u16 = 500;
/// A longer response is not read to its end.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// Why a request to Retell failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetellError {
    /// It refuses the key.
    #[error("failed to query Retell: it refuses the account's key; put a valid one into the secret")]
    KeyRefused,
    /// It does not know the call: it was deleted, or belongs to another account.
    #[error("failed to fetch the call: Retell has no such call")]
    NotFound,
    /// It limits requests.
    #[error("failed to query Retell: its rate limit is reached")]
    RateLimited,
    /// It does not respond, or responds with 5xx.
    #[error("failed to query Retell: no response, or a server error")]
    Unavailable,
    /// It responds with another status.
    #[error("failed to query Retell: it responds with status {0}")]
    Refused(u16),
    /// Its response has another form.
    #[error("failed to decode Retell's response")]
    Unreadable,
}

/// A page of an account's calls, the one that began first at the beginning.
pub struct CallPage {
    /// The calls, without transcripts.
    pub calls: Vec<Call>,
    /// Where the next page begins. `None` if this is the last one.
    pub next: Option<String>,
}

/// A call as it was fetched, in the form of a webhook.
pub struct FetchedCall {
    call: Call,
    raw: Box<RawValue>,
}

/// The client. Make one for each process: it keeps its connections.
#[derive(Debug, Clone)]
pub struct Retell {
    http: reqwest::Client,
    base_url: String,
}

impl Retell {
    /// Makes the client for the API at this URL, which has no slash at its end.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(base_url: String) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).build()?;
        Ok(Self { http, base_url })
    }

    /// Lists the calls that began at this time or later, page by page.
    ///
    /// # Errors
    /// [`RetellError`].
    pub async fn list_calls(
        &self,
        key: &SecretString,
        began_from: DateTime<Utc>,
        page: Option<&str>,
    ) -> Result<CallPage, RetellError> {
        #[derive(Deserialize)]
        struct List {
            items: Vec<Box<RawValue>>,
            #[serde(default)]
            pagination_key: Option<String>,
            #[serde(default)]
            has_more: bool,
        }
        let began = json!({"type": "number", "op": "ge", "value": began_from.timestamp_millis()});
        let mut body = json!({
            "filter_criteria": {"start_timestamp": began}, "sort_order": "ascending", "limit": PAGE_SIZE,
        });
        if let Some(page) = page {
            body["pagination_key"] = json!(page);
        }
        let request = self.request(Method::POST, "/v3/list-calls").json(&body);
        let list: List = parse(&self.send(request, key).await?)?;
        let calls: Result<Vec<Call>, _> = list.items.iter().map(|item| parse(item.get().as_bytes())).collect();
        let next = list.pagination_key.filter(|_| list.has_more);
        if list.has_more && next.is_none() {
            // Taken for the last page, it would end the comparison too early.
            return Err(RetellError::Unreadable);
        }
        Ok(CallPage { calls: calls?, next })
    }

    /// Fetches a call whole.
    ///
    /// # Errors
    /// [`RetellError`].
    pub async fn get_call(&self, key: &SecretString, call: &CallId) -> Result<FetchedCall, RetellError> {
        let request = self.request(Method::GET, &format!("/v2/get-call/{call}"));
        let raw: Box<RawValue> = parse(&self.send(request, key).await?)?;
        Ok(FetchedCall { call: parse(raw.get().as_bytes())?, raw })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base_url))
    }

    async fn send(&self, request: RequestBuilder, key: &SecretString) -> Result<Vec<u8>, RetellError> {
        let response = request.bearer_auth(key.expose_secret()).send().await;
        let mut response = response.map_err(|_| RetellError::Unavailable)?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(RetellError::KeyRefused),
            StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => return Err(RetellError::NotFound),
            StatusCode::TOO_MANY_REQUESTS => return Err(RetellError::RateLimited),
            status if status.is_server_error() => return Err(RetellError::Unavailable),
            status => return Err(RetellError::Refused(status.as_u16())),
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| RetellError::Unavailable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                return Err(RetellError::Unreadable);
            }
        }
        Ok(body)
    }
}

impl FetchedCall {
    /// The call.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The event of this kind, with the body that Retell's webhook would have had.
    pub fn into_event(self, kind: EventKind) -> (Event, Vec<u8>) {
        let body = format!(r#"{{"event":"{}","call":{}}}"#, kind.as_str(), self.raw.get());
        (Event { kind, call: self.call }, body.into_bytes())
    }
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, RetellError> {
    serde_json::from_slice(body).map_err(|_| RetellError::Unreadable)
}

#[cfg(test)]
mod tests {
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{body_partial_json, header, method, path},
    };

    use super::*;

    fn key() -> SecretString {
        SecretString::from("key_1".to_owned())
    }

    async fn answering(answer: ResponseTemplate) -> (MockServer, Retell) {
        let server = MockServer::start().await;
        Mock::given(header("authorization", "Bearer key_1")).respond_with(answer).mount(&server).await;
        let retell = Retell::new(server.uri()).unwrap();
        (server, retell)
    }

    #[tokio::test]
    async fn calls_are_listed_from_a_time_on_page_by_page() {
        let server = MockServer::start().await;
        let began = json!({"type": "number", "op": "ge", "value": 1_795_680_000_000_i64});
        let asked =
            json!({"filter_criteria": {"start_timestamp": began}, "sort_order": "ascending", "pagination_key": "p2"});
        let page = json!({"items": [{"call_id": "c", "call_status": "ended", "end_timestamp": 5, "unknown": [1]}],
                          "pagination_key": "p3", "has_more": true});
        Mock::given(method("POST"))
            .and(path("/v3/list-calls"))
            .and(body_partial_json(asked))
            .respond_with(ResponseTemplate::new(200).set_body_json(page))
            .mount(&server)
            .await;
        let from = DateTime::from_timestamp_millis(1_795_680_000_000).unwrap();
        let listed = Retell::new(server.uri()).unwrap().list_calls(&key(), from, Some("p2")).await.unwrap();
        assert_eq!((listed.calls.len(), listed.next.as_deref()), (1, Some("p3")));
    }

    #[tokio::test]
    async fn a_fetched_call_is_stored_as_its_webhook_would_have_been() {
        let raw = r#"{"call_id": "c",  "transcript": "Grüß Gott", "n": 1.50}"#;
        let (_server, retell) = answering(ResponseTemplate::new(200).set_body_raw(raw, "application/json")).await;
        let (event, body) =
            retell.get_call(&key(), &CallId::new("c")).await.unwrap().into_event(EventKind::CallAnalyzed);
        assert_eq!(event.kind, EventKind::CallAnalyzed);
        assert_eq!(String::from_utf8(body).unwrap(), format!(r#"{{"event":"call_analyzed","call":{raw}}}"#));
    }

    #[tokio::test]
    async fn each_refusal_says_what_to_do() {
        for (status, error) in [
            (401, RetellError::KeyRefused),
            (404, RetellError::NotFound),
            (422, RetellError::NotFound),
            (429, RetellError::RateLimited),
            (500, RetellError::Unavailable),
            (402, RetellError::Refused(402)),
            (200, RetellError::Unreadable),
        ] {
            let (_server, retell) = answering(ResponseTemplate::new(status)).await;
            assert_eq!(retell.get_call(&key(), &CallId::new("c")).await.err(), Some(error), "{status}");
        }
    }
}
