//! What one appointment adds to the figures.
//!
//! It is told by the appointment's record alone, so that all figures can be counted anew at any time and come out the
//! same. Each is put down to the version that did what is counted, or failed to: that stands in the history.
//!
//! What another system did before the appointment was imported is not counted as ours, neither for nor against us.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use scheduling::{
    appointment::{Appointment, CancelReason, Transition, State, StateName},
    assignment::{StrategyName, Unassigned},
    booking::{Booking, HostEvidence},
    failure::Category,
    tenant::Tenant,
};

use crate::{
    figures::{Dimensions, Counter, Counters, Step, StopReason, TimeBucket, Party},
    rate::Rate,
};

/// An appointment should be booked within this time.
const A_DAY: TimeDelta = TimeDelta::hours(24);

/// What stands for the version of what came from another system.
const IMPORTED: &str = "imported";

/// What an appointment adds, as it stands `now`. Without its tenant, who may be gone, days are those of UTC.
pub fn counters_of(appointment: &Appointment, tenant: Option<&Tenant>, now: DateTime<Utc>) -> Counters {
    let course = Course { appointment, lines: appointment.since_requested(), now };
    let asked_first = tenant.map_or_else(
        || appointment.created_at.naive_utc(),
        |tenant| appointment.created_at.with_timezone(&tenant.time_zone).naive_local(),
    );
    let service = tenant.and_then(|tenant| appointment.service(tenant)).cloned();
    let mut figures = Counters::default();
    let mut count = |by: &Transition, counter| {
        let cell = Dimensions {
            day: asked_first.date(),
            tenant: appointment.tenant.clone(),
            source: appointment.source.clone(),
            service: service.clone(),
            version: if by.is_imported() { IMPORTED.to_owned() } else { by.version.clone() },
        };
        figures.add(cell, counter, 1);
    };
    if let Some(first) = appointment.history().first() {
        count(first, Counter::Appointments);
    }
    for rate in Rate::ALL {
        if let Some((line, met)) = course.judge(rate) {
            count(line, Counter::Judged(rate));
            if met {
                count(line, Counter::Met(rate));
            }
        }
    }
    for category in Category::ALL {
        if let Some(line) = course.lines.iter().rfind(|line| line.why == category.as_str()) {
            count(line, Counter::CalcomError(category));
        }
    }
    if let Some((line, stop)) = course.stop(tenant) {
        count(line, Counter::Stopped(stop));
    }
    if let Some((line, false)) = course.judge(Rate::HostExtraction) {
        let hour = asked_first.hour().try_into().unwrap_or_default();
        count(line, Counter::WithoutHost { hour });
    }
    if let Some(line) = course.assigned_without_a_person() {
        let seconds = (line.at - appointment.requested_at()).as_seconds_f64();
        count(line, Counter::AssignedIn(TimeBucket::of_seconds(seconds)));
    }
    figures
}

/// What happened to an appointment since it was asked for.
struct Course<'a> {
    appointment: &'a Appointment,
    lines: &'a [Transition],
    now: DateTime<Utc>,
}

