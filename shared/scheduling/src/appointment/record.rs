//! The record of an appointment: its request, its state and its history.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    history::{Actor, Cause, Repetition, Transition},
    state::{BookingProgress, RequestedChange, ReviewBooking, ReviewReason, State, StateName},
};
use crate::{
    assignment::Assignment,
    booking::{Booking, CallBookings, UnconfirmedBooking},
    failure::Category,
    ids::{AppointmentId, CallId, EventTypeId, ServiceId, Source, TenantId},
    personal::Personal,
    request::{AppointmentRequest, Intent},
    start_time::RequestedStart,
    tenant::Tenant,
};

/// An appointment that a caller requested, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// Its id.
    pub id: AppointmentId,
    /// The business.
    pub tenant: TenantId,
    /// The call that requested it.
    pub call: CallId,
    /// The channel through which it came.
    #[serde(default = "Source::phone")]
    pub source: Source,
    /// When it was first requested.
    pub created_at: DateTime<Utc>,
    /// What was requested.
    pub request: AppointmentRequest,
    /// What a later analysis of the call says, if it says otherwise and came too late to change the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) correction: Option<AppointmentRequest>,
    /// Bookings that tools of the voice agent say they made in the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) call_bookings: Option<CallBookings>,
    pub(super) state: State,
    /// Set while its booking is to be verified at Cal.com, because the customer requests it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) verification: Option<Verification>,
    /// What its customer wants to change of its booking, until that is done at Cal.com.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) change: Option<RequestedChange>,
    /// Whether a tool requested it, or a change of it, while its customer was on the line: the customer counts on what they heard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_live: bool,
    pub(super) history: Vec<Transition>,
}

/// A booking that is to be verified at Cal.com.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Not to be tried before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
}

/// The state in which a request begins, and why.
pub(super) fn initial_state(request: &AppointmentRequest) -> (State, Cause) {
    let review = |reason| State::review(reason, ReviewBooking::None);
    match (request.intent, &request.start) {
        (Intent::Book, RequestedStart::At { note, .. }) => {
            (State::requested(BookingProgress::default()), Cause::Requested { ambiguous_time: note.is_some() })
        }
        (Intent::Book, RequestedStart::Unusable { problem, .. }) => {
            (review(ReviewReason::Start(*problem)), Cause::UnusableStart(*problem))
        }
        (intent, _) => (review(ReviewReason::Intent(intent)), Cause::RequestedFromPerson(intent)),
    }
}

impl Appointment {
    /// The current state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What a later analysis of the call says, if it came too late to change the request.
    pub fn correction(&self) -> Option<&AppointmentRequest> {
        self.correction.as_ref()
    }

    /// Bookings that tools of the voice agent say they made in the call.
    pub fn call_bookings(&self) -> Option<&CallBookings> {
        self.call_bookings.as_ref()
    }

    /// The verification of its booking, if one is to be made.
    pub fn verification(&self) -> Option<&Verification> {
        self.verification.as_ref()
    }

    /// Whether a tool requested it, or a change of it, while its customer was on the line.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// The staff member whom the customer named, in the customer's words.
    pub fn raw_staff(&self) -> Option<&str> {
        self.request.staff.as_ref().map(|staff| staff.reveal().as_str())
    }

    /// When it first failed because Cal.com was unavailable, since it was last requested.
    pub fn unavailable_since(&self) -> Option<DateTime<Utc>> {
        let failed = Cause::Failed(Category::CalcomUnavailable);
        self.since_requested().iter().find(|transition| transition.cause == failed).map(|transition| transition.at)
    }

    /// Every transition, oldest first.
    pub fn history(&self) -> &[Transition] {
        &self.history
    }

    /// The transitions since the appointment was last requested, oldest first.
    pub fn since_requested(&self) -> &[Transition] {
        let reopened = self.history.iter().rposition(|transition| transition.cause == Cause::Reopened);
        &self.history[reopened.unwrap_or_default()..]
    }

