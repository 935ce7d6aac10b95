//! When a tenant is to be notified of an appointment.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::{
    history::{Actor, Cause, Transition},
    record::Appointment,
    state::{CancelReason, ReviewReason, State},
};
use crate::{request::Intent, spoken_time::Candidate, start_time::RequestedStart};

/// A start this near makes a review urgent.
const NEAR: TimeDelta = TimeDelta::hours(24);
/// An appointment that starts this soon should have been booked.
pub const DELAY_NOTICE_WINDOW: TimeDelta = TimeDelta::hours(3);
/// Booking may take this long before the tenant is notified.
const BOOKING_GRACE: TimeDelta = TimeDelta::minutes(15);

/// What a tenant is notified of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// It starts soon and is not booked yet: Cal.com does not respond, or refuses the account's key.
    Delayed,
    /// A person has to decide.
    NeedsReview,
    /// Its start passed before it was booked, and nobody was notified before.
    Missed,
}

/// The mark of what somebody saw of an appointment before they decided. It changes with everything that happens to it, but not
/// when people are notified of it or free slots are proposed: nobody decides otherwise because of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(DateTime<Utc>);

impl Seen {
    /// The mark that [`Display`](fmt::Display) wrote.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Nanos, true))
    }
}

impl Appointment {
    /// Since when the tenant is to be notified that it needs review or was missed. `None` if that was done, or if it is
    /// neither.
    pub fn notice_due(&self) -> Option<DateTime<Utc>> {
        let is_notified_already = match &self.state {
            State::NeedsReview { .. } => self.is_notified(self.since_news()),
            State::Cancelled { reason: CancelReason::Past, booking: None, .. } => {
                self.is_notified(self.since_requested_or_settled())
            }
            _ => return None,
        };
        (!is_notified_already && !self.is_erased()).then(|| self.entered_at())
    }

    /// What the tenant is to be notified of now, if anything.
    pub fn notice(&self, now: DateTime<Utc>) -> Option<Notice> {
        match &self.state {
            State::Requested { .. } => {
                let starts_soon =
                    self.request.start.at().is_some_and(|start| start > now && start <= now + DELAY_NOTICE_WINDOW);
                let is_late = self.requested_at() + BOOKING_GRACE <= now;
                let is_notified_already = self.is_notified(self.since_requested_or_settled());
                (starts_soon && is_late && !is_notified_already && !self.is_erased()).then_some(Notice::Delayed)
            }
            State::NeedsReview { .. } => self.notice_due().map(|_| Notice::NeedsReview),
            _ => self.notice_due().map(|_| Notice::Missed),
        }
    }

    /// Whether to notify at once: it starts soon or has passed, the caller asks to be called back, or the caller heard while
    /// on the line that it is being done.
    pub fn is_urgent(&self, now: DateTime<Utc>) -> bool {
        let requests_callback =
            matches!(self.state, State::NeedsReview { reason: ReviewReason::Intent(Intent::CallBack), .. });
        let is_near = match &self.request.start {
            RequestedStart::At { at, .. } => *at <= now + NEAR,
            // Who takes any slot of next week is not in a hurry today.
            RequestedStart::Unusable { readings, .. } => readings.iter().any(|reading| match reading {
                Candidate::At { at } => *at <= now + NEAR,
                Candidate::Window(window) => window.to <= now + NEAR,
            }),
        };
        requests_callback || self.is_live() || is_near || !matches!(self.state, State::NeedsReview { .. })
    }

    /// When the customer wants to come, at the earliest.
    pub fn earliest_start(&self) -> Option<DateTime<Utc>> {
        match &self.request.start {
            RequestedStart::At { at, .. } => Some(*at),
            RequestedStart::Unusable { readings, .. } => readings.first().map(|reading| match reading {
                Candidate::At { at } => *at,
                Candidate::Window(window) => window.from,
            }),
        }
    }

    /// Records that the tenant was notified. The state stays.
    pub fn record_notice(&mut self, by: Actor<'_>) {
        self.record(Some(self.state.name()), Cause::Notified, by);
    }

    /// The mark of what people decide by as it is now.
    pub fn seen(&self) -> Seen {
        Seen(self.last_news().map_or(self.created_at, Transition::last_at))
    }

    /// The last transition by which people decide.
    pub fn last_news(&self) -> Option<&Transition> {
        self.history.iter().rfind(|it| !matches!(it.cause, Cause::Notified | Cause::Proposed))
    }

    /// When it came into its present state, or when what people have to know of it last changed.
    pub fn entered_at(&self) -> DateTime<Utc> {
        self.since_news().first().map_or(self.created_at, |transition| transition.at)
    }

