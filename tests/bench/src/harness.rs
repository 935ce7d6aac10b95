//! AWS and Cal.com on loopback, behind TLS and each answer after a set delay.
//!
//! DynamoDB is `dynoxide`, a whole implementation of it, and Cal.com is the stand-in of the other tests. Of SQS, SNS, S3
//! and Secrets Manager there is only what a function asks of them: what is sent is kept for the bench to hand on.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
};
use calcom_stand_in::{Content, StandIn};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::{calls::RETELL_KEY, plan::Plan, tls::Certificate};

/// DynamoDB takes requests of up to 16 MB.
const LARGEST_BODY: usize = 32 * 1024 * 1024;
const REGION: &str = "eu-central-1";

/// What a function calls: AWS and Cal.com on loopback.
pub struct Harness {
    aws: String,
    calcom: String,
    trusted: PathBuf,
    tables: Vec<String>,
    shared: Arc<Shared>,
}

struct Shared {
    dynamodb: String,
    calcom: String,
    http: reqwest::Client,
    aws_delay_ms: AtomicU64,
    calcom_delay_ms: AtomicU64,
    /// How often what was asked for, by kind.
    asked: Mutex<BTreeMap<String, u64>>,
    /// What reading and writing DynamoDB bills.
    units: Mutex<Units>,
    /// What was sent to which queue.
    sent: Mutex<Vec<Sent>>,
    /// The objects of S3, by their path.
    objects: Mutex<BTreeMap<String, Bytes>>,
    retell_keys: Mutex<Value>,
    calcom_keys: Mutex<Value>,
}

/// What DynamoDB bills: units of reading and of writing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Units {
    /// Units of four kilobytes, read.
    pub read: f64,
    /// Units of a kilobyte, written; twice as many within a transaction.
    pub written: f64,
}

impl std::ops::AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.written += other.written;
    }
}

/// What is stored, in bytes.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Stored {
    /// In the tables of appointments and calls, with their indexes.
    pub items: f64,
    /// In the bucket of calls.
    pub objects: f64,
}

/// The keys of the indexes, by which an item is stored once more.
const INDEX_KEYS: [&str; 6] = ["due", "phase", "review_tenant", "tenant_start", "uncounted", "calcom_uid"];
/// What DynamoDB adds to each item, and to each entry of an index, when it bills them.
const OVERHEAD: f64 = 100.0;
/// About what the keys of an entry of an index take: table keys, partition and sort.
const INDEX_ENTRY: f64 = 130.0;

/// What DynamoDB bills for keeping an item.
fn billed_size(item: &Value) -> f64 {
    let fields = item.as_object().into_iter().flatten();
    let size: f64 = fields.map(|(name, value)| name.len() as f64 + size_of(value)).sum();
    let entries = INDEX_KEYS.iter().filter(|key| !item[**key].is_null()).count() as f64;
    size + OVERHEAD + entries * (INDEX_ENTRY + OVERHEAD)
}

/// The size of an attribute's value: text by its bytes, numbers by about half of their digits, and three bytes for a list or map.
fn size_of(value: &Value) -> f64 {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else { return 0.0 };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len() as f64,
        ("B", Value::String(text)) => text.len() as f64 * 0.75,
        ("N", Value::String(text)) => (text.len() as f64 / 2.0).ceil() + 1.0,
        ("L", Value::Array(list)) => 3.0 + list.iter().map(|value| 1.0 + size_of(value)).sum::<f64>(),
        ("M", Value::Object(map)) => {
            3.0 + map.iter().map(|(name, value)| 1.0 + name.len() as f64 + size_of(value)).sum::<f64>()
        }
        _ => 1.0,
    }
}

/// A message that was sent to a queue.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The queue's URL.
    pub queue: String,
    /// Its body.
    pub body: String,
    /// The header of its trace.
    pub trace: Option<String>,
    /// Its group, among which a standard queue delivers fairly.
    pub group: Option<String>,
}

