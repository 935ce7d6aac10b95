//! A business that moves to Frontdesk: its hosts, and the appointments that another system had.

use std::{fs, path::PathBuf};

use chrono::Utc;
use end_to_end::{Salon, SalonForm, frontdesk, soon, sqs_event};
use scheduling::{
    appointment::{Appointment, StateName},
    assignment::{MappingSource, StrategyName},
    ids::{AppointmentId, CallId, HostId},
    personal::Personal,
};
use serde_json::json;
use uuid::Uuid;

/// A salon whose host has an email that nobody on the staff has, and an appointment that waits for a person because of it.
async fn with_a_stranger() -> (Salon, HostId, Appointment) {
    let stranger = HostId(Uuid::new_v4().as_u64_pair().0 >> 20);
    let salon = Salon::with(SalonForm {
        hosts: Some(vec![(stranger.0, "anna@new.example".to_owned())]),
        ..SalonForm::default()
    })
    .await;
    let waiting = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(waiting.state().name(), StateName::NeedsReview);
    (salon, stranger, waiting)
}

/// The salon's tenant, with the stranger's email among Anna's.
async fn told_who_it_is(salon: &Salon) -> scheduling::tenant::Tenant {
    let mut tenant = salon.stack.tenants.record(&salon.tenant).await.unwrap().unwrap().tenant;
    tenant.staff[0].emails.push(Personal::new("anna@new.example".to_owned()));
    tenant
}

async fn strategy(salon: &Salon, id: &AppointmentId) -> Option<StrategyName> {
    salon.stack.appointment(id).await.assignment().map(|assignment| assignment.strategy)
}

#[tokio::test]
async fn hosts_of_past_bookings_are_mapped_and_what_waited_for_them_is_assigned() {
    let (salon, stranger, waiting) = with_a_stranger().await;
    let before = salon.stack.tenants.record(&salon.tenant).await.unwrap();
    let tenant = told_who_it_is(&salon).await;
    salon.stack.tenants.write(&tenant, before.as_ref(), Utc::now()).await.unwrap();
    // A booking that came by no call of ours: Ben's, and known by his own event type alone.
    salon.book_event_type(salon.color_of("ben"), soon(11, 0).1, json!({})).await;

    let plan = ["hosts", "backfill", salon.tenant.as_str()];
    let (done, shown) = frontdesk(&plan);
    assert!(done && shown.contains(&format!("host {stranger} -> anna   certain: same email")), "{shown}");
    assert!(shown.contains(&format!("host {} -> ben   certain", salon.host("ben"))), "{shown}");
    assert!(shown.contains("Dry run: nothing written"), "{shown}");
    assert_eq!(strategy(&salon, &waiting.id).await, None);

    let (done, shown) = frontdesk(&[plan.as_slice(), &["--apply"]].concat());
    assert!(done && shown.contains("2 mappings written, 1 appointments assigned, 0 still in review"), "{shown}");
    assert_eq!(strategy(&salon, &waiting.id).await, Some(StrategyName::HostMapping));
    let mappings = salon.stack.tenants.mappings(&salon.tenant, &[stranger]).await.unwrap();
    assert_eq!((mappings[0].staff.as_str(), mappings[0].source), ("anna", MappingSource::HostEmail));

    let (done, shown) = frontdesk(&[plan.as_slice(), &["--apply"]].concat());
    assert!(done && shown.contains("Every host has a mapping") && shown.contains("0 mappings written"), "{shown}");
}

#[tokio::test]
async fn a_staff_member_who_is_corrected_gets_what_waited_for_them() {
    let (salon, _, waiting) = with_a_stranger().await;
    let file = Lines::of("json", &[&serde_json::to_string(&told_who_it_is(&salon).await).unwrap()]);
    let (done, shown) = frontdesk(&["tenant", "load", file.path(), "--apply"]);
    assert!(done && shown.contains("1 waiting appointments assigned"), "{shown}");
    assert_eq!(strategy(&salon, &waiting.id).await, Some(StrategyName::HostEmail));
}

/// A file that is gone with the test.
struct Lines(PathBuf);

