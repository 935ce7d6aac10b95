//! The events in `events/`, each given to its function.

use std::{fs, path::Path};

use chrono::Utc;
use end_to_end::Stack;
use scheduling::ids::{AppointmentId, CallId, TenantId};
use serde_json::{Value, json};

fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn the_webhooks_event_is_true_but_for_its_age() {
    let stack = Stack::deployed().await;
    let mut event = event("webhook-intake.json");
    let told = async |event: &Value| {
        let answer = stack.invoke("webhook-intake", event).await;
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap(), body)
    };
    let (status, body) = told(&event).await;
    assert_eq!((status, &body["error"]), (401, &json!("signature_stale")));
    // Signed anew it is read, and only its tenant is missing from this stack.
    let body = event["body"].as_str().unwrap().to_owned();
    event["headers"]["x-retell-signature"] = json!(Stack::sign(body.as_bytes(), Utc::now()));
    let (status, body) = told(&event).await;
    assert_eq!((status, &body["status"]), (200, &json!("unrouted")));
}

#[tokio::test]
async fn the_queues_events_name_the_appointment_of_the_demo_call() {
    let stack = Stack::deployed().await;
    let call = event("retell-call-analyzed.json")["call"]["call_id"].as_str().map(CallId::new).unwrap();
    let appointment = AppointmentId::of_call(&TenantId::new("salon-sommer"), &call);
    for function in ["calcom-booking", "staff-assignment"] {
        let event = event(&format!("{function}.json"));
        let record = &event["Records"][0];
        let order: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        assert_eq!((&order["appointment"], &order["call"]), (&json!(appointment), &json!(call)));
        // The demo call is not made in this stack: the message is understood, and fails alone.
        let answer = stack.invoke(function, &event).await;
        assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}));
        stack.until_counted(function, "BatchAllFailed", None).await;
    }
}

#[tokio::test]
async fn the_monitors_event_brings_a_report() {
    let stack = Stack::deployed().await;
    let answer = stack.invoke("quality-monitor", &event("quality-monitor.json")).await;
    assert!(answer["report"]["overall"]["appointments"].is_u64(), "{answer}");
}

#[tokio::test]
async fn the_notifiers_event_tells_people_what_waits() {
    let stack = Stack::deployed().await;
    let answer = stack.invoke("review-notifier", &event("review-notifier.json")).await;
    assert!(answer["messages"].is_u64(), "{answer}");
}

#[tokio::test]
async fn the_recoverys_event_compares_the_calls_of_every_account() {
    let stack = Stack::deployed().await;
    let answer = stack.invoke("call-recovery", &event("call-recovery.json")).await;
    assert_eq!(answer["incomplete_accounts"], json!(0), "{answer}");
}

#[tokio::test]
async fn the_schedules_events_count_without_changing_anything() {
    let stack = Stack::deployed().await;
    for (function, counted) in [("past-cleanup", "found"), ("sync-reconciler", "failed")] {
        let answer = stack.invoke(function, &event(&format!("{function}.json"))).await;
        assert_eq!((&answer["dry_run"], answer[counted].is_u64()), (&json!(true), true), "{answer}");
    }
}

#[tokio::test]
async fn the_tools_event_is_true_but_for_its_age() {
    let stack = Stack::deployed().await;
    let mut event = event("voice-tools.json");
    let answer = stack.invoke("voice-tools", &event).await;
    assert_eq!(answer["statusCode"], json!(401), "{answer}");
    let body = event["body"].as_str().unwrap().to_owned();
    event["headers"]["x-retell-signature"] = json!(Stack::sign(body.as_bytes(), Utc::now()));
    let answer = stack.invoke("voice-tools", &event).await;
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    // Only its tenant is missing from this stack.
    assert_eq!((&answer["statusCode"], &body["status"]), (&json!(200), &json!("unavailable")));
}