impl Harness {
    /// Starts it, with the plan's tables empty.
    pub async fn start(plan: &Plan) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (dynamodb, calcom) = (start_dynamodb().await, start_calcom(plan).await);
        let shared = Arc::new(Shared {
            dynamodb,
            calcom,
            http,
            aws_delay_ms: AtomicU64::new(0),
            calcom_delay_ms: AtomicU64::new(0),
            asked: Mutex::default(),
            units: Mutex::default(),
            sent: Mutex::default(),
            objects: Mutex::default(),
            retell_keys: Mutex::new(json!({"main": {"current": RETELL_KEY}})),
            calcom_keys: Mutex::new(json!({"local": "cal_bench"})),
        });
        for (name, table) in &plan.tables {
            let mut table = table.clone();
            table["TableName"] = json!(name);
            shared.dynamodb("CreateTable", table.to_string()).await;
        }
        let certificate = Certificate::for_loopback();
        let trusted = plan.scratch.join("trusted.pem");
        let system = fs::read_to_string(&plan.certificates).expect("the system has certificates");
        fs::write(&trusted, format!("{system}\n{}", certificate.pem)).expect("the scratch folder can be written");
        let aws = serve(&certificate, Router::new().fallback(aws), &shared).await;
        let calcom = serve(&certificate, Router::new().fallback(calcom_answers), &shared).await;
        Self { aws, calcom, trusted, tables: plan.tables.keys().cloned().collect(), shared }
    }

    /// How long AWS and Cal.com take from now on, in milliseconds.
    pub fn take(&self, aws_ms: u64, calcom_ms: u64) {
        self.shared.aws_delay_ms.store(aws_ms, Ordering::Relaxed);
        self.shared.calcom_delay_ms.store(calcom_ms, Ordering::Relaxed);
    }

    /// What was asked for since this was last asked, by kind.
    pub fn asked(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *held(&self.shared.asked))
    }

    /// What DynamoDB has billed since this was last asked.
    pub fn units(&self) -> Units {
        std::mem::take(&mut *held(&self.shared.units))
    }

    /// What is stored, in bytes as DynamoDB and S3 bill them.
    pub async fn stored(&self) -> Stored {
        let mut stored = Stored {
            objects: held(&self.shared.objects)
                .iter()
                .filter(|(path, _)| path.starts_with("/calls/"))
                .map(|(_, object)| object.len() as f64)
                .sum(),
            ..Stored::default()
        };
        for table in ["AppointmentsTable", "CallsTable"] {
            let mut from = Value::Null;
            loop {
                let request = json!({"TableName": table, "ExclusiveStartKey": from});
                let request = if from.is_null() { json!({"TableName": table}) } else { request };
                let answer = self.shared.dynamodb("Scan", request.to_string()).await;
                let body = axum::body::to_bytes(answer.into_body(), LARGEST_BODY).await.expect("it is whole");
                let mut page: Value = serde_json::from_slice(&body).expect("it is JSON");
                stored.items += page["Items"].as_array().into_iter().flatten().map(billed_size).sum::<f64>();
                from = page["LastEvaluatedKey"].take();
                if from.is_null() {
                    break;
                }
            }
        }
        stored
    }

    /// Puts an item into a table, as DynamoDB's JSON has it.
    pub async fn put_item(&self, table: &str, item: &Value) {
        let answer = self.shared.dynamodb("PutItem", json!({"TableName": table, "Item": item}).to_string()).await;
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// What was sent since this was last asked.
    pub fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut *held(&self.shared.sent))
    }

    /// The messages of it, to be handed on.
    pub fn messages(&self) -> Vec<String> {
        self.sent().into_iter().map(|sent| sent.body).collect()
    }

    /// Changes what the secret of the Retell keys holds.
    pub fn put_retell_keys(&self, keys: Value) {
        *held(&self.shared.retell_keys) = keys;
    }

    /// Changes what the secret of the Cal.com keys holds.
    pub fn put_calcom_keys(&self, keys: Value) {
        *held(&self.shared.calcom_keys) = keys;
    }

    /// Orders a fault of an event type at Cal.com, in the stand-in's form.
    pub async fn order_fault(&self, event_type: u64, fault: &Value) {
        let url = format!("{}/_stand-in/event-types/{event_type}/faults", self.shared.calcom);
        let ordered = self.shared.http.post(url).json(fault).send().await.expect("it runs in this process");
        assert!(ordered.status().is_success(), "{ordered:?}");
    }

    /// The environment in which a function finds it.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let trusted = self.trusted.to_str().expect("a readable path");
        let queue = |name: &str| format!("{}/123456789012/{name}", self.aws);
        let mut environment: BTreeMap<String, String> = [
            ("AWS_ENDPOINT_URL", self.aws.as_str()),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            // Where each runtime looks for whom to trust.
            ("SSL_CERT_FILE", trusted),
            ("AWS_CA_BUNDLE", trusted),
            ("NODE_EXTRA_CA_CERTS", trusted),
            ("CALCOM_BASE_URL", self.calcom.as_str()),
            ("RETELL_KEYS_SECRET", "retell-keys"),
            ("CALCOM_KEYS_SECRET", "calcom-keys"),
            ("ALERTS_TOPIC", "arn:aws:sns:eu-central-1:123456789012:alerts"),
            ("REPORTS_BUCKET", "reports"),
            ("CALLS_BUCKET", "calls"),
            ("MAX_RECEIVE_COUNT", "5"),
            ("FRONTDESK_VERSION", "bench"),
            // Of the desk; nobody signs in here.
            ("USER_POOL", "eu-central-1_bench"),
            ("USER_POOL_CLIENT", "bench"),
            ("SIGN_IN_URL", "https://sign-in.example"),
            ("DESK_URL", "https://desk.example"),
            ("BACK_OFFICE_FUNCTION", "back-office"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for table in &self.tables {
            environment.insert(format!("{}_TABLE", table.trim_end_matches("Table").to_uppercase()), table.clone());
        }
        for name in [
            "BOOKINGS_QUEUE",
            "ASSIGNMENTS_QUEUE",
            "DEAD_LETTER_QUEUE",
            "BOOKINGS_DEAD_LETTER_QUEUE",
            "ASSIGNMENTS_DEAD_LETTER_QUEUE",
        ] {
            environment.insert(format!("{name}_URL"), queue(name));
        }
        environment
    }
}

