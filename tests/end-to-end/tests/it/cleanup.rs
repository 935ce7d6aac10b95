//! Appointments whose start went by.

use chrono::{DateTime, TimeDelta, Utc};
use end_to_end::{Salon, claimed, eventually, soon};
use scheduling::{
    appointment::{Actor, CancelReason, Confirmation, State, StateName},
    assignment::{Assignment, StrategyName},
    booking::{Booking, BookingStatus, HostEvidence, NoHost},
    ids::{AppointmentId, BookingUid, EventTypeId, StaffId},
};
use serde_json::json;
use tokio::sync::Mutex;

/// Held by whoever sweeps: a sweep finds what other tests have left lying about as well.
pub(crate) static SWEEPING: Mutex<()> = Mutex::const_new(());

fn by_test() -> Actor<'static> {
    Actor { function: "test", version: "test", now: Utc::now(), person: None }
}

/// Has an appointment be assigned, with a booking that stands at Cal.com, at a start that lies days back.
async fn assigned_days_ago(salon: &Salon, stands_at: DateTime<Utc>) -> (AppointmentId, BookingUid) {
    let start = Utc::now() - TimeDelta::days(2);
    // Stored as one to come: a sweep of another test would cancel it before it is booked.
    let id = salon.store_untold(stands_at).await;
    let uid = salon.book_at_calcom(&id, stands_at).await;
    let hosts = HostEvidence::None { reason: NoHost::Empty, looked_up_again: true };
    let event_type = EventTypeId(salon.haircut());
    let booking = Booking { uid: uid.clone(), status: BookingStatus::Accepted, event_type, start, hosts };
    let assignment = Assignment { staff: StaffId::new("anna"), strategy: StrategyName::Operator, host: None };
    salon
        .change(&id, |appointment| {
            let claim = appointment.claim(TimeDelta::seconds(1), by_test()).unwrap();
            let mut appointment = claim.confirm(booking.clone(), Confirmation::Booked, by_test());
            appointment.assign(assignment.clone(), by_test()).unwrap();
            appointment
        })
        .await;
    (id, uid)
}

async fn name_of(salon: &Salon, id: &AppointmentId) -> StateName {
    salon.stack.appointment(id).await.state().name()
}

#[tokio::test]
async fn what_was_booked_is_closed_a_day_after_its_start_as_cal_com_knows_it() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let (came, _) = assigned_days_ago(&salon, soon(10, 0).1).await;
    let (missed, missed_uid) = assigned_days_ago(&salon, soon(11, 0).1).await;
    let (dropped, dropped_uid) = assigned_days_ago(&salon, soon(12, 0).1).await;
    salon.stack.post_to_calcom(&format!("/_stand-in/bookings/{missed_uid}/absent"), &json!({})).await;
    salon.stack.post_to_calcom(&format!("/v2/bookings/{dropped_uid}/cancel"), &json!({})).await;
    salon.stack.invoke("past-cleanup", &json!({})).await;
    assert_eq!(name_of(&salon, &came).await, StateName::Completed);
    assert_eq!(name_of(&salon, &missed).await, StateName::NoShow);
    let dropped = salon.stack.appointment(&dropped).await;
    assert!(matches!(dropped.state(), State::Cancelled { reason: CancelReason::CancelledAtCalcom, .. }), "{dropped:?}");
    assert!(matches!(salon.stack.appointment(&came).await.state(), State::Completed { assignment: Some(_), .. }));
}

#[tokio::test]
async fn a_sweep_leaves_an_account_alone_that_is_at_its_rate_limit() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let mut ended = Vec::new();
    for nth in 0..14 {
        ended.push(assigned_days_ago(&salon, soon(9, 0).1 + TimeDelta::days(7 * nth)).await.0);
    }
    let headers = json!({"x-ratelimit-remaining-default": "0", "x-ratelimit-reset-default": "3"});
    let message = "CustomThrottlerGuard - Too many requests. Please try again later.";
    salon.order_fault("get", 14, json!({"refused": {"status": 429, "message": message, "headers": headers}})).await;
    salon.stack.invoke("past-cleanup", &json!({})).await;
    // Ten are under way at once: what comes after them is not sent.
    let sent = salon.requests().await["get"].as_u64().unwrap_or_default();
    assert!((1..=10).contains(&sent), "{sent} requests");
    assert_eq!(name_of(&salon, &ended[0]).await, StateName::Assigned, "it waits for a later run");
    for id in &ended {
        let closed = eventually(async || {
            salon.stack.invoke("past-cleanup", &json!({})).await;
            (name_of(&salon, id).await == StateName::Completed).then_some(())
        });
        closed.await.expect("it is closed once the limit is reset");
    }
}

