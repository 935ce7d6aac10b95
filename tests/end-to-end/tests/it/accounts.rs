//! What a key may do and see, and what is set up wrongly at Cal.com.

use std::fs;

use chrono::{TimeDelta, Utc};
use end_to_end::{Salon, SalonForm, eventually, frontdesk, soon};
use scheduling::{
    appointment::{Appointment, Cause, ReviewReason, State, StateName},
    booking::UnconfirmedBooking,
    event_type::SetupFault,
    failure::Category,
    ids::EventTypeId,
};
use serde_json::{Value, json};
use store::SetupFaults;

fn review_of(appointment: &Appointment) -> (Category, String) {
    match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Booking(category), detail, .. } => {
            (*category, detail.clone().unwrap_or_default())
        }
        other => panic!("{other:?}"),
    }
}

/// Runs `frontdesk tenant check --calcom` with a salon's file.
async fn check_at_calcom(salon: &Salon) -> (bool, String) {
    let path = std::env::temp_dir().join(format!("{}.json", salon.tenant));
    fs::write(&path, salon.tenant_file().await.to_string()).unwrap();
    let checked = frontdesk(&["tenant", "check", "--calcom", path.to_str().unwrap()]);
    fs::remove_file(path).unwrap();
    checked
}

#[tokio::test]
async fn a_key_that_works_again_lets_all_go_on_and_until_then_each_says_why_it_waits() {
    let salon = Salon::open().await;
    salon.settle(&salon.haircut_at(&soon(9, 0).0)).await;
    salon.put_key(true).await;
    let mut waiting = Vec::new();
    for (hour, minute) in [(10, 0), (11, 0), (12, 0), (13, 0)] {
        waiting.push(salon.deliver(&salon.haircut_at(&soon(hour, minute).0)).await);
    }
    let waits = |appointment: &Appointment| {
        let last = appointment.history().last().map(|last| last.cause.clone());
        matches!(last, Some(Cause::AccountPaused | Cause::Failed(Category::Credentials)))
    };
    for id in &waiting {
        let waits = eventually(async || waits(&salon.stack.appointment(id).await).then_some(())).await;
        waits.unwrap_or_else(|| panic!("{id} does not say why it waits"));
    }
    // The alarm rings on each run of the reconciler, as long as the account is paused.
    for _ in 0..2 {
        salon.stack.invoke("sync-reconciler", &json!({})).await;
    }
    let counted = salon.stack.log_lines("sync-reconciler").await;
    assert!(counted.iter().filter(|line| line.contains("\"AccountsPaused\":")).count() >= 2);
    let again = Utc::now();
    salon.put_key(false).await;
    for id in &waiting {
        assert_eq!(salon.stack.until_settled(id).await.state().name(), StateName::Assigned);
    }
    // Five minutes, divided as all delays are here, and what a busy machine takes besides, which is not divided.
    let took = (Utc::now() - again).num_seconds();
    assert!(took <= 40, "the last went on after {took} s");
    let alarms = salon.stack.log_lines("calcom-booking").await;
    let alarm = |line: &&String| line.contains("\"AccountPaused\":1") && line.contains(salon.tenant.as_str());
    assert_eq!(alarms.iter().filter(alarm).count(), 1);
}