async fn start_dynamodb() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let database = dynoxide::Database::memory().expect("a database in memory");
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    url
}

/// The stand-in, with the plan's services at any time of the day and without a wait of its own.
async fn start_calcom(plan: &Plan) -> String {
    let stand_in = StandIn::default();
    let text = fs::read_to_string(&plan.event_types).expect("the content can be read");
    let mut content: Content = serde_json::from_str(&text).expect("it has its form");
    for event_type in &mut content.event_types {
        (event_type.minutes, event_type.thinks_for) = (30, 0);
        (event_type.opens, event_type.closes, event_type.closed_on) = (5, 22, Vec::new());
    }
    let owner = content.keys.values().next().expect("it has a key").clone();
    for key in ["cal_bench", "cal_new"] {
        content.keys.insert(key.to_owned(), owner.clone());
    }
    content.requests_per_minute = Some(u32::MAX);
    stand_in.put(content);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move { axum::serve(listener, calcom_stand_in::router(stand_in)).await });
    url
}

async fn serve(certificate: &Certificate, paths: Router<Arc<Shared>>, shared: &Arc<Shared>) -> String {
    let listener = certificate.listen().await;
    let url = format!("https://{}", listener.address);
    let service = paths.layer(DefaultBodyLimit::max(LARGEST_BODY)).with_state(Arc::clone(shared));
    tokio::spawn(async move { axum::serve(listener, service).await });
    url
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn count(&self, kind: String) {
        *held(&self.asked).entry(kind).or_default() += 1;
    }

    async fn dynamodb(&self, operation: &str, body: String) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", format!("DynamoDB_20120810.{operation}").parse().expect("a name"));
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
        headers.insert(
            "authorization",
            HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=test/20261121/eu-central-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"),
        );
        headers.insert("x-amz-date", HeaderValue::from_static("20261121T000000Z"));
        self.forward(&self.dynamodb, Method::POST, "/", headers, body.into()).await
    }

    async fn forward(&self, to: &str, method: Method, path: &str, mut headers: HeaderMap, body: Bytes) -> Response {
        headers.remove("host");
        let request = self.http.request(method, format!("{to}{path}")).headers(headers).body(body);
        let answer = request.send().await.expect("it runs in this process");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = Response::new(Body::from(answer.bytes().await.expect("it is whole")));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response.headers_mut().remove("transfer-encoding");
        response
    }

    /// Notes what DynamoDB bills for an answer.
    async fn billed(&self, operation: &str, answer: Response) -> Response {
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, LARGEST_BODY).await.expect("it is whole");
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let of_tables = told["ConsumedCapacity"].as_array().cloned().unwrap_or(vec![told["ConsumedCapacity"].clone()]);
        let billed: f64 = of_tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
        let mut units = held(&self.units);
        if matches!(operation, "GetItem" | "BatchGetItem" | "Query") {
            units.read += billed;
        } else {
            units.written += billed;
        }
        drop(units);
        Response::from_parts(parts, Body::from(body))
    }

    fn send_message(&self, body: &Value) -> Response {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let message = text("MessageBody");
        let trace = body["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"].as_str().map(str::to_owned);
        let digest = hex::encode(Md5::digest(message.as_bytes()));
        let group = body["MessageGroupId"].as_str().map(str::to_owned);
        held(&self.sent).push(Sent { queue: text("QueueUrl"), body: message, trace, group });
        as_json(&json!({"MessageId": uuid::Uuid::new_v4().to_string(), "MD5OfMessageBody": digest}))
    }

    fn put_object(&self, path: &str, if_new: bool, body: Bytes) -> Response {
        let mut objects = held(&self.objects);
        if if_new && objects.contains_key(path) {
            return StatusCode::PRECONDITION_FAILED.into_response();
        }
        objects.insert(path.to_owned(), body);
        ([("etag", "\"0\"")], StatusCode::OK).into_response()
    }

    fn secret(&self, body: &Value) -> Response {
        let name = body["SecretId"].as_str().unwrap_or_default();
        let secret = match name {
            "retell-keys" => held(&self.retell_keys).clone(),
            _ => held(&self.calcom_keys).clone(),
        };
        let secret = secret.to_string();
        // Each content is a version of its own.
        as_json(&json!({"Name": name, "SecretString": secret, "VersionId": secret}))
    }
}

