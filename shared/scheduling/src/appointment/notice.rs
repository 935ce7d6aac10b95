//! When the people of a tenant are to be told of an appointment.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    history::{Actor, Cause, Transition},
    record::Appointment,
    state::{CancelReason, ReviewReason, State},
};
use crate::{request::Intent, spoken_time::Candidate, start_time::RequestedStart};

/// A start this near makes a review urgent.
const NEAR: TimeDelta = TimeDelta::hours(24);
/// An appointment that starts this soon should have been booked.
pub const SOON: TimeDelta = TimeDelta::hours(3);
/// Booking may take this long before people are told.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);

/// What people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// It starts soon and is not booked yet: Cal.com does not respond, or refuses the account's key.
    Delayed,
    /// A person has to decide.
    NeedsReview,
    /// Its start passed before it was booked, and nobody was told before.
    Missed,
}

impl Appointment {
    /// Since when people are to be told that it needs review or was missed. `None` if they were told, and if there is
    /// nothing to tell.
    pub fn notice_due(&self) -> Option<DateTime<Utc>> {
        let is_told = match &self.state {
            State::NeedsReview { .. } => self.is_notified(self.since_entered()),
            State::Cancelled { reason: CancelReason::Past, booking: None, .. } => {
                self.is_notified(self.since_requested())
            }
            _ => return None,
        };
        let entered = self.since_entered().first().map_or(self.created_at, |transition| transition.at);
        (!is_told && !self.is_erased()).then_some(entered)
    }

    /// What people are to be told now, if anything.
    pub fn notice(&self, now: DateTime<Utc>) -> Option<Notice> {
        match &self.state {
            State::Requested { .. } => {
                let starts_soon = self.request.start.at().is_some_and(|start| start > now && start <= now + SOON);
                let is_late = self.requested_at() + PATIENCE <= now;
                let is_told = self.is_notified(self.since_requested());
                (starts_soon && is_late && !is_told && !self.is_erased()).then_some(Notice::Delayed)
            }
            State::NeedsReview { .. } => self.notice_due().map(|_| Notice::NeedsReview),
            _ => self.notice_due().map(|_| Notice::Missed),
        }
    }

    /// Whether people are to be told at once: it starts soon or has passed, or the caller was promised an answer.
    pub fn is_urgent(&self, now: DateTime<Utc>) -> bool {
        let is_promised =
            matches!(self.state, State::NeedsReview { reason: ReviewReason::Intent(Intent::CallBack), .. });
        let is_near = match &self.request.start {
            RequestedStart::At { at, .. } => *at <= now + NEAR,
            // Who takes any slot of next week is not in a hurry today.
            RequestedStart::Unusable { readings, .. } => readings.iter().any(|reading| match reading {
                Candidate::At { at } => *at <= now + NEAR,
                Candidate::Window(window) => window.to <= now + NEAR,
            }),
        };
        is_promised || is_near || !matches!(self.state, State::NeedsReview { .. })
    }

    /// When the customer wants to come, at the earliest.
    pub fn wished_from(&self) -> Option<DateTime<Utc>> {
        match &self.request.start {
            RequestedStart::At { at, .. } => Some(*at),
            RequestedStart::Unusable { readings, .. } => readings.first().map(|reading| match reading {
                Candidate::At { at } => *at,
                Candidate::Window(window) => window.from,
            }),
        }
    }

    /// Records that people were told. The state stays.
    pub fn record_notice(&mut self, by: Actor<'_>) {
        self.record(Some(self.state.name()), Cause::Notified, by);
    }

    /// When it came into its present state.
    pub fn entered_at(&self) -> DateTime<Utc> {
        self.since_entered().first().map_or(self.created_at, |transition| transition.at)
    }

    /// The transitions since it came into its present state, that one included.
    fn since_entered(&self) -> &[Transition] {
        let current = self.state.name();
        let entered = self.history.iter().rposition(|it| it.to == current && it.from != Some(current));
        &self.history[entered.unwrap_or_default()..]
    }

