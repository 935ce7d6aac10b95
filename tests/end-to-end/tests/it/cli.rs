//! The operator's command, as it is run.

use std::fs;

use chrono::Utc;
use end_to_end::{MARK, Salon, Stack, eventually, frontdesk, soon, sqs_event};
use scheduling::{
    appointment::{Cause, ReviewReason, State, StateName},
    assignment::StrategyName,
    ids::{HostId, TenantId},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A tenant file of this test's own.
struct TenantFile {
    path: String,
    tenant: Value,
}

impl TenantFile {
    fn new() -> Self {
        let id = format!("garage-{}", Uuid::new_v4());
        let tenant = json!({
            "id": id, "name": "Garage", "time_zone": "Europe/Berlin",
            "retell": {"account": "main", "agent_ids": [format!("agent_{id}")]},
            "calcom": {"account": "local", "placeholder_email_domain": "garage.example"},
            "staff": [{"id": "kim", "name": "Kim"}],
            "services": [{"id": "tyres", "name": "Reifen", "event_types": {"per_staff": {"kim": 5}}}],
            "host_mappings": [{"host": 9, "staff": "kim"}],
        });
        let file = Self { path: std::env::temp_dir().join(format!("{id}.json")).display().to_string(), tenant };
        file.write();
        file
    }

    fn id(&self) -> &str {
        self.tenant["id"].as_str().unwrap()
    }

    fn write(&self) {
        fs::write(&self.path, self.tenant.to_string()).unwrap();
    }
}

impl Drop for TenantFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[tokio::test]
async fn a_tenant_is_shown_before_it_is_written_and_can_be_taken_out_again() {
    let stack = Stack::deployed().await;
    let mut file = TenantFile::new();
    let id = TenantId::new(file.id());
    let (done, printed) = frontdesk(&["tenant", "load", "--offline", &file.path]);
    assert!(
        done && printed.contains("+ staff[kim].id: \"kim\"") && printed.contains("Dry run: nothing written"),
        "{printed}"
    );
    assert!(stack.tenants.record(&id).await.unwrap().is_none());

    assert!(frontdesk(&["tenant", "load", "--offline", &file.path, "--apply"]).0);
    let (_, listed) = frontdesk(&["tenant", "list"]);
    assert!(listed.lines().any(|line| line.starts_with(id.as_str())), "{listed}");
    let record = stack.tenants.record(&id).await.unwrap().unwrap();
    assert_eq!((record.mappings.len(), record.mappings[0].host), (1, HostId(9)));
    assert_eq!(frontdesk(&["tenant", "load", "--offline", &file.path]), (true, format!("{id}: no changes\n")));

    file.tenant["name"] = json!("Garage Nord");
    file.tenant["host_mappings"] = json!([]);
    file.write();
    let (_, printed) = frontdesk(&["tenant", "load", "--offline", &file.path, "--apply"]);
    assert!(printed.contains("~ name: \"Garage\" -> \"Garage Nord\"") && printed.contains("- host_mappings[9].host"));
    assert_eq!(stack.tenants.record(&id).await.unwrap().unwrap().mappings, []);

    assert!(frontdesk(&["tenant", "remove", id.as_str(), "--apply"]).0);
    assert!(stack.tenants.record(&id).await.unwrap().is_none());
    let (done, printed) = frontdesk(&["tenant", "remove", id.as_str()]);
    assert!(!done && printed.contains(&format!("failed to find tenant {id}")), "{printed}");
}

#[tokio::test]
async fn a_check_knows_accounts_and_agents_and_prints_what_differs_alone() {
    let other = Salon::open().await;
    let mut file = TenantFile::new();
    let check = |file: &TenantFile| {
        file.write();
        frontdesk(&["tenant", "check", &file.path])
    };
    let (done, printed) = check(&file);
    assert!(done && printed.contains("is not loaded yet"), "{printed}");
    let (_, loaded) = frontdesk(&["tenant", "load", "--offline", &file.path, "--apply"]);
    assert!(!loaded.contains("country") && loaded.contains("frontdesk tenant hours"), "defaults are no news: {loaded}");
    let (done, printed) = check(&file);
    assert!(done && printed.contains("is loaded and matches the file"), "{printed}");
    file.tenant["name"] = json!("Garage Nord");
    let (done, printed) = check(&file);
    let changes: Vec<&str> = printed.lines().filter(|line| line.starts_with(['+', '-', '~'])).collect();
    assert!(done && changes == ["~ name: \"Garage\" -> \"Garage Nord\""], "{printed}");

    let agents = other.tenant_file().await["retell"]["agent_ids"].clone();
    file.tenant["retell"] = json!({"account": "nobodys", "agent_ids": agents});
    file.tenant["calcom"]["account"] = json!("nobodys");
    let (done, printed) = check(&file);
    for problem in [
        "retell.account: the secret of Retell keys has no account nobodys",
        "calcom.account: the secret of Cal.com keys has no account nobodys",
        &format!("belongs to tenant {}", other.tenant),
    ] {
        assert!(!done && printed.contains(problem), "{problem}: {printed}");
    }
    file.tenant["country"] = json!("XX");
    let (done, printed) = check(&file);
    assert!(!done && printed.contains("country: use a known ISO 3166 country code"), "{printed}");
}

#[tokio::test]
async fn hours_are_drafted_from_what_cal_com_shows_as_bookable() {
    let salon = Salon::open().await;
    let path = std::env::temp_dir().join(format!("{}-hours.json", salon.tenant));
    fs::write(&path, salon.tenant_file().await.to_string()).unwrap();
    let (done, printed) = frontdesk(&["tenant", "hours", path.to_str().unwrap()]);
    fs::remove_file(&path).unwrap();
    let json = printed.find('{').zip(printed.rfind('}')).map(|(from, to)| &printed[from..=to]).unwrap_or_default();
    let draft: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert!(done && draft["hours"]["mon"][0].as_str().is_some_and(|span| span.len() == "09:00-18:00".len()), "{draft}");
    let mut file = salon.tenant_file().await;
    file["hours"] = draft["hours"].clone();
    let tenant: scheduling::tenant::Tenant = serde_json::from_value(file).unwrap();
    assert_eq!(tenant.problems(), []);
}

#[tokio::test]
async fn a_tenant_file_that_makes_no_sense_is_refused_with_the_paths_inside_it() {
    let mut file = TenantFile::new();
    file.tenant["services"][0]["event_types"] = json!({"per_staff": {"tom": 5}});
    file.write();
    let (done, printed) = frontdesk(&["tenant", "load", "--offline", &file.path]);
    assert!(
        !done && printed.contains("services[0].event_types.per_staff.tom: no entry of staff has this id"),
        "{printed}"
    );
    file.tenant["staff"][0]["active"] = json!("yes");
    file.write();
    let (done, printed) = frontdesk(&["tenant", "check", &file.path]);
    assert!(!done && printed.contains("at staff[0].active: invalid type: string"), "{printed}");
}

#[tokio::test]
async fn an_agent_that_is_another_tenants_is_not_taken_over() {
    let (first, mut second) = (TenantFile::new(), TenantFile::new());
    assert!(frontdesk(&["tenant", "load", "--offline", &first.path, "--apply"]).0);
    second.tenant["retell"] = first.tenant["retell"].clone();
    second.write();
    let (done, printed) = frontdesk(&["tenant", "load", "--offline", &second.path]);
    assert!(!done && printed.contains(&format!("belongs to tenant {}", first.id())), "{printed}");
    assert!(frontdesk(&["tenant", "remove", first.id(), "--apply"]).0);
}

#[tokio::test]
async fn an_operator_sees_what_needs_review_and_assigns_it_by_hand() {
    let salon = Salon::open().await;
    let event_type = json!({"id": 0, "minutes": 30, "time_zone": "Europe/Berlin",
        "hosts": [{"id": 1, "name": "x", "email": "stranger@elsewhere.example"}]});
    salon.stack.stand_in(salon.haircut(), "", Some(&event_type)).await;
    let id = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await.id;
    let (_, listed) = frontdesk(&["appointment", "review", salon.tenant.as_str()]);
    assert!(listed.contains(id.as_str()) && listed.contains("booked with somebody who is not known here"), "{listed}");
    assert!(listed.contains(end_to_end::MARK), "who acts sees the customer: {listed}");
    let (done, printed) = frontdesk(&["appointment", "assign", id.as_str(), "nobody"]);
    assert!(!done && printed.contains("failed to find staff member nobody"), "{printed}");
    assert!(frontdesk(&["appointment", "assign", id.as_str(), "ben", "--apply"]).0);
    let State::Assigned { assignment, .. } = salon.stack.appointment(&id).await.state().clone() else { panic!() };
    assert_eq!((assignment.staff.as_str(), assignment.strategy), ("ben", StrategyName::Operator));
    let uid = salon.bookings_of(salon.haircut()).await[0]["uid"].as_str().unwrap().to_owned();
    let (_, shown) = frontdesk(&["appointment", "show", "--output", "json", "--booking", &uid]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["appointment"], &shown["staff"]), (&json!(id), &json!("ben")));
    assert!(!shown.to_string().contains(end_to_end::MARK));
}

