//! `fault-proxy PORT TARGET SEED`: stands between the functions and AWS, or Cal.com, and lets go wrong what goes wrong
//! there: DynamoDB throttles, SQS takes no message or delivers one again and late, answers are lost, and the function
//! itself is killed between what it has just done and what it was to do next.
//!
//! What goes wrong depends on the seed and on the order in which requests come. It listens on loopback, and kills only
//! processes that talk to it and are functions.

mod chance;
mod peer;

use std::{env, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use chance::{Chance, Rates, Trouble};

/// DynamoDB takes requests of up to 16 MB.
const LARGEST_BODY: usize = 32 * 1024 * 1024;
/// How much later a message is delivered a second and a third time.
const BETWEEN_DELIVERIES: Duration = Duration::from_millis(1500);

struct Proxy {
    target: String,
    http: reqwest::Client,
    chance: Chance,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [port, target, seed] = arguments.as_slice() else { return Err("usage: fault-proxy PORT TARGET SEED".into()) };
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let proxy = Arc::new(Proxy {
        target: target.trim_end_matches('/').to_owned(),
        http,
        chance: Chance::new(seed.parse()?, Rates::default()),
    });
    let service = Router::new()
        .fallback(pass_on)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(proxy)
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    println!("fault-proxy forwards http://{} to {target}", listener.local_addr()?);
    axum::serve(listener, service).await?;
    Ok(())
}

async fn pass_on(
    State(proxy): State<Arc<Proxy>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let operation = operation_of(&parts.method, &parts.headers);
    let trouble = proxy.chance.next(&operation);
    match trouble {
        Some(Trouble::Throttled) => return throttled(&operation),
        Some(Trouble::NotTaken) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => {}
    }
    let Some(answer) = proxy.forward(&parts.method, &parts.uri, &parts.headers, &body).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    match trouble {
        Some(Trouble::Killed) if peer::kill_function(peer).is_some() => println!("killed after {operation}"),
        Some(Trouble::AnswerLost) => return StatusCode::BAD_GATEWAY.into_response(),
        Some(Trouble::Repeated) => proxy.repeat(parts.method, parts.uri, parts.headers, body),
        _ => {}
    }
    answer
}

impl Proxy {
    async fn forward(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Option<Response> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = self.http.request(method.clone(), format!("{}{path}", self.target));
        let mut headers = headers.clone();
        headers.remove("host");
        let answer = request.headers(headers).body(body.clone()).send().await.ok()?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = Response::new(Body::from(answer.bytes().await.ok()?));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        // The body is whole by now and its length is told anew.
        response.headers_mut().remove("transfer-encoding");
        Some(response)
    }

    /// Sends the same twice more, later: SQS delivers a message at least once.
    fn repeat(self: Arc<Self>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) {
        tokio::spawn(async move {
            for _ in 0..2 {
                tokio::time::sleep(BETWEEN_DELIVERIES).await;
                let _ = self.forward(&method, &uri, &headers, &body).await;
            }
        });
    }
}

/// The name of what is asked for: AWS's, or the HTTP method.
fn operation_of(method: &Method, headers: &HeaderMap) -> String {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    target.map_or_else(|| method.to_string(), |target| target.to_owned())
}

fn throttled(operation: &str) -> Response {
    let body = match operation.split_once('.') {
        Some((service, _)) if service.starts_with("DynamoDB") => {
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"#
        }
        _ => r#"{"__type":"com.amazon.coral.service#ThrottlingException","message":"slow down"}"#,
    };
    let mut response = (StatusCode::BAD_REQUEST, body).into_response();
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
