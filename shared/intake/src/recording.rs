//! Records a call with the appointments that it requests, unless the customer has them already.

use std::time::Duration;

use scheduling::{
    appointment::{Actor, Appointment, Cause, StateName, Transition},
    booking::CallBookings,
    duplicate::{Duplicate, judge},
    ids::{AppointmentId, CustomerId},
    tenant::Tenant,
};
use serde_json::json;
use store::{Appointments, CallEvent, Calls, NewAppointment, Recorded, SlotClaim, StoreError, Version, Versioned};

/// How often a slot in the customer index is claimed before the appointment goes beside the others.
const TRIES: u32 = 3;
/// How often, and how far apart, an appointment is polled that is being booked while a correction arrives. After that the
/// event fails, and its sender retries.
const CORRECTION_TRIES: u32 = 10;
const BOOKING_POLL: Duration = Duration::from_millis(500);

/// Under which appointment a tool's request is stored.
#[derive(Debug)]
pub enum LiveRecord {
    /// A new one.
    Inserted(Box<Versioned<Appointment>>),
    /// One that existed: of the same intent, or of the customer for the same service and start.
    Existing(AppointmentId),
}

/// Under which appointment a request is stored.
enum Placed {
    /// Its own.
    Inserted,
    /// Its own, which existed.
    Existing(Option<Box<Appointment>>),
    /// The one that the customer has for the same; nothing was stored.
    Same(Option<Box<Appointment>>),
}

/// Records the calls of a tenant.
pub struct Recorder<'a> {
    /// The calls.
    pub calls: &'a Calls,
    /// The appointments.
    pub appointments: &'a Appointments,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// Who records, and when.
    pub by: Actor<'a>,
}