#[tokio::test]
async fn a_dead_letter_has_its_appointment_reviewed_and_is_redriven_by_command() {
    let salon = Salon::open().await;
    let record = salon.stack.tenants.record(&salon.tenant).await.unwrap().unwrap();
    let id = salon.store_untold(soon(10, 0).1).await;
    salon.stack.tenants.remove(&record).await.unwrap();
    let event = sqs_event(&[&salon.stack.message_of(&id).await], 5);
    salon.stack.invoke("calcom-booking", &event).await;
    let set_aside = salon.stack.appointment(&id).await;
    let State::NeedsReview { reason: ReviewReason::Stalled, detail, .. } = set_aside.state() else {
        panic!("{set_aside:?}")
    };
    assert!(detail.as_deref().is_some_and(|it| it.starts_with("failed to load the tenant: it is not stored")));

    let (_, listed) = frontdesk(&["dead-letters", "list"]);
    assert!(listed.contains(id.as_str()) && listed.contains("failed to load the tenant: it is not stored"), "{listed}");
    salon.stack.tenants.write(&record.tenant, None, Utc::now()).await.unwrap();
    let redrive = ["dead-letters", "redrive", "--appointment", id.as_str()];
    let said = until_said(&redrive, "1 resent, 0 discarded").await;
    assert!(said, "the letter never came back into its queue");
    assert_eq!(salon.stack.appointment(&id).await.state().name(), StateName::NeedsReview);
    let sent = until_said(&[redrive.as_slice(), &["--apply"]].concat(), "1 resent").await;
    assert!(sent, "the letter never came back into its queue");
    let appointment = salon.stack.until_settled(&id).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    assert!(appointment.history().iter().any(|it| it.cause == Cause::Resumed && it.is_manual()));
}

