//! Closes a booked appointment by what Cal.com says became of its booking.

use calcom::FoundBooking;
use chrono::{TimeDelta, Utc};
use platform::telemetry::LogContext;
use scheduling::{
    appointment::{Appointment, Outcome as Ended},
    failure::Category,
    ids::BookingUid,
};
use store::{ExchangeRecord, StoreError, Version, Versioned};

use crate::handler::{Outcome, PastCleanup};

/// For this long after the start Cal.com is queried. Then the appointment counts as completed.
const QUERY_FOR: TimeDelta = TimeDelta::days(8);

/// Cal.com's booking with its exchange; `None` if Cal.com can't be queried, or does not know it.
type Queried = Option<(FoundBooking, ExchangeRecord)>;

impl PastCleanup {
    /// Closes a booked appointment.
    pub(crate) async fn close(&self, stored: Versioned<Appointment>, log: &LogContext) -> Result<Outcome, StoreError> {
        let Versioned { value: mut appointment, version } = stored;
        let Some(booking) = appointment.booking() else { return Ok(Outcome::Skipped) };
        let is_long_ago = booking.start + QUERY_FOR < Utc::now();
        let queried = self.query(&appointment, &booking.uid).await?;
        if let Some(moved_to) = queried.as_ref().and_then(|(found, _)| found.rescheduled_to.clone()) {
            return self.reschedule(appointment, version, moved_to).await;
        }
        let outcome = match &queried {
            Some((found, _)) if !found.booking.status.is_active() => Ended::CancelledAtCalcom,
            Some((found, _)) if found.attendee_absent => Ended::NoShow,
            Some(_) => Ended::Completed,
            None if is_long_ago => Ended::Completed,
            None => return Ok(Outcome::Skipped),
        };
        if appointment.close(outcome, self.actor()).is_err() {
            return Ok(Outcome::Skipped);
        }
        let exchanges: Vec<ExchangeRecord> = queried.into_iter().map(|(_, exchange)| exchange).collect();
        self.write(&appointment, version, &exchanges, log).await
    }

    /// Stores the booking that replaced a rescheduled one. A later run closes it, once its own start has passed.
    async fn reschedule(
        &self,
        mut appointment: Appointment,
        version: Version,
        moved_to: BookingUid,
    ) -> Result<Outcome, StoreError> {
        let Some((found, exchange)) = self.query(&appointment, &moved_to).await? else { return Ok(Outcome::Skipped) };
        if appointment.reschedule(found.booking, self.actor()).is_ok() {
            match self.appointments.update(&appointment, version).exchanges(&[exchange]).commit().await {
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Outcome::Skipped)
    }

    async fn query(&self, appointment: &Appointment, uid: &BookingUid) -> Result<Queried, StoreError> {
        let Some(tenant) = self.tenants.load(&appointment.tenant).await? else { return Ok(None) };
        let Ok(keys) = self.keys.read().await else { return Ok(None) };
        let Some(key) = keys.of(&tenant.calcom.account) else { return Ok(None) };
        match self.calcom.get(key, uid).await {
            Ok(found) => Ok(Some((found.value, ExchangeRecord { request: "get", exchange: found.exchange }))),
            Err(error) => {
                if error.category() != Category::CalcomUnavailable {
                    tracing::warn!(%error, "failed to look up what became of a booking");
                }
                Ok(None)
            }
        }
    }
}
