//! Which tenant a call belongs to, and what happens while there is none.

use std::fs;

use chrono::Utc;
use end_to_end::{Salon, Stack, Visitor, frontdesk, soon};
use scheduling::{appointment::StateName, ids::AppointmentId};
use serde_json::{Value, json};

/// Gives a salon a number of its own besides its agent.
async fn give_number(salon: &Salon) -> String {
    let number = format!("+4930{}", salon.haircut() % 10_000_000_000);
    let before = salon.stack.tenants.record(&salon.tenant).await.unwrap();
    let mut tenant = before.clone().unwrap().tenant;
    tenant.retell.numbers = vec![number.clone()];
    salon.stack.tenants.write(&tenant, before.as_ref(), Utc::now()).await.unwrap();
    number
}

#[tokio::test]
async fn a_call_is_taken_for_its_number_where_the_agent_is_unknown() {
    let salon = Salon::open().await;
    let mut call = salon.haircut_at(&soon(9, 30).0);
    call.body["call"]["agent_id"] = json!("agent_of_nobody");
    call.body["call"]["to_number"] = json!(give_number(&salon).await);
    assert_eq!(salon.settle(&call).await.tenant, salon.tenant);
}

#[tokio::test]
async fn an_agent_of_two_salons_answers_for_the_one_whose_number_was_called() {
    let (owner, other) = (Salon::open().await, Salon::open().await);
    let mut call = other.haircut_at(&soon(9, 30).0);
    call.body["call"]["agent_id"] = owner.haircut_at("").body["call"]["agent_id"].clone();
    call.body["call"]["to_number"] = json!(give_number(&other).await);
    assert_eq!(other.settle(&call).await.tenant, other.tenant);
}

#[tokio::test]
async fn a_call_before_its_tenant_is_kept_and_taken_up_by_the_next_load() {
    let salon = Salon::open().await;
    let agent = format!("agent_new_{}", salon.tenant);
    let mut call = salon.haircut_at(&soon(11, 0).0);
    call.body["call"]["agent_id"] = json!(agent);
    for _ in 0..2 {
        let answer = salon.stack.deliver(&call.body).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("unrouted")), "{answer:?}");
    }
    assert_eq!(salon.stack.times_counted("webhook-intake", "CallUnrouted", &call.id).await, 1);
    let (_, listed) = frontdesk(&["calls", "unrouted"]);
    let line = listed.lines().find(|line| line.contains(&agent)).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.contains("main") && line.contains("+4930901820"), "{line}");
    let agency = Visitor::sign_in(&salon.stack.invite("Agentur", "agency").await).await;
    let system = agency.get("/system").await;
    assert!(system.text.contains(&agent) && system.text.contains("ohne Salon"), "{system:?}");

    let mut file = salon.tenant_file().await;
    file["retell"]["agent_ids"].as_array_mut().unwrap().push(json!(agent));
    let path = std::env::temp_dir().join(format!("{}.json", salon.tenant));
    fs::write(&path, file.to_string()).unwrap();
    let (done, printed) = frontdesk(&["tenant", "load", "--offline", path.to_str().unwrap(), "--apply"]);
    fs::remove_file(&path).unwrap();
    assert!(
        done && printed.contains("processed 1 stored events of earlier calls; they request 1 appointments"),
        "{printed}"
    );
    let booked = salon.stack.until_settled(&AppointmentId::of_call(&salon.tenant, &call.id)).await;
    assert_eq!(booked.state().name(), StateName::Assigned, "{booked:#?}");
    assert!(!frontdesk(&["calls", "unrouted"]).1.contains(&agent));
}

#[tokio::test]
async fn a_call_that_is_larger_than_the_store_takes_is_booked_and_says_what_was_left_out() {
    let salon = Salon::open().await;
    let mut call = salon.haircut_at(&soon(12, 0).0);
    let words: Vec<Value> =
        (0..60_000).map(|nth| json!({"word": "Haarschnitt", "start": nth, "end": nth + 1})).collect();
    call.body["call"]["transcript_with_tool_calls"] = json!([{"role": "user", "content": "x", "words": words}]);
    call.body["call"]["transcript_object"] = call.body["call"]["transcript_with_tool_calls"].clone();
    assert!(call.body.to_string().len() > 5 * 1024 * 1024);
    let booked = salon.settle(&call).await;
    assert_eq!(booked.state().name(), StateName::Assigned, "{booked:#?}");
    let events = salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap();
    let kept: Value = serde_json::from_slice(&events[0].1).unwrap();
    assert_eq!(kept["call"]["omitted_by_frontdesk"], json!(["transcript_with_tool_calls"]));
    assert_eq!(kept["call"]["transcript"], call.body["call"]["transcript"]);
}

#[tokio::test]
async fn a_call_of_another_account_belongs_to_no_tenant() {
    let salon = Salon::with(end_to_end::SalonForm {
        tenant: json!({"retell": {"account": "second", "agent_ids": [format!("agent_second_{}", Utc::now().timestamp_micros())], "numbers": []}}),
        ..Default::default()
    })
    .await;
    let mut call = salon.haircut_at(&soon(9, 0).0);
    call.body["call"]["agent_id"] = salon.tenant_file().await["retell"]["agent_ids"][0].clone();
    let answer = Stack::deployed().await.deliver(&call.body).await;
    assert_eq!(answer.body["status"], json!("unrouted"), "{answer:?}");
}
