//! Closes a booked appointment by what Cal.com says became of its booking.

use calcom::{FoundBooking, Priority};
use chrono::{TimeDelta, Utc};
use platform::telemetry::LogContext;
use scheduling::{
    appointment::{Appointment, Outcome as Ended},
    booking::{Booking, BookingStatus},
    failure::Category,
    ids::BookingUid,
};
use store::{ExchangeRecord, StoreError, Version, Versioned};

use crate::handler::{Outcome, PastCleanup};

/// For this long after the start Cal.com is queried. Then the appointment counts as completed.
const QUERY_FOR: TimeDelta = TimeDelta::days(8);

/// What Cal.com says of a booking.
enum Queried {
    /// This booking: the one that was asked for, or the one that it was moved to.
    Found(Box<FoundBooking>, ExchangeRecord),
    /// Cal.com can't be queried, or does not know it.
    Unknown,
    /// Nothing may be sent to the account now: its rate limit is left to bookings.
    Rests,
}

impl PastCleanup {
    /// Closes a booked appointment.
    pub(crate) async fn close(&self, stored: Versioned<Appointment>, log: &LogContext) -> Result<Outcome, StoreError> {
        let Versioned { value: mut appointment, version } = stored;
        let Some(booking) = appointment.booking() else { return Ok(Outcome::Skipped) };
        let (uid, is_long_ago) = (booking.uid.clone(), booking.start + QUERY_FOR < Utc::now());
        let (outcome, exchanges) = match self.query(&appointment, &uid).await? {
            Queried::Found(found, exchange) if found.booking.uid != uid => {
                return self.reschedule(appointment, version, found.booking, exchange).await;
            }
            Queried::Found(found, exchange) => (outcome_of(&found), vec![exchange]),
            Queried::Unknown if is_long_ago => (Ended::Completed, Vec::new()),
            Queried::Unknown | Queried::Rests => return Ok(Outcome::Skipped),
        };
        if appointment.close(outcome, self.actor()).is_err() {
            return Ok(Outcome::Skipped);
        }
        self.write(&appointment, version, &exchanges, log).await
    }

    /// Stores the booking that replaced a rescheduled one. A later run closes it, once its own start has passed.
    async fn reschedule(
        &self,
        mut appointment: Appointment,
        version: Version,
        moved: Booking,
        exchange: ExchangeRecord,
    ) -> Result<Outcome, StoreError> {
        if appointment.reschedule(moved, self.actor()).is_ok() {
            match self.appointments.update(&appointment, version).exchanges(&[exchange]).commit().await {
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Outcome::Skipped)
    }

    async fn query(&self, appointment: &Appointment, uid: &BookingUid) -> Result<Queried, StoreError> {
        let Some(tenant) = self.tenants.load(&appointment.tenant).await? else { return Ok(Queried::Unknown) };
        let Ok(keys) = self.keys.read().await else { return Ok(Queried::Unknown) };
        let Some(key) = keys.of(&tenant.calcom.account) else { return Ok(Queried::Unknown) };
        if self.calcom.rests_until(key, Priority::Sweep, Utc::now()).is_some() {
            return Ok(Queried::Rests);
        }
        match self.calcom.follow(key, uid).await {
            Ok(found) => {
                let exchange = ExchangeRecord { request: "get", exchange: found.exchange };
                Ok(Queried::Found(Box::new(found.value), exchange))
            }
            Err(error) if error.category() == Category::RateLimited => Ok(Queried::Rests),
            Err(error) => {
                if error.category() != Category::CalcomUnavailable {
                    tracing::warn!(%error, "failed to look up what became of a booking");
                }
                Ok(Queried::Unknown)
            }
        }
    }
}

/// What became of a booking whose start has passed. One that its host never confirmed did not take place.
fn outcome_of(found: &FoundBooking) -> Ended {
    match found.booking.status {
        status if !status.is_active() => Ended::CancelledAtCalcom,
        BookingStatus::Pending => Ended::CancelledAtCalcom,
        _ if found.attendee_absent => Ended::NoShow,
        _ => Ended::Completed,
    }
}