fn as_json(body: &Value) -> Response {
    let headers = [("content-type", "application/x-amz-json-1.0")];
    (headers, body.to_string()).into_response()
}

async fn aws(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST_BODY).await.expect("requests are not cut");
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let (service, operation) = target.split_once('.').unwrap_or_default();
    let read = || serde_json::from_slice::<Value>(&body).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(shared.aws_delay_ms.load(Ordering::Relaxed))).await;
    match (service, operation) {
        ("DynamoDB_20120810", operation) => {
            shared.count(format!("DynamoDB {operation}"));
            let mut asked = read();
            if asked["ReturnConsumedCapacity"].is_null() {
                asked["ReturnConsumedCapacity"] = json!("TOTAL");
            }
            shared.billed(operation, shared.dynamodb(operation, asked.to_string()).await).await
        }
        ("AmazonSQS", "SendMessage") => {
            shared.count("SQS SendMessage".to_owned());
            shared.send_message(&read())
        }
        ("AmazonSQS", operation) => {
            shared.count(format!("SQS {operation}"));
            as_json(&json!({"Attributes": {"ApproximateNumberOfMessages": "0"}}))
        }
        ("secretsmanager", operation) => {
            shared.count(format!("Secrets Manager {operation}"));
            shared.secret(&read())
        }
        _ if parts.method == Method::PUT => {
            shared.count("S3 PutObject".to_owned());
            shared.put_object(parts.uri.path(), parts.headers.contains_key("if-none-match"), body)
        }
        _ if parts.method == Method::GET => {
            shared.count("S3 GetObject".to_owned());
            held(&shared.objects)
                .get(parts.uri.path())
                .cloned()
                .map_or(StatusCode::NOT_FOUND.into_response(), |object| object.into_response())
        }
        _ => {
            shared.count("SNS Publish".to_owned());
            let answer = "<PublishResponse><PublishResult><MessageId>0</MessageId></PublishResult></PublishResponse>";
            ([("content-type", "text/xml")], answer).into_response()
        }
    }
}

async fn calcom_answers(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST_BODY).await.expect("requests are not cut");
    shared.count(format!("Cal.com {} {}", parts.method, parts.uri.path()));
    tokio::time::sleep(Duration::from_millis(shared.calcom_delay_ms.load(Ordering::Relaxed))).await;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let calcom = shared.calcom.clone();
    shared.forward(&calcom, parts.method, &path, parts.headers, body).await
}
