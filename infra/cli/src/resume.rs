//! What timing for a person only because something was not configured, and may go on now that it is.

use platform::{
    settings,
    store::{Along, Appointments, StoreError, TenantRecord, Version},
};
use scheduling::{
    appointment::{Appointment, ReviewReason, State},
    assignment::{Case, assign, mapping_learned},
    failure::Category,
    ids::AppointmentId,
};

use crate::{
    appointment::{by_operator, stored},
    error::CommandError,
};

/// What came of looking through what timing.
#[derive(Debug, Default, Clone, Copy)]
pub struct WentOn {
    /// So many have their staff member now.
    pub assigned: u32,
    /// So many are to be booked now.
    pub requested: u32,
    /// So many still wait.
    pub waiting: u32,
}

/// Has every appointment of a tenant's go on that timing for a staff member or an event type which is there by now.
pub async fn go_on(appointments: &Appointments, tenant: &TenantRecord) -> Result<WentOn, CommandError> {
    let ids = appointments.in_review(&tenant.tenant.id).await?;
    let mut went_on = WentOn::default();
    for (at, id) in ids.iter().enumerate() {
        if at > 0 && at % 100 == 0 {
            eprintln!("{at} of {} that wait for a person are looked at", ids.len());
        }
        match settle(appointments, id, tenant).await? {
            Some(State::Assigned { .. }) => went_on.assigned += 1,
            Some(_) => went_on.requested += 1,
            None => went_on.waiting += 1,
        }
    }
    Ok(went_on)
}

/// Answers the state that an appointment has gone on to.
async fn settle(
    appointments: &Appointments,
    id: &AppointmentId,
    tenant: &TenantRecord,
) -> Result<Option<State>, CommandError> {
    loop {
        let (appointment, version) = stored(appointments, id).await?;
        match moved_on(appointments, appointment, version, tenant).await {
            Err(CommandError::Store(StoreError::Conflict)) => {}
            moved => return moved,
        }
    }
}

async fn moved_on(
    appointments: &Appointments,
    mut appointment: Appointment,
    version: Version,
    tenant: &TenantRecord,
) -> Result<Option<State>, CommandError> {
    let version_of_ours = settings::deployed_version();
    let by = by_operator(&version_of_ours);
    let mut learned = None;
    match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Assignment(_), booking: Some(booking), .. } => {
            let case = Case { booking, tenant: &tenant.tenant, mappings: &tenant.mappings };
            let Ok(found) = assign(&case) else { return Ok(None) };
            learned = mapping_learned(&found, &tenant.tenant.id, by.now);
            appointment.assign(found, by).map_err(refused)?;
        }
        State::NeedsReview { reason: ReviewReason::Booking(Category::NoEventType), booking: None, .. } => {
            let request = &appointment.request;
            let staff = request.staff.as_ref().map(|staff| staff.reveal().as_str());
            if appointment.is_past(by.now) || tenant.tenant.event_types_for(request.service.as_deref(), staff).is_err() {
                return Ok(None);
            }
            appointment.resume(by).map_err(refused)?;
        }
        _ => return Ok(None),
    }
    let along = Along { learned: learned.as_ref(), ..Along::default() };
    appointments.save(&appointment, version, along).await?;
    Ok(Some(appointment.state().clone()))
}

fn refused(refused: scheduling::appointment::InvalidTransition) -> CommandError {
    CommandError::Refused(refused.to_string())
}
