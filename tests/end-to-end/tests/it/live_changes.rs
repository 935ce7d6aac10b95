//! A caller finds, moves and cancels appointments: their own, as they are at Cal.com at that moment.

use end_to_end::{Conversation, MARK, Salon, SalonForm, soon};
use scheduling::{
    appointment::{CancelReason, State, StateName},
    ids::AppointmentId,
};
use serde_json::{Value, json};

fn id_in(answer: &Value) -> AppointmentId {
    AppointmentId::new(answer["appointment"]["appointment_id"].as_str().unwrap_or_else(|| panic!("{answer}")))
}

async fn book(caller: &Conversation<'_>, start: &str, name: &str) -> AppointmentId {
    let args = json!({"service": "Haarschnitt", "start": start, "name": name, "phone": "keine"});
    let answer = caller.tool("book_appointment", &args).await;
    assert_eq!(answer["status"], "booked", "{answer}");
    id_in(&answer)
}

#[tokio::test]
async fn an_appointment_is_moved_and_cancelled_live_and_the_analysis_changes_nothing() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let id = book(&caller, &soon(10, 0).0, &format!("Erika {MARK}")).await;
    let before = salon.stack.until_settled(&id).await.booking().unwrap().uid.clone();
    let (spoken, start) = soon(14, 0);
    for _ in 0..2 {
        let moved = caller.tool("reschedule_appointment", &json!({"start": spoken})).await;
        assert_eq!((&moved["status"], id_in(&moved)), (&json!("moved"), id.clone()), "{moved}");
    }
    let moved = salon.stack.until_settled(&id).await;
    let booking = moved.booking().unwrap();
    assert_eq!((moved.state().name(), booking.start, booking.uid == before), (StateName::Assigned, start, false));
    let said = json!({"service": "Haarschnitt", "appointment_start": soon(10, 0).0, "customer_name": MARK});
    assert_eq!(caller.hang_up(said.clone()).await.body["appointment_id"], Value::Null);
    assert_eq!(
        caller.hang_up(json!({"intent": "verschieben", "service": "Haarschnitt"})).await.body["appointment_id"],
        Value::Null
    );
    let later = salon.called_from(&caller.phone);
    for _ in 0..2 {
        let cancelled = later.tool("cancel_appointment", &json!({})).await;
        assert_eq!((&cancelled["status"], id_in(&cancelled)), (&json!("cancelled"), id.clone()), "{cancelled}");
    }
    let cancelled = salon.stack.appointment(&id).await;
    assert!(matches!(cancelled.state(), State::Cancelled { reason: CancelReason::ByCustomer, booking: Some(_), .. }));
    assert_eq!(later.hang_up(json!({"intent": "absagen"})).await.body["appointment_id"], Value::Null);
    assert!(salon.bookings_of(salon.haircut()).await.is_empty());
    assert_eq!(later.tool("find_appointments", &json!({})).await["status"], "none");
}

#[tokio::test]
async fn a_new_start_that_is_taken_leaves_the_appointment_and_offers_others() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let (first, start) = soon(10, 0);
    let id = book(&caller, &first, MARK).await;
    let (taken, at) = soon(14, 0);
    for name in ["anna", "ben"] {
        salon.book_event_type(salon.color_of(name), at, json!({})).await;
    }
    let answer = caller.tool("reschedule_appointment", &json!({"start": taken})).await;
    assert_eq!(answer["status"], "not_free", "{answer}");
    assert!(!answer["slots"].as_array().unwrap().is_empty(), "{answer}");
    let stands = salon.stack.until_settled(&id).await;
    assert_eq!((stands.booking().unwrap().start, stands.change()), (start, None));
}

