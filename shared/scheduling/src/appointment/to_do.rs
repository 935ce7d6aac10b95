//! What waits for a person: of which kind it is, how urgent, and what a person may do.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    history::{Cause, Transition},
    record::Appointment,
    state::{Change, ReviewBooking, ReviewReason, State},
};
use crate::{assignment::Unassigned, booking::HostEvidence, failure::Category, ids::HostId, request::Intent};

/// For so long a customer who was not reached is not at the top.
const CALL_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(30);

/// What waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToDo {
    /// What has to be decided.
    pub kind: ToDoKind,
    /// How soon.
    pub urgency: Urgency,
    /// Until then another one comes first: the customer was called and not reached.
    pub call_again_at: Option<DateTime<Utc>>,
}

/// The kinds, each with the word for it in URLs.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)+) => {
        /// What has to be decided.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ToDoKind {
            $($(#[$doc])* $kind,)+
        }

        impl ToDoKind {
            /// Every kind, in the order in which a choice shows them.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The word for it in URLs.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }
        }
    };
}

kinds! {
    /// The customer waits for a call.
    CallBack = "call_back",
    /// The requested time is not free.
    TimeTaken = "time_taken",
    /// The requested time could not be read.
    TimeUnclear = "time_unclear",
    /// The requested service could not be read, or nobody offers it.
    ServiceUnclear = "service_unclear",
    /// It is booked, and who does it is not known.
    StaffUnclear = "staff_unclear",
    /// The customer wants to cancel.
    CancelWish = "cancel_wish",
    /// The customer wants another time.
    MoveWish = "move_wish",
    /// It is for several people.
    SeveralPeople = "several_people",
    /// Nobody knows what the caller wanted.
    NotAnalyzed = "not_analyzed",
    /// Something is set up at Cal.com so that nothing can be booked.
    Setup = "setup",
    /// Cal.com may hold a booking of it.
    MaybeBooked = "maybe_booked",
    /// Cal.com refuses the key.
    NoAccess = "no_access",
    /// Cal.com refuses the customer's number or email.
    ContactRefused = "contact_refused",
    /// The customer has as many bookings as Cal.com allows.
    TooMany = "too_many",
    /// It stopped for a technical reason.
    Stopped = "stopped",
    /// The booking was moved at Cal.com, and the customer requests the first time again.
    MovedAtCalcom = "moved_at_calcom",
    /// The customer has it already.
    HasItAlready = "has_it_already",
}

/// How soon a person is needed, the soonest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A customer waits, or counts on what is not so.
    Now,
    /// It starts today or tomorrow.
    Soon,
    /// It starts later.
    Later,
}

/// What a person may do with an appointment. A note is always possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Have it booked as it was settled with the customer.
    Book,
    /// Have it attempted once more, as it is.
    Retry,
    /// Say who does it.
    Assign,
    /// Move its booking.
    Move,
    /// Cancel its booking.
    Cancel,
    /// Say that Cal.com holds no booking of it.
    NotBooked,
    /// Close it without a booking.
    Close,
}

/// What several appointments wait for, so that one decision settles all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SharedCause {
    /// Who this host is.
    Host(HostId),
    /// That this is changed at Cal.com.
    Setup(String),
}

/// What a customer heard while on the line, and counts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// That the appointment is being entered.
    BeingBooked,
    /// That the appointment is being moved.
    BeingMoved,
    /// That the appointment is being cancelled.
    BeingCancelled,
    /// That somebody gets in touch.
    SomebodyCalls,
}

impl Appointment {
    /// What a person has to decide, if anything. What starts before `soon` is not for later.
    pub fn to_do(&self, now: DateTime<Utc>, soon: DateTime<Utc>) -> Option<ToDo> {
        let State::NeedsReview { reason, booking, .. } = &self.state else { return None };
        let kind = match booking {
            ReviewBooking::Unconfirmed(_) => ToDoKind::MaybeBooked,
            _ => kind_of(*reason),
        };
        let waits = kind == ToDoKind::CallBack || self.is_live();
        let start = self.start().or_else(|| self.earliest_start());
        let urgency = match start {
            _ if waits => Urgency::Now,
            Some(start) if start < soon => Urgency::Soon,
            Some(_) => Urgency::Later,
            // Nobody knows how soon.
            None => Urgency::Soon,
        };
        let call_again_at = self.not_reached().last().map(|it| it.at + CALL_AGAIN_AFTER).filter(|at| *at > now);
        Some(ToDo { kind, urgency, call_again_at })
    }

