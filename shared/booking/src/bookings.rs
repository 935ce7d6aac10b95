//! Books an appointment: claim it with its slot, attempt to book it, store the result, and notify the next step.

use std::time::{Duration, Instant};

use calcom::{Calcom, CalcomConfig, Priority};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    aws::SdkConfig,
    queues::{MessageKind, Queue},
    secrets::Secret,
    telemetry::{LogContext, Metrics},
};
use scheduling::{
    appointment::{Actor, Appointment, Claimed, NotClaimable, StateName},
    booking::UnconfirmedBooking,
    failure::BookingFailure,
    ids::AppointmentId,
    tenant::Tenant,
    timing::Timing,
};
use store::{
    AccountPauses, Appointments, Catalogs, SetupFaults, SlotLease, StoreError, Tenants, Version, Versioned,
    step::StepError,
};

use crate::{
    accounts::Accounts,
    attempt::{AttemptLog, Attempted},
    booker::{Booker, Next, Plan},
    breaker::{Admission, CredentialBreaker},
    job::Job,
    slot_cache::SlotCache,
};

/// The range over which messages are spread that waited for the same thing.
const SPREAD: TimeDelta = TimeDelta::seconds(5);
/// How often a worker looks whether a slot lease was released.
pub(crate) const SLOT_POLL: Duration = Duration::from_millis(250);
/// What a caller's worker keeps of its time to read the free slots and to store the result.
const RESERVE: Duration = Duration::from_millis(800);

/// Books appointments, created once per process.
pub struct Bookings {
    /// The appointments.
    pub appointments: Appointments,
    /// The tenants.
    pub tenants: Tenants,
    /// The accounts.
    pub accounts: Accounts,
    /// Free slots.
    pub(crate) slots: SlotCache,
    /// The queue of appointments to be booked.
    pub bookings: Queue,
    /// The queue of appointments to be assigned.
    pub assignments: Queue,
    /// Leases, timeouts and delays.
    pub timing: Timing,
    breaker: CredentialBreaker,
    setup_faults: SetupFaults,
    pub(crate) metrics: Metrics,
    function: &'static str,
    version: String,
}

/// What became of an appointment.
#[derive(Debug)]
pub enum Outcome {
    /// It was attempted, and this is stored.
    Attempted {
        /// The appointment.
        appointment: Box<Appointment>,
        /// Why it is not booked.
        failure: Option<BookingFailure>,
    },
    /// It is not attempted before this time: its message is queued.
    Postponed(DateTime<Utc>),
    /// It can't be claimed now.
    NotClaimable(NotClaimable),
    /// Another worker has it.
    Lost,
}

/// What came of waiting for a slot.
enum Slot {
    /// The appointment is claimed, together with its slot.
    Claimed(Version),
    /// The slot went to somebody else meanwhile.
    Taken(BookingFailure),
    /// Others still hold it.
    Held,
    /// Another worker has the appointment.
    Lost,
}

impl Bookings {
    /// Reads the environment and creates the clients. `function` is named in the history of what it books.
    ///
    /// # Errors
    /// If a variable is missing or unreadable, or TLS can't be set up.
    pub fn from_env(
        config: &SdkConfig,
        timing: Timing,
        function: &'static str,
        version: String,
    ) -> Result<Self, lambda_runtime::Error> {
        let metrics = Metrics::new(function);
        let appointments = Appointments::from_env(config, timing)?;
        Ok(Self {
            accounts: Accounts {
                keys: Secret::from_env(config)?,
                calcom: Calcom::new(CalcomConfig::from_env(&timing)?)?,
                catalogs: Catalogs::from_env(config)?,
                metrics: metrics.clone(),
                min_age: timing.grace / 2,
            },
            tenants: Tenants::from_env(config)?,
            slots: SlotCache::default(),
            breaker: CredentialBreaker::new(AccountPauses::from_env(config)?, metrics.clone(), timing),
            setup_faults: SetupFaults::from_env(config)?,
            bookings: Queue::bookings_from_env(config)?,
            assignments: Queue::assignments_from_env(config)?,
            appointments,
            metrics,
            timing,
            function,
            version,
        })
    }

