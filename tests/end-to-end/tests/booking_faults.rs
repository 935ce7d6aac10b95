//! Cal.com refuses, is slow, or books without saying so.

use end_to_end::{Salon, soon};
use scheduling::{
    appointment::{Appointment, CancelReason, ReviewReason, State, StateName},
    failure::Category,
};
use serde_json::json;

fn review_of(appointment: &Appointment) -> Option<(Category, usize)> {
    match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Booking(category), proposals, .. } => {
            Some((*category, proposals.len()))
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_again_and_not_booked_twice() {
    let salon = Salon::open().await;
    salon.order_fault("book", 1, json!("answer_lost")).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    let told: Vec<&str> = appointment.history().iter().map(|line| line.why.as_str()).collect();
    assert_eq!(told, ["call_analyzed", "claimed", "calcom_unavailable", "claimed", "found_again", "host_email"]);
    let at_calcom = salon.bookings_of(salon.haircut()).await;
    assert_eq!((at_calcom.len(), &at_calcom[0]["uid"]), (1, &json!(appointment.booking().unwrap().uid)));
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_for_as_long_as_calcom_asks() {
    let salon = Salon::open().await;
    let limit = json!({"refused": {"status": 429, "message": "Too many requests", "headers": {"retry-after": "2"}}});
    salon.order_fault("slots", 1, limit).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    let at = |why: &str| appointment.history().iter().find(|line| line.why == why).unwrap().at;
    let again = appointment.history().iter().rfind(|line| line.why == "claimed").unwrap().at;
    assert!((again - at("rate_limited")).num_milliseconds() >= 1900, "{:#?}", appointment.history());
}

#[tokio::test]
async fn a_slot_that_is_taken_needs_review_with_free_slots_near_it() {
    let salon = Salon::open().await;
    let (spoken, start) = soon(10, 0);
    for _ in 0..2 {
        salon.settle(&salon.haircut_at(&spoken)).await;
    }
    let third = salon.settle(&salon.haircut_at(&spoken)).await;
    assert_eq!(review_of(&third), Some((Category::HostConflict, 5)));
    let State::NeedsReview { proposals, .. } = third.state() else { unreachable!() };
    assert_eq!((proposals[0] - start).num_minutes().abs(), 30);
}

#[tokio::test]
async fn a_refusal_in_calcoms_words_is_sorted_by_them_and_kept_whole() {
    let salon = Salon::open().await;
    let message = "Attendee with this email can't book because the maximum number of active bookings has been reached.";
    salon.order_fault("book", 1, json!({"refused": {"status": 400, "message": message}})).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(review_of(&appointment), Some((Category::BookerLimit, 0)));
    let answers = salon.stack.appointments.answers(&appointment.id).await.unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&answers[0].body).unwrap();
    assert_eq!((answers[0].status, &kept["error"]["message"]), (Some(400), &json!(message)));
}

#[tokio::test]
async fn a_contact_that_calcom_refuses_is_repaired_once() {
    let salon = Salon::open().await;
    let message = "attendee.phoneNumber must be a valid phone number";
    salon.order_fault("book", 1, json!({"refused": {"status": 400, "message": message}})).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    assert!(appointment.contact_repaired());
    let attendee = &salon.bookings_of(salon.haircut()).await[0]["attendees"][0];
    assert!(attendee["phoneNumber"].is_null() && attendee["email"].is_string(), "{attendee}");
}

#[tokio::test]
async fn a_service_that_the_tenant_does_not_have_names_what_is_missing() {
    let salon = Salon::open().await;
    let call = salon.call(json!({"service": "Massage", "appointment_start": soon(10, 0).0}));
    let appointment = salon.settle(&call).await;
    assert_eq!(review_of(&appointment), Some((Category::NoEventType, 0)));
    let State::NeedsReview { detail, .. } = appointment.state() else { unreachable!() };
    assert_eq!(detail.as_deref(), Some("the tenant has no service by the name that was said"));
}

#[tokio::test]
async fn an_appointment_in_the_past_is_cancelled_without_asking_calcom() {
    let salon = Salon::open().await;
    let appointment = salon.settle(&salon.haircut_at("2025-10-26 02:30")).await;
    assert!(matches!(appointment.state(), State::Cancelled { reason: CancelReason::Past }));
    assert_eq!(salon.stack.stand_in(salon.haircut(), "/requests", None).await, json!({}));
}
