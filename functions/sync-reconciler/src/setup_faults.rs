//! Lets appointments go on that waited for an event type which nobody could be booked for.

use chrono::Utc;
use platform::{queues::AppointmentMessage, telemetry::LogContext};
use scheduling::appointment::Appointment;
use store::{OpenFault, StoreError, Version, Versioned};

use crate::handler::{ResendError, SyncReconciler};

impl SyncReconciler {
    /// Resumes all that waited for an event type for which somebody was booked since. Of the others, one appointment is
    /// tried again from time to time: Cal.com does not say that something was mended. Returns how many were resumed.
    pub(crate) async fn resume_after_setup_faults(&self, log: &LogContext) -> u32 {
        let faults = match self.setup_faults.all().await {
            Ok(faults) => faults,
            Err(error) => {
                tracing::error!(%error, "failed to read the set-up faults");
                return 0;
            }
        };
        let mut resumed = 0;
        for fault in faults.iter() {
            match self.resume_after(fault, log).await {
                Ok(count) => resumed += count,
                Err(error) => tracing::error!(
                    tenant = fault.tenant.as_str(), event_type = fault.event_type.0, %error,
                    "failed to resume the appointments of an event type"
                ),
            }
        }
        resumed
    }

    async fn resume_after(&self, fault: &OpenFault, log: &LogContext) -> Result<u32, ResendError> {
        let now = Utc::now();
        if !fault.is_mended {
            let is_due = fault.tried_at + self.timing.max_resend_delay < now;
            if !is_due || !self.setup_faults.take_trial(fault, now).await? {
                return Ok(0);
            }
        }
        let mut waiting = self.waiting_for(fault).await?;
        if waiting.is_empty() {
            self.setup_faults.close(fault).await?;
            return Ok(0);
        }
        waiting.sort_by_key(|stored| stored.value.request.start.at());
        waiting.truncate(if fault.is_mended { usize::MAX } else { 1 });
        let mut resumed = 0;
        for Versioned { value, version } in waiting {
            resumed += u32::from(self.resume(value, version, log).await?);
        }
        if fault.is_mended {
            self.setup_faults.close(fault).await?;
        }
        Ok(resumed)
    }

    async fn waiting_for(&self, fault: &OpenFault) -> Result<Vec<Versioned<Appointment>>, StoreError> {
        let Some(tenant) = self.tenants.load(&fault.tenant).await? else { return Ok(Vec::new()) };
        let mut waiting = Vec::new();
        for id in self.appointments.in_review(&fault.tenant).await? {
            let stored = self.appointments.load(&id).await?;
            waiting.extend(stored.filter(|it| it.value.waits_for(fault.event_type, &tenant, Utc::now())));
        }
        Ok(waiting)
    }

    async fn resume(
        &self,
        mut appointment: Appointment,
        version: Version,
        log: &LogContext,
    ) -> Result<bool, ResendError> {
        if appointment.resume(self.actor()).is_err() {
            return Ok(false);
        }
        match self.appointments.update(&appointment, version).commit().await {
            Ok(_) => {}
            Err(StoreError::Conflict) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        self.bookings.send(&AppointmentMessage::process(&appointment)).await?;
        let log = log.for_appointment(&appointment);
        self.metrics.count("ResumedAfterSetupFault", None, &log);
        log.span().in_scope(|| tracing::info!("appointment resumed: its event type may be bookable again"));
        Ok(true)
    }
}
