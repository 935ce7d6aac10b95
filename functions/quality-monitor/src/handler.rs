//! Handles a scheduled run: count what changed, evaluate the rules, notify people, publish the report.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use lambda_runtime::{Context, Error};
use notify::AlertTopic;
use platform::{
    aws,
    bucket::Bucket,
    env,
    telemetry::{LogContext, Metrics, Unit},
};
use quality::{
    counters::Counters,
    html,
    overview::{Overview, Overviewed},
    rate::Rate,
    report::{InProgressTally, Report},
    rules::{Evaluation, Rule, Scope, evaluate_all, evaluate_versions},
    text,
};
use scheduling::{ids::TenantId, timing::Timing};
use serde::{Deserialize, Serialize};
use store::{Appointments, CounterStore, StoreError, Tenants};
use tracing::Instrument;

use crate::{
    alerts::{AlertChanges, AlertNotifier},
    counting::{Counted, Counting},
};

const FUNCTION: &str = "quality-monitor";
/// How many days a report covers.
const REPORT_DAYS: u8 = 14;
/// The names of the latest report.
const LATEST_PAGE: &str = "latest.html";
const LATEST_REPORT: &str = "latest.json";
const HTML: &str = "text/html; charset=utf-8";
/// How many tenants' counters are read concurrently.
const CONCURRENCY: usize = 8;

/// The request, from the schedule or a person.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// Whether the report is also stored as this day's, and sent to everyone who subscribes.
    pub daily: bool,
}

/// The response of a run.
#[derive(Debug, Serialize)]
pub struct Response {
    /// How many appointments were counted.
    pub counted: usize,
    /// Whether some are left for the next run.
    pub is_incomplete: bool,
    /// The alerts that were raised.
    pub raised: u32,
    /// The alerts that were cleared.
    pub cleared: u32,
    /// The report.
    pub report: Report,
}

/// Everything that the monitor needs, created once per process.
pub struct QualityMonitor {
    appointments: Appointments,
    tenants: Tenants,
    counters: CounterStore,
    topic: AlertTopic,
    reports: Bucket,
    rules: Vec<Rule>,
    metrics: Metrics,
    timing: Timing,
}

