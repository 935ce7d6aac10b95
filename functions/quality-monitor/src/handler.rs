//! From a schedule to figures, alerts and a report.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use lambda_runtime::{Context, Error};
use platform::{
    aws, settings,
    store::{Appointments, CounterStore, StoreError, Tenants},
    telemetry::{Metrics, LogContext, Unit},
};
use notify::{ReportBucket, AlertTopic};
use quality::{
    figures::Counters,
    page::page,
    rate::Rate,
    report::{Report, InProgressTally},
    rules::{Rule, evaluate},
    words,
};
use scheduling::{ids::TenantId, timing::Timing};
use serde::{Deserialize, Serialize};
use tracing::Instrument;

use crate::{
    counts::{Counted, Counts},
    telling::{AlertNotifier, AlertChanges},
};

const FUNCTION: &str = "quality-monitor";
/// How many days a report goes back.
const REPORTED: u8 = 14;
/// Where the latest report lies, as a page and as JSON.
const LATEST_PAGE: &str = "latest.html";
const LATEST_REPORT: &str = "latest.json";
const HTML: &str = "text/html; charset=utf-8";
/// How many days' figures are read at once.
const CONCURRENCY: usize = 8;

/// What the schedule, or an operator, asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// Whether the report is also to be kept as this day's, and sent to all who subscribe.
    pub daily: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// How many appointments were counted, anew or again.
    pub counted: usize,
    /// Whether some are left for the next run.
    pub is_unfinished: bool,
    /// Alerts that were raised.
    pub raised: u32,
    /// Alerts that were cleared.
    pub cleared: u32,
    /// The report.
    pub report: Report,
}

/// All that the monitor needs, made once per process.
pub struct QualityMonitor {
    appointments: Appointments,
    tenants: Tenants,
    figures: CounterStore,
    topic: AlertTopic,
    pages: ReportBucket,
    rules: Vec<Rule>,
    metrics: Metrics,
    timing: Timing,
}

impl QualityMonitor {
    /// Reads the settings and makes the clients.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::config_of_function()?, settings::timing()?);
        let table = settings::required("APPOINTMENTS_TABLE")?;
        Ok(Self {
            appointments: Appointments::new(&config, table.clone(), timing),
            tenants: Tenants::new(&config, settings::required("TENANTS_TABLE")?),
            figures: CounterStore::new(&config, settings::required("COUNTERS_TABLE")?, table),
            topic: AlertTopic::new(&config, settings::required("ALERTS_TOPIC")?),
            pages: ReportBucket::new(&config, &settings::required("REPORTS_BUCKET")?)?,
            rules: Rule::read(&settings::required("ALERT_RULES").unwrap_or_default())?,
            metrics: Metrics::new(FUNCTION),
            timing,
        })
    }

    /// Counts what has changed, evaluates the rules, tells people what has turned, and reports.
    pub async fn watch(&self, order: Order, context: Context) -> Result<Answer, Error> {
        let (now, subject) = (Utc::now(), LogContext::of_request(&context));
        async {
            let counts =
                Counts { appointments: &self.appointments, tenants: &self.tenants, figures: &self.figures, now };
            let Counted { appointments: counted, is_unfinished, waiting } = counts.count(&context).await?;
            // Of two monitors, the one that reads the figures later has the last word on an alert.
            let now = Utc::now();
            let report = self.report(waiting, now).await?;
            let telling = AlertNotifier {
                figures: &self.figures,
                topic: &self.topic,
                metrics: &self.metrics,
                rules: &self.rules,
                timing: &self.timing,
                now,
            };
            let told = telling.tell(&report, &subject).await?;
            self.measure(&report, &subject);
            self.publish(&report, order.daily).await?;
            let AlertChanges { raised, cleared } = told;
            tracing::info!(counted, raised, cleared, "the figures are up to date");
            Ok(Answer { counted, is_unfinished, raised, cleared, report })
        }
        .instrument(subject.span())
        .await
    }

    async fn report(&self, waiting: InProgressTally, now: DateTime<Utc>) -> Result<Report, StoreError> {
        let (figures, version_activity) = tokio::try_join!(self.recent(now), self.figures.version_activity())?;
        let clocks = self.clocks(&figures, now).await?;
        let local = |tenant: &TenantId| clocks.get(tenant).copied().unwrap_or(now.naive_utc());
        let standings = evaluate(&self.rules, &figures, &version_activity, now, local);
        let today = clocks.values().max().map_or(now.date_naive(), |local| local.date());
        Ok(Report::of(&figures, &version_activity, (today, REPORTED), (standings, waiting), now))
    }

    /// The figures of as many days as the report or any rule looks back, and of tomorrow, which it is somewhere already.
    async fn recent(&self, now: DateTime<Utc>) -> Result<Counters, StoreError> {
        let back = self.rules.iter().map(Rule::looks_back).max().unwrap_or_default().max(REPORTED);
        let first = now.date_naive() - Days::new(back.into());
        let days = first.iter_days().take(usize::from(back) + 2);
        let reading = stream::iter(days).map(|day| self.figures.of_day(day)).buffer_unordered(CONCURRENCY);
        let add = |mut all: Counters, day| async move {
            all.add_all(&day);
            Ok(all)
        };
        reading.try_fold(Counters::default(), add).await
    }

    /// The time on each tenant's clock. Of one who is gone nothing is known.
    async fn clocks(
        &self,
        figures: &Counters,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<TenantId, NaiveDateTime>, StoreError> {
        let ids: BTreeSet<&TenantId> = figures.iter().map(|(cell, _, _)| &cell.tenant).collect();
        let mut clocks = BTreeMap::new();
        for id in ids {
            if let Some(tenant) = self.tenants.load(id).await? {
                clocks.insert(id.clone(), now.with_timezone(&tenant.time_zone).naive_local());
            }
        }
        Ok(clocks)
    }

    /// Sends the figures to CloudWatch, where alarms look at them.
    fn measure(&self, report: &Report, subject: &LogContext) {
        for (rate, value) in Rate::ALL.into_iter().filter_map(|rate| Some((rate, report.overall.rate(rate).value()?))) {
            self.metrics.record("Rate", Unit::Ratio(value), Some(rate.as_str()), subject);
        }
        let oldest = Unit::Seconds(report.in_progress.oldest_seconds as f64);
        self.metrics.record("OldestUnderWay", oldest, None, subject);
        let worse = Unit::Count(report.regressed_versions().len() as u64);
        self.metrics.record("WorseVersions", worse, None, subject);
    }

    /// Keeps the report where people find it, and once a day sends it to them.
    async fn publish(&self, report: &Report, daily: bool) -> Result<(), Error> {
        let (html, json) = (page(report), serde_json::to_string(report)?);
        tokio::try_join!(
            self.pages.put(LATEST_PAGE, HTML, html.clone()),
            self.pages.put(LATEST_REPORT, "application/json", json)
        )?;
        if daily {
            let name = format!("{}.html", report.to);
            self.pages.put(&name, HTML, html).await?;
            let text =
                format!("{}\nThe page, for some hours: {}\n", words::report(report), self.pages.link(&name).await?);
            self.topic.publish("report", &format!("Frontdesk report of {}", report.to), &text).await?;
        }
        Ok(())
    }
}
