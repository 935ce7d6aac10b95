use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::{
    assignment::{Assignment, StrategyName, Unassigned},
    booking::{Booking, BookingStatus, Host, HostEvidence, Hosts, NoHost, UnconfirmedBooking},
    contact::{ContactPart, Customer},
    failure::{BookingFailure, Category},
    ids::{BookingUid, CallId, EventTypeId, HostId, Source, StaffId, TenantId},
    personal::Personal,
    request::{AppointmentRequest, Intent},
    start_time::{RequestedStart, StartProblem},
    timing::Timing,
};

const LEASE: TimeDelta = TimeDelta::seconds(90);
const UNKNOWN: BookingFailure = BookingFailure::Unknown { unconfirmed: None };
const RATE_LIMITED: BookingFailure = BookingFailure::RateLimited { retry_after: None };

fn by(seconds: i64) -> Actor<'static> {
    let start: DateTime<Utc> = "2026-12-01T08:00:00Z".parse().unwrap();
    Actor { function: "test", version: "1", now: start + TimeDelta::seconds(seconds), person: None }
}

fn requested(start_in: i64) -> Appointment {
    let request = AppointmentRequest {
        intent: Intent::Book,
        service: Some("cut".to_owned()),
        start: RequestedStart::exactly(by(start_in).now),
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
        hosts: HostEvidence::None { reason: NoHost::Empty, looked_up_again: false },
    }
}

fn anna(strategy: StrategyName) -> Assignment {
    Assignment { staff: StaffId::new("anna"), strategy, host: None }
}

fn claimed(appointment: Appointment, seconds: i64) -> Claimed {
    appointment.claim(LEASE, by(seconds)).unwrap()
}

fn booked(seconds: i64) -> Appointment {
    claimed(requested(3600), seconds - 1).confirm(booking(), Confirmation::Booked, by(seconds))
}

fn causes(appointment: &Appointment) -> Vec<String> {
    appointment.history().iter().map(|transition| transition.cause.to_string()).collect()
}

#[test]
fn what_is_restored_may_have_been_booked_since() {
    let mut waiting = requested(3600);
    waiting.restore(by(5));
    assert_eq!(waiting.unconfirmed_booking(), Some(UnconfirmedBooking::NoResponse));
    assert_eq!(
        (waiting.state().name(), causes(&waiting)),
        (StateName::Requested, vec!["requested".to_owned(), "restored".to_owned()])
    );
    let mut known = booked(2);
    let before = known.clone();
    known.restore(by(5));
    assert_eq!(known, before);
}

#[test]
fn the_happy_path_leaves_a_transition_for_every_step() {
    let mut appointment = booked(2);
    appointment.assign(anna(StrategyName::HostEmail), by(3)).unwrap();
    let transitions: Vec<String> = appointment.history().iter().map(|it| format!("{} {}", it.to, it.cause)).collect();
    assert_eq!(
        transitions,
        ["requested requested", "booking claimed", "booked booked", "assigned assigned:host_email"]
    );
}

#[test]
fn one_worker_at_a_time_and_after_its_lease_another() {
    let appointment = claimed(requested(3600), 0).appointment().clone();
    assert_eq!(appointment.clone().claim(LEASE, by(89)), Err(NotClaimable::NotBefore(by(90).now)));
    let second = claimed(appointment, 90);
    assert_eq!((second.appointment().attempts(), second.progress().first_attempt), (2, Some(by(0).now)));
}

#[test]
fn a_retry_waits_for_its_time() {
    let appointment = claimed(requested(3600), 0).retry_at(by(30).now, &RATE_LIMITED, by(1));
    assert_eq!(appointment.clone().claim(LEASE, by(29)), Err(NotClaimable::NotBefore(by(30).now)));
    assert_eq!(appointment.retries(Category::RateLimited), 1);
    assert_eq!(appointment.retries(Category::Unknown), 0);
    claimed(appointment, 30);
}

#[test]
fn an_operators_assignment_is_never_overwritten() {
    let mut appointment = booked(2);
    appointment.assign_by_operator(anna(StrategyName::Operator), by(3)).unwrap();
    assert!(appointment.assign(anna(StrategyName::HostEmail), by(4)).is_err());
    assert!(appointment.escalate_unassigned(Unassigned::NoHostInBooking, by(4)).is_err());
    assert!(matches!(appointment.state(), State::Assigned { assignment, .. }
        if assignment.strategy == StrategyName::Operator));
}

