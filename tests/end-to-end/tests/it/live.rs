//! While the caller is on the line: what is free, what is booked, and what the analysis of the call may add.

use std::time::Duration;

use chrono::TimeDelta;
use end_to_end::{MARK, Salon, SalonForm, soon};
use futures_util::future::join_all;
use scheduling::{
    appointment::{ReviewReason, State, StateName},
    ids::AppointmentId,
    request::Intent,
};
use serde_json::{Value, json};

/// The salon in a language, open from nine to six.
async fn salon_in(language: &str) -> Salon {
    let tenant = json!({"language": language, "hours": {"mon-fri": ["09:00-18:00"]}});
    Salon::with(SalonForm { tenant, ..SalonForm::default() }).await
}

/// A host that no other test books: a host has one calendar at Cal.com.
fn one_host() -> Vec<(u64, String)> {
    vec![(fastrand::u64(1 << 40..1 << 41), "anna@x.example".to_owned())]
}

fn id_in(answer: &Value) -> AppointmentId {
    AppointmentId::new(answer["appointment"]["appointment_id"].as_str().unwrap_or_else(|| panic!("{answer}")))
}

fn booking(start: &str) -> Value {
    json!({"service": "Haarschnitt", "start": start, "name": format!("Erika {MARK}")})
}

#[tokio::test]
async fn a_caller_asks_books_and_hears_what_is_stored_in_both_languages() {
    for (language, asked, free, booked) in [
        ("de", "nachmittags", "Frei ist", "Gebucht: Haarschnitt"),
        ("en", "in the afternoon", "I have", "Booked: Haarschnitt"),
    ] {
        let salon = salon_in(language).await;
        let (caller, (spoken, start)) = (salon.called(), soon(15, 0));
        let day = spoken.split(' ').next().unwrap();
        let wish = json!({"service": "Haarschnitt", "wish": format!("{day} {asked}")});
        let offered = caller.tool("check_availability", &wish).await;
        assert_eq!(offered["status"], "free", "{offered}");
        assert!(offered["say"].as_str().unwrap().starts_with(free), "{offered}");
        let slots = offered["slots"].as_array().unwrap();
        assert!(
            (1..=10).contains(&slots.len())
                && slots.iter().all(|slot| slot["start"].as_str().unwrap().starts_with(day))
        );
        let answer = caller.tool("book_appointment", &booking(&spoken)).await;
        assert_eq!(answer["status"], "booked", "{answer}");
        assert!(answer["say"].as_str().unwrap().starts_with(booked), "{answer}");
        assert!(answer["appointment"]["staff"].is_string(), "with whom: {answer}");
        let stored = salon.stack.until_settled(&id_in(&answer)).await;
        assert_eq!((stored.state().name(), stored.booking().unwrap().start), (StateName::Assigned, start));
    }
}

#[tokio::test]
async fn what_is_missing_is_asked_one_question_at_a_time() {
    let salon = salon_in("de").await;
    let caller = salon.called();
    let (spoken, _) = soon(10, 0);
    for (args, missing) in [
        (json!({}), "service"),
        (json!({"service": "Massage"}), "service"),
        (json!({"service": "Haarschnitt", "staff": "Zoltan"}), "staff"),
        (json!({"service": "Haarschnitt"}), "start"),
        (json!({"service": "Haarschnitt", "start": "nächsten Dienstag oder Mittwoch um zehn"}), "start"),
        (json!({"service": "Haarschnitt", "start": spoken}), "name"),
        (json!({"service": "Haarschnitt", "start": spoken, "name": "null"}), "name"),
    ] {
        let answer = caller.tool("book_appointment", &args).await;
        assert_eq!((&answer["status"], &answer["missing"]), (&json!("question"), &json!(missing)), "{args}: {answer}");
        assert_eq!(answer["say"].as_str().unwrap().matches('?').count(), 1, "{answer}");
    }
    let hidden = salon.called_from("anonymous");
    let answer = hidden.tool("book_appointment", &booking(&spoken)).await;
    assert_eq!(answer["missing"], "phone", "{answer}");
    assert!(salon.bookings_of(salon.haircut()).await.is_empty());
}