    /// When it was last requested: when it was reopened, or else created.
    pub fn requested_at(&self) -> DateTime<Utc> {
        let reopened = self.history.iter().rfind(|transition| transition.cause == Cause::Reopened);
        reopened.map_or(self.created_at, |transition| transition.at)
    }

    /// When a person last had it go on, because they mended what had stopped it.
    pub fn resumed_by_person_at(&self) -> Option<DateTime<Utc>> {
        let resumed = |it: &&Transition| it.cause == Cause::Resumed && it.is_manual();
        self.history.iter().rfind(resumed).map(Transition::last_at)
    }

    /// When it was last booked, moved, or resumed as booked.
    pub fn booked_at(&self) -> Option<DateTime<Utc>> {
        let became_booked = |it: &&Transition| {
            let is_moved = matches!(it.cause, Cause::Moved | Cause::Rescheduled);
            is_moved || it.to == StateName::Booked && it.from != Some(StateName::Booked)
        };
        self.history.iter().rfind(became_booked).map(|transition| transition.at)
    }

    /// How often a worker has claimed it.
    pub fn attempts(&self) -> u32 {
        let claims = self.history.iter().map(|transition| match transition.cause {
            Cause::Claimed | Cause::LeaseExpired => transition.times(),
            // Each repetition of a retry has absorbed the claim before it.
            Cause::Failed(_) if transition.to == StateName::Requested => transition.times() - 1,
            _ => 0,
        });
        claims.fold(0, u32::saturating_add)
    }

    /// How often it was retried because of `category`: to be booked, or to look up its hosts.
    pub fn retries(&self, category: Category) -> u32 {
        let retried = |to| matches!(to, StateName::Requested | StateName::Booked);
        self.count_since_resumed(|it| retried(it.to) && it.cause == Cause::Failed(category))
    }

    /// How often its worker died or ran out of time.
    pub fn expired_leases(&self) -> u32 {
        self.count_since_resumed(|transition| transition.cause == Cause::LeaseExpired)
    }

    fn count_since_resumed(&self, counts: impl Fn(&Transition) -> bool) -> u32 {
        let starts_anew = |cause: &Cause| matches!(cause, Cause::Resumed | Cause::Settled | Cause::Corrected);
        let recent = self.history.iter().rev().take_while(|transition| !starts_anew(&transition.cause));
        recent.filter(|transition| counts(transition)).map(Transition::times).sum()
    }

    /// The booking, if there is one.
    pub fn booking(&self) -> Option<&Booking> {
        match &self.state {
            State::Booked { booking, .. }
            | State::Assigned { booking, .. }
            | State::Completed { booking, .. }
            | State::NoShow { booking, .. }
            | State::NeedsReview { booking: ReviewBooking::Booked(booking), .. } => Some(booking),
            State::Cancelled { booking, .. } => booking.as_ref(),
            State::NeedsReview { .. } | State::Requested { .. } | State::Booking { .. } => None,
        }
    }

    /// The assigned staff member, if known.
    pub fn assignment(&self) -> Option<&Assignment> {
        match &self.state {
            State::Assigned { assignment, .. } => Some(assignment),
            State::Completed { assignment, .. }
            | State::NoShow { assignment, .. }
            | State::Cancelled { assignment, .. } => assignment.as_ref(),
            _ => None,
        }
    }

    /// Whether Cal.com may hold a booking that is not stored here, and why.
    pub fn unconfirmed_booking(&self) -> Option<UnconfirmedBooking> {
        match &self.state {
            State::Requested { progress, .. } | State::Booking { progress, .. } => progress.unconfirmed,
            State::NeedsReview { booking: ReviewBooking::Unconfirmed(unconfirmed), .. } => Some(*unconfirmed),
            _ => None,
        }
    }

    /// Whether it is booked, assigned or not, and not closed.
    pub fn is_booked(&self) -> bool {
        self.is_open() && self.booking().is_some()
    }

