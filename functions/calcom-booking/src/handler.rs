//! Processes a message: book the appointment, change its booking, or verify it.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use booking::{Bookings, Job, Outcome};
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    batch::Batches,
    env,
    queues::{AppointmentMessage, MessageKind},
    telemetry::{LogContext, Metrics},
};
use scheduling::{
    appointment::{Appointment, NotClaimable, StateName},
    failure::Category,
};
use store::{
    Versioned,
    step::{self, StepError},
};

use crate::verification::{self, Verified};

const FUNCTION: &str = "calcom-booking";

/// Everything that the function needs, created once per process.
pub struct BookingMessages {
    bookings: Bookings,
    batches: Batches,
}

impl BookingMessages {
    /// Reads the environment, creates the clients and opens their connections.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let bookings = Bookings::from_env(&config, timing, FUNCTION, env::deployed_version())?;
        let batches = Batches::from_env(&config, bookings.bookings.clone(), timing, Metrics::new(FUNCTION))?;
        bookings.connect().await;
        Ok(Self { bookings, batches })
    }

    /// Processes a batch of messages.
    pub async fn handle(&self, event: SqsEvent, context: Context) -> Result<SqsBatchResponse, Error> {
        let stall = |id, reason| step::stall(&self.bookings.appointments, FUNCTION, id, reason);
        Ok(self.batches.process(event, &context, |message, log| self.process(message, log), stall).await)
    }

    /// Verifies, changes or books the appointment of a message.
    async fn process(&self, message: AppointmentMessage, log: LogContext) -> Result<(), StepError> {
        let (stored, tenant) = step::load(&self.bookings.appointments, &self.bookings.tenants, &message).await?;
        let job = self.bookings.job(&tenant, &log);
        match message.kind {
            MessageKind::Verify if stored.value.verification().is_some() => self.verify(stored, &message, &job).await,
            MessageKind::Change if stored.value.change().is_some() => {
                self.bookings.change(stored, &job).await.map(drop)
            }
            // Another copy of the message was first.
            MessageKind::Verify | MessageKind::Change if stored.value.is_booked() => Ok(()),
            _ => self.book(stored, &message, &job).await,
        }
    }

    async fn book(
        &self,
        stored: Versioned<Appointment>,
        message: &AppointmentMessage,
        job: &Job<'_>,
    ) -> Result<(), StepError> {
        match self.bookings.book(stored, job).await? {
            Outcome::Attempted { .. } => self.bookings.accounts.refresh_if_old(job.tenant, job.log).await,
            Outcome::NotClaimable(refused) => self.skip(message, refused).await?,
            Outcome::Postponed(_) | Outcome::Lost => {}
        }
        Ok(())
    }

    /// Handles an appointment that can't be claimed now.
    async fn skip(&self, message: &AppointmentMessage, refused: NotClaimable) -> Result<(), StepError> {
        let Bookings { bookings, assignments, timing, .. } = &self.bookings;
        match refused {
            NotClaimable::NotBefore(time) => Ok(bookings.return_until(message, time, timing).await?),
            // The message to staff-assignment may have been lost with the worker that stored the booking.
            NotClaimable::Booked => Ok(assignments.send(&message.with_kind(MessageKind::Process)).await?),
            NotClaimable::Settled(state) => {
                tracing::info!(state = state.as_str(), "appointment needs no booking");
                Ok(())
            }
        }
    }

    /// Verifies the booking of an appointment that its customer requests again.
    async fn verify(
        &self,
        stored: Versioned<Appointment>,
        message: &AppointmentMessage,
        job: &Job<'_>,
    ) -> Result<(), StepError> {
        let Versioned { value: mut appointment, version } = stored;
        let Some(uid) = appointment.booking().map(|booking| booking.uid.clone()) else { return Ok(()) };
        let Bookings { accounts, appointments, bookings, assignments, timing, .. } = &self.bookings;
        let found = match accounts.key_of(&job.tenant.calcom.account).await {
            Some(key) => match accounts.calcom.follow(&key, &uid).await {
                Ok(found) => Ok(Some(found.value)),
                Err(error) if error.is_not_found() && self.bookings.must_be_visible(&appointment) => Ok(None),
                Err(error) => Err(error.category()),
            },
            None => Err(Category::Credentials),
        };
        let verified = verification::judge(&mut appointment, found, timing, self.bookings.actor())?;
        appointments.update(&appointment, version).commit().await?;
        tracing::info!(?verified, "booking verified: its customer requests it again");
        match verified {
            // It was moved to another host.
            Verified::Settled if appointment.state().name() == StateName::Booked => {
                Ok(assignments.send(&AppointmentMessage::process(&appointment)).await?)
            }
            Verified::Settled => Ok(()),
            Verified::Reopened => Ok(bookings.send(&AppointmentMessage::process(&appointment)).await?),
            Verified::Deferred(at) => Ok(bookings.send_at(message, at, timing).await?),
        }
    }
}