    /// Prepares everything that the first booking would wait for: the keys, and a connection to each service. Cal.com takes
    /// longest to respond, and is not waited for.
    pub async fn connect(&self) {
        let calcom = self.accounts.calcom.clone();
        tokio::spawn(async move { calcom.connect().await });
        tokio::join!(self.accounts.keys.prefetch(), self.tenants.connect(), self.bookings.connect());
    }

    /// The job of a message for which nobody waits.
    pub fn job<'a>(&self, tenant: &'a Tenant, log: &'a LogContext) -> Job<'a> {
        Job { tenant, log, calcom: self.accounts.calcom.clone(), caller_until: None }
    }

    /// The job of a caller who waits for the result until `until`.
    pub fn job_of_caller<'a>(&self, tenant: &'a Tenant, log: &'a LogContext, until: Instant) -> Job<'a> {
        Job { tenant, log, calcom: self.accounts.calcom.until(until), caller_until: Some(until) }
    }

    /// Books the appointment, unless it has to wait: claims it and its slot, attempts to book it, stores the result, and
    /// only then notifies the next step.
    ///
    /// A caller who waits is not kept: what Cal.com has not answered by then goes on from the queue. A start that is not
    /// free is then declined instead of going to a person: the caller chooses another one.
    ///
    /// # Errors
    /// If the store or a queue fails.
    pub async fn book(&self, stored: Versioned<Appointment>, job: &Job<'_>) -> Result<Outcome, StepError> {
        let Versioned { value: appointment, version } = stored;
        let claim = match appointment.clone().claim(self.timing.lease, self.actor()) {
            Ok(claim) => claim,
            Err(refused) => return Ok(Outcome::NotClaimable(refused)),
        };
        if let Some(until) = self.rests_until(job).await {
            return self.resend_at(claim.appointment(), until + spread(claim.appointment(), SPREAD), job).await;
        }
        if let Admission::Blocked(until) = self.breaker.admit(&self.accounts, job).await? {
            return self.wait_for_account(appointment, version, until, job).await;
        }
        if claim.progress().unconfirmed == Some(UnconfirmedBooking::MadeInCall) {
            return self.adopt(claim, version, job).await;
        }
        self.book_claimed(claim, version, job).await
    }

