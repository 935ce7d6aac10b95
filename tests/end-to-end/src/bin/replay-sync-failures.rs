//! `replay-sync-failures events/incidents/2025-11-sync-failures.json`: feeds an incident in as it was, has nobody act, and prints what
//! became of each case then and now. Ends with status 1 if it is not what it should be. `tests/replay` starts it.

use std::{collections::BTreeMap, env, fs, process::ExitCode};

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Europe::Berlin;
use end_to_end::{Call, Salon, eventually};
use scheduling::{
    appointment::{Appointment, CancelReason, State, StateName},
    ids::AppointmentId,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// An incident, as its file tells it.
#[derive(Deserialize)]
struct Incident {
    now: String,
    then: Value,
    never_sent: NeverSent,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct NeverSent {
    count: usize,
    service: String,
    from: NaiveDate,
}

#[derive(Deserialize)]
struct Case {
    id: u32,
    then: String,
    asks: AppointmentRequest,
    /// Whose number calls; a name for a customer who calls twice.
    #[serde(default)]
    customer: Option<String>,
    #[serde(default)]
    caller: Option<String>,
    #[serde(default)]
    host_is_busy: bool,
    /// How large the error is that Cal.com answers first.
    #[serde(default)]
    first_answer_bytes: Option<usize>,
}

#[derive(Deserialize)]
struct AppointmentRequest {
    service: String,
    #[serde(default)]
    staff: Option<String>,
    start: String,
}

/// At most so many of the named cases may need a person.
const MOST_FOR_A_PERSON: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let path = env::args().nth(1).expect("usage: replay-sync-failures INCIDENT.json");
    let text = fs::read_to_string(&path).expect("the incident's file can be read");
    let incident: Incident = serde_json::from_str(&text).expect("the incident has its form");
    let salon = Salon::open().await;
    // An incident of days is replayed in a minute.
    salon.stack.put_to_calcom("/_stand-in", &json!({"requests_per_minute": 100_000})).await;
    let shift = shift(local(&incident.now));

    let mut never_sent = Vec::new();
    for nth in 0..incident.never_sent.count {
        never_sent.push(store_unsent(&salon, &incident.never_sent, shift, nth).await);
    }
    let mut fed_in = Vec::new();
    for case in &incident.cases {
        let id = feed_in(&salon, case, &incident.now, shift).await;
        // One after the other, so that an error that is meant for one case meets no other.
        fed_in.push((case, salon.stack.until_settled(&id).await));
    }
    let mut sent_at_last = Vec::new();
    for id in &never_sent {
        let is_settled = async || {
            salon.stack.invoke("sync-reconciler", &json!({})).await;
            let appointment = salon.stack.appointment(id).await;
            matches!(appointment.state().name(), StateName::Assigned | StateName::NeedsReview).then_some(appointment)
        };
        sent_at_last.extend(eventually(is_settled).await);
    }

    let whole_answers = whole_answers(&salon, &fed_in).await;
    print(&incident, &fed_in, &sent_at_last, whole_answers);
    let is_right = fed_in.iter().all(|(case, appointment)| ends_as_it_should(case, appointment));
    let all_sent = sent_at_last.iter().filter(|sent| sent.state().name() == StateName::Assigned).count();
    let for_a_person = fed_in.iter().filter(|(_, appointment)| needs_a_person(appointment)).count();
    leave_to(&salon).await;
    let holds =
        is_right && all_sent == never_sent.len() && for_a_person <= MOST_FOR_A_PERSON && whole_answers == Some(true);
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Leaves what needs a person to one who may sign in to the desk.
async fn leave_to(salon: &Salon) {
    let Ok(path) = env::var("INCIDENT") else { return };
    let email = salon.stack.invite("Lena", &format!("tenant.{}", salon.tenant)).await;
    let left = json!({"tenant": salon.tenant, "email": email});
    fs::write(path, left.to_string()).expect("the file can be written");
}

fn local(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a local time")
}

/// By how many weeks the incident lies back: with that, its now is at most a week ahead of ours and weekdays stay.
fn shift(then: NaiveDateTime) -> TimeDelta {
    let since = Utc::now().with_timezone(&Berlin).naive_local() - then;
    TimeDelta::weeks(since.num_weeks() + 1)
}

/// A time of the incident's as one of ours. What was past then is so now, too, by at least a week.
fn moved(text: &str, then: &str, shift: TimeDelta) -> NaiveDateTime {
    let start = local(text);
    if start < local(then) { start + shift - TimeDelta::weeks(2) } else { start + shift }
}

fn instant(local: NaiveDateTime) -> DateTime<Utc> {
    Berlin.from_local_datetime(&local).earliest().expect("it exists on the clock").to_utc()
}

async fn store_unsent(salon: &Salon, unsent: &NeverSent, shift: TimeDelta, nth: usize) -> AppointmentId {
    assert_eq!(unsent.service, "Haarschnitt", "that is what a stored request of the tests asks for");
    let opening = (unsent.from + shift).and_hms_opt(9, 0, 0).expect("a time");
    // Two hosts, eighteen half hours a day.
    let start = opening + TimeDelta::minutes(30) * i32::try_from(nth % 18).unwrap_or_default();
    salon.store_untold_at(Utc::now() - TimeDelta::days(6), instant(start)).await
}

/// Prepares Cal.com as it was and delivers the call.
async fn feed_in(salon: &Salon, case: &Case, then: &str, shift: TimeDelta) -> AppointmentId {
    let start = moved(&case.asks.start, then, shift);
    if let (true, Some(staff)) = (case.host_is_busy, &case.asks.staff) {
        salon.book_event_type(salon.color_of(staff), instant(start), json!({})).await;
    }
    if let Some(bytes) = case.first_answer_bytes {
        salon.order_fault("book", 1, json!({"body": {"status": 400, "text": "?".repeat(bytes)}})).await;
    }
    let mut call = salon.call(json!({
        "service": case.asks.service, "staff_member": case.asks.staff,
        "appointment_start": start.format("%Y-%m-%d %H:%M").to_string(),
    }));
    // What is past by now was still to come when it was said.
    let said_at = Utc::now().min(instant(start) - TimeDelta::days(1));
    call.body["call"]["start_timestamp"] = json!(said_at.timestamp_millis());
    as_its_customer(&mut call, case);
    salon.deliver(&call).await
}

fn as_its_customer(call: &mut Call, case: &Case) {
    let fields = &mut call.body["call"]["call_analysis"]["custom_analysis_data"];
    if let Some(name) = &case.customer {
        fields["customer_name"] = json!(name);
        fields["customer_email"] = json!(format!("{name}@beispiel.example"));
    }
    if let Some(caller) = &case.caller {
        (fields["customer_phone"], fields["customer_email"]) = (json!(caller), Value::Null);
        call.body["call"]["from_number"] = json!(caller);
    }
}

fn needs_a_person(appointment: &Appointment) -> bool {
    appointment.state().name() == StateName::NeedsReview
}

fn ends_as_it_should(case: &Case, appointment: &Appointment) -> bool {
    match (case.then.as_str(), appointment.state()) {
        ("past", State::Cancelled { reason: CancelReason::Past, .. }) => true,
        ("host_conflict", State::NeedsReview { proposals, .. }) => !proposals.is_empty(),
        ("uninvestigated" | "no_staff" | "no_email", State::Assigned { .. }) => true,
        _ => false,
    }
}

/// Whether the error that was cut off then is kept whole now. `None` where the incident has none.
async fn whole_answers(salon: &Salon, fed_in: &[(&Case, Appointment)]) -> Option<bool> {
    let mut whole = None;
    for (case, appointment) in fed_in {
        let Some(bytes) = case.first_answer_bytes else { continue };
        let exchanges = salon.stack.appointments.exchanges(&appointment.id).await.expect("the exchanges are stored");
        let is_whole = exchanges.iter().any(|answer| answer.exchange.body.len() == bytes);
        whole = Some(whole.unwrap_or(true) && is_whole);
    }
    whole
}

fn print(incident: &Incident, fed_in: &[(&Case, Appointment)], sent_at_last: &[Appointment], whole: Option<bool>) {
    println!("\n| case | then | now | attempts |\n|---|---|---|---|");
    for (case, appointment) in fed_in {
        println!("| {} | {} | {} | {} |", case.id, case.then, told(appointment), appointment.attempts());
    }
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    sent_at_last.iter().for_each(|sent| *states.entry(told(sent)).or_default() += 1);
    let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    println!("| {} never sent | stuck | {} | |", incident.never_sent.count, states.join(", "));
    let count = |name: StateName| fed_in.iter().filter(|(_, appointment)| appointment.state().name() == name).count();
    let then = |what: &str, when: &str| incident.then[what][when].clone();
    let (before, after) = ("before", "after_remediation_by_hand");
    println!("\n| | then | then, after work by hand | Frontdesk, nobody acting |\n|---|---|---|---|");
    let failed = fed_in.iter().filter(|(case, appointment)| !ends_as_it_should(case, appointment)).count();
    println!("| failed | {} | {} | {failed} |", then("failed", before), then("failed", after));
    let for_a_person = count(StateName::NeedsReview);
    println!("| for a person | {} | {} | {for_a_person} |", then("for_a_person", before), then("for_a_person", after));
    println!("| cancelled as past | | | {} |", count(StateName::Cancelled));
    println!("| booked and assigned | | | {} |", count(StateName::Assigned));
    println!(
        "| never sent | {0} | {0} | {1} |",
        incident.never_sent.count,
        incident.never_sent.count - sent_at_last.len()
    );
    println!("| whole error kept | no | no | {} |", if whole == Some(true) { "yes" } else { "no" });
}

fn told(appointment: &Appointment) -> String {
    let name = appointment.state().name();
    match appointment.state() {
        State::NeedsReview { reason, proposals, .. } => format!("{name}: {reason}, {} proposals", proposals.len()),
        State::Cancelled { reason, .. } => format!("{name}: {}", reason.as_str()),
        _ => name.to_string(),
    }
}
