//! Looks up what a booking came without: its hosts, or its host's confirmation.

use calcom::{Calcom, Priority};
use chrono::{DateTime, Utc};
use platform::secrets::{CalcomKeys, Secret};
use scheduling::{
    appointment::{Actor, Appointment, Cause, Outcome, Transition},
    booking::{Booking, BookingStatus, HostEvidence},
    failure::{BookingFailure, Category},
    retry::{Decision, RetryContext, decide},
    tenant::Tenant,
    timing::Timing,
};
use store::{ExchangeRecord, step::StepError};

/// The result of a look-up.
pub enum HostLookup {
    /// The hosts are final: no further look-up is needed.
    Complete(Vec<ExchangeRecord>),
    /// The host still has to confirm the booking.
    AwaitingHost,
    /// The host rejected the booking, or it was cancelled. The appointment is closed.
    Closed(Vec<ExchangeRecord>),
    /// Cal.com could not be queried.
    Failed(BookingFailure),
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
    /// If the booking has no hosts, or waits for its host, queries Cal.com for it once more.
    pub async fn complete(
        &self,
        appointment: &mut Appointment,
        booking: &mut Booking,
        tenant: &Tenant,
        by: Actor<'_>,
    ) -> Result<HostLookup, StepError> {
        let is_pending = booking.status == BookingStatus::Pending;
        let lacks_hosts = matches!(booking.hosts, HostEvidence::None { looked_up_again: false, .. });
        if !is_pending && !lacks_hosts {
            return Ok(HostLookup::Complete(Vec::new()));
        }
        let not_now = |failure| if is_pending { HostLookup::AwaitingHost } else { HostLookup::Failed(failure) };
        let Ok(keys) = self.keys.read().await else { return Ok(not_now(BookingFailure::NOT_SENT)) };
        let Some(key) = keys.of(&tenant.calcom.account) else {
            return Ok(not_now(BookingFailure::CredentialsRefused));
        };
        if let Some(until) = self.calcom.rests_until(key, Priority::Live, by.now) {
            return Ok(not_now(BookingFailure::RateLimited { retry_after: Some(until - by.now) }));
        }
        // A booking that waits for its host may have been moved meanwhile.
        let found = match is_pending {
            true => self.calcom.follow(key, &booking.uid).await,
            false => self.calcom.get(key, &booking.uid).await,
        };
        match found {
            Ok(found) => {
                let exchanges = vec![ExchangeRecord { request: "get", exchange: found.exchange }];
                let found = found.value.booking;
                match found.status {
                    BookingStatus::Pending if is_pending => Ok(HostLookup::AwaitingHost),
                    status if is_pending && !status.is_active() => {
                        appointment.close(Outcome::CancelledAtCalcom, by)?;
                        Ok(HostLookup::Closed(exchanges))
                    }
                    _ => {
                        let hosts = after_look_up(found.hosts.clone());
                        *booking = Booking { hosts, ..if is_pending { found } else { booking.clone() } };
                        if is_pending {
                            appointment.confirm_by_host(booking.clone(), by)?;
                        } else {
                            appointment.record_hosts(booking.hosts.clone(), by)?;
                        }
                        Ok(HostLookup::Complete(exchanges))
                    }
                }
            }
            // Only its host's word makes it an appointment, however long Cal.com can't be queried.
            Err(_) if is_pending => Ok(HostLookup::AwaitingHost),
            // Cal.com's replica may not know the booking yet.
            Err(error) if error.is_not_found() && self.may_lag(appointment, by.now) => {
                Ok(HostLookup::Failed(BookingFailure::NOT_SENT))
            }
            Err(error) if error.category() == Category::Unknown && lacks_hosts => {
                booking.hosts = after_look_up(booking.hosts.clone());
                appointment.record_hosts(booking.hosts.clone(), by)?;
                Ok(HostLookup::Complete(vec![ExchangeRecord { request: "get", exchange: error.exchange }]))
            }
            Err(error) => Ok(HostLookup::Failed(error.failure)),
        }
    }

    fn may_lag(&self, appointment: &Appointment, now: DateTime<Utc>) -> bool {
        appointment.booked_at().is_some_and(|booked_at| now - booked_at < self.timing.replica_lag)
    }

    /// Lets the appointment wait for its host's confirmation, and returns until when.
    pub fn await_host(&self, appointment: &mut Appointment, by: Actor<'_>) -> Result<DateTime<Utc>, StepError> {
        let waited = appointment.history().last().filter(|last| last.cause == Cause::AwaitingHost);
        let at = by.now + self.timing.resend_delay(waited.map_or(0, Transition::times));
        appointment.await_host(at, by)?;
        Ok(at)
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
            has_own_contact: true,
            unconfirmed: None,
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

/// What is known of the hosts once they were looked up again.
fn after_look_up(hosts: HostEvidence) -> HostEvidence {
    match hosts {
        HostEvidence::None { reason, .. } => HostEvidence::None { reason, looked_up_again: true },
        named => named,
    }
}
