//! Bookings that the voice agent's own tools made while the caller was on the line.

use chrono::{DateTime, TimeDelta, Utc};
use end_to_end::{Call, Salon, soon};
use scheduling::{
    appointment::{Appointment, CancelReason, Cause, ReviewReason, State, StateName},
    failure::Category,
    ids::{AppointmentId, BookingUid},
};
use serde_json::json;

/// Lets the call begin at this time, and the agent's Cal.com tool answer with this booking in it.
fn with_tool(mut call: Call, began: DateTime<Utc>, uid: &str, start: DateTime<Utc>) -> Call {
    let result = json!({"status": "success", "data": {"uid": uid, "start": start, "status": "accepted"}}).to_string();
    call.body["call"]["start_timestamp"] = json!(began.timestamp_millis());
    call.body["call"]["transcript_with_tool_calls"] = json!([
        {"role": "user", "content": "Ja, bitte.", "words": []},
        {"role": "tool_call_invocation", "tool_call_id": "t1", "name": "Termin buchen", "type": "integration_app",
         "arguments": "{}"},
        {"role": "tool_call_result", "tool_call_id": "t1", "content": result, "successful": true},
    ]);
    call
}

/// Books as the tool does, with nothing of ours in the metadata.
async fn booked_by_tool(salon: &Salon, start: DateTime<Utc>) -> BookingUid {
    salon.book_event_type(salon.haircut(), start, json!({})).await
}

fn is_adopted(appointment: &Appointment, uid: &BookingUid) -> bool {
    appointment.booking().is_some_and(|booking| booking.uid == *uid)
        && appointment.history().iter().any(|it| it.cause == Cause::Adopted)
}

#[tokio::test]
async fn what_a_tool_booked_in_the_call_is_adopted_and_not_booked_a_second_time() {
    let salon = Salon::open().await;
    let (said, start) = soon(9, 0);
    let uid = booked_by_tool(&salon, start).await;
    let appointment = salon.settle(&with_tool(salon.haircut_at(&said), Utc::now(), uid.as_str(), start)).await;
    assert!(is_adopted(&appointment, &uid), "{appointment:#?}");
    assert_eq!(appointment.state().name(), StateName::Assigned);
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn what_was_booked_counts_more_than_what_the_analysis_says() {
    let (_, start) = soon(9, 30);
    for fields in [
        json!({"service": "Haarschnitt", "appointment_start": "wie besprochen"}),
        json!({"appointment_requested": false}),
    ] {
        let salon = Salon::open().await;
        let uid = booked_by_tool(&salon, start).await;
        let appointment = salon.settle(&with_tool(salon.call(fields), Utc::now(), uid.as_str(), start)).await;
        assert!(is_adopted(&appointment, &uid), "{appointment:#?}");
        assert_eq!(appointment.request.start.at(), Some(start));
        assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
    }
}

#[tokio::test]
async fn an_older_booking_that_a_tool_only_showed_is_left_alone() {
    let salon = Salon::open().await;
    let (said, start) = soon(10, 0);
    let uid = booked_by_tool(&salon, start).await;
    let (call, later) = (salon.haircut_at(&said), start + TimeDelta::hours(2));
    let mut call = with_tool(call, Utc::now() + TimeDelta::minutes(10), uid.as_str(), start);
    let wish = later.with_timezone(&chrono_tz::Europe::Berlin).format("%Y-%m-%d %H:%M").to_string();
    call.body["call"]["call_analysis"]["custom_analysis_data"]["appointment_start"] = json!(wish);
    let appointment = salon.settle(&call).await;
    assert!(!is_adopted(&appointment, &uid), "{appointment:#?}");
    assert_eq!(appointment.booking().unwrap().start, later);
    assert!(appointment.history().iter().any(|it| it.cause == Cause::NotBookedInCall));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2);
}

