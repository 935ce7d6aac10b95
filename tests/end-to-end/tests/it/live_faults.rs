//! Faults while the caller waits: what is said stays true, and what was promised is kept.

use std::time::{Duration, Instant};

use end_to_end::{Conversation, MARK, Salon, eventually, soon};
use futures_util::future::join_all;
use scheduling::{
    appointment::{ReviewReason, State, StateName},
    ids::AppointmentId,
    request::Intent,
};
use serde_json::{Value, json};

fn booking(start: &str) -> Value {
    json!({"service": "Haarschnitt", "start": start, "name": MARK})
}

async fn book(caller: &Conversation<'_>, start: &str) -> AppointmentId {
    let answer = caller.tool("book_appointment", &booking(start)).await;
    AppointmentId::new(answer["appointment"]["appointment_id"].as_str().unwrap_or_else(|| panic!("{answer}")))
}

#[tokio::test]
async fn a_slow_cal_com_is_told_as_being_entered_within_four_seconds_and_booked_once() {
    let salon = Salon::open().await;
    let caller = salon.called();
    salon.order_fault("book", 1, json!({"slow": {"milliseconds": 6000}})).await;
    let began = Instant::now();
    let answer = caller.tool("book_appointment", &booking(&soon(10, 0).0)).await;
    assert_eq!(answer["status"], "being_entered", "{answer}");
    assert!(answer["say"].as_str().unwrap().contains("noch nicht bestätigt"), "{answer}");
    assert!(began.elapsed() < Duration::from_millis(4500), "{:?}", began.elapsed());
    let began = Instant::now();
    let again = caller.tool("book_appointment", &booking(&soon(10, 0).0)).await;
    assert_eq!(again["status"], "being_entered", "{again}");
    assert!(began.elapsed() < Duration::from_secs(2), "nothing is waited for: {:?}", began.elapsed());
    let id = AppointmentId::new(answer["appointment_id"].as_str().unwrap());
    let settled = salon.stack.until_settled(&id).await;
    assert_eq!(settled.state().name(), StateName::Assigned);
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
    let again = caller.tool("book_appointment", &booking(&soon(10, 0).0)).await;
    assert_eq!(again["status"], "booked", "what was entered since is said: {again}");
}

#[tokio::test]
async fn a_lost_answer_of_cal_com_is_found_by_the_queue() {
    for fault in ["answer_lost", "error_after", "error"] {
        let salon = Salon::open().await;
        let caller = salon.called();
        salon.order_fault("book", 1, json!(fault)).await;
        let answer = caller.tool("book_appointment", &booking(&soon(10, 0).0)).await;
        assert_eq!(answer["status"], "being_entered", "{fault}: {answer}");
        let id = AppointmentId::new(answer["appointment_id"].as_str().unwrap());
        assert_eq!(salon.stack.until_settled(&id).await.state().name(), StateName::Assigned, "{fault}");
        assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1, "{fault}");
    }
}

#[tokio::test]
async fn what_was_promised_and_fails_is_urgent_for_the_salon() {
    let salon = Salon::open().await;
    let (caller, (spoken, start)) = (salon.called(), soon(10, 0));
    salon.order_fault("book", 1, json!("error")).await;
    let answer = caller.tool("book_appointment", &booking(&spoken)).await;
    assert_eq!(answer["status"], "being_entered", "{answer}");
    // Both are taken before the queue goes on.
    for name in ["anna", "ben"] {
        salon.book_event_type(salon.color_of(name), start, json!({})).await;
    }
    let id = AppointmentId::new(answer["appointment_id"].as_str().unwrap());
    let failed = salon.stack.until_settled(&id).await;
    assert_eq!(failed.state().name(), StateName::NeedsReview);
    assert!(failed.is_live() && failed.is_urgent(chrono::Utc::now()));
}