impl Recorder<'_> {
    /// Stores the event with every appointment that it requests, and returns those as they are stored.
    pub async fn record_all(
        &self,
        event: &CallEvent<'_>,
        requested: Vec<Appointment>,
    ) -> Result<Vec<Appointment>, StoreError> {
        let is_alone = requested.len() <= 1;
        let mut requested = requested.into_iter();
        let mut recorded = Vec::from_iter(self.record(event, requested.next(), is_alone).await?);
        for appointment in requested {
            // It counts as a call of its own, which refers to this event instead of keeping a second copy of it.
            let body = json!({"part_of": event.call, "event": event.digest()}).to_string();
            let call = appointment.call.clone();
            let part = CallEvent { call: &call, body: body.as_bytes(), ..*event };
            recorded.extend(self.record(&part, Some(appointment), false).await?);
        }
        Ok(recorded)
    }

    /// Stores the event with the appointment that it requests, and returns the stored appointment. If the customer has
    /// the same service at the same time already, the call is linked to that appointment. If the call requested
    /// something else before, that is corrected.
    async fn record(
        &self,
        event: &CallEvent<'_>,
        requested: Option<Appointment>,
        is_alone: bool,
    ) -> Result<Option<Appointment>, StoreError> {
        let Some(appointment) = requested else {
            self.calls.record(event, None).await?;
            return Ok(None);
        };
        let customers = appointment.request.customer.ids(&self.tenant.id);
        let dedup_key = appointment.request.dedup_key(self.tenant);
        let new = NewAppointment { appointment: &appointment, customers: &customers, dedup_key: dedup_key.as_deref() };
        match self.place(event, &new).await? {
            Placed::Inserted => Ok(Some(appointment)),
            Placed::Existing(existing) => self.correct(event, existing, appointment, is_alone).await,
            Placed::Same(existing) => self.link(event, existing.map(|it| *it), &appointment, &customers).await,
        }
    }

    /// Stores what a tool requests while the caller is on the line. `None` if what exists could not be read.
    pub async fn record_live(
        &self,
        event_of: impl Fn(&AppointmentId) -> Vec<u8>,
        event: &CallEvent<'_>,
        appointment: Appointment,
    ) -> Result<Option<LiveRecord>, StoreError> {
        let customers = appointment.request.customer.ids(&self.tenant.id);
        let dedup_key = appointment.request.dedup_key(self.tenant);
        let new = NewAppointment { appointment: &appointment, customers: &customers, dedup_key: dedup_key.as_deref() };
        let body = event_of(&appointment.id);
        match self.place(&CallEvent { body: &body, ..*event }, &new).await? {
            Placed::Inserted => {
                let inserted = Versioned { value: appointment, version: Version::FIRST };
                Ok(Some(LiveRecord::Inserted(Box::new(inserted))))
            }
            Placed::Existing(existing) => Ok(existing.map(|existing| LiveRecord::Existing(existing.id))),
            Placed::Same(existing) => {
                let Some(existing) = existing else { return Ok(None) };
                let body = event_of(&existing.id);
                self.calls.link(&CallEvent { body: &body, ..*event }, &existing.id, &customers).await?;
                Ok(Some(LiveRecord::Existing(existing.id)))
            }
        }
    }

    /// Stores the event with the appointment that it requests, unless the customer has the same service at the same time
    /// already.
    async fn place(&self, event: &CallEvent<'_>, new: &NewAppointment<'_>) -> Result<Placed, StoreError> {
        let mut claim = SlotClaim::IfVacant;
        for _ in 0..TRIES {
            let existing = match self.calls.record(event, Some((new, &claim))).await? {
                Recorded::Inserted => return Ok(Placed::Inserted),
                Recorded::Existing(existing) => return Ok(Placed::Existing(existing)),
                Recorded::Duplicate(existing) => existing,
            };
            let stored = self.load(&existing).await?;
            claim = match judge(stored.as_ref(), new.appointment) {
                Duplicate::Same => return Ok(Placed::Same(stored.map(Box::new))),
                Duplicate::Closed => SlotClaim::Replacing(existing),
                Duplicate::OtherPerson => match self.find_same(&existing, new).await? {
                    Some(same) => return Ok(Placed::Same(Some(Box::new(same)))),
                    None => SlotClaim::Beside,
                },
            };
        }
        // Phone number and email lead to two different closed appointments.
        Ok(match self.calls.record(event, Some((new, &SlotClaim::Beside))).await? {
            Recorded::Existing(existing) => Placed::Existing(existing),
            Recorded::Inserted | Recorded::Duplicate(_) => Placed::Inserted,
        })
    }

    /// Takes over what a later analysis of the call says, unless one that was received even later is stored: Retell sends
    /// again what it has sent before.
    async fn correct(
        &self,
        event: &CallEvent<'_>,
        existing: Option<Box<Appointment>>,
        analyzed: Appointment,
        is_alone: bool,
    ) -> Result<Option<Appointment>, StoreError> {
        let Some(existing) = existing.map(|existing| *existing) else { return Ok(None) };
        let says_the_same = |stored: &Appointment| {
            stored.request.says_the_same(&analyzed.request)
                || stored.correction().is_some_and(|noted| noted.says_the_same(&analyzed.request))
        };
        if says_the_same(&existing) || !self.calls.is_latest(event).await? {
            return Ok(Some(existing));
        }
        for _ in 0..CORRECTION_TRIES {
            let Some(Versioned { value: mut stored, version }) = self.appointments.load(&analyzed.id).await? else {
                return Ok(None);
            };
            // What a person settled stays, and so does what the customer changed since.
            let is_settled = |it: &Transition| it.is_manual() || it.cause == Cause::Moved;
            if says_the_same(&stored) || stored.history().iter().any(is_settled) {
                return Ok(Some(stored));
            }
            if stored.state().name() == StateName::Booking {
                // A write would make the worker lose its claim, and with it what Cal.com answers.
                tokio::time::sleep(BOOKING_POLL).await;
                continue;
            }
            // Of several appointments it can't be told which one an entry corrects.
            let is_changed = is_alone && stored.correct(analyzed.request.clone(), analyzed.call_bookings(), self.by);
            if is_changed {
                self.enter(&mut stored).await?;
            } else if !stored.note_correction(analyzed.request.clone(), self.by) {
                return Ok(Some(stored));
            }
            match self.appointments.update(&stored, version).commit().await {
                Ok(_) => {
                    let named = analyzed.request.customer.ids(&self.tenant.id);
                    self.calls.enter(event, &stored.id, &named).await?;
                    tracing::info!(is_changed, "appointment corrected by a later analysis");
                    return Ok(Some(stored));
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict)
    }

    /// Enters a corrected appointment in the customer index, unless the customer has another one for the same.
    async fn enter(&self, corrected: &mut Appointment) -> Result<(), StoreError> {
        let customers = corrected.request.customer.ids(&self.tenant.id);
        let dedup_key = corrected.request.dedup_key(self.tenant);
        let entries = NewAppointment { appointment: corrected, customers: &customers, dedup_key: dedup_key.as_deref() };
        if let Some(existing) = self.appointments.enter(&entries).await? {
            corrected.escalate_duplicate(&existing, self.by);
        }
        Ok(())
    }

    /// Links the call to an existing appointment. If that is booked, its booking is to be verified: the record says so,
    /// so that this does not depend on a message.
    async fn link(
        &self,
        event: &CallEvent<'_>,
        existing: Option<Appointment>,
        requested: &Appointment,
        customers: &[CustomerId],
    ) -> Result<Option<Appointment>, StoreError> {
        let Some(existing) = existing else { return Ok(None) };
        self.calls.link(event, &existing.id, customers).await?;
        tracing::info!(linked_to = existing.id.as_str(), "call linked to an existing appointment");
        for _ in 1..TRIES {
            match self.request_again(&existing.id, requested.call_bookings()).await {
                Err(StoreError::Conflict) => {}
                requested => return requested,
            }
        }
        self.request_again(&existing.id, requested.call_bookings()).await
    }

    async fn request_again(
        &self,
        id: &AppointmentId,
        bookings: Option<&CallBookings>,
    ) -> Result<Option<Appointment>, StoreError> {
        let Some(Versioned { value: mut appointment, version }) = self.appointments.load(id).await? else {
            return Ok(None);
        };
        let has_news = appointment.note_call_bookings(bookings, self.by);
        if has_news || appointment.request_again(self.by).is_ok() {
            self.appointments.update(&appointment, version).commit().await?;
        }
        Ok(Some(appointment))
    }

    /// Among the people who share the customer's contact, the one who has the appointment already.
    async fn find_same(
        &self,
        other: &AppointmentId,
        new: &NewAppointment<'_>,
    ) -> Result<Option<Appointment>, StoreError> {
        for customer in new.customers {
            let ids = self.appointments.of_customer_for(customer, new.dedup_key.unwrap_or_default()).await?;
            for id in ids.into_iter().filter(|id| id != other && *id != new.appointment.id) {
                let stored = self.load(&id).await?;
                if judge(stored.as_ref(), new.appointment) == Duplicate::Same {
                    return Ok(stored);
                }
            }
        }
        Ok(None)
    }

    async fn load(&self, id: &AppointmentId) -> Result<Option<Appointment>, StoreError> {
        Ok(self.appointments.load(id).await?.map(|Versioned { value, .. }| value))
    }
}
