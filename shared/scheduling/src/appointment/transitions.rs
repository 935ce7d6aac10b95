//! The transitions of an appointment.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    claimed::Claimed,
    history::{Actor, Cause},
    record::{Appointment, Verification, initial_state},
    state::{BookingProgress, CancelReason, Outcome, ReviewBooking, ReviewReason, State, StateName},
};
use crate::{
    assignment::{Assignment, StrategyName, Unassigned},
    booking::{Booking, CallBookings, HostEvidence, UnconfirmedBooking},
    contact::Customer,
    failure::Category,
    ids::{AppointmentId, CallId, ServiceId, Source, StaffId, TenantId},
    personal::Personal,
    request::{AppointmentRequest, Intent},
    start_time::RequestedStart,
};

/// Why an appointment can't be claimed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotClaimable {
    /// Another worker holds it, or its next attempt is not due.
    #[error("not before {0}")]
    NotBefore(DateTime<Utc>),
    /// It is booked and waits for its staff member.
    #[error("already booked")]
    Booked,
    /// Nothing is left to do.
    #[error("already {0}")]
    Settled(StateName),
}

/// A transition that does not exist. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an appointment that is {from} can't become {to}")]
pub struct InvalidTransition {
    /// The current state.
    pub from: StateName,
    /// The requested state.
    pub to: StateName,
}

/// What a person settled with a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settlement {
    /// The start.
    pub start: Option<DateTime<Utc>>,
    /// The service.
    pub service: Option<ServiceId>,
    /// The staff member.
    pub staff: Option<StaffId>,
}

impl Appointment {
    /// A new appointment: `requested`, or `needs_review` if its start can't be used or a person has to act.
    pub fn new(tenant: TenantId, call: CallId, source: Source, request: AppointmentRequest, by: Actor<'_>) -> Self {
        let (state, cause) = initial_state(&request);
        Self::created(state, cause, tenant, call, source, request, by)
    }

    /// An appointment of another system: `assigned` if that had booked it and assigned a staff member, `booked`, or
    /// else `requested`.
    pub fn imported(
        tenant: TenantId,
        call: CallId,
        source: Source,
        request: AppointmentRequest,
        done: Option<(Booking, Option<StaffId>)>,
        by: Actor<'_>,
    ) -> Self {
        let state = match done {
            Some((booking, Some(staff))) => {
                let assignment = Assignment { staff, strategy: StrategyName::Imported, host: None };
                State::Assigned { booking, assignment }
            }
            Some((booking, None)) => State::booked(booking),
            None => State::requested(BookingProgress::default()),
        };
        Self::created(state, Cause::Imported, tenant, call, source, request, by)
    }

    fn created(
        state: State,
        cause: Cause,
        tenant: TenantId,
        call: CallId,
        source: Source,
        request: AppointmentRequest,
        by: Actor<'_>,
    ) -> Self {
        let id = AppointmentId::of_call(&tenant, &call);
        let mut appointment = Self {
            id,
            tenant,
            call,
            source,
            created_at: by.now,
            request,
            correction: None,
            call_bookings: None,
            state,
            verification: None,
            change: None,
            is_live: false,
            history: Vec::new(),
        };
        appointment.record(None, cause, by);
        appointment
    }

    /// Adds the bookings that the agent's tools report: Cal.com is queried for them before anything is booked.
    #[must_use]
    pub fn with_call_bookings(mut self, bookings: &CallBookings) -> Self {
        if !bookings.uids.is_empty() {
            self.look_for(bookings);
            if let Some(first) = self.history.first_mut() {
                first.to = StateName::Requested;
            }
        }
        self
    }

    fn look_for(&mut self, bookings: &CallBookings) {
        self.state = State::requested(BookingProgress::with_unconfirmed(Some(UnconfirmedBooking::MadeInCall)));
        self.call_bookings = Some(bookings.clone());
    }

    /// Whether nothing was done for it at Cal.com yet.
    fn is_untouched(&self) -> bool {
        match &self.state {
            State::Requested { progress, .. } => progress.unconfirmed.is_none(),
            State::NeedsReview { booking, .. } => matches!(booking, ReviewBooking::None),
            _ => false,
        }
    }

