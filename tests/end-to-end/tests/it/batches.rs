//! A batch in which one message goes wrong.

use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use end_to_end::{Salon, Stack, soon, sqs_event, variable};
use platform::{
    batch::{Batches, WorkError},
    queues::Queue,
    telemetry::Metrics,
};
use scheduling::appointment::StateName;
use serde_json::json;

#[tokio::test]
async fn a_poison_message_reaches_the_dead_letter_queue_with_its_reason_while_its_batch_goes_on() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 0).0);
    let good = salon.deliver(&call).await;
    let poison = format!("not a message, {good}");
    let mut event = sqs_event(&[&poison, &salon.stack.message_of(&good).await], 1);
    event["Records"][0]["messageId"] = json!("poison");
    let answer = salon.stack.invoke("calcom-booking", &event).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(salon.stack.until_settled(&good).await.state().name(), StateName::Assigned);
    let set_aside = salon.stack.receive("BOOKINGS_DEAD_LETTER_QUEUE_URL", |body| body == poison).await;
    let attributes = set_aside.message_attributes.unwrap();
    let text = |name: &str| attributes[name].string_value().unwrap().to_owned();
    assert_eq!((text("reason"), text("message_id")), ("unreadable".to_owned(), "poison".to_owned()));
}

#[tokio::test]
async fn a_poison_message_sent_to_the_queue_itself_is_set_aside_at_once() {
    let stack = Stack::deployed().await;
    let poison = format!("{{\"v\": \"x\", \"n\": \"{}\"}}", uuid::Uuid::new_v4());
    let sqs = aws_sdk_sqs::Client::new(&stack.config);
    sqs.send_message().queue_url(variable("ASSIGNMENTS_QUEUE_URL")).message_body(&poison).send().await.unwrap();
    stack.receive("ASSIGNMENTS_DEAD_LETTER_QUEUE_URL", |body| body == poison).await;
}

#[derive(Debug, thiserror::Error)]
#[error("it failed")]
struct ItFailed;

impl WorkError for ItFailed {
    fn is_newer_form(&self) -> bool {
        false
    }
}

fn message(call: &str, received: u32) -> SqsMessage {
    let body = json!({"v": 1, "kind": "process", "tenant": "salon", "call": call,
        "appointment": format!("appointment of {call}")});
    sqs_message(call, &body.to_string(), received)
}

fn sqs_message(id: &str, body: &str, received: u32) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some(id.to_owned());
    message.body = Some(body.to_owned());
    message.attributes.insert("ApproximateReceiveCount".to_owned(), received.to_string());
    message
}

async fn failed_of(messages: Vec<SqsMessage>, time_left: Duration) -> Vec<String> {
    processed(messages, time_left, "BOOKINGS_QUEUE_URL").await
}

/// Processes messages from the queue that `source` names, and returns those that failed.
async fn processed(messages: Vec<SqsMessage>, time_left: Duration, source: &str) -> Vec<String> {
    let stack = Stack::deployed().await;
    let source = Queue::new(&stack.config, variable(source));
    let timing = platform::env::timing().unwrap();
    let batches = Batches::from_env(&stack.config, source, timing, Metrics::new("test")).unwrap();
    let mut event = SqsEvent::default();
    event.records = messages;
    let mut context = lambda_runtime::Context::default();
    context.deadline =
        (SystemTime::now() + time_left).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let work = |message: platform::queues::AppointmentMessage, _| async move {
        match message.call.as_str() {
            "fails" => Err(ItFailed),
            "panics" => panic!("a fault in the code"),
            "hangs" => std::future::pending().await,
            _ => Ok(()),
        }
    };
    let response = batches.process(event, &context, work, |_, _| std::future::ready(())).await;
    let mut failed: Vec<String> =
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    failed.sort();
    failed
}

#[tokio::test]
async fn a_message_that_fails_or_panics_fails_alone() {
    let messages = vec![message("a", 1), message("panics", 1), message("b", 1), message("fails", 4), message("c", 1)];
    assert_eq!(failed_of(messages, Duration::from_secs(60)).await, ["fails", "panics"]);
}

#[tokio::test]
async fn a_message_that_hangs_is_given_up_in_time_for_the_batch_to_say_so() {
    let messages = vec![message("a", 1), message("hangs", 1)];
    assert_eq!(failed_of(messages, Duration::from_secs(17)).await, ["hangs"]);
}

#[tokio::test]
async fn what_can_no_longer_be_started_is_handed_back() {
    assert_eq!(failed_of(vec![message("a", 1), message("b", 5)], Duration::from_secs(10)).await, ["a", "b"]);
}

#[tokio::test]
async fn at_its_last_delivery_a_failing_message_is_set_aside_with_its_reason() {
    let mut last = message("fails", 5);
    let unique = uuid::Uuid::new_v4().to_string();
    last.body = last.body.map(|body| body.replace("appointment of fails", &unique));
    assert_eq!(failed_of(vec![last], Duration::from_secs(60)).await, Vec::<String>::new());
    let stack = Stack::deployed().await;
    let set_aside = stack.receive("BOOKINGS_DEAD_LETTER_QUEUE_URL", |body| body.contains(&unique)).await;
    assert_eq!(set_aside.message_attributes.unwrap()["reason"].string_value(), Some("it failed"));
}

#[tokio::test]
async fn a_message_of_the_next_version_returns_to_its_queue_and_becomes_a_dead_letter_only_if_no_version_takes_it() {
    let unique = uuid::Uuid::new_v4().to_string();
    let body = json!({"v": 1, "kind": "merge", "tenants": ["a", "b"], "n": unique}).to_string();
    let minute = Duration::from_secs(60);
    // A queue that no deployed function reads.
    let returned_to = "ASSIGNMENTS_DEAD_LETTER_QUEUE_URL";
    assert_eq!(processed(vec![sqs_message("newer", &body, 5)], minute, returned_to).await, Vec::<String>::new());
    let stack = Stack::deployed().await;
    let returned = stack.receive(returned_to, |found| found == body).await;
    let since = returned.message_attributes.unwrap()["deferred_since"].string_value().unwrap().to_owned();
    let since: chrono::DateTime<chrono::Utc> = since.parse().unwrap();

    let long_ago = since - platform::env::timing().unwrap().defer_window - chrono::TimeDelta::seconds(1);
    let mut abandoned = sqs_message("abandoned", &body, 1);
    let attribute = json!({"stringValue": long_ago.to_rfc3339(), "dataType": "String"});
    let attribute = serde_json::from_value(attribute).unwrap();
    abandoned.message_attributes.insert("deferred_since".to_owned(), attribute);
    assert_eq!(processed(vec![abandoned], minute, returned_to).await, Vec::<String>::new());
    let dead = stack.receive("BOOKINGS_DEAD_LETTER_QUEUE_URL", |found| found == body).await;
    assert_eq!(dead.message_attributes.unwrap()["reason"].string_value(), Some("newer_form"));
}
