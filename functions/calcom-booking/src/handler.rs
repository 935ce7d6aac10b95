//! Processes a message: claim the appointment and its slot, attempt to book it, store the result, notify the next step.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use calcom::{Calcom, CalcomConfig};
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
    appointment::{Actor, Appointment, Claimed, NotClaimable},
    booking::UnconfirmedBooking,
    failure::{BookingFailure, Category},
    ids::AccountName,
    tenant::Tenant,
    timing::Timing,
};
use store::{
    AccountPauses, Appointments, ExchangeRecord, SlotLease, StoreError, Tenants, Version, Versioned,
    step::{self, StepError},
};

use crate::{
    booker::{Booker, Next},
    breaker::{Admission, CredentialBreaker},
    cooldowns::Cooldowns,
};

const FUNCTION: &str = "calcom-booking";
/// The range over which the messages that waited for a cooldown are spread.
const SPREAD_AFTER_COOLDOWN: TimeDelta = TimeDelta::seconds(5);

/// Everything that booking needs, created once per process.
pub struct Bookings {
    appointments: Appointments,
    tenants: Tenants,
    booker: Booker,
    breaker: CredentialBreaker,
    bookings: Queue,
    assignments: Queue,
    batches: Batches,
    timing: Timing,
    version: String,
}

impl Bookings {
    /// Reads the environment, creates the clients and opens their connections.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let metrics = Metrics::new(FUNCTION);
        let bookings = Queue::bookings_from_env(&config)?;
        let bookings = Self {
            appointments: Appointments::from_env(&config, timing)?,
            tenants: Tenants::from_env(&config)?,
            booker: Booker {
                keys: Secret::from_env(&config)?,
                calcom: Calcom::new(CalcomConfig::from_env(&timing))?,
                cooldowns: Cooldowns::default(),
                metrics: metrics.clone(),
                timing,
            },
            breaker: CredentialBreaker::new(AccountPauses::from_env(&config)?, metrics.clone(), timing),
            assignments: Queue::assignments_from_env(&config)?,
            batches: Batches::from_env(&config, bookings.clone(), timing, metrics.clone())?,
            bookings,
            timing,
            version: env::deployed_version(),
        };
        bookings.warm_up().await;
        Ok(bookings)
    }

    /// Prepares everything that the first booking would wait for: the keys, and a connection to each service.
    async fn warm_up(&self) {
        let (keys, calcom) = (&self.booker.keys, &self.booker.calcom);
        tokio::join!(keys.prefetch(), self.tenants.connect(), self.bookings.connect(), calcom.connect());
    }

    /// Processes a batch of messages.
    pub async fn handle(&self, event: SqsEvent, context: Context) -> Result<SqsBatchResponse, Error> {
        let stall = |id, reason| step::stall(&self.appointments, FUNCTION, id, reason);
        Ok(self.batches.process(event, &context, |message, log| self.process(message, log), stall).await)
    }

    /// Claims the appointment and its slot, attempts to book it, stores the result, and only then notifies the next
    /// step.
    async fn process(&self, message: AppointmentMessage, log: LogContext) -> Result<(), StepError> {
        let (stored, tenant) = step::load(&self.appointments, &self.tenants, &message).await?;
        if message.kind == MessageKind::Verify && stored.value.is_booked() {
            return self.verify(stored, &tenant).await;
        }
        let Versioned { value: appointment, version } = stored;
        let account = &tenant.calcom.account;
        let mut claim = match appointment.claim(self.timing.lease, self.actor()) {
            Ok(claim) => claim,
            Err(refused) => return self.skip(&message, refused).await,
        };
        if let Some(until) = self.booker.cooldowns.until(account, Utc::now()) {
            return self.resend_at(&message, until + self.spread(&claim, SPREAD_AFTER_COOLDOWN)).await;
        }
        let admission = self.breaker.admit(account).await?;
        if admission == Admission::Blocked {
            tracing::info!("appointment waits: its account is paused");
            return Ok(());
        }
        let lease = lease_of(claim.appointment(), account);
        let version = match self.store_claim(&claim, version, lease.as_ref()).await {
            Ok(version) => version,
            // Another worker was first. If it dies, the reconciler resends the appointment.
            Err(StoreError::Conflict) => return Ok(()),
            Err(StoreError::SlotTaken) => {
                let delay = self.timing.slot + self.spread(&claim, self.timing.slot);
                return self.resend_at(&message, Utc::now() + delay).await;
            }
            Err(error) => return Err(error.into()),
        };
        let mut exchanges = Vec::new();
        let (appointment, next) = loop {
            match self.booker.attempt(&mut claim, &tenant, &mut exchanges, self.actor(), &log).await {
                Some(next) => break self.booker.conclude(claim, next, self.actor(), &log),
                None => continue,
            }
        };
        // While Cal.com may still be making the booking, the slot stays leased: the lease expires after that.
        let may_be_booked = appointment.unconfirmed_booking() == Some(UnconfirmedBooking::NoResponse);
        let lease = lease.as_ref().filter(|_| !may_be_booked);
        self.appointments.update(&appointment, version).exchanges(&exchanges).release(lease).commit().await?;
        if admission == Admission::Probe && exchanges.iter().any(accepts_key) {
            self.breaker.resume(account, &log).await?;
        }
        self.notify(next, &message, account, &log).await
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

    /// Verifies the booking of an appointment that its customer requests again. If it was cancelled at Cal.com, the
    /// appointment is reopened.
    async fn verify(&self, stored: Versioned<Appointment>, tenant: &Tenant) -> Result<(), StepError> {
        let Versioned { value: mut appointment, version } = stored;
        let keys = self.booker.keys.read().await.map_err(|_| StepError::NotVerified(Category::CalcomUnavailable))?;
        let key = keys.of(&tenant.calcom.account).ok_or(StepError::NotVerified(Category::Credentials))?;
        let Some(booking) = appointment.booking() else { return Ok(()) };
        let found = self.booker.calcom.get(key, &booking.uid).await;
        let found = found.map_err(|error| StepError::NotVerified(error.category()))?.value;
        if found.booking.status.is_active() || found.rescheduled_to.is_some() {
            tracing::info!("booking is active, and its customer requests it again");
            return Ok(());
        }
        appointment.reopen(self.actor())?;
        self.appointments.update(&appointment, version).commit().await?;
        Ok(self.bookings.send(&AppointmentMessage::process(&appointment)).await?)
    }

    /// Notifies the next step, or schedules the next attempt, and pauses the account if Cal.com refuses its key.
    async fn notify(
        &self,
        next: Next,
        message: &AppointmentMessage,
        account: &AccountName,
        log: &LogContext,
    ) -> Result<(), StepError> {
        match next {
            Next::Assign { .. } => Ok(self.assignments.send(&message.with_kind(MessageKind::Process)).await?),
            Next::Retry { at, failure } => {
                if matches!(failure, BookingFailure::CredentialsRefused) {
                    self.breaker.pause(account, at, log).await?;
                }
                self.resend_at(message, at).await
            }
            Next::CancelledAtCalcom | Next::CancelPast | Next::Review { .. } => Ok(()),
        }
    }

    async fn resend_at(&self, message: &AppointmentMessage, at: DateTime<Utc>) -> Result<(), StepError> {
        Ok(self.bookings.send_at(message, at, &self.timing).await?)
    }

    /// Stores the claim together with the slot lease.
    async fn store_claim(
        &self,
        claim: &Claimed,
        version: Version,
        lease: Option<&SlotLease>,
    ) -> Result<Version, StoreError> {
        let now = Utc::now();
        self.appointments.update(claim.appointment(), version).take(lease, now, now + self.timing.lease).commit().await
    }

    fn spread(&self, claim: &Claimed, range: TimeDelta) -> TimeDelta {
        let appointment = claim.appointment();
        let jitter = appointment.id.jitter(appointment.history().len().try_into().unwrap_or(u32::MAX));
        TimeDelta::milliseconds((range.num_milliseconds() as f64 * jitter) as i64)
    }

    fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now() }
    }
}

/// Whether a response shows that Cal.com accepts the key, whatever else it says.
fn accepts_key(record: &ExchangeRecord) -> bool {
    matches!(record.exchange.status, Some(200..=299 | 400 | 404 | 409 | 422))
}

fn lease_of(appointment: &Appointment, account: &AccountName) -> Option<SlotLease> {
    let start = appointment.request.start.at()?;
    Some(SlotLease { account: account.clone(), start, holder: appointment.id.clone() })
}