impl QualityMonitor {
    /// Reads the environment and creates the clients.
    pub fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        Ok(Self {
            appointments: Appointments::from_env(&config, timing)?,
            tenants: Tenants::from_env(&config)?,
            counters: CounterStore::from_env(&config)?,
            topic: AlertTopic::from_env(&config)?,
            reports: Bucket::reports_from_env(&config)?,
            rules: Rule::parse(&env::optional("ALERT_RULES").unwrap_or_default())?,
            metrics: Metrics::new(FUNCTION),
            timing,
        })
    }

    /// Counts what changed, evaluates the rules, notifies people of alerts, and publishes the report.
    pub async fn handle(&self, request: Request, context: Context) -> Result<Response, Error> {
        let (now, log) = (Utc::now(), LogContext::for_request(&context));
        async {
            let counting =
                Counting { appointments: &self.appointments, tenants: &self.tenants, counters: &self.counters, now };
            let Counted { appointments: counted, is_incomplete, in_progress } = counting.count(&context).await?;
            // Of two monitors, the one that reads the counters later decides on an alert.
            let now = Utc::now();
            let report = self.report(in_progress, now).await?;
            let notifier = AlertNotifier {
                counters: &self.counters,
                topic: &self.topic,
                metrics: &self.metrics,
                rules: &self.rules,
                timing: &self.timing,
                now,
            };
            let AlertChanges { raised, cleared } = notifier.apply(&report, &log).await?;
            self.measure(&report, request.daily, &log);
            self.publish(&report, request.daily).await?;
            tracing::info!(counted, raised, cleared, "quality evaluated");
            Ok(Response { counted, is_incomplete, raised, cleared, report })
        }
        .instrument(log.span())
        .await
    }

    /// The report, with the evaluations that decide on alerts. Tenant by tenant: what is held does not grow with their number.
    async fn report(&self, in_progress: InProgressTally, now: DateTime<Utc>) -> Result<Report, StoreError> {
        let (known, activity) = tokio::try_join!(self.counters.alerts(), self.counters.version_activity())?;
        let raised: BTreeSet<(String, Scope)> =
            known.into_iter().filter(|it| it.raised).map(|it| (it.evaluation.rule, it.evaluation.scope)).collect();
        let is_raised = |it: &Evaluation| raised.contains(&(it.rule.clone(), it.scope.clone()));
        let mut overview = Overview::new(&self.rules);
        let mut after: Option<TenantId> = None;
        loop {
            let (tenants, has_more) = self.tenants.page(after.as_ref()).await?;
            let mut reading = stream::iter(&tenants).map(|id| self.recent(id, now)).buffer_unordered(CONCURRENCY);
            while let Some((tenant, counters, local)) = reading.try_next().await? {
                overview.add(&tenant, counters, local, is_raised);
            }
            drop(reading);
            after = tenants.into_iter().next_back();
            if !has_more {
                break;
            }
        }
        let Overviewed { counters, mut evaluations, tenants, latest } = overview.finish();
        let latest = latest.unwrap_or(now.naive_utc());
        if tenants > 1 {
            evaluations.extend(evaluate_all(&self.rules, &counters, latest));
        }
        evaluations.extend(evaluate_versions(&self.rules, &counters, &activity, now));
        Ok(Report::new(&counters, &activity, (latest.date(), REPORT_DAYS), (evaluations, in_progress), now))
    }

    /// A tenant's counters of every day that the report or a rule covers, and its local time.
    async fn recent(
        &self,
        id: &TenantId,
        now: DateTime<Utc>,
    ) -> Result<(TenantId, Counters, NaiveDateTime), StoreError> {
        let back = self.rules.iter().map(Rule::looks_back).max().unwrap_or_default().max(REPORT_DAYS);
        let from = now.date_naive() - Days::new(back.into());
        let (tenant, counters) = tokio::try_join!(self.tenants.read(id), self.counters.of_tenant(id, from))?;
        let local = tenant.map(|tenant| now.with_timezone(&tenant.time_zone).naive_local());
        Ok((id.clone(), counters, local.unwrap_or(now.naive_utc())))
    }

    /// Sends what alarms and the dashboard show to CloudWatch. It bills a metric for each hour in which it gets a value: a
    /// rate over 14 days once a day, and nothing where there is nothing.
    fn measure(&self, report: &Report, daily: bool, log: &LogContext) {
        let rates = Rate::ALL.into_iter().filter(|_| daily);
        for (rate, value) in rates.filter_map(|rate| Some((rate, report.overall.rate(rate).value()?))) {
            self.metrics.record("Rate", Unit::Ratio(value), Some(rate.as_str()), log);
        }
        if report.in_progress.oldest_seconds > 0 {
            let oldest = Unit::Seconds(report.in_progress.oldest_seconds as f64);
            self.metrics.record("OldestInProgress", oldest, None, log);
        }
        let regressed = report.regressed_versions().len() as u64;
        if regressed > 0 {
            self.metrics.record("RegressedVersions", Unit::Count(regressed), None, log);
        }
    }

    /// Stores the report as the latest one, and once a day sends it to everyone who subscribes.
    async fn publish(&self, report: &Report, daily: bool) -> Result<(), Error> {
        let (page, json) = (html::page(report), serde_json::to_string(report)?);
        tokio::try_join!(
            self.reports.put(LATEST_PAGE, HTML, page.clone()),
            self.reports.put(LATEST_REPORT, "application/json", json)
        )?;
        // A schedule may invoke twice, and Lambda retries what failed after the report was sent.
        if !daily || !self.counters.claim_report(report.to, report.made_at).await? {
            return Ok(());
        }
        let sent = self.send(report, page).await;
        match sent {
            Ok(()) => self.counters.mark_report_sent(report.to).await?,
            Err(_) => self.counters.release_report(report.to).await?,
        }
        sent
    }

    /// Stores the report as this day's, and sends it to everyone who subscribes.
    async fn send(&self, report: &Report, page: String) -> Result<(), Error> {
        let name = format!("{}.html", report.to);
        self.reports.put(&name, HTML, page).await?;
        let link = self.reports.link(&name).await?;
        let body = format!("{}\nFull report (the link expires within hours): {link}\n", text::report(report));
        self.topic.publish("report", &format!("Frontdesk quality report, {}", report.to), &body).await?;
        Ok(())
    }
}