#[test]
fn a_start_that_does_not_exist_waits_for_a_person() {
    let mut request = requested(0).request;
    request.start =
        RequestedStart::Unusable { problem: StartProblem::DoesNotExist, raw: None, doubt: None, readings: Vec::new() };
    let appointment = Appointment::new(TenantId::new("salon"), CallId::new("call"), Source::phone(), request, by(0));
    assert!(matches!(
        appointment.state(),
        State::NeedsReview { reason: ReviewReason::Start(StartProblem::DoesNotExist), .. }
    ));
}

#[test]
fn only_what_is_certainly_not_booked_is_past() {
    let appointment = requested(10);
    assert!(!appointment.is_past(by(10).now));
    assert!(appointment.is_past(by(11).now));
    let claim = claimed(appointment, 5);
    assert!(!claim.appointment().is_past(by(11).now), "a worker holds it");
    assert!(!claim.appointment().is_past(by(95).now), "its worker may have booked it before it died");
    let unavailable =
        BookingFailure::Unavailable { retry_after: None, unconfirmed: Some(UnconfirmedBooking::NoResponse) };
    let appointment = claim.retry_at(by(20).now, &unavailable, by(11));
    assert!(!appointment.is_past(by(95).now), "Cal.com may hold its booking");
    let appointment = claimed(appointment, 96).cancel_past(by(96));
    assert!(matches!(appointment.state(), State::Cancelled { reason: CancelReason::Past, .. }));
}

#[test]
fn what_is_over_or_was_never_booked_can_be_cleaned_up_and_what_may_be_booked_can_not() {
    let hours = |hours: i64| by(3600 * hours).now;
    let waiting = requested(3600);
    assert_eq!([0, 2].map(|at| waiting.can_be_cleaned_up(hours(at))), [false, true]);
    // It began an hour after it was requested, and may take two.
    assert_eq!([2, 3, 5].map(|at| booked(2).can_be_cleaned_up(hours(at))), [false, false, true]);
    let mut unconfirmed = requested(3600);
    unconfirmed.restore(by(5));
    assert!(!unconfirmed.can_be_cleaned_up(hours(5)));
    let mut undated = requested(3600);
    undated.request.start =
        RequestedStart::Unusable { problem: StartProblem::Unreadable, raw: None, doubt: None, readings: Vec::new() };
    assert!(!undated.can_be_cleaned_up(hours(5)));
    let mut closed = booked(2);
    closed.close(Outcome::Completed, by(3600 * 5)).unwrap();
    assert!(!closed.can_be_cleaned_up(hours(5)));
}

#[test]
fn the_worker_after_a_dead_one_knows_that_a_booking_may_exist() {
    let appointment = claimed(requested(3600), 0).appointment().clone();
    assert_eq!(appointment.unconfirmed_booking(), None);
    let claim = claimed(appointment, 90);
    assert_eq!(claim.progress().unconfirmed, Some(UnconfirmedBooking::NoResponse));
    assert_eq!(claim.appointment().expired_leases(), 1);
    let appointment = claim.confirm(booking(), Confirmation::Recovered, by(91));
    assert_eq!(appointment.unconfirmed_booking(), None);
}

#[test]
fn a_booking_stays_unconfirmed_until_cal_com_was_queried_for_it() {
    let unavailable =
        BookingFailure::Unavailable { retry_after: None, unconfirmed: Some(UnconfirmedBooking::NoResponse) };
    let appointment = claimed(requested(3600), 0).retry_at(by(1).now, &unavailable, by(1));
    let appointment = claimed(appointment, 1).retry_at(by(2).now, &RATE_LIMITED, by(2));
    assert_eq!(appointment.unconfirmed_booking(), Some(UnconfirmedBooking::NoResponse), "the query was refused");
    let mut claim = claimed(appointment, 2);
    claim.rule_out_unconfirmed();
    assert_eq!(claim.retry_at(by(3).now, &RATE_LIMITED, by(3)).unconfirmed_booking(), None);
}

