//! Resumes the appointments that needed review only because something was not configured.

use scheduling::{
    appointment::{Appointment, ReviewBooking, ReviewReason, State},
    assignment::{Case, assign, mapping_from},
    failure::Category,
    ids::AppointmentId,
};
use store::{Appointments, StoreError, TenantRecord, Tenants, Versioned};

use crate::{context::CommandContext, error::CommandError};

/// The number of appointments by what became of them.
#[derive(Debug, Default, Clone, Copy)]
pub struct Resumed {
    /// They are assigned now.
    pub assigned: u32,
    /// They are booked next.
    pub requested: u32,
    /// They still need review.
    pub in_review: u32,
}

/// What became of one appointment.
enum Outcome {
    Assigned,
    Requested,
    InReview,
}

/// Resumes every appointment of a tenant that waits for a staff member or an event type which exists now.
pub async fn resume_waiting(
    context: &CommandContext,
    appointments: &Appointments,
    tenants: &Tenants,
    tenant: &TenantRecord,
) -> Result<Resumed, CommandError> {
    let ids = appointments.in_review(&tenant.tenant.id).await?;
    let mut resumed = Resumed::default();
    for (at, id) in ids.iter().enumerate() {
        if at > 0 && at % 100 == 0 {
            eprintln!("{at} of {} appointments in review checked", ids.len());
        }
        match resume_one(context, appointments, tenants, id, tenant).await? {
            Outcome::Assigned => resumed.assigned += 1,
            Outcome::Requested => resumed.requested += 1,
            Outcome::InReview => resumed.in_review += 1,
        }
    }
    Ok(resumed)
}

async fn resume_one(
    context: &CommandContext,
    appointments: &Appointments,
    tenants: &Tenants,
    id: &AppointmentId,
    tenant: &TenantRecord,
) -> Result<Outcome, CommandError> {
    loop {
        let stored = context.appointment(appointments, id).await?;
        match try_to_resume(context, appointments, tenants, stored, tenant).await {
            Err(CommandError::Store(StoreError::Conflict)) => {}
            resumed => return resumed,
        }
    }
}

async fn try_to_resume(
    context: &CommandContext,
    appointments: &Appointments,
    tenants: &Tenants,
    stored: Versioned<Appointment>,
    tenant: &TenantRecord,
) -> Result<Outcome, CommandError> {
    let Versioned { value: mut appointment, version } = stored;
    let by = context.actor();
    let mut mapping = None;
    let outcome = match appointment.state() {
        State::NeedsReview { reason: ReviewReason::Assignment(_), booking: ReviewBooking::Booked(booking), .. } => {
            let wish = tenant.tenant.wish(appointment.raw_staff());
            let case = Case { booking, tenant: &tenant.tenant, mappings: &tenant.mappings, wish };
            let Ok(found) = assign(&case) else { return Ok(Outcome::InReview) };
            mapping = mapping_from(&found, &tenant.tenant.id, by.now);
            appointment.assign(found, by)?;
            Outcome::Assigned
        }
        State::NeedsReview {
            reason: ReviewReason::Booking(Category::NoEventType | Category::Misconfigured),
            booking: ReviewBooking::None | ReviewBooking::Unconfirmed(_),
            ..
        } => {
            let service = appointment.request.service.as_deref();
            let fits = tenant.tenant.event_types_for(service, appointment.raw_staff()).is_ok();
            if appointment.is_past(by.now) || !fits {
                return Ok(Outcome::InReview);
            }
            appointment.resume(by)?;
            Outcome::Requested
        }
        _ => return Ok(Outcome::InReview),
    };
    appointments.update(&appointment, version).mapping(tenants, mapping.as_ref()).commit().await?;
    Ok(outcome)
}
