//! `bench PLAN [--quick]`: how fast, small and sparing each function is, beside an empty one and beside the ordinary way
//! in Python and Node.js. `tests/run bench` makes the plan and starts it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Duration,
};

use bench::{
    calls::{self, Calls},
    cost,
    harness::{Harness, Stored, Units},
    measurements::{Figures, Spread, Webhook, milliseconds, print_table},
    plan::Plan,
    process::Process,
};
use clap::Parser;
use serde::Serialize;
use serde_json::{Value, json};

/// How fast, small and sparing each function is.
#[derive(Parser)]
struct Arguments {
    /// What is measured, as `tests/run bench` writes it.
    plan: PathBuf,
    /// Fewer events, and no growth over thousands.
    #[arg(long)]
    quick: bool,
    /// The figures of `webhook-intake` and of these alone, without what compares; `growth` for that.
    #[arg(long, value_delimiter = ',')]
    only: Option<Vec<String>>,
}

/// How long AWS takes for each answer, in milliseconds, as within one region.
const AWS_MS: u64 = 5;
/// How long Cal.com takes where that is not what is measured.
const CALCOM_MS: u64 = 10;
/// How long Cal.com takes where a batch is compared with one booking.
const SLOW_CALCOM_MS: u64 = 300;
const BATCH: usize = 10;
/// What has `quality-monitor` count and look, and report nothing.
const HOURLY: &str = r#"{"daily": false}"#;

/// How much of everything.
struct Extent {
    starts: usize,
    events: usize,
    bookings: usize,
    growth: usize,
    sweeps: usize,
}

/// What the bench knows between its measurements.
struct Bench {
    plan: Plan,
    harness: Harness,
    calls: Calls,
    extent: Extent,
    only: Option<Vec<String>>,
}

