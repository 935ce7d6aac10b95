//! Cal.com refuses, is slow, or books without saying so.

use chrono::{TimeDelta, Utc};
use end_to_end::{Salon, claimed, soon, variable};
use scheduling::{
    appointment::{Actor, Appointment, CancelReason, Cause, ReviewReason, State, StateName},
    booking::UnconfirmedBooking,
    failure::Category,
};
use serde_json::json;
use store::StoredExchange;

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
    let causes: Vec<String> = appointment.history().iter().map(|it| it.cause.to_string()).collect();
    assert_eq!(
        causes,
        ["requested", "claimed", "failed:calcom_unavailable", "claimed", "recovered", "assigned:host_email"]
    );
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
    let at = |cause: Cause| appointment.history().iter().find(|it| it.cause == cause).unwrap().at;
    let again = appointment.history().iter().rfind(|it| it.cause == Cause::Claimed).unwrap().at;
    assert!(
        (again - at(Cause::Failed(Category::RateLimited))).num_milliseconds() >= 1900,
        "{:#?}",
        appointment.history()
    );
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
    let message = "Attendee with this email can't book reason the maximum number of active bookings has been reached.";
    salon.refuse_booking(message).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(review_of(&appointment), Some((Category::BookerLimit, 0)));
    let exchanges = salon.stack.appointments.exchanges(&appointment.id).await.unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&exchanges[0].exchange.body).unwrap();
    assert_eq!((exchanges[0].exchange.status, &kept["error"]["message"]), (Some(400), &json!(message)));
}

#[tokio::test]
async fn a_contact_that_calcom_refuses_is_repaired_once() {
    let salon = Salon::open().await;
    let message = "responses - {attendeePhoneNumber}invalid_number, ";
    salon.refuse_booking(message).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    let sent = salon.stack.appointments.exchanges(&appointment.id).await.unwrap();
    assert!(!sent.last().unwrap().exchange.request.contains("phoneNumber"), "the number is omitted");
    assert!(appointment.request.customer.phone.is_some(), "people can still call");
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
    assert_eq!(detail.as_deref(), Some("the tenant has no service of the requested name"));
}

#[tokio::test]
async fn an_appointment_whose_start_passes_while_it_waits_is_cancelled_without_asking_calcom() {
    let salon = Salon::open().await;
    let (called, start) = (Utc::now() - TimeDelta::minutes(30), Utc::now() - TimeDelta::minutes(10));
    let id = salon.store_untold_at(called, start).await;
    salon.stack.invoke("sync-reconciler", &json!({})).await;
    let appointment = salon.stack.until_settled(&id).await;
    assert!(matches!(appointment.state(), State::Cancelled { reason: CancelReason::Past, .. }));
    assert_eq!(salon.stack.stand_in(salon.haircut(), "/requests", None).await, json!({}));
}

#[tokio::test]
async fn a_blocked_email_is_left_out_the_number_stays_and_nobody_else_waits() {
    let salon = Salon::open().await;
    let email = format!("blocked@{}.example", salon.tenant);
    salon.stack.put_to_calcom("/_stand-in", &json!({"blocked_emails": [email]})).await;
    let blocked = salon.call(json!({
        "service": "Haarschnitt", "appointment_start": soon(10, 0).0, "customer_email": email}));
    let (blocked, next) = (salon.settle(&blocked).await, salon.settle(&salon.haircut_at(&soon(11, 0).0)).await);
    assert_eq!((blocked.state().name(), next.state().name()), (StateName::Assigned, StateName::Assigned));
    let is_pause = |cause: &Cause| matches!(cause, Cause::AccountPaused | Cause::Failed(Category::Credentials));
    assert!([&blocked, &next].iter().all(|it| !it.history().iter().any(|transition| is_pause(&transition.cause))));
    let attendee = salon.bookings_of(salon.haircut()).await.into_iter().map(|it| it["attendees"][0].clone());
    let attendee = attendee.into_iter().find(|it| it["email"].as_str().unwrap().starts_with("customer+")).unwrap();
    assert!(attendee["phoneNumber"].is_string(), "{attendee}");
}

