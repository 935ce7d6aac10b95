//! From a message to a booked appointment.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use calcom::Calcom;
use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    batch::Batches,
    queues::{AppointmentMessage, Queue, QueueError},
    secrets::{CalcomKeys, Secret, SecretError},
    settings,
    store::{Along, Appointments, ExchangeRecord, Pauses, SlotChange, SlotLease, StoreError, Tenants, Version},
    telemetry::{Metrics, LogContext},
};
use scheduling::{
    appointment::{Actor, Appointment, UnconfirmedBooking, InvalidTransition, NotClaimable},
    failure::{Category, RetryContext, Decision, decide},
    ids::AccountName,
    tenant::Tenant,
    timing::Timing,
};

use crate::{
    attempt::{Attempt, Attempted, BookingFailure},
    gate::{Admission, CredentialBreaker},
    quiet::Cooldowns,
};

const FUNCTION: &str = "calcom-booking";
/// Over how long those come back that waited for an account to be asked again.
const AFTER_QUIET: TimeDelta = TimeDelta::seconds(5);

/// All that booking needs, made once per process.
pub struct Bookings {
    appointments: Appointments,
    tenants: Tenants,
    keys: Secret<CalcomKeys>,
    calcom: Calcom,
    gate: CredentialBreaker,
    quiet: Cooldowns,
    bookings: Queue,
    assignments: Queue,
    batches: Batches,
    metrics: Metrics,
    timing: Timing,
    version: String,
}

/// Why a message could not be worked off.
#[derive(Debug, thiserror::Error)]
pub enum BookingError {
    /// There is no such appointment.
    #[error("the appointment is not stored")]
    NotStored,
    /// There is no such tenant.
    #[error("the tenant is not stored")]
    NoTenant,
    /// The store failed, or somebody else was first.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Cal.com could not be asked whether a booking still stands.
    #[error("Cal.com can't be asked now whether the booking stands: {}", .0.as_str())]
    NotToBeAsked(Category),
    /// A transition was tried that does not exist: a fault in this function.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
}

/// What is to be done once the result is stored.
enum Next {
    TellAssignment,
    Again { at: DateTime<Utc> },
    Pause { until: DateTime<Utc> },
    Nothing,
}

