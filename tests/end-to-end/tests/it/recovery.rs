//! Calls whose webhooks never arrived.

use chrono::{DateTime, TimeDelta, Utc};
use end_to_end::{Call, Salon, Stack, soon};
use scheduling::{
    appointment::{ReviewReason, State, StateName},
    ids::AppointmentId,
    request::Intent,
};
use serde_json::{Value, json};

/// A call as Retell lists it, which ended an hour ago.
fn made(call: &Call) -> Value {
    let (began, ended) = (Utc::now() - TimeDelta::minutes(65), Utc::now() - TimeDelta::minutes(60));
    let mut made = call.body["call"].clone();
    made["call_status"] = json!("ended");
    made["start_timestamp"] = json!(began.timestamp_millis());
    made["end_timestamp"] = json!(ended.timestamp_millis());
    made
}

async fn recover(stack: &Stack) -> Value {
    let since: DateTime<Utc> = Utc::now() - TimeDelta::hours(2);
    let answer = stack.invoke("call-recovery", &json!({"since": since})).await;
    assert_eq!(answer["incomplete_accounts"], json!(0), "{answer}");
    answer
}

#[tokio::test]
async fn a_call_whose_webhooks_never_arrived_is_recovered_and_booked_once() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(9, 0).0);
    salon.stack.put_to_retell(&json!({"calls": [made(&call)]})).await;
    recover(&salon.stack).await;
    let id = AppointmentId::of_call(&salon.tenant, &call.id);
    let booked = salon.stack.until_settled(&id).await;
    assert_eq!(booked.state().name(), StateName::Assigned, "{booked:#?}");
    assert_eq!(booked.history()[0].by, "call-recovery");
    recover(&salon.stack).await;
    let events = salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap();
    assert_eq!(events.len(), 1);
    let body: Value = serde_json::from_slice(&events[0].1).unwrap();
    assert_eq!((&body["event"], &body["call"]), (&json!("call_analyzed"), &made_again(&body, &call)));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

/// The call with the times that it has in a stored body.
fn made_again(body: &Value, call: &Call) -> Value {
    let mut made = made(call);
    for time in ["start_timestamp", "end_timestamp"] {
        made[time] = body["call"][time].clone();
    }
    made
}

#[tokio::test]
async fn a_call_whose_analysis_arrived_is_left_alone() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(9, 30).0);
    salon.settle(&call).await;
    salon.stack.put_to_retell(&json!({"calls": [made(&call)]})).await;
    recover(&salon.stack).await;
    assert_eq!(salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_that_was_never_analyzed_waits_for_a_person_until_it_is() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 0).0);
    let mut ended = made(&call);
    ended["call_analysis"] = json!({});
    salon.stack.deliver(&json!({"event": "call_ended", "call": ended})).await;
    salon.stack.put_to_retell(&json!({"calls": [ended]})).await;
    recover(&salon.stack).await;
    recover(&salon.stack).await;
    let id = AppointmentId::of_call(&salon.tenant, &call.id);
    let waiting = salon.stack.appointment(&id).await;
    let State::NeedsReview { reason, .. } = waiting.state() else { panic!("{waiting:#?}") };
    assert_eq!(*reason, ReviewReason::Intent(Intent::NotAnalyzed));
    assert!(waiting.request.customer.phone.is_some());
    assert_eq!(salon.stack.times_counted("call-recovery", "CallNotAnalyzed", &call.id).await, 1);

    salon.deliver(&call).await;
    let booked = salon.stack.until_settled(&id).await;
    assert_eq!(booked.state().name(), StateName::Assigned, "{booked:#?}");
}

#[tokio::test]
async fn a_missed_call_is_stored_and_nobody_waits_for_its_analysis() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 30).0);
    let mut missed = made(&call);
    missed["call_status"] = json!("not_connected");
    missed.as_object_mut().unwrap().remove("call_analysis");
    salon.stack.put_to_retell(&json!({"calls": [missed]})).await;
    recover(&salon.stack).await;
    let names = salon.stack.calls.event_names(&salon.tenant, &call.id).await.unwrap();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["call_ended"]);
    let id = AppointmentId::of_call(&salon.tenant, &call.id);
    assert!(salon.stack.appointments.load(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_start_that_passed_before_its_call_arrived_is_for_a_person() {
    let salon = Salon::open().await;
    let wished = Utc::now() - TimeDelta::minutes(30);
    // Without an offset: an instant outside the hours, as at night, would be asked back for its zone.
    let wished = wished.with_timezone(&chrono_tz::Europe::Berlin).format("%Y-%m-%d %H:%M").to_string();
    let call = salon.haircut_at(&wished);
    salon.stack.put_to_retell(&json!({"calls": [made(&call)]})).await;
    recover(&salon.stack).await;
    let id = AppointmentId::of_call(&salon.tenant, &call.id);
    let waiting = salon.stack.appointment(&id).await;
    assert_eq!(waiting.state().name(), StateName::NeedsReview, "{waiting:#?}");
    let (_, shown) = end_to_end::frontdesk(&["appointment", "show", id.as_str()]);
    assert!(shown.contains("the time had passed when the call arrived"), "{shown}");
}

#[tokio::test]
async fn calls_of_other_systems_are_left_to_them() {
    let salon = Salon::open().await;
    let (before, strangers) = (salon.haircut_at(&soon(11, 0).0), salon.haircut_at(&soon(11, 30).0));
    let two_days_ago = Utc::now() - TimeDelta::days(2);
    let mut of_before = made(&before);
    of_before["start_timestamp"] = json!(two_days_ago.timestamp_millis());
    of_before["end_timestamp"] = json!((two_days_ago + TimeDelta::minutes(3)).timestamp_millis());
    let mut of_a_stranger = made(&strangers);
    of_a_stranger["agent_id"] = json!(format!("agent_of_another_system_{}", salon.tenant));
    salon.stack.put_to_retell(&json!({"calls": [of_before, of_a_stranger]})).await;
    let answer = salon.stack.invoke("call-recovery", &json!({"since": two_days_ago - TimeDelta::hours(1)})).await;
    assert!(answer["calls"]["foreign"].as_u64() >= Some(2), "{answer}");
    assert!(salon.stack.calls.event_names(&salon.tenant, &before.id).await.unwrap().is_empty());
    assert!(!end_to_end::frontdesk(&["calls", "unrouted"]).1.contains("agent_of_another_system"));
}

#[tokio::test]
async fn what_was_erased_is_not_fetched_again() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(14, 0).0);
    salon.settle(&call).await;
    salon.stack.put_to_retell(&json!({"calls": [made(&call)]})).await;
    let phone = call.body["call"]["from_number"].as_str().unwrap();
    let erase = ["customer", "erase", "--tenant", salon.tenant.as_str(), "--phone", phone, "--everyone", "--apply"];
    let (done, printed) = end_to_end::frontdesk(&erase);
    assert!(done, "{printed}");
    recover(&salon.stack).await;
    assert!(salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap().is_empty());
    assert_eq!(salon.stack.times_counted("call-recovery", "CallRecovered", &call.id).await, 0);
}