impl<'a> Course<'a> {
    /// Whether it is so for this appointment, and by whose doing. `None` where that is not decided yet, or not ours.
    fn judge(&self, rate: Rate) -> Option<(&'a Transition, bool)> {
        match rate {
            Rate::BookingIntegration => match self.booking() {
                Some(_) => Some((self.booked()?, true)),
                None => Some((self.unbooked()?, false)),
            },
            Rate::SyncIn24h => match self.booking() {
                Some(_) => {
                    let line = self.booked()?;
                    Some((line, line.at - self.appointment.requested_at() <= A_DAY))
                }
                None => Some((self.unbooked().or_else(|| self.overdue())?, false)),
            },
            Rate::HostExtraction => {
                let booked = self.booked()?;
                let told = self.last(Transition::tells_hosts_again).unwrap_or(booked);
                match &self.booking()?.hosts {
                    HostEvidence::Named(_) => Some((told, true)),
                    HostEvidence::None { .. } if self.is_in_progress() => None,
                    HostEvidence::None { .. } => Some((told, false)),
                }
            }
            Rate::StaffAssignment => match self.appointment.assignment() {
                Some(_) => Some((self.sought().or_else(|| self.booked())?, true)),
                None if self.is_in_progress() => None,
                None => Some((self.unassigned().or_else(|| self.unbooked())?, false)),
            },
            Rate::AutomaticMapping => {
                let HostEvidence::Named(_) = self.booking()?.hosts else { return None };
                match self.appointment.assignment().map(|assignment| assignment.strategy) {
                    Some(StrategyName::Imported) => None,
                    Some(StrategyName::Operator) => Some((self.sought()?, false)),
                    // A person may have added the mapping by which it was found.
                    Some(_) => self.sought().map(|line| (line, line.to == StateName::Assigned)),
                    None => Some((self.unassigned()?, false)),
                }
            }
            Rate::ManualIntervention => {
                if self.is_in_progress() || self.is_out_of_our_hands() {
                    return None;
                }
                let line = self.sought().or_else(|| self.unbooked()).or_else(|| self.booked());
                let is_hand = |line: &Transition| line.is_manual() && !line.is_imported() && !line.is_erasure();
                let by_a_person = |line: &Transition| is_hand(line) || line.to == StateName::NeedsReview;
                Some((line?, self.lines.iter().any(by_a_person)))
            }
        }
    }

    /// Where it stands still, and why.
    fn stop(&self, tenant: Option<&Tenant>) -> Option<(&'a Transition, StopReason)> {
        if let Some(line) = self.unbooked() {
            let step = if line.from.is_none() { Step::Intake } else { Step::Booking };
            let wished = self.appointment.request.staff.as_ref();
            let member = tenant.zip(wished).and_then(|(tenant, wished)| tenant.staff_called(wished.reveal()));
            let who = member.map(|member| Party::Staff(member.id.clone()));
            return Some((line, StopReason { step, reason: line.why.clone(), who }));
        }
        let line = self.unassigned()?;
        let is_hostless = line.why == Unassigned::NoHostInBooking.as_str();
        let who = match &self.booking()?.hosts {
            HostEvidence::Named(hosts) => Some(Party::Host(hosts.first().id)),
            HostEvidence::None { .. } => None,
        };
        let step = if is_hostless { Step::HostExtraction } else { Step::Assignment };
        Some((line, StopReason { step, reason: line.why.clone(), who }))
    }

