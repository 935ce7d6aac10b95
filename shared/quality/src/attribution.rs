//! Attribution: what one appointment adds to the counters.
//!
//! It depends on the appointment's record alone, so that counting everything again gives the same counters. Each counter
//! is attributed to the version that did what is counted, or failed to: the history names it.
//!
//! What another system did before the appointment was imported is attributed to no version of ours.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use scheduling::{
    appointment::{Appointment, CancelReason, Cause, ReviewReason, State, StateName, Transition},
    assignment::{StrategyName, Unassigned},
    booking::{Booking, HostEvidence},
    failure::Category,
    request::Intent,
    tenant::Tenant,
};

use crate::{
    counters::{Counter, Counters, Dimensions, Party, Step, StopReason, TimeBucket},
    rate::Rate,
};

/// An appointment should be booked within this time.
const A_DAY: TimeDelta = TimeDelta::hours(24);

/// The version of everything that another system did.
const IMPORTED: &str = "imported";

/// What an appointment adds as of `now`. Without its tenant, days are those of UTC.
pub fn counters_of(appointment: &Appointment, tenant: Option<&Tenant>, now: DateTime<Utc>) -> Counters {
    let course = Course { appointment, transitions: appointment.since_requested(), now };
    let created_at = tenant.map_or_else(
        || appointment.created_at.naive_utc(),
        |tenant| appointment.created_at.with_timezone(&tenant.time_zone).naive_local(),
    );
    let service = tenant.and_then(|tenant| appointment.service(tenant)).cloned();
    let mut counters = Counters::default();
    let mut count = |by: &Transition, counter| {
        let dimensions = Dimensions {
            day: created_at.date(),
            tenant: appointment.tenant.clone(),
            source: appointment.source.clone(),
            service: service.clone(),
            version: if by.cause == Cause::Imported { IMPORTED.to_owned() } else { by.version.clone() },
        };
        counters.add(dimensions, counter, 1);
    };
    if let Some(first) = appointment.history().first() {
        count(first, Counter::Appointments);
    }
    for rate in Rate::ALL {
        if let Some((transition, met)) = course.judge(rate) {
            count(transition, Counter::Judged(rate));
            if met {
                count(transition, Counter::Met(rate));
            }
        }
    }
    for category in Category::ALL {
        if let Some(transition) = course.last(|transition| is_failure(&transition.cause, category)) {
            count(transition, Counter::Failed(category));
        }
    }
    if let Some((transition, stop)) = course.stop(tenant) {
        count(transition, Counter::Stopped(stop));
    }
    if let Some((transition, false)) = course.judge(Rate::HostExtraction) {
        let hour = created_at.hour().try_into().unwrap_or_default();
        count(transition, Counter::WithoutHost { hour });
    }
    if let Some(transition) = course.assigned_automatically() {
        let seconds = (transition.at - appointment.requested_at()).as_seconds_f64();
        count(transition, Counter::AssignedIn(TimeBucket::of_seconds(seconds)));
    }
    counters
}

/// An appointment that is cancelled because its start passed has failed with that category.
fn is_failure(cause: &Cause, category: Category) -> bool {
    *cause == Cause::Failed(category) || (category == Category::Past && *cause == Cause::Cancelled(CancelReason::Past))
}

/// What happened to an appointment since it was requested.
struct Course<'a> {
    appointment: &'a Appointment,
    transitions: &'a [Transition],
    now: DateTime<Utc>,
}

