//! Changes a booking as its customer requests: moves it, or cancels it.
//!
//! The change is stored before Cal.com is sent anything. Cal.com is asked for the booking first: it may have been moved or
//! cancelled there, or an earlier attempt may have made the change without reading the answer.

use std::time::Instant;

use calcom::{CalcomError, Effect, SlotsWindow};
use chrono::{DateTime, Utc};
use platform::queues::MessageKind;
use scheduling::{
    appointment::{Appointment, Change, NotClaimable, Outcome as Closing, RequestedChange, StateName},
    availability::proposals,
    booking::Booking,
    failure::BookingFailure,
    retry::{Decision, RetryContext, decide},
    slot::SlotSpan,
};
use secrecy::SecretString;
use store::{ExchangeRecord, NewAppointment, SlotLease, StoreError, Version, Versioned, step::StepError};

use crate::{
    attempt::{MIN_TIME_TO_BOOK, SLOTS_AFTER, SLOTS_BEFORE, recorded},
    bookings::{Bookings, SLOT_POLL},
    job::Job,
};

/// What became of a requested change.
#[derive(Debug)]
pub enum ChangeOutcome {
    /// It is made and stored.
    Made(Box<Appointment>),
    /// The booking is no longer active at Cal.com: there is nothing to change.
    Ended(Box<Appointment>),
    /// The new start is not free. Nothing changed.
    Declined(Box<Appointment>, BookingFailure),
    /// It is stored and goes on from the queue.
    Deferred(Box<Appointment>),
    /// A person makes it.
    Escalated(Box<Appointment>),
    /// Another worker has it.
    Lost,
    /// No change is requested.
    None,
}

/// What Cal.com holds after an attempt.
enum Attempted {
    Moved(Booking),
    Cancelled,
    /// It was no longer active before.
    Ended,
}

