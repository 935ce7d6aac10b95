//! Attempts to book a claimed appointment, and decides what follows.

use calcom::Calcom;
use chrono::{DateTime, Utc};
use platform::{
    secrets::{CalcomKeys, Secret, SecretError},
    telemetry::{LogContext, Metrics},
};
use scheduling::{
    appointment::{Actor, Appointment, Claimed, Confirmation},
    booking::{Booking, UnconfirmedBooking},
    failure::{BookingFailure, Category},
    retry::{Decision, RetryContext, decide},
    tenant::Tenant,
    timing::Timing,
};
use store::ExchangeRecord;

use crate::{
    attempt::{Attempt, Attempted},
    cooldowns::Cooldowns,
};

/// What happens to a claimed appointment after an attempt.
#[derive(Debug)]
pub enum Next {
    /// It is booked: staff-assignment is next.
    Assign {
        /// The booking.
        booking: Box<Booking>,
        /// How it came about.
        how: Confirmation,
    },
    /// Its booking was cancelled at Cal.com.
    CancelledAtCalcom,
    /// Its start has passed.
    CancelPast,
    /// A person decides.
    Review {
        /// Why.
        failure: BookingFailure,
    },
    /// It is attempted again.
    Retry {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        failure: BookingFailure,
    },
}

/// Attempts to book claimed appointments.
pub struct Booker {
    /// The keys.
    pub keys: Secret<CalcomKeys>,
    /// The client.
    pub calcom: Calcom,
    /// The cooldowns of accounts.
    pub cooldowns: Cooldowns,
    /// The metrics.
    pub metrics: Metrics,
    /// Leases, timeouts and delays.
    pub timing: Timing,
}

impl Booker {
    /// Attempts to book, and decides what follows. `None` if it is attempted again at once, without the part of the
    /// contact that Cal.com refuses.
    pub async fn attempt(
        &self,
        claim: &mut Claimed,
        tenant: &Tenant,
        exchanges: &mut Vec<ExchangeRecord>,
        by: Actor<'_>,
        log: &LogContext,
    ) -> Option<Next> {
        let failure = match self.book(claim, tenant, exchanges).await {
            Ok(Attempted::Booked { booking, how, duplicates_cancelled }) => {
                if duplicates_cancelled {
                    claim.note_duplicates_cancelled(by);
                    self.metrics.count("DuplicateCancelled", None, log);
                }
                return Some(Next::Assign { booking: Box::new(booking), how });
            }
            Ok(Attempted::CancelledAtCalcom) => return Some(Next::CancelledAtCalcom),
            Err(failure) => failure,
        };
        let category = failure.category();
        let decision = decide(&failure, &self.retry_context(claim, &failure));
        self.metrics.count("BookingFailed", Some(category.as_str()), log);
        let unconfirmed = claim.unconfirmed_after(&failure);
        tracing::warn!(category = category.as_str(), ?decision, ?unconfirmed, "booking failed");
        match decision {
            Decision::RetryWithoutContact => {
                let named = if let BookingFailure::ContactRefused(named) = failure { named } else { None };
                let part = claim.appointment().request.customer.refused_part(named);
                claim.omit_contact(part, by);
                None
            }
            Decision::CancelPast => Some(Next::CancelPast),
            Decision::Review => Some(Next::Review { failure }),
            Decision::Retry { at } => {
                if category == Category::RateLimited {
                    self.cooldowns.start(&tenant.calcom.account, at);
                }
                Some(Next::Retry { at, failure })
            }
            Decision::PauseAccount { until } => Some(Next::Retry { at: until, failure }),
        }
    }

    /// Makes the transition that follows.
    pub fn conclude(&self, claim: Claimed, next: Next, by: Actor<'_>, log: &LogContext) -> (Appointment, Next) {
        let appointment = match &next {
            Next::Assign { booking, how } => {
                self.metrics.count("Booked", Some(how.as_str()), log);
                tracing::info!(how = how.as_str(), "appointment booked");
                claim.confirm((**booking).clone(), *how, by)
            }
            Next::CancelledAtCalcom => {
                tracing::info!("appointment cancelled: its booking was cancelled at Cal.com");
                claim.cancel_as_at_calcom(by)
            }
            Next::CancelPast => claim.cancel_past(by),
            Next::Review { failure } => claim.escalate(failure, by),
            Next::Retry { at, failure } => claim.retry_at(*at, failure, by),
        };
        (appointment, next)
    }

    /// One attempt with the account's key, and another one if the key has just been replaced.
    async fn book(
        &self,
        claim: &mut Claimed,
        tenant: &Tenant,
        exchanges: &mut Vec<ExchangeRecord>,
    ) -> Result<Attempted, BookingFailure> {
        let start = claim.appointment().request.start.at();
        let start = start.ok_or(BookingFailure::Unknown { unconfirmed: None })?;
        let keys = self.keys.read().await.map_err(|error| {
            tracing::error!(%error, "failed to read the keys");
            match error {
                SecretError::Unavailable(_) => BookingFailure::NOT_SENT,
                SecretError::Unreadable => BookingFailure::CredentialsRefused,
            }
        })?;
        let mut book = async |keys: &CalcomKeys, exchanges: &mut Vec<ExchangeRecord>| {
            let key = keys.of(&tenant.calcom.account).ok_or(BookingFailure::CredentialsRefused)?;
            let attempt = Attempt { calcom: &self.calcom, key, tenant, start, timing: &self.timing };
            attempt.book(claim, exchanges).await
        };
        match book(&keys, exchanges).await {
            Err(BookingFailure::CredentialsRefused) => match self.keys.refresh_after(&keys).await {
                Some(refreshed) => book(&refreshed, exchanges).await,
                None => Err(BookingFailure::CredentialsRefused),
            },
            attempted => attempted,
        }
    }

    fn retry_context(&self, claim: &Claimed, failure: &BookingFailure) -> RetryContext<'_> {
        let (now, appointment) = (Utc::now(), claim.appointment());
        RetryContext {
            timing: &self.timing,
            now,
            start: appointment.request.start.at().unwrap_or(now),
            first_attempt: claim.progress().first_attempt.unwrap_or(now),
            retries: appointment.retries(failure.category()),
            contact_omitted: claim.progress().omitted_contact.is_some(),
            may_be_booked: claim.unconfirmed_after(failure) == Some(UnconfirmedBooking::NoResponse),
            jitter: appointment.id.jitter(appointment.attempts()),
        }
    }
}
