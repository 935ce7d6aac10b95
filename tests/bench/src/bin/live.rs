//! `live PLAN [--quick]`: how long a caller waits for a tool, beside the same two tools written the ordinary way in
//! Node.js. `tests/run bench --live` makes the plan and starts it.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use bench::{
    calls,
    harness::Harness,
    measurements::{Spread, at_512_mb, milliseconds, print_table},
    plan::Plan,
    process::Process,
};
use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Europe::Berlin;
use clap::Parser;
use serde_json::{Value, json};

/// How long a caller waits.
#[derive(Parser)]
struct Arguments {
    /// What is measured, as `tests/run bench --live` writes it.
    plan: PathBuf,
    /// Fewer of everything.
    #[arg(long)]
    quick: bool,
}

/// How long AWS and Cal.com take for each answer, in milliseconds.
const AWS_MS: u64 = 5;
const CALCOM_MS: u64 = 300;
/// So many call for one slot at the same moment.
const CALLERS: usize = 50;

struct Bench {
    plan: Plan,
    harness: Harness,
    made: u64,
}

/// What one contender takes for one tool.
struct Row {
    contender: &'static str,
    tool: &'static str,
    warm: Vec<Duration>,
    warm_cpu: Vec<Duration>,
    cold: Vec<Duration>,
    cold_cpu: Vec<Duration>,
    asked: BTreeMap<String, u64>,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let plan = Plan::read(&arguments.plan);
    let harness = Harness::start(&plan).await;
    let mut bench = Bench { plan, harness, made: 0 };
    bench::load_tenant(&bench.plan, &bench.harness).await;
    bench.harness.take(AWS_MS, CALCOM_MS);
    let (starts, events) = if arguments.quick { (5, 20) } else { (20, 100) };
    // What the account has at Cal.com is read once in four hours, not by the first caller of each process.
    bench.measure("voice-tools", "book_appointment", 0, 1).await;
    let mut rows = Vec::new();
    for contender in ["node-tools", "voice-tools"] {
        for tool in ["check_availability", "book_appointment"] {
            eprintln!("{contender}: {starts} starts and {events} calls of {tool}");
            rows.push(bench.measure(contender, tool, starts, events).await);
        }
    }
    print(&rows);
    eprintln!("voice-tools: {CALLERS} callers for one slot");
    bench.fifty_callers().await;
}

impl Bench {
    async fn measure(&mut self, contender: &'static str, tool: &'static str, starts: usize, events: usize) -> Row {
        let empty = Vec::new;
        let mut row = Row {
            contender,
            tool,
            warm: empty(),
            warm_cpu: empty(),
            cold: empty(),
            cold_cpu: empty(),
            asked: BTreeMap::new(),
        };
        for _ in 0..starts {
            let process = self.start(contender).await;
            let event = self.event(tool);
            let ready = process.api.ready().await - process.started;
            // Lambda starts a process with a whole core.
            let cpu = process.cpu();
            let took = answered(&process, &event).await;
            row.cold.push(ready + took);
            row.cold_cpu.push(process.cpu() - cpu);
        }
        let process = self.start(contender).await;
        let event = self.event(tool);
        answered(&process, &event).await;
        self.harness.asked();
        for _ in 0..events {
            let (event, cpu) = (self.event(tool), process.cpu());
            row.warm.push(answered(&process, &event).await);
            row.warm_cpu.push(process.cpu() - cpu);
        }
        row.asked = self.harness.asked();
        row
    }

    /// One slot of one host, and a process for each caller.
    async fn fifty_callers(&mut self) {
        let mut processes = Vec::new();
        for _ in 0..CALLERS {
            let process = self.start("voice-tools").await;
            let event = self.event("list_services");
            answered(&process, &event).await;
            processes.push(process);
        }
        let start = self.next_start();
        let events: Vec<Value> = (0..CALLERS).map(|_| self.booking("Farbe", "Lena", start)).collect();
        let began = Instant::now();
        let answers = futures_util::future::join_all(processes.iter().zip(&events).map(async |(process, event)| {
            let answered = process.api.invoke(event).await;
            (body_of(&answered.body.expect("it answers")), answered.took)
        }))
        .await;
        let count = |status: &str| answers.iter().filter(|(body, _)| body["status"] == status).count();
        let longest = answers.iter().map(|(_, took)| *took).max().unwrap_or_default();
        println!(
            "\n{CALLERS} callers for one slot, each with a process: {} booked, {} hear alternatives, {} that it is being \
             entered; the longest wait {:.0} ms, all {:.0} ms",
            count("booked"),
            count("not_free"),
            count("being_entered"),
            milliseconds(longest),
            milliseconds(began.elapsed()),
        );
        assert_eq!(count("booked"), 1, "{answers:?}");
    }