impl Lines {
    fn of(ending: &str, lines: &[&str]) -> Self {
        let path = std::env::temp_dir().join(format!("{}.{ending}", Uuid::new_v4()));
        fs::write(&path, lines.join("\n")).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn appointments_of_another_system_are_taken_over_once() {
    let salon = Salon::open().await;
    let uid = salon.book_event_type(salon.haircut(), soon(10, 0).1, json!({})).await;
    let given = salon.book_event_type(salon.haircut(), soon(10, 0).1, json!({})).await;
    let file = Lines::of(
        "csv",
        &[
            "id,source,start,service,staff,phone,calcom_uid,cancelled",
            &format!("1,walk-in,{},Haarschnitt,,030 901820,{uid},", soon(10, 0).0),
            // Somebody else with the same number: a booking of their own is an appointment of their own.
            &format!("2,phone,{},Haarschnitt,Ben,030 901820,{given},", soon(10, 0).0),
            &format!("3,phone,{},Farbe,anna,not a number,,", soon(12, 0).0),
            "4,phone,2025-11-12 10:00,Haarschnitt,,,,",
            &format!("5,phone,{},Haarschnitt,,,,true", soon(13, 0).0),
        ],
    );
    let import = ["import", salon.tenant.as_str(), file.path()];
    let (done, shown) = frontdesk(&import);
    assert!(done && shown.contains("5 valid lines") && shown.contains("Dry run: nothing written"), "{shown}");
    for told in [
        "1 to be booked",
        "1 booked, to be assigned",
        "1 booked and assigned",
        "1 skipped: cancelled",
        "1 skipped: past and not booked",
        "line 4: its phone number",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let id = |line: u32| AppointmentId::of_call(&salon.tenant, &CallId::new(format!("import:{line}")));
    assert!(salon.stack.appointments.load(&id(1)).await.unwrap().is_none());

    let (done, shown) = frontdesk(&[import.as_slice(), &["--apply"]].concat());
    assert!(done && shown.contains("3 written, 0 existing"), "{shown}");
    let (_, shown) = frontdesk(&[import.as_slice(), &["--apply"]].concat());
    assert!(shown.contains("0 written, 3 existing"), "{shown}");
    // What the reconciler does, once it is due.
    for line in [1, 3] {
        let waiting = salon.stack.appointment(&id(line)).await;
        assert!(waiting.due(&platform::env::timing().unwrap()).is_some(), "line {line} is found by the reconciler");
        assert_eq!(waiting.source.as_str(), if line == 1 { "walk-in" } else { "phone" });
        let queue = if line == 1 { "staff-assignment" } else { "calcom-booking" };
        let event = sqs_event(&[&salon.stack.message_of(&id(line)).await], 1);
        salon.stack.invoke(queue, &event).await;
        salon.stack.until(&id(line), &[StateName::Assigned]).await;
    }
    assert_eq!(strategy(&salon, &id(2)).await, Some(StrategyName::Imported));
    assert_eq!(salon.bookings_of(salon.haircut()).await.len(), 2, "what was booked is not booked again");
    assert_eq!(salon.bookings_of(salon.color_of("anna")).await.len(), 1);
}

#[tokio::test]
async fn a_file_with_wrong_lines_is_refused_with_each_of_them_named() {
    let salon = Salon::open().await;
    let good = format!(r#"{{"id":"1","start":"{}","service":"Haarschnitt"}}"#, soon(10, 0).0);
    let file = Lines::of(
        "jsonl",
        &[
            &good,
            r#"{"id":"2","start":"tomorrow","service":"Haarschnitt"}"#,
            &good.replace("Haarschnitt", "Massage").replace("\"1\"", "\"3\""),
            r#"{"id":"4"}"#,
            &good.replace("}", r#","staff":"Zoe"}"#).replace("\"1\"", "\"5\""),
            &good,
        ],
    );
    let (done, shown) = frontdesk(&["import", salon.tenant.as_str(), file.path(), "--apply"]);
    assert!(!done && shown.contains("5 lines are invalid, and nothing was written"), "{shown}");
    for told in [
        "line 2: start:",
        "line 3: service:",
        "line 4: missing field",
        "line 5: staff:",
        "line 6: id: duplicates line 1",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let id = AppointmentId::of_call(&salon.tenant, &CallId::new("import:1"));
    assert!(salon.stack.appointments.load(&id).await.unwrap().is_none());
}