/// Runs a command until it says something: a letter that was looked at is hidden for a while.
async fn until_said(command: &[&str], wanted: &str) -> bool {
    eventually(async || frontdesk(command).1.contains(wanted).then_some(())).await.is_some()
}

#[tokio::test]
async fn what_needs_review_is_tried_again_by_command_and_shows_what_cal_com_said() {
    let salon = Salon::open().await;
    let text = "something that nobody has seen";
    salon.order_fault("book", 4, json!({"body": {"status": 400, "text": text}})).await;
    let appointment = salon.settle(&salon.haircut_at(&soon(10, 0).0)).await;
    assert_eq!(appointment.state().name(), StateName::NeedsReview);
    let folder = std::env::temp_dir().join(appointment.id.as_str());
    let (said, shown) =
        frontdesk(&["appointment", "exchanges", appointment.id.as_str(), "--into", folder.to_str().unwrap()]);
    let kept: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    fs::remove_dir_all(&folder).unwrap();
    assert!(said && shown.contains("400  30 bytes  POST /v2/bookings {"), "{shown}");
    assert_eq!(kept, vec![text; 4]);
    let (said, _) = frontdesk(&["appointment", "retry", appointment.id.as_str(), "--apply"]);
    assert!(said);
    let assigned = salon.stack.until(&appointment.id, &[StateName::Assigned]).await;
    assert_eq!(assigned.booking().map(|booking| booking.event_type.0), Some(salon.haircut()));
}

