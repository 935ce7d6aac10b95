//! What the measured counts cost on AWS: by memory size, and by month.
//!
//! Prices are those of `eu-central-1` on AWS's price pages in November 2026, in US dollars without taxes and free tiers,
//! on arm64. They are here to be changed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::measurements::{Figures, print_table};

/// One gigabyte of a function's memory for one second.
const GB_SECOND: f64 = 0.000_013_333_4;
/// One invocation.
const INVOCATION: f64 = 0.20 / 1e6;
/// One request to SQS.
const SQS_REQUEST: f64 = 0.40 / 1e6;
/// One unit of writing to DynamoDB: a kilobyte, or half of one within a transaction.
const WRITE_UNIT: f64 = 0.7625 / 1e6;
/// One unit of reading from DynamoDB: four kilobytes, consistently.
const READ_UNIT: f64 = 0.1525 / 1e6;
/// One request to an HTTP API.
const API_REQUEST: f64 = 1.20 / 1e6;
/// One gigabyte of logs.
const LOG_GB: f64 = 0.63;
/// One of our metrics for a month.
const METRIC: f64 = 0.30;
/// One alarm for a month.
const ALARM: f64 = 0.10;
/// One secret for a month.
const SECRET: f64 = 0.40;
/// The dashboard for a month, beyond the three that are free.
const DASHBOARD: f64 = 3.0;
/// One trace that is kept.
const TRACE: f64 = 5.0 / 1e6;

/// What full CPU costs in memory: Lambda gives one core at this size, and less in proportion.
const ONE_CORE_MB: f64 = 1769.0;
/// The sizes that are compared.
const SIZES_MB: [u32; 5] = [128, 256, 512, 768, 1024];
/// How much of each is chosen in the template.
const CHOSEN_MB: f64 = 256.0;

/// What the bench does not see.
mod assumed {
    /// Calls that come to nothing, and the other two events of each call, for each appointment.
    pub const WEBHOOKS_PER_APPOINTMENT: f64 = 4.5;
    /// Units that a webhook costs that asks for nothing: one item.
    pub const UNITS_OF_A_CALL: f64 = 2.0;
    /// Requests to SQS per message: it is sent, received and deleted.
    pub const SQS_REQUESTS: f64 = 3.0;
    /// Requests to SQS in a month that bring nothing: five pollers for each of two queues, every twenty seconds.
    pub const EMPTY_RECEIVES: f64 = 2.0 * 5.0 * 30.0 * 24.0 * 180.0;
    /// Sweeps in a month: two each minute, one every ten minutes, and two an hour.
    pub const SWEEPS: f64 = 30.0 * 24.0 * (2.0 * 60.0 + 6.0 + 2.0);
    /// What Lambda itself logs of an invocation, in bytes.
    pub const LOGGED_BY_LAMBDA: f64 = 300.0;
    /// How often an appointment is counted: once it is assigned, and once it is closed.
    pub const COUNTINGS: f64 = 2.0;
    /// Of all requests after the first of a second, those that X-Ray keeps.
    pub const TRACED: f64 = 0.05;
    /// The seconds of a month.
    pub const SECONDS: f64 = 30.0 * 24.0 * 3600.0;
}

/// Of so many requests in a month, those that X-Ray keeps: the first of each second, and some of the others.
fn traced(requests: f64) -> f64 {
    let first = assumed::SECONDS * (1.0 - (-requests / assumed::SECONDS).exp());
    first + assumed::TRACED * (requests - first)
}

/// What a function takes at one memory size.
#[derive(Debug, Clone, Serialize)]
pub struct AtMemory {
    /// The function.
    pub function: String,
    /// Its memory.
    pub mb: u32,
    /// A cold start with its first event, in milliseconds: the start has a whole core, the event its share.
    pub first_ms: f64,
    /// A following event.
    pub following_ms: f64,
    /// A million following events, in US dollars.
    pub million_dollars: f64,
}

/// What a month costs.
#[derive(Debug, Clone, Serialize)]
pub struct Month {
    /// How many appointments it has.
    pub appointments: f64,
    /// US dollars by service.
    pub dollars: BTreeMap<&'static str, f64>,
}

/// What the functions that carry an appointment take at each size.
///
/// Lambda gives a share of a core in proportion to memory, so that the CPU of an event takes longer by as much, and its
/// waiting takes as long as ever.
pub fn by_memory(figures: &BTreeMap<String, Figures>) -> Vec<AtMemory> {
    let of = |function: &str| {
        let figures = &figures[function];
        SIZES_MB.map(|mb| {
            let share = (f64::from(mb) / ONE_CORE_MB).min(1.0);
            let at_share = |total: f64, cpu: f64| (total - cpu).max(0.0) + cpu / share;
            let following_ms = at_share(figures.following_ms.p50, figures.following_cpu_ms.p50);
            AtMemory {
                function: function.to_owned(),
                mb,
                first_ms: figures.ready_ms.p50 + at_share(figures.first_ms.p50, figures.first_cpu_ms.p50),
                following_ms,
                million_dollars: 1e6 * lambda(following_ms, f64::from(mb)),
            }
        })
    };
    ["webhook-intake", "calcom-booking", "staff-assignment"].into_iter().flat_map(of).collect()
}

