//! A batch in which one message goes wrong.

use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use end_to_end::{Salon, Stack, soon, variable};
use platform::{
    batch::Batches,
    queues::{AppointmentMessage, MessageVersion, Queue},
    telemetry::Metrics,
};
use scheduling::{
    appointment::StateName,
    ids::{AppointmentId, CallId, TenantId},
};
use serde_json::json;

#[tokio::test]
async fn a_poison_message_reaches_the_dead_letter_queue_with_its_reason_while_its_batch_goes_on() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 0).0);
    let good = salon.deliver(&call).await;
    let poison = format!("not a message, {good}");
    let order = json!({"v": 1, "tenant": salon.tenant, "appointment": good, "call": call.id});
    let event = json!({"Records": [
        {"messageId": "poison", "body": poison, "attributes": {"ApproximateReceiveCount": "1"}},
        {"messageId": "good", "body": order.to_string(), "attributes": {"ApproximateReceiveCount": "1"}},
    ]});
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
    let poison = format!("{{\"v\": 99, \"n\": \"{}\"}}", uuid::Uuid::new_v4());
    let sqs = aws_sdk_sqs::Client::new(&stack.config);
    sqs.send_message().queue_url(variable("ASSIGNMENTS_QUEUE_URL")).message_body(&poison).send().await.unwrap();
    stack.receive("ASSIGNMENTS_DEAD_LETTER_QUEUE_URL", |body| body == poison).await;
}

#[derive(Debug, thiserror::Error)]
#[error("it failed")]
struct ItFailed;

fn message(call: &str, received: u32) -> SqsMessage {
    let order = AppointmentMessage {
        v: MessageVersion,
        tenant: TenantId::new("salon"),
        appointment: AppointmentId::new(format!("appointment of {call}")),
        call: CallId::new(call),
        looked_up_again: false,
        trace: None,
    };
    let mut message = SqsMessage::default();
    message.message_id = Some(call.to_owned());
    message.body = Some(serde_json::to_string(&order).unwrap());
    message.attributes.insert("ApproximateReceiveCount".to_owned(), received.to_string());
    message
}

async fn failed_of(messages: Vec<SqsMessage>, time_left: Duration) -> Vec<String> {
    let stack = Stack::deployed().await;
    let dead_letters = Queue::new(&stack.config, variable("BOOKINGS_DEAD_LETTER_QUEUE_URL"));
    let batches = Batches::new(dead_letters, stack.appointments.clone(), Metrics::new("test")).unwrap();
    let mut event = SqsEvent::default();
    event.records = messages;
    let mut context = lambda_runtime::Context::default();
    context.deadline =
        (SystemTime::now() + time_left).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let response = batches
        .process(event, &context, |order, _| async move {
            match order.call.as_str() {
                "fails" => Err(ItFailed),
                "panics" => panic!("a fault in the code"),
                "hangs" => std::future::pending().await,
                _ => Ok(()),
            }
        })
        .await;
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