#[tokio::test]
async fn all_that_is_stored_of_a_customer_is_handed_out_and_then_erased() {
    let salon = Salon::open().await;
    let call = salon.haircut_at(&soon(10, 0).0);
    let appointment = salon.settle(&call).await;
    let fields = &call.body["call"]["call_analysis"]["custom_analysis_data"];
    let text = |field: &str| fields[field].as_str().unwrap().to_owned();
    let (phone, email, name) = (text("customer_phone"), text("customer_email"), text("customer_name"));
    let of = |command: &'static str, way: &'static str, contact: &str| {
        let of_customer = ["customer", command, "--tenant", salon.tenant.as_str(), way, contact];
        frontdesk(&[of_customer.as_slice(), if command == "erase" { &["--apply"] } else { &[] }].concat())
    };
    for (way, contact) in [("--phone", &phone), ("--email", &email)] {
        let (said, exported) = of("export", way, contact);
        let exported: Value = serde_json::from_str(&exported).unwrap();
        assert!(said);
        assert_eq!(exported["appointments"][0]["appointment"]["request"]["customer"]["name"], json!(name));
        assert!(exported["appointments"][0]["exchanges"][0]["body"].as_str().unwrap().contains(&name));
        assert!(exported["calls"][0]["events"][0]["body"].as_str().unwrap().contains(&name));
    }
    let (said, erased) = of("erase", "--email", &email);
    assert!(said && erased.contains("1 appointments erased") && !erased.contains(MARK), "{erased}");

    let left = salon.stack.appointment(&appointment.id).await;
    assert_eq!((left.state(), left.request.start.at()), (appointment.state(), appointment.request.start.at()));
    assert!(!serde_json::to_string(&left).unwrap().contains(MARK));
    assert!(salon.stack.appointments.exchanges(&appointment.id).await.unwrap().is_empty());
    assert!(salon.stack.calls.events(&salon.tenant, &call.id).await.unwrap().is_empty());
    for (way, contact) in [("--phone", &phone), ("--email", &email)] {
        let (_, exported) = of("export", way, contact);
        let exported: Value = serde_json::from_str(&exported).unwrap();
        assert_eq!((&exported["appointments"], &exported["calls"]), (&json!([]), &json!([])));
    }
}

#[tokio::test]
async fn of_two_people_with_one_number_one_is_handed_out_and_erased_alone() {
    let salon = Salon::open().await;
    let phone = salon.call(json!({})).body["call"]["from_number"].as_str().unwrap().to_owned();
    let call = |name: &str, hour: u32| {
        let mut call = salon.call(json!({"service": "Haarschnitt", "appointment_start": soon(hour, 0).0,
            "customer_name": name, "customer_phone": phone, "customer_email": ""}));
        call.body["call"]["from_number"] = json!(phone);
        call
    };
    let mother = salon.settle(&call("Maria Berger", 10)).await;
    let child = salon.settle(&call("Leon Berger", 11)).await;
    let of = |command: &str, more: &[&str]| {
        frontdesk(&[&["customer", command, "--tenant", salon.tenant.as_str(), "--phone", &phone], more].concat())
    };
    let (done, printed) = of("erase", &["--apply"]);
    assert!(!done && printed.contains("Maria Berger") && printed.contains("Leon Berger"), "{printed}");
    let (done, exported) = of("export", &["--name", "Leon Berger"]);
    assert!(done && exported.contains("Leon Berger") && !exported.contains("Maria"), "{exported}");
    // What is stored outlives the tenant.
    assert!(frontdesk(&["tenant", "remove", salon.tenant.as_str(), "--apply"]).0);
    let (done, printed) = of("erase", &["--name", "Leon Berger", "--apply"]);
    assert!(done && printed.contains("1 appointments erased"), "{printed}");
    assert!(salon.stack.appointment(&child.id).await.is_erased());
    assert!(!salon.stack.appointment(&mother.id).await.is_erased());
    let (done, exported) = of("export", &[]);
    assert!(done && exported.contains("Maria Berger") && !exported.contains("Leon"), "{exported}");
}
