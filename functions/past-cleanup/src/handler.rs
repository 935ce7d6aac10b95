//! From a schedule to cancelled appointments.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    deadline::time_left,
    settings,
    store::{Appointments, Cursor, Phase, StoreError},
    telemetry::{Metrics, Subject},
};
use scheduling::{
    appointment::{Actor, CancelReason},
    ids::AppointmentId,
};
use serde::{Deserialize, Serialize};
use tracing::Instrument;

const FUNCTION: &str = "past-cleanup";
const PAGE: i32 = 100;
/// How many appointments of a page are worked on at once.
const AT_ONCE: usize = 10;
/// No page is begun with less time than this left.
const LEAST_TIME: Duration = Duration::from_secs(15);

/// What the schedule, or an operator, sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// Whether to count only.
    pub dry_run: bool,
    /// Where an earlier run stopped, as its answer said.
    pub resume_after: Option<Cursor>,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether it was counted only.
    pub dry_run: bool,
    /// How many unbooked appointments were found whose start is past.
    pub found: u32,
    /// How many of them were cancelled, or would be.
    pub cancelled: u32,
    /// How many were left alone: a worker is at them, or they have changed since.
    pub left_alone: u32,
    /// Where to go on, where the time did not suffice. The next scheduled run goes on by itself.
    pub resume_after: Option<Cursor>,
}

/// All that the cleanup needs, made once per process.
pub struct PastCleanup {
    appointments: Appointments,
    metrics: Metrics,
    version: String,
}

impl PastCleanup {
    /// Reads the settings and makes the client.
    pub async fn from_environment() -> Result<Self, Error> {
        let config = aws::config().await;
        Ok(Self {
            appointments: Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?),
            metrics: Metrics::new(FUNCTION),
            version: settings::deployed_version(),
        })
    }

    /// Cancels what is past and unbooked, page by page, as long as there is time.
    pub async fn clean_up(&self, order: Order, context: Context) -> Result<Report, Error> {
        let request = Subject::of_request(&context.request_id);
        let (now, deadline) = (Utc::now(), Instant::now() + time_left(&context));
        let mut report = Report { dry_run: order.dry_run, ..Report::default() };
        let mut next = order.resume_after;
        async {
            loop {
                let page = self.appointments.past(Phase::Unbooked, now, next.as_ref(), PAGE).await?;
                self.cancel_all(page.appointments, now, &request, &mut report).await?;
                next = page.next;
                let time_left = deadline.saturating_duration_since(Instant::now());
                if next.is_none() || time_left < LEAST_TIME {
                    break;
                }
            }
            report.resume_after = next;
            let Report { dry_run, found, cancelled, left_alone, .. } = report;
            tracing::info!(dry_run, found, cancelled, left_alone, "past appointments are cleaned up");
            Ok(report)
        }
        .instrument(request.span())
        .await
    }

    async fn cancel_all(
        &self,
        page: Vec<AppointmentId>,
        now: DateTime<Utc>,
        request: &Subject,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let dry_run = report.dry_run;
        let mut done = stream::iter(page).map(|id| self.cancel(id, now, dry_run, request)).buffer_unordered(AT_ONCE);
        while let Some(was_cancelled) = done.next().await {
            report.found += 1;
            *(if was_cancelled? { &mut report.cancelled } else { &mut report.left_alone }) += 1;
        }
        Ok(())
    }

    /// Cancels one appointment, if it is still past and unbooked when it is read.
    async fn cancel(
        &self,
        id: AppointmentId,
        now: DateTime<Utc>,
        dry_run: bool,
        request: &Subject,
    ) -> Result<bool, StoreError> {
        let Some((mut appointment, version)) = self.appointments.load(&id).await? else { return Ok(false) };
        if dry_run || !appointment.is_past(now) {
            return Ok(appointment.is_past(now));
        }
        let subject = Subject {
            tenant: Some(appointment.tenant.clone()),
            call: Some(appointment.call.clone()),
            appointment: Some(id),
            ..request.clone()
        };
        let by = Actor { function: FUNCTION, version: &self.version, now };
        if appointment.cancel(CancelReason::Past, by).is_err() {
            return Ok(false);
        }
        match self.appointments.save(&appointment, version, &[], None).await {
            Ok(_) => {
                self.metrics.count("Cancelled", Some(CancelReason::Past.as_str()), &subject);
                subject.span().in_scope(|| tracing::info!(reason = "past", "cancelled"));
                Ok(true)
            }
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
