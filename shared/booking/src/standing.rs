//! What an appointment is at Cal.com now, and our record follows: what is said of it is true at that moment.

use platform::queues::MessageKind;
use scheduling::appointment::{Appointment, Outcome as Closing, StateName};
use store::{ExchangeRecord, StoreError, Version, Versioned, step::StepError};

use crate::{bookings::Bookings, job::Job};

/// How an appointment stands.
#[derive(Debug)]
pub enum Standing {
    /// As it is stored now: Cal.com was asked, or there is nothing to ask for.
    Known(Versioned<Appointment>),
    /// Its customer requested a change, which is not made yet.
    Changing(Versioned<Appointment>),
    /// As it was stored: Cal.com does not answer now.
    Unverified(Versioned<Appointment>),
}

impl Standing {
    /// The appointment.
    pub fn appointment(&self) -> &Appointment {
        match self {
            Self::Known(stored) | Self::Changing(stored) | Self::Unverified(stored) => &stored.value,
        }
    }
}

impl Standing {
    /// The appointment as it is stored.
    pub fn into_stored(self) -> Versioned<Appointment> {
        match self {
            Self::Known(stored) | Self::Changing(stored) | Self::Unverified(stored) => stored,
        }
    }
}

impl Bookings {
    /// Asks Cal.com for the booking of an appointment, and stores what was found.
    ///
    /// # Errors
    /// If the store or a queue fails.
    pub async fn check(&self, stored: Versioned<Appointment>, job: &Job<'_>) -> Result<Standing, StepError> {
        let Some(booking) = stored.value.booking().filter(|_| stored.value.is_booked()).cloned() else {
            return Ok(Standing::Known(stored));
        };
        if stored.value.change().is_some() {
            return Ok(Standing::Changing(stored));
        }
        let Some(key) = self.accounts.key_of(&job.tenant.calcom.account).await else {
            return Ok(Standing::Unverified(stored));
        };
        let found = match job.calcom.follow(&key, &booking.uid).await {
            Ok(found) => found,
            // Cal.com's replica may not know the booking yet, which was stored seconds ago.
            Err(error) if error.is_not_found() && !self.must_be_visible(&stored.value) => {
                return Ok(Standing::Known(stored));
            }
            Err(_) => return Ok(Standing::Unverified(stored)),
        };
        let current = found.value.booking;
        let is_same = current.uid == booking.uid
            && current.start == booking.start
            && current.status == booking.status
            && !booking.hosts.has_other_host_than(&current.hosts);
        if is_same {
            return Ok(Standing::Known(stored));
        }
        let Versioned { value: mut appointment, version } = stored;
        if current.status.is_active() {
            appointment.reschedule(current, self.actor())?;
        } else {
            appointment.close(Closing::CancelledAtCalcom, self.actor())?;
        }
        let exchanges = [ExchangeRecord { request: "get", exchange: found.exchange }];
        match self.appointments.update(&appointment, version).exchanges(&exchanges).commit().await {
            Ok(version) => {
                if appointment.state().name() == StateName::Booked {
                    self.assignments.send(&job.message(MessageKind::Process, &appointment)).await?;
                }
                Ok(Standing::Known(Versioned { value: appointment, version }))
            }
            // Another writer was first, and its record counts.
            Err(StoreError::Conflict) => Ok(Standing::Known(self.reloaded(appointment, version).await?)),
            Err(error) => Err(error.into()),
        }
    }

    async fn reloaded(&self, appointment: Appointment, version: Version) -> Result<Versioned<Appointment>, StoreError> {
        let stored = self.appointments.load(&appointment.id).await?;
        Ok(stored.unwrap_or(Versioned { value: appointment, version }))
    }
}