#[tokio::test]
async fn what_a_tool_booked_and_cancelled_in_the_call_is_not_booked_again() {
    let salon = Salon::open().await;
    let (said, start) = soon(11, 0);
    let uid = booked_by_tool(&salon, start).await;
    let cancel = format!("/v2/bookings/{uid}/cancel");
    salon.post_with_key(&cancel, &json!({"cancellationReason": "the caller changed their mind"})).await;
    let appointment = salon.settle(&with_tool(salon.haircut_at(&said), Utc::now(), uid.as_str(), start)).await;
    let cancelled = matches!(appointment.state(), State::Cancelled { reason: CancelReason::CancelledAtCalcom, .. });
    assert!(cancelled, "{appointment:#?}");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 0);
}

#[tokio::test]
async fn a_booking_that_the_key_can_t_see_is_looked_for_by_a_person_and_not_made_again() {
    let salon = Salon::open().await;
    let (said, start) = soon(12, 0);
    let call = with_tool(salon.haircut_at(&said), Utc::now(), "unknownUnknownUnknown1", start);
    let appointment = salon.settle(&call).await;
    let reason = appointment.review_reason();
    assert_eq!(reason, Some(ReviewReason::Booking(Category::NotVisible)), "{appointment:#?}");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 0);
}

#[tokio::test]
async fn while_cal_com_fails_nothing_is_booked_until_the_tools_booking_is_found() {
    let salon = Salon::open().await;
    let (said, start) = soon(13, 0);
    let uid = booked_by_tool(&salon, start).await;
    salon.order_fault("get", 2, json!("error")).await;
    let appointment = salon.settle(&with_tool(salon.haircut_at(&said), Utc::now(), uid.as_str(), start)).await;
    assert!(appointment.attempts() > 1, "{appointment:#?}");
    assert!(is_adopted(&appointment, &uid), "{appointment:#?}");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn a_booking_that_the_late_analysis_comes_with_is_adopted_by_the_review_that_waited_for_it() {
    let salon = Salon::open().await;
    let (said, start) = soon(14, 0);
    let uid = booked_by_tool(&salon, start).await;
    let analyzed = with_tool(salon.haircut_at(&said), Utc::now(), uid.as_str(), start);
    let mut ended = analyzed.body["call"].clone();
    ended["call_status"] = json!("ended");
    ended["start_timestamp"] = json!((Utc::now() - TimeDelta::minutes(65)).timestamp_millis());
    ended["end_timestamp"] = json!((Utc::now() - TimeDelta::minutes(60)).timestamp_millis());
    for field in ["call_analysis", "transcript_with_tool_calls"] {
        ended.as_object_mut().unwrap().remove(field);
    }
    salon.stack.put_to_retell(&json!({"calls": [ended]})).await;
    salon.stack.invoke("call-recovery", &json!({"since": Utc::now() - TimeDelta::hours(2)})).await;
    let id = AppointmentId::of_call(&salon.tenant, &analyzed.id);
    assert_eq!(salon.stack.appointment(&id).await.state().name(), StateName::NeedsReview);
    salon.deliver(&analyzed).await;
    let appointment = salon.stack.until(&id, &[StateName::Assigned]).await;
    assert!(is_adopted(&appointment, &uid), "{appointment:#?}");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn of_two_appointments_of_a_call_the_tools_booking_is_the_one_that_fits() {
    let salon = Salon::open().await;
    let ((ten, start), (eleven, later)) = (soon(15, 0), soon(16, 0));
    let uid = booked_by_tool(&salon, start).await;
    let call = salon.call(json!({"appointments": [
        {"service": "Haarschnitt", "appointment_start": eleven, "customer_name": "Max"},
        {"service": "Haarschnitt", "appointment_start": ten, "customer_name": "Erika"}]}));
    let call = with_tool(call, Utc::now(), uid.as_str(), start);
    let answer = salon.stack.deliver(&call.body).await;
    let ids: Vec<AppointmentId> = serde_json::from_value(answer.body["appointment_ids"].clone()).unwrap();
    let (first, second) = (salon.stack.until_settled(&ids[0]).await, salon.stack.until_settled(&ids[1]).await);
    assert_eq!(first.booking().map(|booking| booking.start), Some(later), "{first:#?}");
    assert!(!is_adopted(&first, &uid) && is_adopted(&second, &uid), "{second:#?}");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2);
}