fn lambda(ms: f64, mb: f64) -> f64 {
    INVOCATION + ms.ceil() / 1e3 * mb / 1024.0 * GB_SECOND
}

/// What months of a thousand and of a million appointments cost. `counted` has what the template makes, by what it is;
/// `counting` is how many units are written to count one appointment.
pub fn months(figures: &BTreeMap<String, Figures>, counted: &BTreeMap<String, f64>, counting: f64) -> Vec<Month> {
    let share = CHOSEN_MB / ONE_CORE_MB;
    let invocation = |name: &str| {
        let figures = &figures[name];
        let cpu = figures.following_cpu_ms.p50;
        lambda((figures.following_ms.p50 - cpu).max(0.0) + cpu / share, CHOSEN_MB)
    };
    let chain = ["webhook-intake", "calcom-booking", "staff-assignment"];
    let of_chain = |of: fn(&Figures) -> f64| chain.iter().map(|name| of(&figures[*name])).sum::<f64>();
    let of_template = |what: &str| counted.get(what).copied().unwrap_or_default();
    let month = |appointments: f64| {
        let webhooks = appointments * assumed::WEBHOOKS_PER_APPOINTMENT;
        let invocations = webhooks + 2.0 * appointments;
        let functions = webhooks * invocation("webhook-intake")
            + appointments * (invocation("calcom-booking") + invocation("staff-assignment"))
            + assumed::SWEEPS * invocation("sync-reconciler");
        // It is closed as it is assigned: read, and written once.
        let closing = &figures["staff-assignment"];
        let written = of_chain(|figures| figures.write_units) + closing.write_units + assumed::COUNTINGS * counting;
        let read = of_chain(|figures| figures.read_units) + closing.read_units;
        let units = written * WRITE_UNIT + read * READ_UNIT;
        let of_other_webhooks = (webhooks - appointments) * assumed::UNITS_OF_A_CALL * WRITE_UNIT;
        let sqs = appointments * 2.0 * assumed::SQS_REQUESTS + assumed::EMPTY_RECEIVES;
        let logged = appointments * of_chain(|figures| figures.logged) + invocations * assumed::LOGGED_BY_LAMBDA;
        let watching =
            of_template("metrics") * METRIC + of_template("alarms") * ALARM + of_template("dashboards") * DASHBOARD;
        let dollars = BTreeMap::from([
            ("API Gateway", webhooks * API_REQUEST),
            ("CloudWatch, logs", logged / 1e9 * LOG_GB),
            ("CloudWatch, metrics and alarms", watching),
            ("DynamoDB", appointments * units + of_other_webhooks),
            ("Lambda", functions),
            ("Secrets Manager", of_template("secrets") * SECRET),
            ("SQS", sqs * SQS_REQUEST),
            ("X-Ray", traced(webhooks) * TRACE),
        ]);
        Month { appointments, dollars }
    };
    [1e3, 1e6].map(month).into()
}

/// Prints the sizes.
pub fn print_by_memory(sizes: &[AtMemory]) {
    println!(
        "By memory, computed from CPU and waiting: start and first event, each following one, and a million of them.\n"
    );
    let rows: Vec<Vec<String>> = sizes
        .iter()
        .map(|at| {
            let AtMemory { function, mb, first_ms, following_ms, million_dollars } = at;
            let cells = [mb.to_string(), format!("{first_ms:.0} ms"), format!("{following_ms:.1} ms")];
            [function.clone()].into_iter().chain(cells).chain([format!("${million_dollars:.2}")]).collect()
        })
        .collect();
    print_table(&["", "MB", "cold", "following", "a million"], &rows);
}

/// Prints the months.
pub fn print_months(months: &[Month]) {
    println!("What a month costs, in US dollars, without storage, backups, access logs and what is free.\n");
    let services: Vec<&str> = months[0].dollars.keys().copied().collect();
    let mut rows: Vec<Vec<String>> = services
        .iter()
        .map(|service| {
            let cells = months.iter().map(|month| format!("{:.2}", month.dollars[service]));
            [(*service).to_owned()].into_iter().chain(cells).collect()
        })
        .collect();
    let totals = months.iter().map(|month| format!("{:.2}", month.dollars.values().sum::<f64>()));
    rows.push(["together".to_owned()].into_iter().chain(totals).collect());
    let headings: Vec<String> = months.iter().map(|month| format!("{} appointments", month.appointments)).collect();
    let headings: Vec<&str> = [""].into_iter().chain(headings.iter().map(String::as_str)).collect();
    print_table(&headings, &rows);
}