impl<'a> Course<'a> {
    /// Whether the rate is met, and by which transition. `None` if that is undecided, or not ours.
    fn judge(&self, rate: Rate) -> Option<(&'a Transition, bool)> {
        match rate {
            Rate::BookingIntegration => match self.booking() {
                Some(_) => Some((self.booked()?, true)),
                None => Some((self.unbooked()?, false)),
            },
            Rate::SyncIn24h => match self.booking() {
                Some(_) => {
                    let booked = self.booked()?;
                    Some((booked, booked.at - self.appointment.requested_at() <= A_DAY))
                }
                None => Some((self.unbooked().or_else(|| self.overdue())?, false)),
            },
            Rate::HostExtraction => {
                let booked = self.booked()?;
                let looked_up = self.last(|transition| transition.cause == Cause::HostsRefreshed).unwrap_or(booked);
                match &self.booking()?.hosts {
                    HostEvidence::Named(_) => Some((looked_up, true)),
                    HostEvidence::None { .. } if self.is_in_progress() => None,
                    HostEvidence::None { .. } => Some((looked_up, false)),
                }
            }
            Rate::StaffAssignment => match self.appointment.assignment() {
                Some(_) => Some((self.looked_for().or_else(|| self.booked())?, true)),
                None if self.is_in_progress() => None,
                None => Some((self.unassigned().or_else(|| self.unbooked())?, false)),
            },
            Rate::AutomaticMapping => {
                let HostEvidence::Named(_) = self.booking()?.hosts else { return None };
                match self.appointment.assignment().map(|assignment| assignment.strategy) {
                    Some(StrategyName::Imported) => None,
                    Some(StrategyName::Operator) => Some((self.looked_for()?, false)),
                    // A person may have added the mapping that matched.
                    Some(_) => self.looked_for().map(|it| (it, it.to == StateName::Assigned)),
                    None => Some((self.unassigned()?, false)),
                }
            }
            Rate::ManualIntervention => {
                if self.is_in_progress() || self.is_customers_decision() {
                    return None;
                }
                let decided = self.looked_for().or_else(|| self.unbooked()).or_else(|| self.booked());
                Some((decided?, self.transitions.iter().any(needed_a_person)))
            }
        }
    }

    /// Where it stopped, and why.
    fn stop(&self, tenant: Option<&Tenant>) -> Option<(&'a Transition, StopReason)> {
        if let Some(transition) = self.unbooked() {
            let step = if transition.from.is_none() { Step::Intake } else { Step::Booking };
            let requested = self.appointment.request.staff.as_ref();
            let member = tenant.zip(requested).and_then(|(tenant, requested)| tenant.staff_called(requested.reveal()));
            let party = member.map(|member| Party::Staff(member.id.clone()));
            return Some((transition, StopReason { step, reason: transition.cause.detail(), party }));
        }
        let transition = self.unassigned()?;
        let is_without_host = transition.cause == Cause::Unassigned(Unassigned::NoHostInBooking);
        let party = match &self.booking()?.hosts {
            HostEvidence::Named(hosts) => Some(Party::Host(hosts.first().id)),
            HostEvidence::None { .. } => None,
        };
        let step = if is_without_host { Step::HostExtraction } else { Step::Assignment };
        Some((transition, StopReason { step, reason: transition.cause.detail(), party }))
    }

