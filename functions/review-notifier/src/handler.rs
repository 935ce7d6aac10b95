//! Handles a scheduled run: notify each tenant of the appointments that need a person.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use lambda_runtime::{Context, Error};
use notify::{AlertTopic, Mailer};
use platform::{
    aws,
    deadline::time_left,
    env,
    telemetry::{LogContext, Metrics},
};
use scheduling::{
    appointment::{Actor, Appointment, Notice},
    ids::TenantId,
    tenant::Tenant,
    timing::Timing,
};
use serde::{Deserialize, Serialize};
use store::{Appointments, NoticeThrottle, StoreError, Tenants};
use tracing::Instrument;
use wording::{MAX_ENTRIES, ReviewMail};

use crate::{
    agency,
    pending::{PendingNotice, find_pending},
};

const FUNCTION: &str = "review-notifier";
/// A tenant is only notified while the invocation has this much time left.
const MIN_TIME: Duration = Duration::from_secs(10);

/// The request of the schedule.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {}

/// The response of a run.
#[derive(Debug, Default, Serialize)]
pub struct Response {
    /// Appointments of which their tenants were notified.
    pub notified: u32,
    /// Messages that were sent.
    pub messages: u32,
    /// Appointments whose tenant was notified of others within the notice interval. A later run names them.
    pub bundled: u32,
}

/// Everything that the notifier needs, created once per process.
pub struct ReviewNotifier {
    appointments: Appointments,
    tenants: Tenants,
    throttle: NoticeThrottle,
    mailer: Option<Mailer>,
    desk: Option<String>,
    topic: AlertTopic,
    metrics: Metrics,
    timing: Timing,
    version: String,
}

impl ReviewNotifier {
    /// Reads the environment and creates the clients.
    pub fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        Ok(Self {
            appointments: Appointments::from_env(&config, timing)?,
            tenants: Tenants::from_env(&config)?,
            throttle: NoticeThrottle::from_env(&config)?,
            mailer: Mailer::from_env(&config),
            desk: env::optional("DESK_URL"),
            topic: AlertTopic::from_env(&config)?,
            metrics: Metrics::new(FUNCTION),
            timing,
            version: env::deployed_version(),
        })
    }

    /// Notifies each tenant of the appointments that need a person.
    pub async fn handle(&self, _: Request, context: Context) -> Result<Response, Error> {
        let log = LogContext::for_request(&context);
        async {
            let (now, mut response) = (Utc::now(), Response::default());
            let mut by_tenant: BTreeMap<TenantId, Vec<PendingNotice>> = BTreeMap::new();
            for entry in find_pending(&self.appointments, now).await? {
                by_tenant.entry(entry.appointment.tenant.clone()).or_default().push(entry);
            }
            for (tenant, entries) in by_tenant {
                if time_left(&context) < MIN_TIME {
                    break;
                }
                let log = LogContext { tenant: Some(tenant.clone()), ..log.clone() };
                if let Err(error) = self.notify(&tenant, entries, now, &log, &mut response).await {
                    log.span().in_scope(|| tracing::error!(%error, "failed to notify the tenant; a later run retries"));
                }
            }
            tracing::info!(result = %serde_json::to_string(&response)?, "review notices processed");
            Ok(response)
        }
        .instrument(log.span())
        .await
    }

    /// Notifies one tenant, unless it was notified of something else just now.
    async fn notify(
        &self,
        tenant: &TenantId,
        mut entries: Vec<PendingNotice>,
        now: DateTime<Utc>,
        log: &LogContext,
        response: &mut Response,
    ) -> Result<(), StoreError> {
        let is_urgent = |entry: &PendingNotice| entry.appointment.is_urgent(now);
        let interval = if entries.iter().any(is_urgent) {
            self.timing.urgent_notice_interval
        } else {
            self.timing.notice_interval
        };
        if !self.throttle.admit(tenant, now, interval).await? {
            response.bundled += u32::try_from(entries.len()).unwrap_or(u32::MAX);
            return Ok(());
        }
        entries.sort_by_key(|entry| {
            let appointment = &entry.appointment;
            (!appointment.is_live(), Reverse(is_urgent(entry)), appointment.earliest_start(), entry.notice)
        });
        // The next message names the others.
        let more = entries.len().saturating_sub(MAX_ENTRIES);
        entries.truncate(MAX_ENTRIES);
        let stored = self.tenants.load(tenant).await?;
        if !self.send(tenant, stored.as_deref(), &entries, more, now, log).await {
            return Ok(());
        }
        response.messages += 1;
        for PendingNotice { mut appointment, version, .. } in entries {
            appointment.record_notice(Actor {
                function: FUNCTION,
                version: &self.version,
                now: Utc::now(),
                person: None,
            });
            match self.appointments.update(&appointment, version).commit().await {
                Ok(_) => response.notified += 1,
                // It has moved on. If it still waits, the next message names it once more.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends one message, and returns whether it was accepted.
    async fn send(
        &self,
        id: &TenantId,
        tenant: Option<&Tenant>,
        entries: &[PendingNotice],
        more: usize,
        now: DateTime<Utc>,
        log: &LogContext,
    ) -> bool {
        if let (Some(mailer), Some(tenant)) = (&self.mailer, tenant)
            && let Some(address) = &tenant.review_email
        {
            let noticed: Vec<(Notice, Appointment)> =
                entries.iter().map(|entry| (entry.notice, entry.appointment.clone())).collect();
            let mail = ReviewMail { tenant, entries: &noticed, more, now, desk: self.desk.as_deref() }.write();
            match mailer.send(address.reveal(), &mail.subject, mail.body.reveal()).await {
                Ok(()) => {
                    self.metrics.count("ReviewMailSent", None, log);
                    return true;
                }
                Err(error) => {
                    self.metrics.count("ReviewMailFailed", None, log);
                    log.span().in_scope(|| tracing::error!(%error, "failed to send the review mail; publishing to the alert topic instead"));
                }
            }
        }
        let (subject, text) = (agency::subject(id, entries), agency::text(id, tenant, entries, self.desk.as_deref()));
        match self.topic.publish("review", &subject, &text).await {
            Ok(()) => true,
            Err(error) => {
                log.span()
                    .in_scope(|| tracing::error!(%error, "failed to publish the review notice; a later run retries"));
                false
            }
        }
    }
}