/// Where the events of a function come from.
#[derive(Clone, Copy, PartialEq)]
enum Events {
    /// New calls.
    Calls,
    /// What intake has sent: appointments to book.
    Bookings,
    /// What booking has sent: appointments to assign.
    Assignments,
    /// The same each time.
    Same(&'static str),
}

#[derive(Serialize)]
struct Growth {
    function: String,
    events: usize,
    /// The CPU of an event in a new process and in one that has seen all those events, given out in turn.
    cpu_ms: (f64, f64),
    /// After the first tenth and at the end, in bytes.
    resident: (u64, u64),
}

#[derive(Serialize)]
struct BatchOfTen {
    one_ms: f64,
    ten_ms: f64,
}

#[derive(Serialize)]
struct Results {
    aws_ms: u64,
    calcom_ms: u64,
    figures: BTreeMap<String, Figures>,
    batch: BatchOfTen,
    growth: Vec<Growth>,
    units_of_counting: f64,
    webhooks: BTreeMap<String, Webhook>,
    stored: Stored,
    metrics: usize,
    by_memory: Vec<cost::AtMemory>,
    cost: Vec<cost::Month>,
    goals: Vec<Goal>,
}

#[derive(Serialize)]
struct Goal {
    figure: String,
    goal: String,
    measured: String,
    reached: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let plan = Plan::read(&arguments.plan);
    let harness = Harness::start(&plan).await;
    let extent = if arguments.quick {
        Extent { starts: 5, events: 100, bookings: 50, growth: 0, sweeps: 5 }
    } else {
        Extent { starts: 20, events: 1000, bookings: 200, growth: 10_000, sweeps: 50 }
    };
    let mut bench = Bench { calls: Calls::like(&plan), plan, harness, extent, only: arguments.only };
    bench::load_tenant(&bench.plan, &bench.harness).await;
    bench.harness.take(AWS_MS, CALCOM_MS);
    let figures = bench.figures().await;
    if bench.only.is_some() {
        print_figures(&figures);
        if bench.only.iter().flatten().any(|wanted| wanted == "growth") {
            print_growth(&bench.growth().await);
        }
        return;
    }
    let results = bench.compare(figures).await;
    results.print();
    let text = serde_json::to_string_pretty(&results).expect("numbers and names");
    fs::write(&bench.plan.results, text).expect("the results can be written");
    println!("\nThe same as JSON: {}", bench.plan.results.display());
}

impl Bench {
    async fn figures(&mut self) -> BTreeMap<String, Figures> {
        let mut figures = BTreeMap::new();
        let bookings = self.record(&mut figures, "floor", Events::Same("{}")).await;
        assert!(bookings.is_empty(), "the floor asks for nothing");
        for intake in ["python-intake", "node-intake", "webhook-intake"] {
            let sent = self.record(&mut figures, intake, Events::Calls).await;
            let booking = match intake {
                "python-intake" => "python-booking",
                "node-intake" => "node-booking",
                _ => "calcom-booking",
            };
            let sent = self.record_all(&mut figures, booking, Events::Bookings, sent).await;
            if intake == "webhook-intake" {
                self.record_all(&mut figures, "staff-assignment", Events::Assignments, sent).await;
            }
        }
        for sweep in ["past-cleanup", "sync-reconciler"] {
            self.record(&mut figures, sweep, Events::Same(r#"{"dry_run": false}"#)).await;
        }
        self.record(&mut figures, "quality-monitor", Events::Same(HOURLY)).await;
        figures
    }

    async fn compare(&mut self, figures: BTreeMap<String, Figures>) -> Results {
        let batch = self.batch_of_ten().await;
        let growth = self.growth().await;
        let webhooks = self.webhooks().await;
        let before = self.harness.stored().await;
        let units_of_counting = self.counting().await;
        let after = self.harness.stored().await;
        let of_one = |before: f64, after: f64| (after - before) / BATCH as f64;
        let stored =
            Stored { items: of_one(before.items, after.items), objects: of_one(before.objects, after.objects) };
        let metrics = self.metrics();
        let by_memory = cost::by_memory(&figures);
        let measured = cost::Measured {
            figures: &figures,
            webhooks: &webhooks,
            counting: units_of_counting,
            stored,
            metrics: metrics as f64,
            counted: &self.plan.counted,
        };
        let cost = measured.months();
        let goals = goals(&figures, &batch, &growth);
        Results {
            aws_ms: AWS_MS,
            calcom_ms: CALCOM_MS,
            figures,
            batch,
            growth,
            units_of_counting,
            webhooks,
            stored,
            metrics,
            by_memory,
            cost,
            goals,
        }
    }

    async fn record(&mut self, figures: &mut BTreeMap<String, Figures>, name: &str, events: Events) -> Vec<String> {
        self.record_all(figures, name, events, Vec::new()).await
    }

    /// Measures one contender and answers what it has sent.
    async fn record_all(
        &mut self,
        figures: &mut BTreeMap<String, Figures>,
        name: &str,
        events: Events,
        mut messages: Vec<String>,
    ) -> Vec<String> {
        if self.only.as_ref().is_some_and(|only| name != "webhook-intake" && !only.iter().any(|wanted| wanted == name))
        {
            return Vec::new();
        }
        eprintln!("{name}: {} starts, and then {} events", self.extent.starts, self.following(events));
        self.harness.asked();
        self.harness.sent();
        let (mut ready, mut ready_cpu, mut first, mut first_cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut requests_to_ready = BTreeMap::new();
        for _ in 0..self.extent.starts {
            let process = self.start(name).await;
            ready.push(process.api.ready().await - process.started);
            let cpu = process.cpu();
            ready_cpu.push(cpu);
            requests_to_ready = self.harness.asked();
            let event = self.event(events, &mut messages);
            first.push(invoke(&process, events, &event).await);
            first_cpu.push(process.cpu() - cpu);
            self.harness.asked();
        }
        let process = self.start(name).await;
        process.api.ready().await;
        let event = self.event(events, &mut messages);
        invoke(&process, events, &event).await;
        self.harness.asked();
        self.harness.units();
        let (mut following, mut following_cpu) = (Vec::new(), Vec::new());
        let (mut user_cpu, mut logged, mut units) = (Duration::ZERO, 0, Units::default());
        let mut asked: BTreeMap<String, u64> = BTreeMap::new();
        let count = self.following(events);
        for _ in 0..count {
            let event = self.event(events, &mut messages);
            if name == "webhook-intake" {
                self.deliver_before(&process, &event).await;
            }
            let (cpu, user, written) = (process.cpu(), process.user_cpu(), self.logged(name));
            following.push(invoke(&process, events, &event).await);
            following_cpu.push(process.cpu() - cpu);
            user_cpu += process.user_cpu() - user;
            logged += self.logged(name) - written;
            units += self.harness.units();
            for (kind, times) in self.harness.asked() {
                *asked.entry(kind).or_default() += times;
            }
        }
        let sent = self.harness.messages();
        let measured = Figures {
            zipped: self.plan.contender(name).zipped,
            ready_ms: Spread::of(ready),
            ready_cpu_ms: Spread::of(ready_cpu),
            requests_to_ready,
            first_ms: Spread::of(first),
            first_cpu_ms: Spread::of(first_cpu),
            following_ms: Spread::of(following),
            following_cpu_ms: Spread::of(following_cpu),
            following_user_cpu_ms: milliseconds(user_cpu / count as u32),
            events: count as u64,
            resident: process.resident(),
            requests: asked.into_iter().map(|(kind, asked)| (kind, asked as f64 / count as f64)).collect(),
            read_units: units.read / count as f64,
            write_units: units.written / count as f64,
            logged: logged as f64 / count as f64,
        };
        figures.insert(name.to_owned(), measured);
        sent
    }

    /// Delivers the events that come before the analysis of a call, and forgets what they cost.
    async fn deliver_before(&self, process: &Process, analyzed: &Value) {
        let analyzed = serde_json::from_str(analyzed["body"].as_str().expect("a body")).expect("it is JSON");
        for event in Calls::before(&analyzed) {
            invoke(process, Events::Calls, &calls::as_event(&event.to_string())).await;
        }
        self.harness.asked();
        self.harness.units();
    }

    /// What each event of a call costs that requests no appointment.
    async fn webhooks(&mut self) -> BTreeMap<String, Webhook> {
        eprintln!("webhook-intake: {BATCH} calls without a wish");
        self.harness.take(AWS_MS, CALCOM_MS);
        let process = self.start("webhook-intake").await;
        let mut webhooks: BTreeMap<String, Webhook> = BTreeMap::new();
        for _ in 0..BATCH {
            let mut analyzed = self.calls.make();
            analyzed["call"]["call_analysis"]["custom_analysis_data"] = json!({"appointment_requested": false});
            let [started, ended] = Calls::before(&analyzed);
            for event in [started, ended, analyzed] {
                self.harness.asked();
                self.harness.units();
                let (cpu, logged) = (process.cpu(), self.logged("webhook-intake"));
                let took = invoke(&process, Events::Calls, &calls::as_event(&event.to_string())).await;
                let (units, asked) = (self.harness.units(), self.harness.asked());
                let of = |kind: &str| asked.get(kind).copied().unwrap_or_default() as f64 / BATCH as f64;
                let webhook = webhooks.entry(event["event"].as_str().expect("a name").to_owned()).or_default();
                webhook.bytes = event.to_string().len();
                webhook.write_units += units.written / BATCH as f64;
                webhook.read_units += units.read / BATCH as f64;
                webhook.s3_puts += of("S3 PutObject");
                webhook.s3_gets += of("S3 GetObject");
                webhook.ms += milliseconds(took) / BATCH as f64;
                webhook.cpu_ms += milliseconds(process.cpu() - cpu) / BATCH as f64;
                webhook.logged += (self.logged("webhook-intake") - logged) as f64 / BATCH as f64;
            }
        }
        webhooks
    }

    /// How many metrics the functions of an appointment have recorded: CloudWatch bills each name with its dimensions.
    fn metrics(&self) -> usize {
        let mut metrics = BTreeSet::new();
        for function in ["webhook-intake", "calcom-booking", "staff-assignment"] {
            let log = fs::read_to_string(self.log_of(function)).unwrap_or_default();
            for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                let name = &line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"];
                if let Some(name) = name.as_str() {
                    metrics.insert(format!("{name} {} {}", line["function"], line["kind"]));
                }
            }
        }
        metrics.len()
    }

    fn following(&self, events: Events) -> usize {
        match events {
            Events::Same("{}") | Events::Calls => self.extent.events,
            // Assignment needs a message of booking's for each event and each start.
            Events::Bookings => self.extent.bookings + self.extent.starts + 1,
            Events::Assignments => self.extent.bookings,
            Events::Same(_) => self.extent.sweeps,
        }
    }

    async fn start(&self, name: &str) -> Process {
        Process::start(name, self.plan.contender(name), &self.harness.environment(), &self.log_of(name)).await
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.plan.scratch.join(format!("{name}.log"))
    }

    /// How many bytes its running process has logged.
    fn logged(&self, name: &str) -> u64 {
        fs::metadata(self.log_of(name)).expect("it has a log").len()
    }

    fn event(&mut self, events: Events, messages: &mut Vec<String>) -> Value {
        match events {
            Events::Calls => calls::as_event(&self.calls.make().to_string()),
            Events::Bookings => calls::as_batch(&[messages.pop().expect("intake sent enough")], "bookings"),
            Events::Assignments => calls::as_batch(&[messages.pop().expect("booking sent enough")], "assignments"),
            Events::Same(text) => serde_json::from_str(text).expect("it is JSON"),
        }
    }

    /// Has intake take so many calls, and answers what it sends.
    async fn queue(&mut self, count: usize) -> Vec<String> {
        let process = self.start("webhook-intake").await;
        self.harness.sent();
        for _ in 0..count {
            let event = self.event(Events::Calls, &mut Vec::new());
            self.deliver_before(&process, &event).await;
            invoke(&process, Events::Calls, &event).await;
        }
        self.harness.messages()
    }

    /// How long ten bookings in one batch take beside one, where Cal.com is what takes time.
    async fn batch_of_ten(&mut self) -> BatchOfTen {
        eprintln!("calcom-booking: a batch of {BATCH} beside one, with Cal.com at {SLOW_CALCOM_MS} ms");
        self.harness.take(0, 0);
        const TIMES: usize = 5;
        let messages = self.queue(TIMES * (BATCH + 1) + 1).await;
        self.harness.take(AWS_MS, SLOW_CALCOM_MS);
        let process = self.start("calcom-booking").await;
        let mut messages = messages.into_iter();
        let mut batch_of =
            |count: usize| calls::as_batch(&messages.by_ref().take(count).collect::<Vec<_>>(), "bookings");
        invoke(&process, Events::Bookings, &batch_of(1)).await;
        let (mut one, mut ten) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            one.push(invoke(&process, Events::Bookings, &batch_of(1)).await);
            ten.push(invoke(&process, Events::Bookings, &batch_of(BATCH)).await);
        }
        BatchOfTen { one_ms: Spread::of(one).p50, ten_ms: Spread::of(ten).p50 }
    }

    /// How many units are written to count an appointment that has been assigned.
    async fn counting(&mut self) -> f64 {
        eprintln!("quality-monitor: counts {BATCH} that are assigned");
        self.harness.take(0, 0);
        let monitor = self.start("quality-monitor").await;
        let hourly = Events::Same(HOURLY);
        let look = self.event(hourly, &mut Vec::new());
        invoke(&monitor, hourly, &look).await;
        let mut messages = self.queue(BATCH).await;
        for (name, events) in [("calcom-booking", Events::Bookings), ("staff-assignment", Events::Assignments)] {
            let process = self.start(name).await;
            self.work_off(&process, BATCH, events, &mut messages).await;
            messages = self.harness.messages();
        }
        self.harness.units();
        invoke(&monitor, hourly, &look).await;
        self.harness.units().written / BATCH as f64
    }

    /// Whether thousands of events make a function slower or larger.
    async fn growth(&mut self) -> Vec<Growth> {
        if self.extent.growth == 0 {
            return Vec::new();
        }
        self.harness.take(0, 0);
        let mut grown = Vec::new();
        let mut messages = Vec::new();
        for (name, events) in [
            ("webhook-intake", Events::Calls),
            ("calcom-booking", Events::Bookings),
            ("staff-assignment", Events::Assignments),
        ] {
            eprintln!("{name}: {} events", self.extent.growth);
            self.harness.sent();
            grown.push(self.growth_of(name, events, &mut messages).await);
            messages = self.harness.messages();
        }
        grown
    }

    async fn growth_of(&mut self, name: &str, events: Events, messages: &mut Vec<String>) -> Growth {
        let (old, tenth) = (self.start(name).await, self.extent.growth / 10);
        let mut resident = Vec::new();
        for _ in 0..10 {
            self.work_off(&old, tenth, events, messages).await;
            resident.push(old.resident());
        }
        // Beside a new one in the same minute, since the harness grows, too, and the machine is not always as fast.
        let new = self.start(name).await;
        self.work_off(&new, BATCH, events, messages).await;
        let (mut cpu_of_new, mut cpu_of_old) = (Vec::new(), Vec::new());
        for _ in 0..tenth / BATCH {
            cpu_of_new.push(self.work_off(&new, BATCH, events, messages).await);
            cpu_of_old.push(self.work_off(&old, BATCH, events, messages).await);
        }
        Growth {
            function: name.to_owned(),
            events: self.extent.growth,
            cpu_ms: (Spread::of(cpu_of_new).p50, Spread::of(cpu_of_old).p50),
            resident: (resident[0], resident[9]),
        }
    }

    /// Hands out so many events, those of a queue in whole batches, and answers what CPU one took.
    async fn work_off(
        &mut self,
        process: &Process,
        count: usize,
        events: Events,
        messages: &mut Vec<String>,
    ) -> Duration {
        let before = process.cpu();
        for nth in 0..count {
            let event = match events {
                Events::Calls => self.event(events, messages),
                _ if nth % BATCH == 0 => calls::as_batch(&messages.split_off(messages.len() - BATCH), "growth"),
                _ => continue,
            };
            invoke(process, events, &event).await;
        }
        (process.cpu() - before) / count as u32
    }
}

/// Hands out an event, and sees to it that it was worked off.
async fn invoke(process: &Process, events: Events, event: &Value) -> Duration {
    let answered = process.api.invoke(event).await;
    let body = answered.body.unwrap_or_else(|error| panic!("the event failed: {error}"));
    match events {
        Events::Calls => assert_eq!(body["statusCode"], json!(200), "{body}"),
        Events::Bookings | Events::Assignments => assert_eq!(body["batchItemFailures"], json!([]), "{body}"),
        Events::Same(_) => {}
    }
    answered.took
}

const PEERS: [&str; 2] = ["python-intake", "node-intake"];
const FUNCTIONS: [&str; 6] =
    ["webhook-intake", "calcom-booking", "staff-assignment", "past-cleanup", "sync-reconciler", "quality-monitor"];

fn goals(figures: &BTreeMap<String, Figures>, batch: &BatchOfTen, growth: &[Growth]) -> Vec<Goal> {
    let worst = |of: fn(&Figures) -> f64| FUNCTIONS.iter().map(|name| of(&figures[*name])).fold(0.0, f64::max);
    let least_of_peers =
        |of: fn(&Figures) -> f64| PEERS.iter().map(|name| of(&figures[*name])).fold(f64::MAX, f64::min);
    let mut goals = Vec::new();
    let mut add = |figure: &str, goal: &str, measured: String, reached: bool| {
        goals.push(Goal { figure: figure.to_owned(), goal: goal.to_owned(), measured, reached });
    };
    let intake = &figures["webhook-intake"];
    let times_floor = worst(|figures| figures.ready_ms.p50) / figures["floor"].ready_ms.p50;
    add("start to ready, the slowest", "≤ 2 times the floor", format!("{times_floor:.1} times"), times_floor <= 2.0);
    let faster = least_of_peers(|figures| figures.ready_ms.p50) / intake.ready_ms.p50;
    add("start to ready, intake", "≥ 10 times faster than a peer", format!("{faster:.1} times"), faster >= 10.0);
    let less = least_of_peers(|figures| figures.following_user_cpu_ms) / intake.following_user_cpu_ms;
    add("user CPU of a following intake", "≥ 10 times less than a peer", format!("{less:.1} times"), less >= 10.0);
    let resident = worst(|figures| figures.resident as f64) / 1e6;
    add("memory after the events, the largest", "≤ 30 MB", format!("{resident:.1} MB"), resident <= 30.0);
    let zipped = worst(|figures| figures.zipped as f64) / 1e6;
    add("package, zipped, the largest", "≤ 4 MB", format!("{zipped:.2} MB"), zipped <= 4.0);
    let aws: f64 = ["webhook-intake", "calcom-booking", "staff-assignment"]
        .iter()
        .map(|name| figures[*name].requests.values().sum::<f64>() - figures[*name].requests_to("Cal.com"))
        .sum();
    let calcom = figures["calcom-booking"].requests_to("Cal.com") + figures["staff-assignment"].requests_to("Cal.com");
    let asked = format!("{aws:.2} and {calcom:.2}");
    add("requests from call to assigned", "≤ 9 to AWS, 2 to Cal.com", asked, aws <= 9.0 && calcom <= 2.0);
    let times_one = batch.ten_ms / batch.one_ms;
    add("a batch of ten bookings", "≤ 1.5 times one", format!("{times_one:.2} times"), times_one <= 1.5);
    if !growth.is_empty() {
        let most = |of: fn(&Growth) -> f64| growth.iter().map(of).fold(f64::MIN, f64::max);
        let slower = most(|growth| growth.cpu_ms.1 / growth.cpu_ms.0);
        let larger = most(|growth| (growth.resident.1 as f64 - growth.resident.0 as f64) / 1e6);
        let measured = format!("{larger:+.1} MB, {slower:.2} times the CPU");
        // What the allocator keeps and what CPU scatters by here.
        let goal = "no growth: ≤ 1 MB, ≤ 1.1 times";
        add("after 10,000 events, the most", goal, measured, larger <= 1.0 && slower <= 1.1);
    }
    goals
}

impl Results {
    fn print(&self) {
        println!(
            "\nAWS answers after {} ms, Cal.com after {} ms. Times in milliseconds.\n",
            self.aws_ms, self.calcom_ms
        );
        print_figures(&self.figures);
        println!();
        cost::print_by_memory(&self.by_memory);
        println!();
        cost::print_months(&self.cost);
        println!("\nTo count an appointment writes {:.1} units.\n", self.units_of_counting);
        println!("Events of a call that request no appointment:\n");
        print_webhooks(&self.webhooks);
        let Stored { items, objects } = self.stored;
        println!("\nAn appointment and its call are kept in {items:.0} bytes of the tables and {objects:.0} of S3.\n");
        print_growth(&self.growth);
        let BatchOfTen { one_ms, ten_ms } = self.batch;
        println!("one booking with Cal.com at {SLOW_CALCOM_MS} ms: {one_ms:.0} ms, ten in a batch: {ten_ms:.0} ms\n");
        let rows: Vec<Vec<String>> = self
            .goals
            .iter()
            .map(|goal| {
                let reached = if goal.reached { "yes" } else { "no" };
                vec![goal.figure.clone(), goal.goal.clone(), goal.measured.clone(), reached.to_owned()]
            })
            .collect();
        print_table(&["figure", "goal", "measured", "reached"], &rows);
    }
}

fn print_webhooks(webhooks: &BTreeMap<String, Webhook>) {
    let rows: Vec<Vec<String>> = webhooks
        .iter()
        .map(|(name, it)| {
            let numbers = [it.write_units, it.read_units, it.s3_puts, it.s3_gets, it.ms, it.cpu_ms];
            [name.clone(), it.bytes.to_string()]
                .into_iter()
                .chain(numbers.map(|number| format!("{number:.1}")))
                .collect()
        })
        .collect();
    print_table(&["", "bytes", "write units", "read units", "S3 puts", "S3 gets", "ms", "CPU ms"], &rows);
}

fn print_growth(grown: &[Growth]) {
    for growth in grown {
        let ((from, to), (small, large)) = (growth.cpu_ms, growth.resident);
        let (small, large) = (small as f64 / 1e6, large as f64 / 1e6);
        println!(
            "{} after {} events: {to:.2} ms of CPU, {from:.2} in a new one; {small:.1} to {large:.1} MB",
            growth.function, growth.events
        );
    }
}

fn print_figures(all: &BTreeMap<String, Figures>) {
    let rows: Vec<Vec<String>> = all.iter().map(|(name, figures)| of_contender(name, figures)).collect();
    print_table(
        &[
            "",
            "zip MB",
            "ready p50",
            "p99",
            "CPU",
            "first p50",
            "p99",
            "CPU",
            "following p50",
            "p99",
            "CPU p50",
            "p99",
            "user",
            "MB",
        ],
        &rows,
    );
    println!();
    let rows: Vec<Vec<String>> = all.iter().map(|(name, figures)| requests_of(name, figures)).collect();
    print_table(&["", "until ready", "per event"], &rows);
}

fn of_contender(name: &str, figures: &Figures) -> Vec<String> {
    let one = |value: f64| format!("{value:.1}");
    let two = |value: f64| format!("{value:.2}");
    vec![
        name.to_owned(),
        two(figures.zipped as f64 / 1e6),
        one(figures.ready_ms.p50),
        one(figures.ready_ms.p99),
        one(figures.ready_cpu_ms.p50),
        one(figures.first_ms.p50),
        one(figures.first_ms.p99),
        one(figures.first_cpu_ms.p50),
        one(figures.following_ms.p50),
        one(figures.following_ms.p99),
        two(figures.following_cpu_ms.p50),
        two(figures.following_cpu_ms.p99),
        two(figures.following_user_cpu_ms),
        one(figures.resident as f64 / 1e6),
    ]
}

fn requests_of(name: &str, figures: &Figures) -> Vec<String> {
    let list = |requests: Vec<String>| if requests.is_empty() { "none".to_owned() } else { requests.join(", ") };
    let until_ready = figures.requests_to_ready.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    // What is kept for minutes is asked for once in very many events.
    let per_event = figures.requests.iter().filter(|(_, count)| **count >= 0.01);
    let per_event = per_event.map(|(kind, count)| format!("{count:.2} {kind}")).collect();
    vec![name.to_owned(), list(until_ready), list(per_event)]
}
