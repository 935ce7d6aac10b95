//! What can only be seen when one function's release binary runs alone and everything that it asks for is counted.
//! `tests/run alone` builds the binaries, makes the plan, and starts these.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use bench::{
    calls::{self, Calls, RETELL_KEY},
    harness::Harness,
    plan::Plan,
    process::Process,
};
use chrono::Utc;
use retell::signature;
use secrecy::SecretString;
use serde_json::{Value, json};

const TRACE: &str = "Root=1-67a5b8c0-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1";
const OTHER_TRACE: &str = "Root=1-67a5b8c0-ffffffffffffffffffffffff;Parent=ffffffffffffffff;Sampled=1";

/// The demo salon's event type for haircuts.
const HAIRCUT: u64 = 2563193;

/// Keys that are known for less are not read again because one does not fit.
const OLD_ENOUGH: Duration = Duration::from_secs(21);

/// A harness of its own for each test.
struct Alone {
    plan: Plan,
    harness: Harness,
    log: PathBuf,
}

impl Alone {
    async fn for_test(name: &str) -> Self {
        let path = std::env::var("PLAN").expect("tests/run alone sets PLAN");
        let mut plan = Plan::read(&PathBuf::from(path));
        plan.scratch = plan.scratch.join(name);
        std::fs::create_dir_all(&plan.scratch).unwrap();
        let harness = Harness::start(&plan).await;
        bench::load_tenant(&plan, &harness).await;
        Self { log: plan.scratch.join("function.log"), plan, harness }
    }

    async fn start(&self, function: &str) -> Process {
        self.harness.asked();
        let contender = self.plan.contender(function);
        let process = Process::start(function, contender, &self.harness.environment(), &self.log).await;
        process.api.ready().await;
        process
    }

    fn secrets_read(&self) -> u64 {
        self.harness.asked().get("Secrets Manager GetSecretValue").copied().unwrap_or_default()
    }