#[test]
fn an_appointment_that_does_not_move_is_due_with_its_cause() {
    let timing = Timing::default();
    let due =
        |appointment: &Appointment| appointment.due(&timing).map(|due| ((due.at - by(0).now).num_seconds(), due.cause));
    let appointment = requested(86_400);
    assert_eq!(due(&appointment), Some((120, DueCause::NeverSent)));
    let claim = claimed(appointment, 5);
    assert_eq!(due(claim.appointment()), Some((95, DueCause::LeaseExpired)));
    let appointment = claim.retry_at(by(65).now, &RATE_LIMITED, by(5));
    assert_eq!(due(&appointment), Some((185, DueCause::MessageLost)), "a delayed message is on its way");
    let appointment = claimed(appointment, 65).retry_at(by(3665).now, &RATE_LIMITED, by(65));
    assert_eq!(due(&appointment), Some((3665, DueCause::AttemptDue)), "no message can be delayed so long");
    let mut appointment = claimed(appointment, 3665).confirm(booking(), Confirmation::Booked, by(3700));
    assert_eq!(due(&appointment), Some((3820, DueCause::NotAssigned)));
    appointment.assign(anna(StrategyName::HostEmail), by(3701)).unwrap();
    assert_eq!(due(&appointment), None);
}

#[test]
fn a_week_of_retries_makes_an_appointment_no_larger() {
    let mut appointment = requested(3600);
    for n in 0..2000 {
        appointment = claimed(appointment, n).retry_at(by(n).now, &BookingFailure::CredentialsRefused, by(n));
    }
    assert_eq!(appointment.history().len(), 3);
    assert_eq!((appointment.retries(Category::Credentials), appointment.attempts()), (2000, 2000));
    let State::Requested { progress, .. } = appointment.state() else { panic!("{:?}", appointment.state()) };
    assert_eq!(progress.first_attempt, None, "no attempt had a key that Cal.com accepts");
    let appointment = claimed(appointment, 2000).retry_at(by(2000).now, &RATE_LIMITED, by(2000));
    assert_eq!(causes(&appointment), ["requested", "claimed", "failed:credentials", "claimed", "failed:rate_limited"]);
}

#[test]
fn a_booking_that_was_cancelled_at_cal_com_can_be_requested_again() {
    assert!(requested(3600).reopen(by(0)).is_err());
    let mut appointment = booked(2);
    appointment.assign(anna(StrategyName::HostEmail), by(3)).unwrap();
    appointment.reopen(by(60)).unwrap();
    assert_eq!((appointment.state().name(), appointment.requested_at()), (StateName::Requested, by(60).now));
    claimed(appointment, 61);
}

#[test]
fn a_stalled_appointment_resumes_where_it_stopped_and_its_retries_start_over() {
    let mut appointment = requested(3600);
    for n in 0..3 {
        appointment = claimed(appointment, n).retry_at(by(n).now, &UNKNOWN, by(n));
    }
    let mut appointment = claimed(appointment, 5).appointment().clone();
    assert!(appointment.stall("panic".to_owned(), by(6)).is_err(), "a worker holds it");
    appointment.stall("panic".to_owned(), by(95)).unwrap();
    assert_eq!(appointment.retries(Category::Unknown), 3);
    appointment.resume(by(100)).unwrap();
    assert_eq!(appointment.state().name(), StateName::Requested);
    assert_eq!((appointment.retries(Category::Unknown), appointment.expired_leases()), (0, 0));
    assert_eq!(
        appointment.unconfirmed_booking(),
        Some(UnconfirmedBooking::NoResponse),
        "the dead worker may have booked it"
    );
    let mut appointment = claimed(appointment, 101).confirm(booking(), Confirmation::Booked, by(102));
    appointment.stall("panic".to_owned(), by(103)).unwrap();
    appointment.resume(by(104)).unwrap();
    assert_eq!(appointment.state().name(), StateName::Booked);
}

#[test]
fn an_ended_appointment_is_closed_with_its_outcome() {
    for (outcome, name) in [
        (Outcome::Completed, StateName::Completed),
        (Outcome::NoShow, StateName::NoShow),
        (Outcome::CancelledAtCalcom, StateName::Cancelled),
    ] {
        assert!(requested(3600).close(outcome, by(0)).is_err());
        let mut appointment = booked(2);
        appointment.assign(anna(StrategyName::HostEmail), by(3)).unwrap();
        assert!(!appointment.has_ended(by(3600).now) && appointment.has_ended(by(3601).now));
        appointment.close(outcome, by(7200)).unwrap();
        assert_eq!(appointment.state().name(), name);
        assert!(appointment.close(outcome, by(7201)).is_err());
    }
}

