//! Others who book at the same moment, and what Cal.com's refusals mean.

use std::collections::BTreeSet;

use chrono::Utc;
use end_to_end::{Salon, SalonForm, eventually, soon};
use futures_util::future::join_all;
use scheduling::{
    appointment::{Appointment, Cause, ReviewReason, State, StateName},
    failure::Category,
    ids::AppointmentId,
};
use serde_json::{Value, json};

fn review_of(appointment: &Appointment) -> (Category, Vec<chrono::DateTime<Utc>>, String) {
    match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Booking(category), proposals, detail, .. } => {
            (*category, proposals.clone(), detail.clone().unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

/// Waits until Cal.com has answered with an error.
async fn until_unavailable(salon: &Salon, id: &AppointmentId) {
    let failed = Cause::Failed(Category::CalcomUnavailable);
    let has_failed = eventually(async || {
        let appointment = salon.stack.appointment(id).await;
        appointment.history().iter().any(|it| it.cause == failed).then_some(())
    });
    has_failed.await.expect("Cal.com answers with an error");
}

/// Cal.com's answer to all but the first of several requests at the same moment.
fn overtaken() -> Value {
    json!({"body": {"status": 409, "text": "{\"statusCode\":409,\"message\":\"booking_conflict_error\"}"}})
}

#[tokio::test]
async fn whoever_was_overtaken_is_booked_at_once_while_any_host_is_free() {
    let salon = Salon::open().await;
    salon.order_fault("book", 2, overtaken()).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!((appointment.state().name(), appointment.attempts()), (StateName::Assigned, 1));
    assert_eq!(salon.requests().await, json!({"slots": 3, "book": 3}));
}

#[tokio::test]
async fn whoever_was_overtaken_for_the_last_host_has_a_conflict() {
    let salon = Salon::open().await;
    let (spoken, start) = soon(10, 0);
    salon.settle(&salon.haircut_at(&spoken)).await;
    salon.order_fault("book", 1, overtaken()).await;
    let second = salon.settle(&salon.haircut_at(&spoken)).await;
    assert_eq!(second.state().name(), StateName::Assigned, "one host was free");
    salon.order_fault("book", 1, overtaken()).await;
    let third = salon.settle(&salon.haircut_at(&spoken)).await;
    let (category, proposals, _) = review_of(&third);
    assert_eq!((category, proposals.len(), proposals.contains(&start)), (Category::HostConflict, 5, false));
}

#[tokio::test]
async fn twelve_callers_for_two_hosts_know_within_seconds_and_are_not_all_offered_the_same() {
    let event_type = json!({"thinks_for": 400});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    salon.settle(&salon.haircut_at(&soon(9, 0).0)).await;
    let spoken = soon(11, 0).0;
    let began = Utc::now();
    let calls: Vec<_> = (0..12).map(|_| salon.haircut_at(&spoken)).collect();
    let settled = join_all(calls.iter().map(|call| salon.settle(call))).await;
    let took = (Utc::now() - began).num_seconds();
    assert!(took <= 20, "the last knew after {took} s");
    let (assigned, refused): (Vec<_>, Vec<_>) =
        settled.iter().partition(|appointment| appointment.state().name() == StateName::Assigned);
    assert_eq!((assigned.len(), refused.len()), (2, 10));
    let hosts: BTreeSet<_> =
        salon.bookings_of(salon.haircut()).await.iter().map(|it| it["hosts"][0]["id"].as_u64()).collect();
    assert_eq!(hosts.len(), 2, "each host has one of them");
    let offered: BTreeSet<_> = refused.iter().map(|appointment| review_of(appointment).1).collect();
    assert!(offered.len() > 1, "{offered:?}");
}

#[tokio::test]
async fn services_of_different_lengths_never_book_a_host_twice() {
    let salon = Salon::with(SalonForm { event_type: json!({"thinks_for": 600}), ..SalonForm::default() }).await;
    let long = json!({"id": 0, "minutes": 90, "time_zone": "Europe/Berlin", "thinks_for": 600,
        "hosts": [{"id": salon.host("anna"), "name": "host", "email": salon.email("anna")}]});
    salon.stack.stand_in(salon.color_of("anna"), "", Some(&long)).await;
    salon.change_haircut(json!({"thinks_for": 600})).await;
    let color = salon.call(json!({"service": "Farbe", "staff_member": "Anna", "appointment_start": soon(9, 0).0}));
    let cuts: Vec<_> = [(9, 30), (10, 0), (9, 30)].map(|(hour, minute)| salon.haircut_at(&soon(hour, minute).0)).into();
    let all: Vec<_> = std::iter::once(&color).chain(&cuts).collect();
    join_all(all.into_iter().map(|call| salon.settle(call))).await;
    let mut times: Vec<(u64, String, String)> = Vec::new();
    for event_type in [salon.haircut(), salon.color_of("anna")] {
        for booking in salon.bookings_of(event_type).await {
            let text = |field: &str| booking[field].as_str().unwrap().to_owned();
            times.push((booking["hosts"][0]["id"].as_u64().unwrap(), text("start"), text("end")));
        }
    }
    times.sort();
    assert!(times.len() >= 3, "{times:?}");
    let overlap = times.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[1].1 < pair[0].2);
    assert_eq!(overlap, None, "{times:?}");
}

#[tokio::test]
async fn closed_hours_are_called_closed() {
    let salon = Salon::open().await;
    let (category, proposals, detail) = review_of(&salon.settle(&salon.haircut_at(&soon(6, 0).0)).await);
    assert_eq!((category, proposals.len()), (Category::HostConflict, 5));
    assert!(detail.starts_with("closed: appointments start between 09:00 and"), "{detail}");
}

#[tokio::test]
async fn an_error_of_calcom_is_looked_into_within_seconds() {
    let salon = Salon::open().await;
    salon.order_fault("book", 1, json!("error_after")).await;
    let began = Utc::now();
    let booked = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert!(booked.history().iter().any(|it| it.cause == Cause::Recovered), "{:#?}", booked.history());
    salon.order_fault("book", 1, json!("error")).await;
    let again = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(again.state().name(), StateName::Assigned);
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2);
    let took = (Utc::now() - began).num_seconds();
    assert!(took < 15, "it took {took} s");
}

