//! The appointment: its states, what moves it from one to the next, and its history.
//!
//! ```text
//! requested -> booking -> booked -> assigned -> completed, no_show
//!     |  ^________|  |       |  ^       |
//!     |  ^           |       |  |       |
//!     +--|-----------+-------+--|-------+--> cancelled
//!     |  |           |       |  |
//!     +--------------+-------+-----> needs_review, and from there on as before, or cancelled
//! ```
//!
//! A transition is a method that either changes the state and adds a line to the history, or refuses and changes
//! nothing. Whoever stores the result does so on the condition that the stored version is the one that was read.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    assignment::{Assignment, StrategyName, Unassigned},
    booking::{Booking, HostEvidence},
    contact::{ContactPart, Customer},
    failure::Category,
    ids::{AppointmentId, CallId, ServiceId, Source, StaffId, TenantId},
    start_time::{StartProblem, RequestedStart},
    timing::Timing,
    request::AppointmentRequest,
};

/// By whom a transition was made that an operator asked for.
pub const OPERATOR: &str = "operator";
/// Why an appointment was claimed that waited.
const CLAIMED: &str = "claimed";
/// Why an appointment was claimed that another worker had: it died, or was cut off.
const LEASE_EXPIRED: &str = "lease_ran_out";
/// Why an appointment is requested anew whose booking was cancelled at Cal.com.
const ASKED_AGAIN: &str = "looked_up_again";
/// Why a booked appointment was written down once more: Cal.com was asked for its hosts again.
const HOSTS_ASKED_AGAIN: &str = "hosts_asked_again";
/// Why an appointment came into being that another system had before.
const IMPORTED: &str = "imported";
/// Why an appointment goes on that needed review. What was tried before no longer counts.
const TAKEN_UP_AGAIN: &str = "taken_up_again";

/// What a caller asked for, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// Its id.
    pub id: AppointmentId,
    /// The business it is for.
    pub tenant: TenantId,
    /// The call it came from.
    pub call: CallId,
    /// By which way it came.
    #[serde(default = "Source::phone")]
    pub source: Source,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// What was asked for.
    pub request: AppointmentRequest,
    state: State,
    /// How often a worker has claimed it.
    attempts: u32,
    first_attempt: Option<DateTime<Utc>>,
    /// The part of the contact that Cal.com refused. It stays with the request and is not sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    omitted_contact: Option<ContactPart>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unconfirmed: Option<UnconfirmedBooking>,
    history: Vec<Transition>,
}

/// Why Cal.com may hold a booking that is not written down here. It is asked for it before anything else is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnconfirmedBooking {
    /// A request to book was sent, or may have been, and nobody has read the answer.
    NoResponse,
    /// Cal.com said yes in a form that could not be read. It is never asked to book again.
    UnreadableResponse,
}

/// Where an appointment stands. A booked one always has its booking, an unassigned one its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum State {
    /// To be booked.
    Requested {
        /// Not before this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<DateTime<Utc>>,
    },
    /// One worker is booking it.
    Booking {
        /// Until then it is this worker's alone.
        lease_until: DateTime<Utc>,
    },
    /// Booked with Cal.com.
    Booked {
        /// The booking.
        booking: Booking,
        /// Its hosts are asked for again, not before this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<DateTime<Utc>>,
    },
    /// Booked, and a staff member does it.
    Assigned {
        /// The booking.
        booking: Booking,
        /// Party, and how that is known.
        assignment: Assignment,
    },
    /// A person's decision is needed.
    NeedsReview {
        /// Why.
        reason: ReviewReason,
        /// The booking, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        booking: Option<Booking>,
        /// Free slots near the time asked for, nearest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        proposals: Vec<DateTime<Utc>>,
        /// More for that person: what is missing, or what Cal.com named. Holds nothing personal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// It will not take place.
    Cancelled {
        /// Why.
        reason: CancelReason,
        /// The booking, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        booking: Option<Booking>,
        /// Party was to do it, if that was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignment: Option<Assignment>,
    },
    /// Its time has gone by as booked.
    Completed {
        /// The booking.
        booking: Booking,
        /// Party did it, if that was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignment: Option<Assignment>,
    },
    /// Its time has gone by, and at Cal.com it is noted that the customer did not come.
    NoShow {
        /// The booking.
        booking: Booking,
        /// Party waited, if that was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignment: Option<Assignment>,
    },
}

/// The name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// See [`State::Requested`].
    Requested,
    /// See [`State::Booking`].
    Booking,
    /// See [`State::Booked`].
    Booked,
    /// See [`State::Assigned`].
    Assigned,
    /// See [`State::NeedsReview`].
    NeedsReview,
    /// See [`State::Cancelled`].
    Cancelled,
    /// See [`State::Completed`].
    Completed,
    /// See [`State::NoShow`].
    NoShow,
}

/// Why a person's decision is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewReason {
    /// The caller's time could not be read.
    Start(StartProblem),
    /// It could not be booked.
    Booking(Category),
    /// It is booked, and nobody knows for whom.
    Assignment(Unassigned),
    /// Its message is a dead letter, or its workers died time after time.
    Stalled,
}

/// Why an appointment will not take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Its start went by before it was booked.
    Past,
    /// Its booking was cancelled or refused at Cal.com.
    CancelledAtCalcom,
    /// The customer's data was erased before it was booked.
    Erased,
}

/// What became of a booked appointment whose time has gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It took place, as far as anyone knows.
    Completed,
    /// The customer did not come.
    NoShow,
    /// It had been cancelled or refused at Cal.com.
    CancelledAtCalcom,
}

/// When an appointment should move, and what is wrong where it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// From this time on it is the reconciler's to send.
    pub at: DateTime<Utc>,
    /// What must have happened if it still stands then.
    pub cause: DueCause,
}

/// Why the reconciler sends an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DueCause {
    /// Its first message was never sent, or was lost.
    NeverSent,
    /// The delayed message for its next attempt was lost.
    MessageLost,
    /// The time of its next attempt has come, for which no message could wait.
    AttemptDue,
    /// Its worker died or was cut off.
    LeaseExpired,
    /// It is booked and nobody looked for its staff member.
    NotAssigned,
}

