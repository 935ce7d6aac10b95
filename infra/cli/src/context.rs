//! What every command needs: the configuration, the stores, and who acts.

use std::sync::Arc;

use chrono::Utc;
use intake::CallIntake;
use platform::{
    aws::{self, SdkConfig},
    env,
    queues::{AppointmentMessage, Queue},
};
use scheduling::{
    appointment::{Actor, Appointment, OPERATOR},
    ids::{AppointmentId, TenantId},
    tenant::Tenant,
    timing::Timing,
};
use store::{Appointments, TenantRecord, Tenants, Versioned};

use crate::error::CommandError;

/// The last line of a plan that was not applied.
pub const DRY_RUN: &str = "Dry run: nothing written. Pass --apply to write.";

/// The configuration, the stores, and who acts.
pub struct CommandContext {
    /// The configuration of AWS's SDKs.
    pub config: SdkConfig,
    /// Leases, timeouts and delays.
    pub timing: Timing,
    version: String,
}

impl CommandContext {
    /// Reads the environment.
    pub async fn from_env() -> Result<Self, CommandError> {
        let (config, timing) = (aws::user_config().await, env::timing()?);
        Ok(Self { config, timing, version: env::deployed_version() })
    }

    /// Who makes a transition that a person requests.
    pub fn actor(&self) -> Actor<'_> {
        Actor { function: OPERATOR, version: &self.version, now: Utc::now() }
    }

    /// The appointments.
    pub fn appointments(&self) -> Result<Appointments, CommandError> {
        Ok(Appointments::from_env(&self.config, self.timing)?)
    }

    /// What takes calls in.
    pub fn intake(&self) -> Result<CallIntake, CommandError> {
        Ok(CallIntake::from_env(&self.config, self.timing)?)
    }

    /// The tenants.
    pub fn tenants(&self) -> Result<Tenants, CommandError> {
        Ok(Tenants::from_env(&self.config)?)
    }

    /// An appointment that must exist.
    pub async fn appointment(
        &self,
        appointments: &Appointments,
        id: &AppointmentId,
    ) -> Result<Versioned<Appointment>, CommandError> {
        appointments.load(id).await?.ok_or_else(|| CommandError::NotFound(format!("appointment {id}")))
    }

    /// A tenant that must exist.
    pub async fn tenant(&self, tenants: &Tenants, id: &TenantId) -> Result<Arc<Tenant>, CommandError> {
        tenants.load(id).await?.ok_or_else(|| CommandError::NotFound(format!("tenant {id}")))
    }

    /// A tenant that must exist, with its host mappings.
    pub async fn tenant_record(&self, tenants: &Tenants, id: &TenantId) -> Result<TenantRecord, CommandError> {
        tenants.record(id).await?.ok_or_else(|| CommandError::NotFound(format!("tenant {id}")))
    }

    /// Resumes an appointment that needs review, and stores that.
    pub async fn resume(
        &self,
        appointments: &Appointments,
        stored: Versioned<Appointment>,
    ) -> Result<Appointment, CommandError> {
        let Versioned { value: mut appointment, version } = stored;
        appointment.resume(self.actor())?;
        appointments.update(&appointment, version).commit().await?;
        Ok(appointment)
    }

    /// Sends an appointment to its next step.
    pub async fn send(&self, appointment: &Appointment) -> Result<(), CommandError> {
        let queue = match appointment.booking() {
            Some(_) => Queue::assignments_from_env(&self.config)?,
            None => Queue::bookings_from_env(&self.config)?,
        };
        Ok(queue.send(&AppointmentMessage::process(appointment)).await?)
    }
}
