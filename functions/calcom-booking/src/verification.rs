//! Verifies the booking of an appointment that its customer requests again.

use calcom::FoundBooking;
use chrono::{DateTime, Utc};
use scheduling::{
    appointment::{Actor, Appointment, Cause, InvalidTransition, Transition},
    failure::Category,
    timing::Timing,
};

/// How often Cal.com may refuse to show a booking before a person decides.
const MAX_REFUSALS: u32 = 4;

/// What follows from the booking that Cal.com holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The appointment is booked as its customer requests it, or a person decides.
    Settled,
    /// It is to be booked again.
    Reopened,
    /// Cal.com can't be queried until then.
    Deferred(DateTime<Utc>),
}

/// Makes the transition that follows from what Cal.com holds.
///
/// A booking is what the customer requests only if it takes place when the customer wishes: one that was moved since is
/// for a person to decide on.
pub fn judge(
    appointment: &mut Appointment,
    found: Result<Option<FoundBooking>, Category>,
    timing: &Timing,
    by: Actor<'_>,
) -> Result<Verified, InvalidTransition> {
    let found = match found {
        Ok(found) => found.map(|found| found.booking).filter(|booking| booking.status.is_active()),
        Err(category) => return postpone(appointment, category, timing, by),
    };
    let Some(found) = found else {
        appointment.reopen(by)?;
        return Ok(Verified::Reopened);
    };
    if appointment.request.start.at().is_some_and(|requested| requested != found.start) {
        appointment.escalate_rescheduled(found, by)?;
        return Ok(Verified::Settled);
    }
    if appointment.booking().is_some_and(|booking| booking.uid != found.uid) {
        appointment.reschedule(found, by)?;
    }
    appointment.verified(by);
    Ok(Verified::Settled)
}

/// Postpones it while Cal.com can't be queried. What Cal.com refuses again and again is for a person.
fn postpone(
    appointment: &mut Appointment,
    category: Category,
    timing: &Timing,
    by: Actor<'_>,
) -> Result<Verified, InvalidTransition> {
    let failed = |cause: &Cause| matches!(cause, Cause::NotVerified(_));
    let last = appointment.history().last().filter(|last| failed(&last.cause));
    let times = last.map_or(0, Transition::times);
    let passes = matches!(category, Category::CalcomUnavailable | Category::RateLimited | Category::Credentials);
    if !passes && times >= MAX_REFUSALS {
        appointment.escalate_unverified(category, by)?;
        return Ok(Verified::Settled);
    }
    let at = by.now + timing.backoff(times);
    appointment.defer_verification(at, category, by);
    Ok(Verified::Deferred(at))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use scheduling::{
        appointment::{Confirmation, ReviewReason, State, StateName},
        booking::{Booking, BookingStatus, HostEvidence, NoHost},
        contact::Customer,
        ids::{BookingUid, CallId, EventTypeId, Source, TenantId},
        request::{AppointmentRequest, Intent},
        start_time::RequestedStart,
    };

    use super::*;

    fn by(minute: i64) -> Actor<'static> {
        let now = "2026-12-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minute);
        Actor { function: "test", version: "1", now, person: None }
    }

    fn booking(uid: &str, status: BookingStatus, start: DateTime<Utc>) -> Booking {
        let hosts = HostEvidence::None { reason: NoHost::Empty, looked_up_again: true };
        Booking { uid: BookingUid::new(uid), status, event_type: EventTypeId(1), start, hosts }
    }

    fn start() -> DateTime<Utc> {
        "2026-12-03T09:00:00Z".parse().unwrap()
    }

    /// A booked appointment whose customer requests it again.
    fn requested_again() -> Appointment {
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: Some("cut".to_owned()),
            start: RequestedStart::exactly(start()),
            customer: Customer::default(),
            staff: None,
            notes: None,
        };
        let requested = Appointment::new(TenantId::new("salon"), CallId::new("c"), Source::phone(), request, by(0));
        let claim = requested.claim(TimeDelta::minutes(1), by(0)).unwrap();
        let booked = booking("u1", BookingStatus::Accepted, start());
        let mut appointment = claim.confirm(booked, Confirmation::Booked, by(0));
        appointment.request_again(by(1)).unwrap();
        appointment
    }

    fn judged(found: Result<Booking, Category>) -> (Appointment, Verified) {
        let mut appointment = requested_again();
        let found = found.map(|booking| {
            Some(FoundBooking {
                booking,
                appointments: vec![appointment.id.clone()],
                attendee_absent: false,
                rescheduled_to: None,
                made_at: None,
            })
        });
        let verified = judge(&mut appointment, found, &Timing::default(), by(2)).unwrap();
        (appointment, verified)
    }

    #[test]
    fn what_stands_must_start_when_the_caller_wishes() {
        let (same, verified) = judged(Ok(booking("u1", BookingStatus::Accepted, start())));
        assert_eq!((same.state().name(), verified, same.verification()), (StateName::Booked, Verified::Settled, None));
        let (moved, _) = judged(Ok(booking("u2", BookingStatus::Accepted, start() + TimeDelta::hours(5))));
        assert!(matches!(moved.state(), State::NeedsReview { reason: ReviewReason::Rescheduled, .. }), "{moved:?}");
        assert_eq!(moved.booking().unwrap().uid, BookingUid::new("u2"));
        let (back, _) = judged(Ok(booking("u3", BookingStatus::Accepted, start())));
        assert_eq!((back.state().name(), back.booking().unwrap().uid.as_str()), (StateName::Booked, "u3"));
    }

    #[test]
    fn what_was_cancelled_at_calcom_is_booked_again() {
        let (reopened, verified) = judged(Ok(booking("u1", BookingStatus::Cancelled, start())));
        assert_eq!((reopened.state().name(), verified), (StateName::Requested, Verified::Reopened));
        assert_eq!(reopened.verification(), None);
    }

    #[test]
    fn what_calcom_no_longer_has_is_booked_again_and_what_it_refuses_to_show_is_a_persons() {
        let mut gone = requested_again();
        assert_eq!(judge(&mut gone, Ok(None), &Timing::default(), by(2)).unwrap(), Verified::Reopened);
        let mut refused = requested_again();
        for minute in 2..6 {
            judge(&mut refused, Err(Category::Forbidden), &Timing::default(), by(minute)).unwrap();
            assert_eq!(refused.state().name(), StateName::Booked);
        }
        judge(&mut refused, Err(Category::Forbidden), &Timing::default(), by(6)).unwrap();
        assert_eq!(refused.state().name(), StateName::NeedsReview);
        assert!(refused.booking().is_some() && refused.verification().is_none());
    }

    #[test]
    fn an_outage_postpones_it_with_backoff_and_loses_nothing() {
        let (mut appointment, verified) = judged(Err(Category::CalcomUnavailable));
        let mut delays = Vec::new();
        let mut last = verified;
        for minute in [2, 3, 4] {
            let Verified::Deferred(at) = last else { panic!("{last:?}") };
            delays.push((at - by(minute).now).num_seconds());
            last =
                judge(&mut appointment, Err(Category::CalcomUnavailable), &Timing::default(), by(minute + 1)).unwrap();
        }
        assert_eq!(delays, [10, 20, 40]);
        assert!(appointment.due(&Timing::default()).is_some(), "the reconciler knows it");
    }
}
