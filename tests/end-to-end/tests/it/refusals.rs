//! Webhooks that are not taken: each with its status, its answer and its metric.

use chrono::{TimeDelta, Utc};
use end_to_end::{MARK, Salon, Stack, WebhookAnswer, eventually, soon};
use serde_json::json;

async fn assert_refused(stack: &Stack, answer: WebhookAnswer, status: u16, word: &str) {
    assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(word)), "{answer:?}");
    let message = answer.body["message"].as_str().unwrap();
    assert!(!message.is_empty() && !message.contains(MARK) && !message.contains("key_local"), "{message}");
    stack.until_counted("webhook-intake", "WebhookRejected", Some(word)).await;
}

fn call() -> Vec<u8> {
    json!({"event": "call_ended", "call": {"call_id": "c", "agent_id": format!("agent {MARK}")}})
        .to_string()
        .into_bytes()
}

#[tokio::test]
async fn a_webhook_without_a_signature_is_refused() {
    let stack = Stack::deployed().await;
    assert_refused(&stack, stack.post(call(), None).await, 401, "signature_missing").await;
}

#[tokio::test]
async fn a_webhook_with_a_wrong_signature_is_refused() {
    let stack = Stack::deployed().await;
    let of_other_bytes = Stack::sign(b"other", Utc::now());
    assert_refused(&stack, stack.post(call(), Some(of_other_bytes)).await, 401, "signature_wrong").await;
    let malformed = stack.post(call(), Some("v=1".to_owned())).await;
    assert_refused(&stack, malformed, 401, "signature_malformed").await;
}

#[tokio::test]
async fn a_webhook_of_six_minutes_ago_is_refused() {
    let stack = Stack::deployed().await;
    let old = Stack::sign(&call(), Utc::now() - TimeDelta::minutes(6));
    assert_refused(&stack, stack.post(call(), Some(old)).await, 401, "signature_stale").await;
}

#[tokio::test]
async fn a_signed_body_that_is_no_event_is_refused() {
    let stack = Stack::deployed().await;
    for (body, word) in [
        (format!("{MARK}, not JSON"), "not_json"),
        (json!({"event": "call_ended"}).to_string(), "not_a_retell_event"),
        (json!({"event": "call_ended", "call": {"call_id": ""}}).to_string(), "not_a_retell_event"),
    ] {
        let signature = Stack::sign(body.as_bytes(), Utc::now());
        assert_refused(&stack, stack.post(body.into_bytes(), Some(signature)).await, 400, word).await;
    }
}

/// The same code, deployed once more beside the stack with a table that does not exist.
#[tokio::test]
async fn while_the_store_is_down_retell_is_asked_to_send_again() {
    let salon = Salon::open().await;
    let copy = salon.stack.deploy_copy("webhook-intake", "CALLS_TABLE", "no-such-table").await;
    let body = salon.haircut_at(&soon(9, 0).0).body.to_string();
    let event = json!({
        "version": "2.0", "routeKey": "POST /webhooks/retell", "rawPath": "/webhooks/retell", "rawQueryString": "",
        "headers": {"x-retell-signature": Stack::sign(body.as_bytes(), Utc::now())},
        "requestContext": {"http": {"method": "POST", "path": "/webhooks/retell"}},
        "body": body, "isBase64Encoded": false,
    });
    let answer = eventually(async || {
        let answer = salon.stack.invoke_named(&copy, &event).await;
        answer["statusCode"].is_number().then_some(answer)
    });
    let answer = answer.await.unwrap();
    salon.stack.delete_copy(&copy).await;
    let told: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (answer["statusCode"].as_u64(), told["error"].as_str()),
        (Some(503), Some("store_unavailable")),
        "{answer}"
    );
}
