//! Handles a scheduled run: tell the people of each tenant what waits for them.

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
use store::{Appointments, NoticeClaims, StoreError, Tenants};
use tracing::Instrument;
use wording::ReviewMail;

use crate::{
    agency,
    waiting::{Entry, waiting},
};

const FUNCTION: &str = "review-notifier";
/// A tenant is only told while the invocation has this much time left.
const MIN_TIME: Duration = Duration::from_secs(10);

/// The request of the schedule.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {}

/// The response of a run.
#[derive(Debug, Default, Serialize)]
pub struct Response {
    /// Appointments of which people were told.
    pub told: u32,
    /// Messages that were sent.
    pub messages: u32,
    /// Appointments whose tenant was told of others within the last ten minutes. A later run tells of them.
    pub bundled: u32,
}

/// Everything that the notifier needs, created once per process.
pub struct ReviewNotifier {
    appointments: Appointments,
    tenants: Tenants,
    claims: NoticeClaims,
    mailer: Option<Mailer>,
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
            claims: NoticeClaims::from_env(&config)?,
            mailer: Mailer::from_env(&config),
            topic: AlertTopic::from_env(&config)?,
            metrics: Metrics::new(FUNCTION),
            timing,
            version: env::deployed_version(),
        })
    }

    /// Tells the people of each tenant what waits for them.
    pub async fn handle(&self, _: Request, context: Context) -> Result<Response, Error> {
        let log = LogContext::for_request(&context);
        async {
            let (now, mut response) = (Utc::now(), Response::default());
            let mut of_tenants: BTreeMap<TenantId, Vec<Entry>> = BTreeMap::new();
            for entry in waiting(&self.appointments, now).await? {
                of_tenants.entry(entry.appointment.tenant.clone()).or_default().push(entry);
            }
            for (tenant, entries) in of_tenants {
                if time_left(&context) < MIN_TIME {
                    break;
                }
                let log = LogContext { tenant: Some(tenant.clone()), ..log.clone() };
                if let Err(error) = self.tell(&tenant, entries, now, &log, &mut response).await {
                    log.span().in_scope(
                        || tracing::error!(%error, "failed to tell a tenant's people; the next run tries again"),
                    );
                }
            }
            tracing::info!(result = %serde_json::to_string(&response)?, "people told of what waits for them");
            Ok(response)
        }
        .instrument(log.span())
        .await
    }

    /// Tells one tenant's people, unless they were told of something else just now.
    async fn tell(
        &self,
        tenant: &TenantId,
        mut entries: Vec<Entry>,
        now: DateTime<Utc>,
        log: &LogContext,
        response: &mut Response,
    ) -> Result<(), StoreError> {
        let is_urgent = |entry: &Entry| entry.appointment.is_urgent(now);
        let interval = if entries.iter().any(is_urgent) { self.timing.urgent_notices } else { self.timing.notices };
        if !self.claims.take(tenant, now, interval).await? {
            response.bundled += u32::try_from(entries.len()).unwrap_or(u32::MAX);
            return Ok(());
        }
        entries.sort_by_key(|entry| (Reverse(is_urgent(entry)), entry.appointment.wished_from(), entry.notice));
        let stored = self.tenants.load(tenant).await?;
        if !self.send(tenant, stored.as_deref(), &entries, now, log).await {
            return Ok(());
        }
        response.messages += 1;
        for Entry { mut appointment, version, .. } in entries {
            appointment.record_notice(Actor { function: FUNCTION, version: &self.version, now: Utc::now() });
            match self.appointments.update(&appointment, version).commit().await {
                Ok(_) => response.told += 1,
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
        entries: &[Entry],
        now: DateTime<Utc>,
        log: &LogContext,
    ) -> bool {
        if let (Some(mailer), Some(tenant)) = (&self.mailer, tenant)
            && let Some(address) = &tenant.review_email
        {
            let told: Vec<(Notice, Appointment)> =
                entries.iter().map(|entry| (entry.notice, entry.appointment.clone())).collect();
            let mail = ReviewMail { tenant, entries: &told, now }.write();
            match mailer.send(address.reveal(), &mail.subject, mail.body.reveal()).await {
                Ok(()) => {
                    self.metrics.count("ReviewMailSent", None, log);
                    return true;
                }
                Err(error) => {
                    self.metrics.count("ReviewMailFailed", None, log);
                    log.span().in_scope(|| tracing::error!(%error, "mail not sent; the alert topic is told instead"));
                }
            }
        }
        let (subject, text) = (agency::subject(id, entries), agency::text(id, tenant, entries));
        match self.topic.publish("review", &subject, &text).await {
            Ok(()) => true,
            Err(error) => {
                log.span().in_scope(|| tracing::error!(%error, "failed to tell of reviews; a later run tries again"));
                false
            }
        }
    }
}