/// One transition, as it is told later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at: DateTime<Utc>,
    /// From which state; `None` for the first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StateName>,
    /// To which state.
    pub to: StateName,
    /// Why, as one word or two.
    pub why: String,
    /// By which function.
    pub by: String,
    /// By which deployed version of it.
    pub version: String,
    /// When it happened again, for the last time, with nothing else in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<DateTime<Utc>>,
    /// How often it happened.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
}

impl Transition {
    /// Whether a person had it made.
    pub fn is_manual(&self) -> bool {
        self.by == OPERATOR
    }

    /// Whether what it tells was done by another system.
    pub fn is_imported(&self) -> bool {
        self.why == IMPORTED
    }

    /// Whether the customer's data was taken out.
    pub fn is_erasure(&self) -> bool {
        self.why == CancelReason::Erased.as_str()
    }

    /// Whether Cal.com was asked for the hosts again.
    pub fn tells_hosts_again(&self) -> bool {
        self.why == HOSTS_ASKED_AGAIN
    }
}

fn once() -> u32 {
    1
}

fn is_once(times: &u32) -> bool {
    *times == 1
}

/// Party makes a transition, and when.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The function, for instance `calcom-booking`.
    pub function: &'a str,
    /// Its deployed version.
    pub version: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Why an appointment can't be claimed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotClaimable {
    /// Another worker has it, or its time to be tried again has not come.
    #[error("not before {0}")]
    NotBefore(DateTime<Utc>),
    /// It is booked and timing for its staff member.
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
    /// The state it is in.
    pub from: StateName,
    /// The state it was to get.
    pub to: StateName,
}

impl Appointment {
    /// A new appointment: `requested`, or `needs_review` where the caller's time could not be read.
    pub fn new(tenant: TenantId, call: CallId, source: Source, request: AppointmentRequest, by: Actor<'_>) -> Self {
        let (state, why) = match &request.start {
            RequestedStart::At { note: None, .. } => (State::Requested { not_before: None }, "call_analyzed".to_owned()),
            RequestedStart::At { note: Some(_), .. } => {
                (State::Requested { not_before: None }, "call_analyzed, earlier_of_two".to_owned())
            }
            RequestedStart::Unusable { problem, .. } => {
                (State::review(ReviewReason::Start(*problem), None), problem.to_string())
            }
        };
        let mut appointment = Self::in_state(state, tenant, call, source, request, by.now);
        appointment.note(None, why, by);
        appointment
    }