    /// Looks for the bookings that the agent's tools report from another call for it, if nothing was done for it at Cal.com
    /// yet. Returns whether there are any.
    pub fn note_call_bookings(&mut self, bookings: Option<&CallBookings>, by: Actor<'_>) -> bool {
        let Some(bookings) = bookings.filter(|bookings| !bookings.uids.is_empty() && self.is_untouched()) else {
            return false;
        };
        let from = self.state.name();
        self.look_for(bookings);
        self.record(Some(from), Cause::RequestedAgain, by);
        true
    }

    /// Takes over what a later analysis of the call says, if nothing was done for the appointment yet. Returns whether it was
    /// taken over.
    pub fn correct(&mut self, request: AppointmentRequest, bookings: Option<&CallBookings>, by: Actor<'_>) -> bool {
        let is_untouched = self.is_untouched();
        if is_untouched {
            let (state, _) = initial_state(&request);
            self.request = request;
            self.correction = None;
            let from = self.state.name();
            self.state = state;
            if let Some(bookings) = bookings.filter(|bookings| !bookings.uids.is_empty()) {
                self.look_for(bookings);
            }
            self.record(Some(from), Cause::Corrected, by);
        }
        is_untouched
    }

    /// Keeps what a later analysis of the call says beside the request: a person compares. Returns whether that is new.
    pub fn note_correction(&mut self, request: AppointmentRequest, by: Actor<'_>) -> bool {
        let is_new = self.is_open() && self.correction.as_ref() != Some(&request);
        if is_new {
            self.correction = Some(request);
            self.record(Some(self.state.name()), Cause::CorrectionNoted, by);
        }
        is_new
    }

    /// To `needs_review`, because the customer has another appointment for what it was corrected to.
    pub fn escalate_duplicate(&mut self, existing: &AppointmentId, by: Actor<'_>) {
        let detail = Some(format!("the customer has it already: appointment {existing}"));
        let (reason, booking) = (ReviewReason::Duplicate, ReviewBooking::None);
        self.move_to(State::NeedsReview { reason, booking, proposals: Vec::new(), detail }, Cause::Corrected, by);
    }

    /// Proposes free slots for one that needs review. The state stays.
    ///
    /// # Errors
    /// From any other state.
    pub fn propose(&mut self, slots: Vec<DateTime<Utc>>, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let invalid = self.invalid(StateName::NeedsReview);
        let State::NeedsReview { proposals, .. } = &mut self.state else { return Err(invalid) };
        *proposals = slots;
        self.record(Some(StateName::NeedsReview), Cause::Proposed, by);
        Ok(())
    }

    /// `needs_review` to `requested`, because a person settled with the customer when, what or with whom. What is not
    /// given stays.
    ///
    /// # Errors
    /// From any other state, while Cal.com may hold a booking, and if there is still no start.
    pub fn settle(&mut self, settlement: Settlement, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let State::NeedsReview { booking: ReviewBooking::None, .. } = &self.state else {
            return Err(self.invalid(StateName::Requested));
        };
        let start = match settlement.start {
            Some(at) => RequestedStart::At { at, note: None, raw: self.request.start.raw().map(str::to_owned) },
            None => self.request.start.clone(),
        };
        if start.at().is_none_or(|at| at <= by.now) {
            return Err(self.invalid(StateName::Requested));
        }
        self.request.start = start;
        self.request.intent = Intent::Book;
        if let Some(service) = settlement.service {
            self.request.service = Some(service.to_string());
        }
        if let Some(staff) = settlement.staff {
            self.request.staff = Some(Personal::new(staff.to_string()));
        }
        self.move_to(State::requested(BookingProgress::default()), Cause::Settled, by);
        Ok(())
    }

    /// Records that a person called the customer back. The state stays `needs_review`.
    ///
    /// # Errors
    /// From any other state.
    pub fn call_back(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !matches!(self.state, State::NeedsReview { .. }) {
            return Err(self.invalid(StateName::NeedsReview));
        }
        self.record(Some(StateName::NeedsReview), Cause::CalledBack, by);
        Ok(())
    }