#[tokio::test]
async fn an_error_that_hides_a_conflict_is_found_to_be_one() {
    let salon = Salon::open().await;
    let (spoken, start) = soon(10, 0);
    salon.settle(&salon.haircut_at(&spoken)).await;
    salon.order_fault("book", 1, json!("error")).await;
    let id = salon.deliver(&salon.haircut_at(&spoken)).await;
    until_unavailable(&salon, &id).await;
    salon.book_event_type(salon.haircut(), start, json!({})).await;
    let appointment = salon.stack.until_settled(&id).await;
    assert_eq!(review_of(&appointment).0, Category::HostConflict);
}

#[tokio::test]
async fn an_error_that_one_customer_alone_gets_goes_to_a_person_early() {
    let salon = Salon::open().await;
    let email = format!("watched@{}.example", salon.tenant);
    salon.stack.put_to_calcom("/_stand-in", &json!({"watched_emails": [email]})).await;
    let call = salon.call(json!({
        "service": "Haarschnitt", "appointment_start": soon(10, 0).0, "customer_email": email}));
    let id = salon.deliver(&call).await;
    until_unavailable(&salon, &id).await;
    assert_eq!(salon.settle(&salon.haircut_at(&soon(11, 0).0)).await.state().name(), StateName::Assigned);
    let appointment = salon.stack.until_settled(&id).await;
    let (category, _, detail) = review_of(&appointment);
    assert!(category == Category::CalcomUnavailable && detail.contains("watch list"), "{category:?} {detail}");
    assert!(appointment.attempts() <= 4, "{:#?}", appointment.history());
}

#[tokio::test]
async fn a_booking_that_reads_do_not_show_yet_is_not_made_twice() {
    let salon = Salon::with(SalonForm { event_type: json!({"lag": 1200}), ..SalonForm::default() }).await;
    for (fault, hour) in [("answer_lost", 10), ("error_after", 11)] {
        salon.order_fault("book", 1, json!(fault)).await;
        let appointment = salon.settle(&salon.haircut_at(&soon(hour, 0).0)).await;
        assert_eq!(appointment.state().name(), StateName::Assigned, "{fault}");
    }
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2);
}
