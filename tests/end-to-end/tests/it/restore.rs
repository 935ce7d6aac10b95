//! What is missing in a table comes back from a restored one.

use std::{collections::HashMap, process::Command};

use aws_sdk_dynamodb::{
    Client,
    primitives::Blob,
    types::{AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType},
};
use end_to_end::{Salon, variable};
use serde_json::json;
use uuid::Uuid;

type Item = HashMap<String, AttributeValue>;

/// A table of calls of its own: what is copied back must not bring back what other tests erase.
async fn own_table(client: &Client) -> String {
    let name = format!("restore-{}", Uuid::new_v4().simple());
    let mut table = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
    for (key, kind) in [("call", KeyType::Hash), ("event", KeyType::Range)] {
        let attribute = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
        table = table.attribute_definitions(attribute.build().unwrap());
        table = table.key_schema(KeySchemaElement::builder().attribute_name(key).key_type(kind).build().unwrap());
    }
    table.send().await.unwrap();
    name
}

fn event(call: &str, event: &str, part: &[u8]) -> Item {
    Item::from([
        ("call".to_owned(), AttributeValue::S(call.to_owned())),
        ("event".to_owned(), AttributeValue::S(event.to_owned())),
        ("part".to_owned(), AttributeValue::B(Blob::new(part))),
    ])
}

async fn put(client: &Client, table: &str, item: Item) {
    client.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
}

async fn delete(client: &Client, table: &str, mut item: Item) {
    item.remove("part");
    client.delete_item().table_name(table).set_key(Some(item)).send().await.unwrap();
}

async fn items(client: &Client, table: &str) -> Vec<Item> {
    let mut pages = client.scan().table_name(table).into_paginator().items().send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.unwrap());
    }
    items
}

fn restore(table: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(variable("FRONTDESK_COMMAND"));
    let done = command.env("CALLS_TABLE", table).args(["restore", "calls"]).args(arguments).output().unwrap();
    let printed = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(printed).unwrap())
}

#[tokio::test]
async fn what_is_missing_comes_back_whole_and_what_is_newer_or_erased_stays() {
    let salon = Salon::open().await;
    let client = Client::new(&salon.stack.config);
    let call = |nth: u32| format!("{}#{nth}", salon.tenant);
    let table = own_table(&client).await;
    let large: Vec<u8> = (0..380 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let lost = [event(&call(1), "call_ended#a#000", &large), event(&call(1), "call_ended#a#001", &large)];
    let changed = event(&call(2), "call_ended#b#000", b"before");
    let erased = event(&call(3), "call_analyzed#c#000", b"Erika Beispiel");
    for item in lost.iter().chain([&changed, &erased]) {
        put(&client, &table, item.clone()).await;
    }
    let of_a_removed_tenant = event("removed#1", "call_ended#e#000", b"Erika Beispiel");
    put(&client, &table, of_a_removed_tenant.clone()).await;
    for nth in 0..150 {
        put(&client, &table, event(&call(4), &format!("call_ended#d#{nth:03}"), b"lost, too")).await;
    }
    let restored = format!("{table}-restored");
    let request = client.restore_table_to_point_in_time().source_table_name(&table).target_table_name(&restored);
    request.use_latest_restorable_time(true).send().await.unwrap();

    for item in lost.iter().chain([&erased, &of_a_removed_tenant]) {
        delete(&client, &table, item.clone()).await;
    }
    for nth in 0..150 {
        delete(&client, &table, event(&call(4), &format!("call_ended#d#{nth:03}"), b"")).await;
    }
    put(&client, &table, event(&call(2), "call_ended#b#000", b"after")).await;
    put(&client, &table, event(&call(3), "call_analyzed#erased#000", b"")).await;

    let (done, printed) = restore(&table, &["--from", &restored]);
    assert!(done && printed.contains("155 items read, 152 missing") && printed.contains("Dry run"), "{printed}");
    assert_eq!(items(&client, &table).await.len(), 2);
    let (done, printed) = restore(&table, &["--from", &restored, "--apply"]);
    assert!(done && printed.contains("155 items read, 152 copied"), "{printed}");
    assert!(printed.contains("2 items were erased, or belong to a removed tenant, and stay away"), "{printed}");
    let found = items(&client, &table).await;
    assert!(lost.iter().all(|item| found.contains(item)), "a large item did not come back whole");
    assert!(found.contains(&event(&call(2), "call_ended#b#000", b"after")) && !found.contains(&erased));
    assert!(!found.contains(&of_a_removed_tenant));
    let (done, printed) = restore(&table, &["--from", &restored, "--apply"]);
    assert!(done && printed.contains("155 items read, 0 copied"), "{printed}");
    let key = json!({"call": call(4), "event": "call_ended#d#149"}).to_string();
    let (done, printed) = restore(&table, &["--from", &restored, "--resume-after", &key]);
    assert!(done && !printed.contains("155 items read"), "{printed}");
    let (done, printed) = restore(&table, &["--from", "no-such-table", "--apply"]);
    assert!(!done && printed.contains("Run the command again with the same options"), "{printed}");
}
