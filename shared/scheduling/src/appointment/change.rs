//! Changes of a booking that its customer requests: to move it, or to cancel it.
//!
//! A change is stored before Cal.com is sent anything, so that it is made even if the worker dies, and made once.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    history::{Actor, Cause},
    record::Appointment,
    state::{
        BookingProgress, CancelReason, Change, ChangeKind, RequestedChange, ReviewBooking, ReviewReason, State,
        StateName,
    },
    transitions::{InvalidTransition, NotClaimable},
};
use crate::{
    booking::{Booking, BookingStatus},
    contact::Customer,
    failure::{BookingFailure, Category},
    ids::AppointmentId,
    personal::Personal,
    request::{AppointmentRequest, Intent},
    start_time::RequestedStart,
};

impl Appointment {
    /// The change that was requested and is not made yet.
    pub fn change(&self) -> Option<&RequestedChange> {
        self.change.as_ref()
    }

    /// Marks an appointment that a tool requests while its customer is on the line. `id` names the intent: the same again, in
    /// whatever words, is the same appointment.
    #[must_use]
    pub fn requested_live(mut self, id: AppointmentId) -> Self {
        self.id = id;
        self.is_live = true;
        self
    }

    /// Back to `requested` with what its customer, who is on the line, says now: from the state in which nothing was done for
    /// it at Cal.com, and from `cancelled`. Returns whether it waits to be booked then.
    pub fn request_live(&mut self, request: AppointmentRequest, by: Actor<'_>) -> bool {
        let is_cancelled = matches!(self.state, State::Cancelled { .. }) && !self.is_erased();
        if is_cancelled {
            self.move_to(State::requested(BookingProgress::default()), Cause::Reopened, by);
        }
        self.is_live = true;
        self.correct(request, None, by) && self.state.name() == StateName::Requested
    }

