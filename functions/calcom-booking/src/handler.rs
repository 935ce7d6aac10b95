//! Processes a message: claim the appointment and its slot, attempt to book it, store the result, notify the next step.

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use calcom::{Calcom, CalcomConfig, Priority};
use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    batch::Batches,
    env,
    queues::{AppointmentMessage, MessageKind, Queue},
    secrets::Secret,
    telemetry::{LogContext, Metrics},
};
use scheduling::{
    appointment::{Actor, Appointment, Claimed, NotClaimable, StateName},
    booking::UnconfirmedBooking,
    failure::{BookingFailure, Category},
    tenant::Tenant,
    timing::Timing,
};
use store::{
    AccountPauses, Appointments, Catalogs, SetupFaults, SlotLease, StoreError, Tenants, Version, Versioned,
    step::{self, StepError},
};

use crate::{
    accounts::Accounts,
    attempt::{AttemptLog, Attempted},
    booker::{Booker, Next, Plan},
    breaker::{Admission, CredentialBreaker},
    verification::{self, Verified},
};

const FUNCTION: &str = "calcom-booking";
/// The range over which messages are spread that waited for the same thing.
const SPREAD: TimeDelta = TimeDelta::seconds(5);
/// How often a worker looks whether a slot lease was released.
const SLOT_POLL: Duration = Duration::from_millis(250);

/// Everything that booking needs, created once per process.
pub struct Bookings {
    appointments: Appointments,
    booker: Booker,
    breaker: CredentialBreaker,
    setup_faults: SetupFaults,
    bookings: Queue,
    assignments: Queue,
    batches: Batches,
    metrics: Metrics,
    timing: Timing,
    version: String,
}

