//! Appointments whose start went by.

use chrono::{TimeDelta, Utc};
use end_to_end::{Salon, eventually, soon};
use platform::store::CallEvent;
use scheduling::{
    appointment::{Actor, Appointment, CancelReason, State, StateName},
    contact::Customer,
    ids::{AppointmentId, CallId},
    start_time::WishedStart,
    wish::Wish,
};
use serde_json::json;

/// Stores an appointment without telling anyone, as if its message had been lost long ago.
async fn store_forgotten(salon: &Salon, started: TimeDelta) -> AppointmentId {
    let now = Utc::now();
    let call = CallId::new(format!("call_{}", uuid::Uuid::new_v4().simple()));
    let wish = Wish {
        service: Some("Haarschnitt".to_owned()),
        start: WishedStart::At { at: now - started, note: None },
        customer: Customer::default(),
        staff: None,
        notes: None,
    };
    let by = Actor { function: "test", version: "test", now: now - started - TimeDelta::days(1) };
    let appointment = Appointment::new(salon.tenant.clone(), call.clone(), wish, by);
    let event = CallEvent { tenant: &salon.tenant, call: &call, name: "call_analyzed", body: b"{}", received_at: now };
    salon.stack.calls.record(&event, Some(&appointment)).await.unwrap();
    appointment.id
}

#[tokio::test]
async fn what_is_past_and_unbooked_is_cancelled_and_nothing_else() {
    let salon = Salon::open().await;
    let booked = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let to_come = store_forgotten(&salon, TimeDelta::hours(-1)).await;
    // More than a page, so that the next one is asked for.
    let mut past = Vec::new();
    for n in 0..120 {
        past.push(store_forgotten(&salon, TimeDelta::minutes(1 + n)).await);
    }
    let counted = salon.stack.invoke("past-cleanup", &json!({"dry_run": true})).await;
    assert!(counted["cancelled"].as_u64().unwrap() >= 120 && counted["dry_run"] == json!(true), "{counted}");
    assert_eq!(salon.stack.appointment(&past[0]).await.state().name(), StateName::Requested);

    let report = salon.stack.invoke("past-cleanup", &json!({})).await;
    assert!(report["cancelled"].as_u64().unwrap() >= 120 && report["resume_after"].is_null(), "{report}");
    for id in &past {
        let state = salon.stack.appointment(id).await.state().clone();
        assert!(matches!(state, State::Cancelled { reason: CancelReason::Past }), "{state:?}");
    }
    assert_eq!(salon.stack.appointment(&to_come).await.state().name(), StateName::Requested);
    assert_eq!(salon.stack.appointment(&booked.id).await, booked);
    let found_again = eventually(async || {
        let report = salon.stack.invoke("past-cleanup", &json!({"dry_run": true})).await;
        (report["found"] == json!(0)).then_some(())
    });
    assert!(found_again.await.is_some(), "the index still holds what was cancelled");
}

#[tokio::test]
async fn an_event_that_is_not_ours_is_refused() {
    let salon = Salon::open().await;
    let answer = salon.stack.invoke("past-cleanup", &json!({"dryrun": true})).await;
    assert!(answer["errorMessage"].as_str().unwrap().contains("unknown field `dryrun`"), "{answer}");
}