    /// Notes that its customer, who is on the line, wants to move or cancel its booking. As [`Self::request_change`], and the
    /// customer counts on what they hear.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn request_change_live(&mut self, change: Change, by: Actor<'_>) -> Result<bool, InvalidTransition> {
        let is_new = self.request_change(change, by)?;
        self.is_live |= is_new;
        Ok(is_new)
    }

    /// Notes that its booking is to be moved or cancelled. The state stays. A change that was requested before and is not made yet is replaced, and waits for as long as that one: Cal.com may still be making it.
    /// Returns whether it is new.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn request_change(&mut self, change: Change, by: Actor<'_>) -> Result<bool, InvalidTransition> {
        if !self.is_booked() {
            return Err(self.invalid(StateName::Booked));
        }
        if self.change.is_some_and(|requested| requested.change == change) {
            return Ok(false);
        }
        let not_before = self.change.and_then(|replaced| replaced.not_before);
        self.change = Some(RequestedChange { change, since: by.now, not_before });
        self.record(Some(self.state.name()), Cause::ChangeRequested(change.kind()), by);
        Ok(true)
    }

    /// Whether a change of this kind is made, under way, or left to a person.
    pub fn is_changing(&self, kind: ChangeKind) -> bool {
        let is_made = match kind {
            ChangeKind::Move => self.history.iter().any(|transition| transition.cause == Cause::Moved),
            ChangeKind::Cancel => matches!(self.state, State::Cancelled { .. }),
        };
        let is_under_way = self.change.is_some_and(|requested| requested.change.kind() == kind);
        is_made || is_under_way || self.review_reason() == Some(ReviewReason::Intent(kind.intent()))
    }

    /// Whether it is still to take place, and what its customer would call an appointment.
    pub fn is_coming(&self, now: DateTime<Utc>) -> bool {
        let is_one = self.is_booked() || self.request.intent.is_book();
        self.is_open() && is_one && !self.is_erased() && self.start().is_some_and(|start| start > now)
    }

    /// When it starts: as it is booked, else as it was requested.
    pub fn start(&self) -> Option<DateTime<Utc>> {
        self.booking().map(|booking| booking.start).or(self.request.start.at())
    }

    /// Claims the requested change: for `lease` it belongs to this worker alone. The state stays.
    ///
    /// # Errors
    /// If there is none, or another worker has it.
    pub fn claim_change(&mut self, lease: TimeDelta, by: Actor<'_>) -> Result<RequestedChange, NotClaimable> {
        let state = self.state.name();
        let requested = self.change.as_mut().ok_or(NotClaimable::Settled(state))?;
        if let Some(until) = requested.not_before.filter(|until| *until > by.now) {
            return Err(NotClaimable::NotBefore(until));
        }
        requested.not_before = Some(by.now + lease);
        let claimed = *requested;
        self.record_repeated(Cause::ChangeClaimed, 0, by);
        Ok(claimed)
    }

    /// Postpones the requested change until `at`, because Cal.com could not be queried. The state stays.
    pub fn defer_change(&mut self, at: DateTime<Utc>, category: Category, by: Actor<'_>) {
        if let Some(requested) = &mut self.change {
            requested.not_before = Some(at);
            let claimed = self.history.last().is_some_and(|last| last.cause == Cause::ChangeClaimed);
            self.record_repeated(Cause::ChangeFailed(category), usize::from(claimed), by);
        }
    }

    /// How often the requested change failed because of `category`.
    pub fn change_retries(&self, category: Category) -> u32 {
        let since = |cause: &Cause| matches!(cause, Cause::ChangeRequested(_));
        let recent = self.history.iter().rev().take_while(|transition| !since(&transition.cause));
        recent.filter(|it| it.cause == Cause::ChangeFailed(category)).map(super::Transition::times).sum()
    }

    /// Drops the requested change: its customer hears that the new start is not free. The state stays.
    pub fn decline_change(&mut self, by: Actor<'_>) {
        if self.change.take().is_some() {
            self.record(Some(self.state.name()), Cause::ChangeDeclined, by);
        }
    }

    /// Replaces the booking by the one that it was moved to as its customer requested. With another host it is assigned again, even
    /// if a person had assigned the one before.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn complete_move(&mut self, moved: Booking, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let invalid = self.invalid(StateName::Booked);
        let has_other_host = self.booking().is_some_and(|booking| booking.hosts.has_other_host_than(&moved.hosts));
        let start = moved.start;
        match &mut self.state {
            // What its host has to confirm is looked after before it is assigned.
            State::Assigned { booking, .. } if !has_other_host && moved.status != BookingStatus::Pending => {
                *booking = moved;
            }
            // What a person had to decide of the booking before is looked up for this one.
            State::Booked { .. }
            | State::Assigned { .. }
            | State::NeedsReview { booking: ReviewBooking::Booked(_), .. } => self.state = State::booked(moved),
            _ => return Err(invalid),
        }
        let from = invalid.from;
        self.request.start = RequestedStart::exactly(start);
        (self.change, self.verification) = (None, None);
        self.record(Some(from), Cause::Moved, by);
        Ok(())
    }

    /// To `cancelled`, because its customer cancelled it.
    ///
    /// # Errors
    /// If it is closed, while a worker books it, and while Cal.com may hold a booking that is not stored here.
    pub fn cancel_for_customer(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let is_unclear = matches!(self.state, State::Booking { .. }) || self.unconfirmed_booking().is_some();
        if !self.is_open() || is_unclear {
            return Err(self.invalid(StateName::Cancelled));
        }
        let (reason, booking) = (CancelReason::ByCustomer, self.booking().cloned());
        let assignment = self.assignment().cloned();
        self.move_to(State::Cancelled { reason, booking, assignment }, Cause::Cancelled(reason), by);
        Ok(())
    }

    /// To `needs_review`, because a person has to make the requested change.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn escalate_change(&mut self, failure: &BookingFailure, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let Some(booking) = self.booking().filter(|_| self.is_booked()).cloned() else {
            return Err(self.invalid(StateName::NeedsReview));
        };
        let kind = self.change.map_or(ChangeKind::Move, |requested| requested.change.kind());
        let moved_to = self.change.and_then(|requested| match requested.change {
            Change::Move { to } => Some(format!("to {}", to.format("%Y-%m-%d %H:%M UTC"))),
            Change::Cancel => None,
        });
        let detail = moved_to.into_iter().chain(failure.detail()).chain([failure.category().as_str().to_owned()]);
        let state = State::NeedsReview {
            reason: ReviewReason::Intent(kind.intent()),
            booking: ReviewBooking::Booked(booking),
            proposals: failure.proposals().to_vec(),
            detail: Some(detail.collect::<Vec<_>>().join("; ")),
        };
        self.change = None;
        self.move_to(state, Cause::ChangeFailed(failure.category()), by);
        Ok(())
    }

    /// To `needs_review`, because its booking was cancelled at Cal.com before it could be moved, and its customer counts on the
    /// move.
    ///
    /// # Errors
    /// If nothing is booked, or it is closed.
    pub fn escalate_ended(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !self.is_booked() {
            return Err(self.invalid(StateName::NeedsReview));
        }
        if let Some(Change::Move { to }) = self.change.map(|requested| requested.change) {
            self.request.start = RequestedStart::exactly(to);
        }
        let state = State::NeedsReview {
            reason: ReviewReason::Intent(Intent::Reschedule),
            booking: ReviewBooking::None,
            proposals: Vec::new(),
            detail: Some("its booking was cancelled at Cal.com before it could be moved".to_owned()),
        };
        self.move_to(state, Cause::ChangeFailed(Category::CalcomUnavailable), by);
        Ok(())
    }

    /// Adds another message of its customer to the notes, and what it says of how to reach them. The state stays `needs_review`. Returns whether it is new.
    ///
    /// # Errors
    /// From any other state.
    pub fn add_message(&mut self, text: &str, customer: &Customer, by: Actor<'_>) -> Result<bool, InvalidTransition> {
        if !matches!(self.state, State::NeedsReview { .. }) {
            return Err(self.invalid(StateName::NeedsReview));
        }
        let notes = self.request.notes.as_ref().map(|notes| notes.reveal().as_str()).unwrap_or_default();
        let known = &self.request.customer;
        let has_news =
            [(&customer.phone, &known.phone), (&customer.email, &known.email), (&customer.name, &known.name)]
                .iter()
                .any(|(said, known)| said.is_some() && said != known);
        if notes.contains(text) && !has_news {
            return Ok(false);
        }
        if !notes.contains(text) {
            let joined = if notes.is_empty() { text.to_owned() } else { format!("{notes}\n{text}") };
            self.request.notes = Some(Personal::new(joined));
        }
        let known = &mut self.request.customer;
        known.phone = customer.phone.clone().or(known.phone.take());
        known.email = customer.email.clone().or(known.email.take());
        known.name = customer.name.clone().or(known.name.take());
        self.record(Some(StateName::NeedsReview), Cause::MessageAdded, by);
        Ok(true)
    }
}