    /// The calls to its customer that nobody answered, since it waits for a person.
    pub fn not_reached(&self) -> impl Iterator<Item = &Transition> {
        let since = self.entered_at();
        self.history().iter().filter(move |it| it.cause == Cause::NotReached && it.at >= since)
    }

    /// What a person may do with it now.
    pub fn actions(&self, now: DateTime<Utc>) -> Vec<Action> {
        let is_to_come = self.request.start.at().is_some_and(|start| start > now);
        match &self.state {
            State::NeedsReview { booking: ReviewBooking::None, reason, .. } => {
                let can_retry = is_to_come && matches!(reason, ReviewReason::Booking(_) | ReviewReason::Stalled);
                let retry = can_retry.then_some(Action::Retry);
                [Action::Book].into_iter().chain(retry).chain([Action::Close]).collect()
            }
            State::NeedsReview { booking: ReviewBooking::Unconfirmed(_), .. } => vec![Action::Retry, Action::NotBooked],
            State::NeedsReview { booking: ReviewBooking::Booked(_), .. } => {
                vec![Action::Assign, Action::Move, Action::Cancel, Action::Retry]
            }
            State::Booked { .. } | State::Assigned { .. } => vec![Action::Assign, Action::Move, Action::Cancel],
            _ => Vec::new(),
        }
    }

    /// What it waits for together with others, if one decision settles all of them.
    pub fn shared_cause(&self) -> Option<SharedCause> {
        let State::NeedsReview { reason, booking, detail, .. } = &self.state else { return None };
        match (reason, booking) {
            (ReviewReason::Assignment(Unassigned::HostUnknownToUs), ReviewBooking::Booked(booking)) => {
                match &booking.hosts {
                    HostEvidence::Named(hosts) => Some(SharedCause::Host(hosts.first().id)),
                    HostEvidence::None { .. } => None,
                }
            }
            (ReviewReason::Booking(Category::Misconfigured), ReviewBooking::None) => {
                detail.clone().map(SharedCause::Setup)
            }
            _ => None,
        }
    }

    /// What its customer heard while on the line. `None` if no tool took the request: then only the call shows it.
    pub fn told(&self) -> Option<Told> {
        if !self.is_live() {
            return None;
        }
        let changing = self.change().map(|requested| requested.change);
        Some(match (changing, self.review_reason()) {
            (Some(Change::Move { .. }), _) | (None, Some(ReviewReason::Intent(Intent::Reschedule))) => Told::BeingMoved,
            (Some(Change::Cancel), _) | (None, Some(ReviewReason::Intent(Intent::Cancel))) => Told::BeingCancelled,
            (None, Some(ReviewReason::Intent(_))) => Told::SomebodyCalls,
            (None, _) => Told::BeingBooked,
        })
    }
}