#[tokio::test]
async fn a_booking_that_is_made_after_its_time_out_is_found_and_not_made_twice() {
    let salon = Salon::open().await;
    // Past the time-out for a booking, which is 3 s here, and before nobody would expect it any more.
    salon.order_fault("book", 1, json!({"slow": {"milliseconds": 5000}})).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    assert!(appointment.history().iter().any(|it| it.cause == Cause::Recovered), "{:#?}", appointment.history());
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn of_two_bookings_for_one_appointment_the_later_is_cancelled_and_that_is_written_down() {
    let salon = Salon::open().await;
    let start = soon(10, 0).1;
    let id = salon.store_untold(start).await;
    let first = salon.book_at_calcom(&id, start).await;
    salon.book_at_calcom(&id, start).await;
    let by = Actor { function: "test", version: "test", now: Utc::now(), person: None };
    salon.change(&id, |appointment| claimed(appointment, TimeDelta::seconds(-1), by)).await;
    salon.stack.invoke("sync-reconciler", &json!({})).await;
    let appointment = salon.stack.until_settled(&id).await;
    assert_eq!(appointment.booking().unwrap().uid, first);
    assert!(appointment.history().iter().any(|it| it.cause == Cause::DuplicateCancelled));
    let standing = salon.bookings_of(salon.haircut()).await;
    assert_eq!((standing.len(), &standing[0]["uid"]), (1, &json!(first)));
}

#[tokio::test]
async fn a_booking_that_was_cancelled_before_we_heard_of_it_is_not_made_again() {
    let salon = Salon::open().await;
    let start = soon(10, 0).1;
    let id = salon.store_untold(start).await;
    let uid = salon.book_at_calcom(&id, start).await;
    salon.stack.post_to_calcom(&format!("/v2/bookings/{uid}/cancel"), &json!({})).await;
    let by = Actor { function: "test", version: "test", now: Utc::now(), person: None };
    salon.change(&id, |appointment| claimed(appointment, TimeDelta::seconds(-1), by)).await;
    salon.stack.invoke("sync-reconciler", &json!({})).await;
    let appointment = salon.stack.until_settled(&id).await;
    assert!(
        matches!(appointment.state(), State::Cancelled { reason: CancelReason::CancelledAtCalcom, .. }),
        "{appointment:?}"
    );
    assert!(salon.bookings_of(salon.haircut()).await.is_empty());
}

#[tokio::test]
async fn a_yes_that_cannot_be_read_is_looked_up_and_never_sent_again() {
    let salon = Salon::open().await;
    salon.order_fault("book", 1, json!({"body": {"status": 201, "text": "yes"}})).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(review_of(&appointment), Some((Category::Unknown, 0)));
    assert_eq!(appointment.unconfirmed_booking(), Some(UnconfirmedBooking::UnreadableResponse));
    let requests = salon.stack.stand_in(salon.haircut(), "/requests", None).await;
    assert_eq!(requests["book"], json!(1));
}

#[tokio::test]
async fn an_error_of_three_megabytes_is_read_back_byte_for_byte() {
    let salon = Salon::open().await;
    // Letters in no order, so that they hardly compress.
    let mut mixed = 7_u64;
    let mut letter = || {
        mixed = mixed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'#' + ((mixed >> 33) % 90) as u8)
    };
    let text: String = (0..3 * 1024 * 1024).map(|_| letter()).collect();
    salon.order_fault("book", 4, json!({"body": {"status": 400, "text": text}})).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(review_of(&appointment), Some((Category::Unknown, 0)));
    let exchanges = salon.stack.appointments.exchanges(&appointment.id).await.unwrap();
    assert_eq!(exchanges.len(), 4);
    for StoredExchange { exchange, .. } in exchanges {
        assert!(exchange.body == text.as_bytes(), "{} of {} bytes", exchange.body.len(), text.len());
        assert!(exchange.request.starts_with("POST /v2/bookings {"), "{}", exchange.request);
    }
}

#[tokio::test]
async fn an_event_type_that_is_taken_meanwhile_gives_way_to_the_next_free_one() {
    let salon = Salon::open().await;
    let taken = "User either already has booking at this time or is not available";
    let fault = json!({"request": "book", "times": 1, "kind": {"refused": {"status": 400, "message": taken}}});
    salon.stack.stand_in(salon.color_of("anna"), "/faults", Some(&fault)).await;
    let call = salon.call(json!({"service": "Farbe", "appointment_start": soon(9, 0).0}));
    let appointment = salon.settle(&call).await;
    assert_eq!(appointment.booking().unwrap().event_type.0, salon.color_of("ben"));
}

#[tokio::test]
async fn a_slot_that_is_taken_at_the_last_moment_comes_with_proposals_too() {
    let salon = Salon::open().await;
    let taken = "One of the hosts either already has booking at this time or is not available";
    salon.refuse_booking(taken).await;
    let (spoken, start) = soon(10, 0);
    let appointment = salon.settle(&salon.haircut_at(&spoken)).await;
    assert_eq!(review_of(&appointment), Some((Category::HostConflict, 5)));
    let State::NeedsReview { proposals, .. } = appointment.state() else { unreachable!() };
    assert!(!proposals.contains(&start));
}

#[tokio::test]
async fn a_refused_key_pauses_its_tenant_with_one_alarm_and_others_go_on() {
    let paused = Salon::open().await;
    paused
        .order_fault(
            "slots",
            1,
            json!({"refused": {"status": 401, "message": "CustomThrottlerGuard - Invalid API Key"}}),
        )
        .await;
    let mut waiting = Vec::new();
    for minute in [0, 30] {
        let id = paused.deliver(&paused.haircut_at(&soon(10, minute).0)).await;
        if minute == 0 {
            let is_paused =
                |line: &scheduling::appointment::Transition| line.cause == Cause::Failed(Category::Credentials);
            let refused = end_to_end::eventually(async || {
                paused.stack.appointment(&id).await.history().iter().any(is_paused).then_some(())
            });
            refused.await.expect("Cal.com refuses the key");
        }
        waiting.push(id);
    }
    let other = Salon::open().await;
    let began = Utc::now();
    other.settle(&other.haircut_at(&soon(10, 0).0)).await;
    assert!((Utc::now() - began).num_seconds() < 15, "a tenant in trouble slowed another");
    let requests = paused.stack.stand_in(paused.haircut(), "/requests", None).await;
    assert_eq!(requests, json!({"slots": 1}), "nothing is asked while the tenant is paused");
    // The pause lasts 30 s here; the reconciler sends what was told to come back.
    for id in &waiting {
        let assigned = end_to_end::eventually(async || {
            paused.stack.invoke("sync-reconciler", &json!({})).await;
            (paused.stack.appointment(id).await.state().name() == StateName::Assigned).then_some(())
        });
        assigned.await.expect("it goes on by itself once the key works");
    }
    let alarms = paused.stack.log_lines("calcom-booking").await;
    let alarm = |line: &&String| line.contains("\"AccountPaused\":1") && line.contains(paused.tenant.as_str());
    assert_eq!(alarms.iter().filter(alarm).count(), 1);
    assert_eq!(variable("TIMING_DIVISOR"), "10");
}
