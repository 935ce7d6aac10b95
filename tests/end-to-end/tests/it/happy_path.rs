//! From a signed call to an assigned appointment.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::Utc;
use end_to_end::{MARK, Salon, SalonForm, clock_change, soon, variable};
use scheduling::{
    appointment::{Cause, ReviewReason, State, StateName},
    assignment::StrategyName,
    booking::HostEvidence,
    ids::AppointmentId,
    start_time::StartProblem,
};
use serde_json::{Value, json};

fn staff_of(state: &State) -> (&str, StrategyName) {
    match state {
        State::Assigned { assignment, .. } => (assignment.staff.as_str(), assignment.strategy),
        other => panic!("not assigned: {other:?}"),
    }
}

#[tokio::test]
async fn a_call_becomes_a_booked_appointment_with_its_staff_member() {
    let salon = Salon::open().await;
    let (spoken, start) = soon(10, 0);
    let appointment = salon.settle(&salon.haircut_at(&spoken)).await;
    assert_eq!(staff_of(appointment.state()), ("anna", StrategyName::HostEmail));
    let booking = appointment.booking().unwrap();
    assert_eq!(booking.start, start);
    assert!(matches!(&booking.hosts, HostEvidence::Named(hosts) if hosts.first().id.0 == salon.host("anna")));
    let states: Vec<StateName> = appointment.history().iter().map(|line| line.to).collect();
    assert_eq!(states, [StateName::Requested, StateName::Booking, StateName::Booked, StateName::Assigned]);

    let at_calcom = salon.bookings_of(salon.haircut()).await;
    assert_eq!(at_calcom.len(), 1);
    assert_eq!(at_calcom[0]["uid"], json!(booking.uid));
    assert_eq!(at_calcom[0]["metadata"]["frontdeskAppointmentId"], json!(appointment.id));
    assert_eq!(at_calcom[0]["metadata"]["frontdeskCallId"], json!(appointment.call));

    let exchanges = salon.stack.appointments.exchanges(&appointment.id).await.unwrap();
    let kept: Value = serde_json::from_slice(&exchanges[0].exchange.body).unwrap();
    assert_eq!(
        (exchanges.len(), exchanges[0].exchange.status, &kept["data"]["uid"]),
        (1, Some(201), &at_calcom[0]["uid"])
    );
    assert_eq!(salon.stack.appointments.of_booking(&booking.uid).await.unwrap(), Some(appointment.id));
}

#[tokio::test]
async fn the_same_call_delivered_again_makes_one_appointment() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(11, 0).0);
    let first = salon.settle(&call).await;
    let again = salon.deliver(&call).await;
    assert_eq!(again, first.id);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(salon.stack.appointment(&again).await, first);
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn the_same_call_delivered_five_times_at_the_same_moment_makes_one_appointment() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(12, 0).0);
    let (a, b, c, d, e) = tokio::join!(
        salon.deliver(&call),
        salon.deliver(&call),
        salon.deliver(&call),
        salon.deliver(&call),
        salon.deliver(&call)
    );
    assert!([b, c, d, e].iter().all(|id| *id == a));
    let appointment = salon.stack.until_settled(&a).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
    assert_eq!(salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_without_a_wish_is_stored_and_acknowledged() {
    let salon = Salon::open().await;
    let call = salon.call(json!({"notes": "asked for the opening hours"}));
    let answer = salon.stack.deliver(&call.body).await;
    assert_eq!((answer.status, answer.body), (200, json!({"status": "stored"})));
    let stored = salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap();
    assert_eq!(stored[0].1, call.body.to_string().into_bytes());
}

#[tokio::test]
async fn unknown_events_and_unknown_fields_are_fine() {
    let salon = Salon::open().await;
    let mut call = salon.haircut_at(&soon(9, 0).0);
    call.body["event"] = json!("call_danced");
    call.body["call"]["mood"] = json!({"of": ["the", "moon"]});
    let answer = salon.stack.deliver(&call.body).await;
    assert_eq!((answer.status, answer.body), (200, json!({"status": "stored"})));
}

#[tokio::test]
async fn a_call_of_two_megabytes_is_stored_whole() {
    let salon = Salon::open().await;
    let mut call = salon.haircut_at(&soon(13, 0).0);
    let mut state = 7_u64;
    let words: Vec<Value> = (0..40_000)
        .map(|n| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            json!({"word": format!("{MARK}{state:x}"), "start": n, "end": n + 1})
        })
        .collect();
    call.body["call"]["transcript_object"] = json!([{"role": "user", "content": MARK, "words": words}]);
    let raw = call.body.to_string().into_bytes();
    assert!(raw.len() > 2_000_000, "{}", raw.len());
    assert_eq!(salon.settle(&call).await.state().name(), StateName::Assigned);
    let stored = salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap();
    assert_eq!((stored.len(), stored[0].1 == raw), (1, true));
}