#[tokio::test]
async fn a_change_that_cal_com_does_not_answer_is_made_by_the_queue() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let id = book(&caller, &soon(10, 0).0).await;
    salon.stack.until_settled(&id).await;
    let (spoken, start) = soon(14, 0);
    salon.order_fault("reschedule", 1, json!("answer_lost")).await;
    let answer = caller.tool("reschedule_appointment", &json!({"start": spoken})).await;
    assert_eq!(answer["status"], "being_entered", "{answer}");
    let moved = eventually(async || {
        let stored = salon.stack.appointment(&id).await;
        let is_moved = stored.booking().is_some_and(|booking| booking.start == start) && stored.change().is_none();
        is_moved.then_some(stored)
    });
    assert!(moved.await.is_some(), "{:?}", salon.stack.appointment(&id).await);
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
    salon.order_fault("cancel", 1, json!("error")).await;
    let answer = caller.tool("cancel_appointment", &json!({})).await;
    assert_eq!(answer["status"], "being_entered", "{answer}");
    salon.stack.until(&id, &[StateName::Cancelled]).await;
    assert!(salon.bookings_of(salon.haircut()).await.is_empty());
}

#[tokio::test]
async fn a_change_that_cal_com_refuses_is_for_the_salon() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let id = book(&caller, &soon(10, 0).0).await;
    salon.stack.until_settled(&id).await;
    let refused = json!({"refused": {"status": 403, "message": "Rescheduling is not allowed within the minimum notice period before the event"}});
    salon.order_fault("reschedule", 9, refused).await;
    let answer = caller.tool("reschedule_appointment", &json!({"start": soon(14, 0).0})).await;
    assert_eq!(answer["status"], "callback", "{answer}");
    let review = salon.stack.until(&id, &[StateName::NeedsReview]).await;
    assert!(matches!(review.state(), State::NeedsReview { reason: ReviewReason::Intent(Intent::Reschedule), .. }));
    assert!(review.booking().is_some() && review.is_urgent(chrono::Utc::now()));
}

