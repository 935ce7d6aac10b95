//! Two at once: one wins, and the other sees why.

use chrono::{TimeDelta, Utc};
use end_to_end::{Call, Salon, SalonForm, claimed, frontdesk, soon, sqs_event};
use scheduling::{
    appointment::{Actor, ReviewReason, State, StateName},
    failure::Category,
    ids::CallId,
};
use serde_json::{Value, json};

/// The same request of the same customer, from another call.
fn called_again(call: &Call) -> Call {
    let id = CallId::new(format!("call_{}", uuid::Uuid::new_v4().simple()));
    let mut body = call.body.clone();
    body["call"]["call_id"] = json!(id);
    Call { id, body }
}

#[tokio::test]
async fn two_calls_for_the_last_free_slot_at_the_same_moment_book_it_once() {
    let event_type = json!({"thinks_for": 700});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    let (spoken, start) = soon(10, 0);
    salon.settle(&salon.haircut_at(&spoken)).await;
    let (one, other) = (salon.haircut_at(&spoken), salon.haircut_at(&spoken));
    let (one, other) = tokio::join!(salon.settle(&one), salon.settle(&other));
    let mut states = [one.state().name(), other.state().name()];
    states.sort_by_key(|state| state.as_str());
    assert_eq!(states, [StateName::Assigned, StateName::NeedsReview]);
    let refused = [&one, &other].into_iter().find(|one| one.state().name() == StateName::NeedsReview).unwrap();
    assert!(matches!(
        refused.state(),
        State::NeedsReview { reason: ReviewReason::Booking(Category::HostConflict), proposals, .. } if proposals.len() == 5
    ));
    let at_start = salon.bookings_of(salon.haircut()).await;
    let hosts: Vec<&Value> = at_start.iter().map(|booking| &booking["hosts"][0]["id"]).collect();
    assert_eq!((at_start.len(), hosts[0] == hosts[1]), (2, false), "a host was booked twice at {start}");
}

