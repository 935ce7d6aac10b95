//! What a person does with an appointment that needs one, by command.

use chrono::{TimeDelta, Utc};
use end_to_end::{MARK, Salon, SalonForm, frontdesk, soon};
use scheduling::{
    appointment::{Appointment, CancelReason, Cause, ReviewReason, State, StateName},
    ids::{AppointmentId, CallId},
    request::Intent,
    start_time::StartProblem,
};
use serde_json::{Value, json};

/// An appointment whose time can't be read.
async fn unclear(salon: &Salon) -> Appointment {
    let appointment = salon.settle(&salon.haircut_at("bei Gelegenheit mal")).await;
    assert_eq!(appointment.state().name(), StateName::NeedsReview, "{appointment:?}");
    appointment
}

fn command(arguments: &[&str]) -> String {
    let (done, printed) = frontdesk(arguments);
    assert!(done, "{arguments:?}: {printed}");
    printed
}

#[tokio::test]
async fn what_was_settled_with_the_customer_is_booked_at_that_time() {
    let salon = Salon::open().await;
    let appointment = unclear(&salon).await;
    let (id, at) = (appointment.id.as_str(), soon(10, 0));
    let time = at.0.replace(' ', "T");
    let dry = command(&["appointment", "book", id, "--at", &time]);
    assert!(dry.contains("Dry run") && salon.stack.appointment(&appointment.id).await == appointment, "{dry}");
    command(&["appointment", "book", id, "--at", &time, "--staff", "ben", "--apply"]);
    let booked = salon.stack.until(&appointment.id, &[StateName::Assigned, StateName::NeedsReview]).await;
    let booked = salon.stack.until(&booked.id, &[StateName::Assigned]).await;
    assert_eq!(booked.booking().unwrap().start, at.1);
    assert!(booked.history().iter().any(|it| it.cause == Cause::Settled && it.is_manual()));
    let (done, printed) = frontdesk(&["appointment", "book", id, "--at", &time, "--apply"]);
    assert!(!done && printed.contains("it is assigned and needs no review"), "{printed}");
}

#[tokio::test]
async fn a_free_slot_inside_the_wish_is_taken_by_its_number() {
    let tenant = json!({"hours": {"mon-sun": "09:00-18:00"}});
    let salon = Salon::with(SalonForm { tenant, ..SalonForm::default() }).await;
    let day = soon(0, 0).0[..10].to_owned();
    let appointment = salon.settle(&salon.haircut_at(&format!("{day} nachmittags"))).await;
    let State::NeedsReview { reason: ReviewReason::Start(StartProblem::Window), .. } = appointment.state() else {
        panic!("{appointment:?}")
    };
    let listed = command(&["appointment", "slots", appointment.id.as_str()]);
    assert!(listed.contains("  1: ") && listed.contains(" 13:00"), "{listed}");
    command(&["appointment", "book", appointment.id.as_str(), "--slot", "1", "--apply"]);
    let booked = salon.stack.until(&appointment.id, &[StateName::Assigned]).await;
    let local = booked.booking().unwrap().start.with_timezone(&chrono_tz::Europe::Berlin);
    assert_eq!(local.format("%Y-%m-%d %H:%M").to_string(), format!("{day} 13:00"));
}

#[tokio::test]
async fn a_service_that_nobody_knew_is_given_by_a_person() {
    let salon = Salon::open().await;
    let call = salon.call(json!({"service": "die Spezialbehandlung", "appointment_start": soon(11, 0).0}));
    let appointment = salon.settle(&call).await;
    let id = appointment.id.as_str();
    let (done, printed) = frontdesk(&["appointment", "book", id, "--apply"]);
    assert!(!done && printed.contains("--service"), "{printed}");
    let (done, printed) = frontdesk(&["appointment", "book", id, "--service", "massage", "--apply"]);
    assert!(!done && printed.contains("it has cut, color"), "{printed}");
    command(&["appointment", "book", id, "--service", "color", "--staff", "anna", "--apply"]);
    let booked = salon.stack.until(&appointment.id, &[StateName::Assigned]).await;
    assert_eq!(booked.assignment().unwrap().staff.as_str(), "anna");
}