#[tokio::test]
async fn the_same_again_in_other_words_answers_the_same_appointment() {
    let salon = salon_in("de").await;
    let caller = salon.called();
    let (spoken, _) = soon(10, 0);
    let first = caller.tool("book_appointment", &booking(&spoken)).await;
    let day = spoken.split(' ').next().unwrap();
    let mut other_words = booking(&format!("am {day} um zehn Uhr"));
    other_words["service"] = json!("haarschnitt bitte");
    other_words["name"] = json!(MARK);
    for args in [booking(&spoken), other_words] {
        let again = caller.tool("book_appointment", &args).await;
        assert_eq!((&again["status"], id_in(&again)), (&json!("booked"), id_in(&first)), "{again}");
    }
    let both =
        join_all([1, 2].map(|_| async { caller.tool("book_appointment", &booking(&soon(11, 0).0)).await })).await;
    assert_eq!(id_in(&both[0]), id_in(&both[1]), "two at once: {both:?}");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2);
}

#[tokio::test]
async fn a_start_that_is_taken_is_answered_with_the_nearest_ones_and_nothing_is_left_for_a_person() {
    let salon = Salon::with(SalonForm { hosts: Some(one_host()), ..SalonForm::default() }).await;
    let (spoken, start) = soon(10, 0);
    salon.book_event_type(salon.haircut(), start, json!({})).await;
    let caller = salon.called();
    let answer = caller.tool("book_appointment", &booking(&spoken)).await;
    assert_eq!(answer["status"], "not_free", "{answer}");
    assert!(answer["say"].as_str().unwrap().contains("nichts frei"), "{answer}");
    assert!(!answer["slots"].as_array().unwrap().is_empty(), "{answer}");
    assert!(salon.stack.appointments.in_review(&salon.tenant).await.unwrap().is_empty());
    let chosen = answer["slots"][0]["start"].as_str().unwrap();
    let answer = caller.tool("book_appointment", &booking(chosen)).await;
    assert_eq!(answer["status"], "booked", "{answer}");
    assert_eq!(
        caller.hang_up(json!({"service": "Haarschnitt", "appointment_start": spoken})).await.body["status"],
        "stored"
    );
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2);
}