#[tokio::test]
async fn what_was_moved_or_cancelled_at_cal_com_is_said_as_it_is_there_and_our_record_follows() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let id = book(&caller, &soon(10, 0).0, MARK).await;
    let uid = salon.stack.until_settled(&id).await.booking().unwrap().uid.clone();
    let (_, at) = soon(15, 0);
    salon.post_with_key(&format!("/v2/bookings/{uid}/reschedule"), &json!({"start": at})).await;
    let found = caller.tool("find_appointments", &json!({})).await;
    assert!(found["say"].as_str().unwrap().contains("15 Uhr"), "{found}");
    let followed = salon.stack.until_settled(&id).await;
    assert_eq!(followed.booking().unwrap().start, at);
    let uid = followed.booking().unwrap().uid.clone();
    salon.post_with_key(&format!("/v2/bookings/{uid}/cancel"), &json!({"cancellationReason": "x"})).await;
    let found = caller.tool("find_appointments", &json!({})).await;
    assert_eq!(found["status"], "none", "{found}");
    assert_eq!(salon.stack.appointment(&id).await.state().name(), StateName::Cancelled);
}

#[tokio::test]
async fn of_two_appointments_the_caller_is_asked_which_one() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let (ten, eleven) = (soon(10, 0).0, soon(11, 0).0);
    book(&caller, &ten, MARK).await;
    let second = book(&caller, &eleven, MARK).await;
    let asked = caller.tool("cancel_appointment", &json!({})).await;
    assert_eq!(asked["status"], "question", "{asked}");
    assert_eq!(asked["appointments"].as_array().unwrap().len(), 2);
    let cancelled = caller.tool("cancel_appointment", &json!({"appointment_id": second})).await;
    assert_eq!((&cancelled["status"], id_in(&cancelled)), (&json!("cancelled"), second));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn nobody_hears_of_anothers_appointment() {
    let salon = Salon::open().await;
    let owner = salon.called();
    let (spoken, _) = soon(10, 0);
    let id = book(&owner, &spoken, &format!("Erika {MARK}")).await;
    let day = spoken.split(' ').next().unwrap();
    let stranger = salon.called_from("+4930901899");
    for args in [json!({}), json!({"name": format!("Erika {MARK}"), "date": day}), json!({"appointment_id": id})] {
        assert_eq!(stranger.tool("find_appointments", &args).await["status"], "none", "{args}");
        assert_eq!(stranger.tool("cancel_appointment", &args).await["status"], "none", "{args}");
    }
    let hidden = salon.called_from("anonymous");
    assert_eq!(hidden.tool("find_appointments", &json!({})).await["missing"], "name_and_date");
    assert_eq!(hidden.tool("cancel_appointment", &json!({"appointment_id": id})).await["missing"], "name_and_date");
    for name in [MARK, "Erika", "Erika Fremd"] {
        let found = hidden.tool("find_appointments", &json!({"name": name, "date": day})).await;
        assert_eq!(found["status"], "none", "half a name gives nothing away: {found}");
    }
    let known = json!({"name": format!("Erika {MARK}"), "date": day});
    assert_eq!(hidden.tool("find_appointments", &known).await["status"], "listed");
    assert!(salon.stack.appointment(&id).await.is_booked());
    // Two people share a number.
    book(&salon.called_from(&owner.phone), &soon(11, 0).0, &format!("Max {MARK}")).await;
    let shared = salon.called_from(&owner.phone);
    assert_eq!(shared.tool("find_appointments", &json!({})).await["missing"], "name");
    let found = shared.tool("find_appointments", &json!({"name": "Max"})).await;
    assert_eq!(found["appointments"].as_array().unwrap().len(), 1, "{found}");
}

#[tokio::test]
async fn a_repeated_cancellation_never_takes_another_appointment() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let (ten, eleven) = (soon(10, 0).0, soon(11, 0).0);
    let (first, second) = (book(&caller, &ten, MARK).await, book(&caller, &eleven, MARK).await);
    for _ in 0..2 {
        let answer = caller.tool("cancel_appointment", &json!({"appointment_id": first})).await;
        assert_eq!((&answer["status"], id_in(&answer)), (&json!("cancelled"), first.clone()), "{answer}");
    }
    let another_day = salon.called_from(&caller.phone);
    let answer = another_day.tool("cancel_appointment", &json!({"date": "am 24. Dezember"})).await;
    assert_eq!(answer["status"], "none", "nothing is on that day: {answer}");
    assert!(salon.stack.appointment(&second).await.is_booked());
}

