//! Settles what waits for a person, and changes what is booked.

use platform::queues::{AppointmentMessage, MessageKind};
use scheduling::{
    appointment::{Actor, Appointment, CancelReason, Change, Outcome, ReviewReason, Seen, Settlement, State},
    ids::{AppointmentId, TenantId},
    request::Intent,
    tenant::Tenant,
};
use store::{NewAppointment, Version, Versioned};

use crate::{
    Operations,
    error::{OperationError, Refusal},
};

/// Plans to book an appointment as it was settled with its customer: changes it as it is then stored.
///
/// # Errors
/// [`Refusal`]: what could not be booked would only come back.
pub fn plan_booking(
    appointment: &mut Appointment,
    tenant: &Tenant,
    settlement: Settlement,
    by: Actor<'_>,
) -> Result<(), Refusal> {
    appointment.settle(settlement, by).map_err(|_| Refusal::to_settle(appointment))?;
    let service = appointment.request.service.as_deref();
    tenant.event_types_for(service, appointment.raw_staff()).map_err(Refusal::NoEventType)?;
    Ok(())
}

/// Plans to close an appointment without a booking.
///
/// # Errors
/// [`Refusal`].
pub fn plan_close(appointment: &mut Appointment, reason: CancelReason, by: Actor<'_>) -> Result<(), Refusal> {
    appointment.close_review(reason, by).map_err(|_| Refusal::to_settle(appointment))
}

/// Whether an appointment needs a person only to make a call.
pub fn is_for_a_call(appointment: &Appointment) -> bool {
    let reason = appointment.review_reason();
    matches!(reason, Some(ReviewReason::Intent(Intent::CallBack | Intent::Book | Intent::NotAnalyzed)))
}

/// Closes an appointment whose start has passed, as what became of it. One that was never booked has expired.
///
/// # Errors
/// [`Refusal`], if its start has not passed, or it is closed.
pub fn plan_clean_up(appointment: &mut Appointment, came: bool, by: Actor<'_>) -> Result<(), OperationError> {
    if !appointment.can_be_cleaned_up(by.now) {
        return Err(Refusal::OtherState(appointment.state().name().as_str()).into());
    }
    if appointment.booking().is_none() {
        return Ok(appointment.cancel_past(by)?);
    }
    Ok(appointment.close(if came { Outcome::Completed } else { Outcome::NoShow }, by)?)
}

/// How often something is tried while other writers are first.
const TRIES: u32 = 3;

impl Operations {
    /// Does something with an appointment that is still what a person saw. If others only noted meanwhile what nobody decides
    /// by, it is done with what is stored then.
    ///
    /// # Errors
    /// [`OperationError::Changed`] if it is no longer what the person saw; whatever `deed` fails with.
    pub async fn as_seen<T>(
        &self,
        id: &AppointmentId,
        tenant: &TenantId,
        seen: Option<Seen>,
        deed: impl AsyncFn(Versioned<Appointment>) -> Result<T, OperationError>,
    ) -> Result<T, OperationError> {
        for _ in 0..TRIES {
            let stored = self.appointment(id, Some(tenant)).await?;
            if seen != Some(stored.value.seen()) {
                break;
            }
            match deed(stored).await {
                Err(OperationError::Changed) => {}
                done => return done,
            }
        }
        Err(OperationError::Changed)
    }

    /// Stores what [`plan_booking`] made, and sends it to be booked.
    ///
    /// # Errors
    /// If the customer has the same already, somebody else was first, or the store or the queue fails.
    pub async fn book(
        &self,
        appointment: &Appointment,
        version: Version,
        tenant: &Tenant,
    ) -> Result<(), OperationError> {
        let request = &appointment.request;
        let customers = request.customer.ids(&tenant.id);
        let dedup_key = request.dedup_key(tenant);
        let entries = NewAppointment { appointment, customers: &customers, dedup_key: dedup_key.as_deref() };
        if let Some(existing) = self.appointments.enter(&entries).await? {
            return Err(Refusal::HasItAlready(existing).into());
        }
        self.save(appointment, version).await?;
        self.send(appointment).await
    }

    /// Stores a changed appointment.
    ///
    /// # Errors
    /// If somebody else was first, or the store fails.
    pub async fn save(&self, appointment: &Appointment, version: Version) -> Result<(), OperationError> {
        self.appointments.update(appointment, version).commit().await?;
        Ok(())
    }

    /// Resumes an appointment that needs review, stores that, and sends it to its next step.
    ///
    /// # Errors
    /// If that is not possible, somebody else was first, or the store or the queue fails.
    pub async fn retry(&self, stored: Versioned<Appointment>, by: Actor<'_>) -> Result<Appointment, OperationError> {
        let Versioned { value: mut appointment, version } = stored;
        appointment.resume(by).map_err(|_| Refusal::to_settle(&appointment))?;
        self.save(&appointment, version).await?;
        self.send(&appointment).await?;
        Ok(appointment)
    }

    /// Has a booking moved or cancelled at Cal.com.
    ///
    /// # Errors
    /// If nothing is booked, somebody else was first, or the store or the queue fails.
    pub async fn change(
        &self,
        stored: Versioned<Appointment>,
        change: Change,
        note: Option<&str>,
        by: Actor<'_>,
    ) -> Result<Appointment, OperationError> {
        let Versioned { value: mut appointment, version } = stored;
        if appointment.request_change(change, by)? {
            note.into_iter().for_each(|note| appointment.annotate(note));
            self.save(&appointment, version).await?;
        }
        self.bookings.send(&AppointmentMessage::new(MessageKind::Change, &appointment, None)).await?;
        Ok(appointment)
    }

    /// Sends an appointment to its next step.
    ///
    /// # Errors
    /// If the queue fails.
    pub async fn send(&self, appointment: &Appointment) -> Result<(), OperationError> {
        let queue = match appointment.state() {
            State::Requested { .. } | State::Booking { .. } => &self.bookings,
            _ => &self.assignments,
        };
        Ok(queue.send(&AppointmentMessage::process(appointment)).await?)
    }
}
