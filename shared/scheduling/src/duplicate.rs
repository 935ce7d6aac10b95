//! When two calls request the same appointment.
//!
//! One customer, one service, one start: one appointment. Customers who share a contact, such as a family, have one
//! each, unless their names may belong to one person.

use crate::appointment::Appointment;

/// How an existing appointment for the same contact, service and start relates to a requested one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicate {
    /// It is what is requested: the call is linked to it.
    Same,
    /// It belongs to another person with the same contact.
    OtherPerson,
    /// It has ended: the requested one replaces it.
    Closed,
}

/// Judges the existing appointment, if it is still stored.
pub fn judge(existing: Option<&Appointment>, requested: &Appointment) -> Duplicate {
    match existing {
        Some(existing) if satisfies(existing, requested) => Duplicate::Same,
        Some(existing) if existing.is_open() => Duplicate::OtherPerson,
        _ => Duplicate::Closed,
    }
}

/// Judges the existing appointment against an imported one: two bookings at Cal.com stay two appointments.
pub fn judge_imported(existing: Option<&Appointment>, imported: &Appointment) -> Duplicate {
    let bookings = existing.and_then(Appointment::booking).zip(imported.booking());
    match existing {
        Some(existing) if satisfies(existing, imported) && bookings.is_none_or(|(one, other)| one.uid == other.uid) => {
            Duplicate::Same
        }
        _ => Duplicate::OtherPerson,
    }
}

/// Whether `existing` satisfies `requested`. One whose start was corrected, or settled by a person, no longer does.
fn satisfies(existing: &Appointment, requested: &Appointment) -> bool {
    let minute = |appointment: &Appointment| appointment.request.start.at().map(|at| at.timestamp() / 60);
    existing.is_open()
        && minute(existing) == minute(requested)
        && existing.tenant == requested.tenant
        && existing.request.customer.may_be(&requested.request.customer)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::{
        appointment::Actor,
        contact::Customer,
        ids::{CallId, Source, TenantId},
        personal::Personal,
        request::{AppointmentRequest, Intent},
        start_time::RequestedStart,
    };

    fn requested_by(name: &str) -> Appointment {
        let now: DateTime<Utc> = "2026-12-01T08:00:00Z".parse().unwrap();
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: Some("cut".to_owned()),
            start: RequestedStart::exactly(now + TimeDelta::hours(1)),
            customer: Customer { name: Some(Personal::new(name.to_owned())), ..Customer::default() },
            staff: None,
            notes: None,
        };
        let by = Actor { function: "test", version: "1", now, person: None };
        Appointment::new(TenantId::new("salon"), CallId::new(name), Source::phone(), request, by)
    }

    #[test]
    fn a_person_who_calls_twice_has_one_appointment_and_a_family_has_one_each() {
        let (mother, again, child) = (requested_by("Erika Beispiel"), requested_by("Beispiel"), requested_by("Max"));
        assert_eq!(judge(Some(&mother), &again), Duplicate::Same);
        assert_eq!(judge(Some(&mother), &child), Duplicate::OtherPerson);
    }

    #[test]
    fn a_closed_or_vanished_appointment_makes_room_for_the_requested_one() {
        let mut closed = requested_by("Erika");
        let later = "2026-12-02T08:00:00Z".parse().unwrap();
        closed.cancel_past(Actor { function: "test", version: "1", now: later, person: None }).unwrap();
        assert_eq!(judge(Some(&closed), &requested_by("Erika")), Duplicate::Closed);
        assert_eq!(judge(None, &requested_by("Erika")), Duplicate::Closed);
    }
}
