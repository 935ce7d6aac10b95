//! The appointment: its states, what moves it from one to the next, and its history.
//!
//! ```text
//! requested -> booking -> booked -> assigned
//!     |  ^________|  |       |
//!     |              |       |
//!     +--------------+-------+--> needs_review, cancelled
//! ```
//!
//! A transition is a method that either changes the state and adds a line to the history, or refuses and changes
//! nothing. Whoever stores the result does so on the condition that the stored version is the one that was read.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    assignment::{Assignment, Unassigned},
    booking::{Booking, HostEvidence},
    failure::Category,
    ids::{AppointmentId, CallId, ServiceId, TenantId},
    start_time::{StartProblem, WishedStart},
    wish::Wish,
};

/// What a caller asked for, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// Its id.
    pub id: AppointmentId,
    /// The business it is for.
    pub tenant: TenantId,
    /// The call it came from.
    pub call: CallId,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// What was asked for.
    pub wish: Wish,
    state: State,
    /// How often a worker has claimed it.
    attempts: u32,
    first_attempt: Option<DateTime<Utc>>,
    contact_repaired: bool,
    history: Vec<HistoryLine>,
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
    },
    /// Booked, and a staff member does it.
    Assigned {
        /// The booking.
        booking: Booking,
        /// Who, and how that is known.
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
}

/// Why an appointment will not take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Its start went by before it was booked.
    Past,
}

/// One transition, as it is told later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
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
}

/// Who makes a transition, and when.
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
pub struct NoSuchTransition {
    /// The state it is in.
    pub from: StateName,
    /// The state it was to get.
    pub to: StateName,
}

impl Appointment {
    /// A new appointment: `requested`, or `needs_review` where the caller's time could not be read.
    pub fn new(tenant: TenantId, call: CallId, wish: Wish, by: Actor<'_>) -> Self {
        let (state, why) = match &wish.start {
            WishedStart::At { note: None, .. } => (State::Requested { not_before: None }, "call_analyzed".to_owned()),
            WishedStart::At { note: Some(_), .. } => {
                (State::Requested { not_before: None }, "call_analyzed, earlier_of_two".to_owned())
            }
            WishedStart::Unusable { problem, .. } => {
                (State::review(ReviewReason::Start(*problem), None), problem.to_string())
            }
        };
        let mut appointment = Self {
            id: AppointmentId::of_call(&tenant, &call),
            tenant,
            call,
            created_at: by.now,
            wish,
            state,
            attempts: 0,
            first_attempt: None,
            contact_repaired: false,
            history: Vec::new(),
        };
        appointment.note(None, why, by);
        appointment
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

    /// Whether Cal.com refused the contact and it was repaired.
    pub fn contact_repaired(&self) -> bool {
        self.contact_repaired
    }

    /// Every transition, oldest first.
    pub fn history(&self) -> &[HistoryLine] {
        &self.history
    }

    /// The booking, if there is one.
    pub fn booking(&self) -> Option<&Booking> {
        match &self.state {
            State::Booked { booking } | State::Assigned { booking, .. } => Some(booking),
            State::NeedsReview { booking, .. } => booking.as_ref(),
            State::Requested { .. } | State::Booking { .. } | State::Cancelled { .. } => None,
        }
    }

    /// How often it was sent again for `category`.
    pub fn again_so_far(&self, category: Category) -> u32 {
        let again = |line: &&HistoryLine| line.to == StateName::Requested && line.why == category.as_str();
        self.history.iter().filter(again).count().try_into().unwrap_or(u32::MAX)
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
            State::Requested { .. } => "claimed",
            State::Booking { lease_until } if *lease_until > by.now => {
                return Err(NotClaimable::NotBefore(*lease_until));
            }
            State::Booking { .. } => "lease_ran_out",
            State::Booked { .. } => return Err(NotClaimable::Booked),
            settled => return Err(NotClaimable::Settled(settled.name())),
        };
        self.attempts = self.attempts.saturating_add(1);
        self.first_attempt.get_or_insert(by.now);
        self.move_to(State::Booking { lease_until: by.now + lease }, why, by);
        Ok(())
    }

