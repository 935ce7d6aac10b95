//! What the measured counts cost on AWS: by memory size, and by month.
//!
//! Prices are those of `eu-central-1` on AWS's price pages in November 2026, in US dollars without taxes, on x86-64. Of what is
//! free each month only CloudWatch's ten alarms, ten metrics and three dashboards are taken off, in a line of their own. They are
//! here to be changed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    harness::Stored,
    measurements::{Figures, Webhook, print_table},
};

/// One gigabyte of a function's memory for one second.
const GB_SECOND: f64 = 0.000_016_666_7;
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
/// One gigabyte of a table for a month, and the copy from which it can be restored to any second.
const TABLE_GB: f64 = 0.306 + 0.2448;
/// One object that is written to S3, one that is read, and a gigabyte for a month.
const S3_PUT: f64 = 5.4 / 1e6;
const S3_GET: f64 = 0.43 / 1e6;
const S3_GB: f64 = 0.0245;
/// One of our metrics for a month. Only the hours count in which it gets a value.
const METRIC: f64 = 0.30;
/// One alarm for a month.
const ALARM: f64 = 0.10;
/// One secret for a month.
const SECRET: f64 = 0.40;
/// The dashboard for a month.
const DASHBOARD: f64 = 3.0;
/// What CloudWatch gives to each account for nothing.
const FREE_ALARMS: f64 = 10.0;
const FREE_METRICS: f64 = 10.0;
const FREE_DASHBOARDS: f64 = 3.0;
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
    /// Calls for each appointment: some come to nothing.
    pub const CALLS_PER_APPOINTMENT: f64 = 1.5;
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
    /// The hours of a month.
    pub const HOURS: f64 = 30.0 * 24.0;
    /// Metrics beside those that booking and assigning record: closing.
    pub const FURTHER_METRICS: f64 = 1.0;
    /// Metrics that get a value once a day: the rates.
    pub const DAILY_METRICS: f64 = 6.0;
    /// Metrics of what goes wrong, and in how many hours of a month.
    pub const RARE_METRICS: f64 = 20.0;
    pub const RARE_HOURS: f64 = 10.0;
}

/// In how many hours of a month something happens that happens so often.
fn hours_with(times: f64) -> f64 {
    assumed::HOURS * (1.0 - (-times / assumed::HOURS).exp())
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
    /// US dollars by service, as AWS bills them.
    pub dollars: BTreeMap<&'static str, f64>,
    /// What is free of CloudWatch, and would be billed beside other stacks that use it up.
    pub free: f64,
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

/// What was measured, and what the template makes.
pub struct Measured<'m> {
    /// Each function's figures.
    pub figures: &'m BTreeMap<String, Figures>,
    /// The events of a call that request no appointment, by their names.
    pub webhooks: &'m BTreeMap<String, Webhook>,
    /// How many units are written to count one appointment.
    pub counting: f64,
    /// What one appointment and its call take.
    pub stored: Stored,
    /// How many metrics an appointment has.
    pub metrics: f64,
    /// What the template makes, by what it is.
    pub counted: &'m BTreeMap<String, f64>,
}