    /// An appointment that another system has written down: `assigned` where that has booked it and given it to a staff
    /// member, `booked`, or else `requested`.
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
            Some((booking, None)) => State::Booked { booking, not_before: None },
            None => State::Requested { not_before: None },
        };
        let mut appointment = Self::in_state(state, tenant, call, source, request, by.now);
        appointment.note(None, IMPORTED.to_owned(), by);
        appointment
    }

    fn in_state(
        state: State,
        tenant: TenantId,
        call: CallId,
        source: Source,
        request: AppointmentRequest,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id: AppointmentId::of_call(&tenant, &call),
            tenant,
            call,
            source,
            created_at,
            request,
            state,
            attempts: 0,
            first_attempt: None,
            omitted_contact: None,
            unconfirmed: None,
            history: Vec::new(),
        }
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How often a worker has claimed it.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When a worker first claimed it.
    pub fn first_attempt(&self) -> Option<DateTime<Utc>> {
        self.first_attempt
    }

    /// The part of the contact that Cal.com refused and that is left out since.
    pub fn omitted_contact(&self) -> Option<ContactPart> {
        self.omitted_contact
    }

    /// When it was last booked, or taken up again as booked.
    pub fn booked_at(&self) -> Option<DateTime<Utc>> {
        let became_booked = |line: &&Transition| line.to == StateName::Booked && line.from != Some(StateName::Booked);
        self.history.iter().rfind(became_booked).map(|line| line.at)
    }

    /// Whether Cal.com may hold a booking that is not written down here.
    pub fn unconfirmed(&self) -> Option<UnconfirmedBooking> {
        self.unconfirmed
    }

    /// Every transition, oldest first.
    pub fn history(&self) -> &[Transition] {
        &self.history
    }

    /// The booking, if there is one.
    pub fn booking(&self) -> Option<&Booking> {
        match &self.state {
            State::Booked { booking, .. }
            | State::Assigned { booking, .. }
            | State::Completed { booking, .. }
            | State::NoShow { booking, .. } => Some(booking),
            State::NeedsReview { booking, .. } | State::Cancelled { booking, .. } => booking.as_ref(),
            State::Requested { .. } | State::Booking { .. } => None,
        }
    }

    /// Party does it, or did, or was to, as far as that is known.
    pub fn assignment(&self) -> Option<&Assignment> {
        match &self.state {
            State::Assigned { assignment, .. } => Some(assignment),
            State::Completed { assignment, .. }
            | State::NoShow { assignment, .. }
            | State::Cancelled { assignment, .. } => assignment.as_ref(),
            _ => None,
        }
    }

    /// How often it was sent again for `category`, to be booked or to learn its hosts.
    pub fn retries(&self, category: Category) -> u32 {
        let again = |line: &Transition| {
            matches!(line.to, StateName::Requested | StateName::Booked) && line.why == category.as_str()
        };
        self.count_recent(again)
    }

    /// How often its worker died or was cut off.
    pub fn workers_lost(&self) -> u32 {
        self.count_recent(|line| line.why == LEASE_EXPIRED)
    }

    /// Counts lines of the history since a person last had it taken up again.
    fn count_recent(&self, counts: impl Fn(&Transition) -> bool) -> u32 {
        let recent = self.history.iter().rev().take_while(|line| line.why != TAKEN_UP_AGAIN);
        recent.filter(|line| counts(line)).map(|line| line.times).sum()
    }

    /// When it should move next. `None` where nothing is left to do without a person.
    ///
    /// A message is under way for whatever is to be done soon, so the reconciler timing `timing.grace` longer; for what is
    /// to be done later than a message can wait there is none.
    pub fn due(&self, timing: &Timing) -> Option<Due> {
        let last = self.history.last().map_or(self.created_at, |line| line.again_at.unwrap_or(line.at));
        let waiting = |not_before: Option<DateTime<Utc>>, sooner: DueCause| match not_before {
            Some(at) if at - last > timing.max_queue_delay => Due { at, cause: DueCause::AttemptDue },
            _ => Due { at: not_before.unwrap_or(last) + timing.grace, cause: sooner },
        };
        match &self.state {
            State::Requested { not_before: None } => Some(waiting(None, DueCause::NeverSent)),
            State::Requested { not_before } => Some(waiting(*not_before, DueCause::MessageLost)),
            State::Booking { lease_until } => Some(Due { at: *lease_until, cause: DueCause::LeaseExpired }),
            State::Booked { not_before, .. } => Some(waiting(*not_before, DueCause::NotAssigned)),
            _ => None,
        }
    }

    /// `requested`, or `booking` with a lease that ran out, to `booking`: this worker alone books it for `lease`.
    ///
    /// # Errors
    /// With what stands in the way.
    pub fn claim(&mut self, lease: TimeDelta, by: Actor<'_>) -> Result<(), NotClaimable> {
        let why = match &self.state {
            State::Requested { not_before: Some(time) } if *time > by.now => {
                return Err(NotClaimable::NotBefore(*time));
            }
            State::Requested { .. } => CLAIMED,
            State::Booking { lease_until } if *lease_until > by.now => {
                return Err(NotClaimable::NotBefore(*lease_until));
            }
            State::Booking { .. } => LEASE_EXPIRED,
            State::Booked { .. } => return Err(NotClaimable::Booked),
            settled => return Err(NotClaimable::Settled(settled.name())),
        };
        if why == LEASE_EXPIRED {
            self.unconfirmed.get_or_insert(UnconfirmedBooking::NoResponse);
        }
        self.attempts = self.attempts.saturating_add(1);
        self.first_attempt.get_or_insert(by.now);
        self.move_to(State::Booking { lease_until: by.now + lease }, why, by);
        Ok(())
    }

    /// `booking` to `booked`. `why` tells whether it was booked now or found.
    ///
    /// # Errors
    /// From any other state.
    pub fn book(&mut self, booking: Booking, why: &str, by: Actor<'_>) -> Result<(), InvalidTransition> {
        self.only_from(&[StateName::Booking], StateName::Booked)?;
        self.unconfirmed = None;
        self.move_to(State::Booked { booking, not_before: None }, why, by);
        Ok(())
    }

    /// Notes that bookings which an earlier attempt had made besides were cancelled. It is still this worker's.
    ///
    /// # Errors
    /// From any state but `booking`.
    pub fn note_duplicates_cancelled(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        self.only_from(&[StateName::Booking], StateName::Booking)?;
        self.note(Some(StateName::Booking), "duplicate_cancelled".to_owned(), by);
        Ok(())
    }

    /// `booking` back to `requested`, to be claimed again at `at`.
    ///
    /// # Errors
    /// From any other state.
    pub fn retry_at(
        &mut self,
        at: DateTime<Utc>,
        category: Category,
        unconfirmed: Option<UnconfirmedBooking>,
        by: Actor<'_>,
    ) -> Result<(), InvalidTransition> {
        self.only_from(&[StateName::Booking], StateName::Requested)?;
        self.unconfirmed = unconfirmed;
        if category == Category::Credentials {
            // It has not been tried before the key works.
            self.first_attempt = None;
        }
        self.state = State::Requested { not_before: Some(at) };
        let is_claim = |line: &Transition| line.to == StateName::Booking && line.why == CLAIMED;
        let between = usize::from(self.history.last().is_some_and(is_claim));
        self.note_again(category.as_str(), between, by);
        Ok(())
    }

    /// Leaves out the part of the contact that Cal.com refused, once. It is still this worker's.
    ///
    /// # Errors
    /// From any state but `booking`.
    pub fn omit_contact(&mut self, refused: ContactPart, by: Actor<'_>) -> Result<(), InvalidTransition> {
        self.only_from(&[StateName::Booking], StateName::Booking)?;
        self.omitted_contact = Some(refused);
        self.unconfirmed = None;
        self.note(Some(StateName::Booking), Category::InvalidContact.as_str().to_owned(), by);
        Ok(())
    }

    /// `booking` to `needs_review`, because it could not be booked.
    ///
    /// # Errors
    /// From any other state.
    pub fn escalate_booking(
        &mut self,
        category: Category,
        unconfirmed: Option<UnconfirmedBooking>,
        proposals: Vec<DateTime<Utc>>,
        detail: Option<String>,
        by: Actor<'_>,
    ) -> Result<(), InvalidTransition> {
        self.only_from(&[StateName::Booking], StateName::NeedsReview)?;
        self.unconfirmed = unconfirmed;
        let reason = ReviewReason::Booking(category);
        self.move_to(State::NeedsReview { reason, booking: None, proposals, detail }, category.as_str(), by);
        Ok(())
    }

    /// To `needs_review`, because nothing has come of trying: `detail` says of what kind the trouble is.
    ///
    /// # Errors
    /// From a settled state, and while a worker is at it.
    pub fn set_aside(&mut self, detail: String, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let is_busy = matches!(self.state, State::Booking { lease_until } if lease_until > by.now);
        let from = self.state.name();
        if is_busy || !matches!(from, StateName::Requested | StateName::Booking | StateName::Booked) {
            return Err(InvalidTransition { from, to: StateName::NeedsReview });
        }
        if from == StateName::Booking {
            self.unconfirmed.get_or_insert(UnconfirmedBooking::NoResponse);
        }
        let booking = self.unassigned_booking();
        let (reason, proposals) = (ReviewReason::Stalled, Vec::new());
        self.move_to(State::NeedsReview { reason, booking, proposals, detail: Some(detail) }, "set_aside", by);
        Ok(())
    }

    /// `needs_review` back to where it came from, because a person has mended what was wrong: to `requested`, or to
    /// `booked` where it has a booking. What was tried before no longer counts.
    ///
    /// # Errors
    /// From any other state, and where the start can't be read: trying again would not make it readable.
    pub fn resume(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let State::NeedsReview { booking, .. } = &self.state else {
            return Err(InvalidTransition { from: self.state.name(), to: StateName::Requested });
        };
        let state = match booking.clone() {
            Some(booking) => State::Booked { booking, not_before: None },
            None if self.request.start.at().is_some() => State::Requested { not_before: None },
            None => return Err(InvalidTransition { from: StateName::NeedsReview, to: StateName::Requested }),
        };
        (self.first_attempt, self.omitted_contact) = (None, None);
        self.move_to(state, TAKEN_UP_AGAIN, by);
        Ok(())
    }

    /// `booked`, or `needs_review` with a booking, to `assigned`. What is assigned stays so.
    ///
    /// # Errors
    /// From any other state.
    pub fn assign(&mut self, assignment: Assignment, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let Some(booking) = self.unassigned_booking() else {
            return Err(InvalidTransition { from: self.state.name(), to: StateName::Assigned });
        };
        let why = assignment.strategy.as_str();
        self.move_to(State::Assigned { booking, assignment }, why, by);
        Ok(())
    }

    /// An operator's assignment, also over one that was found: it is the last word.
    ///
    /// # Errors
    /// Where there is no booking.
    pub fn assign_by_operator(&mut self, assignment: Assignment, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if let State::Assigned { booking, .. } = &self.state {
            self.state = State::Booked { booking: booking.clone(), not_before: None };
        }
        self.assign(assignment, by)
    }

    /// `booked` to `needs_review`, because no staff member could be found.
    ///
    /// # Errors
    /// From any other state.
    pub fn escalate_unassigned(&mut self, reason: Unassigned, by: Actor<'_>) -> Result<(), InvalidTransition> {
        self.only_from(&[StateName::Booked], StateName::NeedsReview)?;
        let booking = self.unassigned_booking();
        self.move_to(State::review(ReviewReason::Assignment(reason), booking), reason.as_str(), by);
        Ok(())
    }

    /// Keeps what Cal.com said of the hosts when it was asked again. The state stays `booked`.
    ///
    /// # Errors
    /// From any other state.
    pub fn record_hosts(&mut self, evidence: HostEvidence, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let State::Booked { booking, not_before } = &mut self.state else {
            return Err(InvalidTransition { from: self.state.name(), to: StateName::Booked });
        };
        booking.hosts = evidence;
        *not_before = None;
        self.note(Some(StateName::Booked), HOSTS_ASKED_AGAIN.to_owned(), by);
        Ok(())
    }

    /// Has Cal.com asked for the hosts again at `at`. The state stays `booked`.
    ///
    /// # Errors
    /// From any other state.
    pub fn defer_host_lookup(
        &mut self,
        at: DateTime<Utc>,
        category: Category,
        by: Actor<'_>,
    ) -> Result<(), InvalidTransition> {
        let State::Booked { not_before, .. } = &mut self.state else {
            return Err(InvalidTransition { from: self.state.name(), to: StateName::Booked });
        };
        *not_before = Some(at);
        self.note_again(category.as_str(), 0, by);
        Ok(())
    }

    /// Whether its start is past and certainly nothing is booked: then nothing can come of it any more.
    ///
    /// What a worker has, or may have left at Cal.com, is not told by its start alone.
    pub fn is_past(&self, now: DateTime<Utc>) -> bool {
        let is_unbooked = matches!(self.state, State::Requested { .. } | State::NeedsReview { booking: None, .. });
        is_unbooked && self.unconfirmed.is_none() && self.request.start.at().is_some_and(|start| start < now)
    }

    /// To `cancelled`, because its start went by unbooked.
    ///
    /// # Errors
    /// Where [`Self::is_past`] does not hold, unless a worker that holds the lease says so itself.
    pub fn cancel_past(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let is_mine = matches!(self.state, State::Booking { .. });
        if !is_mine && !self.is_past(by.now) {
            return Err(InvalidTransition { from: self.state.name(), to: StateName::Cancelled });
        }
        self.unconfirmed = None;
        self.move_to(State::unbooked(CancelReason::Past), CancelReason::Past.as_str(), by);
        Ok(())
    }

    /// `booking` to `cancelled`, because the booking that an earlier attempt made was cancelled at Cal.com since.
    ///
    /// # Errors
    /// From any other state.
    pub fn cancel_as_at_calcom(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        self.only_from(&[StateName::Booking], StateName::Cancelled)?;
        self.unconfirmed = None;
        self.move_to(State::unbooked(CancelReason::CancelledAtCalcom), CancelReason::CancelledAtCalcom.as_str(), by);
        Ok(())
    }

    /// From a state with a booking back to `requested`, because the customer asks for it again and the booking no longer
    /// stands at Cal.com.
    ///
    /// # Errors
    /// Where nothing is booked, or it is closed already.
    pub fn reopen(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if !self.is_booked() {
            return Err(InvalidTransition { from: self.state.name(), to: StateName::Requested });
        }
        (self.first_attempt, self.unconfirmed) = (None, None);
        self.move_to(State::Requested { not_before: None }, ASKED_AGAIN, by);
        Ok(())
    }

    /// Every transition since it was asked for, for the last time; oldest first.
    pub fn since_requested(&self) -> &[Transition] {
        let looked_up_again = self.history.iter().rposition(|line| line.why == ASKED_AGAIN);
        &self.history[looked_up_again.unwrap_or_default()..]
    }

    /// When it was asked for, for the last time.
    pub fn requested_at(&self) -> DateTime<Utc> {
        self.history.iter().rfind(|line| line.why == ASKED_AGAIN).map_or(self.created_at, |line| line.at)
    }

    /// Whether it is booked, assigned or not, and not closed.
    pub fn is_booked(&self) -> bool {
        matches!(
            self.state,
            State::Booked { .. } | State::Assigned { .. } | State::NeedsReview { booking: Some(_), .. }
        )
    }

    /// Keeps the booking that took the place of the one we know: it was moved at Cal.com. The state stays.
    ///
    /// # Errors
    /// Where nothing is booked, or it is closed already.
    pub fn reschedule(&mut self, moved: Booking, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let name = self.state.name();
        match &mut self.state {
            State::Booked { booking, .. }
            | State::Assigned { booking, .. }
            | State::NeedsReview { booking: Some(booking), .. } => *booking = moved,
            _ => return Err(InvalidTransition { from: name, to: name }),
        }
        self.note(Some(name), "moved_at_calcom".to_owned(), by);
        Ok(())
    }

    /// Takes a person's word that Cal.com holds no booking of this. The state stays `needs_review`.
    ///
    /// # Errors
    /// From any other state, and where there is no unconfirmed.
    pub fn mark_not_booked(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let from = self.state.name();
        if from != StateName::NeedsReview || self.unconfirmed.is_none() {
            return Err(InvalidTransition { from, to: StateName::NeedsReview });
        }
        self.unconfirmed = None;
        self.note(Some(from), "not_booked".to_owned(), by);
        Ok(())
    }

    /// Whether it is booked, assigned or not, and its start lies so long ago that what became of it is known.
    pub fn has_ended(&self, before: DateTime<Utc>) -> bool {
        self.is_booked() && self.booking().is_some_and(|booking| booking.start < before)
    }

    /// From a state with a booking to the one that tells what became of it.
    ///
    /// # Errors
    /// Where there is no booking, or it is closed already.
    pub fn close(&mut self, outcome: Outcome, by: Actor<'_>) -> Result<(), InvalidTransition> {
        let (booking, assignment) = match &self.state {
            State::Booked { booking, .. } | State::NeedsReview { booking: Some(booking), .. } => (booking, None),
            State::Assigned { booking, assignment } => (booking, Some(assignment)),
            _ => return Err(InvalidTransition { from: self.state.name(), to: StateName::Completed }),
        };
        let (booking, assignment) = (booking.clone(), assignment.cloned());
        let (state, why) = match outcome {
            Outcome::Completed => (State::Completed { booking, assignment }, "time_gone_by"),
            Outcome::NoShow => (State::NoShow { booking, assignment }, "noted_at_calcom"),
            Outcome::CancelledAtCalcom => {
                let reason = CancelReason::CancelledAtCalcom;
                (State::Cancelled { reason, booking: Some(booking), assignment }, reason.as_str())
            }
        };
        self.move_to(state, why, by);
        Ok(())
    }

    /// Takes out all that is known of the customer. What is not booked yet can't be booked any more and is cancelled;
    /// otherwise state, times, service and staff stay, so that nothing is counted differently afterwards.
    ///
    /// # Errors
    /// While a worker is at it, and while Cal.com may hold a booking that has still to be looked for.
    pub fn erase_customer(&mut self, by: Actor<'_>) -> Result<(), InvalidTransition> {
        if matches!(self.state, State::Booking { .. }) || self.unconfirmed.is_some() {
            return Err(InvalidTransition { from: self.state.name(), to: StateName::Cancelled });
        }
        self.request.customer = Customer::default();
        (self.request.staff, self.request.notes) = (None, None);
        if let RequestedStart::Unusable { spoken, .. } = &mut self.request.start {
            *spoken = None;
        }
        let from = self.state.name();
        if matches!(self.state, State::Requested { .. } | State::NeedsReview { booking: None, .. }) {
            self.state = State::unbooked(CancelReason::Erased);
        }
        self.note(Some(from), CancelReason::Erased.as_str().to_owned(), by);
        Ok(())
    }

    /// Whether the customer's data was taken out. Nothing about them is kept any more.
    pub fn is_erased(&self) -> bool {
        self.history.iter().any(Transition::is_erasure)
    }

    /// Whether another call of the same customer for the same service and start asks for nothing more than this.
    pub fn satisfies(&self, other: &Self) -> bool {
        self.is_open() && self.tenant == other.tenant && self.request.customer.may_be(&other.request.customer)
    }

    /// Whether something is still to happen with it without a person.
    pub fn is_in_progress(&self) -> bool {
        matches!(self.state, State::Requested { .. } | State::Booking { .. } | State::Booked { .. })
    }

    /// Whether it may still take place.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Cancelled { .. } | State::Completed { .. } | State::NoShow { .. })
    }

    /// The service that was understood, for whoever counts by it.
    pub fn service<'t>(&self, tenant: &'t crate::tenant::Tenant) -> Option<&'t ServiceId> {
        let spoken = self.request.service.as_deref()?;
        tenant.service_called(spoken).map(|service| &service.id)
    }

    fn unassigned_booking(&self) -> Option<Booking> {
        match &self.state {
            State::Booked { booking, .. } | State::NeedsReview { booking: Some(booking), .. } => Some(booking.clone()),
            _ => None,
        }
    }

    fn only_from(&self, allowed: &[StateName], to: StateName) -> Result<(), InvalidTransition> {
        let from = self.state.name();
        if allowed.contains(&from) { Ok(()) } else { Err(InvalidTransition { from, to }) }
    }

    fn move_to(&mut self, state: State, why: &str, by: Actor<'_>) {
        let from = self.state.name();
        self.state = state;
        self.note(Some(from), why.to_owned(), by);
    }

    fn note(&mut self, from: Option<StateName>, why: String, by: Actor<'_>) {
        self.history.push(Transition {
            at: by.now,
            from,
            to: self.state.name(),
            why,
            by: by.function.to_owned(),
            version: by.version.to_owned(),
            again_at: None,
            times: once(),
        });
    }

    /// Like [`Self::note`]; but what happened just so before is counted there, so that an appointment which timing for a
    /// week is no larger for it. `between` are the lines that belong to having tried again.
    fn note_again(&mut self, why: &str, between: usize, by: Actor<'_>) {
        let (to, version) = (self.state.name(), by.version);
        let before = self.history.len().checked_sub(between + 1);
        let is_same = |line: &Transition| line.to == to && line.why == why && line.version == version;
        match before.filter(|&before| is_same(&self.history[before])) {
            Some(before) => {
                self.history.truncate(before + 1);
                self.history[before].again_at = Some(by.now);
                self.history[before].times = self.history[before].times.saturating_add(1);
            }
            None => self.note(self.history.last().map(|line| line.to), why.to_owned(), by),
        }
    }
}

