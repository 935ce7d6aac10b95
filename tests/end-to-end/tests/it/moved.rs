//! Bookings that Cal.com confirms, moves or limits later.

use chrono::{TimeDelta, Utc};
use end_to_end::{Salon, SalonForm, eventually, frontdesk, soon};
use scheduling::{
    appointment::{CancelReason, Cause, ReviewReason, State, StateName},
    booking::BookingStatus,
    ids::CallId,
};
use serde_json::json;

/// The same request of the same customer, from another call.
fn called_again(call: &end_to_end::Call) -> end_to_end::Call {
    let id = CallId::new(format!("call_{}", uuid::Uuid::new_v4().simple()));
    let mut body = call.body.clone();
    body["call"]["call_id"] = json!(id);
    end_to_end::Call { id, body }
}

#[tokio::test]
async fn whoever_requests_the_first_time_again_after_a_move_is_heard() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 0).0);
    let booked = salon.settle(&call).await;
    let uid = &booked.booking().unwrap().uid;
    let moved_to = soon(15, 0).1;
    let path = format!("/v2/bookings/{uid}/reschedule");
    salon.post_as(salon.host("anna"), &path, &json!({"start": moved_to})).await;
    salon.deliver(&called_again(&call)).await;
    let appointment = salon.stack.until(&booked.id, &[StateName::NeedsReview]).await;
    let State::NeedsReview { reason, detail, .. } = appointment.state() else { unreachable!() };
    assert_eq!(*reason, ReviewReason::Rescheduled);
    assert!(detail.as_deref().unwrap().contains("moved to"), "{detail:?}");
    assert_eq!(appointment.booking().unwrap().start, moved_to, "the booking that stands is known");
}

#[tokio::test]
async fn a_second_request_outlives_an_outage_and_its_message() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 0).0);
    let booked = salon.settle(&call).await;
    let uid = &booked.booking().unwrap().uid;
    let reason = json!({"cancellationReason": "ill"});
    salon.post_as(salon.host("anna"), &format!("/v2/bookings/{uid}/cancel"), &reason).await;
    salon.order_fault("get", 2, json!({"refused": {"status": 503, "message": "down"}})).await;
    salon.deliver(&called_again(&call)).await;
    let waits = eventually(async || {
        let appointment = salon.stack.appointment(&booked.id).await;
        let failed = |cause: &Cause| matches!(cause, Cause::NotVerified(_));
        appointment.history().iter().any(|it| failed(&it.cause)).then_some(())
    });
    waits.await.expect("Cal.com can't be queried");
    let again = eventually(async || {
        let appointment = salon.stack.appointment(&booked.id).await;
        let is_new = appointment.booking().is_some_and(|booking| booking.uid != *uid);
        (is_new && appointment.state().name() == StateName::Assigned).then_some(())
    });
    again.await.expect("it is booked again");
}

#[tokio::test]
async fn the_reconciler_knows_of_a_second_request_whose_message_was_lost() {
    let salon = Salon::open().await;
    let booked = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let by = scheduling::appointment::Actor {
        function: "test",
        version: "test",
        now: Utc::now() - TimeDelta::minutes(5),
        person: None,
    };
    let requested_again = |mut appointment: scheduling::appointment::Appointment| {
        appointment.request_again(by).unwrap();
        appointment
    };
    salon.change(&booked.id, requested_again).await;
    let verified = eventually(async || {
        salon.stack.invoke("sync-reconciler", &json!({})).await;
        let appointment = salon.stack.appointment(&booked.id).await;
        appointment.history().iter().any(|it| it.cause == Cause::Verified).then_some(())
    });
    verified.await.expect("it is verified");
    assert_eq!(salon.stack.appointment(&booked.id).await.state().name(), StateName::Assigned);
}

#[tokio::test]
async fn a_second_copy_of_a_verification_books_nothing_again() {
    let salon = Salon::open().await;
    let booked = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let uid = &booked.booking().unwrap().uid;
    let reason = json!({"cancellationReason": "ill"});
    salon.post_as(salon.host("anna"), &format!("/v2/bookings/{uid}/cancel"), &reason).await;
    let message = salon.stack.message_of(&booked.id).await.replace("process", "verify");
    salon.stack.invoke("calcom-booking", &end_to_end::sqs_event(&[&message], 1)).await;
    assert_eq!(salon.stack.appointment(&booked.id).await, booked, "nobody requests it again");
}

#[tokio::test]
async fn a_booking_that_waits_for_its_host_is_not_told_as_assigned_until_the_host_confirms() {
    let event_type = json!({"must_be_confirmed": true});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    for (hour, action, body) in [(10, "confirm", json!({})), (11, "decline", json!({"reason": "ill"}))] {
        let id = salon.deliver(&salon.haircut_at(&soon(hour, 0).0)).await;
        let waits = eventually(async || {
            let appointment = salon.stack.appointment(&id).await;
            appointment.history().iter().any(|it| it.cause == Cause::AwaitingHost).then_some(appointment)
        });
        let waiting = waits.await.expect("it waits for its host");
        let booking = waiting.booking().unwrap();
        assert_eq!((waiting.state().name(), booking.status), (StateName::Booked, BookingStatus::Pending));
        let (_, shown) = frontdesk(&["appointment", "show", "--output", "json", id.as_str()]);
        assert!(shown.contains("\"calcom_status\": \"pending\""), "{shown}");
        let at_calcom = salon.bookings_of(salon.haircut()).await;
        let host = at_calcom.iter().find(|it| it["uid"] == json!(booking.uid)).unwrap()["hosts"][0]["id"].as_u64();
        salon.post_as(host.unwrap(), &format!("/v2/bookings/{}/{action}", booking.uid), &body).await;
        let settled = salon.stack.until_settled(&id).await;
        match action {
            "confirm" => assert_eq!(settled.state().name(), StateName::Assigned),
            _ => assert!(
                matches!(settled.state(), State::Cancelled { reason: CancelReason::CancelledAtCalcom, .. }),
                "{settled:?}"
            ),
        }
    }
}

#[tokio::test]
async fn an_import_never_takes_a_booking_that_an_appointment_has() {
    let salon = Salon::open().await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let path = std::env::temp_dir().join(format!("{}.csv", salon.tenant));
    let uid = &appointment.booking().unwrap().uid;
    std::fs::write(&path, format!("id,start,service,calcom_uid\n7,{},Haarschnitt,{uid}\n", soon(10, 0).0)).unwrap();
    let found = eventually(async || {
        let (_, printed) = frontdesk(&["import", salon.tenant.as_str(), path.to_str().unwrap(), "--apply"]);
        let says = format!("the appointment {} has this booking already", appointment.id);
        printed.contains(&says).then_some(printed)
    });
    let printed = found.await.expect("the booking has an appointment");
    std::fs::remove_file(path).unwrap();
    assert!(printed.contains("0 written, 0 existing, 1 duplicates"), "{printed}");
}
