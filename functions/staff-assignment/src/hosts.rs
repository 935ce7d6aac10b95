//! Looks up the hosts of a booking that came without any.

use calcom::Calcom;
use chrono::{DateTime, Utc};
use platform::secrets::{CalcomKeys, Secret};
use scheduling::{
    appointment::{Actor, Appointment},
    booking::{Booking, HostEvidence},
    failure::{BookingFailure, Category},
    retry::{Decision, RetryContext, decide},
    tenant::Tenant,
    timing::Timing,
};
use store::{ExchangeRecord, step::StepError};

/// The result of looking up the hosts of a booking.
pub enum HostLookup {
    /// The hosts are final: no further look-up is needed.
    Complete(Vec<ExchangeRecord>),
    /// Cal.com could not be queried.
    Failed(BookingFailure),
}

impl HostLookup {
    /// The exchanges to store.
    pub fn exchanges(&self) -> &[ExchangeRecord] {
        match self {
            Self::Complete(exchanges) => exchanges,
            Self::Failed(_) => &[],
        }
    }
}

/// Looks up hosts at Cal.com.
pub struct HostLookups {
    /// The keys.
    pub keys: Secret<CalcomKeys>,
    /// The client.
    pub calcom: Calcom,
    /// Leases, timeouts and delays.
    pub timing: Timing,
}

impl HostLookups {
    /// If the booking has no hosts, queries Cal.com for them once more.
    pub async fn complete(
        &self,
        appointment: &mut Appointment,
        booking: &mut Booking,
        tenant: &Tenant,
        by: Actor<'_>,
    ) -> Result<HostLookup, StepError> {
        let HostEvidence::None { reason, looked_up_again: false } = booking.hosts else {
            return Ok(HostLookup::Complete(Vec::new()));
        };
        let Ok(keys) = self.keys.read().await else { return Ok(HostLookup::Failed(BookingFailure::NOT_SENT)) };
        let Some(key) = keys.of(&tenant.calcom.account) else {
            return Ok(HostLookup::Failed(BookingFailure::CredentialsRefused));
        };
        let exchange = match self.calcom.get(key, &booking.uid).await {
            Ok(found) => {
                booking.hosts = match found.value.booking.hosts {
                    HostEvidence::None { reason, .. } => HostEvidence::None { reason, looked_up_again: true },
                    named => named,
                };
                found.exchange
            }
            Err(error) if error.category() == Category::Unknown => {
                booking.hosts = HostEvidence::None { reason, looked_up_again: true };
                error.exchange
            }
            Err(error) => return Ok(HostLookup::Failed(error.failure)),
        };
        appointment.record_hosts(booking.hosts.clone(), by)?;
        Ok(HostLookup::Complete(vec![ExchangeRecord { request: "get", exchange }]))
    }

    /// Defers the look-up, and returns until when. `None` if it has been retried for long enough.
    pub fn defer(
        &self,
        appointment: &mut Appointment,
        booking: &Booking,
        failure: &BookingFailure,
        by: Actor<'_>,
    ) -> Result<Option<DateTime<Utc>>, StepError> {
        let (now, category) = (Utc::now(), failure.category());
        let retries = appointment.retries(category);
        let booked_at = appointment.booked_at().unwrap_or(now);
        let give_up_at = booking.start.min(booked_at + self.timing.retry_window);
        let context = RetryContext {
            timing: &self.timing,
            now,
            start: booking.start,
            first_attempt: booked_at,
            retries,
            contact_omitted: true,
            may_be_booked: false,
            jitter: appointment.id.jitter(retries),
        };
        match decide(failure, &context) {
            Decision::Retry { at } | Decision::PauseAccount { until: at } if at < give_up_at => {
                tracing::warn!(category = category.as_str(), %at, "host look-up deferred: Cal.com can't be queried");
                appointment.defer_host_lookup(at, category, by)?;
                Ok(Some(at))
            }
            _ => Ok(None),
        }
    }
}
