#![doc = include_str!("../README.md")]

pub mod assigning;
pub mod back_office;
pub mod calcom_account;
pub mod customer;
pub mod dead_letters;
mod error;
pub mod hosts;
pub mod people;
pub mod settling;
pub mod tenant_file;

use std::sync::Arc;

use platform::{
    aws::SdkConfig,
    env::{self, EnvError},
    queues::Queue,
};
use scheduling::{
    appointment::{Actor, Appointment, OPERATOR},
    ids::{AppointmentId, TenantId},
    tenant::Tenant,
    timing::Timing,
};
use store::{Appointments, Tenants, Versioned};

pub use error::{OperationError, Refusal};

/// What people do, with everything that it needs.
pub struct Operations {
    /// The appointments.
    pub appointments: Appointments,
    /// The tenants.
    pub tenants: Tenants,
    bookings: Queue,
    assignments: Queue,
    version: String,
}

impl Operations {
    /// Reads the environment and creates the clients.
    ///
    /// # Errors
    /// If the environment lacks a table or a queue.
    pub fn from_env(config: &SdkConfig, timing: Timing) -> Result<Self, EnvError> {
        Ok(Self {
            appointments: Appointments::from_env(config, timing)?,
            tenants: Tenants::from_env(config)?,
            bookings: Queue::bookings_from_env(config)?,
            assignments: Queue::assignments_from_env(config)?,
            version: env::deployed_version(),
        })
    }

    /// Who makes a transition that a person requests: the one who signed in, if one did.
    pub fn actor<'a>(&'a self, person: Option<&'a str>) -> Actor<'a> {
        Actor { function: OPERATOR, version: &self.version, now: chrono::Utc::now(), person }
    }

    /// An appointment of a tenant. One of another tenant is not found.
    ///
    /// # Errors
    /// If there is none, or the store fails.
    pub async fn appointment(
        &self,
        id: &AppointmentId,
        tenant: Option<&TenantId>,
    ) -> Result<Versioned<Appointment>, OperationError> {
        let stored = self.appointments.load(id).await?;
        let stored = stored.filter(|stored| tenant.is_none_or(|tenant| stored.value.tenant == *tenant));
        stored.ok_or_else(|| OperationError::NotFound(format!("appointment {id}")))
    }

    /// A tenant that must exist.
    ///
    /// # Errors
    /// [`OperationError::NotFound`]; if the store fails.
    pub async fn tenant(&self, id: &TenantId) -> Result<Arc<Tenant>, OperationError> {
        self.tenants.load(id).await?.ok_or_else(|| OperationError::NotFound(format!("tenant {id}")))
    }
}
