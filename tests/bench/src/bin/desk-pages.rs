//! `desk-pages PLAN [--stored N] [--quick]`: what each page of the desk takes while its tenant has very many appointments.
//! Ends with status 1 if a page takes longer, or is larger, than it may. `tests/run bench --desk` makes the plan and starts it.

use std::{fmt::Write, fs, path::PathBuf, process::ExitCode, time::Duration};

use bench::{
    calls::{self, Calls},
    harness::Harness,
    measurements::{Spread, at_512_mb, print_table},
    operate,
    plan::Plan,
    process::Process,
};
use chrono::{Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use clap::Parser;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What each page of the desk takes.
#[derive(Parser)]
struct Arguments {
    /// What is measured, as `tests/run bench --desk` writes it.
    plan: PathBuf,
    /// So many appointments are stored.
    #[arg(long, default_value_t = 10_000)]
    stored: u64,
    /// Fewer of everything.
    #[arg(long)]
    quick: bool,
}

/// How long AWS takes for each answer, in milliseconds.
const AWS_MS: u64 = 5;
/// So many of a day, half of the days past and half to come.
const A_DAY: u64 = 50;
/// So many wait for a person.
const TO_DO: u64 = 40;
/// At most so long, in milliseconds at 512 MB, and so large, in bytes.
const LONGEST_MS: f64 = 150.0;
const LARGEST: usize = 100_000;
const TENANT: &str = "salon-sommer";
const PERSON: &str = "person";
const SECRET: &str = "secret";

/// What a page takes.
struct Row {
    page: String,
    bytes: usize,
    taken: Vec<Duration>,
    cpu: Vec<Duration>,
    requests: f64,
    read_units: f64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plan = Plan::read(&arguments.plan);
    let harness = Harness::start(&plan).await;
    bench::load_tenant(&plan, &harness).await;
    sign_in(&harness).await;
    eprintln!("storing {} appointments", arguments.stored);
    store_appointments(&plan, &harness, arguments.stored).await;
    let appointment = make_to_dos(&plan, &harness).await;
    harness.take(AWS_MS, 0);
    let desk = start(&plan, &harness, "desk").await;
    let events = if arguments.quick { 20 } else { 100 };
    let of_tenant = |page: &str| format!("/s/{TENANT}/{page}");
    let pages = ["todo", "day", "week", "search", "team", "quality", &format!("appointments/{appointment}")];
    let mut rows = Vec::new();
    for page in pages.iter().map(|page| of_tenant(page)).chain(["/system".to_owned()]) {
        rows.push(measure(&desk, &harness, &page, events).await);
    }
    rows.push(measure(&desk, &harness, &of_tenant("search?q=Kundin%20123"), events).await);
    print(&rows, arguments.stored);
    let is_in_time = |row: &Row| Spread::of(at_512_mb(&row.taken, &row.cpu)).p50 <= LONGEST_MS;
    if rows.iter().all(|row| is_in_time(row) && row.bytes <= LARGEST) {
        return ExitCode::SUCCESS;
    }
    println!("A page takes more than {LONGEST_MS} ms, or has more than {LARGEST} bytes.");
    ExitCode::FAILURE
}

async fn start(plan: &Plan, harness: &Harness, name: &str) -> Process {
    let log = plan.scratch.join(format!("{name}.log"));
    Process::start(name, plan.contender(name), &harness.environment(), &log).await
}

/// A session of somebody who sees everything.
async fn sign_in(harness: &Harness) {
    let now = Utc::now();
    let later = now + TimeDelta::hours(12);
    let text = |value: &str| json!({"S": value});
    let item = json!({
        "person": text(PERSON), "session": text(&hex::encode(Sha256::digest(SECRET))), "name": text("Lena"),
        "csrf": text("token"), "refresh_token": text("-"), "since": text(&now.to_rfc3339()),
        "trusted_until": text(&later.to_rfc3339()), "ends_at": text(&later.to_rfc3339()),
        "expires_at": {"N": later.timestamp().to_string()},
    });
    harness.put_item("SessionsTable", &item).await;
}

/// Appointments of another system, of the days around today.
async fn store_appointments(plan: &Plan, harness: &Harness, stored: u64) {
    let tenant: Value = serde_json::from_str(&fs::read_to_string(&plan.tenant).expect("it can be read")).expect("JSON");
    let staff_of = |service: &'_ Value| service["event_types"]["per_staff"].as_object().cloned();
    let services = tenant["services"].as_array().expect("its services");
    let (service, staff) = services.iter().find_map(|it| Some((it, staff_of(it)?))).expect("a service of named staff");
    let staff: Vec<(String, Value)> = staff.into_iter().collect();
    let first = Utc::now().with_timezone(&Berlin).date_naive() - Days::new(stored / A_DAY / 2);
    let mut lines = String::new();
    for nth in 0..stored {
        let (of_day, (member, event_type)) = (nth % A_DAY, &staff[nth as usize % staff.len()]);
        let opens = (first + Days::new(nth / A_DAY)).and_time(NaiveTime::from_hms_opt(8, 0, 0).expect("a time"));
        let start = opens + TimeDelta::minutes(30) * (of_day as i32 / staff.len() as i32);
        let row = json!({
            "id": format!("bench-{nth}"), "start": start.format("%Y-%m-%d %H:%M").to_string(), "service": service["id"],
            "event_type": event_type, "staff": member, "name": format!("Kundin {nth}"),
            "phone": format!("+4930{:07}", 4_000_000 + nth), "calcom_uid": format!("bench-{nth}"),
        });
        writeln!(lines, "{row}").expect("memory takes it");
    }
    let file = plan.scratch.join("appointments.jsonl");
    fs::write(&file, lines).expect("the scratch folder can be written");
    operate(plan, harness, &["import", TENANT, file.to_str().expect("a readable path"), "--apply"]).await;
}

/// Calls that wait for a person, and the id of one of their appointments.
async fn make_to_dos(plan: &Plan, harness: &Harness) -> String {
    let intake = start(plan, harness, "webhook-intake").await;
    let mut calls = Calls::like(plan);
    let mut last = Value::Null;
    for _ in 0..TO_DO {
        let mut call = calls.make();
        call["call"]["call_analysis"]["custom_analysis_data"]["appointment_start"] = json!("bei Gelegenheit");
        last = intake.api.invoke(&calls::as_event(&call.to_string())).await.body.expect("the intake answers");
    }
    let answer: Value = serde_json::from_str(last["body"].as_str().unwrap_or_default()).expect("it answers in JSON");
    answer["appointment_id"].as_str().unwrap_or_else(|| panic!("no appointment: {answer}")).to_owned()
}

async fn measure(desk: &Process, harness: &Harness, page: &str, events: u64) -> Row {
    let event = event(page);
    let first = body_of(&desk.api.invoke(&event).await.body.expect("the desk answers"), page);
    drop((harness.asked(), harness.units()));
    let mut row = Row {
        page: page.to_owned(),
        bytes: first.len(),
        taken: Vec::new(),
        cpu: Vec::new(),
        requests: 0.0,
        read_units: 0.0,
    };
    for _ in 0..events {
        let cpu = desk.cpu();
        let answered = desk.api.invoke(&event).await;
        row.cpu.push(desk.cpu() - cpu);
        row.taken.push(answered.took);
        body_of(&answered.body.expect("the desk answers"), page);
    }
    row.requests = harness.asked().values().sum::<u64>() as f64 / events as f64;
    row.read_units = harness.units().read / events as f64;
    row
}

/// What a browser of somebody who signed in has API Gateway hand over. What is searched for is posted.
fn event(page: &str) -> Value {
    let (path, search) = page.split_once('?').map_or((page, None), |(path, search)| (path, Some(search)));
    let mut event = calls::with_signature("", None);
    let method = if search.is_some() { "POST" } else { "GET" };
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["method"] = json!(method);
    event["requestContext"]["http"]["path"] = json!(path);
    event["cookies"] = json!([format!("__Host-session={PERSON}.{SECRET}")]);
    event["headers"] = json!({"host": "desk.example", "content-type": "application/x-www-form-urlencoded"});
    event["body"] = json!(search.map(|search| format!("csrf=token&{search}")).unwrap_or_default());
    event
}

fn body_of(answer: &Value, page: &str) -> String {
    assert_eq!(answer["statusCode"], 200, "{page}: {answer}");
    answer["body"].as_str().expect("a page").to_owned()
}

fn print(rows: &[Row], stored: u64) {
    println!(
        "\n{stored} appointments of the tenant, {TO_DO} of other calls to do. Milliseconds at 512 MB, computed from CPU and \
         waiting; AWS answers after {AWS_MS}.\n"
    );
    let cells = |row: &Row| {
        let (warm, cpu) = (Spread::of(at_512_mb(&row.taken, &row.cpu)), Spread::of(row.cpu.clone()));
        let kilobytes = row.bytes as f64 / 1000.0;
        let page = row.page.replace(&format!("/s/{TENANT}/"), "");
        let page =
            page.split_once('/').filter(|(kind, _)| !kind.is_empty()).map_or(page.clone(), |(kind, _)| kind.to_owned());
        vec![
            page,
            format!("{kilobytes:.0}"),
            format!("{:.0}", warm.p50),
            format!("{:.0}", warm.p99),
            format!("{:.1}", cpu.p50),
            format!("{:.0}", row.requests),
            format!("{:.1}", row.read_units),
        ]
    };
    let heads = ["page", "kB", "warm p50", "p99", "CPU", "requests", "read units"];
    print_table(&heads, &rows.iter().map(cells).collect::<Vec<_>>());
}
