//! What tools do while the caller is on the line, and what the analysis of the call may add to it.
//!
//! The analysis is read by another model, from the transcript, minutes later: its words for the same wish differ. What a tool
//! booked, moved or cancelled is what the caller heard, so it counts; what no tool has settled is still open.

use serde::{Deserialize, Serialize};

use crate::{
    appointment::{Appointment, CancelReason, ChangeKind, State},
    ids::AppointmentId,
    request::Intent,
    tenant::Tenant,
};

/// What a tool did with an appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveAction {
    /// What.
    pub kind: LiveKind,
    /// With which one.
    pub appointment: AppointmentId,
}

/// A kind of action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveKind {
    /// It requested it.
    Book,
    /// It moved it.
    Move,
    /// It cancelled it.
    Cancel,
    /// It took a message.
    Message,
}

impl LiveKind {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Move => "move",
            Self::Cancel => "cancel",
            Self::Message => "message",
        }
    }

    /// Whether the action is what an analysis calls by this intent.
    fn is(self, intent: Intent) -> bool {
        matches!(
            (self, intent),
            (Self::Book, Intent::Book)
                | (Self::Move, Intent::Reschedule)
                | (Self::Cancel, Intent::Cancel)
                | (Self::Message, Intent::CallBack)
        )
    }

    /// Whether it may be what an analysis calls so: to book and to move are one wish in other words.
    fn may_be(self, intent: Intent) -> bool {
        let is_time = |kind| matches!(kind, Self::Book | Self::Move);
        match intent {
            Intent::Book | Intent::Reschedule => is_time(self),
            Intent::NotAnalyzed => true,
            _ => self.is(intent),
        }
    }

    /// Whether the record shows that the action was done, is being done, or is left to a person. A start that was not free, of
    /// which the caller heard, is none of these.
    fn counts(self, appointment: &Appointment) -> bool {
        match self {
            Self::Book => !matches!(appointment.state(), State::Cancelled { reason: CancelReason::NotFree, .. }),
            Self::Move => appointment.is_changing(ChangeKind::Move),
            Self::Cancel => appointment.is_changing(ChangeKind::Cancel),
            Self::Message => true,
        }
    }
}

/// The requests of an analysis that no tool has settled, in their order.
///
/// Each action settles one request: at first by start, then by service and person, and at last what is left on both
/// sides. What was cancelled settles a wish for its own start alone.
pub fn open_requests(
    requested: Vec<Appointment>,
    live: &[(Vec<LiveKind>, Appointment)],
    tenant: &Tenant,
) -> Vec<Appointment> {
    let settled = |(kinds, appointment): &'_ (Vec<LiveKind>, Appointment)| {
        kinds.iter().copied().filter(|kind| kind.counts(appointment)).collect::<Vec<_>>()
    };
    let mut live: Vec<Settled<'_>> =
        live.iter().map(|entry| Settled { kinds: settled(entry), appointment: &entry.1, has_settled: false }).collect();
    let mut open = requested;
    let passes: [Pass; 5] =
        [(true, same_start), (false, same_start), (true, same_service), (false, same_service), (false, same_intent)];
    for (is_exact, compare) in passes {
        open.retain(|request| {
            let intent = request.request.intent;
            let settles = |kind: LiveKind, settled: &Settled<'_>| {
                let appointment = settled.appointment;
                let is_gone =
                    kind == LiveKind::Book && !appointment.is_open() && !same_start(request, appointment, tenant);
                let fits = if is_exact { kind.is(intent) } else { kind.may_be(intent) && !settled.has_settled };
                fits && !is_gone && compare(request, appointment, tenant)
            };
            for settled in &mut live {
                if let Some(at) = settled.kinds.iter().position(|kind| settles(*kind, settled)) {
                    settled.kinds.remove(at);
                    settled.has_settled = true;
                    return false;
                }
            }
            true
        });
    }
    open
}

/// What tools did with one appointment, and what of it has not settled a request yet.
struct Settled<'a> {
    kinds: Vec<LiveKind>,
    appointment: &'a Appointment,
    has_settled: bool,
}

/// How a request is compared with what a tool did: whether by the very intent, and by the appointments.
type Pass = (bool, fn(&Appointment, &Appointment, &Tenant) -> bool);

fn same_start(request: &Appointment, settled: &Appointment, _: &Tenant) -> bool {
    let requested = request.request.start.at();
    let starts = [settled.request.start.at(), settled.start()];
    requested.is_some() && starts.contains(&requested) && may_be_one_person(request, settled)
}

fn same_service(request: &Appointment, settled: &Appointment, tenant: &Tenant) -> bool {
    let (wanted, done) = (request.service(tenant), settled.service(tenant));
    wanted.is_some() && wanted == done && may_be_one_person(request, settled)
}

/// What is left on both sides is one intent in other words, unless it names another service or another person.
fn same_intent(request: &Appointment, settled: &Appointment, tenant: &Tenant) -> bool {
    let (wanted, done) = (request.service(tenant), settled.service(tenant));
    (wanted.is_none() || done.is_none()) && may_be_one_person(request, settled)
}