#[tokio::test]
async fn a_review_shows_what_a_person_needs_and_its_json_nothing_personal() {
    let salon = Salon::open().await;
    let appointment = unclear(&salon).await;
    let listed = command(&["appointment", "review", salon.tenant.as_str()]);
    for part in [appointment.id.as_str(), MARK, "bei Gelegenheit mal", "Haarschnitt", "the time can't be read", "wants"]
    {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    let json: Value =
        serde_json::from_str(&command(&["appointment", "review", "--output", "json", salon.tenant.as_str()])).unwrap();
    assert_eq!(json[0]["reason"], json!("start_unreadable"));
    assert!(!json.to_string().contains(MARK));
    let shown = command(&["appointment", "show", appointment.id.as_str()]);
    assert!(shown.contains("history") && shown.contains(MARK), "{shown}");
}

#[tokio::test]
async fn a_near_miss_is_flagged_and_becomes_an_alias_by_one_command() {
    let salon = Salon::open().await;
    let call =
        salon.call(json!({"service": "Haarschnitt", "staff_member": "Anja", "appointment_start": soon(10, 0).0}));
    let appointment = salon.settle(&call).await;
    let shown = command(&["appointment", "show", appointment.id.as_str()]);
    assert!(shown.contains("\"Anja\" is nearly anna") && shown.contains("frontdesk tenant alias"), "{shown}");
    let tenant = salon.tenant.as_str();
    let dry = command(&["tenant", "alias", tenant, "anna", "Anja"]);
    assert!(dry.contains("+ staff[anna].aliases[0]: \"Anja\"") && dry.contains("Dry run"), "{dry}");
    command(&["tenant", "alias", tenant, "anna", "Anja", "--apply"]);
    let stored = salon.stack.tenants.record(&salon.tenant).await.unwrap().unwrap().tenant;
    assert_eq!(stored.staff_called("Anja").unwrap().id.as_str(), "anna");
    let (done, printed) = frontdesk(&["tenant", "alias", tenant, "zoe", "Zo", "--apply"]);
    assert!(!done && printed.contains("failed to find service or staff member zoe"), "{printed}");
}

#[tokio::test]
async fn a_review_is_called_back_and_closed_with_its_reason() {
    let salon = Salon::open().await;
    let appointment = unclear(&salon).await;
    let id = appointment.id.as_str();
    command(&["appointment", "called-back", id, "--apply"]);
    let called = salon.stack.appointment(&appointment.id).await;
    assert_eq!(
        (called.state().name(), &called.history().last().unwrap().cause),
        (StateName::NeedsReview, &Cause::CalledBack)
    );
    command(&["appointment", "close", id, "--reason", "not-wanted", "--apply"]);
    let closed = salon.stack.appointment(&appointment.id).await;
    assert!(matches!(closed.state(), State::Cancelled { reason: CancelReason::NotWanted, .. }), "{closed:?}");
    let printed = command(&["appointment", "review", salon.tenant.as_str()]);
    assert!(printed.contains("nothing needs a person"), "{printed}");
}

#[tokio::test]
async fn a_day_of_a_tenant_is_listed_with_its_customers() {
    let salon = Salon::open().await;
    let (start, _) = soon(10, 0);
    let booked = salon.settle(&salon.haircut_at(&start)).await;
    let listed = command(&["appointment", "list", salon.tenant.as_str(), "--day", &start[..10]]);
    assert!(listed.contains(booked.id.as_str()) && listed.contains(MARK) && listed.contains("10:00"), "{listed}");
    let all = command(&["appointment", "list", salon.tenant.as_str()]);
    assert!(all.contains(booked.id.as_str()), "{all}");
    let other = (Utc::now() + TimeDelta::days(40)).format("%Y-%m-%d").to_string();
    let none = command(&["appointment", "list", salon.tenant.as_str(), "--day", &other]);
    assert!(none.contains("has no open appointments"), "{none}");
    let (done, printed) = frontdesk(&["appointment", "review", "nobodys-salon"]);
    assert!(!done && printed.contains("failed to find tenant nobodys-salon"), "{printed}");
}

#[tokio::test]
async fn a_later_analysis_corrects_what_is_not_booked_and_is_kept_beside_what_is() {
    let salon = Salon::open().await;
    let mut call = salon.haircut_at("bei Gelegenheit mal");
    let first = salon.settle(&call).await;
    let fields = |call: &mut end_to_end::Call, start: &str| {
        call.body["call"]["call_analysis"]["custom_analysis_data"]["appointment_start"] = json!(start);
    };
    fields(&mut call, &soon(10, 0).0);
    let corrected = salon.settle(&call).await;
    assert_eq!(
        (corrected.id.clone(), corrected.state().name()),
        (first.id.clone(), StateName::Assigned),
        "{corrected:#?}"
    );
    assert_eq!(corrected.booking().unwrap().start, soon(10, 0).1);
    // The first analysis again, as webhooks do: it is older than the one that was stored.
    fields(&mut call, "bei Gelegenheit mal");
    salon.deliver(&call).await;
    assert_eq!(salon.stack.appointment(&first.id).await.correction(), None);
    fields(&mut call, &soon(15, 0).0);
    salon.deliver(&call).await;
    let noted = salon.stack.appointment(&first.id).await;
    assert_eq!(noted.booking().unwrap().start, soon(10, 0).1, "what is booked stays");
    assert_eq!(noted.correction().unwrap().start.at(), Some(soon(15, 0).1));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
    assert!(command(&["appointment", "show", first.id.as_str()]).contains("a later analysis of the call says"));
}

/// A call of the same customer for another start.
fn at_another_start(first: &end_to_end::Call, start: &str, is_same_call: bool) -> end_to_end::Call {
    let (mut id, mut body) = (first.id.clone(), first.body.clone());
    if !is_same_call {
        id = CallId::new(format!("{}b", first.id));
        body["call"]["call_id"] = json!(id);
    }
    body["call"]["call_analysis"]["custom_analysis_data"]["appointment_start"] = json!(start);
    end_to_end::Call { id, body }
}

#[tokio::test]
async fn what_was_settled_at_another_time_leaves_the_first_one_to_the_next_call() {
    let event_type = json!({"required_fields": [{"slug": "haarlaenge", "label": "Haarlänge"}]});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    let (ten, eleven) = (soon(10, 0), soon(11, 0));
    let call = salon.haircut_at(&ten.0);
    let first = salon.settle(&call).await;
    assert_eq!(first.state().name(), StateName::NeedsReview, "{first:?}");
    salon.change_haircut(json!({"required_fields": []})).await;
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    command(&["appointment", "book", first.id.as_str(), "--at", &eleven.0.replace(' ', "T"), "--apply"]);
    let settled = salon.stack.until(&first.id, &[StateName::Assigned]).await;
    assert_eq!(settled.booking().unwrap().start, eleven.1);
    let second = salon.settle(&at_another_start(&call, &ten.0, false)).await;
    assert_ne!(second.id, first.id, "a call for ten is not answered by an appointment at eleven");
    assert_eq!((second.state().name(), second.booking().unwrap().start), (StateName::Assigned, ten.1));
}

#[tokio::test]
async fn a_correction_to_what_the_customer_has_already_books_nothing_twice() {
    let salon = Salon::open().await;
    let (ten, _) = soon(10, 0);
    let first = salon.haircut_at(&ten);
    let booked = salon.settle(&first).await;
    let unclear = at_another_start(&first, "bei Gelegenheit mal", false);
    let second = salon.settle(&unclear).await;
    assert_ne!(second.id, booked.id);
    let corrected = salon.settle(&at_another_start(&unclear, &ten, true)).await;
    let State::NeedsReview { reason: ReviewReason::Duplicate, detail, .. } = corrected.state() else {
        panic!("{corrected:?}")
    };
    assert!(detail.as_ref().unwrap().contains(booked.id.as_str()), "{detail:?}");
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 1);
}

#[tokio::test]
async fn the_same_entry_twice_in_one_call_is_for_a_person_and_a_second_delivery_changes_nothing() {
    let salon = Salon::open().await;
    let (start, _) = soon(10, 0);
    let list = json!([{"service": "Haarschnitt", "appointment_start": start}, {"service": "Haarschnitt", "appointment_start": start}]);
    let call = salon.call(json!({"appointments": list.to_string()}));
    let answer = salon.stack.deliver(&call.body).await;
    let ids: Vec<AppointmentId> = serde_json::from_value(answer.body["appointment_ids"].clone()).unwrap();
    let (one, other) = (salon.stack.until_settled(&ids[0]).await, salon.stack.until_settled(&ids[1]).await);
    assert_eq!(one.state().name(), StateName::Assigned);
    assert!(
        matches!(other.state(), State::NeedsReview { reason: ReviewReason::Intent(Intent::BookForSeveral), .. }),
        "{other:?}"
    );
    assert_eq!(salon.stack.deliver(&call.body).await.body, answer.body);
    assert_eq!((salon.stack.appointment(&ids[0]).await, salon.stack.appointment(&ids[1]).await), (one, other));
}
