//! What every command needs: the configuration, the stores, and who acts.

use std::sync::Arc;

use chrono::Utc;
use intake::CallIntake;
use operations::{Operations, calcom_account::CalcomAccount, hosts::Resumed};
use platform::{
    aws::{self, SdkConfig},
    env,
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
        Actor { function: OPERATOR, version: &self.version, now: Utc::now(), person: None }
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

    /// What people do, as the desk does it.
    pub fn operations(&self) -> Result<Operations, CommandError> {
        Ok(Operations::from_env(&self.config, self.timing)?)
    }

    /// A tenant's Cal.com account.
    pub async fn calcom_account<'a>(&self, tenant: &'a Tenant) -> Result<CalcomAccount<'a>, CommandError> {
        Ok(CalcomAccount::of(&self.config, &self.timing, tenant).await?)
    }

    /// Resumes every appointment of a tenant that waits for a staff member or an event type which exists now.
    pub async fn resume_waiting(&self, record: &TenantRecord) -> Result<Resumed, CommandError> {
        let progress = |at: usize, of: usize| {
            if at > 0 && at.is_multiple_of(100) {
                eprintln!("{at} of {of} appointments in review checked");
            }
        };
        Ok(self.operations()?.resume_waiting(record, self.actor(), progress).await?)
    }
}