impl Bookings {
    /// Makes the change that is stored with the appointment.
    ///
    /// # Errors
    /// If the store or a queue fails.
    pub async fn change(&self, stored: Versioned<Appointment>, job: &Job<'_>) -> Result<ChangeOutcome, StepError> {
        let Versioned { value: mut appointment, version } = stored;
        let requested = match appointment.claim_change(self.timing.lease, self.actor()) {
            Ok(requested) => requested,
            Err(NotClaimable::NotBefore(until)) => {
                let message = job.message(MessageKind::Change, &appointment);
                job.sent(self.bookings.return_until(&message, until, &self.timing).await)?;
                return Ok(ChangeOutcome::Lost);
            }
            Err(_) => return Ok(ChangeOutcome::None),
        };
        let Some(booking) = appointment.booking().cloned() else { return Ok(ChangeOutcome::None) };
        let lease = self.lease_of(&appointment, &booking, requested, job).await;
        let wait_until = self.slot_wait_until(job);
        let version = loop {
            let now = Utc::now();
            let update = self.appointments.update(&appointment, version);
            match update.take(lease.as_ref(), now, now + self.timing.lease).commit().await {
                Ok(version) => break version,
                Err(StoreError::Conflict) => return Ok(ChangeOutcome::Lost),
                // Somebody is just booking that time.
                Err(StoreError::SlotTaken) if Instant::now() < wait_until => tokio::time::sleep(SLOT_POLL).await,
                Err(StoreError::SlotTaken) => {
                    let later = BookingFailure::NOT_SENT;
                    return self.conclude_failure(appointment, version, None, later, Vec::new(), job).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let mut exchanges = Vec::new();
        match self.attempt_change(&appointment, &booking, requested, &mut exchanges, job).await {
            Ok(attempted) => self.conclude(appointment, version, lease.as_ref(), attempted, exchanges, job).await,
            Err(failure) => self.conclude_failure(appointment, version, lease.as_ref(), failure, exchanges, job).await,
        }
    }

    /// The lease on the time to which a booking is moved.
    async fn lease_of(
        &self,
        appointment: &Appointment,
        booking: &Booking,
        requested: RequestedChange,
        job: &Job<'_>,
    ) -> Option<SlotLease> {
        let Change::Move { to } = requested.change else { return None };
        let account = job.tenant.calcom.account.clone();
        let catalog = self.accounts.catalogs.of(&account).await.unwrap_or_default();
        let event_type = catalog.as_ref().and_then(|stored| stored.catalog.event_type(booking.event_type));
        let span = event_type.map_or_else(|| SlotSpan::unknown(to), |event_type| event_type.span(to));
        Some(SlotLease { account, span, holder: appointment.id.clone() })
    }

    async fn attempt_change(
        &self,
        appointment: &Appointment,
        booking: &Booking,
        requested: RequestedChange,
        exchanges: &mut Vec<ExchangeRecord>,
        job: &Job<'_>,
    ) -> Result<Attempted, BookingFailure> {
        let key = self.accounts.key_of(&job.tenant.calcom.account).await;
        let key = key.ok_or(BookingFailure::CredentialsRefused)?;
        let current = match job.calcom.follow(&key, &booking.uid).await {
            Ok(found) => found.value.booking,
            // Cal.com's replica may not know the booking yet.
            Err(error) if error.is_not_found() && !self.must_be_visible(appointment) => booking.clone(),
            Err(error) => return Err(recorded("get", error, exchanges)),
        };
        if !current.status.is_active() {
            return Ok(match requested.change {
                Change::Cancel => Attempted::Cancelled,
                Change::Move { .. } => Attempted::Ended,
            });
        }
        if !job.calcom.has_left(MIN_TIME_TO_BOOK) && requested.change != (Change::Move { to: current.start }) {
            return Err(BookingFailure::NOT_SENT);
        }
        match requested.change {
            Change::Move { to } if current.start == to => Ok(Attempted::Moved(current)),
            Change::Move { to } if to <= Utc::now() => Err(BookingFailure::Past),
            Change::Move { to } => match job.calcom.reschedule(&key, &current.uid, to).await {
                Ok(moved) => {
                    exchanges.push(ExchangeRecord { request: "reschedule", exchange: moved.exchange });
                    Ok(Attempted::Moved(moved.value.booking))
                }
                Err(error) => {
                    let failure = changed(error, exchanges);
                    Err(self.with_proposals(failure, &key, appointment, &current, to, job).await)
                }
            },
            Change::Cancel => match job.calcom.cancel(&key, &current.uid, "cancelled by the customer").await {
                Ok(exchange) => {
                    exchanges.push(ExchangeRecord { request: "cancel", exchange });
                    Ok(Attempted::Cancelled)
                }
                Err(error) => Err(changed(error, exchanges)),
            },
        }
    }

    /// The failure with the free slots near the new start, if that is not free.
    async fn with_proposals(
        &self,
        failure: BookingFailure,
        key: &SecretString,
        appointment: &Appointment,
        booking: &Booking,
        to: DateTime<Utc>,
        job: &Job<'_>,
    ) -> BookingFailure {
        if !failure.leaves_a_choice() {
            return failure;
        }
        let window = SlotsWindow { start: (to - SLOTS_BEFORE).max(Utc::now()), end: to + SLOTS_AFTER };
        let slots = job.calcom.slots(key, booking.event_type, window, None).await.map(|slots| slots.value);
        let proposals = proposals(&slots.unwrap_or_default(), to, &appointment.id);
        match failure {
            BookingFailure::OutsideWindow { .. } => BookingFailure::OutsideWindow { proposals },
            _ => BookingFailure::SlotTaken { proposals, closed: None },
        }
    }

    async fn conclude(
        &self,
        mut appointment: Appointment,
        version: Version,
        lease: Option<&SlotLease>,
        attempted: Attempted,
        exchanges: Vec<ExchangeRecord>,
        job: &Job<'_>,
    ) -> Result<ChangeOutcome, StepError> {
        let (is_made, kind) = match attempted {
            Attempted::Moved(booking) => {
                appointment.complete_move(booking, self.actor())?;
                (true, "moved")
            }
            Attempted::Cancelled => {
                appointment.cancel_for_customer(self.actor())?;
                (true, "cancelled")
            }
            // The caller was told that it is being moved.
            Attempted::Ended if job.caller_until.is_none() => {
                appointment.escalate_ended(self.actor())?;
                (false, "ended")
            }
            Attempted::Ended => {
                appointment.close(Closing::CancelledAtCalcom, self.actor())?;
                (false, "ended")
            }
        };
        let update = self.appointments.update(&appointment, version).exchanges(&exchanges);
        update.release(lease).commit().await?;
        self.slots.forget(&job.tenant.calcom.account);
        if appointment.is_booked() {
            self.enter(&appointment, job).await;
        }
        self.metrics.count("BookingChanged", Some(kind), job.log);
        tracing::info!(kind, "booking changed as its customer requested");
        if appointment.state().name() == StateName::Booked {
            job.sent(self.assignments.send(&job.message(MessageKind::Process, &appointment)).await)?;
        }
        let appointment = Box::new(appointment);
        Ok(if is_made { ChangeOutcome::Made(appointment) } else { ChangeOutcome::Ended(appointment) })
    }

    async fn conclude_failure(
        &self,
        mut appointment: Appointment,
        version: Version,
        lease: Option<&SlotLease>,
        failure: BookingFailure,
        exchanges: Vec<ExchangeRecord>,
        job: &Job<'_>,
    ) -> Result<ChangeOutcome, StepError> {
        let category = failure.category();
        let retry_at = self.retry_change_at(&appointment, &failure);
        self.metrics.count("BookingChangeFailed", Some(category.as_str()), job.log);
        tracing::warn!(category = category.as_str(), ?retry_at, "change of a booking failed");
        // While Cal.com may still be making the change, its slot stays leased: the lease expires after that.
        let lease = lease.filter(|_| failure.unconfirmed().is_none());
        match retry_at {
            _ if failure.leaves_a_choice() && job.caller_until.is_some() => appointment.decline_change(self.actor()),
            Some(at) => appointment.defer_change(at, category, self.actor()),
            None => appointment.escalate_change(&failure, self.actor())?,
        }
        let update = self.appointments.update(&appointment, version).exchanges(&exchanges);
        update.release(lease).commit().await?;
        let appointment = Box::new(appointment);
        Ok(match appointment.change() {
            Some(_) => {
                let message = job.message(MessageKind::Change, &appointment);
                let at = retry_at.unwrap_or_else(Utc::now);
                job.sent(self.bookings.send_at(&message, at, &self.timing).await)?;
                ChangeOutcome::Deferred(appointment)
            }
            None if appointment.state().name() == StateName::NeedsReview && job.caller_until.is_none() => {
                ChangeOutcome::Escalated(appointment)
            }
            None if failure.leaves_a_choice() => ChangeOutcome::Declined(appointment, failure),
            None => ChangeOutcome::Escalated(appointment),
        })
    }

    /// Enters a moved appointment under its new start, so that another call for the same finds it.
    async fn enter(&self, appointment: &Appointment, job: &Job<'_>) {
        let customers = appointment.request.customer.ids(&job.tenant.id);
        let dedup_key = appointment.request.dedup_key(job.tenant);
        let entries = NewAppointment { appointment, customers: &customers, dedup_key: dedup_key.as_deref() };
        if let Err(error) = self.appointments.enter(&entries).await {
            tracing::warn!(%error, "failed to enter a moved appointment under its new start");
        }
    }

    /// When the change is attempted again. `None` if a person has to make it.
    fn retry_change_at(&self, appointment: &Appointment, failure: &BookingFailure) -> Option<DateTime<Utc>> {
        let (requested, booking) = (appointment.change()?, appointment.booking()?);
        let start = match requested.change {
            Change::Move { to } => to.min(booking.start),
            Change::Cancel => booking.start,
        };
        let retries = appointment.change_retries(failure.category());
        let context = RetryContext {
            timing: &self.timing,
            now: Utc::now(),
            start,
            first_attempt: requested.since,
            retries,
            contact_omitted: true,
            has_own_contact: true,
            unconfirmed: failure.unconfirmed(),
            jitter: appointment.id.jitter(retries),
        };
        match decide(failure, &context) {
            Decision::Retry { at } | Decision::PauseAccount { until: at } if at < start => Some(at),
            _ => None,
        }
    }

    /// Whether Cal.com's replica knows the appointment's booking, if it exists.
    pub fn must_be_visible(&self, appointment: &Appointment) -> bool {
        appointment.booked_at().is_none_or(|booked_at| Utc::now() - booked_at > self.timing.replica_lag)
    }
}

/// The failure of a request to change a booking, whose exchange is recorded. Without a readable answer it may have been made.
fn changed(error: CalcomError, exchanges: &mut Vec<ExchangeRecord>) -> BookingFailure {
    use scheduling::booking::UnconfirmedBooking;
    let unconfirmed = match error.effect {
        Effect::Nothing => None,
        Effect::Unknown => Some(UnconfirmedBooking::NoResponse),
        Effect::Errored | Effect::Done => Some(UnconfirmedBooking::ErrorResponse),
    };
    recorded("change", error, exchanges).with_unconfirmed(unconfirmed)
}