    /// `booking` to `booked`. `why` tells whether it was booked now or found.
    ///
    /// # Errors
    /// From any other state.
    pub fn book(&mut self, booking: Booking, why: &str, by: Actor<'_>) -> Result<(), NoSuchTransition> {
        self.only_from(&[StateName::Booking], StateName::Booked)?;
        self.move_to(State::Booked { booking }, why, by);
        Ok(())
    }

    /// `booking` back to `requested`, to be claimed again at `at`.
    ///
    /// # Errors
    /// From any other state.
    pub fn retry_at(&mut self, at: DateTime<Utc>, category: Category, by: Actor<'_>) -> Result<(), NoSuchTransition> {
        self.only_from(&[StateName::Booking], StateName::Requested)?;
        self.move_to(State::Requested { not_before: Some(at) }, category.as_str(), by);
        Ok(())
    }

    /// Leaves out the phone number that Cal.com refused, once. It is still this worker's.
    ///
    /// # Errors
    /// From any state but `booking`.
    pub fn repair_contact(&mut self, by: Actor<'_>) -> Result<(), NoSuchTransition> {
        self.only_from(&[StateName::Booking], StateName::Booking)?;
        self.contact_repaired = true;
        self.wish.customer.phone = None;
        self.note(Some(StateName::Booking), Category::InvalidContact.as_str().to_owned(), by);
        Ok(())
    }

    /// `booking` to `needs_review`, because it could not be booked.
    ///
    /// # Errors
    /// From any other state.
    pub fn give_up_booking(
        &mut self,
        category: Category,
        proposals: Vec<DateTime<Utc>>,
        detail: Option<String>,
        by: Actor<'_>,
    ) -> Result<(), NoSuchTransition> {
        self.only_from(&[StateName::Booking], StateName::NeedsReview)?;
        let reason = ReviewReason::Booking(category);
        self.move_to(State::NeedsReview { reason, booking: None, proposals, detail }, category.as_str(), by);
        Ok(())
    }

    /// `booked`, or `needs_review` with a booking, to `assigned`. What is assigned stays so.
    ///
    /// # Errors
    /// From any other state.
    pub fn assign(&mut self, assignment: Assignment, by: Actor<'_>) -> Result<(), NoSuchTransition> {
        let Some(booking) = self.unassigned_booking() else {
            return Err(NoSuchTransition { from: self.state.name(), to: StateName::Assigned });
        };
        let why = assignment.strategy.as_str();
        self.move_to(State::Assigned { booking, assignment }, why, by);
        Ok(())
    }

    /// An operator's assignment, also over one that was found: it is the last word.
    ///
    /// # Errors
    /// Where there is no booking.
    pub fn assign_by_operator(&mut self, assignment: Assignment, by: Actor<'_>) -> Result<(), NoSuchTransition> {
        if let State::Assigned { booking, .. } = &self.state {
            self.state = State::Booked { booking: booking.clone() };
        }
        self.assign(assignment, by)
    }

    /// `booked` to `needs_review`, because no staff member could be found.
    ///
    /// # Errors
    /// From any other state.
    pub fn leave_unassigned(&mut self, reason: Unassigned, by: Actor<'_>) -> Result<(), NoSuchTransition> {
        self.only_from(&[StateName::Booked], StateName::NeedsReview)?;
        let booking = self.unassigned_booking();
        self.move_to(State::review(ReviewReason::Assignment(reason), booking), reason.as_str(), by);
        Ok(())
    }

    /// Keeps what Cal.com said of the hosts when it was asked again. The state stays `booked`.
    ///
    /// # Errors
    /// From any other state.
    pub fn learn_hosts(&mut self, evidence: HostEvidence, by: Actor<'_>) -> Result<(), NoSuchTransition> {
        let State::Booked { booking } = &mut self.state else {
            return Err(NoSuchTransition { from: self.state.name(), to: StateName::Booked });
        };
        booking.hosts = evidence;
        self.note(Some(StateName::Booked), "hosts_asked_again".to_owned(), by);
        Ok(())
    }