    /// Ends the pause of the tenant's account if Cal.com accepts its key now, and returns whether it does. `None` if that
    /// can't be found out now.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn resume_account(&self, job: &Job<'_>) -> Result<Option<bool>, StoreError> {
        self.breaker.resume(&self.accounts, job).await
    }

    async fn book_claimed(&self, mut claim: Claimed, version: Version, job: &Job<'_>) -> Result<Outcome, StepError> {
        let Some(plan) = self.booker().plan(claim.appointment(), job).await? else { return Ok(Outcome::Lost) };
        let lease = plan.span().map(|span| SlotLease {
            account: job.tenant.calcom.account.clone(),
            span,
            holder: claim.appointment().id.clone(),
        });
        let mut attempted = AttemptLog::default();
        let slot = self.claim_slot(&claim, version, lease.as_ref(), &plan, &mut attempted, job).await?;
        let (next, version, lease) = match slot {
            Slot::Lost => return Ok(Outcome::Lost),
            Slot::Held => {
                let delay = self.timing.slot + spread(claim.appointment(), self.timing.slot);
                return self.resend_at(claim.appointment(), Utc::now() + delay, job).await;
            }
            Slot::Taken(failure) => (Next::Review { failure }, version, None),
            Slot::Claimed(version) => (self.attempt(&mut claim, &plan, &mut attempted, job).await, version, lease),
        };
        let next = if job.caller_until.is_some() { next.for_caller() } else { next };
        self.note_setup(&next, &attempted, job).await?;
        let (appointment, next) = self.booker().conclude(claim, next, self.actor(), job.log);
        // While Cal.com may still be making the booking, the slot stays leased: the lease expires after that.
        let may_be_booked = appointment.unconfirmed_booking() == Some(UnconfirmedBooking::NoResponse);
        let lease = lease.as_ref().filter(|_| !may_be_booked);
        let update = self.appointments.update(&appointment, version).exchanges(&attempted.exchanges);
        update.release(lease).commit().await?;
        self.slots.forget(&job.tenant.calcom.account);
        self.notify(appointment, next, job).await
    }

    /// Looks for the booking that a tool of the voice agent made in the call, and adopts it. If there is none, the
    /// appointment goes back to where its request begins.
    async fn adopt(&self, mut claim: Claimed, version: Version, job: &Job<'_>) -> Result<Outcome, StepError> {
        let version = match self.store_claim(&claim, version, None).await {
            Ok(version) => version,
            Err(StoreError::Conflict) => return Ok(Outcome::Lost),
            Err(error) => return Err(error.into()),
        };
        let mut attempted = AttemptLog::default();
        let found = self.booker().find_made_in_call(&claim, job, &self.appointments, &mut attempted).await;
        let next = match found {
            Ok(Some(Attempted::Booked { booking, how, .. })) => Next::Assign { booking: Box::new(booking), how },
            Ok(Some(Attempted::CancelledAtCalcom)) => Next::CancelledAtCalcom,
            Ok(None) => {
                let appointment = claim.mark_not_booked_in_call(self.actor());
                let update = self.appointments.update(&appointment, version);
                update.exchanges(&attempted.exchanges).commit().await?;
                if appointment.state().name() == StateName::Requested {
                    self.bookings.send(&job.message(MessageKind::Process, &appointment)).await?;
                }
                return Ok(Outcome::Attempted { appointment: Box::new(appointment), failure: None });
            }
            Err(failure) => match self.booker().next_after(&mut claim, failure, self.actor(), job.log) {
                Some(next) => next,
                None => return self.resend_at(claim.appointment(), Utc::now() + self.timing.slot, job).await,
            },
        };
        let (appointment, next) = self.booker().conclude(claim, next, self.actor(), job.log);
        let update = self.appointments.update(&appointment, version).exchanges(&attempted.exchanges);
        update.adopt(appointment.booking().map(|booking| &booking.uid)).commit().await?;
        self.notify(appointment, next, job).await
    }

    /// Attempts to book until there is a result.
    async fn attempt(&self, claim: &mut Claimed, plan: &Plan, attempted: &mut AttemptLog, job: &Job<'_>) -> Next {
        loop {
            if let Some(next) = self.booker().attempt(claim, plan, attempted, self.actor(), job).await {
                return next;
            }
        }
    }

    /// Until when the account rests, because its rate limit is exhausted.
    async fn rests_until(&self, job: &Job<'_>) -> Option<DateTime<Utc>> {
        let key = self.accounts.key_of(&job.tenant.calcom.account).await?;
        job.calcom.rests_until(&key, Priority::Live, Utc::now())
    }

    /// Stores the claim together with the slot lease. While others hold an overlapping one, it waits, and reads
    /// the free slots as soon as one is released: if the start is taken, waiting ends.
    async fn claim_slot(
        &self,
        claim: &Claimed,
        version: Version,
        lease: Option<&SlotLease>,
        plan: &Plan,
        attempted: &mut AttemptLog,
        job: &Job<'_>,
    ) -> Result<Slot, StoreError> {
        let wait_until = self.slot_wait_until(job);
        loop {
            match self.store_claim(claim, version, lease).await {
                Ok(version) => return Ok(Slot::Claimed(version)),
                // If that worker dies, the reconciler resends the appointment.
                Err(StoreError::Conflict) => return Ok(Slot::Lost),
                Err(StoreError::SlotTaken) => {}
                Err(error) => return Err(error),
            }
            let Some(lease) = lease else { return Ok(Slot::Held) };
            loop {
                if Instant::now() > wait_until {
                    return Ok(Slot::Held);
                }
                tokio::time::sleep(SLOT_POLL).await;
                if self.appointments.is_slot_free(lease, Utc::now()).await? {
                    break;
                }
            }
            if claim.progress().unconfirmed.is_none()
                && let Some(failure) = self.booker().find_taken(claim, plan, attempted, job).await
            {
                self.metrics.count("BookingFailed", Some(failure.category().as_str()), job.log);
                return Ok(Slot::Taken(failure));
            }
        }
    }

    /// Until when a slot is waited for that others hold.
    pub(crate) fn slot_wait_until(&self, job: &Job<'_>) -> Instant {
        let wait_until = Instant::now() + self.timing.slot_wait.to_std().unwrap_or_default();
        job.caller_until.map_or(wait_until, |until| wait_until.min(until - RESERVE))
    }

    async fn store_claim(
        &self,
        claim: &Claimed,
        version: Version,
        lease: Option<&SlotLease>,
    ) -> Result<Version, StoreError> {
        let now = Utc::now();
        self.appointments.update(claim.appointment(), version).take(lease, now, now + self.timing.lease).commit().await
    }

    /// Stores why the appointment waits, and returns its message when the account may be open again.
    async fn wait_for_account(
        &self,
        mut appointment: Appointment,
        version: Version,
        until: DateTime<Utc>,
        job: &Job<'_>,
    ) -> Result<Outcome, StepError> {
        tracing::info!(%until, "appointment waits: its account is paused");
        if appointment.wait_for_account(until, self.actor()).is_ok() {
            match self.appointments.update(&appointment, version).commit().await {
                Ok(_) => {}
                Err(StoreError::Conflict) => return Ok(Outcome::Lost),
                Err(error) => return Err(error.into()),
            }
        }
        self.resend_at(&appointment, until + spread(&appointment, SPREAD), job).await
    }

    /// Notes that an event type is set up wrongly, before the appointment that met it is stored: whatever happens then,
    /// people are told, and it goes on when that is mended. Notes as well that one works again.
    async fn note_setup(&self, next: &Next, attempted: &AttemptLog, job: &Job<'_>) -> Result<(), StoreError> {
        let tenant = &job.tenant.id;
        if let Next::Review { failure: BookingFailure::Misconfigured(fault) } = next {
            let Some(event_type) = attempted.faulty else { return Ok(()) };
            if self.setup_faults.open(tenant, event_type, fault, Utc::now()).await? {
                self.metrics.count("EventTypeMisconfigured", None, job.log);
                tracing::error!(event_type = event_type.0, problem = %fault, "event type can't be booked");
            }
        } else if let Some(event_type) = attempted.bookable
            && self.setup_faults.mend(tenant, event_type).await?
        {
            tracing::info!(event_type = event_type.0, "event type can be booked again");
        }
        Ok(())
    }

    /// Notifies the next step, or schedules the next attempt, and pauses the account if Cal.com refuses its key.
    async fn notify(&self, appointment: Appointment, next: Next, job: &Job<'_>) -> Result<Outcome, StepError> {
        let message = job.message(MessageKind::Process, &appointment);
        let failure = match next {
            Next::Assign { .. } => {
                job.sent(self.assignments.send(&message).await)?;
                None
            }
            Next::Retry { at, failure } => {
                if matches!(failure, BookingFailure::CredentialsRefused) {
                    self.breaker.pause(&job.tenant.calcom.account, at, job.log).await?;
                }
                job.sent(self.bookings.send_at(&message, at, &self.timing).await)?;
                Some(failure)
            }
            Next::Review { failure } | Next::Decline { failure } => Some(failure),
            Next::CancelledAtCalcom | Next::CancelPast => None,
        };
        Ok(Outcome::Attempted { appointment: Box::new(appointment), failure })
    }

    async fn resend_at(
        &self,
        appointment: &Appointment,
        at: DateTime<Utc>,
        job: &Job<'_>,
    ) -> Result<Outcome, StepError> {
        let message = job.message(MessageKind::Process, appointment);
        job.sent(self.bookings.send_at(&message, at, &self.timing).await)?;
        Ok(Outcome::Postponed(at))
    }

    pub(crate) fn booker(&self) -> Booker<'_> {
        Booker { accounts: &self.accounts, tenants: &self.tenants, metrics: &self.metrics, timing: &self.timing }
    }

    /// This function at this moment.
    pub fn actor(&self) -> Actor<'_> {
        Actor { function: self.function, version: &self.version, now: Utc::now(), person: None }
    }

    /// The appointment as it is stored.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn load(&self, id: &AppointmentId) -> Result<Option<Versioned<Appointment>>, StoreError> {
        self.appointments.load(id).await
    }
}

/// The appointment's own share of the range, another one after each transition.
pub(crate) fn spread(appointment: &Appointment, range: TimeDelta) -> TimeDelta {
    let share = appointment.id.jitter(appointment.history().len().try_into().unwrap_or(u32::MAX));
    TimeDelta::milliseconds((range.num_milliseconds() as f64 * share) as i64)
}