    /// The transitions since there was something new to know.
    fn since_news(&self) -> &[Transition] {
        let is_review = matches!(self.state, State::NeedsReview { .. });
        let current = self.state.name();
        let is_news = |it: &Transition| match is_review {
            true => it.to == current && !is_quiet(&it.cause),
            false => it.from != Some(it.to) && it.to == current && !matches!(it.cause, Cause::Failed(_)),
        };
        let at = self.history.iter().rposition(is_news);
        &self.history[at.unwrap_or_default()..]
    }

    /// The transitions since it was last requested, or a person had it booked.
    fn since_requested_or_settled(&self) -> &[Transition] {
        let begins =
            |it: &Transition| matches!(it.cause, Cause::Reopened | Cause::Settled | Cause::Resumed | Cause::Corrected);
        let at = self.history.iter().rposition(begins);
        &self.history[at.unwrap_or_default()..]
    }

    fn is_notified(&self, within: &[Transition]) -> bool {
        within.iter().any(|transition| transition.cause == Cause::Notified)
    }
}

/// Whether a transition within a review tells people nothing new.
fn is_quiet(cause: &Cause) -> bool {
    let by_people = matches!(cause, Cause::CalledBack | Cause::NotReached | Cause::Noted | Cause::Proposed);
    by_people
        || matches!(cause, Cause::NotBooked | Cause::Erased)
        || matches!(cause, Cause::Notified | Cause::CorrectionNoted)
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
        Actor { function: "test", version: "1", now, person: None }
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
    fn a_review_is_notified_once_and_again_when_it_comes_back() {
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
    fn what_somebody_saw_stays_the_same_while_they_are_only_notified() {
        let mut review = unreadable();
        let seen = review.seen();
        review.record_notice(by(at("2026-12-01T08:01:00Z")));
        review.propose(vec![at("2026-12-03T08:00:00Z")], by(at("2026-12-01T08:02:00Z"))).unwrap();
        assert_eq!((review.seen(), Seen::parse(&seen.to_string())), (seen, Some(seen)));
        review.call_back(by(at("2026-12-01T08:03:00.000000001Z"))).unwrap();
        let later = review.seen();
        assert!(later != seen && Seen::parse(&later.to_string()) == Some(later));
        review.record_notice(by(at("2026-12-01T08:04:00Z")));
        assert_eq!(review.last_news().unwrap().cause, Cause::CalledBack);
        assert_eq!(Seen::parse("1"), None);
    }

    #[test]
    fn a_start_within_a_day_and_a_requested_callback_are_urgent() {
        let now = at("2026-12-01T08:00:00Z");
        let mut later = requested(RequestedStart::exactly(at("2026-12-04T08:00:00Z")));
        later.stall("x".to_owned(), by(now)).unwrap();
        let mut near = requested(RequestedStart::exactly(at("2026-12-02T07:00:00Z")));
        near.stall("x".to_owned(), by(now)).unwrap();
        assert_eq!((later.is_urgent(now), near.is_urgent(now), unreadable().is_urgent(now)), (false, true, false));
        let mut callback = unreadable().request;
        callback.intent = Intent::CallBack;
        let callback = Appointment::new(TenantId::new("salon"), CallId::new("d"), Source::phone(), callback, by(now));
        assert!(callback.is_urgent(now));
    }

    #[test]
    fn what_starts_soon_and_is_not_booked_is_notified_once_booking_has_had_its_time() {
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
    fn a_start_that_passed_unbooked_is_notified_unless_people_knew_of_it() {
        let now = at("2026-12-02T08:00:00Z");
        let mut missed = requested(RequestedStart::exactly(at("2026-12-01T10:00:00Z")));
        let mut known = missed.clone();
        missed.cancel_past(by(now)).unwrap();
        assert_eq!(missed.notice(now), Some(Notice::Missed));
        known.record_notice(by(at("2026-12-01T09:00:00Z")));
        let mut settled = known.clone();
        known.cancel_past(by(now)).unwrap();
        assert_eq!(known.notice(now), None);
        settled.stall("x".to_owned(), by(at("2026-12-01T09:01:00Z"))).unwrap();
        settled.record_notice(by(at("2026-12-01T09:02:00Z")));
        settled.resume(by(at("2026-12-01T09:03:00Z"))).unwrap();
        settled.cancel_past(by(now)).unwrap();
        assert_eq!(settled.notice(now), Some(Notice::Missed), "the person who resumed it believes that it is booked");
    }
}
