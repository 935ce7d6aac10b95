//! Deletes closed appointments that are older than their tenant keeps them.

use chrono::{DateTime, Days, Utc};
use lambda_runtime::Context;
use platform::telemetry::{LogContext, Metrics};
use scheduling::ids::{AppointmentId, TenantId};
use store::{
    Appointments, Cursor, StoreError, Tenants,
    sweep::{self, SweepResult, sweep},
};

/// What became of an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// It was deleted.
    Deleted,
    /// It is still open, however old.
    Open,
}

/// What became of the appointments of every tenant.
#[derive(Debug, Default)]
pub struct RetentionResult {
    /// How many were deleted.
    pub deleted: u32,
    /// How many could not be deleted.
    pub failed: u32,
}

/// Deletes what tenants no longer keep.
pub struct Retention<'a> {
    pub appointments: &'a Appointments,
    pub tenants: &'a Tenants,
    pub metrics: &'a Metrics,
    pub dry_run: bool,
    pub context: &'a Context,
    pub log: &'a LogContext,
}

impl Retention<'_> {
    /// Deletes what each tenant no longer keeps, while the invocation has time. The next run goes on.
    pub async fn apply(&self) -> Result<RetentionResult, StoreError> {
        let mut retained = RetentionResult::default();
        for (id, _) in self.tenants.list().await? {
            let Some(tenant) = self.tenants.load(&id).await? else { continue };
            let Some(days) = tenant.retention_days else { continue };
            let result = self.apply_to(&id, Utc::now() - Days::new(days.into())).await?;
            retained.deleted += result.outcomes.get(&Outcome::Deleted).copied().unwrap_or_default();
            retained.failed += result.failed;
            if result.resume_after.is_some() {
                break;
            }
        }
        Ok(retained)
    }

    async fn apply_to(&self, tenant: &TenantId, before: DateTime<Utc>) -> Result<SweepResult<Outcome>, StoreError> {
        let page =
            async |from: Option<Cursor>| self.appointments.of_tenant(tenant, before, from.as_ref(), sweep::PAGE).await;
        sweep(self.context, None, page, async |id: AppointmentId| self.delete_if_closed(&id).await).await
    }

    async fn delete_if_closed(&self, id: &AppointmentId) -> Result<Outcome, StoreError> {
        let Some(stored) = self.appointments.load(id).await? else { return Ok(Outcome::Deleted) };
        let appointment = stored.value;
        if appointment.is_open() {
            return Ok(Outcome::Open);
        }
        if !self.dry_run {
            self.appointments.delete(&appointment).await?;
            let log = self.log.for_appointment(&appointment);
            self.metrics.count("AppointmentExpired", None, &log);
            log.span().in_scope(|| tracing::info!("appointment deleted: older than its tenant's retention_days"));
        }
        Ok(Outcome::Deleted)
    }
}