    /// Whether it has no booking, its start is past and no worker is at it: then nothing can come of it any more.
    pub fn is_past(&self, now: DateTime<Utc>) -> bool {
        let is_idle = match &self.state {
            State::Requested { .. } | State::NeedsReview { booking: None, .. } => true,
            State::Booking { lease_until } => *lease_until <= now,
            _ => false,
        };
        is_idle && self.wish.start.at().is_some_and(|start| start < now)
    }

    /// To `cancelled`, because its start went by unbooked.
    ///
    /// # Errors
    /// Where [`Self::is_past`] does not hold, unless a worker that holds the lease says so itself.
    pub fn cancel(&mut self, reason: CancelReason, by: Actor<'_>) -> Result<(), NoSuchTransition> {
        let is_mine = matches!(self.state, State::Booking { .. });
        if !is_mine && !self.is_past(by.now) {
            return Err(NoSuchTransition { from: self.state.name(), to: StateName::Cancelled });
        }
        self.move_to(State::Cancelled { reason }, reason.as_str(), by);
        Ok(())
    }

    /// The service that was understood, for whoever counts by it.
    pub fn service<'t>(&self, tenant: &'t crate::tenant::Tenant) -> Option<&'t ServiceId> {
        let spoken = self.wish.service.as_deref()?;
        tenant.service_called(spoken).map(|service| &service.id)
    }

    fn unassigned_booking(&self) -> Option<Booking> {
        match &self.state {
            State::Booked { booking } | State::NeedsReview { booking: Some(booking), .. } => Some(booking.clone()),
            _ => None,
        }
    }

    fn only_from(&self, allowed: &[StateName], to: StateName) -> Result<(), NoSuchTransition> {
        let from = self.state.name();
        if allowed.contains(&from) { Ok(()) } else { Err(NoSuchTransition { from, to }) }
    }

    fn move_to(&mut self, state: State, why: &str, by: Actor<'_>) {
        let from = self.state.name();
        self.state = state;
        self.note(Some(from), why.to_owned(), by);
    }

    fn note(&mut self, from: Option<StateName>, why: String, by: Actor<'_>) {
        self.history.push(HistoryLine {
            at: by.now,
            from,
            to: self.state.name(),
            why,
            by: by.function.to_owned(),
            version: by.version.to_owned(),
        });
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
        }
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
        }
    }
}

