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
    store::{Appointments, Evidence, StoreError, Tenants},
    telemetry::{Metrics, Subject},
};
use scheduling::{
    appointment::{Actor, Appointment, CancelReason, NoSuchTransition, NotClaimable},
    failure::{Category, Circumstances, Decision, decide},
    tenant::Tenant,
};

use crate::attempt::{Attempt, Booked, NotBooked};

const FUNCTION: &str = "calcom-booking";
/// Longer than the function's time-out in the template, so that a worker that is alive has its appointment alone.
const LEASE: TimeDelta = TimeDelta::seconds(75);

/// All that booking needs, made once per process.
pub struct Bookings {
    appointments: Appointments,
    tenants: Tenants,
    keys: Secret<CalcomKeys>,
    calcom: Calcom,
    bookings: Queue,
    assignments: Queue,
    batches: Batches,
    metrics: Metrics,
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
    /// The keys can't be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A transition was tried that does not exist: a fault in this function.
    #[error(transparent)]
    Transition(#[from] NoSuchTransition),
}

/// What is to be told once the result is stored.
enum Next {
    TellAssignment,
    Again { at: DateTime<Utc> },
    Nothing,
}

impl Bookings {
    /// Reads the settings and makes the clients. The keys are fetched now, while Lambda gives a whole core for free.
    pub async fn from_environment() -> Result<Self, Error> {
        let config = aws::config().await;
        let metrics = Metrics::new(FUNCTION);
        let dead_letters = Queue::new(&config, settings::required("DEAD_LETTER_QUEUE_URL")?);
        let bookings = Self {
            appointments: Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?),
            tenants: Tenants::new(&config, settings::required("TENANTS_TABLE")?),
            keys: Secret::new(&config, settings::required("CALCOM_KEYS_SECRET")?),
            calcom: Calcom::new(calcom::Settings::from_environment()?)?,
            bookings: Queue::new(&config, settings::required("BOOKINGS_QUEUE_URL")?),
            assignments: Queue::new(&config, settings::required("ASSIGNMENTS_QUEUE_URL")?),
            batches: Batches::new(dead_letters, metrics.clone())?,
            metrics,
            version: settings::deployed_version(),
        };
        if let Err(error) = bookings.keys.read().await {
            tracing::warn!(%error, "the keys can't be read yet");
        }
        Ok(bookings)
    }

    /// Works off a batch of messages.
    pub async fn work_off(&self, event: SqsEvent, context: Context) -> Result<SqsBatchResponse, Error> {
        Ok(self.batches.work_off(event, &context, |order, subject| self.book(order, subject)).await)
    }

    /// Claims the appointment, tries to book it, stores what came of it, and only then tells the next step.
    async fn book(&self, order: AppointmentMessage, subject: Subject) -> Result<(), BookingError> {
        let (stored, tenant) =
            tokio::try_join!(self.appointments.load(&order.appointment), self.tenants.load(&order.tenant))?;
        let (mut appointment, version) =
            stored.filter(|(appointment, _)| appointment.tenant == order.tenant).ok_or(BookingError::NotStored)?;
        let tenant = tenant.ok_or(BookingError::NoTenant)?;
        match appointment.claim(LEASE, self.actor()) {
            Ok(()) => {}
            Err(NotClaimable::NotBefore(time)) => return self.again_at(&order, time).await,
            // The message to staff-assignment may have been lost with the worker that stored the booking.
            Err(NotClaimable::Booked) => return Ok(self.assignments.send(&order).await?),
            Err(NotClaimable::Settled(state)) => {
                tracing::info!(state = state.as_str(), "nothing is left to book");
                return Ok(());
            }
        }
        let version = match self.appointments.save(&appointment, version, &[], None).await {
            // Another worker was first. Should it die, this message is the one that is left.
            Err(StoreError::Conflict) => return self.again_at(&order, Utc::now() + LEASE).await,
            saved => saved?,
        };
        let mut evidence = Vec::new();
        let next = self.attempt(&mut appointment, &tenant, &mut evidence, &subject).await?;
        self.appointments.save(&appointment, version, &evidence, None).await?;
        match next {
            Next::TellAssignment => Ok(self.assignments.send(&order).await?),
            Next::Again { at } => self.again_at(&order, at).await,
            Next::Nothing => Ok(()),
        }
    }

    /// Tries to book, at most twice where Cal.com refuses the contact, and moves the appointment on.
    async fn attempt(
        &self,
        appointment: &mut Appointment,
        tenant: &Tenant,
        evidence: &mut Vec<Evidence>,
        subject: &Subject,
    ) -> Result<Next, BookingError> {
        loop {
            let not_booked = match self.try_to_book(appointment, tenant, evidence).await? {
                Ok(Booked { booking, how }) => {
                    appointment.book(booking, how, self.actor())?;
                    self.metrics.count("Booked", Some(how), subject);
                    tracing::info!(how, "booked");
                    return Ok(Next::TellAssignment);
                }
                Err(not_booked) => not_booked,
            };
            let category = not_booked.category.unwrap_or(Category::Unknown);
            self.metrics.count("BookingFailed", Some(category.as_str()), subject);
            let decision = decide(category, &self.circumstances(appointment, category, not_booked.retry_after));
            tracing::warn!(category = category.as_str(), ?decision, "not booked");
            match decision {
                Decision::AgainWithRepairedContact => appointment.repair_contact(self.actor())?,
                Decision::Cancel(CancelReason::Past) => {
                    appointment.cancel(CancelReason::Past, self.actor())?;
                    return Ok(Next::Nothing);
                }
                Decision::Review { propose } => {
                    let proposals = if propose { not_booked.proposals } else { Vec::new() };
                    appointment.give_up_booking(category, proposals, not_booked.detail, self.actor())?;
                    return Ok(Next::Nothing);
                }
                Decision::Again { at } => {
                    appointment.retry_at(at, category, self.actor())?;
                    return Ok(Next::Again { at });
                }
            }
        }
    }

    async fn try_to_book(
        &self,
        appointment: &Appointment,
        tenant: &Tenant,
        evidence: &mut Vec<Evidence>,
    ) -> Result<Result<Booked, NotBooked>, BookingError> {
        let Some(start) = appointment.wish.start.at() else {
            return Ok(Err(NotBooked::because(Category::Unknown)));
        };
        let keys = self.keys.read().await?;
        let Some(key) = keys.of(&tenant.calcom.account) else {
            return Ok(Err(NotBooked::because(Category::Credentials)));
        };
        let attempt = Attempt { calcom: &self.calcom, key, tenant, appointment, start, now: Utc::now() };
        Ok(attempt.book(evidence).await)
    }

    fn circumstances(
        &self,
        appointment: &Appointment,
        category: Category,
        retry_after: Option<TimeDelta>,
    ) -> Circumstances {
        let now = Utc::now();
        Circumstances {
            now,
            start: appointment.wish.start.at().unwrap_or(now),
            first_attempt: appointment.first_attempt().unwrap_or(now),
            again_so_far: appointment.again_so_far(category),
            contact_repaired: appointment.contact_repaired(),
            retry_after,
            spread: appointment.id.spread(appointment.attempts()),
        }
    }

    async fn again_at(&self, order: &AppointmentMessage, at: DateTime<Utc>) -> Result<(), BookingError> {
        let delay = (at - Utc::now()).to_std().unwrap_or_default();
        Ok(self.bookings.send_after(order, delay).await?)
    }

    fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now() }
    }
}