    /// Records that a person called the customer and nobody answered. The state stays `needs_review`.
    ///
    /// # Errors
    /// From any other state.
    pub fn note_not_reached(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !matches!(self.state, State::NeedsReview { .. }) {
            return Err(self.invalid(StateName::NeedsReview));
        }
        self.record(Some(StateName::NeedsReview), Cause::NotReached, by);
        Ok(())
    }

    /// Adds a person's note for the team. The state stays.
    pub fn add_note(&mut self, text: &str, by: Actor<'_>) {
        self.record(Some(self.state.name()), Cause::Noted, by);
        self.annotate(text);
    }

    /// Adds a person's note to what was done last.
    pub fn annotate(&mut self, text: &str) {
        if let Some(last) = self.history.last_mut() {
            last.note = Some(Personal::new(text.to_owned()));
        }
    }

    /// `needs_review` to `cancelled`, because a person says that nothing is to be booked.
    ///
    /// # Errors
    /// From any other state, and while Cal.com holds or may hold a booking.
    pub fn close_review(&mut self, reason: CancelReason, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let State::NeedsReview { booking: ReviewBooking::None, .. } = &self.state else {
            return Err(self.invalid(StateName::Cancelled));
        };
        self.cancel_unbooked(reason, by);
        Ok(())
    }

    /// `requested`, or `booking` with an expired lease, to `booking`: for `lease` it belongs to this worker alone.
    ///
    /// # Errors
    /// With what prevents it.
    pub fn claim(mut self, lease: TimeDelta, by: Actor<'_>) -> Result<Claimed, NotClaimable> {
        let (mut progress, cause) = match &self.state {
            State::Requested { not_before: Some(time), .. } if *time > by.now => {
                return Err(NotClaimable::NotBefore(*time));
            }
            State::Requested { progress, .. } => (*progress, Cause::Claimed),
            State::Booking { lease_until, .. } if *lease_until > by.now => {
                return Err(NotClaimable::NotBefore(*lease_until));
            }
            State::Booking { progress, .. } => (*progress, Cause::LeaseExpired),
            State::Booked { .. } => return Err(NotClaimable::Booked),
            settled => return Err(NotClaimable::Settled(settled.name())),
        };
        if cause == Cause::LeaseExpired {
            // The worker that held it may have sent a request to book.
            progress.unconfirmed.get_or_insert(UnconfirmedBooking::NoResponse);
        }
        progress.first_attempt.get_or_insert(by.now);
        let lease_until = by.now + lease;
        self.move_to(State::Booking { lease_until, progress }, cause, by);
        Ok(Claimed::new(self, lease_until, progress))
    }

    /// Lets it wait until `until`, because its account is paused. The state stays `requested`.
    ///
    /// # Errors
    /// From any other state.
    pub fn wait_for_account(&mut self, until: DateTime<Utc>, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let invalid = self.invalid(StateName::Requested);
        let State::Requested { not_before, progress } = &mut self.state else { return Err(invalid) };
        *not_before = Some(until);
        // The retry window starts with a key that Cal.com accepts.
        progress.first_attempt = None;
        self.record_repeated(Cause::AccountPaused, 0, by);
        Ok(())
    }

    /// Notes that it was copied back from an earlier moment. One without a booking may have been booked since, so that Cal.com is
    /// asked for that booking before anything else; the state stays.
    pub fn restore(&mut self, by: Actor<'_>) {
        let unknown = Some(UnconfirmedBooking::NoResponse);
        match &mut self.state {
            State::Requested { progress, .. } | State::Booking { progress, .. } => progress.unconfirmed = unknown,
            State::NeedsReview { booking: booking @ ReviewBooking::None, .. } => *booking = unknown.into(),
            _ => return,
        }
        self.record_repeated(Cause::Restored, 0, by);
    }

