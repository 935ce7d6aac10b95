//! Which of the bookings that a call's tools report is the appointment's own.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    booking::{Booking, CallBookings},
    ids::{AppointmentId, BookingUid},
    tenant::Tenant,
};

/// How far Cal.com's clock and Retell's may differ.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A booking that a tool reports, as Cal.com has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The booking.
    pub booking: Booking,
    /// When it was made; `None` where Cal.com does not say so.
    pub made_at: Option<DateTime<Utc>>,
    /// The appointments of ours that it was made for, and the one that holds it.
    pub appointments: Vec<AppointmentId>,
}

/// What follows from the bookings that a call's tools report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adoption {
    /// The booking is the appointment's own.
    Adopt(Booking),
    /// The caller booked it and cancelled it again.
    Cancelled,
    /// The tool moved the booking of another appointment to the requested start.
    Moved(BookingUid),
    /// Which booking is whose can't be found out: a person looks.
    Unclear,
    /// None is its own: it is booked as usual.
    None,
}

/// Decides for the appointment `own`, which requests `start`. `reported` has `None` for a booking that the account's key
/// can't see.
///
/// A booking that is older than the call was only shown in it. One at another start is adopted only if the call requests
/// nothing else and reports no other booking: then the analysis has misread what was booked.
pub fn judge(
    own: &AppointmentId,
    start: Option<DateTime<Utc>>,
    bookings: &CallBookings,
    reported: &[Option<Reported>],
    tenant: &Tenant,
) -> Adoption {
    let is_of_call = |it: &&Reported| it.made_at.is_none_or(|made_at| made_at >= bookings.began_at - CLOCK_TOLERANCE);
    let seen: Vec<&Reported> = reported.iter().flatten().filter(is_of_call).collect();
    let is_requested = |it: &Reported| start.is_none_or(|start| start == it.booking.start);
    let is_active = |it: &Reported| it.booking.status.is_active();
    let is_free = |it: &Reported| it.appointments.iter().all(|holder| holder == own);
    let active: Vec<&Reported> = seen.iter().copied().filter(|it| is_active(it)).collect();
    let free: Vec<&Reported> = active.iter().copied().filter(|it| is_free(it)).collect();
    if let Some(moved) = active.iter().find(|it| !is_free(it) && start == Some(it.booking.start)) {
        return Adoption::Moved(moved.booking.uid.clone());
    }
    let fitting = free.iter().find(|it| is_requested(it) && (start.is_some() || bookings.is_only_request));
    if let Some(fitting) = fitting {
        return Adoption::Adopt(fitting.booking.clone());
    }
    if reported.iter().any(Option::is_none) {
        return Adoption::Unclear;
    }
    match free.as_slice() {
        [] => {}
        [only] if bookings.is_only_request && tenant.has_event_type(only.booking.event_type) => {
            return Adoption::Adopt(only.booking.clone());
        }
        _ if start.is_none() || bookings.is_only_request => return Adoption::Unclear,
        _ => {}
    }
    let was_cancelled = seen.iter().any(|it| !is_active(it) && is_free(it) && is_requested(it));
    if was_cancelled && bookings.is_only_request { Adoption::Cancelled } else { Adoption::None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        booking::{BookingStatus, HostEvidence, NoHost},
        ids::EventTypeId,
        tenant::salon,
    };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ten() -> DateTime<Utc> {
        at("2026-12-01T10:00:00Z")
    }

    fn eleven() -> DateTime<Utc> {
        at("2026-12-01T11:00:00Z")
    }

    fn reported(uid: &str, start: DateTime<Utc>) -> Reported {
        let hosts = HostEvidence::None { reason: NoHost::Empty, looked_up_again: false };
        let (uid, status, event_type) = (BookingUid::new(uid), BookingStatus::Accepted, EventTypeId(100));
        let booking = Booking { uid, status, event_type, start, hosts };
        Reported { booking, made_at: Some(at("2026-11-30T09:03:00Z")), appointments: Vec::new() }
    }

    fn cancelled(uid: &str, start: DateTime<Utc>) -> Reported {
        let mut cancelled = reported(uid, start);
        cancelled.booking.status = BookingStatus::Cancelled;
        cancelled
    }

    fn judged(start: Option<DateTime<Utc>>, is_only_request: bool, reported: &[Option<Reported>]) -> String {
        let bookings = CallBookings { uids: Vec::new(), began_at: at("2026-11-30T09:00:00Z"), is_only_request };
        match judge(&AppointmentId::new("own"), start, &bookings, reported, &salon()) {
            Adoption::Adopt(booking) => format!("adopt {}", booking.uid),
            Adoption::Moved(uid) => format!("moved {uid}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_booking_at_the_requested_start_is_its_own() {
        let both = [Some(reported("a", eleven())), Some(reported("b", ten()))];
        assert_eq!(judged(Some(ten()), true, &both), "adopt b");
        assert_eq!(judged(Some(ten()), false, &both), "adopt b");
        assert_eq!(judged(None, true, &both[..1]), "adopt a");
    }

    #[test]
    fn another_start_counts_only_if_nothing_else_can_be_meant() {
        let other = [Some(reported("a", eleven()))];
        assert_eq!(judged(Some(ten()), true, &other), "adopt a");
        assert_eq!(judged(Some(ten()), false, &other), "None", "the call requests another appointment for that");
        assert_eq!(
            judged(Some(ten()), true, &[other[0].clone(), Some(reported("b", at("2026-12-02T10:00:00Z")))]),
            "Unclear"
        );
        assert_eq!(judged(None, false, &other), "Unclear");
        let mut foreign = other[0].clone().unwrap();
        foreign.booking.event_type = EventTypeId(999);
        assert_eq!(judged(Some(ten()), true, &[Some(foreign)]), "Unclear", "another event type");
    }

    #[test]
    fn what_was_only_shown_or_is_anothers_is_not_adopted() {
        let mut older = reported("a", ten());
        older.made_at = Some(at("2026-11-20T09:00:00Z"));
        assert_eq!(judged(Some(ten()), true, &[Some(older)]), "None");
        let mut moved = reported("a", ten());
        moved.appointments = vec![AppointmentId::new("another")];
        assert_eq!(judged(Some(ten()), true, &[Some(moved.clone())]), "moved a");
        assert_eq!(judged(Some(eleven()), true, &[Some(moved)]), "None");
    }

    #[test]
    fn only_the_wish_that_was_cancelled_is_not_booked_again() {
        assert_eq!(judged(Some(ten()), true, &[Some(cancelled("a", ten()))]), "Cancelled");
        assert_eq!(judged(Some(eleven()), true, &[Some(cancelled("a", ten()))]), "None", "they took another time");
        assert_eq!(judged(Some(ten()), false, &[Some(cancelled("a", ten()))]), "None");
        assert_eq!(judged(Some(ten()), true, &[Some(cancelled("a", ten())), Some(reported("b", ten()))]), "adopt b");
    }

    #[test]
    fn a_booking_that_the_key_can_t_see_is_for_a_person_unless_another_fits() {
        assert_eq!(judged(Some(ten()), true, &[None]), "Unclear");
        assert_eq!(judged(Some(ten()), true, &[None, Some(reported("b", ten()))]), "adopt b");
    }
}