#[tokio::test]
async fn the_same_message_twice_at_once_is_worked_off_once() {
    let event_type = json!({"thinks_for": 500});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    let id = salon.store_untold(soon(10, 0).1).await;
    let message = salon.stack.message_of(&id).await;
    let event = sqs_event(&[message.as_str(); 3], 1);
    let (one, other) =
        tokio::join!(salon.stack.invoke("calcom-booking", &event), salon.stack.invoke("calcom-booking", &event));
    assert_eq!((one, other), (json!({"batchItemFailures": []}), json!({"batchItemFailures": []})));
    let appointment = salon.stack.until_settled(&id).await;
    assert_eq!((appointment.state().name(), appointment.attempts()), (StateName::Assigned, 1));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn a_customer_who_calls_again_for_the_same_has_one_appointment_with_both_calls() {
    let salon = Salon::open().await;
    let first = salon.haircut_at(&soon(10, 0).0);
    let appointment = salon.settle(&first).await;
    let second = called_again(&first);
    for _ in 0..2 {
        assert_eq!(salon.deliver(&second).await, appointment.id);
    }
    let linked = salon.stack.appointments.linked_calls(&appointment.id).await.unwrap();
    assert_eq!(linked, std::slice::from_ref(&second.id));
    assert_eq!(salon.stack.calls.events(&salon.tenant, &second.id).await.unwrap().len(), 1, "its call is kept");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn two_calls_of_one_customer_at_the_same_moment_make_one_appointment() {
    let salon = Salon::open().await;
    let first = salon.haircut_at(&soon(10, 0).0);
    let second = called_again(&first);
    let (one, other) = tokio::join!(salon.deliver(&first), salon.deliver(&second));
    assert_eq!(one, other);
    salon.stack.until_settled(&one).await;
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn another_name_on_the_same_number_is_another_person() {
    let salon = Salon::open().await;
    let first = salon.haircut_at(&soon(10, 0).0);
    let mut second = called_again(&first);
    second.body["call"]["call_analysis"]["custom_analysis_data"]["customer_name"] = json!("Max Beispiel");
    let (one, other) = (salon.settle(&first).await, salon.settle(&second).await);
    assert_ne!(one.id, other.id);
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2);
    for (call, appointment) in [(&first, &one), (&second, &other)] {
        assert_eq!(salon.deliver(&called_again(call)).await, appointment.id, "each is known again by name");
    }
}

#[tokio::test]
async fn a_customer_whose_booking_was_cancelled_at_cal_com_is_booked_again_when_they_call_again() {
    let salon = Salon::open().await;
    let first = salon.haircut_at(&soon(10, 0).0);
    let before = salon.settle(&first).await;
    let uid = before.booking().unwrap().uid.clone();
    salon.stack.post_to_calcom(&format!("/v2/bookings/{uid}/cancel"), &json!({})).await;
    assert_eq!(salon.deliver(&called_again(&first)).await, before.id);
    let booked_anew = end_to_end::eventually(async || {
        let now = salon.stack.appointment(&before.id).await;
        let is_new = now.booking().is_some_and(|booking| booking.uid != uid);
        (is_new && now.state().name() == StateName::Assigned).then_some(())
    });
    booked_anew.await.expect("it is booked anew");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn nobody_else_asks_for_a_slot_while_cal_com_may_still_be_booking_it() {
    // Cal.com answers after the time-out, which is 3 s here, and looks whether the host is free long before it books.
    let salon = Salon::open().await;
    let host = json!([{"id": salon.host("anna"), "name": "host", "email": salon.email("anna")}]);
    let slow = json!({"id": 0, "minutes": 30, "time_zone": "Europe/Berlin", "hosts": host, "thinks_for": 5000});
    salon.stack.stand_in(salon.haircut(), "", Some(&slow)).await;
    let spoken = soon(10, 0).0;
    let first = salon.deliver(&salon.haircut_at(&spoken)).await;
    let given_up = salon.stack.until(&first, &[StateName::Requested]);
    given_up.await;
    salon.stack.until(&first, &[StateName::Booking]).await;
    let second = salon.deliver(&salon.haircut_at(&spoken)).await;
    let (first, second) = tokio::join!(salon.stack.until_settled(&first), salon.stack.until_settled(&second));
    assert_eq!((first.state().name(), second.state().name()), (StateName::Assigned, StateName::NeedsReview));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1, "the host is booked twice");
}

#[tokio::test]
async fn a_wish_whose_appointment_was_cancelled_can_be_asked_for_again() {
    let salon = Salon::open().await;
    salon.refuse_booking("already_signed_up_for_this_booking_error").await;
    let first = salon.haircut_at(&soon(10, 0).0);
    let id = salon.settle(&first).await.id;
    assert!(frontdesk(&["appointment", "close", id.as_str(), "--reason", "not-wanted", "--apply"]).0);
    let cancelled = salon.stack.appointment(&id).await;
    assert_eq!(cancelled.state().name(), StateName::Cancelled);
    let second = salon.deliver(&called_again(&first)).await;
    assert_ne!(second, cancelled.id);
    let third = salon.deliver(&called_again(&first)).await;
    salon.stack.until_settled(&second).await;
    assert_ne!(third, cancelled.id);
}

#[tokio::test]
async fn a_cleanup_that_meets_a_booking_leaves_it_alone() {
    let (salon, _alone) = (Salon::open().await, crate::cleanup::SWEEPING.lock().await);
    let id = salon.store_untold(Utc::now() - TimeDelta::minutes(1)).await;
    let by = Actor { function: "test", version: "test", now: Utc::now(), person: None };
    salon.change(&id, |appointment| claimed(appointment, TimeDelta::seconds(60), by)).await;
    let claimed = salon.stack.appointment(&id).await;
    salon.stack.invoke("past-cleanup", &json!({})).await;
    assert_eq!(salon.stack.appointment(&id).await, claimed);
}