impl Bookings {
    /// Reads the settings and makes the clients. The keys are fetched now, while Lambda gives a whole core for free.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::config_of_function()?, settings::timing()?);
        let metrics = Metrics::new(FUNCTION);
        let table = settings::required("APPOINTMENTS_TABLE")?;
        let appointments = Appointments::new(&config, table.clone(), timing);
        let dead_letters = Queue::new(&config, settings::required("DEAD_LETTER_QUEUE_URL")?);
        let bookings = Self {
            tenants: Tenants::new(&config, settings::required("TENANTS_TABLE")?),
            keys: Secret::new(&config, settings::required("CALCOM_KEYS_SECRET")?),
            calcom: Calcom::new(calcom::Settings::from_env(&timing))?,
            gate: CredentialBreaker::new(Pauses::new(&config, table), metrics.clone(), timing),
            quiet: Cooldowns::default(),
            bookings: Queue::new(&config, settings::required("BOOKINGS_QUEUE_URL")?),
            assignments: Queue::new(&config, settings::required("ASSIGNMENTS_QUEUE_URL")?),
            batches: Batches::new(dead_letters, appointments.clone(), metrics.clone())?,
            appointments,
            metrics,
            timing,
            version: settings::deployed_version(),
        };
        bookings.prepare().await;
        Ok(bookings)
    }

    /// Does while Lambda gives whole cores what the first booking would wait for otherwise: the keys, and a connection
    /// to each service.
    async fn prepare(&self) {
        tokio::join!(self.keys.prepare(), self.tenants.connect(), self.bookings.connect(), self.calcom.connect());
    }

    /// Works off a batch of messages.
    pub async fn process(&self, event: SqsEvent, context: Context) -> Result<SqsBatchResponse, Error> {
        Ok(self.batches.process(event, &context, |order, subject| self.book(order, subject)).await)
    }

    /// Claims the appointment and its slot, tries to book it, stores what came of it, and only then tells the next step.
    async fn book(&self, order: AppointmentMessage, subject: LogContext) -> Result<(), BookingError> {
        let (stored, tenant) =
            tokio::try_join!(self.appointments.load(&order.appointment), self.tenants.load(&order.tenant))?;
        let (mut appointment, version) =
            stored.filter(|(appointment, _)| appointment.tenant == order.tenant).ok_or(BookingError::NotStored)?;
        let tenant = tenant.ok_or(BookingError::NoTenant)?;
        let account = &tenant.calcom.account;
        if order.looked_up_again && appointment.is_booked() {
            return self.see_whether_it_stands(appointment, version, &tenant).await;
        }
        match appointment.claim(self.timing.lease, self.actor()) {
            Ok(()) => {}
            Err(NotClaimable::NotBefore(time)) => return Ok(self.bookings.send_on(&order, time, &self.timing).await?),
            // The message to staff-assignment may have been lost with the worker that stored the booking.
            Err(NotClaimable::Booked) => return Ok(self.assignments.send(&order).await?),
            Err(NotClaimable::Settled(state)) => {
                tracing::info!(state = state.as_str(), "nothing is left to book");
                return Ok(());
            }
        }
        if let Some(until) = self.quiet.until(account, Utc::now()) {
            return self.again_at(&order, until + self.spread(&appointment, AFTER_QUIET)).await;
        }
        let admission = self.gate.admit(account).await?;
        if admission == Admission::Closed {
            tracing::info!("its tenant is paused");
            return Ok(());
        }
        let slot = slot_of(&appointment, account);
        let version = match self.take(&appointment, version, slot.as_ref()).await {
            Ok(version) => version,
            // Another worker was first; should it die, the reconciler finds what it left.
            Err(StoreError::Conflict) => return Ok(()),
            Err(StoreError::SlotTaken) => {
                let wait = self.timing.slot + self.spread(&appointment, self.timing.slot);
                return self.again_at(&order, Utc::now() + wait).await;
            }
            Err(error) => return Err(error.into()),
        };
        let mut evidence = Vec::new();
        let next = self.attempt(&mut appointment, &tenant, &mut evidence, &subject).await?;
        // While Cal.com may still be making the booking nobody else may ask for the slot; the lease runs out after that.
        let slot = slot.as_ref().filter(|_| appointment.unconfirmed() != Some(UnconfirmedBooking::NoResponse)).map(SlotChange::GiveBack);
        self.appointments.save(&appointment, version, Along { evidence: &evidence, slot, learned: None }).await?;
        if admission == Admission::Trial && evidence.iter().any(takes_the_key) {
            self.gate.open(account, &subject).await?;
        }
        self.tell(next, &order, account, &subject).await
    }

    /// For a booked appointment that its customer asks for again: if the booking was cancelled at Cal.com, it is booked
    /// anew.
    async fn see_whether_it_stands(
        &self,
        mut appointment: Appointment,
        version: Version,
        tenant: &Tenant,
    ) -> Result<(), BookingError> {
        let keys = self.keys.read().await.map_err(|_| BookingError::NotToBeAsked(Category::CalcomUnavailable))?;
        let key = keys.of(&tenant.calcom.account).ok_or(BookingError::NotToBeAsked(Category::Credentials))?;
        let Some(booking) = appointment.booking() else { return Ok(()) };
        let found = self.calcom.get(key, &booking.uid).await;
        let found = found.map_err(|failed| BookingError::NotToBeAsked(failed.category))?.value;
        if found.booking.status.is_active() || found.rescheduled_to.is_some() {
            tracing::info!("it stands, and its customer asks for it again");
            return Ok(());
        }
        appointment.reopen(self.actor())?;
        self.appointments.save(&appointment, version, Along::default()).await?;
        Ok(self.bookings.send(&AppointmentMessage::about(&appointment)).await?)
    }

    /// Tells the next step, or has this one come again, and lets others know where Cal.com refuses the key.
    async fn tell(
        &self,
        next: Next,
        order: &AppointmentMessage,
        account: &AccountName,
        subject: &LogContext,
    ) -> Result<(), BookingError> {
        match next {
            Next::TellAssignment => Ok(self.assignments.send(order).await?),
            Next::Again { at } => self.again_at(order, at).await,
            Next::Pause { until } => {
                self.gate.close(account, until, subject).await?;
                self.again_at(order, until).await
            }
            Next::Nothing => Ok(()),
        }
    }

    async fn again_at(&self, order: &AppointmentMessage, at: DateTime<Utc>) -> Result<(), BookingError> {
        Ok(self.bookings.send_at(order, at, &self.timing).await?)
    }

    /// Stores the claim, and with it the lease on the slot.
    async fn take(
        &self,
        appointment: &Appointment,
        version: Version,
        slot: Option<&SlotLease>,
    ) -> Result<Version, StoreError> {
        let now = Utc::now();
        let slot = slot.map(|lease| SlotChange::Take { lease, now, until: now + self.timing.lease });
        self.appointments.save(appointment, version, Along { slot, ..Along::default() }).await
    }

    /// Tries to book, at most twice where Cal.com refuses the contact, and moves the appointment on.
    async fn attempt(
        &self,
        appointment: &mut Appointment,
        tenant: &Tenant,
        evidence: &mut Vec<ExchangeRecord>,
        subject: &LogContext,
    ) -> Result<Next, BookingError> {
        loop {
            let not_booked = match self.try_to_book(appointment, tenant, evidence).await {
                Ok(brought) => return self.settle(appointment, brought, subject),
                Err(not_booked) => not_booked,
            };
            let category = not_booked.category;
            self.metrics.count("BookingFailed", Some(category.as_str()), subject);
            let decision = decide(category, &self.context_of_retry(appointment, &not_booked));
            tracing::warn!(category = category.as_str(), ?decision, unconfirmed = ?not_booked.unconfirmed, "not booked");
            match decision {
                Decision::AgainWithRepairedContact => appointment.omit_contact(not_booked.refused, self.actor())?,
                Decision::Cancel(_) => {
                    appointment.cancel_past(self.actor())?;
                    return Ok(Next::Nothing);
                }
                Decision::Review { propose } => {
                    let proposals = if propose { not_booked.proposals } else { Vec::new() };
                    let BookingFailure { unconfirmed, detail, .. } = not_booked;
                    appointment.escalate_booking(category, unconfirmed, proposals, detail, self.actor())?;
                    return Ok(Next::Nothing);
                }
                Decision::Again { at } => {
                    if category == Category::RateLimited {
                        self.quiet.keep(&tenant.calcom.account, at);
                    }
                    appointment.retry_at(at, category, not_booked.unconfirmed, self.actor())?;
                    return Ok(Next::Again { at });
                }
                Decision::Pause { until } => {
                    appointment.retry_at(until, category, not_booked.unconfirmed, self.actor())?;
                    return Ok(Next::Pause { until });
                }
            }
        }
    }

    fn settle(&self, appointment: &mut Appointment, brought: Attempted, subject: &LogContext) -> Result<Next, BookingError> {
        match brought {
            Attempted::Booked { booking, how, duplicates_cancelled } => {
                if duplicates_cancelled {
                    appointment.note_duplicates_cancelled(self.actor())?;
                    self.metrics.count("DuplicateCancelled", None, subject);
                }
                appointment.book(booking, how, self.actor())?;
                self.metrics.count("Booked", Some(how), subject);
                tracing::info!(how, "booked");
                Ok(Next::TellAssignment)
            }
            Attempted::CancelledAtCalcom => {
                appointment.cancel_as_at_calcom(self.actor())?;
                tracing::info!("its booking was cancelled at Cal.com");
                Ok(Next::Nothing)
            }
        }
    }

    async fn try_to_book(
        &self,
        appointment: &Appointment,
        tenant: &Tenant,
        evidence: &mut Vec<ExchangeRecord>,
    ) -> Result<Attempted, BookingFailure> {
        let in_doubt = |category| BookingFailure { unconfirmed: appointment.unconfirmed(), ..BookingFailure::because(category) };
        let start = appointment.request.start.at().ok_or_else(|| in_doubt(Category::Unknown))?;
        let keys = self.keys.read().await.map_err(|error| {
            tracing::error!(%error, "the keys can't be read");
            in_doubt(match error {
                SecretError::Unavailable(_) => Category::CalcomUnavailable,
                SecretError::Unreadable => Category::Credentials,
            })
        })?;
        let book = async |keys: &CalcomKeys, evidence: &mut Vec<ExchangeRecord>| {
            let key = keys.of(&tenant.calcom.account).ok_or_else(|| in_doubt(Category::Credentials))?;
            let attempt = Attempt { calcom: &self.calcom, key, tenant, appointment, start, timing: &self.timing };
            attempt.book(evidence).await
        };
        match book(&keys, evidence).await {
            // The key may have been changed just now.
            Err(refused) if refused.category == Category::Credentials => match self.keys.refresh_after(&keys).await {
                Some(anew) => book(&anew, evidence).await,
                None => Err(refused),
            },
            brought => brought,
        }
    }

    fn context_of_retry(&self, appointment: &Appointment, not_booked: &BookingFailure) -> RetryContext<'_> {
        let now = Utc::now();
        RetryContext {
            timing: &self.timing,
            now,
            start: appointment.request.start.at().unwrap_or(now),
            first_attempt: appointment.first_attempt().unwrap_or(now),
            retries: appointment.retries(not_booked.category),
            contact_omitted: appointment.omitted_contact().is_some(),
            may_be_booked: not_booked.unconfirmed == Some(UnconfirmedBooking::NoResponse),
            retry_after: not_booked.retry_after,
            spread: appointment.id.spread(appointment.attempts()),
        }
    }

    fn spread(&self, appointment: &Appointment, over: TimeDelta) -> TimeDelta {
        let share = appointment.id.spread(appointment.history().len().try_into().unwrap_or(u32::MAX));
        TimeDelta::milliseconds((over.num_milliseconds() as f64 * share) as i64)
    }

    fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now() }
    }
}

/// Whether an answer shows that Cal.com takes the key, whatever else it says.
fn takes_the_key(evidence: &ExchangeRecord) -> bool {
    matches!(evidence.exchange.status, Some(200..=299 | 400 | 404 | 409 | 422))
}

fn slot_of(appointment: &Appointment, account: &AccountName) -> Option<SlotLease> {
    let start = appointment.request.start.at()?;
    Some(SlotLease { account: account.clone(), start, holder: appointment.id.clone() })
}