    fn booking(&self) -> Option<&'a Booking> {
        self.appointment.booking()
    }

    fn is_in_progress(&self) -> bool {
        self.appointment.is_in_progress()
    }

    fn last(&self, is_it: impl Fn(&Transition) -> bool) -> Option<&'a Transition> {
        self.transitions.iter().rfind(|transition| is_it(transition))
    }

    /// When we booked it.
    fn booked(&self) -> Option<&'a Transition> {
        self.last(|it| it.to == StateName::Booked && it.from == Some(StateName::Booking))
    }

    /// The result of looking for its staff member, before any person did.
    fn looked_for(&self) -> Option<&'a Transition> {
        let is_found = |it: &Transition| it.to == StateName::Assigned && it.from != Some(StateName::Assigned);
        let is_ours = |it: &Transition| !it.is_manual() && it.cause != Cause::Imported;
        self.last(|it| is_ours(it) && is_found(it)).or_else(|| self.escalated_booked())
    }

    fn escalated_booked(&self) -> Option<&'a Transition> {
        self.last(|it| it.to == StateName::NeedsReview && it.from == Some(StateName::Booked) && !it.is_manual())
    }

    /// Why it is booked and not assigned.
    fn unassigned(&self) -> Option<&'a Transition> {
        // One that was moved after it had been assigned waits for its customer.
        let is_moved = match self.appointment.review_reason() {
            Some(ReviewReason::Intent(intent)) => matches!(intent, Intent::Reschedule | Intent::Cancel),
            reason => reason == Some(ReviewReason::Rescheduled),
        };
        let is_unassigned =
            self.booking().is_some() && self.appointment.assignment().is_none() && !self.is_in_progress() && !is_moved;
        let is_unassigned = is_unassigned && !self.is_customers_decision();
        // Its start may have passed before anything looked for its staff member.
        self.escalated_booked().or_else(|| self.booked()).filter(|_| is_unassigned)
    }

    /// Why it is not booked and will not be without a person.
    fn unbooked(&self) -> Option<&'a Transition> {
        if self.booking().is_some() || self.is_in_progress() || self.is_customers_decision() {
            return None;
        }
        // If something else stopped it before its start passed, that is the reason.
        let is_stop = |it: &Transition| it.to == StateName::NeedsReview && !it.is_manual();
        self.last(is_stop).or_else(|| self.last(|it| it.to == StateName::Cancelled))
    }

    /// Its last transition, if it is still unbooked after a day.
    fn overdue(&self) -> Option<&'a Transition> {
        let is_late = self.is_in_progress() && self.now - self.appointment.requested_at() > A_DAY;
        self.transitions.last().filter(|_| is_late)
    }

    /// Whether the customer ended it before it failed, or chose another start.
    fn is_customers_decision(&self) -> bool {
        match self.appointment.state() {
            State::Cancelled {
                reason: CancelReason::CancelledAtCalcom | CancelReason::NotFree, booking: None, ..
            } => true,
            State::Cancelled { reason: CancelReason::ByCustomer, .. }
            | State::Cancelled { reason: CancelReason::Erased, booking: None, .. } => {
                self.last(|it| it.to == StateName::NeedsReview).is_none()
            }
            _ => false,
        }
    }

    fn assigned_automatically(&self) -> Option<&'a Transition> {
        let strategy = self.appointment.assignment()?.strategy;
        let is_ours = !matches!(strategy, StrategyName::Operator | StrategyName::Imported);
        self.looked_for().filter(|it| is_ours && it.to == StateName::Assigned)
    }
}

