//! Attempts to book a claimed appointment, and decides what follows.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use platform::{
    secrets::{CalcomKeys, SecretError},
    telemetry::{LogContext, Metrics},
};
use scheduling::{
    appointment::{Actor, Appointment, Claimed, Confirmation},
    booking::Booking,
    failure::BookingFailure,
    retry::{Decision, RetryContext, decide},
    slot::SlotSpan,
    timing::Timing,
};
use store::{AccountCatalog, StoreError, Tenants};

use crate::{
    accounts::{Accounts, Freshness, is_refused},
    attempt::{Attempt, AttemptLog, Attempted, Target, span_of},
    job::Job,
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
    /// The caller is told that the start is not free, and chooses another one.
    Decline {
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

impl Next {
    /// The same while the caller is on the line: a start that is not free needs no person.
    pub(crate) fn for_caller(self) -> Self {
        match self {
            Self::Review { failure } if failure.leaves_a_choice() => Self::Decline { failure },
            other => other,
        }
    }
}

/// What is known before an appointment is attempted.
pub struct Plan {
    /// The requested start.
    pub start: DateTime<Utc>,
    /// The event types that fit, best first.
    pub targets: Result<Vec<Target>, BookingFailure>,
    /// What the account's key sees.
    pub catalog: Option<Arc<AccountCatalog>>,
}

impl Plan {
    /// The time that must not be booked by two at once. `None` if nothing can be booked.
    pub fn span(&self) -> Option<SlotSpan> {
        let targets = self.targets.as_ref().ok()?;
        Some(span_of(targets, self.start, self.catalog.as_ref().map(|it| &it.catalog)))
    }
}

/// The event types that fit a request, best first, or why there are none; and what the account's key sees.
pub type Targets = (Result<Vec<Target>, BookingFailure>, Option<Arc<AccountCatalog>>);

/// Attempts to book claimed appointments.
#[derive(Clone, Copy)]
pub struct Booker<'b> {
    /// The accounts.
    pub accounts: &'b Accounts,
    /// The tenants.
    pub tenants: &'b Tenants,
    /// The metrics.
    pub metrics: &'b Metrics,
    /// Leases, timeouts and delays.
    pub timing: &'b Timing,
}

impl<'b> Booker<'b> {
    /// Finds the event types that fit an appointment, and the host whom the customer wants.
    pub async fn plan(&self, appointment: &Appointment, job: &Job<'_>) -> Result<Option<Plan>, StoreError> {
        let Some(start) = appointment.request.start.at() else { return Ok(None) };
        let (service, staff) = (appointment.request.service.as_deref(), appointment.raw_staff());
        let freshness = match (appointment.resumed_by_person_at(), appointment.unconfirmed_booking()) {
            (Some(mended_at), _) => Freshness::ReadSince(mended_at),
            (None, Some(_)) => Freshness::Recent,
            (None, None) => Freshness::AsStored,
        };
        let (targets, catalog) = self.targets(service, staff, freshness, job).await?;
        Ok(Some(Plan { start, targets, catalog }))
    }

    /// The event types that fit a service and a staff member, with the host who that is, and what the account's key sees.
    pub async fn targets(
        &self,
        service: Option<&str>,
        staff: Option<&str>,
        freshness: Freshness,
        job: &Job<'_>,
    ) -> Result<Targets, StoreError> {
        let tenant = job.tenant;
        let fitting = match tenant.event_types_for(service, staff) {
            Ok(fitting) => fitting,
            Err(missing) => return Ok((Err(BookingFailure::NoEventType(missing)), None)),
        };
        let mut targets: Vec<Target> =
            fitting.event_types.into_iter().map(|event_type| Target { event_type, host: None }).collect();
        let catalog = self.accounts.catalog_for(&targets, freshness, job).await;
        let wished = fitting.wished.and_then(|id| tenant.staff_member(&id));
        if wished.is_some() && catalog.is_none() {
            // Who that is at Cal.com is not known now, and a wish is not dropped.
            return Ok((Err(BookingFailure::NOT_SENT), catalog));
        }
        if let (Some(wished), Some(known)) = (wished, &catalog) {
            for target in &mut targets {
                let Some(event_type) = known.catalog.event_type(target.event_type) else { continue };
                let hosts: Vec<_> = event_type.hosts.iter().map(|host| host.id).collect();
                let mappings = self.tenants.mappings(&tenant.id, &hosts).await?;
                target.host = event_type.host_of(wished, tenant, &mappings);
            }
        }
        Ok((Ok(targets), catalog))
    }

    /// Attempts to book, and decides what follows. `None` if it is attempted again at once, with another contact.
    pub async fn attempt(
        &self,
        claim: &mut Claimed,
        plan: &Plan,
        attempted: &mut AttemptLog,
        by: Actor<'_>,
        job: &Job<'_>,
    ) -> Option<Next> {
        let failure = match self.book(claim, plan, attempted, job).await {
            Ok(Attempted::Booked { booking, how, duplicates_cancelled }) => {
                if duplicates_cancelled {
                    claim.note_duplicates_cancelled(by);
                    self.metrics.count("DuplicateCancelled", None, job.log);
                }
                return Some(Next::Assign { booking: Box::new(booking), how });
            }
            Ok(Attempted::CancelledAtCalcom) => return Some(Next::CancelledAtCalcom),
            Err(failure) => failure,
        };
        self.next_after(claim, failure, by, job.log)
    }

    /// What follows after a failure. `None` if it is attempted again at once.
    pub fn next_after(
        &self,
        claim: &mut Claimed,
        failure: BookingFailure,
        by: Actor<'_>,
        log: &LogContext,
    ) -> Option<Next> {
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
            Decision::RetryWithOwnContact => {
                claim.use_own_contact(by);
                None
            }
            Decision::CancelPast => Some(Next::CancelPast),
            Decision::Review => Some(Next::Review { failure }),
            Decision::Retry { at } | Decision::PauseAccount { until: at } => Some(Next::Retry { at, failure }),
        }
    }

    /// Whether the start is no longer free, which nobody needs a lease to find out.
    pub async fn find_taken(
        &self,
        claim: &Claimed,
        plan: &Plan,
        attempted: &mut AttemptLog,
        job: &Job<'_>,
    ) -> Option<BookingFailure> {
        let (key, targets) = (self.accounts.key_of(&job.tenant.calcom.account).await?, plan.targets.as_ref().ok()?);
        let attempt = self.attempt_with(&key, plan, targets, job);
        let failure = attempt.check_availability(claim, targets, attempted).await.err()?;
        failure.leaves_a_choice().then_some(failure)
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
            Next::Decline { .. } => claim.decline(by),
            Next::Retry { at, failure } => claim.retry_at(*at, failure, by),
        };
        (appointment, next)
    }

    /// One attempt with the account's key, and another one if the key has just been replaced.
    async fn book(
        &self,
        claim: &mut Claimed,
        plan: &Plan,
        attempted: &mut AttemptLog,
        job: &Job<'_>,
    ) -> Result<Attempted, BookingFailure> {
        let targets = plan.targets.as_ref().map_err(Clone::clone)?;
        let keys = self.accounts.keys.read().await.map_err(keys_failed)?;
        let mut book = async |keys: &CalcomKeys, attempted: &mut AttemptLog| {
            let key = keys.of(&job.tenant.calcom.account).ok_or(BookingFailure::CredentialsRefused)?;
            match self.attempt_with(key, plan, targets, job).book(claim, attempted).await {
                // Most such refusals say nothing of the key: it is probed.
                Err(BookingFailure::Forbidden) if is_refused(&job.calcom, key).await == Some(true) => {
                    Err(BookingFailure::CredentialsRefused)
                }
                result => result,
            }
        };
        match book(&keys, attempted).await {
            Err(BookingFailure::CredentialsRefused) => match self.accounts.keys.refresh_after(&keys).await {
                Some(refreshed) => book(&refreshed, attempted).await,
                None => Err(BookingFailure::CredentialsRefused),
            },
            attempted => attempted,
        }
    }

    fn attempt_with<'a>(
        &self,
        key: &'a secrecy::SecretString,
        plan: &'a Plan,
        targets: &'a [Target],
        job: &'a Job<'_>,
    ) -> Attempt<'a>
    where
        'b: 'a,
    {
        Attempt {
            calcom: &job.calcom,
            key,
            tenant: job.tenant,
            catalog: plan.catalog.as_ref().map(|stored| &stored.catalog),
            start: plan.start,
            targets,
            timing: self.timing,
        }
    }

    fn retry_context(&self, claim: &Claimed, failure: &BookingFailure) -> RetryContext<'b> {
        let (now, appointment) = (Utc::now(), claim.appointment());
        RetryContext {
            timing: self.timing,
            now,
            // Without a usable start, a call booking is still looked up.
            start: appointment.request.start.at().unwrap_or(now + self.timing.retry_window),
            first_attempt: claim.progress().first_attempt.unwrap_or(now),
            retries: appointment.retries(failure.category()),
            contact_omitted: claim.progress().omitted_contact.is_some(),
            has_own_contact: claim.progress().has_own_contact,
            unconfirmed: claim.unconfirmed_after(failure),
            jitter: appointment.id.jitter(appointment.attempts()),
        }
    }
}

/// The failure of reading the keys.
pub(crate) fn keys_failed(error: SecretError) -> BookingFailure {
    tracing::error!(%error, "failed to read the keys");
    match error {
        SecretError::Unavailable(_) => BookingFailure::NOT_SENT,
        SecretError::Unreadable => BookingFailure::CredentialsRefused,
    }
}