#[tokio::test]
async fn a_calendar_that_can_t_be_read_is_said_and_nothing_is_promised() {
    let salon = Salon::open().await;
    let caller = salon.called();
    salon.order_fault("slots", 3, json!("error")).await;
    let answer = caller.tool("check_availability", &json!({"service": "Haarschnitt", "wish": soon(10, 0).0})).await;
    assert_eq!(answer["status"], "unavailable", "{answer}");
    assert!(salon.stack.appointments.in_review(&salon.tenant).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_cancellation_while_a_move_is_open_waits_for_it_and_leaves_nothing_at_cal_com() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let id = book(&caller, &soon(10, 0).0).await;
    salon.stack.until_settled(&id).await;
    salon.order_fault("reschedule", 1, json!({"slow": {"milliseconds": 4500}})).await;
    let moved = caller.tool("reschedule_appointment", &json!({"start": soon(14, 0).0})).await;
    let cancelled = caller.tool("cancel_appointment", &json!({})).await;
    assert_eq!((&moved["status"], &cancelled["status"]), (&json!("being_entered"), &json!("being_entered")));
    assert!(cancelled["say"].as_str().unwrap().starts_with("Die Absage"), "{cancelled}");
    let found = caller.tool("find_appointments", &json!({})).await;
    assert!(found["appointments"][0]["state"] == "being_changed" || found["status"] == "none", "{found}");
    salon.stack.until(&id, &[StateName::Cancelled]).await;
    assert!(salon.bookings_of(salon.haircut()).await.is_empty());
}

/// Moves and cancellations with faults and repetitions in an order that depends on the seed: in the end our record and Cal.com say
/// the same.
#[tokio::test]
async fn any_order_of_changes_and_faults_ends_as_cal_com_has_it() {
    const SEEDS: u64 = 8;
    let played = (0..SEEDS).map(|seed| async move {
        let mut dice = fastrand::Rng::with_seed(seed);
        let salon = Salon::open().await;
        let caller = salon.called();
        let id = book(&caller, &soon(10, 0).0).await;
        for _ in 0..dice.u32(0..3) {
            let request = ["reschedule", "cancel"][dice.usize(0..2)];
            salon.order_fault(request, 1, json!(["answer_lost", "error_after", "error"][dice.usize(0..3)])).await;
        }
        let move_to = |hour: u32| ("reschedule_appointment", json!({"start": soon(hour, 0).0}));
        let mut steps = vec![move_to(11), move_to(11), move_to(12)];
        if dice.bool() {
            steps.extend([("cancel_appointment", json!({})), ("cancel_appointment", json!({}))]);
        }
        dice.shuffle(&mut steps);
        while !steps.is_empty() {
            let at_once = steps.split_off(steps.len().saturating_sub(1 + dice.usize(0..2)));
            join_all(at_once.iter().map(async |(tool, args)| drop(caller.tool(tool, args).await))).await;
        }
        let agrees = eventually(async || {
            let stored = salon.stack.appointment(&id).await;
            let at_calcom = salon.bookings_of(salon.haircut()).await;
            let ours: Vec<Value> =
                stored.booking().filter(|_| stored.is_booked()).map(|it| json!(it.uid)).into_iter().collect();
            let theirs: Vec<Value> = at_calcom.iter().map(|booking| booking["uid"].clone()).collect();
            (ours == theirs && stored.change().is_none()).then_some(())
        });
        let stored = agrees.await;
        assert!(stored.is_some(), "seed {seed}: {:#?}", salon.stack.appointment(&id).await);
    });
    join_all(played).await;
}

/// Tools, Retell's retries, webhooks and faults in an order that depends on the seed: in the end each intent has one booking.
#[tokio::test]
async fn any_order_of_tools_retries_webhooks_and_faults_ends_in_one_booking_per_intent() {
    const SEEDS: u64 = 12;
    let played = (0..SEEDS).map(|seed| async move {
        let mut dice = fastrand::Rng::with_seed(seed);
        let salon = Salon::open().await;
        let caller = salon.called();
        let wishes: Vec<(String, &str)> = (0..1 + dice.u32(0..2)).map(|nth| (soon(10 + nth, 0).0, MARK)).collect();
        let faults = ["answer_lost", "error_after", "error"];
        for _ in 0..dice.u32(0..3) {
            salon.order_fault("book", 1, json!(faults[dice.usize(0..3)])).await;
        }
        let analysis = json!({"appointments": json!(wishes.iter().map(|(start, name)| {
            json!({"service": "Haarschnitt", "appointment_start": start, "customer_name": name})
        }).collect::<Vec<_>>()).to_string()});
        let mut steps: Vec<Option<&str>> = wishes.iter().flat_map(|(start, _)| [Some(start.as_str()); 2]).collect();
        steps.extend([None, None]);
        dice.shuffle(&mut steps);
        // Some of them at once, as Retell's retries are.
        while !steps.is_empty() {
            let at_once = steps.split_off(steps.len().saturating_sub(1 + dice.usize(0..2)));
            join_all(at_once.into_iter().map(async |step| match step {
                Some(start) => drop(caller.tool("book_appointment", &booking(start)).await),
                None => drop(caller.hang_up(analysis.clone()).await),
            }))
            .await;
        }
        let booked = eventually(async || {
            let bookings = salon.bookings_of(salon.haircut()).await;
            let in_review = salon.stack.appointments.in_review(&salon.tenant).await.unwrap();
            (bookings.len() >= wishes.len() || !in_review.is_empty()).then_some(bookings)
        });
        let booked = booked.await.unwrap_or_default();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let still = salon.bookings_of(salon.haircut()).await;
        assert_eq!((booked.len(), still.len()), (wishes.len(), wishes.len()), "seed {seed}: {still:#?}");
        assert!(salon.stack.appointments.in_review(&salon.tenant).await.unwrap().is_empty(), "seed {seed}");
    });
    join_all(played).await;
}