    /// To `needs_review`, because it does not move on. `detail` names the last error, without personal data.
    ///
    /// # Errors
    /// From a settled state, and while a worker holds it.
    pub fn stall(&mut self, detail: String, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let booking = match &self.state {
            State::Requested { progress, .. } => progress.unconfirmed.into(),
            State::Booking { lease_until, progress } if *lease_until <= by.now => {
                ReviewBooking::Unconfirmed(progress.unconfirmed.unwrap_or(UnconfirmedBooking::NoResponse))
            }
            State::Booked { booking, .. } => ReviewBooking::Booked(booking.clone()),
            _ => return Err(self.invalid(StateName::NeedsReview)),
        };
        let (reason, proposals) = (ReviewReason::Stalled, Vec::new());
        self.move_to(State::NeedsReview { reason, booking, proposals, detail: Some(detail) }, Cause::Stalled, by);
        Ok(())
    }

    /// `needs_review` back to where it came from, because a person has fixed the cause: to `booked` if it has a
    /// booking, else to `requested`. Earlier retries no longer count.
    ///
    /// # Errors
    /// From any other state, and if its start can't be used: another attempt would not change that.
    pub fn resume(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let State::NeedsReview { booking, .. } = &self.state else {
            return Err(self.invalid(StateName::Requested));
        };
        let state = match booking.clone() {
            ReviewBooking::Booked(booking) => State::booked(booking),
            _ if self.request.start.at().is_none() => return Err(self.invalid(StateName::Requested)),
            _ => State::requested(BookingProgress::with_unconfirmed(self.unconfirmed_booking())),
        };
        self.move_to(state, Cause::Resumed, by);
        Ok(())
    }

    /// `booked`, or `needs_review` with a booking, to `assigned`, which is final until the appointment is closed.
    ///
    /// # Errors
    /// From any other state.
    pub fn assign(&mut self, assignment: Assignment, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let booking = match &self.state {
            State::Booked { booking, .. } | State::NeedsReview { booking: ReviewBooking::Booked(booking), .. } => {
                booking.clone()
            }
            _ => return Err(self.invalid(StateName::Assigned)),
        };
        let cause = Cause::Assigned(assignment.strategy);
        self.move_to(State::Assigned { booking, assignment }, cause, by);
        Ok(())
    }

    /// An operator's assignment, which also replaces one that was found.
    ///
    /// # Errors
    /// If there is no booking.
    pub fn assign_by_operator(&mut self, assignment: Assignment, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let State::Assigned { booking, .. } = &self.state else { return self.assign(assignment, by) };
        let (booking, cause) = (booking.clone(), Cause::Assigned(assignment.strategy));
        self.state = State::booked(booking.clone());
        self.move_to(State::Assigned { booking, assignment }, cause, by);
        Ok(())
    }

    /// `booked` to `needs_review`, because no staff member could be found.
    ///
    /// # Errors
    /// From any other state.
    pub fn escalate_unassigned(&mut self, reason: Unassigned, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let State::Booked { booking, .. } = &self.state else { return Err(self.invalid(StateName::NeedsReview)) };
        let booking = ReviewBooking::Booked(booking.clone());
        self.move_to(State::review(ReviewReason::Assignment(reason), booking), Cause::Unassigned(reason), by);
        Ok(())
    }

    /// Stores what Cal.com says about the hosts. The state stays `booked`.
    ///
    /// # Errors
    /// From any other state.
    pub fn record_hosts(&mut self, evidence: HostEvidence, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let invalid = self.invalid(StateName::Booked);
        let State::Booked { booking, not_before } = &mut self.state else { return Err(invalid) };
        booking.hosts = evidence;
        *not_before = None;
        self.record(Some(StateName::Booked), Cause::HostsRefreshed, by);
        Ok(())
    }

    /// Defers the look-up of its hosts until `at`. The state stays `booked`.
    ///
    /// # Errors
    /// From any other state.
    pub fn defer_host_lookup(
        &mut self,
        at: DateTime<Utc>,
        category: Category,
        by: Actor<'_>,
    ) -> Result<(), InvalidTransition> {
        let invalid = self.invalid(StateName::Booked);
        let State::Booked { not_before, .. } = &mut self.state else { return Err(invalid) };
        *not_before = Some(at);
        self.record_repeated(Cause::Failed(category), 0, by);
        Ok(())
    }

