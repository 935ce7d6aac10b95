//! Lambda's side of a function: it asks for the next event and hands in its answer.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::sync::{
    Mutex, Notify,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// Longer than anything that is measured here takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Lambda takes answers of so much.
const LARGEST_ANSWER: usize = 6 * 1024 * 1024;

/// What a function made of an event.
#[derive(Debug)]
pub struct Answered {
    /// Its answer, or its error.
    pub body: Result<Value, Value>,
    /// From handing out the event to having the answer.
    pub took: Duration,
}

/// The Runtime API for one process.
pub struct RuntimeApi {
    /// Where it listens, as `AWS_LAMBDA_RUNTIME_API` names it.
    pub address: SocketAddr,
    events: UnboundedSender<Event>,
    answers: Mutex<UnboundedReceiver<(Result<Value, Value>, Instant)>>,
    shared: Arc<Shared>,
    name: String,
}

struct Event {
    body: String,
    headers: HeaderMap,
}

struct Shared {
    events: Mutex<UnboundedReceiver<Event>>,
    answers: UnboundedSender<(Result<Value, Value>, Instant)>,
    asked: Notify,
    asked_at: std::sync::Mutex<Option<Instant>>,
    handed_out_at: std::sync::Mutex<Option<Instant>>,
    init_error: std::sync::Mutex<Option<String>>,
}

impl RuntimeApi {
    /// Listens on a free port of loopback, for a function of this name.
    pub async fn listen(name: &str) -> Self {
        let (events, waiting) = unbounded_channel();
        let (sender, answers) = unbounded_channel();
        let shared = Arc::new(Shared {
            events: Mutex::new(waiting),
            answers: sender,
            asked: Notify::new(),
            asked_at: std::sync::Mutex::default(),
            handed_out_at: std::sync::Mutex::default(),
            init_error: std::sync::Mutex::default(),
        });
        let service = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(fail))
            .route("/2018-06-01/runtime/init/error", post(fail_to_start))
            .layer(DefaultBodyLimit::max(LARGEST_ANSWER))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, events, answers: Mutex::new(answers), shared, name: name.to_owned() }
    }

    /// When the function first asked for an event.
    pub async fn ready(&self) -> Instant {
        let ready = async {
            loop {
                let asked = self.shared.asked.notified();
                if let Some(at) = *self.shared.asked_at.lock().expect("nobody panics with it") {
                    return at;
                }
                asked.await;
            }
        };
        tokio::time::timeout(PATIENCE, ready).await.unwrap_or_else(|_| {
            let error = self.shared.init_error.lock().expect("nobody panics with it").take();
            panic!("{} never asked for an event: {error:?}", self.name)
        })
    }

    /// Hands out one event and waits for what the function makes of it.
    pub async fn invoke(&self, event: &Value) -> Answered {
        self.invoke_raw(event.to_string(), "Root=1-67a5b8c0-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1")
            .await
    }

    /// The same with an event as text, and the header of a trace.
    pub async fn invoke_raw(&self, body: String, trace: &str) -> Answered {
        let id = uuid::Uuid::new_v4().to_string();
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") + Duration::from_secs(300);
        let arn = format!("arn:aws:lambda:eu-central-1:123456789012:function:{}", self.name);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("lambda-runtime-aws-request-id", id.as_str()),
            ("lambda-runtime-deadline-ms", &deadline.as_millis().to_string()),
            ("lambda-runtime-invoked-function-arn", &arn),
            ("lambda-runtime-trace-id", trace),
            ("content-type", "application/json"),
        ] {
            headers.insert(name.parse::<axum::http::HeaderName>().expect("a name"), value.parse().expect("a value"));
        }
        self.events.send(Event { body, headers }).expect("the server runs");
        let answer = tokio::time::timeout(PATIENCE, async { self.answers.lock().await.recv().await }).await;
        let (body, at) = answer.unwrap_or_else(|_| panic!("{} never answered", self.name)).expect("the server runs");
        let since = self.shared.handed_out_at.lock().expect("nobody panics with it").expect("it was handed out");
        Answered { body, took: at - since }
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.asked_at.lock().expect("nobody panics with it").get_or_insert_with(Instant::now);
    shared.asked.notify_waiters();
    let Some(event) = shared.events.lock().await.recv().await else { return StatusCode::GONE.into_response() };
    *shared.handed_out_at.lock().expect("nobody panics with it") = Some(Instant::now());
    (event.headers, event.body).into_response()
}

async fn respond(State(shared): State<Arc<Shared>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    let at = Instant::now();
    let _ = shared.answers.send((Ok(serde_json::from_slice(&body).unwrap_or_default()), at));
    StatusCode::ACCEPTED
}

async fn fail(State(shared): State<Arc<Shared>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    let at = Instant::now();
    let _ = shared.answers.send((Err(serde_json::from_slice(&body).unwrap_or_default()), at));
    StatusCode::ACCEPTED
}

async fn fail_to_start(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    *shared.init_error.lock().expect("nobody panics with it") = Some(String::from_utf8_lossy(&body).into_owned());
    StatusCode::ACCEPTED
}