/// Whether a person made the transition, or has to make the next one.
fn needed_a_person(transition: &Transition) -> bool {
    let is_bookkeeping = matches!(transition.cause, Cause::Imported | Cause::Erased | Cause::Noted);
    (transition.is_manual() && !is_bookkeeping) || transition.to == StateName::NeedsReview
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scheduling::{
        appointment::{Actor, Claimed, Confirmation, OPERATOR, Outcome},
        assignment::Assignment,
        booking::{BookingStatus, Host, Hosts, NoHost},
        contact::Customer,
        failure::BookingFailure,
        ids::{AppointmentId, BookingUid, CallId, EventTypeId, HostId, Source, StaffId, TenantId},
        request::AppointmentRequest,
        start_time::RequestedStart,
    };

    use super::*;
    use crate::summary::{Ratio, Summary, clusters_of};

    fn at(seconds: i64) -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
    }

    fn by(seconds: i64, version: &'static str) -> Actor<'static> {
        Actor { function: "test", version, now: at(seconds), person: None }
    }

    fn by_hand(seconds: i64) -> Actor<'static> {
        Actor { function: OPERATOR, version: "desk", now: at(seconds), person: None }
    }

    fn requested(call: u32) -> Appointment {
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: None,
            start: RequestedStart::exactly(at(86_400 * 3)),
            customer: Customer::default(),
            staff: None,
            notes: None,
        };
        let call = CallId::new(format!("call_{call}"));
        Appointment::new(TenantId::new("salon"), call, Source::phone(), request, by(0, "1"))
    }

    fn booking(host: Option<u64>) -> Booking {
        let hosts = host.map(|id| Host { id: HostId(id), email: None, display_email: None });
        Booking {
            uid: BookingUid::new("uid"),
            status: BookingStatus::Accepted,
            event_type: EventTypeId(1),
            start: at(86_400 * 3),
            hosts: Hosts::try_from(hosts.into_iter().collect::<Vec<_>>())
                .map_or(HostEvidence::None { reason: NoHost::Empty, looked_up_again: true }, HostEvidence::Named),
        }
    }

    const SLOT_TAKEN: BookingFailure = BookingFailure::SlotTaken { proposals: Vec::new(), closed: None };

    fn claimed(appointment: Appointment) -> Claimed {
        appointment.claim(TimeDelta::seconds(90), by(1, "2")).unwrap()
    }

    fn booked(host: Option<u64>) -> Appointment {
        claimed(requested(0)).confirm(booking(host), Confirmation::Booked, by(2, "2"))
    }

    fn anna(strategy: StrategyName) -> Assignment {
        Assignment { staff: StaffId::new("anna"), strategy, host: None }
    }

    fn rates(appointment: &Appointment) -> Vec<(&'static str, Ratio)> {
        let summary = Summary::of(&counters_of(appointment, None, at(100)));
        Rate::ALL
            .into_iter()
            .map(|rate| (rate.as_str(), summary.rate(rate)))
            .filter(|(_, ratio)| ratio.of > 0)
            .collect()
    }

    const YES: Ratio = Ratio { met: 1, of: 1 };
    const NO: Ratio = Ratio { met: 0, of: 1 };

    #[test]
    fn the_happy_path_meets_every_rate_and_each_step_counts_for_its_own_version() {
        let mut appointment = booked(Some(7));
        appointment.assign(anna(StrategyName::HostEmail), by(3, "3")).unwrap();
        assert_eq!(
            rates(&appointment),
            [
                ("booking_integration", YES),
                ("sync_in_24h", YES),
                ("host_extraction", YES),
                ("staff_assignment", YES),
                ("automatic_mapping", YES),
                ("manual_intervention", NO),
            ]
        );
        let counters = counters_of(&appointment, None, at(100));
        let of_version = |version: &str| -> Vec<String> {
            counters
                .iter()
                .filter(|(dimensions, ..)| dimensions.version == version)
                .map(|(_, counter, _)| counter.to_string())
                .collect()
        };
        assert_eq!(of_version("1"), ["appointments"]);
        assert!(of_version("2").contains(&"met#host_extraction".to_owned()));
        assert!(of_version("3").contains(&"met#staff_assignment".to_owned()));
        let took = Summary::of(&counters).seconds_to_assigned.unwrap();
        assert!((3.0..3.6).contains(&took.p50), "{took:?}");
    }

    #[test]
    fn an_appointment_in_progress_is_undecided_until_a_day_has_passed() {
        assert_eq!(rates(&requested(0)), []);
        let waiting = booked(None);
        assert_eq!(rates(&waiting), [("booking_integration", YES), ("sync_in_24h", YES)]);
        let late = Summary::of(&counters_of(&requested(0), None, at(86_401)));
        assert_eq!((late.rate(Rate::SyncIn24h), late.rate(Rate::BookingIntegration).of), (NO, 0));
    }

    #[test]
    fn a_booking_without_a_host_stops_at_host_extraction() {
        let mut appointment = booked(None);
        appointment.escalate_unassigned(Unassigned::NoHostInBooking, by(3, "3")).unwrap();
        assert_eq!(
            rates(&appointment),
            [
                ("booking_integration", YES),
                ("sync_in_24h", YES),
                ("host_extraction", NO),
                ("staff_assignment", NO),
                ("manual_intervention", YES),
            ]
        );
        let clusters = clusters_of(&counters_of(&appointment, None, at(100)));
        assert_eq!((clusters.len(), clusters[0].step), (1, Step::HostExtraction));
        assert_eq!((clusters[0].reason.as_str(), clusters[0].version.as_str()), ("no_host_in_booking", "3"));
    }

    #[test]
    fn a_hand_that_mends_it_counts_as_a_hand() {
        let mut appointment = booked(Some(7));
        appointment.escalate_unassigned(Unassigned::HostUnknownToUs, by(3, "3")).unwrap();
        let stopped = clusters_of(&counters_of(&appointment, None, at(100)));
        assert_eq!((stopped[0].step, stopped[0].party.clone()), (Step::Assignment, Some(Party::Host(HostId(7)))));
        appointment.assign_by_operator(anna(StrategyName::Operator), by_hand(50)).unwrap();
        assert_eq!(
            rates(&appointment)[3..],
            [("staff_assignment", YES), ("automatic_mapping", NO), ("manual_intervention", YES)]
        );
        assert_eq!(clusters_of(&counters_of(&appointment, None, at(100))), []);
        let counters = counters_of(&appointment, None, at(100));
        assert!(
            counters.iter().all(|(dimensions, ..)| dimensions.version != "desk"),
            "a command is no deployed version"
        );
    }

    #[test]
    fn what_was_not_booked_keeps_its_first_reason_when_its_time_goes_by() {
        let appointment = requested(0);
        let mut appointment = claimed(appointment).escalate(&SLOT_TAKEN, by(2, "2"));
        let before = counters_of(&appointment, None, at(100));
        appointment.cancel_past(by(86_400 * 4, "9")).unwrap();
        let after = counters_of(&appointment, None, at(86_400 * 4));
        assert_eq!(clusters_of(&before), clusters_of(&after));
        assert_eq!(Summary::of(&after).failures, [(Category::Past, 1), (Category::HostConflict, 1)].into());
    }

    #[test]
    fn what_became_of_a_booking_later_changes_no_figure() {
        for outcome in [Outcome::Completed, Outcome::NoShow, Outcome::CancelledAtCalcom] {
            let mut appointment = booked(Some(7));
            appointment.assign(anna(StrategyName::HostEmail), by(3, "3")).unwrap();
            let before = counters_of(&appointment, None, at(100));
            appointment.close(outcome, by(86_400 * 5, "9")).unwrap();
            assert_eq!(counters_of(&appointment, None, at(86_400 * 5)), before, "{outcome:?}");
        }
    }

    #[test]
    fn an_erased_customer_changes_no_rate() {
        let mut assigned = booked(Some(7));
        assigned.assign(anna(StrategyName::HostEmail), by(3, "3")).unwrap();
        let refused = claimed(requested(0)).escalate(&SLOT_TAKEN, by(2, "2"));
        for mut appointment in [assigned, refused] {
            let before = counters_of(&appointment, None, at(100));
            appointment.erase_customer(by_hand(60)).unwrap();
            assert_eq!(counters_of(&appointment, None, at(100)), before);
        }
    }

    #[test]
    fn a_mapping_that_a_person_added_was_not_automatic() {
        let mut appointment = booked(Some(7));
        appointment.escalate_unassigned(Unassigned::HostUnknownToUs, by(3, "3")).unwrap();
        appointment.assign(anna(StrategyName::HostMapping), by_hand(50)).unwrap();
        assert_eq!(rates(&appointment)[4], ("automatic_mapping", NO));
    }

    #[test]
    fn a_booking_that_ended_before_any_look_up_counts_as_unassigned() {
        let mut appointment = booked(None);
        appointment.close(Outcome::Completed, by(86_400 * 5, "9")).unwrap();
        assert!(rates(&appointment).contains(&("staff_assignment", NO)));
        assert_eq!(clusters_of(&counters_of(&appointment, None, at(100)))[0].step, Step::Assignment);
    }

    #[test]
    fn what_another_system_did_does_not_count_for_or_against_us() {
        let (tenant, call) = (TenantId::new("salon"), CallId::new("import_1"));
        let request = requested(0).request;
        let source = Source::new("walk-in");
        let given = Some((booking(Some(7)), Some(StaffId::new("anna"))));
        let appointment = Appointment::imported(tenant, call, source, request, given, by_hand(0));
        assert!(counters_of(&appointment, None, at(9)).iter().all(|(dimensions, ..)| dimensions.version == "imported"));
        assert_eq!(appointment.id, AppointmentId::of_call(&TenantId::new("salon"), &CallId::new("import_1")));
        assert_eq!(rates(&appointment), []);
    }

    proptest! {
        #[test]
        fn however_often_and_in_whatever_order_it_is_counted_it_counts_once(
            cuts in proptest::collection::vec(0_usize..4, 0..12),
        ) {
            let mut stages = vec![requested(0)];
            stages.push(booked(Some(7)));
            let mut unassigned = booked(Some(7));
            unassigned.escalate_unassigned(Unassigned::HostUnknownToUs, by(3, "3")).unwrap();
            stages.push(unassigned.clone());
            unassigned.assign_by_operator(anna(StrategyName::Operator), by_hand(50)).unwrap();
            stages.push(unassigned);
            let (mut total, mut counted) = (Counters::default(), Counters::default());
            for stage in cuts.into_iter().chain([3]) {
                let counters = counters_of(&stages[stage], None, at(100));
                total.add_all(&counters.since(&counted));
                counted = counters;
            }
            prop_assert_eq!(total, counters_of(&stages[3], None, at(100)));
        }
    }
}
