//! Deletes closed appointments that are older than their tenant keeps them.

use chrono::{DateTime, Days, Utc};
use lambda_runtime::Context;
use platform::telemetry::LogContext;
use scheduling::ids::{AppointmentId, TenantId};
use store::{
    Cursor, StoreError,
    sweep::{self, SweepRequest, SweepResult, sweep},
};

use crate::handler::PastCleanup;

/// What became of an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aged {
    /// It was deleted.
    Deleted,
    /// It is still open, however old.
    Open,
}

/// What became of the appointments of every tenant.
#[derive(Debug, Default)]
pub(crate) struct RetentionResult {
    pub(crate) deleted: u32,
    pub(crate) failed: u32,
}

impl PastCleanup {
    /// Deletes what each tenant no longer keeps, while the invocation has time. The next run goes on.
    pub(crate) async fn delete_aged(
        &self,
        dry_run: bool,
        context: &Context,
        log: &LogContext,
    ) -> Result<RetentionResult, StoreError> {
        let mut deleted = RetentionResult::default();
        for (id, _) in self.tenants.list().await? {
            let Some(tenant) = self.tenants.load(&id).await? else { continue };
            let Some(days) = tenant.retention_days else { continue };
            let before = Utc::now() - Days::new(days.into());
            let result = self.delete_aged_of(&id, before, dry_run, context, log).await?;
            deleted.deleted += result.outcomes.get(&Aged::Deleted).copied().unwrap_or_default();
            deleted.failed += result.failed;
            if result.resume_after.is_some() {
                break;
            }
        }
        Ok(deleted)
    }

    async fn delete_aged_of(
        &self,
        tenant: &TenantId,
        before: DateTime<Utc>,
        dry_run: bool,
        context: &Context,
        log: &LogContext,
    ) -> Result<SweepResult<Aged>, StoreError> {
        let page =
            async |from: Option<Cursor>| self.appointments.of_tenant(tenant, before, from.as_ref(), sweep::PAGE).await;
        let work = async |id: AppointmentId| self.delete_if_closed(&id, dry_run, log).await;
        let SweepRequest { resume_after, .. } = SweepRequest::default();
        sweep(context, resume_after, page, work).await
    }

    async fn delete_if_closed(&self, id: &AppointmentId, dry_run: bool, log: &LogContext) -> Result<Aged, StoreError> {
        let Some(stored) = self.appointments.load(id).await? else { return Ok(Aged::Deleted) };
        let appointment = stored.value;
        if appointment.is_open() {
            return Ok(Aged::Open);
        }
        if !dry_run {
            self.appointments.delete(&appointment).await?;
            let log = log.for_appointment(&appointment);
            self.metrics.count("AppointmentAged", None, &log);
            log.span().in_scope(|| tracing::info!("appointment deleted: its tenant keeps it no longer"));
        }
        Ok(Aged::Deleted)
    }
}