    fn is_notified(&self, within: &[Transition]) -> bool {
        within.iter().any(|transition| transition.cause == Cause::Notified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contact::Customer,
        ids::{CallId, Source, TenantId},
        request::AppointmentRequest,
        spoken_time::{NoTime, TimeReading},
    };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn by(now: DateTime<Utc>) -> Actor<'static> {
        Actor { function: "test", version: "1", now }
    }

    fn requested(start: RequestedStart) -> Appointment {
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: Some("cut".to_owned()),
            start,
            customer: Customer::default(),
            staff: None,
            notes: None,
        };
        let now = at("2026-12-01T08:00:00Z");
        Appointment::new(TenantId::new("salon"), CallId::new("c"), Source::phone(), request, by(now))
    }

    fn unreadable() -> Appointment {
        requested(RequestedStart::of(TimeReading::None(NoTime::NotATime), Some("irgendwann".to_owned())))
    }

    #[test]
    fn a_review_is_told_once_and_again_when_it_comes_back() {
        let mut review = unreadable();
        assert_eq!(review.notice(at("2026-12-01T08:00:01Z")), Some(Notice::NeedsReview));
        assert_eq!(review.notice_due(), Some(at("2026-12-01T08:00:00Z")));
        review.record_notice(by(at("2026-12-01T08:01:00Z")));
        review.call_back(by(at("2026-12-01T08:02:00Z"))).unwrap();
        assert_eq!((review.notice_due(), review.entered_at()), (None, at("2026-12-01T08:00:00Z")));
        let settlement = super::super::Settlement { start: Some(at("2026-12-03T08:00:00Z")), ..Default::default() };
        review.settle(settlement, by(at("2026-12-01T08:03:00Z"))).unwrap();
        review.stall("its message became a dead letter".to_owned(), by(at("2026-12-01T08:04:00Z"))).unwrap();
        assert_eq!(review.notice_due(), Some(at("2026-12-01T08:04:00Z")));
    }

    #[test]
    fn a_start_within_a_day_and_a_promised_answer_are_urgent() {
        let now = at("2026-12-01T08:00:00Z");
        let mut later = requested(RequestedStart::exactly(at("2026-12-04T08:00:00Z")));
        later.stall("x".to_owned(), by(now)).unwrap();
        let mut near = requested(RequestedStart::exactly(at("2026-12-02T07:00:00Z")));
        near.stall("x".to_owned(), by(now)).unwrap();
        assert_eq!((later.is_urgent(now), near.is_urgent(now), unreadable().is_urgent(now)), (false, true, false));
    }

    #[test]
    fn what_starts_soon_and_is_not_booked_is_told_once_booking_has_had_its_time() {
        let waiting = requested(RequestedStart::exactly(at("2026-12-01T10:00:00Z")));
        assert_eq!(waiting.notice(at("2026-12-01T08:14:00Z")), None);
        assert_eq!(waiting.notice(at("2026-12-01T08:15:00Z")), Some(Notice::Delayed));
        let mut told = waiting;
        told.record_notice(by(at("2026-12-01T08:15:00Z")));
        assert_eq!(told.notice(at("2026-12-01T08:16:00Z")), None);
        let later = requested(RequestedStart::exactly(at("2026-12-03T10:00:00Z")));
        assert_eq!(later.notice(at("2026-12-01T09:00:00Z")), None);
    }

    #[test]
    fn a_start_that_passed_unbooked_is_told_unless_people_knew_of_it() {
        let now = at("2026-12-02T08:00:00Z");
        let mut missed = requested(RequestedStart::exactly(at("2026-12-01T10:00:00Z")));
        let mut known = missed.clone();
        missed.cancel_past(by(now)).unwrap();
        assert_eq!(missed.notice(now), Some(Notice::Missed));
        known.record_notice(by(at("2026-12-01T09:00:00Z")));
        known.cancel_past(by(now)).unwrap();
        assert_eq!(known.notice(now), None);
    }
}
