//! The people of a tenant are told what waits for them.

use chrono::{TimeDelta, Utc};
use end_to_end::{Alerts, MARK, Mail, Notification, Salon, SalonForm, eventually, frontdesk, mails_to, variable};
use scheduling::{appointment::Cause, ids::AppointmentId};
use serde_json::json;

/// A salon whose people get mail.
async fn salon() -> (Salon, String) {
    let address = format!("termine-{}@salon.example", uuid::Uuid::new_v4().simple());
    let salon = Salon::with(SalonForm { tenant: json!({"review_email": address}), ..SalonForm::default() }).await;
    (salon, address)
}

/// Runs the notifier until this many mails have come. The schedule runs it, too.
async fn mails(salon: &Salon, address: &str, count: usize) -> Vec<Mail> {
    let found = eventually(async || {
        salon.stack.invoke("review-notifier", &json!({})).await;
        let mails = mails_to(address);
        (mails.len() >= count).then_some(mails)
    });
    found.await.unwrap_or_else(|| panic!("never {count} mails to {address}: {:?}", mails_to(address)))
}

/// Runs the notifier until the alert topic receives a notice about this salon.
async fn agency_is_told(salon: &Salon, alerts: &Alerts) -> Notification {
    let told = eventually(async || {
        salon.stack.invoke("review-notifier", &json!({})).await;
        alerts.received(salon.tenant.as_str()).await.into_iter().next()
    });
    told.await.expect("the agency is told")
}

fn unreadable(salon: &Salon) -> end_to_end::Call {
    salon.call(json!({"service": "Haarschnitt", "appointment_start": "wie besprochen"}))
}

async fn is_told(salon: &Salon, id: &AppointmentId) -> bool {
    salon.stack.appointment(id).await.history().iter().any(|transition| transition.cause == Cause::Notified)
}

#[tokio::test]
async fn a_review_sends_one_mail_with_all_that_a_person_needs_and_nothing_of_it_is_logged() {
    let (salon, address) = salon().await;
    let call = unreadable(&salon);
    let id = salon.deliver(&call).await;
    let sent = mails(&salon, &address, 1).await;
    assert_eq!(sent[0].subject, "1 Termin zu klären (Salon)");
    let body = &sent[0].body;
    assert!(
        body.contains("wann? Die Angabe wurde nicht sicher verstanden") && body.contains("Wunsch: \"wie besprochen\""),
        "{body}"
    );
    assert!(body.contains(MARK) && body.contains("Telefon: +49"), "{body}");
    let link = format!("{}/s/{}/todo/{id}", variable("DESK_URL"), salon.tenant);
    assert!(body.contains(&link), "{link}: {body}");
    assert!(is_told(&salon, &id).await);
    salon.stack.invoke("review-notifier", &json!({})).await;
    assert_eq!(mails_to(&address).len(), 1);
    assert!(!salon.stack.log_lines("review-notifier").await.iter().any(|line| line.contains(MARK)));
}

#[tokio::test]
async fn what_comes_within_an_hour_is_told_together_and_what_is_urgent_at_once() {
    let (salon, address) = salon().await;
    salon.deliver(&unreadable(&salon)).await;
    mails(&salon, &address, 1).await;
    let second = salon.deliver(&unreadable(&salon)).await;
    let third = salon.deliver(&unreadable(&salon)).await;
    let answer = salon.stack.invoke("review-notifier", &json!({})).await;
    assert!(answer["bundled"].as_u64() >= Some(2), "{answer}");
    assert_eq!((mails_to(&address).len(), is_told(&salon, &second).await), (1, false));
    let promised = salon.call(json!({"intent": "Rückruf", "notes": "wegen der Rechnung"}));
    salon.deliver(&promised).await;
    let sent = mails(&salon, &address, 2).await;
    let urgent = sent.iter().find(|mail| mail.subject.starts_with("Dringend: ")).unwrap();
    assert_eq!(urgent.subject, "Dringend: 3 Termine zu klären (Salon)");
    let first = urgent.body.lines().find(|line| line.starts_with('*')).unwrap();
    assert!(first.contains("bittet um R"), "the urgent one comes first: {}", urgent.body);
    assert!(is_told(&salon, &third).await);
}

#[tokio::test]
async fn an_appointment_that_starts_soon_and_is_not_booked_is_told() {
    let (salon, address) = salon().await;
    salon.order_fault("book", 100, json!("error")).await;
    let start = Utc::now() + TimeDelta::hours(2);
    let id = salon.store_untold_at(Utc::now() - TimeDelta::minutes(20), start).await;
    let sent = mails(&salon, &address, 1).await;
    assert!(sent[0].subject.starts_with("Dringend: 1 Termin"), "{sent:?}");
    assert!(sent[0].body.contains("der Termin beginnt bald und ist noch nicht gebucht"), "{sent:?}");
    assert!(is_told(&salon, &id).await);
}

#[tokio::test]
async fn without_an_address_the_agency_is_told_with_ids_alone() {
    let salon = Salon::open().await;
    let alerts = Alerts::subscribe(&salon.stack).await;
    let id = salon.deliver(&unreadable(&salon)).await;
    let told = agency_is_told(&salon, &alerts).await;
    assert!(told.text.contains(id.as_str()) && told.text.contains("start_unclear"), "{told:?}");
    assert!(told.text.contains("no review_email") && !told.text.contains(MARK), "{told:?}");
}

#[tokio::test]
async fn a_tenant_that_was_removed_leaves_nothing_unseen() {
    let (salon, _) = salon().await;
    let alerts = Alerts::subscribe(&salon.stack).await;
    let (done, printed) = frontdesk(&["tenant", "remove", salon.tenant.as_str(), "--apply"]);
    assert!(done, "{printed}");
    let start = Utc::now() + TimeDelta::hours(2);
    let id = salon.store_untold_at(Utc::now() - TimeDelta::minutes(20), start).await;
    let told = agency_is_told(&salon, &alerts).await;
    assert!(told.text.contains("The tenant was removed") && told.text.contains(id.as_str()), "{told:?}");
}

#[tokio::test]
async fn mail_that_ses_refuses_is_told_to_the_agency() {
    let address = format!("größe-{}@salon.example", uuid::Uuid::new_v4().simple());
    let salon = Salon::with(SalonForm { tenant: json!({"review_email": address}), ..SalonForm::default() }).await;
    let alerts = Alerts::subscribe(&salon.stack).await;
    let id = salon.deliver(&unreadable(&salon)).await;
    let told = agency_is_told(&salon, &alerts).await;
    assert!(told.text.contains("No mail could be sent") && told.text.contains(id.as_str()), "{told:?}");
    salon.stack.until_counted("review-notifier", "ReviewMailFailed", None).await;
}