    fn booking(&self) -> Option<&'a Booking> {
        self.appointment.booking()
    }

    fn is_in_progress(&self) -> bool {
        self.appointment.is_in_progress()
    }

    fn last(&self, is_it: impl Fn(&Transition) -> bool) -> Option<&'a Transition> {
        self.lines.iter().rfind(|line| is_it(line))
    }

    /// The line that tells that we booked it.
    fn booked(&self) -> Option<&'a Transition> {
        self.last(|line| line.to == StateName::Booked && line.from == Some(StateName::Booking))
    }

    /// The line that tells what came of looking for its staff member, before any person did.
    fn sought(&self) -> Option<&'a Transition> {
        let is_found = |line: &Transition| line.to == StateName::Assigned && line.from != Some(StateName::Assigned);
        self.last(|line| !line.is_manual() && !line.is_imported() && is_found(line)).or_else(|| self.given_up_booked())
    }

    fn given_up_booked(&self) -> Option<&'a Transition> {
        let is_it = |line: &Transition| {
            line.to == StateName::NeedsReview && line.from == Some(StateName::Booked) && !line.is_manual()
        };
        self.last(is_it)
    }

    /// The line that tells why it is booked and nobody's.
    fn unassigned(&self) -> Option<&'a Transition> {
        let is_nobodys = self.booking().is_some() && self.appointment.assignment().is_none() && !self.is_in_progress();
        // Its time may have gone by before anyone looked.
        self.given_up_booked().or_else(|| self.booked()).filter(|_| is_nobodys)
    }

    /// The line that tells why it is not booked and will not be by itself.
    fn unbooked(&self) -> Option<&'a Transition> {
        if self.booking().is_some() || self.is_in_progress() || self.is_out_of_our_hands() {
            return None;
        }
        // That its time went by is only the end of it where something else stopped it before.
        let is_stop = |line: &Transition| line.to == StateName::NeedsReview && !line.is_manual();
        self.last(is_stop).or_else(|| self.last(|line| line.to == StateName::Cancelled))
    }

    /// Its last line, where it is still not booked after a day.
    fn overdue(&self) -> Option<&'a Transition> {
        let is_late = self.is_in_progress() && self.now - self.appointment.requested_at() > A_DAY;
        self.lines.last().filter(|_| is_late)
    }

    /// Whether the customer ended it before it was booked, or had failed to be.
    fn is_out_of_our_hands(&self) -> bool {
        match self.appointment.state() {
            State::Cancelled { reason: CancelReason::CancelledAtCalcom, booking: None, .. } => true,
            State::Cancelled { reason: CancelReason::Erased, booking: None, .. } => {
                self.last(|line| line.to == StateName::NeedsReview).is_none()
            }
            _ => false,
        }
    }

    fn assigned_without_a_person(&self) -> Option<&'a Transition> {
        let strategy = self.appointment.assignment()?.strategy;
        let is_ours = !matches!(strategy, StrategyName::Operator | StrategyName::Imported);
        self.sought().filter(|line| is_ours && line.to == StateName::Assigned)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scheduling::{
        appointment::{Actor, OPERATOR, Outcome},
        assignment::Assignment,
        booking::{BookingStatus, Host, Hosts, NoHost},
        contact::Customer,
        ids::{AppointmentId, BookingUid, CallId, EventTypeId, HostId, Source, StaffId, TenantId},
        start_time::RequestedStart,
        request::AppointmentRequest,
    };

    use super::*;
    use crate::summary::{Ratio, Summary, clusters_of};

    fn at(seconds: i64) -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
    }

    fn by(seconds: i64, version: &'static str) -> Actor<'static> {
        Actor { function: "test", version, now: at(seconds) }
    }

    fn by_hand(seconds: i64) -> Actor<'static> {
        Actor { function: OPERATOR, version: "desk", now: at(seconds) }
    }

    fn requested(call: u32) -> Appointment {
        let request = AppointmentRequest {
            service: None,
            start: RequestedStart::At { at: at(86_400 * 3), note: None },
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
                .map_or(HostEvidence::None { because: NoHost::Empty, looked_up_again: true }, HostEvidence::Named),
        }
    }

    fn booked(host: Option<u64>) -> Appointment {
        let mut appointment = requested(0);
        appointment.claim(TimeDelta::seconds(90), by(1, "2")).unwrap();
        appointment.book(booking(host), "booked", by(2, "2")).unwrap();
        appointment
    }

    fn anna(strategy: StrategyName) -> Assignment {
        Assignment { staff: StaffId::new("anna"), strategy, host: None }
    }

    fn rates(appointment: &Appointment) -> Vec<(&'static str, Ratio)> {
        let summary = Summary::of(&counters_of(appointment, None, at(100)));
        Rate::ALL
            .into_iter()
            .map(|rate| (rate.as_str(), summary.rate(rate)))
            .filter(|(_, share)| share.of > 0)
            .collect()
    }

    const YES: Ratio = Ratio { met: 1, of: 1 };
    const NO: Ratio = Ratio { met: 0, of: 1 };

    #[test]
    fn the_good_way_meets_every_rate_and_each_step_stands_under_its_own_version() {
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
        let figures = counters_of(&appointment, None, at(100));
        let of_version = |version: &str| -> Vec<String> {
            figures
                .iter()
                .filter(|(cell, ..)| cell.version == version)
                .map(|(_, counter, _)| counter.to_string())
                .collect()
        };
        assert_eq!(of_version("1"), ["appointments"]);
        assert!(of_version("2").contains(&"met#host_extraction".to_owned()));
        assert!(of_version("3").contains(&"met#staff_assignment".to_owned()));
        let took = Summary::of(&figures).seconds_to_assigned.unwrap();
        assert!((3.0..3.6).contains(&took.p50), "{took:?}");
    }

    #[test]
    fn what_is_under_way_is_judged_by_nobody_until_a_day_is_over() {
        assert_eq!(rates(&requested(0)), []);
        let waiting = booked(None);
        assert_eq!(rates(&waiting), [("booking_integration", YES), ("sync_in_24h", YES)]);
        let late = Summary::of(&counters_of(&requested(0), None, at(86_401)));
        assert_eq!((late.rate(Rate::SyncIn24h), late.rate(Rate::BookingIntegration).of), (NO, 0));
    }

    #[test]
    fn a_booking_without_a_host_stops_at_the_step_that_should_have_read_it() {
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
        assert_eq!((stopped[0].step, stopped[0].who.clone()), (Step::Assignment, Some(Party::Host(HostId(7)))));
        appointment.assign_by_operator(anna(StrategyName::Operator), by_hand(50)).unwrap();
        assert_eq!(
            rates(&appointment)[3..],
            [("staff_assignment", YES), ("automatic_mapping", NO), ("manual_intervention", YES)]
        );
        assert_eq!(clusters_of(&counters_of(&appointment, None, at(100))), []);
        let figures = counters_of(&appointment, None, at(100));
        assert!(figures.iter().all(|(cell, ..)| cell.version != "desk"), "a command is no deployed version");
    }

    #[test]
    fn what_was_not_booked_keeps_its_first_reason_when_its_time_goes_by() {
        let mut appointment = requested(0);
        appointment.claim(TimeDelta::seconds(90), by(1, "2")).unwrap();
        appointment.escalate_booking(Category::HostConflict, None, vec![], None, by(2, "2")).unwrap();
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
        let mut refused = requested(0);
        refused.claim(TimeDelta::seconds(90), by(1, "2")).unwrap();
        refused.escalate_booking(Category::HostConflict, None, vec![], None, by(2, "2")).unwrap();
        for mut appointment in [assigned, refused] {
            let before = counters_of(&appointment, None, at(100));
            appointment.erase_customer(by_hand(60)).unwrap();
            assert_eq!(counters_of(&appointment, None, at(100)), before);
        }
    }

    #[test]
    fn what_a_person_mended_was_not_mapped_automatically() {
        let mut appointment = booked(Some(7));
        appointment.escalate_unassigned(Unassigned::HostUnknownToUs, by(3, "3")).unwrap();
        appointment.assign(anna(StrategyName::HostMapping), by_hand(50)).unwrap();
        assert_eq!(rates(&appointment)[4], ("automatic_mapping", NO));
    }

    #[test]
    fn a_booking_that_nobody_looked_at_before_its_time_went_by_counts_as_nobodys() {
        let mut appointment = booked(None);
        appointment.close(Outcome::Completed, by(86_400 * 5, "9")).unwrap();
        assert!(rates(&appointment).contains(&("staff_assignment", NO)));
        assert_eq!(clusters_of(&counters_of(&appointment, None, at(100)))[0].step, Step::Assignment);
    }

    #[test]
    fn what_another_system_did_is_neither_for_nor_against_us() {
        let (tenant, call) = (TenantId::new("salon"), CallId::new("import_1"));
        let request = requested(0).request;
        let source = Source::new("walk-in");
        let given = Some((booking(Some(7)), Some(StaffId::new("anna"))));
        let appointment = Appointment::imported(tenant, call, source, request, given, by_hand(0));
        assert!(counters_of(&appointment, None, at(9)).iter().all(|(cell, ..)| cell.version == "imported"));
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
            let (mut counters, mut counted) = (Counters::default(), Counters::default());
            for stage in cuts.into_iter().chain([3]) {
                let figures = counters_of(&stages[stage], None, at(100));
                counters.add_all(&figures.since(&counted));
                counted = figures;
            }
            prop_assert_eq!(counters, counters_of(&stages[3], None, at(100)));
        }
    }
}