    /// Whether it may still take place.
    pub fn is_open(&self) -> bool {
        self.state.name().is_open()
    }

    /// Whether it will move on without a person.
    pub fn is_in_progress(&self) -> bool {
        matches!(self.state, State::Requested { .. } | State::Booking { .. } | State::Booked { .. })
    }

    /// Whether its start has passed while it is certainly not booked, so that it can only be cancelled.
    ///
    /// A start alone does not say that: a worker may hold it, or Cal.com may hold an unconfirmed booking.
    pub fn is_past(&self, now: DateTime<Utc>) -> bool {
        let is_unbooked =
            matches!(self.state, State::Requested { .. } | State::NeedsReview { booking: ReviewBooking::None, .. });
        is_unbooked && self.unconfirmed_booking().is_none() && self.request.start.at().is_some_and(|start| start < now)
    }

    /// Whether it is booked, assigned or not, and started before `before`.
    pub fn has_ended(&self, before: DateTime<Utc>) -> bool {
        self.is_booked() && self.booking().is_some_and(|booking| booking.start < before)
    }

    /// Why it needs a person, if it does.
    pub fn review_reason(&self) -> Option<ReviewReason> {
        match &self.state {
            State::NeedsReview { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// Whether it waits for its host, who must confirm the booking at Cal.com.
    pub fn awaits_host(&self) -> bool {
        self.history.last().is_some_and(|last| last.cause == Cause::AwaitingHost)
    }

    /// Whether it waits in review until this event type of the tenant can be booked.
    pub fn waits_for(&self, event_type: EventTypeId, tenant: &Tenant, now: DateTime<Utc>) -> bool {
        let is_waiting =
            matches!(self.state, State::NeedsReview { reason: ReviewReason::Booking(Category::Misconfigured), .. });
        let is_to_come = self.request.start.at().is_some_and(|start| start > now);
        let fitting = tenant.event_types_for(self.request.service.as_deref(), self.raw_staff());
        is_waiting && is_to_come && fitting.is_ok_and(|fitting| fitting.event_types.contains(&event_type))
    }

    /// Whether the customer's data has been erased. Nothing about the customer is stored from then on.
    pub fn is_erased(&self) -> bool {
        self.history.iter().any(|transition| transition.cause == Cause::Erased)
    }

    /// The requested service, if the tenant has it.
    pub fn service<'t>(&self, tenant: &'t Tenant) -> Option<&'t ServiceId> {
        let raw = self.request.service.as_deref()?;
        tenant.service_called(raw).map(|service| &service.id)
    }
}

impl Appointment {
    /// Adds a transition to the current state.
    pub(super) fn record(&mut self, from: Option<StateName>, cause: Cause, by: Actor<'_>) {
        self.history.push(Transition {
            at: by.now,
            from,
            to: self.state.name(),
            cause,
            by: by.function.to_owned(),
            version: by.version.to_owned(),
            person: by.person.map(|name| Personal::new(name.to_owned())),
            note: None,
            repeated: None,
        });
    }

    /// Like [`Self::record`], but a repetition only raises the count of the transition that it repeats: an appointment
    /// that retries for a week stays small. The `between` transitions that belong to the repetition are dropped.
    pub(super) fn record_repeated(&mut self, cause: Cause, between: usize, by: Actor<'_>) {
        let to = self.state.name();
        let is_same = |it: &Transition| it.to == to && it.cause == cause && it.version == by.version;
        let earlier = self.history.len().checked_sub(between + 1).filter(|&at| is_same(&self.history[at]));
        let Some(earlier) = earlier else {
            return self.record(self.history.last().map(|transition| transition.to), cause, by);
        };
        self.history.truncate(earlier + 1);
        let transition = &mut self.history[earlier];
        transition.repeated = Some(Repetition { times: transition.times().saturating_add(1), last_at: by.now });
    }
}