    async fn start(&self, name: &str) -> Process {
        let log = self.plan.scratch.join(format!("{name}.log"));
        Process::start(name, self.plan.contender(name), &self.harness.environment(), &log).await
    }

    /// Another caller for another time each time.
    fn event(&mut self, tool: &'static str) -> Value {
        match tool {
            "book_appointment" => {
                let start = self.next_start();
                self.booking("Haarschnitt", "", start)
            }
            // Each time an earlier day, so that none is answered by what was listed for the one before.
            "check_availability" => {
                self.made += 1;
                let start = self.next_start() + TimeDelta::days(300 - (self.made % 250) as i64);
                self.called(tool, &json!({"service": "Haarschnitt", "wish": written(start)}))
            }
            _ => self.called(tool, &json!({})),
        }
    }

    fn booking(&mut self, service: &str, staff: &str, start: DateTime<Utc>) -> Value {
        let args = json!({"service": service, "staff": staff, "start": written(start), "name": "Erika Beispiel"});
        self.called("book_appointment", &args)
    }

    fn called(&mut self, tool: &str, args: &Value) -> Value {
        self.made += 1;
        let like: Value = serde_json::from_str(&fs::read_to_string(&self.plan.call).expect("the call can be read"))
            .expect("it is JSON");
        let call = json!({
            "call_id": format!("call_live{:08}", self.made), "agent_id": like["call"]["agent_id"],
            "call_type": "phone_call", "direction": "inbound", "to_number": like["call"]["to_number"],
            "from_number": format!("+4930{:07}", 3_000_000 + self.made),
        });
        let mut event = calls::as_event(&json!({"name": tool, "args": args, "call": call}).to_string());
        event["rawPath"] = json!(format!("/tools/{tool}"));
        event
    }

    fn next_start(&mut self) -> DateTime<Utc> {
        self.made += 1;
        let day = Utc::now().with_timezone(&Berlin).date_naive() + Days::new(2 + self.made / 20);
        let early = day.and_time(NaiveTime::from_hms_opt(8, 0, 0).expect("a time"));
        let local = early + TimeDelta::minutes(30) * (self.made % 20) as i32;
        Berlin.from_local_datetime(&local).earliest().expect("a time").to_utc()
    }
}

fn written(start: DateTime<Utc>) -> String {
    start.with_timezone(&Berlin).to_rfc3339()
}

async fn answered(process: &Process, event: &Value) -> Duration {
    let answered = process.api.invoke(event).await;
    let body = body_of(&answered.body.unwrap_or_else(|error| panic!("the tool failed: {error}")));
    assert!(["free", "booked", "listed"].iter().any(|status| body["status"] == *status), "{body}");
    answered.took
}

fn body_of(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default()
}

fn print(rows: &[Row]) {
    println!(
        "\nMilliseconds at 512 MB, computed from CPU and waiting; Cal.com answers after {CALCOM_MS}, AWS after {AWS_MS}.\n"
    );
    let cells = |row: &Row| {
        let warm = Spread::of(at_512_mb(&row.warm, &row.warm_cpu));
        let cold = Spread::of(at_512_mb(&row.cold, &row.cold_cpu));
        let cpu = Spread::of(row.warm_cpu.clone());
        let times = warm.p50 / CALCOM_MS as f64;
        [warm.p50, warm.p99, cold.p50, cold.p99, cold.p50 - warm.p50, cpu.p50]
            .map(|value| format!("{value:.0}"))
            .into_iter()
            .chain([format!("{times:.2}")])
            .collect::<Vec<_>>()
    };
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|row| [row.contender.to_owned(), row.tool.to_owned()].into_iter().chain(cells(row)).collect())
        .collect();
    let heads = ["", "", "warm p50", "p99", "cold p50", "p99", "cold - warm", "CPU", "warm / Cal.com"];
    print_table(&heads, &table);
    println!();
    for row in rows.iter().filter(|row| !row.warm.is_empty()) {
        let each = |(kind, times): (&String, &u64)| format!("{:.2} {kind}", *times as f64 / row.warm.len() as f64);
        let asked: Vec<String> = row.asked.iter().map(each).collect();
        println!("{} {}: {}", row.contender, row.tool, asked.join(", "));
    }
}