#[tokio::test]
async fn a_limit_of_an_event_type_is_a_conflict_and_pauses_nobody() {
    let event_type = json!({"is_one_per_day": true});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    let first = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let second = salon.settle(&salon.haircut_at(&soon(11, 0).0)).await;
    let color = salon.call(json!({"service": "Farbe", "appointment_start": soon(12, 0).0}));
    let third = salon.settle(&color).await;
    assert_eq!(review_of(&second).0, Category::HostConflict);
    assert_eq!((first.state().name(), third.state().name()), (StateName::Assigned, StateName::Assigned));
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_key_is_one_appointments_alone() {
    let salon = Salon::open().await;
    let refused = json!({"refused": {"status": 403, "message": "Nobody knows why"}});
    salon.order_fault("book", 4, refused).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(review_of(&appointment).0, Category::Forbidden);
    assert_eq!(salon.settle(&salon.haircut_at(&soon(11, 0).0)).await.state().name(), StateName::Assigned);
}

#[tokio::test]
async fn with_a_key_that_cannot_see_nothing_is_sent_again_after_a_lost_answer() {
    let salon = Salon::with(SalonForm { role: Some("MEMBER"), ..SalonForm::default() }).await;
    assert_eq!(salon.settle(&salon.haircut_at(&soon(9, 0).0)).await.state().name(), StateName::Assigned);
    salon.order_fault("book", 1, json!("answer_lost")).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let (category, detail) = review_of(&appointment);
    assert!(category == Category::NotVisible && detail.contains("can't see"), "{category:?} {detail}");
    assert_eq!(appointment.unconfirmed_booking(), Some(UnconfirmedBooking::NoResponse));
    assert_eq!(salon.requests().await["book"], json!(2), "one for each appointment");
    let (is_valid, printed) = check_at_calcom(&salon).await;
    assert!(!is_valid && printed.contains("the key of an admin or owner of the team"), "{printed}");
    salon.stack.until_counted("calcom-booking", "BookingsNotVisible", None).await;
}

#[tokio::test]
async fn a_key_that_lost_its_role_is_noticed_when_an_answer_is_lost() {
    let salon = Salon::open().await;
    assert_eq!(salon.settle(&salon.haircut_at(&soon(9, 0).0)).await.state().name(), StateName::Assigned);
    salon.open_at_calcom("MEMBER").await;
    salon.order_fault("book", 1, json!("answer_lost")).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(review_of(&appointment).0, Category::NotVisible);
    assert_eq!(salon.requests().await["book"], json!(2), "one for each appointment");
}

#[tokio::test]
async fn an_event_type_that_nobody_can_book_is_told_once_and_all_go_on_when_it_is_mended() {
    let field = json!({"required_fields": [{"slug": "haarlaenge", "label": "Haarlänge"}]});
    let salon = Salon::with(SalonForm { event_type: field, ..SalonForm::default() }).await;
    let mut waiting = Vec::new();
    for hour in [10, 11] {
        let appointment = salon.settle(&salon.haircut_at(&soon(hour, 0).0)).await;
        let (category, detail) = review_of(&appointment);
        assert!(category == Category::Misconfigured && detail.contains("\"haarlaenge\""), "{category:?} {detail}");
        assert!(appointment.request.customer.phone.is_some(), "nothing of the contact is dropped");
        waiting.push(appointment.id);
    }
    let lines = salon.stack.log_lines("calcom-booking").await;
    let alert = |line: &&String| line.contains("\"EventTypeMisconfigured\":1") && line.contains(salon.tenant.as_str());
    assert_eq!(lines.iter().filter(alert).count(), 1);
    let (is_valid, printed) = check_at_calcom(&salon).await;
    assert!(!is_valid && printed.contains("haarlaenge") && printed.contains("Booking questions"), "{printed}");

    salon.change_haircut(json!({"required_fields": []})).await;
    // The next caller finds out, once what is known of the event type may be refreshed.
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    let next = salon.settle(&salon.haircut_at(&soon(12, 0).0)).await;
    assert_eq!(next.state().name(), StateName::Assigned);
    for id in &waiting {
        let assigned = eventually(async || {
            salon.stack.invoke("sync-reconciler", &json!({})).await;
            (salon.stack.appointment(id).await.state().name() == StateName::Assigned).then_some(())
        });
        assigned.await.unwrap_or_else(|| panic!("{id} does not go on"));
    }
}

#[tokio::test]
async fn a_process_soon_knows_of_a_fault_that_another_one_opened() {
    let salon = Salon::open().await;
    let (event_type, fault) = (EventTypeId(salon.haircut()), SetupFault::NoHosts);
    let [opening, booking] = [(); 2].map(|()| SetupFaults::from_env(&salon.stack.config).unwrap());
    assert!(!booking.mend(&salon.tenant, event_type).await.unwrap(), "there is none, and that is remembered");
    assert!(opening.open(&salon.tenant, event_type, &fault, Utc::now()).await.unwrap());
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert!(booking.mend(&salon.tenant, event_type).await.unwrap(), "what was remembered is too old");
}

#[tokio::test]
async fn what_frontdesk_does_not_support_is_refused_with_the_reason() {
    for (setting, says) in [
        (json!({"seats": 3}), "has seats"),
        (json!({"weekly": 3}), "is recurring"),
        (json!({"wants_login": true}), "requires a login"),
        (json!({"verifies_email": true}), "email verification"),
        (json!({"price": 20}), "must be paid"),
    ] {
        let salon = Salon::with(SalonForm { event_type: setting, ..SalonForm::default() }).await;
        let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
        let (category, detail) = review_of(&appointment);
        assert!(category == Category::Misconfigured && detail.contains(says), "{category:?} {detail}");
        assert_eq!(salon.requests().await, json!({}), "nothing is sent that can't succeed");
        let (is_valid, printed) = check_at_calcom(&salon).await;
        assert!(!is_valid && printed.contains(says), "{printed}");
    }
}

#[tokio::test]
async fn a_valid_tenant_is_proved_at_calcom() {
    let salon = Salon::open().await;
    let (is_valid, printed) = check_at_calcom(&salon).await;
    assert!(is_valid && printed.contains("is valid"), "{printed}");
    let event_types =
        salon.stack.get_from_calcom(&format!("/_stand-in/event-types/{}/requests", salon.haircut())).await;
    assert_eq!(event_types, Value::Object(serde_json::Map::new()), "nothing was booked");
}

#[tokio::test]
async fn a_key_that_expires_soon_is_told_before_it_does() {
    let salon = Salon::open().await;
    let mut tenant = salon.tenant_file().await;
    tenant["calcom"]["key_expires"] = json!((Utc::now() + TimeDelta::days(3)).date_naive());
    let path = std::env::temp_dir().join(format!("{}.json", salon.tenant));
    fs::write(&path, tenant.to_string()).unwrap();
    assert!(frontdesk(&["tenant", "load", "--offline", "--apply", path.to_str().unwrap()]).0);
    fs::remove_file(path).unwrap();
    salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    let is_told = |line: &String| line.contains("\"KeyExpiring\":1") && line.contains(salon.tenant.as_str());
    let told = eventually(async || salon.stack.log_lines("calcom-booking").await.iter().any(is_told).then_some(()));
    told.await.expect("people hear of it");
}