fn may_be_one_person(one: &Appointment, other: &Appointment) -> bool {
    one.request.customer.may_be(&other.request.customer)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        appointment::Actor,
        contact::Customer,
        ids::{CallId, Source},
        personal::Personal,
        request::AppointmentRequest,
        start_time::RequestedStart,
        tenant::salon,
    };

    fn at(hour: i64) -> DateTime<Utc> {
        "2026-12-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour)
    }

    fn wish(intent: Intent, service: Option<&str>, hour: i64, name: &str) -> Appointment {
        let request = AppointmentRequest {
            intent,
            service: service.map(str::to_owned),
            start: RequestedStart::exactly(at(hour)),
            customer: Customer {
                name: (!name.is_empty()).then(|| Personal::new(name.to_owned())),
                ..Customer::default()
            },
            staff: None,
            notes: None,
        };
        let by = Actor { function: "test", version: "1", now: at(0), person: None };
        Appointment::new(salon().id, CallId::new("c"), Source::phone(), request, by)
    }

    fn first_service() -> String {
        salon().services[0].id.to_string()
    }

    fn open(requested: &[Appointment], live: &[(Vec<LiveKind>, Appointment)]) -> usize {
        open_requests(requested.to_vec(), live, &salon()).len()
    }

    #[test]
    fn an_analysis_in_other_words_of_what_was_booked_live_requests_nothing() {
        let service = first_service();
        let booked = (vec![LiveKind::Book], wish(Intent::Book, Some(&service), 10, "Erika Beispiel"));
        for said in [
            wish(Intent::Book, Some(&service), 10, "Beispiel"),
            wish(Intent::Book, Some(&service), 11, "Erika Beispiel"),
            wish(Intent::Book, None, 12, ""),
            wish(Intent::NotAnalyzed, None, 12, ""),
        ] {
            assert_eq!(open(&[said], std::slice::from_ref(&booked)), 0);
        }
    }

    #[test]
    fn what_was_left_open_is_still_requested() {
        let service = first_service();
        let booked = (vec![LiveKind::Book], wish(Intent::Book, Some(&service), 10, "Erika"));
        let own = wish(Intent::Book, Some(&service), 10, "Erika");
        let child = wish(Intent::Book, Some(&service), 11, "Max");
        assert_eq!(open(&[own.clone(), child], std::slice::from_ref(&booked)), 1, "another person");
        let cancel = wish(Intent::Cancel, None, 10, "Erika");
        assert_eq!(open(&[own.clone(), cancel.clone()], std::slice::from_ref(&booked)), 1, "no tool cancelled");
        let callback = wish(Intent::CallBack, None, 10, "Erika");
        assert_eq!(open(&[callback], std::slice::from_ref(&booked)), 1);
        let mut cancelled = wish(Intent::Book, Some(&service), 10, "Erika");
        cancelled.cancel_for_customer(Actor { function: "test", version: "1", now: at(0), person: None }).unwrap();
        let cancelled = (vec![LiveKind::Book, LiveKind::Cancel], cancelled);
        assert_eq!(open(std::slice::from_ref(&cancel), std::slice::from_ref(&cancelled)), 0);
        let noted_only = (vec![LiveKind::Cancel], wish(Intent::Book, Some(&service), 10, "Erika"));
        assert_eq!(open(&[cancel], &[noted_only]), 1, "the record shows no cancellation");
        let both = [wish(Intent::Cancel, None, 10, "Erika"), wish(Intent::Book, Some(&service), 10, "Erika")];
        assert_eq!(open(&both, std::slice::from_ref(&cancelled)), 0, "booked and cancelled in one call");
        let later = wish(Intent::Book, Some(&service), 14, "Erika");
        assert_eq!(open(&[later], &[cancelled]), 1, "what was cancelled settles its own start alone");
    }

    #[test]
    fn a_start_that_was_not_free_settles_nothing() {
        let service = first_service();
        let declined = wish(Intent::Book, Some(&service), 10, "Erika");
        let by = Actor { function: "test", version: "1", now: at(0), person: None };
        let declined = declined.claim(TimeDelta::minutes(1), by).unwrap().decline(by);
        assert_eq!(open(&[wish(Intent::Book, Some(&service), 10, "Erika")], &[(vec![LiveKind::Book], declined)]), 1);
    }

    proptest! {
        #[test]
        fn of_several_wishes_exactly_those_are_open_that_no_tool_settled(
            hours in proptest::collection::btree_set(8_i64..18, 1..6), done in proptest::collection::vec(any::<bool>(), 6),
            turned in 0_usize..6,
        ) {
            let service = first_service();
            let mut wishes: Vec<Appointment> =
                hours.iter().map(|hour| wish(Intent::Book, Some(&service), *hour, &format!("Person{hour}"))).collect();
            let live: Vec<_> = wishes.iter().zip(&done).filter(|(_, done)| **done)
                .map(|(wish, _)| (vec![LiveKind::Book], wish.clone())).collect();
            let expected = wishes.len() - live.len();
            let length = wishes.len();
            wishes.rotate_left(turned % length);
            prop_assert_eq!(open_requests(wishes, &live, &salon()).len(), expected);
        }
    }
}