fn kind_of(reason: ReviewReason) -> ToDoKind {
    match reason {
        ReviewReason::Intent(Intent::CallBack | Intent::Book) => ToDoKind::CallBack,
        ReviewReason::Intent(Intent::BookForSeveral) => ToDoKind::SeveralPeople,
        ReviewReason::Intent(Intent::Cancel) => ToDoKind::CancelWish,
        ReviewReason::Intent(Intent::Reschedule) => ToDoKind::MoveWish,
        ReviewReason::Intent(Intent::NotAnalyzed) => ToDoKind::NotAnalyzed,
        ReviewReason::Start(_) => ToDoKind::TimeUnclear,
        ReviewReason::Booking(category) => match category {
            Category::HostConflict | Category::OutsideWindow | Category::Past => ToDoKind::TimeTaken,
            Category::InvalidContact => ToDoKind::ContactRefused,
            Category::NoEventType => ToDoKind::ServiceUnclear,
            Category::BookerLimit => ToDoKind::TooMany,
            Category::Credentials | Category::Forbidden => ToDoKind::NoAccess,
            Category::Misconfigured => ToDoKind::Setup,
            Category::NotVisible => ToDoKind::MaybeBooked,
            Category::RateLimited | Category::CalcomUnavailable | Category::Unknown => ToDoKind::Stopped,
        },
        ReviewReason::Assignment(_) => ToDoKind::StaffUnclear,
        ReviewReason::Stalled => ToDoKind::Stopped,
        ReviewReason::Rescheduled => ToDoKind::MovedAtCalcom,
        ReviewReason::Duplicate => ToDoKind::HasItAlready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        appointment::Actor,
        contact::Customer,
        ids::{CallId, Source, TenantId},
        request::AppointmentRequest,
        spoken_time::{NoTime, TimeReading},
        start_time::RequestedStart,
    };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn by(now: DateTime<Utc>) -> Actor<'static> {
        Actor { function: "test", version: "1", now, person: Some("Lena") }
    }

    fn wish(intent: Intent, start: RequestedStart) -> Appointment {
        let (service, customer) = (Some("cut".to_owned()), Customer::default());
        let request = AppointmentRequest { intent, service, start, customer, staff: None, notes: None };
        let now = at("2026-12-01T08:00:00Z");
        Appointment::new(TenantId::new("salon"), CallId::new("c"), Source::phone(), request, by(now))
    }

    #[test]
    fn who_waits_for_a_call_comes_first_and_later_again_if_not_reached() {
        let (now, soon) = (at("2026-12-01T09:00:00Z"), at("2026-12-02T23:00:00Z"));
        let nothing_said = RequestedStart::of(TimeReading::None(NoTime::Missing), None);
        let mut callback = wish(Intent::CallBack, nothing_said);
        let first = callback.to_do(now, soon).unwrap();
        assert_eq!((first.kind, first.urgency, first.call_again_at), (ToDoKind::CallBack, Urgency::Now, None));
        callback.note_not_reached(by(now)).unwrap();
        let again = callback.to_do(now, soon).unwrap().call_again_at;
        assert_eq!(again, Some(at("2026-12-01T09:30:00Z")));
        assert_eq!(callback.to_do(at("2026-12-01T09:31:00Z"), soon).unwrap().call_again_at, None);
    }

    #[test]
    fn what_can_be_done_follows_from_what_cal_com_holds() {
        let now = at("2026-12-01T09:00:00Z");
        let mut stalled = wish(Intent::Book, RequestedStart::exactly(at("2026-12-04T09:00:00Z")));
        assert_eq!(stalled.actions(now), []);
        stalled.stall("x".to_owned(), by(now)).unwrap();
        assert_eq!(stalled.actions(now), [Action::Book, Action::Retry, Action::Close]);
        let soon = at("2026-12-02T23:00:00Z");
        let to_do = stalled.to_do(now, soon).unwrap();
        assert_eq!((to_do.kind, to_do.urgency), (ToDoKind::Stopped, Urgency::Later));
        stalled.restore(by(now));
        assert_eq!(stalled.actions(now), [Action::Retry, Action::NotBooked]);
        assert_eq!(stalled.to_do(now, soon).unwrap().kind, ToDoKind::MaybeBooked);
    }

    #[test]
    fn a_transition_names_the_person_and_what_they_noted() {
        let now = at("2026-12-01T09:00:00Z");
        let mut noted = wish(Intent::CallBack, RequestedStart::of(TimeReading::None(NoTime::Missing), None));
        noted.add_note("calls from the hospital", by(now));
        let last = noted.history().last().unwrap();
        assert_eq!((last.cause.clone(), last.person.as_ref().unwrap().reveal().as_str()), (Cause::Noted, "Lena"));
        assert_eq!(last.note.as_ref().unwrap().reveal(), "calls from the hospital");
        noted.erase_customer(by(now)).unwrap();
        assert!(noted.history().iter().all(|it| it.note.is_none()));
    }
}