impl Measured<'_> {
    /// What months of a thousand and of a million appointments cost.
    pub fn months(&self) -> Vec<Month> {
        [1e3, 1e6].map(|appointments| self.month(appointments)).into()
    }

    fn month(&self, appointments: f64) -> Month {
        let share = CHOSEN_MB / ONE_CORE_MB;
        let duration = |ms: f64, cpu: f64| lambda((ms - cpu).max(0.0) + cpu / share, CHOSEN_MB);
        let invocation = |name: &str| {
            let figures = &self.figures[name];
            duration(figures.following_ms.p50, figures.following_cpu_ms.p50)
        };
        let chain = ["webhook-intake", "calcom-booking", "staff-assignment"];
        let of_chain = |of: fn(&Figures) -> f64| chain.iter().map(|name| of(&self.figures[*name])).sum::<f64>();
        // Each call starts, ends and is analyzed; the analyses that request an appointment are those of the chain.
        let calls = assumed::CALLS_PER_APPOINTMENT;
        let further = [("call_started", calls), ("call_ended", calls), ("call_analyzed", calls - 1.0)];
        let of_webhooks = |of: fn(&Webhook) -> f64| -> f64 {
            further.iter().map(|(name, times)| times * of(&self.webhooks[*name])).sum()
        };
        let webhooks = appointments * 3.0 * calls;
        let invocations = webhooks + 2.0 * appointments;
        let intakes: f64 = further
            .iter()
            .map(|(name, times)| times * duration(self.webhooks[*name].ms, self.webhooks[*name].cpu_ms))
            .sum();
        let functions = appointments * (intakes + chain.iter().map(|name| invocation(name)).sum::<f64>())
            + assumed::SWEEPS * invocation("sync-reconciler");
        // It is closed as it is assigned: read, and written once.
        let closing = &self.figures["staff-assignment"];
        let written = of_chain(|figures| figures.write_units)
            + closing.write_units
            + assumed::COUNTINGS * self.counting
            + of_webhooks(|webhook| webhook.write_units);
        let read =
            of_chain(|figures| figures.read_units) + closing.read_units + of_webhooks(|webhook| webhook.read_units);
        let swept = assumed::SWEEPS * self.figures["sync-reconciler"].read_units * READ_UNIT;
        let s3 = of_webhooks(|webhook| webhook.s3_puts) * S3_PUT
            + (of_webhooks(|webhook| webhook.s3_gets) + self.figures["webhook-intake"].requests_to("S3 GetObject"))
                * S3_GET;
        let sqs = appointments * 2.0 * assumed::SQS_REQUESTS + assumed::EMPTY_RECEIVES;
        let logged = appointments * (of_chain(|figures| figures.logged) + of_webhooks(|webhook| webhook.logged))
            + invocations * assumed::LOGGED_BY_LAMBDA;
        let (watching, free) = self.watching(appointments);
        let gigabytes = |of_one: f64| appointments * of_one / 1e9;
        let dollars = BTreeMap::from([
            ("API Gateway", webhooks * API_REQUEST),
            ("CloudWatch, logs", logged / 1e9 * LOG_GB),
            ("CloudWatch, metrics and alarms", watching - free),
            ("DynamoDB, requests", appointments * (written * WRITE_UNIT + read * READ_UNIT) + swept),
            ("DynamoDB, storage and backup", gigabytes(self.stored.items) * TABLE_GB),
            ("Lambda", functions),
            ("S3, requests", appointments * s3),
            ("S3, storage", gigabytes(self.stored.objects * calls) * S3_GB),
            ("Secrets Manager", self.of_template("secrets") * SECRET),
            ("SQS", sqs * SQS_REQUEST),
            ("X-Ray", traced(webhooks) * TRACE),
        ]);
        Month { appointments, dollars, free }
    }

    /// What CloudWatch's metrics, alarms and dashboard cost, and how much of it is free.
    fn watching(&self, appointments: f64) -> (f64, f64) {
        let of_appointments = (self.metrics + assumed::FURTHER_METRICS) * hours_with(appointments);
        let daily = assumed::DAILY_METRICS * assumed::HOURS / 24.0;
        let rare = assumed::RARE_METRICS * assumed::RARE_HOURS;
        let metrics = (of_appointments + daily + rare) / assumed::HOURS;
        let (alarms, dashboards) = (self.of_template("alarms"), self.of_template("dashboards"));
        let priced =
            |metrics: f64, alarms: f64, dashboards: f64| metrics * METRIC + alarms * ALARM + dashboards * DASHBOARD;
        let free = priced(metrics.min(FREE_METRICS), alarms.min(FREE_ALARMS), dashboards.min(FREE_DASHBOARDS));
        (priced(metrics, alarms, dashboards), free)
    }

    fn of_template(&self, what: &str) -> f64 {
        self.counted.get(what).copied().unwrap_or_default()
    }
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
    println!(
        "What a month costs, in US dollars, with what it stores in that month, and without access logs and taxes.\n"
    );
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
    let without = months.iter().map(|month| format!("{:.2}", month.dollars.values().sum::<f64>() + month.free));
    rows.push(["where others use up what is free".to_owned()].into_iter().chain(without).collect());
    let headings: Vec<String> = months.iter().map(|month| format!("{} appointments", month.appointments)).collect();
    let headings: Vec<&str> = [""].into_iter().chain(headings.iter().map(String::as_str)).collect();
    print_table(&headings, &rows);
}