#[tokio::test]
async fn what_its_host_has_to_confirm_is_not_said_to_be_booked() {
    let event_type = json!({"must_be_confirmed": true});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    let caller = salon.called();
    let args = json!({"service": "Haarschnitt", "start": soon(10, 0).0, "name": MARK});
    let answer = caller.tool("book_appointment", &args).await;
    assert_eq!(answer["status"], "awaits_confirmation", "{answer}");
    let found = caller.tool("find_appointments", &json!({})).await;
    assert_eq!(found["appointments"][0]["state"], "not_confirmed", "{found}");
}

#[tokio::test]
async fn a_staff_member_who_can_t_be_chosen_is_not_promised_and_the_one_who_does_it_is_named() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let (spoken, start) = soon(10, 0);
    salon.book_event_type(salon.color_of("anna"), start, json!({})).await;
    let asks = json!({"service": "Haarschnitt", "wish": spoken, "staff": "Anna"});
    let answer = caller.tool("check_availability", &asks).await;
    assert!(answer["say"].as_str().unwrap().starts_with("Ob es bei Anna Berg ist"), "{answer}");
    let args = json!({"service": "Haarschnitt", "start": spoken, "name": MARK, "staff": "Anna"});
    let answer = caller.tool("book_appointment", &args).await;
    assert_eq!((&answer["status"], &answer["appointment"]["staff"]), (&json!("booked"), &json!("Ben Tal")), "{answer}");
}

#[tokio::test]
async fn a_wish_that_is_not_booked_yet_is_only_given_up_for_one_that_is_stored() {
    let salon = Salon::open().await;
    let caller = salon.called();
    salon.order_fault("book", 1, json!("answer_lost")).await;
    let args = json!({"service": "Haarschnitt", "start": soon(10, 0).0, "name": MARK});
    assert_eq!(caller.tool("book_appointment", &args).await["status"], "being_entered");
    let (taken, at) = soon(14, 0);
    for name in ["anna", "ben"] {
        salon.book_event_type(salon.color_of(name), at, json!({})).await;
    }
    let answer = caller.tool("reschedule_appointment", &json!({"start": taken})).await;
    assert_ne!(answer["status"], "moved", "{answer}");
    let found = caller.tool("find_appointments", &json!({})).await;
    assert_eq!(found["appointments"].as_array().unwrap().len(), 1, "the first wish stands: {found}");
}

#[tokio::test]
async fn what_was_moved_since_is_said_and_not_told_as_booked_for_the_old_time() {
    let salon = Salon::open().await;
    let caller = salon.called();
    let (ten, _) = soon(10, 0);
    let id = book(&caller, &ten, MARK).await;
    let uid = salon.stack.until_settled(&id).await.booking().unwrap().uid.clone();
    salon.post_with_key(&format!("/v2/bookings/{uid}/reschedule"), &json!({"start": soon(15, 0).1})).await;
    let args = json!({"service": "Haarschnitt", "start": ten, "name": MARK});
    let answer = caller.tool("book_appointment", &args).await;
    assert_eq!(answer["status"], "listed", "{answer}");
    assert!(answer["say"].as_str().unwrap().contains("15 Uhr"), "{answer}");
}

#[tokio::test]
async fn a_hidden_caller_changes_what_was_booked_in_the_call_and_a_number_said_later_reaches_the_salon() {
    let salon = Salon::open().await;
    let hidden = salon.called_from("anonymous");
    let id = book(&hidden, &soon(10, 0).0, &format!("Erika {MARK}")).await;
    let moved = hidden.tool("reschedule_appointment", &json!({"start": soon(11, 0).0})).await;
    assert_eq!((&moved["status"], id_in(&moved)), (&json!("moved"), id), "{moved}");
    let unreachable = hidden.tool("leave_message", &json!({"text": "Bitte melden", "phone": "keine"})).await;
    assert!(!unreachable["say"].as_str().unwrap().contains("meldet sich"), "{unreachable}");
    let reachable = hidden.tool("leave_message", &json!({"text": "Bitte melden", "phone": "030 901820"})).await;
    assert!(reachable["say"].as_str().unwrap().contains("meldet sich"), "{reachable}");
    let message = AppointmentId::new(reachable["appointment_id"].as_str().unwrap());
    let stored = salon.stack.appointment(&message).await;
    assert_eq!(stored.request.customer.phone.as_ref().map(|phone| phone.reveal().as_str()), Some("+4930901820"));
}