impl State {
    /// The name of this state.
    pub fn name(&self) -> StateName {
        match self {
            Self::Requested { .. } => StateName::Requested,
            Self::Booking { .. } => StateName::Booking,
            Self::Booked { .. } => StateName::Booked,
            Self::Assigned { .. } => StateName::Assigned,
            Self::NeedsReview { .. } => StateName::NeedsReview,
            Self::Cancelled { .. } => StateName::Cancelled,
            Self::Completed { .. } => StateName::Completed,
            Self::NoShow { .. } => StateName::NoShow,
        }
    }

    fn unbooked(reason: CancelReason) -> Self {
        Self::Cancelled { reason, booking: None, assignment: None }
    }

    fn review(reason: ReviewReason, booking: Option<Booking>) -> Self {
        Self::NeedsReview { reason, booking, proposals: Vec::new(), detail: None }
    }
}

impl StateName {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Booking => "booking",
            Self::Booked => "booked",
            Self::Assigned => "assigned",
            Self::NeedsReview => "needs_review",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::NoShow => "no_show",
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ReviewReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(problem) => problem.fmt(f),
            Self::Booking(category) => f.write_str(category.as_str()),
            Self::Assignment(reason) => f.write_str(reason.as_str()),
            Self::Stalled => f.write_str("set_aside"),
        }
    }
}