#[tokio::test]
async fn a_booking_that_was_moved_at_cal_com_is_followed_and_not_taken_for_cancelled() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let (id, uid) = assigned_days_ago(&salon, soon(10, 0).1).await;
    let rescheduled_to = soon(15, 0).1;
    salon.stack.post_to_calcom(&format!("/v2/bookings/{uid}/reschedule"), &json!({"start": rescheduled_to})).await;
    salon.stack.invoke("past-cleanup", &json!({})).await;
    let appointment = salon.stack.appointment(&id).await;
    let booking = appointment.booking().unwrap();
    assert_eq!((appointment.state().name(), booking.start), (StateName::Assigned, rescheduled_to));
    assert_ne!(booking.uid, uid);
    assert_eq!(salon.stack.appointments.of_booking(&booking.uid).await.unwrap(), Some(id));
}

#[tokio::test]
async fn what_a_dead_worker_may_have_booked_is_not_cancelled_by_its_start() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let id = salon.store_untold(Utc::now() - TimeDelta::minutes(5)).await;
    salon.change(&id, |appointment| claimed(appointment, TimeDelta::seconds(-1), by_test())).await;
    salon.stack.invoke("past-cleanup", &json!({})).await;
    assert_eq!(name_of(&salon, &id).await, StateName::Booking);
    salon.stack.invoke("sync-reconciler", &json!({})).await;
    let settled = salon.stack.until_settled(&id).await;
    assert!(matches!(settled.state(), State::Cancelled { reason: CancelReason::Past, .. }), "{settled:?}");
    assert_eq!(settled.expired_leases(), 1, "a worker looked for its booking first");
}

#[tokio::test]
async fn what_is_past_and_unbooked_is_cancelled_and_nothing_else() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let booked = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let to_come = salon.store_untold(Utc::now() + TimeDelta::hours(1)).await;
    // More than a page, so that the next one is asked for.
    let mut past = Vec::new();
    for n in 0..120 {
        past.push(salon.store_untold(Utc::now() - TimeDelta::minutes(1 + n)).await);
    }
    let counted = salon.stack.invoke("past-cleanup", &json!({"dry_run": true})).await;
    assert!(counted["cancelled"].as_u64().unwrap() >= 120 && counted["dry_run"] == json!(true), "{counted}");
    assert_ne!(salon.stack.appointment(&past[0]).await.state().name(), StateName::Cancelled);

    let report = salon.stack.invoke("past-cleanup", &json!({})).await;
    assert!(report["cancelled"].as_u64().unwrap() >= 120 && report["resume_after"].is_null(), "{report}");
    for id in &past {
        let state = salon.stack.appointment(id).await.state().clone();
        assert!(matches!(state, State::Cancelled { reason: CancelReason::Past, .. }), "{state:?}");
    }
    assert_ne!(salon.stack.appointment(&to_come).await.state().name(), StateName::Cancelled);
    assert_eq!(salon.stack.appointment(&booked.id).await, booked);
    let found_again = eventually(async || {
        let report = salon.stack.invoke("past-cleanup", &json!({"dry_run": true})).await;
        (report["found"] == json!(0)).then_some(())
    });
    assert!(found_again.await.is_some(), "the index still holds what was cancelled");
}

#[tokio::test]
async fn an_event_that_is_not_ours_is_refused() {
    let (salon, _alone) = (Salon::open().await, SWEEPING.lock().await);
    let answer = salon.stack.invoke("past-cleanup", &json!({"dryrun": true})).await;
    assert!(answer["errorMessage"].as_str().unwrap().contains("unknown field `dryrun`"), "{answer}");
}
