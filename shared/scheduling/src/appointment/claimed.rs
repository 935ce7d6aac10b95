//! An appointment that a worker has claimed, and what only that worker can do with it.

use chrono::{DateTime, Utc};

use super::{
    history::{Actor, Cause},
    record::{Appointment, initial_state},
    state::{BookingProgress, CancelReason, ReviewBooking, ReviewReason, State, StateName},
};
use crate::{
    booking::{Booking, UnconfirmedBooking},
    contact::ContactPart,
    failure::{BookingFailure, Category},
    request::Intent,
    start_time::RequestedStart,
};

/// How a booking came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Cal.com booked it now.
    Booked,
    /// An earlier attempt had booked it.
    Recovered,
    /// A tool of the voice agent had booked it in the call.
    Adopted,
}

impl Confirmation {
    /// The word for it in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Recovered => "recovered",
            Self::Adopted => "adopted",
        }
    }
}

/// An appointment that one worker has claimed: it alone may book it, until the lease expires.
///
/// Only [`Appointment::claim`] makes one, so that nothing else can confirm, retry or escalate a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    appointment: Appointment,
    lease_until: DateTime<Utc>,
    progress: BookingProgress,
}

impl Claimed {
    pub(super) fn new(appointment: Appointment, lease_until: DateTime<Utc>, progress: BookingProgress) -> Self {
        Self { appointment, lease_until, progress }
    }

    /// The appointment, in the state `booking`.
    pub fn appointment(&self) -> &Appointment {
        &self.appointment
    }

    /// When the lease expires.
    pub fn lease_until(&self) -> DateTime<Utc> {
        self.lease_until
    }

    /// State carried over from earlier attempts.
    pub fn progress(&self) -> &BookingProgress {
        &self.progress
    }

    /// Notes that Cal.com was queried and holds no booking of the appointment.
    pub fn rule_out_unconfirmed(&mut self) {
        self.progress.unconfirmed = None;
        self.update_state();
    }

    /// Returns the appointment to its initial state: no tool booked it in the call.
    pub fn mark_not_booked_in_call(mut self, by: Actor<'_>) -> Appointment {
        self.appointment.call_bookings = None;
        let (state, _) = initial_state(&self.appointment.request);
        self.appointment.move_to(state, Cause::NotBookedInCall, by);
        self.appointment
    }

    /// Omits the part of the contact that Cal.com refused from the next request.
    pub fn omit_contact(&mut self, part: ContactPart, by: Actor<'_>) {
        self.progress.omitted_contact = Some(part);
        self.update_state();
        let cause = Cause::Failed(Category::InvalidContact);
        self.appointment.record(Some(StateName::Booking), cause, by);
    }

    /// Uses a contact of its own from now on: another appointment has the customer's, and Cal.com returned its booking.
    pub fn use_own_contact(&mut self, by: Actor<'_>) {
        self.progress.has_own_contact = true;
        self.update_state();
        let cause = Cause::Failed(Category::InvalidContact);
        self.appointment.record(Some(StateName::Booking), cause, by);
    }

    /// Notes that further bookings which earlier attempts had made were cancelled.
    pub fn note_duplicates_cancelled(&mut self, by: Actor<'_>) {
        self.appointment.record(Some(StateName::Booking), Cause::DuplicateCancelled, by);
    }

    /// To `booked`.
    pub fn confirm(mut self, booking: Booking, how: Confirmation, by: Actor<'_>) -> Appointment {
        let cause = match how {
            Confirmation::Booked => Cause::Booked,
            Confirmation::Recovered => Cause::Recovered,
            Confirmation::Adopted => Cause::Adopted,
        };
        if how == Confirmation::Adopted {
            // What was booked while the caller was on the line is what was agreed.
            let raw = self.appointment.request.start.raw().map(str::to_owned);
            self.appointment.request.start = RequestedStart::At { at: booking.start, note: None, raw };
        }
        let state = match self.appointment.request.intent {
            intent @ (Intent::BookForSeveral | Intent::CallBack | Intent::Cancel | Intent::NotAnalyzed) => {
                // A tool booked one part of what the caller wants; a person does the rest.
                State::review(ReviewReason::Intent(intent), ReviewBooking::Booked(booking))
            }
            Intent::Book | Intent::Reschedule => State::booked(booking),
        };
        self.appointment.move_to(state, cause, by);
        self.appointment
    }

    /// Back to `requested`, to be claimed again at `at`.
    pub fn retry_at(mut self, at: DateTime<Utc>, failure: &BookingFailure, by: Actor<'_>) -> Appointment {
        let mut progress = self.progress_after(failure);
        if failure.category() == Category::Credentials {
            // The retry window starts with a key that Cal.com accepts.
            progress.first_attempt = None;
        }
        self.appointment.state = State::Requested { not_before: Some(at), progress };
        let last = self.appointment.history.last();
        let between = usize::from(last.is_some_and(|transition| transition.cause == Cause::Claimed));
        self.appointment.record_repeated(Cause::Failed(failure.category()), between, by);
        self.appointment
    }

    /// To `needs_review`, because it could not be booked.
    pub fn escalate(mut self, failure: &BookingFailure, by: Actor<'_>) -> Appointment {
        let category = failure.category();
        let state = State::NeedsReview {
            reason: ReviewReason::Booking(category),
            booking: self.progress_after(failure).unconfirmed.into(),
            proposals: failure.proposals().to_vec(),
            detail: failure.detail(),
        };
        self.appointment.move_to(state, Cause::Failed(category), by);
        self.appointment
    }

    /// To `cancelled`, because its start is not free and its customer, who is on the line, hears that and chooses another.
    pub fn decline(mut self, by: Actor<'_>) -> Appointment {
        self.appointment.cancel_unbooked(CancelReason::NotFree, by);
        self.appointment
    }

    /// To `cancelled`, because its start has passed.
    pub fn cancel_past(mut self, by: Actor<'_>) -> Appointment {
        self.appointment.cancel_unbooked(CancelReason::Past, by);
        self.appointment
    }

    /// To `cancelled`, because the booking that an earlier attempt made was cancelled at Cal.com.
    pub fn cancel_as_at_calcom(mut self, by: Actor<'_>) -> Appointment {
        self.appointment.cancel_unbooked(CancelReason::CancelledAtCalcom, by);
        self.appointment
    }

    /// What the failure leaves for the next attempt: a booking stays unconfirmed until Cal.com was queried for it.
    fn progress_after(&self, failure: &BookingFailure) -> BookingProgress {
        let errors = match failure.unconfirmed() {
            Some(UnconfirmedBooking::ErrorResponse) => self.progress.errors + 1,
            Some(_) => 0,
            None => self.progress.errors,
        };
        BookingProgress { unconfirmed: failure.unconfirmed().or(self.progress.unconfirmed), errors, ..self.progress }
    }

    /// Whether the appointment has an unconfirmed booking after `failure`.
    pub fn unconfirmed_after(&self, failure: &BookingFailure) -> Option<UnconfirmedBooking> {
        self.progress_after(failure).unconfirmed
    }

    fn update_state(&mut self) {
        self.appointment.state = State::Booking { lease_until: self.lease_until, progress: self.progress };
    }
}
