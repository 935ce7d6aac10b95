//! `replay-staff-assignment events/incidents/2025-10-staff-assignment.json`: has the twenty appointments of the incident
//! go through the deployed stack, prints its counters and ours, and then tells it as it happened: with a version that
//! loses the hosts. Ends with status 1 if a figure is not what it should be, or the version is not named.
//! `tests/replay` starts it.

use std::{env, fs, path::Path, process::ExitCode};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use end_to_end::{Alerts, Stack, eventually, frontdesk, soon, variable};
use quality::{
    rate::Rate,
    regression::Regression,
    report::Report,
    rules::{Measurement, Verdict},
    summary::Ratio,
};
use scheduling::{
    appointment::{Appointment, Cause, State, StateName},
    booking::HostEvidence,
    ids::{AppointmentId, CallId},
    tenant::Tenant,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The incident, as its file tells it.
#[derive(Deserialize)]
struct Incident {
    then: Value,
    staff: Vec<String>,
    host_mappings: Value,
    cases: Vec<Case>,
    after_the_fix: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    id: u32,
    service: Option<String>,
    then: String,
    /// Who looks after the customer who came by no call.
    walk_in: Option<String>,
}

/// Where the report is left, for whoever wants to look at it.
const REPORTS: &str = ".frontdesk/reports";
/// The incident's host, and then those of the others on its staff.
const FIRST_HOST: u64 = 1_414_768;
/// Cal.com's event types for the services 32, 41 and 47; and the one that is the walk-in's staff member's own.
const EVENT_TYPES: [(&str, u64); 3] = [("32", 32_000), ("41", 41_000), ("47", 47_000)];
const OWN_EVENT_TYPE: u64 = 32_001;

/// A business as it was in October.
struct Salon {
    stack: Stack,
    tenant: Tenant,
    /// How many starts are taken.
    starts: i32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let path = env::args().nth(1).expect("usage: replay-staff-assignment INCIDENT.json");
    let text = fs::read_to_string(path).expect("the incident's file can be read");
    let incident: Incident = serde_json::from_str(&text).expect("the incident has its form");
    let mut salon = Salon::open(&incident).await;
    let alerts = Alerts::subscribe(&salon.stack).await;

    let mut settled = Vec::new();
    for case in &incident.cases {
        let id = salon.feed_in(case).await;
        settled.push((case, salon.until_settled(&id).await));
    }
    let good = salon.evaluate().await;
    print_cases(&settled);
    print_figures(&incident, &good);
    let is_good = targets_hold(&good, &settled);

    println!("\nThen a version that loses the hosts, as on 6 October:");
    let calcom = variable("CALCOM_BASE_URL");
    salon.stack.deploy("2025-10-06-fix", &format!("{calcom}/without-hosts")).await;
    for service in &incident.after_the_fix {
        let id = salon.call(Some(service)).await;
        salon.stack.until_settled(&id).await;
    }
    let bad = salon.evaluate().await;
    leave(&bad);
    let told = alerts.received("version_regression").await;
    let is_caught = is_named(&bad, "2025-10-06-fix")
        && told.len() == 1
        && told.iter().any(|told| told.text.contains("host_extraction"));
    told.iter().for_each(|told| println!("\n{}\n{}", told.subject, told.text));

    println!("Then one that has them again:");
    salon.stack.deploy("2025-10-07", &calcom).await;
    for _ in 0..3 {
        let id = salon.call(Some("47")).await;
        salon.stack.until_settled(&id).await;
    }
    let mended = salon.evaluate().await;
    let cleared = alerts.received("cleared: version_regression").await;
    cleared.iter().for_each(|told| println!("{}", told.subject));
    let is_cleared = mended.regressed_versions().is_empty() && cleared.len() == 1;
    println!("\nfigures as they should be: {is_good}; the version is named: {is_caught}; and cleared: {is_cleared}");
    if is_good && is_caught && is_cleared { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Salon {
    async fn open(incident: &Incident) -> Self {
        let stack = Stack::deployed().await;
        let services: Vec<Value> = EVENT_TYPES
            .iter()
            .map(|(id, event_type)| {
                let own = if *id == "32" { json!({"staff-b": OWN_EVENT_TYPE}) } else { json!({}) };
                json!({"id": id, "name": format!("Service {id}"),
                       "event_types": {"round_robin": event_type, "per_staff": own}})
            })
            .collect();
        let staff = incident.staff.iter().map(|id| json!({"id": id, "name": id, "emails": [email(id)]}));
        let tenant: Tenant = serde_json::from_value(json!({
            "id": "october", "name": "October", "time_zone": "Europe/Berlin",
            "retell": {"account": "main", "agent_ids": ["agent_october"]},
            "calcom": {"account": "local", "placeholder_email_domain": "october.example"},
            "staff": staff.collect::<Vec<_>>(), "services": services, "host_mappings": incident.host_mappings,
        }))
        .expect("a tenant");
        assert_eq!(tenant.problems(), []);
        stack.tenants.write(&tenant, None, Utc::now()).await.expect("the tenant is loaded");
        let host = |(nth, id): (usize, &String)| json!({"id": FIRST_HOST + nth as u64, "name": id, "email": email(id)});
        let hosts: Vec<Value> = incident.staff.iter().enumerate().map(host).collect();
        // An incident of days is replayed in a minute.
        stack.put_to_calcom("/_stand-in", &json!({"requests_per_minute": 100_000})).await;
        let offer = async |id: u64, hosts: Value| {
            let offered = json!({"id": id, "minutes": 30, "time_zone": "Europe/Berlin", "hosts": hosts, "team": 1});
            stack.stand_in(id, "", Some(&offered)).await;
        };
        for (_, event_type) in EVENT_TYPES {
            offer(event_type, json!(hosts)).await;
        }
        offer(OWN_EVENT_TYPE, json!([hosts[1]])).await;
        Self { stack, tenant, starts: 0 }
    }

    /// A start that nobody has yet.
    fn start(&mut self) -> String {
        let (_, first) = soon(9, 0);
        self.starts += 1;
        let start: DateTime<Utc> = first + TimeDelta::minutes(30) * (self.starts % 17);
        let start = start + TimeDelta::weeks(1) * (self.starts / 17);
        start.with_timezone(&Berlin).format("%Y-%m-%d %H:%M").to_string()
    }

    /// Nothing was sent of what was imported: the reconciler finds it.
    async fn until_settled(&self, id: &AppointmentId) -> Appointment {
        let settled = async || {
            let appointment = self.stack.appointment(id).await;
            if appointment.history()[0].cause == Cause::Imported && appointment.is_in_progress() {
                self.stack.invoke("sync-reconciler", &json!({})).await;
            }
            (!appointment.is_in_progress()).then_some(appointment)
        };
        eventually(settled).await.expect("it is settled")
    }

    async fn feed_in(&mut self, case: &Case) -> AppointmentId {
        match &case.walk_in {
            Some(staff) => self.import(case, staff),
            None => self.call(case.service.as_deref()).await,
        }
    }

    async fn call(&mut self, service: Option<&str>) -> AppointmentId {
        let start = self.start();
        let call = format!("call_october_{}", self.starts);
        let body = json!({"event": "call_analyzed", "call": {
            "call_type": "phone_call", "call_id": call, "agent_id": "agent_october",
            "call_analysis": {"custom_analysis_data": {
                "service": service.map(|id| format!("Service {id}")), "appointment_start": start,
                "customer_name": "Customer", "customer_email": format!("{call}@beispiel.example")}}}});
        let answer = self.stack.deliver(&body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.appointment()
    }

    /// Imports the customer who came by no call, twice: the second time nothing happens.
    fn import(&mut self, case: &Case, staff: &str) -> AppointmentId {
        let file = env::temp_dir().join(format!("october-{}.csv", std::process::id()));
        let service = case.service.as_deref().unwrap_or_default();
        let lines =
            format!("id,source,start,service,staff\n{},walk-in,{},Service {service},{staff}\n", case.id, self.start());
        fs::write(&file, lines).expect("the file is written");
        for told in ["1 written", "1 existing"] {
            let (_, printed) = frontdesk(&["import", "october", &file.display().to_string(), "--apply"]);
            assert!(printed.contains(told), "{printed}");
        }
        fs::remove_file(&file).expect("the file is there");
        AppointmentId::of_call(&self.tenant.id, &CallId::new(format!("import:{}", case.id)))
    }

    /// One evaluation of the monitor.
    async fn evaluate(&self) -> Report {
        let answer = self.stack.invoke("quality-monitor", &json!({"daily": false})).await;
        serde_json::from_value(answer["report"].clone()).unwrap_or_else(|_| panic!("{answer}"))
    }
}

/// Leaves a report for whoever wants to look at it.
fn leave(report: &Report) {
    fs::create_dir_all(REPORTS).expect("the folder is made");
    let left = [("json", serde_json::to_string(report).unwrap_or_default()), ("html", quality::html::page(report))];
    for (ending, content) in left {
        fs::write(Path::new(REPORTS).join(format!("2025-10.{ending}")), content).expect("the report is written");
    }
}

fn email(staff: &str) -> String {
    format!("{staff}@october.example")
}

fn hosts_of(appointment: &Appointment) -> String {
    match appointment.booking().map(|booking| &booking.hosts) {
        Some(HostEvidence::Named(hosts)) => hosts.first().id.to_string(),
        Some(HostEvidence::None { .. }) => "none".to_owned(),
        None => "not booked".to_owned(),
    }
}

fn print_cases(settled: &[(&Case, Appointment)]) {
    println!("\n| case | then | host now | now |\n|---|---|---|---|");
    for (case, appointment) in settled {
        let now = match appointment.state() {
            State::Assigned { assignment, .. } => format!("{}, by {}", assignment.staff, assignment.strategy.as_str()),
            State::NeedsReview { reason, detail, .. } => {
                format!("needs_review: {reason} ({})", detail.as_deref().unwrap_or_default())
            }
            other => other.name().to_string(),
        };
        println!("| {} | {} | {} | {now} |", case.id, case.then, hosts_of(appointment));
    }
}

fn print_figures(incident: &Incident, report: &Report) {
    println!("\n| | then | target | Frontdesk |\n|---|---|---|---|");
    for rate in Rate::ALL {
        let then = match &incident.then[rate.as_str()] {
            Value::Array(of) => {
                Ratio { met: of[0].as_u64().unwrap_or_default(), of: of[1].as_u64().unwrap_or_default() }.to_string()
            }
            _ => "not measured".to_owned(),
        };
        println!("| {} | {then} | {} | {} |", rate.title(), rate.target(), report.overall.rate(rate));
    }
}

/// Every target is met, every booking has its host, and whatever is not assigned is known with its reason.
fn targets_hold(report: &Report, settled: &[(&Case, Appointment)]) -> bool {
    let all_met = Rate::ALL.into_iter().all(|rate| report.is_on_target(rate) == Some(true));
    let hosts = report.overall.rate(Rate::HostExtraction);
    let unassigned = settled.iter().filter(|(_, appointment)| appointment.state().name() != StateName::Assigned);
    let unassigned: Vec<u32> = unassigned.map(|(case, _)| case.id).collect();
    println!("\nnot assigned: {unassigned:?}");
    all_met && hosts.met == hosts.of && unassigned == [571] && report.overall.appointments == settled.len() as u64
}

/// Whether one version is named, for its hosts.
fn is_named(report: &Report, version: &str) -> bool {
    let named = report.active_alerts().filter_map(|alarm| match &alarm.verdict {
        Verdict::Bad(Measurement::Version(worse)) => Some(worse),
        _ => None,
    });
    let named: Vec<&Regression> = named.collect();
    matches!(named.as_slice(), [worse] if worse.version == version && worse.rates[0].rate == Rate::HostExtraction)
}
