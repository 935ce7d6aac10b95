//! Stands in for Retell's API below `/retell`: `POST /v3/list-calls` and `GET /v2/get-call/{call_id}`, in the form of
//! retell-sdk 6.2.13. What tests put in is under `/_stand-in/retell`.
//!
//! The list has neither transcripts nor recordings, and a call belongs to the account whose key lists it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The keys of the local accounts begin like this.
const KEYS: &str = "key_local_";
/// What the list leaves out.
const NOT_LISTED: [&str; 4] = ["transcript", "transcript_object", "transcript_with_tool_calls", "recording_url"];
const USUAL_PAGE: usize = 50;
const MAX_PAGE: usize = 1000;

/// The calls of each account by its key, and the faults that come next.
#[derive(Clone, Default)]
pub(crate) struct RetellWorld {
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    calls: BTreeMap<String, BTreeMap<String, Value>>,
    /// How many requests are still to be answered with 500.
    faults: u32,
}

/// What a test puts in.
#[derive(Deserialize)]
struct Content {
    key: String,
    #[serde(default)]
    calls: Vec<Value>,
    #[serde(default)]
    faults: u32,
}

#[derive(Deserialize)]
struct ListRequest {
    #[serde(default)]
    filter_criteria: Filter,
    #[serde(default)]
    sort_order: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    pagination_key: Option<String>,
}

#[derive(Default, Deserialize)]
struct Filter {
    #[serde(default)]
    start_timestamp: Option<NumberFilter>,
}

#[derive(Deserialize)]
struct NumberFilter {
    #[serde(rename = "type")]
    kind: String,
    op: String,
    value: f64,
}

pub(crate) fn router() -> Router<RetellWorld> {
    Router::new()
        .route("/retell/v3/list-calls", post(list_calls))
        .route("/retell/v2/get-call/{id}", get(get_call))
        .route("/_stand-in/retell", post(put))
}

impl RetellWorld {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// The calls of the account whose key a request has, unless a fault or a wrong key comes first.
    fn calls_of(&mut self, headers: &HeaderMap) -> Result<&BTreeMap<String, Value>, Box<Response>> {
        if self.faults > 0 {
            self.faults -= 1;
            return Err(refusal(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected server error occurred.").into());
        }
        let key = headers.get("authorization").and_then(|value| value.to_str().ok());
        match key.and_then(|key| key.strip_prefix("Bearer ")).filter(|key| key.starts_with(KEYS)) {
            Some(key) => Ok(self.calls.entry(key.to_owned()).or_default()),
            None => Err(refusal(StatusCode::UNAUTHORIZED, "API key is missing or invalid.").into()),
        }
    }
}

async fn put(State(retell): State<RetellWorld>, Json(content): Json<Content>) -> StatusCode {
    let mut world = retell.lock();
    world.faults += content.faults;
    let calls = world.calls.entry(content.key).or_default();
    for call in content.calls {
        calls.insert(call["call_id"].as_str().unwrap_or_default().to_owned(), call);
    }
    StatusCode::NO_CONTENT
}

async fn list_calls(
    State(retell): State<RetellWorld>,
    headers: HeaderMap,
    Json(request): Json<ListRequest>,
) -> Response {
    let mut world = retell.lock();
    let calls = match world.calls_of(&headers) {
        Ok(calls) => calls,
        Err(refusal) => return *refusal,
    };
    let filter = request.filter_criteria.start_timestamp;
    if filter.as_ref().is_some_and(|filter| filter.kind != "number" || filter.op != "ge") {
        return refusal(StatusCode::BAD_REQUEST, "The stand-in knows the filter {type: number, op: ge} alone.");
    }
    let began = |call: &Value| call["start_timestamp"].as_f64().unwrap_or_default();
    let mut listed: Vec<&Value> =
        calls.values().filter(|call| filter.as_ref().is_none_or(|filter| began(call) >= filter.value)).collect();
    listed.sort_by(|one, other| began(one).total_cmp(&began(other)));
    if request.sort_order.as_deref() != Some("ascending") {
        listed.reverse();
    }
    let first = request.pagination_key.and_then(|key| key.parse().ok()).unwrap_or(0);
    let limit = request.limit.unwrap_or(USUAL_PAGE).min(MAX_PAGE);
    let items: Vec<Value> = listed.iter().skip(first).take(limit).map(|call| without_transcripts(call)).collect();
    let has_more = first + items.len() < listed.len();
    let next = has_more.then(|| (first + items.len()).to_string());
    Json(json!({"items": items, "has_more": has_more, "pagination_key": next})).into_response()
}

async fn get_call(State(retell): State<RetellWorld>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    match retell.lock().calls_of(&headers) {
        Ok(calls) => match calls.get(&id) {
            Some(call) => Json(call.clone()).into_response(),
            None => refusal(StatusCode::NOT_FOUND, "Cannot find requested asset under given api key."),
        },
        Err(refusal) => *refusal,
    }
}

fn without_transcripts(call: &Value) -> Value {
    let mut listed = call.clone();
    if let Some(fields) = listed.as_object_mut() {
        fields.retain(|name, _| !NOT_LISTED.contains(&name.as_str()));
    }
    listed
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"status": "error", "message": message}))).into_response()
}