impl CancelReason {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Past => "past",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        assignment::StrategyName,
        booking::{BookingStatus, NoHost},
        contact::Customer,
        ids::{BookingUid, EventTypeId, StaffId},
        personal::Personal,
    };

    const LEASE: TimeDelta = TimeDelta::seconds(90);

    fn by(seconds: i64) -> Actor<'static> {
        let start: DateTime<Utc> = "2026-12-01T08:00:00Z".parse().unwrap();
        Actor { function: "test", version: "1", now: start + TimeDelta::seconds(seconds) }
    }

    fn requested(start_in: i64) -> Appointment {
        let wish = Wish {
            service: Some("cut".to_owned()),
            start: WishedStart::At { at: by(start_in).now, note: None },
            customer: Customer { phone: Some(Personal::new("+4930901820".to_owned())), ..Customer::default() },
            staff: None,
            notes: None,
        };
        Appointment::new(TenantId::new("salon"), CallId::new("call"), wish, by(0))
    }

    fn booking() -> Booking {
        Booking {
            uid: BookingUid::new("uid"),
            status: BookingStatus::Accepted,
            event_type: EventTypeId(100),
            start: by(3600).now,
            hosts: HostEvidence::None { because: NoHost::Empty, asked_again: false },
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
        appointment.retry_at(by(30).now, Category::RateLimited, by(1)).unwrap();
        assert_eq!(appointment.claim(LEASE, by(29)), Err(NotClaimable::NotBefore(by(30).now)));
        assert_eq!(appointment.again_so_far(Category::RateLimited), 1);
        assert_eq!(appointment.again_so_far(Category::Unknown), 0);
        appointment.claim(LEASE, by(30)).unwrap();
    }

    #[test]
    fn an_operators_assignment_is_never_overwritten() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(1)).unwrap();
        appointment.book(booking(), "booked", by(2)).unwrap();
        appointment.assign_by_operator(anna(StrategyName::Operator), by(3)).unwrap();
        assert!(appointment.assign(anna(StrategyName::HostEmail), by(4)).is_err());
        assert!(appointment.leave_unassigned(Unassigned::NoHostInBooking, by(4)).is_err());
        assert!(matches!(appointment.state(), State::Assigned { assignment, .. }
            if assignment.strategy == StrategyName::Operator));
    }

    #[test]
    fn a_start_that_does_not_exist_waits_for_a_person() {
        let mut wish = requested(0).wish;
        wish.start = WishedStart::Unusable { problem: StartProblem::DoesNotExist, spoken: None };
        let appointment = Appointment::new(TenantId::new("salon"), CallId::new("call"), wish, by(0));
        assert!(matches!(
            appointment.state(),
            State::NeedsReview { reason: ReviewReason::Start(StartProblem::DoesNotExist), .. }
        ));
    }

    #[test]
    fn only_what_nobody_works_at_is_past() {
        let mut appointment = requested(10);
        assert!(!appointment.is_past(by(10).now));
        assert!(appointment.is_past(by(11).now));
        appointment.claim(LEASE, by(5)).unwrap();
        assert!(!appointment.is_past(by(11).now));
        assert!(appointment.is_past(by(95).now));
        appointment.book(booking(), "booked", by(11)).unwrap();
        assert!(!appointment.is_past(by(5000).now));
        assert!(appointment.cancel(CancelReason::Past, by(5000)).is_err());
    }

    #[test]
    fn the_stored_form_is_the_form_that_is_read() {
        let mut appointment = requested(3600);
        appointment.claim(LEASE, by(1)).unwrap();
        appointment.book(booking(), "booked", by(2)).unwrap();
        let stored = serde_json::to_value(&appointment).unwrap();
        assert_eq!(serde_json::from_value::<Appointment>(stored).unwrap(), appointment);
    }

    #[derive(Debug, Clone)]
    enum Event {
        Claim,
        Book,
        Retry,
        Repair,
        GiveUp,
        Assign,
        LeaveUnassigned,
        LearnHosts,
        Cancel,
    }

    fn event() -> impl Strategy<Value = Event> {
        use Event::*;
        proptest::sample::select(vec![Claim, Book, Retry, Repair, GiveUp, Assign, LeaveUnassigned, LearnHosts, Cancel])
    }

    fn apply(appointment: &mut Appointment, event: &Event, by: Actor<'_>) -> bool {
        match event {
            Event::Claim => appointment.claim(LEASE, by).is_ok(),
            Event::Book => appointment.book(booking(), "booked", by).is_ok(),
            Event::Retry => appointment.retry_at(by.now, Category::Unknown, by).is_ok(),
            Event::Repair => appointment.repair_contact(by).is_ok(),
            Event::GiveUp => appointment.give_up_booking(Category::Unknown, vec![], None, by).is_ok(),
            Event::Assign => appointment.assign(anna(StrategyName::HostEmail), by).is_ok(),
            Event::LeaveUnassigned => appointment.leave_unassigned(Unassigned::NoHostInBooking, by).is_ok(),
            Event::LearnHosts => {
                appointment.learn_hosts(HostEvidence::None { because: NoHost::Unknown, asked_again: true }, by).is_ok()
            }
            Event::Cancel => appointment.cancel(CancelReason::Past, by).is_ok(),
        }
    }

    proptest! {
        #[test]
        fn any_order_of_events_keeps_the_rules(events in proptest::collection::vec((event(), 0_i64..200), 0..40)) {
            let mut appointment = requested(1000);
            let mut seconds = 0;
            for (event, waited) in events {
                seconds += waited;
                let before = appointment.clone();
                let changed = apply(&mut appointment, &event, by(seconds));
                prop_assert_eq!(changed, appointment != before, "a refusal changes nothing");
                let lines = appointment.history().len() - before.history().len();
                prop_assert_eq!(lines, usize::from(changed), "each change leaves one line");
                let had_booking = before.booking().is_some();
                prop_assert!(!had_booking || appointment.booking().is_some(), "a booking is never forgotten");
                let is_final = matches!(before.state(), State::Assigned { .. } | State::Cancelled { .. });
                prop_assert!(!(is_final && changed), "a final state never changes by itself");
            }
        }
    }
}
