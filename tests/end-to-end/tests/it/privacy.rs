//! What is stored of people can be found, handed out and erased, and does not stay for good.

use chrono::{TimeDelta, Utc};
use end_to_end::{MARK, Salon, SalonForm, claimed, frontdesk, soon};
use scheduling::{
    appointment::{Actor, StateName},
    ids::AppointmentId,
};
use serde_json::json;
use uuid::Uuid;

use crate::cleanup::SWEEPING;

#[tokio::test]
async fn what_was_said_only_in_a_linked_call_is_found_and_erased() {
    let salon = Salon::open().await;
    let first = salon.haircut_at(&soon(9, 0).0);
    let booked = salon.settle(&first).await;
    let email = format!("{MARK}-zweite-{}@beispiel.example", Uuid::new_v4().simple());
    let mut again = first.body.clone();
    let id = format!("call_{}", Uuid::new_v4().simple());
    again["call"]["call_id"] = json!(id);
    again["call"]["from_number"] = json!("anonymous");
    again["call"]["call_analysis"]["custom_analysis_data"]["customer_email"] = json!(email);
    let answer = salon.stack.deliver(&again).await;
    assert_eq!(answer.appointment(), booked.id, "the second call is linked to the first one's appointment");
    // Another event of the same call must not hide that.
    again["event"] = json!("call_ended");
    salon.stack.deliver(&again).await;

    let customer = ["--tenant", salon.tenant.as_str(), "--email", email.as_str()];
    let (done, exported) = frontdesk(&[&["customer", "export"], &customer[..]].concat());
    assert!(done && exported.contains(booked.id.as_str()) && exported.contains(&id), "{exported}");
    let (done, printed) = frontdesk(&[&["customer", "erase"], &customer[..], &["--apply"]].concat());
    assert!(done && printed.contains(&id), "{printed}");
    assert!(salon.stack.appointment(&booked.id).await.is_erased());
    assert!(!frontdesk(&[&["customer", "export"], &customer[..]].concat()).1.contains(MARK));
}

#[tokio::test]
async fn a_whole_tenant_is_erased_once_it_was_removed() {
    let salon = Salon::open().await;
    let booked = salon.settle(&salon.haircut_at(&soon(9, 30).0)).await;
    let question = salon.call(json!({"appointment_requested": false}));
    salon.stack.deliver(&question.body).await;
    let tenant = salon.tenant.as_str();
    let (done, printed) = frontdesk(&["tenant", "erase", tenant, "--apply"]);
    assert!(!done && printed.contains("frontdesk tenant remove"), "{printed}");
    let (_, printed) = frontdesk(&["tenant", "remove", tenant, "--apply"]);
    assert!(printed.contains("upcoming open appointments: 1; appointments that need a person: 0"), "{printed}");
    let (_, printed) = frontdesk(&["tenant", "erase", tenant]);
    assert!(printed.contains("1 appointments and 2 calls to erase") && printed.contains("Dry run"), "{printed}");
    let (done, printed) = frontdesk(&["tenant", "erase", tenant, "--apply"]);
    assert!(done && printed.contains("stays at Cal.com: cancel or erase it there"), "{printed}");
    assert!(salon.stack.appointments.load(&booked.id).await.unwrap().is_none());
    assert!(salon.stack.appointments.exchanges(&booked.id).await.unwrap().is_empty());
    assert!(salon.stack.calls.of_tenant(&salon.tenant).await.unwrap().is_empty());
    let (done, printed) = frontdesk(&["tenant", "erase", tenant, "--apply"]);
    assert!(!done && printed.contains("failed to find anything"), "{printed}");
}

#[tokio::test]
async fn a_closed_appointment_is_kept_as_long_as_its_tenant_says_and_an_open_one_until_it_is_closed() {
    let _alone = SWEEPING.lock().await;
    let salon = Salon::with(SalonForm { tenant: json!({"retention_days": 7}), ..SalonForm::default() }).await;
    let before = |days| Utc::now() - TimeDelta::days(days);
    let old = salon.store_untold_at(before(20), before(8)).await;
    let recent = salon.store_untold_at(before(20), before(6)).await;
    let open = salon.store_untold_at(before(20), before(9)).await;
    let by = Actor { function: "test", version: "test", now: before(10), person: None };
    let stalled = |appointment| {
        let mut booking = claimed(appointment, TimeDelta::minutes(1), by);
        booking.stall("its worker died".to_owned(), Actor { now: before(9), ..by }).unwrap();
        booking
    };
    salon.change(&open, stalled).await;
    let answer = salon.stack.invoke("past-cleanup", &json!({"dry_run": false})).await;
    assert!(answer["failed"] == json!(0), "{answer}");
    let is_stored = async |id: &AppointmentId| salon.stack.appointments.load(id).await.unwrap().is_some();
    // Both were cancelled by this run or the one before; the old one is gone by the next.
    salon.stack.invoke("past-cleanup", &json!({"dry_run": false})).await;
    assert_eq!((is_stored(&old).await, is_stored(&recent).await, is_stored(&open).await), (false, true, true));
    assert_eq!(salon.stack.appointment(&open).await.state().name(), StateName::NeedsReview);
}