#[tokio::test]
async fn the_transcript_of_a_call_is_stored_once_and_each_event_is_read_back_byte_for_byte() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(15, 0).0);
    let long: Value = serde_json::from_str(include_str!("../../../../events/retell-call-four-minutes.json")).unwrap();
    let mut analyzed = call.body.clone();
    for field in ["transcript", "transcript_object", "transcript_with_tool_calls", "latency"] {
        analyzed["call"][field] = long["call"][field].clone();
    }
    let mut ended = analyzed.clone();
    ended["event"] = json!("call_ended");
    ended["call"].as_object_mut().unwrap().remove("call_analysis");
    for body in [&ended, &analyzed, &ended] {
        assert_eq!(salon.stack.deliver(body).await.status, 200);
    }
    let mut stored = salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap();
    stored.sort();
    let bodies: Vec<&[u8]> = stored.iter().map(|(_, body)| body.as_slice()).collect();
    assert_eq!(bodies, [analyzed.to_string().as_bytes(), ended.to_string().as_bytes()]);
    let (mut in_table, mut largest) = (0, 0);
    let items = aws_sdk_dynamodb::Client::new(&salon.stack.config).query().table_name(variable("CALLS_TABLE"));
    let items = items
        .key_condition_expression("#call = :call")
        .expression_attribute_names("#call", "call")
        .expression_attribute_values(":call", AttributeValue::S(format!("{}#{}", salon.tenant, call.id)));
    for item in items.send().await.unwrap().items.unwrap() {
        let part = item["part"].as_b().unwrap().as_ref().len();
        (in_table, largest) = (in_table + part, largest.max(part));
    }
    assert!(in_table < 2000 && largest < 1000, "the table holds {in_table} bytes of 150,000");
    let id = AppointmentId::of_call(&salon.tenant, &call.id);
    assert_eq!(salon.stack.until_settled(&id).await.state().name(), StateName::Assigned);
    let (done, printed) = end_to_end::frontdesk(&["appointment", "show", id.as_str()]);
    assert!(done && printed.contains("Haarschnitt"), "{printed}");
    salon.stack.calls.erase(&salon.tenant, &call.id).await.unwrap();
    assert!(salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn round_robin_gives_two_at_the_same_time_to_two_of_the_staff() {
    let salon = Salon::open().await;
    let (spoken, _) = soon(14, 0);
    let first = salon.settle(&salon.haircut_at(&spoken)).await;
    let second = salon.settle(&salon.haircut_at(&spoken)).await;
    assert_eq!((staff_of(first.state()).0, staff_of(second.state()).0), ("anna", "ben"));
}

#[tokio::test]
async fn a_service_per_staff_member_books_the_one_wished_for() {
    let salon = Salon::open().await;
    let wished = json!({"service": "farbe", "staff_member": "Ben", "appointment_start": soon(10, 0).0});
    let appointment = salon.settle(&salon.call(wished)).await;
    assert_eq!(staff_of(appointment.state()).0, "ben");
    assert_eq!(salon.bookings_of(salon.color_of("ben")).await.len(), 1);
}

#[tokio::test]
async fn without_a_wish_for_someone_a_service_per_staff_member_books_whoever_is_free() {
    let salon = Salon::open().await;
    let any = || salon.call(json!({"service": "Farbe", "appointment_start": soon(10, 0).0}));
    let (first, second) = (salon.settle(&any()).await, salon.settle(&any()).await);
    assert_eq!((staff_of(first.state()).0, staff_of(second.state()).0), ("anna", "ben"));
}

#[tokio::test]
async fn a_time_that_happens_twice_is_booked_at_the_earlier_one_and_noted() {
    let all_day = json!({"opens": 0, "closes": 24, "closed_on": []});
    let salon = Salon::with(SalonForm { event_type: all_day, ..SalonForm::default() }).await;
    let day = clock_change(10);
    let appointment = salon.settle(&salon.haircut_at(&format!("{day} 02:30"))).await;
    assert_eq!(appointment.booking().unwrap().start.to_rfc3339(), format!("{day}T00:30:00+00:00"));
    assert_eq!(appointment.history()[0].cause, Cause::Requested { ambiguous_time: true });
    assert_eq!(appointment.state().name(), StateName::Assigned);
}

#[tokio::test]
async fn a_time_that_never_happens_needs_review_and_is_not_booked() {
    let salon = Salon::open().await;
    let appointment = salon.settle(&salon.haircut_at(&format!("{} 02:30", clock_change(3)))).await;
    let reason = ReviewReason::Start(StartProblem::DoesNotExist);
    assert!(matches!(appointment.state(), State::NeedsReview { reason: found, .. } if *found == reason));
    assert_eq!(salon.stack.appointments.in_review(&salon.tenant).await.unwrap(), [appointment.id]);
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 0);
}

#[tokio::test]
async fn a_customer_who_hides_the_number_and_gives_no_email_is_booked_under_a_placeholder() {
    let salon = Salon::open().await;
    let fields = json!({"service": "Haarschnitt", "appointment_start": soon(15, 0).0, "customer_phone": "",
                        "customer_email": format!("{MARK} muster at web punkt de")});
    let mut call = salon.call(fields);
    call.body["call"]["from_number"] = json!(format!("anonymous_{}_ab12", Utc::now().timestamp()));
    let appointment = salon.settle(&call).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    let at_calcom = &salon.bookings_of(salon.haircut()).await[0];
    let placeholder = format!("customer+{}@{}.example", appointment.id, salon.tenant);
    assert_eq!(at_calcom["attendees"][0]["email"], json!(placeholder));
}