impl CancelReason {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Past => "past",
            Self::CancelledAtCalcom => "cancelled_at_calcom",
            Self::Erased => "erased",
        }
    }
}

impl DueCause {
    /// The word for it in reports, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverSent => "never_sent",
            Self::MessageLost => "message_lost",
            Self::AttemptDue => "attempt_due",
            Self::LeaseExpired => LEASE_EXPIRED,
            Self::NotAssigned => "not_assigned",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        booking::{BookingStatus, NoHost},
        contact::Customer,
        ids::{BookingUid, EventTypeId},
        personal::Personal,
    };

    const LEASE: TimeDelta = TimeDelta::seconds(90);

    fn by(seconds: i64) -> Actor<'static> {
        let start: DateTime<Utc> = "2026-12-01T08:00:00Z".parse().unwrap();
        Actor { function: "test", version: "1", now: start + TimeDelta::seconds(seconds) }
    }

    fn requested(start_in: i64) -> Appointment {
        let request = AppointmentRequest {
            service: Some("cut".to_owned()),
            start: RequestedStart::At { at: by(start_in).now, note: None },
            customer: Customer { phone: Some(Personal::new("+4930901820".to_owned())), ..Customer::default() },
            staff: None,
            notes: None,
        };
        Appointment::new(TenantId::new("salon"), CallId::new("call"), Source::phone(), request, by(0))
    }

    fn booking() -> Booking {
        Booking {
            uid: BookingUid::new("uid"),
            status: BookingStatus::Accepted,
            event_type: EventTypeId(100),
            start: by(3600).now,
            hosts: HostEvidence::None { because: NoHost::Empty, looked_up_again: false },
        }
    }

    fn anna(strategy: StrategyName) -> Assignment {
        Assignment { staff: StaffId::new("anna"), strategy, host: None }
    }

    #[test]
    fn the_way_through_leaves_a_line_for_every_step() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(1)).unwrap();
        appointment.book(booking(), "booked", by(2)).unwrap();
        appointment.assign(anna(StrategyName::HostEmail), by(3)).unwrap();
        let told: Vec<String> = appointment.history().iter().map(|line| format!("{} {}", line.to, line.why)).collect();
        assert_eq!(told, ["requested call_analyzed", "booking claimed", "booked booked", "assigned host_email"]);
    }

    #[test]
    fn one_worker_at_a_time_and_after_its_lease_another() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(0)).unwrap();
        assert_eq!(appointment.claim(LEASE, by(89)), Err(NotClaimable::NotBefore(by(90).now)));
        appointment.claim(LEASE, by(90)).unwrap();
        assert_eq!((appointment.attempts(), appointment.first_attempt()), (2, Some(by(0).now)));
    }

    #[test]
    fn a_retry_waits_for_its_time() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(0)).unwrap();
        appointment.retry_at(by(30).now, Category::RateLimited, None, by(1)).unwrap();
        assert_eq!(appointment.claim(LEASE, by(29)), Err(NotClaimable::NotBefore(by(30).now)));
        assert_eq!(appointment.retries(Category::RateLimited), 1);
        assert_eq!(appointment.retries(Category::Unknown), 0);
        appointment.claim(LEASE, by(30)).unwrap();
    }

    #[test]
    fn an_operators_assignment_is_never_overwritten() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(1)).unwrap();
        appointment.book(booking(), "booked", by(2)).unwrap();
        appointment.assign_by_operator(anna(StrategyName::Operator), by(3)).unwrap();
        assert!(appointment.assign(anna(StrategyName::HostEmail), by(4)).is_err());
        assert!(appointment.escalate_unassigned(Unassigned::NoHostInBooking, by(4)).is_err());
        assert!(matches!(appointment.state(), State::Assigned { assignment, .. }
            if assignment.strategy == StrategyName::Operator));
    }

    #[test]
    fn a_start_that_does_not_exist_waits_for_a_person() {
        let mut request = requested(0).request;
        request.start = RequestedStart::Unusable { problem: StartProblem::DoesNotExist, spoken: None };
        let appointment = Appointment::new(TenantId::new("salon"), CallId::new("call"), Source::phone(), request, by(0));
        assert!(matches!(
            appointment.state(),
            State::NeedsReview { reason: ReviewReason::Start(StartProblem::DoesNotExist), .. }
        ));
    }

    #[test]
    fn only_what_is_certainly_not_booked_is_past() {
        let mut appointment = requested(10);
        assert!(!appointment.is_past(by(10).now));
        assert!(appointment.is_past(by(11).now));
        appointment.claim(LEASE, by(5)).unwrap();
        assert!(!appointment.is_past(by(11).now), "a worker has it");
        assert!(!appointment.is_past(by(95).now), "its worker may have booked it before it died");
        appointment.retry_at(by(20).now, Category::CalcomUnavailable, Some(UnconfirmedBooking::NoResponse), by(11)).unwrap();
        assert!(!appointment.is_past(by(95).now), "Cal.com may hold its booking");
        appointment.claim(LEASE, by(96)).unwrap();
        appointment.cancel_past(by(96)).unwrap();
        assert!(matches!(appointment.state(), State::Cancelled { reason: CancelReason::Past, .. }));
    }

    #[test]
    fn whoever_takes_over_from_a_dead_worker_doubts_that_nothing_is_booked() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(0)).unwrap();
        assert_eq!(appointment.unconfirmed(), None);
        appointment.claim(LEASE, by(90)).unwrap();
        assert_eq!((appointment.unconfirmed(), appointment.workers_lost()), (Some(UnconfirmedBooking::NoResponse), 1));
        appointment.book(booking(), "found_again", by(91)).unwrap();
        assert_eq!(appointment.unconfirmed(), None);
    }

    #[test]
    fn what_does_not_move_is_due_with_its_cause() {
        let timing = Timing::default();
        let due = |appointment: &Appointment| {
            appointment.due(&timing).map(|due| ((due.at - by(0).now).num_seconds(), due.cause))
        };
        let mut appointment = requested(86_400);
        assert_eq!(due(&appointment), Some((120, DueCause::NeverSent)));
        appointment.claim(LEASE, by(5)).unwrap();
        assert_eq!(due(&appointment), Some((95, DueCause::LeaseExpired)));
        appointment.retry_at(by(65).now, Category::RateLimited, None, by(5)).unwrap();
        assert_eq!(due(&appointment), Some((185, DueCause::MessageLost)), "a message timing for this");
        appointment.claim(LEASE, by(65)).unwrap();
        appointment.retry_at(by(3665).now, Category::RateLimited, None, by(65)).unwrap();
        assert_eq!(due(&appointment), Some((3665, DueCause::AttemptDue)), "no message can wait so long");
        appointment.claim(LEASE, by(3665)).unwrap();
        appointment.book(booking(), "booked", by(3700)).unwrap();
        assert_eq!(due(&appointment), Some((3820, DueCause::NotAssigned)));
        appointment.assign(anna(StrategyName::HostEmail), by(3701)).unwrap();
        assert_eq!(due(&appointment), None);
    }

    #[test]
    fn waiting_for_a_week_makes_an_appointment_no_larger() {
        let mut appointment = requested(3600);
        for n in 0..2000 {
            appointment.claim(LEASE, by(n)).unwrap();
            appointment.retry_at(by(n).now, Category::Credentials, None, by(n)).unwrap();
        }
        assert_eq!(appointment.history().len(), 3);
        assert_eq!((appointment.retries(Category::Credentials), appointment.attempts()), (2000, 2000));
        assert_eq!(appointment.first_attempt(), None, "it was never tried with a key that works");
        appointment.claim(LEASE, by(2000)).unwrap();
        appointment.retry_at(by(2000).now, Category::RateLimited, None, by(2000)).unwrap();
        let told: Vec<&str> = appointment.history().iter().map(|line| line.why.as_str()).collect();
        assert_eq!(told, ["call_analyzed", "claimed", "credentials", "claimed", "rate_limited"]);
    }

    #[test]
    fn a_wish_whose_booking_was_cancelled_at_cal_com_can_be_asked_for_again() {
        let mut appointment = requested(3600);
        assert!(appointment.reopen(by(0)).is_err());
        appointment.claim(LEASE, by(1)).unwrap();
        appointment.book(booking(), "booked", by(2)).unwrap();
        appointment.assign(anna(StrategyName::HostEmail), by(3)).unwrap();
        appointment.reopen(by(60)).unwrap();
        assert_eq!((appointment.state().name(), appointment.requested_at()), (StateName::Requested, by(60).now));
        appointment.claim(LEASE, by(61)).unwrap();
    }

    #[test]
    fn what_was_set_aside_goes_on_where_it_stopped_and_is_tried_anew() {
        let mut appointment = requested(3600);
        for n in 0..3 {
            appointment.claim(LEASE, by(n)).unwrap();
            appointment.retry_at(by(n).now, Category::Unknown, None, by(n)).unwrap();
        }
        appointment.claim(LEASE, by(5)).unwrap();
        assert!(appointment.set_aside("panic".to_owned(), by(6)).is_err(), "a worker has it");
        appointment.set_aside("panic".to_owned(), by(95)).unwrap();
        assert_eq!(appointment.retries(Category::Unknown), 3);
        appointment.resume(by(100)).unwrap();
        assert_eq!(appointment.state().name(), StateName::Requested);
        assert_eq!((appointment.retries(Category::Unknown), appointment.workers_lost()), (0, 0));
        assert_eq!(appointment.unconfirmed(), Some(UnconfirmedBooking::NoResponse), "the dead worker may have booked it");
        appointment.claim(LEASE, by(101)).unwrap();
        appointment.book(booking(), "booked", by(102)).unwrap();
        appointment.set_aside("panic".to_owned(), by(103)).unwrap();
        appointment.resume(by(104)).unwrap();
        assert_eq!(appointment.state().name(), StateName::Booked);
    }

    #[test]
    fn an_appointment_that_took_place_is_closed_and_one_that_did_not_is_told_apart() {
        for (outcome, name) in [
            (Outcome::Completed, StateName::Completed),
            (Outcome::NoShow, StateName::NoShow),
            (Outcome::CancelledAtCalcom, StateName::Cancelled),
        ] {
            let mut appointment = requested(3600);
            assert!(appointment.close(outcome, by(0)).is_err());
            appointment.claim(LEASE, by(1)).unwrap();
            appointment.book(booking(), "booked", by(2)).unwrap();
            appointment.assign(anna(StrategyName::HostEmail), by(3)).unwrap();
            assert!(!appointment.has_ended(by(3600).now) && appointment.has_ended(by(3601).now));
            appointment.close(outcome, by(7200)).unwrap();
            assert_eq!(appointment.state().name(), name);
            assert!(appointment.close(outcome, by(7201)).is_err());
        }
    }

    #[test]
    fn an_erased_customer_leaves_the_figures_as_they_were() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(1)).unwrap();
        assert!(appointment.erase_customer(by(2)).is_err(), "a worker has it");
        appointment.book(booking(), "booked", by(2)).unwrap();
        appointment.assign(anna(StrategyName::HostEmail), by(3)).unwrap();
        let (state, start) = (appointment.state().clone(), appointment.request.start.clone());
        appointment.erase_customer(by(4)).unwrap();
        assert_eq!((appointment.state(), &appointment.request.start), (&state, &start));
        assert_eq!(appointment.request.customer, Customer::default());

        let mut unbooked = requested(3600);
        unbooked.erase_customer(by(1)).unwrap();
        assert!(matches!(unbooked.state(), State::Cancelled { reason: CancelReason::Erased, .. }));
    }

    #[test]
    fn the_stored_form_is_the_form_that_is_read() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(1)).unwrap();
        appointment.book(booking(), "booked", by(2)).unwrap();
        let stored = serde_json::to_value(&appointment).unwrap();
        assert_eq!(serde_json::from_value::<Appointment>(stored).unwrap(), appointment);
    }

    type Event = (&'static str, fn(&mut Appointment, Actor<'_>) -> Result<(), Box<dyn std::error::Error>>);

    /// Everything that can happen to an appointment.
    const EVENTS: [Event; 17] = [
        ("claim", |it, by| Ok(it.claim(LEASE, by)?)),
        ("book", |it, by| Ok(it.book(booking(), "booked", by)?)),
        ("retry", |it, by| Ok(it.retry_at(by.now, Category::Unknown, None, by)?)),
        ("repair", |it, by| Ok(it.omit_contact(ContactPart::Phone, by)?)),
        ("give_up", |it, by| Ok(it.escalate_booking(Category::Unknown, None, vec![], None, by)?)),
        ("assign", |it, by| Ok(it.assign(anna(StrategyName::HostEmail), by)?)),
        ("escalate_unassigned", |it, by| Ok(it.escalate_unassigned(Unassigned::NoHostInBooking, by)?)),
        ("record_hosts", |it, by| {
            Ok(it.record_hosts(HostEvidence::None { because: NoHost::Unknown, looked_up_again: true }, by)?)
        }),
        ("defer_host_lookup", |it, by| Ok(it.defer_host_lookup(by.now, Category::CalcomUnavailable, by)?)),
        ("cancel_past", |it, by| Ok(it.cancel_past(by)?)),
        ("cancel_as_at_calcom", |it, by| Ok(it.cancel_as_at_calcom(by)?)),
        ("set_aside", |it, by| Ok(it.set_aside("it failed".to_owned(), by)?)),
        ("resume", |it, by| Ok(it.resume(by)?)),
        ("close", |it, by| Ok(it.close(Outcome::Completed, by)?)),
        ("reopen", |it, by| Ok(it.reopen(by)?)),
        ("reschedule", |it, by| Ok(it.reschedule(booking(), by)?)),
        ("mark_not_booked", |it, by| Ok(it.mark_not_booked(by)?)),
    ];

    fn events() -> impl Strategy<Value = Vec<(Event, i64)>> {
        proptest::collection::vec((proptest::sample::select(&EVENTS), 0_i64..200), 0..40)
    }

    proptest! {
        #[test]
        fn whatever_happened_before_an_appointment_ends_in_exactly_one_final_state(
            events in events(),
        ) {
            let mut appointment = requested(1000);
            let mut seconds = 0;
            for ((_, happen), waited) in events {
                seconds += waited;
                let _ = happen(&mut appointment, by(seconds));
            }
            // What the reconciler, the worker it wakes, and the cleanup do once everything else has come to rest.
            let later = by(seconds + 100_000);
            if appointment.claim(LEASE, later).is_ok() {
                appointment.cancel_past(later).unwrap();
            }
            if appointment.is_past(later.now) {
                appointment.cancel_past(later).unwrap();
            } else if appointment.has_ended(later.now) {
                appointment.close(Outcome::Completed, later).unwrap();
            }
            let waits_for_a_person = matches!(appointment.state(), State::NeedsReview { booking: None, .. })
                && appointment.unconfirmed().is_some();
            let is_final =
                matches!(appointment.state().name(), StateName::Cancelled | StateName::Completed | StateName::NoShow);
            prop_assert!(is_final || waits_for_a_person, "{:?}", appointment.state());
            prop_assert_eq!(appointment.due(&Timing::default()), None);
        }

        #[test]
        fn any_order_of_events_keeps_the_rules(events in events()) {
            let mut appointment = requested(1000);
            let mut seconds = 0;
            for ((event, happen), waited) in events {
                seconds += waited;
                let before = appointment.clone();
                let changed = happen(&mut appointment, by(seconds)).is_ok();
                prop_assert_eq!(changed, appointment != before, "a refusal changes nothing");
                let is_told = appointment.history() != before.history();
                prop_assert_eq!(is_told, changed, "each change is told");
                let had_booking = before.booking().is_some() && event != "reopen";
                prop_assert!(!had_booking || appointment.booking().is_some(), "a booking is never forgotten");
                let is_final = matches!(
                    before.state().name(),
                    StateName::Cancelled | StateName::Completed | StateName::NoShow
                );
                prop_assert!(!(is_final && changed), "a final state never changes");
                let is_assigned = before.state().name() == StateName::Assigned;
                let may_move = ["close", "reopen", "reschedule"].contains(&event);
                prop_assert!(!is_assigned || !changed || may_move, "an assigned one does not change by itself");
            }
        }
    }
}
