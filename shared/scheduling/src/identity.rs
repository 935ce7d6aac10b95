//! Whose appointments a caller may hear of, move and cancel.
//!
//! A number identifies its people; several who share one are told apart by their names. Behind a hidden number may be
//! anybody: only who knows the day and the whole name hears anything, and hears nothing else.

use crate::appointment::Appointment;

/// Who a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified<'a> {
    /// The one to whom these belong: none, if the caller has none.
    As(Vec<&'a Appointment>),
    /// Several people share the number: the caller has to say a name.
    AskName,
}

/// Finds the caller's appointments among those of a number, or, if the number is hidden, among those of a day.
pub fn identify<'a>(appointments: &[&'a Appointment], is_number_known: bool, name: Option<&str>) -> Identified<'a> {
    let of_name = |named: &dyn Fn(&Appointment, &str) -> bool, name: &str| {
        appointments.iter().copied().filter(|appointment| named(appointment, name)).collect()
    };
    match (is_number_known, name) {
        (false, None) => Identified::As(Vec::new()),
        (false, Some(name)) => Identified::As(of_name(&|it, name| it.request.customer.is_called(name), name)),
        (true, Some(name)) if is_shared(appointments) => {
            Identified::As(of_name(&|it, name| it.request.customer.may_be_called(name), name))
        }
        (true, None) if is_shared(appointments) => Identified::AskName,
        (true, _) => Identified::As(appointments.to_vec()),
    }
}

/// Whether the appointments belong to several people.
pub fn is_shared(appointments: &[&Appointment]) -> bool {
    appointments.iter().enumerate().any(|(at, one)| {
        let customer = &one.request.customer;
        appointments.iter().skip(at + 1).any(|other| !customer.may_be(&other.request.customer))
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::{
        appointment::Actor,
        contact::Customer,
        ids::{CallId, Source, TenantId},
        personal::Personal,
        request::{AppointmentRequest, Intent},
        start_time::RequestedStart,
    };

    fn of(name: &str) -> Appointment {
        let now: DateTime<Utc> = "2026-12-01T08:00:00Z".parse().unwrap();
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: None,
            start: RequestedStart::exactly(now),
            customer: Customer { name: Some(Personal::new(name.to_owned())), ..Customer::default() },
            staff: None,
            notes: None,
        };
        let by = Actor { function: "test", version: "1", now };
        Appointment::new(TenantId::new("salon"), CallId::new(name), Source::phone(), request, by)
    }

    fn found(names: &[&str], is_known: bool, name: Option<&str>) -> Option<usize> {
        let all: Vec<Appointment> = names.iter().map(|name| of(name)).collect();
        match identify(&all.iter().collect::<Vec<_>>(), is_known, name) {
            Identified::As(theirs) => Some(theirs.len()),
            Identified::AskName => None,
        }
    }

    #[test]
    fn a_number_that_several_share_asks_for_the_name() {
        assert_eq!(found(&["Erika Beispiel", "Erika Beispiel"], true, None), Some(2));
        assert_eq!(found(&["Erika Beispiel", "Max Beispiel"], true, None), None);
        assert_eq!(found(&["Erika Beispiel", "Max Beispiel"], true, Some("Erika")), Some(1));
        assert_eq!(found(&["Erika Beispiel", "Max Beispiel"], true, Some("Anna")), Some(0));
    }

    #[test]
    fn a_hidden_number_needs_the_whole_name() {
        for (name, count) in [("Erika Beispiel", 1), ("beispiel, erika", 1), ("Beispiel", 0), ("Erika", 0), ("", 0)] {
            assert_eq!(found(&["Erika Beispiel", "Max"], false, Some(name)), Some(count), "{name}");
        }
        assert_eq!(found(&["Max"], false, Some("Max")), Some(0), "a first name is no name to know");
        assert_eq!(found(&["Erika Beispiel"], false, None), Some(0));
    }
}