/// A message with what belongs to it.
struct Job<'a> {
    message: &'a AppointmentMessage,
    tenant: &'a Tenant,
    log: &'a LogContext,
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
    /// Reads the environment, creates the clients and opens their connections.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let metrics = Metrics::new(FUNCTION);
        let bookings = Queue::bookings_from_env(&config)?;
        let bookings = Self {
            appointments: Appointments::from_env(&config, timing)?,
            booker: Booker {
                accounts: Accounts {
                    keys: Secret::from_env(&config)?,
                    calcom: Calcom::new(CalcomConfig::from_env(&timing)?)?,
                    catalogs: Catalogs::from_env(&config)?,
                    metrics: metrics.clone(),
                    min_age: timing.grace / 2,
                },
                tenants: Tenants::from_env(&config)?,
                metrics: metrics.clone(),
                timing,
            },
            breaker: CredentialBreaker::new(AccountPauses::from_env(&config)?, metrics.clone(), timing),
            setup_faults: SetupFaults::from_env(&config)?,
            assignments: Queue::assignments_from_env(&config)?,
            batches: Batches::from_env(&config, bookings.clone(), timing, metrics.clone())?,
            bookings,
            metrics,
            timing,
            version: env::deployed_version(),
        };
        bookings.warm_up().await;
        Ok(bookings)
    }

    /// Prepares everything that the first booking would wait for: the keys, and a connection to each service.
    async fn warm_up(&self) {
        let accounts = &self.booker.accounts;
        tokio::join!(
            accounts.keys.prefetch(),
            self.booker.tenants.connect(),
            self.bookings.connect(),
            accounts.calcom.connect()
        );
    }

    /// Processes a batch of messages.
    pub async fn handle(&self, event: SqsEvent, context: Context) -> Result<SqsBatchResponse, Error> {
        let stall = |id, reason| step::stall(&self.appointments, FUNCTION, id, reason);
        Ok(self.batches.process(event, &context, |message, log| self.process(message, log), stall).await)
    }

    /// Verifies or books the appointment of a message, unless it has to wait.
    async fn process(&self, message: AppointmentMessage, log: LogContext) -> Result<(), StepError> {
        let (stored, tenant) = step::load(&self.appointments, &self.booker.tenants, &message).await?;
        let job = Job { message: &message, tenant: &tenant, log: &log };
        if message.kind == MessageKind::Verify && stored.value.is_booked() {
            return match stored.value.verification() {
                Some(_) => self.verify(stored, &job).await,
                // Another copy of the message was first.
                None => Ok(()),
            };
        }
        let Versioned { value: appointment, version } = stored;
        let claim = match appointment.clone().claim(self.timing.lease, self.actor()) {
            Ok(claim) => claim,
            Err(refused) => return self.skip(&message, refused).await,
        };
        if let Some(until) = self.rests_until(&tenant).await {
            return self.resend_at(&message, until + spread(claim.appointment(), SPREAD)).await;
        }
        let accounts = &self.booker.accounts;
        if let Admission::Blocked(until) = self.breaker.admit(&tenant.calcom.account, accounts, &log).await? {
            return self.wait_for_account(appointment, version, until, &job).await;
        }
        self.book(claim, version, &job).await?;
        accounts.refresh_if_old(&tenant, &log).await;
        Ok(())
    }

    /// Claims the appointment and its slot, attempts to book it, stores the result, and only then notifies the next
    /// step.
    async fn book(&self, mut claim: Claimed, version: Version, job: &Job<'_>) -> Result<(), StepError> {
        if claim.progress().unconfirmed == Some(UnconfirmedBooking::MadeInCall) {
            return self.adopt(claim, version, job).await;
        }
        let Some(plan) = self.booker.plan(claim.appointment(), job.tenant, job.log).await? else { return Ok(()) };
        let lease = plan.span().map(|span| SlotLease {
            account: job.tenant.calcom.account.clone(),
            span,
            holder: claim.appointment().id.clone(),
        });
        let mut attempted = AttemptLog::default();
        let slot = self.claim_slot(&claim, version, lease.as_ref(), &plan, &mut attempted, job).await?;
        let (next, version, lease) = match slot {
            Slot::Lost => return Ok(()),
            Slot::Held => {
                let delay = self.timing.slot + spread(claim.appointment(), self.timing.slot);
                return self.resend_at(job.message, Utc::now() + delay).await;
            }
            Slot::Taken(failure) => (Next::Review { failure }, version, None),
            Slot::Claimed(version) => (self.attempt(&mut claim, &plan, &mut attempted, job).await, version, lease),
        };
        self.note_setup(&next, &attempted, job).await?;
        let (appointment, next) = self.booker.conclude(claim, next, self.actor(), job.log);
        // While Cal.com may still be making the booking, the slot stays leased: the lease expires after that.
        let may_be_booked = appointment.unconfirmed_booking() == Some(UnconfirmedBooking::NoResponse);
        let lease = lease.as_ref().filter(|_| !may_be_booked);
        let update = self.appointments.update(&appointment, version).exchanges(&attempted.exchanges);
        update.release(lease).commit().await?;
        self.notify(next, job).await
    }

    /// Looks for the booking that a tool of the voice agent made in the call, and adopts it. If there is none, the
    /// appointment goes back to where its request begins.
    async fn adopt(&self, mut claim: Claimed, version: Version, job: &Job<'_>) -> Result<(), StepError> {
        let version = match self.store_claim(&claim, version, None).await {
            Ok(version) => version,
            Err(StoreError::Conflict) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut attempted = AttemptLog::default();
        let found = self.booker.find_made_in_call(&claim, job.tenant, &self.appointments, &mut attempted).await;
        let next = match found {
            Ok(Some(Attempted::Booked { booking, how, .. })) => Next::Assign { booking: Box::new(booking), how },
            Ok(Some(Attempted::CancelledAtCalcom)) => Next::CancelledAtCalcom,
            Ok(None) => {
                let appointment = claim.mark_not_booked_in_call(self.actor());
                let update = self.appointments.update(&appointment, version);
                update.exchanges(&attempted.exchanges).commit().await?;
                return match appointment.state().name() {
                    StateName::Requested => Ok(self.bookings.send(job.message).await?),
                    _ => Ok(()),
                };
            }
            Err(failure) => match self.booker.next_after(&mut claim, failure, self.actor(), job.log) {
                Some(next) => next,
                None => return self.resend_at(job.message, Utc::now() + self.timing.slot).await,
            },
        };
        let (appointment, next) = self.booker.conclude(claim, next, self.actor(), job.log);
        let update = self.appointments.update(&appointment, version).exchanges(&attempted.exchanges);
        update.adopt(appointment.booking().map(|booking| &booking.uid)).commit().await?;
        self.notify(next, job).await
    }

    /// Attempts to book until there is a result.
    async fn attempt(&self, claim: &mut Claimed, plan: &Plan, attempted: &mut AttemptLog, job: &Job<'_>) -> Next {
        loop {
            if let Some(next) = self.booker.attempt(claim, job.tenant, plan, attempted, self.actor(), job.log).await {
                return next;
            }
        }
    }

    /// Until when the account rests, because its rate limit is exhausted.
    async fn rests_until(&self, tenant: &Tenant) -> Option<DateTime<Utc>> {
        let key = self.booker.accounts.key_of(&tenant.calcom.account).await?;
        self.booker.accounts.calcom.rests_until(&key, Priority::Live, Utc::now())
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
        let began = Utc::now();
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
                if Utc::now() - began > self.timing.slot_wait {
                    return Ok(Slot::Held);
                }
                tokio::time::sleep(SLOT_POLL).await;
                if self.appointments.is_slot_free(lease, Utc::now()).await? {
                    break;
                }
            }
            if claim.progress().unconfirmed.is_none()
                && let Some(failure) = self.booker.find_taken(claim, job.tenant, plan, attempted).await
            {
                self.metrics.count("BookingFailed", Some(failure.category().as_str()), job.log);
                return Ok(Slot::Taken(failure));
            }
        }
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
    ) -> Result<(), StepError> {
        tracing::info!(%until, "appointment waits: its account is paused");
        if appointment.wait_for_account(until, self.actor()).is_ok() {
            match self.appointments.update(&appointment, version).commit().await {
                Ok(_) => {}
                Err(StoreError::Conflict) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.resend_at(job.message, until + spread(&appointment, SPREAD)).await
    }

    /// Handles an appointment that can't be claimed now.
    async fn skip(&self, message: &AppointmentMessage, refused: NotClaimable) -> Result<(), StepError> {
        match refused {
            NotClaimable::NotBefore(time) => Ok(self.bookings.return_until(message, time, &self.timing).await?),
            // The message to staff-assignment may have been lost with the worker that stored the booking.
            NotClaimable::Booked => Ok(self.assignments.send(&message.with_kind(MessageKind::Process)).await?),
            NotClaimable::Settled(state) => {
                tracing::info!(state = state.as_str(), "appointment needs no booking");
                Ok(())
            }
        }
    }

    /// Verifies the booking of an appointment that its customer requests again.
    async fn verify(&self, stored: Versioned<Appointment>, job: &Job<'_>) -> Result<(), StepError> {
        let Versioned { value: mut appointment, version } = stored;
        let Some(uid) = appointment.booking().map(|booking| booking.uid.clone()) else { return Ok(()) };
        let accounts = &self.booker.accounts;
        let found = match accounts.key_of(&job.tenant.calcom.account).await {
            Some(key) => match accounts.calcom.follow(&key, &uid).await {
                Ok(found) => Ok(Some(found.value)),
                Err(error) if error.is_not_found() && self.must_be_visible(&appointment) => Ok(None),
                Err(error) => Err(error.category()),
            },
            None => Err(Category::Credentials),
        };
        let verified = verification::judge(&mut appointment, found, &self.timing, self.actor())?;
        self.appointments.update(&appointment, version).commit().await?;
        tracing::info!(?verified, "booking verified: its customer requests it again");
        match verified {
            // It was moved to another host.
            Verified::Settled if appointment.state().name() == StateName::Booked => {
                Ok(self.assignments.send(&AppointmentMessage::process(&appointment)).await?)
            }
            Verified::Settled => Ok(()),
            Verified::Reopened => Ok(self.bookings.send(&AppointmentMessage::process(&appointment)).await?),
            Verified::Deferred(at) => self.resend_at(job.message, at).await,
        }
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
    async fn notify(&self, next: Next, job: &Job<'_>) -> Result<(), StepError> {
        let message = job.message;
        match next {
            Next::Assign { .. } => Ok(self.assignments.send(&message.with_kind(MessageKind::Process)).await?),
            Next::Retry { at, failure } => {
                if matches!(failure, BookingFailure::CredentialsRefused) {
                    self.breaker.pause(&job.tenant.calcom.account, at, job.log).await?;
                }
                self.resend_at(message, at).await
            }
            Next::CancelledAtCalcom | Next::CancelPast | Next::Review { .. } => Ok(()),
        }
    }

    /// Whether Cal.com's replica knows the appointment's booking, if it exists.
    fn must_be_visible(&self, appointment: &Appointment) -> bool {
        appointment.booked_at().is_none_or(|booked_at| Utc::now() - booked_at > self.timing.replica_lag)
    }

    async fn resend_at(&self, message: &AppointmentMessage, at: DateTime<Utc>) -> Result<(), StepError> {
        Ok(self.bookings.send_at(message, at, &self.timing).await?)
    }

    fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now() }
    }
}

/// The appointment's own share of the range, another one after each transition.
fn spread(appointment: &Appointment, range: TimeDelta) -> TimeDelta {
    let share = appointment.id.jitter(appointment.history().len().try_into().unwrap_or(u32::MAX));
    TimeDelta::milliseconds((range.num_milliseconds() as f64 * share) as i64)
}
