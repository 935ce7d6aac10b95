//! What the steps of an appointment share: loading it with its tenant, and the errors of a step.

use std::sync::Arc;

use chrono::Utc;
use platform::{
    batch::WorkError,
    env,
    queues::{AppointmentMessage, QueueError},
};
use scheduling::{
    appointment::{Actor, Appointment, InvalidTransition},
    ids::AppointmentId,
    tenant::Tenant,
};

use crate::{Appointments, StoreError, Tenants, Versioned};

/// Why a step could not process a message.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The appointment does not exist.
    #[error("failed to load the appointment: it is not stored")]
    AppointmentNotStored,
    /// The tenant does not exist.
    #[error("failed to load the tenant: it is not stored; load its file with `frontdesk tenant load`")]
    TenantNotStored,
    /// The store failed, or another writer was first.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A transition that does not exist: a fault of the step.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
}

impl WorkError for StepError {
    fn is_newer_form(&self) -> bool {
        matches!(self, Self::Store(StoreError::Undecodable))
    }
}

/// Loads the appointment of a message with its tenant.
///
/// # Errors
/// If either is not stored, or the store fails.
pub async fn load(
    appointments: &Appointments,
    tenants: &Tenants,
    message: &AppointmentMessage,
) -> Result<(Versioned<Appointment>, Arc<Tenant>), StepError> {
    let (stored, tenant) = tokio::try_join!(appointments.load(&message.appointment), tenants.load(&message.tenant))?;
    let stored = stored.filter(|stored| stored.value.tenant == message.tenant);
    Ok((stored.ok_or(StepError::AppointmentNotStored)?, tenant.ok_or(StepError::TenantNotStored)?))
}

/// Moves the appointment of a message that becomes a dead letter to review. If that fails, the reconciler finds it.
pub async fn stall(appointments: &Appointments, function: &str, id: AppointmentId, reason: String) {
    let version = env::deployed_version();
    let by = Actor { function, version: &version, now: Utc::now(), person: None };
    match appointments.stall(&id, &reason, by).await {
        Ok(needs_review) => tracing::info!(needs_review, "appointment of a dead letter moved to review"),
        Err(error) => tracing::error!(%error, "failed to move the appointment of a dead letter to review"),
    }
}