    /// Lets it wait until `at`, because its host must confirm the booking at Cal.com. The state stays `booked`.
    ///
    /// # Errors
    /// From any other state.
    pub fn await_host(&mut self, at: DateTime<Utc>, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let invalid = self.invalid(StateName::Booked);
        let State::Booked { not_before, .. } = &mut self.state else { return Err(invalid) };
        *not_before = Some(at);
        self.record_repeated(Cause::AwaitingHost, 0, by);
        Ok(())
    }

    /// Stores that the host confirmed the booking. The state stays `booked`.
    ///
    /// # Errors
    /// From any other state.
    pub fn confirm_by_host(&mut self, confirmed: Booking, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !matches!(self.state, State::Booked { .. }) {
            return Err(self.invalid(StateName::Booked));
        }
        self.move_to(State::booked(confirmed), Cause::ConfirmedByHost, by);
        Ok(())
    }

    /// Stores the host to whom Cal.com gave the booking instead. The state stays.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn reassign_host(&mut self, hosts: HostEvidence, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let name = self.state.name();
        let invalid = self.invalid(name);
        self.open_booking().ok_or(invalid)?.hosts = hosts;
        self.record(Some(name), Cause::HostReassigned, by);
        Ok(())
    }

    /// Notes that the customer requests it again, so that its booking is verified at Cal.com. The state stays.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn request_again(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !self.is_booked() {
            return Err(self.invalid(StateName::Booked));
        }
        self.verification = Some(Verification { since: by.now, not_before: None });
        self.record_repeated(Cause::RequestedAgain, 0, by);
        Ok(())
    }

    /// Postpones the verification of its booking until `at`.
    pub fn defer_verification(&mut self, at: DateTime<Utc>, category: Category, by: Actor<'_>) {
        if let Some(verification) = &mut self.verification {
            verification.not_before = Some(at);
            self.record_repeated(Cause::NotVerified(category), 0, by);
        }
    }

    /// Notes that its booking is as the customer requests it.
    pub fn verified(&mut self, by: Actor<'_>) {
        if self.verification.take().is_some() {
            self.record(Some(self.state.name()), Cause::Verified, by);
        }
    }

    /// To `needs_review`, because the customer requests it again and its booking can't be verified.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn escalate_unverified(&mut self, category: Category, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let Some(booking) = self.booking().filter(|_| self.is_booked()).cloned() else {
            return Err(self.invalid(StateName::NeedsReview));
        };
        self.verification = None;
        let state = State::review(ReviewReason::Booking(category), ReviewBooking::Booked(booking));
        self.move_to(state, Cause::NotVerified(category), by);
        Ok(())
    }

    /// To `needs_review`, because the customer requests the first time again and the booking was moved to another one.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn escalate_rescheduled(&mut self, moved: Booking, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !self.is_booked() {
            return Err(self.invalid(StateName::NeedsReview));
        }
        let state = State::NeedsReview {
            reason: ReviewReason::Rescheduled,
            proposals: Vec::new(),
            detail: Some(format!(
                "its booking was moved to {}, and the customer requests the first time again",
                moved.start.format("%Y-%m-%d %H:%M UTC")
            )),
            booking: ReviewBooking::Booked(moved),
        };
        self.verification = None;
        self.move_to(state, Cause::Rescheduled, by);
        Ok(())
    }

    /// To `cancelled`, because its start passed before it was booked.
    ///
    /// # Errors
    /// Unless [`Self::is_past`].
    pub fn cancel_past(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !self.is_past(by.now) {
            return Err(self.invalid(StateName::Cancelled));
        }
        self.cancel_unbooked(CancelReason::Past, by);
        Ok(())
    }

    /// From a state with a booking back to `requested`, because the customer requests it again and the booking is no
    /// longer active at Cal.com.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn reopen(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !self.is_booked() {
            return Err(self.invalid(StateName::Requested));
        }
        self.move_to(State::requested(BookingProgress::default()), Cause::Reopened, by);
        Ok(())
    }

    /// Replaces the booking by the one that it was moved to at Cal.com. The state stays, unless another host has it now:
    /// then it is assigned again, unless a person assigned it.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn reschedule(&mut self, moved: Booking, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let name = self.state.name();
        if let State::Assigned { booking, assignment } = &self.state
            && assignment.strategy != StrategyName::Operator
            && booking.hosts.has_other_host_than(&moved.hosts)
        {
            self.move_to(State::booked(moved), Cause::Rescheduled, by);
            return Ok(());
        }
        let invalid = self.invalid(name);
        *self.open_booking().ok_or(invalid)? = moved;
        self.record(Some(name), Cause::Rescheduled, by);
        Ok(())
    }

    /// Records a person's word that Cal.com holds no booking of it. The state stays `needs_review`.
    ///
    /// # Errors
    /// From any other state, and without an unconfirmed booking.
    pub fn mark_not_booked(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let invalid = self.invalid(StateName::NeedsReview);
        match &mut self.state {
            State::NeedsReview { booking: booking @ ReviewBooking::Unconfirmed(_), .. } => {
                *booking = ReviewBooking::None;
            }
            _ => return Err(invalid),
        }
        self.record(Some(StateName::NeedsReview), Cause::NotBooked, by);
        Ok(())
    }

    /// From a state with a booking to the state that says what became of it.
    ///
    /// # Errors
    /// If there is no booking, or it is closed.
    pub fn close(&mut self, outcome: Outcome, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let Some(booking) = self.booking().filter(|_| self.is_booked()).cloned() else {
            return Err(self.invalid(StateName::Completed));
        };
        let assignment = self.assignment().cloned();
        let (state, cause) = match outcome {
            Outcome::Completed => (State::Completed { booking, assignment }, Cause::Completed),
            Outcome::NoShow => (State::NoShow { booking, assignment }, Cause::NoShow),
            Outcome::CancelledAtCalcom => {
                let reason = CancelReason::CancelledAtCalcom;
                (State::Cancelled { reason, booking: Some(booking), assignment }, Cause::Cancelled(reason))
            }
        };
        self.move_to(state, cause, by);
        Ok(())
    }

    /// Erases everything about the customer. An unbooked appointment can no longer be booked and is cancelled; else
    /// state, times, service and staff stay, so that no counter changes.
    ///
    /// # Errors
    /// While a worker holds it, while Cal.com may hold an unconfirmed booking, and while a change of its booking is under way.
    pub fn erase_customer(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if matches!(self.state, State::Booking { .. }) || self.unconfirmed_booking().is_some() || self.change.is_some()
        {
            return Err(self.invalid(StateName::Cancelled));
        }
        self.request.customer = Customer::default();
        (self.request.staff, self.request.notes, self.correction) = (None, None, None);
        (self.verification, self.change) = (None, None);
        self.request.start.forget_raw();
        self.history.iter_mut().for_each(|transition| transition.note = None);
        let from = self.state.name();
        if self.is_open() && self.booking().is_none() {
            self.state = State::cancelled_unbooked(CancelReason::Erased);
        }
        self.record(Some(from), Cause::Erased, by);
        Ok(())
    }

    /// The booking of an appointment that is booked and not closed.
    pub(super) fn open_booking(&mut self) -> Option<&mut Booking> {
        match &mut self.state {
            State::Booked { booking, .. }
            | State::Assigned { booking, .. }
            | State::NeedsReview { booking: ReviewBooking::Booked(booking), .. } => Some(booking),
            _ => None,
        }
    }

    pub(super) fn cancel_unbooked(&mut self, reason: CancelReason, by: Actor<'_>) {
        self.move_to(State::cancelled_unbooked(reason), Cause::Cancelled(reason), by);
    }

    pub(super) fn invalid(&self, to: StateName) -> InvalidTransition {
        InvalidTransition { from: self.state.name(), to }
    }

    pub(super) fn move_to(&mut self, state: State, cause: Cause, by: Actor<'_>) {
        let from = self.state.name();
        self.state = state;
        if !self.is_booked() {
            (self.verification, self.change) = (None, None);
        }
        self.record(Some(from), cause, by);
    }
}
