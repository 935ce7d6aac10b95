//! Two deployed versions at once: what the next one writes, this one reads.

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, AttributeValueUpdate},
};
use end_to_end::{Salon, soon, sqs_event, variable};
use scheduling::{
    appointment::{Cause, StateName},
    ids::AppointmentId,
};
use serde_json::{Value, json};

/// Sets an attribute of a stored item, past all functions.
async fn set(salon: &Salon, table: &str, key: [(&str, &str); 2], name: &str, value: AttributeValue) {
    let update = Client::new(&salon.stack.config).update_item().table_name(variable(table));
    let update =
        key.into_iter().fold(update, |update, (name, value)| update.key(name, AttributeValue::S(value.to_owned())));
    update.attribute_updates(name, AttributeValueUpdate::builder().value(value).build()).send().await.unwrap();
}

async fn set_in_record(salon: &Salon, id: &AppointmentId, name: &str, value: AttributeValue) {
    set(salon, "APPOINTMENTS_TABLE", [("id", id.as_str()), ("item", "appointment")], name, value).await;
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

#[tokio::test]
async fn the_next_versions_fields_and_causes_in_tenants_and_records_stop_no_appointment() {
    let salon = Salon::open().await;
    let tenant_key = format!("tenant#{}", salon.tenant);
    set(&salon, "TENANTS_TABLE", [("key", &tenant_key), ("item", "tenant")], "opening_hours", text("9-17")).await;
    let id = salon.store_untold(soon(10, 0).1).await;
    set_in_record(&salon, &id, "priority", text("high")).await;
    let history = serde_json::to_value(salon.stack.appointment(&id).await.history()).unwrap();
    let mut transition = history[0].clone();
    transition["cause"] = json!("requested:by_chat");
    transition["channel"] = json!("chat");
    let history = AttributeValue::L(vec![AttributeValue::M(
        transition
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.clone(), text(value.as_str().unwrap())))
            .collect(),
    )]);
    set_in_record(&salon, &id, "history", history).await;
    let mut message: Value = serde_json::from_str(&salon.stack.message_of(&id).await).unwrap();
    message["n"] = json!(2);
    let event = sqs_event(&[&message.to_string()], 1);
    assert_eq!(salon.stack.invoke("calcom-booking", &event).await, json!({"batchItemFailures": []}));
    let assigned = salon.stack.until(&id, &[StateName::Assigned]).await;
    assert_eq!(assigned.history()[0].cause, Cause::Other("requested:by_chat".to_owned()));
}

#[tokio::test]
async fn a_record_in_a_state_of_the_next_version_is_left_to_that_version() {
    let salon = Salon::open().await;
    let id = salon.store_untold(soon(10, 0).1).await;
    let message = salon.stack.message_of(&id).await;
    let state = AttributeValue::M([("name".to_owned(), text("on_hold"))].into());
    set_in_record(&salon, &id, "state", state).await;
    let event = sqs_event(&[&message], 5);
    assert_eq!(salon.stack.invoke("calcom-booking", &event).await, json!({"batchItemFailures": []}));
    salon.stack.until_counted("calcom-booking", "MessageDeferred", None).await;
    // So that it does not return for the rest of the tests.
    Client::new(&salon.stack.config)
        .delete_item()
        .table_name(variable("APPOINTMENTS_TABLE"))
        .key("id", text(id.as_str()))
        .key("item", text("appointment"))
        .send()
        .await
        .unwrap();
}