#[test]
fn erasing_a_customer_changes_no_counter() {
    let mut held = claimed(requested(3600), 1).appointment().clone();
    assert!(held.erase_customer(by(2)).is_err(), "a worker holds it");
    let mut appointment = booked(2);
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
fn a_second_request_is_remembered_until_its_booking_was_verified() {
    let timing = Timing::default();
    let mut appointment = booked(2);
    appointment.assign(anna(StrategyName::HostEmail), by(3)).unwrap();
    assert_eq!(appointment.due(&timing), None);
    appointment.request_again(by(10)).unwrap();
    let due = appointment.due(&timing).unwrap();
    assert_eq!((due.cause, due.at), (DueCause::NotVerified, by(10).now + timing.grace));
    appointment.defer_verification(by(400).now, Category::CalcomUnavailable, by(20));
    assert_eq!(appointment.due(&timing).unwrap().at, by(400).now + timing.grace);
    appointment.verified(by(401));
    assert_eq!((appointment.due(&timing), appointment.state().name()), (None, StateName::Assigned));
}

#[test]
fn a_move_to_another_host_finds_the_staff_member_anew() {
    let hosted_by = |id: u64| {
        let host = Host { id: HostId(id), email: None, display_email: None };
        Booking { hosts: HostEvidence::Named(Hosts::try_from(vec![host]).unwrap()), ..booking() }
    };
    let assigned = |strategy| {
        let mut appointment = claimed(requested(3600), 1).confirm(hosted_by(1), Confirmation::Booked, by(2));
        appointment.assign(anna(strategy), by(3)).unwrap();
        appointment
    };
    for (strategy, host, state) in [
        (StrategyName::HostEmail, 1, StateName::Assigned),
        (StrategyName::HostEmail, 2, StateName::Booked),
        (StrategyName::Operator, 2, StateName::Assigned),
    ] {
        let mut appointment = assigned(strategy);
        appointment.reschedule(hosted_by(host), by(9)).unwrap();
        assert_eq!(appointment.state().name(), state, "{strategy:?} {host}");
        assert_eq!(appointment.booking(), Some(&hosted_by(host)));
    }
}

#[test]
fn what_waits_for_its_account_says_so_and_has_not_been_attempted() {
    let mut appointment = requested(3600);
    for seconds in [1, 121, 241] {
        appointment.wait_for_account(by(seconds + 120).now, by(seconds)).unwrap();
    }
    assert_eq!(causes(&appointment), ["requested", "account_paused"], "a long pause makes it no larger");
    assert_eq!((appointment.history()[1].times(), appointment.attempts()), (3, 0));
    assert_eq!(claimed(appointment, 361).progress().first_attempt, Some(by(361).now));
}

#[test]
fn a_stored_appointment_is_read_as_it_was_written() {
    for appointment in [
        requested(3600),
        claimed(claimed(requested(3600), 0).appointment().clone(), 90).appointment().clone(),
        booked(2),
        claimed(requested(3600), 1).escalate(&UNKNOWN, by(2)),
    ] {
        let stored = serde_json::to_value(&appointment).unwrap();
        assert_eq!(serde_json::from_value::<Appointment>(stored).unwrap(), appointment);
    }
}

#[test]
fn the_next_versions_fields_and_causes_are_read_and_its_causes_written_back() {
    let mut stored = serde_json::to_value(booked(2)).unwrap();
    stored["priority"] = "high".into();
    stored["request"]["channel"] = "chat".into();
    stored["state"]["room"] = 7.into();
    stored["history"][1]["cause"] = "claimed:by_voice_tool".into();
    stored["history"][2]["cause"] = "confirmed".into();
    stored["history"][2]["attempt"] = 3.into();
    let read: Appointment = serde_json::from_value(stored).unwrap();
    assert_eq!(read.history()[2].cause, Cause::Other("confirmed".to_owned()));
    assert_eq!(causes(&read), ["requested", "claimed:by_voice_tool", "confirmed"]);
    assert_eq!(serde_json::to_value(&read).unwrap()["history"][2]["cause"], "confirmed");
}

#[test]
fn a_cause_is_read_as_it_was_written() {
    let mut causes = vec![
        Cause::Requested { ambiguous_time: false },
        Cause::Requested { ambiguous_time: true },
        Cause::UnusableStart(StartProblem::DoesNotExist),
        Cause::Imported,
        Cause::Claimed,
        Cause::LeaseExpired,
        Cause::Booked,
        Cause::Recovered,
        Cause::DuplicateCancelled,
        Cause::Assigned(StrategyName::HostMapping),
        Cause::Unassigned(Unassigned::SeveralStaffMatch),
        Cause::HostsRefreshed,
        Cause::Rescheduled,
        Cause::Stalled,
        Cause::Resumed,
        Cause::Reopened,
        Cause::NotBooked,
        Cause::AccountPaused,
        Cause::Restored,
        Cause::HostReassigned,
        Cause::AwaitingHost,
        Cause::ConfirmedByHost,
        Cause::RequestedAgain,
        Cause::Verified,
        Cause::Completed,
        Cause::NoShow,
        Cause::Cancelled(CancelReason::CancelledAtCalcom),
        Cause::Erased,
    ];
    causes.extend(Category::ALL.map(Cause::Failed));
    causes.extend(Category::ALL.map(Cause::NotVerified));
    for cause in causes {
        assert_eq!(Cause::from(cause.to_string()), cause);
    }
    assert_eq!(Cause::Failed(Category::HostConflict).detail(), "host_conflict");
    assert_eq!(Cause::Stalled.detail(), "stalled");
}

type Happening = fn(Appointment, Actor<'_>) -> Option<Appointment>;
type Event = (&'static str, Happening);

fn changed(
    mut appointment: Appointment,
    change: impl FnOnce(&mut Appointment) -> Result<(), InvalidTransition>,
) -> Option<Appointment> {
    let before = appointment.clone();
    let changed = change(&mut appointment).is_ok();
    assert_eq!(changed, appointment != before, "a transition that fails changes nothing");
    changed.then_some(appointment)
}

/// What only the worker that claims it can do.
fn as_worker(appointment: Appointment, by: Actor<'_>, act: impl FnOnce(Claimed) -> Appointment) -> Option<Appointment> {
    appointment.claim(LEASE, by).ok().map(act)
}

/// Everything that can happen to an appointment.
const EVENTS: [Event; 35] = [
    ("claim", |it, by| as_worker(it, by, |claim| claim.appointment().clone())),
    ("confirm", |it, by| as_worker(it, by, |claim| claim.confirm(booking(), Confirmation::Booked, by))),
    ("retry", |it, by| as_worker(it, by, |claim| claim.retry_at(by.now, &UNKNOWN, by))),
    ("omit_contact", |it, by| {
        as_worker(it, by, |mut claim| {
            claim.omit_contact(ContactPart::Phone, by);
            claim.retry_at(by.now, &UNKNOWN, by)
        })
    }),
    ("escalate", |it, by| as_worker(it, by, |claim| claim.escalate(&UNKNOWN, by))),
    ("assign", |it, by| changed(it, |it| it.assign(anna(StrategyName::HostEmail), by))),
    ("escalate_unassigned", |it, by| changed(it, |it| it.escalate_unassigned(Unassigned::NoHostInBooking, by))),
    ("record_hosts", |it, by| {
        let hosts = HostEvidence::None { reason: NoHost::Unknown, looked_up_again: true };
        changed(it, |it| it.record_hosts(hosts, by))
    }),
    ("defer_host_lookup", |it, by| changed(it, |it| it.defer_host_lookup(by.now, Category::CalcomUnavailable, by))),
    ("cancel_past", |it, by| changed(it, |it| it.cancel_past(by))),
    ("cancel_as_at_calcom", |it, by| as_worker(it, by, |claim| claim.cancel_as_at_calcom(by))),
    ("stall", |it, by| changed(it, |it| it.stall("it failed".to_owned(), by))),
    ("resume", |it, by| changed(it, |it| it.resume(by))),
    ("close", |it, by| changed(it, |it| it.close(Outcome::Completed, by))),
    ("reopen", |it, by| changed(it, |it| it.reopen(by))),
    ("reschedule", |it, by| changed(it, |it| it.reschedule(booking(), by))),
    ("mark_not_booked", |it, by| changed(it, |it| it.mark_not_booked(by))),
    ("wait_for_account", |it, by| changed(it, |it| it.wait_for_account(by.now, by))),
    ("use_own_contact", |it, by| {
        as_worker(it, by, |mut claim| {
            claim.use_own_contact(by);
            claim.retry_at(by.now, &UNKNOWN, by)
        })
    }),
    ("await_host", |it, by| changed(it, |it| it.await_host(by.now, by))),
    ("confirm_by_host", |it, by| changed(it, |it| it.confirm_by_host(booking(), by))),
    ("reassign_host", |it, by| changed(it, |it| it.reassign_host(booking().hosts, by))),
    ("request_again", |it, by| changed(it, |it| it.request_again(by))),
    ("defer_verification", |it, by| {
        changed(it, |it| {
            it.defer_verification(by.now, Category::CalcomUnavailable, by);
            if it.verification().is_some() { Ok(()) } else { it.cancel_past(by) }
        })
    }),
    ("verified", |mut it, by| {
        it.verification()?;
        it.verified(by);
        Some(it)
    }),
    ("escalate_rescheduled", |it, by| changed(it, |it| it.escalate_rescheduled(booking(), by))),
    ("decline", |it, by| as_worker(it, by, |claim| claim.decline(by))),
    ("request_move", |it, by| requesting(it, Change::Move { to: by.now + TimeDelta::days(1) }, by)),
    ("request_cancel", |it, by| requesting(it, Change::Cancel, by)),
    ("claim_change", |mut it, by| it.claim_change(LEASE, by).ok().map(|_| it)),
    ("defer_change", |mut it, by| {
        it.change()?;
        it.defer_change(by.now, Category::CalcomUnavailable, by);
        Some(it)
    }),
    ("decline_change", |mut it, by| {
        it.change()?;
        it.decline_change(by);
        Some(it)
    }),
    ("complete_move", |it, by| changed(it, |it| it.complete_move(booking(), by))),
    ("escalate_change", |it, by| changed(it, |it| it.escalate_change(&UNKNOWN, by))),
    ("cancel_for_customer", |it, by| changed(it, |it| it.cancel_for_customer(by))),
];

fn requesting(mut appointment: Appointment, change: Change, by: Actor<'_>) -> Option<Appointment> {
    appointment.request_change(change, by).ok().filter(|is_new| *is_new).map(|_| appointment)
}

fn events() -> impl Strategy<Value = Vec<(Event, i64)>> {
    proptest::collection::vec((proptest::sample::select(&EVENTS), 0_i64..200), 0..40)
}

fn is_final(appointment: &Appointment) -> bool {
    matches!(appointment.state().name(), StateName::Cancelled | StateName::Completed | StateName::NoShow)
}

proptest! {
    #[test]
    fn whatever_happened_before_an_appointment_ends_in_exactly_one_final_state(events in events()) {
        let mut appointment = requested(1000);
        let mut seconds = 0;
        for ((_, happen), waited) in events {
            seconds += waited;
            appointment = happen(appointment.clone(), by(seconds)).unwrap_or(appointment);
        }
        // What the reconciler, the worker that it wakes, and the cleanup do once nothing else happens.
        let later = by(seconds + 100_000);
        if let Ok(claim) = appointment.clone().claim(LEASE, later) {
            appointment = claim.cancel_past(later);
        }
        if appointment.is_past(later.now) {
            appointment.cancel_past(later).unwrap();
        } else if appointment.has_ended(later.now) {
            appointment.close(Outcome::Completed, later).unwrap();
        }
        let waits_for_a_person = matches!(
            appointment.state(),
            State::NeedsReview { booking: ReviewBooking::Unconfirmed(_), .. }
        );
        prop_assert!(is_final(&appointment) || waits_for_a_person, "{:?}", appointment.state());
        prop_assert_eq!(appointment.due(&Timing::default()), None);
    }

    #[test]
    fn any_order_of_events_keeps_the_rules(events in events()) {
        let mut appointment = requested(1000);
        let mut seconds = 0;
        for ((event, happen), waited) in events {
            seconds += waited;
            let Some(after) = happen(appointment.clone(), by(seconds)) else { continue };
            let before = std::mem::replace(&mut appointment, after);
            prop_assert!(appointment.history() != before.history(), "each change is in the history");
            let had_booking = before.booking().is_some() && event != "reopen";
            prop_assert!(!had_booking || appointment.booking().is_some(), "a booking is never forgotten");
            prop_assert!(!is_final(&before), "a final state never changes");
            let is_assigned = before.state().name() == StateName::Assigned;
            let by_customer = ["complete_move", "escalate_change", "cancel_for_customer"];
            let may_move = ["close", "reopen", "reschedule", "escalate_rescheduled"].contains(&event);
            let may_move = may_move || by_customer.contains(&event);
            let stays = appointment.state().name() == StateName::Assigned;
            prop_assert!(!is_assigned || may_move || stays, "an assigned one does not change by itself");
            prop_assert!(appointment.verification().is_none() || appointment.is_booked(), "only a booking is verified");
            prop_assert!(appointment.change().is_none() || appointment.is_booked(), "only a booking is changed");
        }
    }
}
