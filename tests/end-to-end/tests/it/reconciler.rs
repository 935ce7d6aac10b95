//! What should have moved and has not is found and sent again.

use chrono::{TimeDelta, Utc};
use end_to_end::{Salon, claimed, eventually, soon};
use scheduling::appointment::{Actor, Appointment, Confirmation, ReviewReason, State, StateName};
use serde_json::json;
use tokio::sync::Mutex;

/// Held by whoever sweeps: a sweep finds what other tests have left lying about as well.
static SWEEPING: Mutex<()> = Mutex::const_new(());

fn by_test() -> Actor<'static> {
    Actor { function: "test", version: "test", now: Utc::now(), person: None }
}

#[tokio::test]
async fn what_was_stored_and_never_sent_is_booked_all_the_same() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    // The schedule, or another test, may send it first: then there is another one.
    let mut hours = 9..17;
    let id = loop {
        let start = soon(hours.next().expect("a dry run counts what was never sent"), 0).1;
        let id = salon.store_untold_at(Utc::now() - TimeDelta::hours(1), start).await;
        let counted = salon.stack.invoke("sync-reconciler", &json!({"dry_run": true})).await;
        assert_eq!(counted["dry_run"], json!(true));
        if counted["resent"]["never_sent"].as_u64() >= Some(1) {
            break id;
        }
    };
    let report = salon.stack.invoke("sync-reconciler", &json!({})).await;
    assert_eq!(report["failed"], json!(0), "{report}");
    let booked = salon.stack.until_settled(&id).await;
    assert_eq!(booked.state().name(), StateName::Assigned);
    salon.stack.until_counted("sync-reconciler", "Resent", Some("never_sent")).await;
    // This one, whichever sweep it was.
    let resent =
        async || (salon.stack.times_counted("sync-reconciler", "Resent", &booked.call).await > 0).then_some(());
    assert!(eventually(resent).await.is_some(), "{id} was never sent by the reconciler");
}

#[tokio::test]
async fn what_is_under_way_is_left_to_its_message() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let by = by_test();
    let id = salon.store_untold(soon(10, 0).1).await;
    salon.change(&id, |appointment| claimed(appointment, TimeDelta::minutes(5), by)).await;
    let before = salon.stack.appointment(&id).await;
    salon.stack.invoke("sync-reconciler", &json!({})).await;
    assert_eq!(salon.stack.appointment(&id).await, before);
}

#[tokio::test]
async fn what_kills_its_workers_time_after_time_is_set_aside() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let id = salon.store_untold(soon(10, 0).1).await;
    let die_six_times = |appointment: scheduling::appointment::Appointment| {
        (0..6).fold(appointment, |appointment, _| claimed(appointment, TimeDelta::seconds(-1), by_test()))
    };
    salon.change(&id, die_six_times).await;
    let set_aside = eventually(async || {
        salon.stack.invoke("sync-reconciler", &json!({})).await;
        let appointment = salon.stack.appointment(&id).await;
        matches!(appointment.state(), State::NeedsReview { reason: ReviewReason::Stalled, .. }).then_some(())
    });
    assert!(set_aside.await.is_some());
    assert!(salon.bookings_of(salon.haircut()).await.is_empty());
}

#[tokio::test]
async fn a_booking_that_nobody_assigned_is_sent_to_be_assigned() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let start = soon(10, 0).1;
    let id = salon.store_untold(start).await;
    let uid = salon.book_at_calcom(&id, start).await;
    let booking = scheduling::booking::Booking {
        uid,
        status: scheduling::booking::BookingStatus::Accepted,
        event_type: scheduling::ids::EventTypeId(salon.haircut()),
        start,
        hosts: scheduling::booking::HostEvidence::None {
            reason: scheduling::booking::NoHost::Empty,
            looked_up_again: false,
        },
    };
    let long_ago = Actor { now: Utc::now() - TimeDelta::hours(1), ..by_test() };
    salon
        .change(&id, |appointment| {
            let claim = appointment.claim(TimeDelta::minutes(1), long_ago).unwrap();
            claim.confirm(booking.clone(), Confirmation::Booked, long_ago)
        })
        .await;
    let report = salon.stack.invoke("sync-reconciler", &json!({})).await;
    assert!(report["resent"]["not_assigned"].as_u64() >= Some(1), "{report}");
    assert_eq!(salon.stack.until_settled(&id).await.state().name(), StateName::Assigned);
}

#[tokio::test]
async fn while_a_queue_is_long_what_most_likely_waits_there_is_not_sent_once_more() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let queue = salon.stack.create_long_queue("long", 300).await;
    let copy = salon.stack.deploy_copy("sync-reconciler", "BOOKINGS_QUEUE_URL", &queue).await;
    let id = salon.store_untold_at(Utc::now() - TimeDelta::hours(1), soon(10, 0).1).await;
    // For an attempt that was too far ahead for a delayed message, no message waits in any queue.
    let ahead = salon.store_untold_at(Utc::now() - TimeDelta::hours(1), soon(11, 0).1).await;
    let long_ago = Actor { function: "test", version: "test", now: Utc::now() - TimeDelta::hours(1), person: None };
    let waits = |mut appointment: Appointment| {
        appointment.wait_for_account(Utc::now() - TimeDelta::minutes(1), long_ago).unwrap();
        appointment
    };
    salon.change(&ahead, waits).await;
    let report = eventually(async || {
        let report = salon.stack.invoke_named(&copy, &json!({})).await;
        report["resent"].is_object().then_some(report)
    });
    let report = report.await.unwrap();
    let state = salon.stack.appointment(&id).await.state().name();
    salon.stack.delete_copy(&copy).await;
    assert!(report["held_back"].as_u64() >= Some(1) && report["resent"]["never_sent"].is_null(), "{report}");
    assert!(report["resent"]["attempt_due"].as_u64() >= Some(1), "{report}");
    assert_eq!(state, StateName::Requested);
    salon.stack.invoke("sync-reconciler", &json!({})).await;
    assert_eq!(salon.stack.until_settled(&id).await.state().name(), StateName::Assigned);
}