/// `tests/run bench` has fifty callers, each with a process of its own, and measures how long they wait.
#[tokio::test]
async fn of_several_callers_for_one_slot_one_is_booked_and_the_others_hear_alternatives() {
    let salon = Salon::with(SalonForm { hosts: Some(one_host()), ..SalonForm::default() }).await;
    let (spoken, _) = soon(10, 0);
    // A process for each of them is started before.
    salon.order_fault("slots", 6, json!({"slow": {"milliseconds": 1500}})).await;
    let asks = json!({"service": "Haarschnitt"});
    join_all((0..6).map(|_| async { salon.called().tool("check_availability", &asks).await })).await;
    let callers = (0..6).map(|_| async { salon.called().tool("book_appointment", &booking(&spoken)).await });
    let answers = join_all(callers).await;
    let count = |status: &str| answers.iter().filter(|answer| answer["status"] == status).count();
    // On a busy machine some may have to be told that it is being entered, and nothing untrue.
    assert_eq!((count("booked"), count("not_free") + count("being_entered")), (1, 5), "{answers:?}");
    assert!(count("not_free") >= 3, "{answers:?}");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn availability_asked_again_is_remembered_and_shows_no_slot_that_is_being_booked() {
    /// Each process of the function remembers for itself, and there are fewer of them.
    const ASKED: u64 = 12;
    let salon = salon_in("de").await;
    let caller = salon.called();
    let (spoken, start) = soon(10, 0);
    let asks = json!({"service": "Haarschnitt", "wish": spoken});
    let before = salon.requests().await["slots"].as_u64().unwrap_or_default();
    for _ in 0..ASKED {
        assert_eq!(caller.tool("check_availability", &asks).await["status"], "free");
    }
    let asked_cal_com = salon.requests().await["slots"].as_u64().unwrap() - before;
    assert!((1..ASKED).contains(&asked_cal_com), "{asked_cal_com}");
    // Somebody is just booking it.
    salon.order_fault("book", 1, json!({"slow": {"milliseconds": 2500}})).await;
    let (other, caller) = (salon.called(), salon.called());
    let args = booking(&spoken);
    let (booked, seen) = tokio::join!(other.tool("book_appointment", &args), async {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        caller.tool("check_availability", &asks).await
    });
    assert_eq!((&booked["status"], &seen["status"]), (&json!("booked"), &json!("not_free")), "{booked} {seen}");
    let starts = seen["slots"].as_array().unwrap().iter().map(|slot| slot["start"].as_str().unwrap().to_owned());
    let near: Vec<String> =
        starts.filter(|at| at.parse::<chrono::DateTime<chrono::Utc>>().unwrap() - start < TimeDelta::zero()).collect();
    assert!(!near.is_empty() || !seen["slots"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_analysis_of_a_call_that_booked_live_books_nothing_and_adds_what_was_left_open() {
    let salon = salon_in("de").await;
    let caller = salon.called();
    let (spoken, _) = soon(10, 0);
    let booked = caller.tool("book_appointment", &booking(&spoken)).await;
    assert_eq!(booked["status"], "booked", "{booked}");
    let said = json!({"service": "Haarschnitt", "appointment_start": soon(11, 0).0, "customer_name": MARK});
    for _ in 0..2 {
        let answer = caller.hang_up(said.clone()).await;
        assert_eq!((&answer.body["status"], &answer.body["appointment_id"]), (&json!("stored"), &Value::Null));
    }
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
    // Another wish of the same call that no tool has settled.
    let both = json!({"appointments": json!([
        {"service": "Haarschnitt", "appointment_start": spoken, "customer_name": MARK},
        {"service": "Farbe", "appointment_start": soon(14, 0).0, "customer_name": MARK},
    ]).to_string()});
    let added = caller.hang_up(both).await.appointment();
    let color = salon.stack.until_settled(&added).await;
    assert_eq!((color.state().name(), color.request.service.as_deref()), (StateName::Assigned, Some("Farbe")));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn a_tool_that_comes_after_the_analysis_answers_its_appointment() {
    let salon = salon_in("de").await;
    for phone in [None, Some("anonymous")] {
        let caller = phone.map_or_else(|| salon.called(), |phone| salon.called_from(phone));
        let (spoken, _) = soon(if phone.is_some() { 12 } else { 10 }, 0);
        let said =
            json!({"service": "Haarschnitt", "appointment_start": spoken, "customer_name": format!("Erika {MARK}")});
        let analyzed = caller.hang_up(said).await.appointment();
        let mut args = booking(&spoken);
        args["phone"] = json!(phone.map(|_| "keine"));
        let answer = caller.tool("book_appointment", &args).await;
        assert_eq!((&answer["status"], id_in(&answer)), (&json!("booked"), analyzed), "{phone:?} {answer}");
    }
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2);
}

#[tokio::test]
async fn a_message_is_a_callback_for_the_salon_and_a_second_one_is_added_to_it() {
    let salon = salon_in("de").await;
    let caller = salon.called();
    assert_eq!(caller.tool("leave_message", &json!({})).await["missing"], "text");
    let taken = caller.tool("leave_message", &json!({"text": "Bitte wegen der Hochzeit zurückrufen"})).await;
    assert_eq!(taken["status"], "message_taken", "{taken}");
    for text in ["Bitte wegen der Hochzeit zurückrufen", "Am besten nachmittags"] {
        let again = caller.tool("leave_message", &json!({"text": text})).await;
        assert_eq!(again["appointment_id"], taken["appointment_id"]);
    }
    let id = AppointmentId::new(taken["appointment_id"].as_str().unwrap());
    let stored = salon.stack.appointment(&id).await;
    assert!(matches!(stored.state(), State::NeedsReview { reason: ReviewReason::Intent(Intent::CallBack), .. }));
    let notes = stored.request.notes.as_ref().unwrap().reveal();
    assert_eq!(notes.lines().count(), 2, "{notes}");
    let answer = caller.hang_up(json!({"intent": "Rückruf"})).await;
    assert_eq!(answer.body["appointment_id"], Value::Null, "the analysis asks for the same callback");
    assert_eq!(salon.stack.appointments.in_review(&salon.tenant).await.unwrap(), [id]);
}

#[tokio::test]
async fn services_and_staff_are_listed() {
    let salon = salon_in("en").await;
    let caller = salon.called();
    let services = caller.tool("list_services", &json!({})).await;
    assert_eq!(services["say"], "You can book Haarschnitt and Farbe.");
    let staff = caller.tool("list_staff", &json!({"service": "Farbe"})).await;
    assert_eq!(staff["staff"], json!(["Anna Berg", "Ben Tal"]), "Cem takes no appointments");
}

#[tokio::test]
async fn before_it_says_hello_the_agent_knows_the_date_and_a_known_caller() {
    let salon = salon_in("de").await;
    let caller = salon.called();
    let unknown = salon.greet(&caller.phone).await;
    assert_eq!((&unknown["caller_name"], &unknown["next_appointment"]), (&json!(""), &json!("")));
    assert!(unknown["today"].is_string() && unknown["weekday"].is_string() && unknown["business_open"] != "");
    let booked = caller.tool("book_appointment", &booking(&soon(10, 0).0)).await;
    let stored = salon.stack.until_settled(&id_in(&booked)).await;
    let staff = stored.assignment().unwrap().staff.clone();
    let known = salon.greet(&caller.phone).await;
    assert_eq!(known["caller_name"], format!("Erika {MARK}"));
    assert!(known["next_appointment"].as_str().unwrap().starts_with("Haarschnitt"), "{known}");
    let name = if staff.as_str() == "anna" { "Anna Berg" } else { "Ben Tal" };
    assert_eq!(known["usual_staff_member"], name);
    // A second person of the same number: who is calling is not known, and nothing is given away.
    let mut child = booking(&soon(11, 0).0);
    child["name"] = json!(format!("Max {MARK}"));
    assert_eq!(salon.called_from(&caller.phone).tool("book_appointment", &child).await["status"], "booked");
    let shared = salon.greet(&caller.phone).await;
    assert_eq!((&shared["caller_name"], &shared["next_appointment"]), (&json!(""), &json!("")));
    assert_eq!(salon.greet("anonymous").await["caller_name"], "");
}

#[tokio::test]
async fn what_is_not_retells_is_refused() {
    let salon = salon_in("de").await;
    let url = |name: &str| format!("{}/{name}", end_to_end::variable("TOOLS_URL"));
    let body = json!({"name": "list_services", "args": {}, "call": {"call_id": "c", "agent_id": "unknown"}});
    let unsigned = salon.stack.post_to(&url("list_services"), body.to_string().into_bytes(), None).await;
    assert_eq!((unsigned.status, &unsigned.body["error"]), (401, &json!("signature_missing")));
    let unknown = salon.stack.send_signed(&url("dance"), &body).await;
    assert_eq!((unknown.status, &unknown.body["error"]), (404, &json!("unknown_tool")));
    let nobodys = salon.stack.send_signed(&url("list_services"), &body).await;
    assert_eq!((nobodys.status, &nobodys.body["status"]), (200, &json!("unavailable")));
    let forged = salon.stack.post_to(&end_to_end::variable("INBOUND_URL"), b"{}".to_vec(), None).await;
    assert_eq!(forged.status, 401);
}