    fn log_lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

fn signed_with(key: &str, body: &str) -> Value {
    let key = SecretString::from(key.to_owned());
    calls::with_signature(body, Some(signature::sign(&key, body.as_bytes(), Utc::now())))
}

async fn status(process: &Process, event: &Value) -> u64 {
    process.api.invoke(event).await.body.unwrap()["statusCode"].as_u64().unwrap()
}

fn by_service(asked: &BTreeMap<String, u64>, service: &str) -> u64 {
    asked.iter().filter(|(kind, _)| kind.starts_with(service)).map(|(_, count)| count).sum()
}

#[tokio::test]
async fn a_retell_key_that_is_replaced_without_notice_loses_no_webhook() {
    let alone = Alone::for_test("rotation-without-notice").await;
    let intake = alone.start("webhook-intake").await;
    let mut calls = Calls::like(&alone.plan);
    assert_eq!(status(&intake, &signed_with(RETELL_KEY, &calls.make().to_string())).await, 200);
    tokio::time::sleep(OLD_ENOUGH).await;
    alone.harness.put_retell_keys(json!({"main": {"current": "key_new", "previous": RETELL_KEY}}));
    for key in ["key_new", RETELL_KEY, "key_new"] {
        assert_eq!(status(&intake, &signed_with(key, &calls.make().to_string())).await, 200, "{key}");
    }
    alone.harness.put_retell_keys(json!({"main": {"current": "key_new"}}));
    assert_eq!(status(&intake, &signed_with("key_new", &calls.make().to_string())).await, 200);
}

#[tokio::test]
async fn keys_are_read_once_and_not_with_every_event() {
    let alone = Alone::for_test("keys-once").await;
    let intake = alone.start("webhook-intake").await;
    let mut calls = Calls::like(&alone.plan);
    for _ in 0..20 {
        assert_eq!(status(&intake, &calls::as_event(&calls.make().to_string())).await, 200);
    }
    assert_eq!(alone.secrets_read(), 1);
}

#[tokio::test]
async fn wrong_signatures_have_the_keys_read_again_but_once_in_a_while() {
    let alone = Alone::for_test("wrong-signatures").await;
    let intake = alone.start("webhook-intake").await;
    assert_eq!(alone.secrets_read(), 1);
    let event = signed_with("key_of_nobody", r#"{"event":"call_ended","call":{"call_id":"c"}}"#);
    for _ in 0..200 {
        assert_eq!(status(&intake, &event).await, 401);
    }
    let asked = alone.harness.asked();
    assert!(by_service(&asked, "Secrets Manager") <= 1, "{asked:?}");
    assert_eq!(by_service(&asked, "DynamoDB") + by_service(&asked, "SQS"), 0, "{asked:?}");
}

#[tokio::test]
async fn a_batch_reads_the_keys_once() {
    let alone = Alone::for_test("batch-keys").await;
    let intake = alone.start("webhook-intake").await;
    let mut calls = Calls::like(&alone.plan);
    for _ in 0..10 {
        assert_eq!(status(&intake, &calls::as_event(&calls.make().to_string())).await, 200);
    }
    let messages = alone.harness.messages();
    let booking = alone.start("calcom-booking").await;
    let answer = booking.api.invoke(&calls::as_batch(&messages, "bookings")).await.body.unwrap();
    assert_eq!(answer["batchItemFailures"], json!([]));
    assert_eq!(alone.secrets_read(), 1);
    assert_eq!(alone.harness.sent().len(), 10);
}

/// Has Cal.com refuse the key once, after `keys` were put in its place if there are any. Answers how often Cal.com was
/// asked, and which queue was told then.
async fn refused_once(name: &str, keys: Option<Value>) -> (u64, String) {
    let alone = Alone::for_test(name).await;
    let intake = alone.start("webhook-intake").await;
    assert_eq!(status(&intake, &calls::as_event(&Calls::like(&alone.plan).make().to_string())).await, 200);
    let message = alone.harness.sent().pop().unwrap().body;
    let booking = alone.start("calcom-booking").await;
    tokio::time::sleep(OLD_ENOUGH).await;
    if let Some(keys) = keys {
        alone.harness.put_calcom_keys(keys);
    }
    let refused = json!({"refused": {"status": 401, "message": "CustomThrottlerGuard - Invalid API Key"}});
    alone.harness.order_fault(HAIRCUT, &json!({"request": "slots", "times": 1, "kind": refused})).await;
    alone.harness.asked();
    let answer = booking.api.invoke(&calls::as_batch(&[message], "bookings")).await.body.unwrap();
    assert_eq!(answer["batchItemFailures"], json!([]));
    let sent = alone.harness.sent();
    assert_eq!(sent.len(), 1);
    (by_service(&alone.harness.asked(), "Cal.com"), sent[0].queue.clone())
}

#[tokio::test]
async fn a_calcom_key_that_is_replaced_without_notice_pauses_nobody() {
    let (asked, told) = refused_once("calcom-rotation", Some(json!({"local": "cal_new"}))).await;
    assert!(told.ends_with("ASSIGNMENTS_QUEUE"), "{told}");
    assert_eq!(asked, 3, "the slots with either key, and the booking");
}

#[tokio::test]
async fn a_calcom_key_that_is_refused_and_still_the_same_is_not_tried_again_at_once() {
    let (asked, told) = refused_once("calcom-refusal", None).await;
    assert!(told.ends_with("BOOKINGS_QUEUE"), "{told}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn one_trace_leads_from_the_webhook_to_the_assignment() {
    let alone = Alone::for_test("trace").await;
    let intake = alone.start("webhook-intake").await;
    let event = calls::as_event(&Calls::like(&alone.plan).make().to_string());
    intake.api.invoke_raw(event.to_string(), TRACE).await.body.unwrap();
    for (function, queue) in [("calcom-booking", "bookings"), ("staff-assignment", "assignments")] {
        let sent = alone.harness.sent().pop().unwrap();
        assert_eq!(sent.trace.as_deref(), Some(TRACE), "what is sent to {function}");
        assert_eq!(sent.group.as_deref(), Some("salon-sommer"), "one tenant's messages must not delay another's");
        let mut batch = calls::as_batch(&[sent.body], queue);
        batch["Records"][0]["attributes"]["AWSTraceHeader"] = json!(TRACE);
        let process = alone.start(function).await;
        // The invocation's own trace is another one, as it is where a batch has messages of several calls.
        process.api.invoke_raw(batch.to_string(), OTHER_TRACE).await.body.unwrap();
        let lines = alone.log_lines();
        let about: Vec<&Value> = lines.iter().filter(|line| !line["appointment_id"].is_null()).collect();
        assert!(!about.is_empty());
        let of_logs = about.iter().filter(|line| line["message"].is_string());
        for line in of_logs {
            assert_eq!(line["trace_id"], json!("1-67a5b8c0-0123456789abcdef01234567"), "{function}: {line}");
        }
    }
}

#[tokio::test]
async fn what_the_first_event_would_wait_for_is_done_before_it() {
    let alone = Alone::for_test("ready").await;
    for (function, services) in [
        ("webhook-intake", ["DynamoDB", "SQS", "Secrets Manager"].as_slice()),
        ("calcom-booking", &["DynamoDB", "SQS", "Secrets Manager", "Cal.com"]),
        ("staff-assignment", &["DynamoDB"]),
    ] {
        let process = alone.start(function).await;
        let asked = alone.harness.asked();
        for service in services {
            assert_eq!(by_service(&asked, service), 1, "{function}: {asked:?}");
        }
        drop(process);
    }
}
