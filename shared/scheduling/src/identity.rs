//! Whose appointments a caller may hear of, move and cancel.
//!
//! A number identifies its people; several who share one are told apart by their names. Behind a hidden number may be
//! anybody: only who knows the day and the whole name hears anything, and hears nothing else.

use chrono::{DateTime, Utc};

use crate::{appointment::Appointment, ids::ServiceId, spoken_time::TimeReading, tenant::Tenant};

/// Who a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified<'a> {
    /// The one to whom these belong: none, if the caller has none.
    As(Vec<&'a Appointment>),
    /// Several people share the number: the caller has to say a name.
    AskName,
}

/// Finds the caller's coming appointments among all that are stored of a number, or, if the number is hidden, among those of
/// a day.
pub fn identify<'a>(
    stored: &[&'a Appointment],
    is_number_known: bool,
    name: Option<&str>,
    now: DateTime<Utc>,
) -> Identified<'a> {
    let coming = || stored.iter().copied().filter(|appointment| appointment.is_coming(now));
    let (is_shared_by_all, name) = (is_shared(stored), name.filter(|_| !stored.is_empty()));
    let theirs: Vec<&Appointment> = match (is_number_known, name) {
        (false, None) => Vec::new(),
        (false, Some(name)) => coming().filter(|it| it.request.customer.is_called(name)).collect(),
        (true, None) if is_shared_by_all => return Identified::AskName,
        (true, None) => coming().collect(),
        (true, Some(name)) if is_shared_by_all => {
            let theirs: Vec<&Appointment> = coming().filter(|it| it.request.customer.may_be_called(name)).collect();
            // The last name of a family.
            if is_shared(&theirs) {
                return Identified::AskName;
            }
            theirs
        }
        // Names are misheard: another spelling of one word is still the number's owner.
        (true, Some(name)) => coming().filter(|it| it.request.customer.may_be_heard_as(name)).collect(),
    };
    Identified::As(theirs)
}

/// Whether the appointments belong to several people.
pub fn is_shared(appointments: &[&Appointment]) -> bool {
    appointments.iter().enumerate().any(|(at, one)| {
        let customer = &one.request.customer;
        appointments.iter().skip(at + 1).any(|other| !customer.may_be(&other.request.customer))
    })
}

/// What a caller says of the appointment that is meant. Whatever is said has to fit: nothing else is moved or cancelled.
#[derive(Debug, Default)]
pub struct Which<'w> {
    /// Its id, which an earlier answer named.
    pub id: Option<&'w str>,
    /// When it is.
    pub time: Option<TimeReading>,
    /// Its service.
    pub service: Option<&'w ServiceId>,
}

impl Which<'_> {
    /// Whether it fits an appointment.
    pub fn fits(&self, appointment: &Appointment, tenant: &Tenant) -> bool {
        let id = self.id.is_none_or(|id| appointment.id.as_str() == id);
        let is_then = |time: &TimeReading| {
            appointment.start().is_some_and(|start| time.names_day_of(start, tenant.time_zone).unwrap_or(true))
        };
        let service = self.service.is_none_or(|service| appointment.service(tenant) == Some(service));
        id && self.time.as_ref().is_none_or(is_then) && service
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        appointment::Actor,
        contact::Customer,
        ids::{CallId, Source, TenantId},
        personal::Personal,
        request::{AppointmentRequest, Intent},
        start_time::RequestedStart,
    };

    fn now() -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    fn of(name: &str) -> Appointment {
        starting(name, 1)
    }

    fn starting(name: &str, hours: i64) -> Appointment {
        let now = now();
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: None,
            start: RequestedStart::exactly(now + TimeDelta::hours(hours)),
            customer: Customer { name: Some(Personal::new(name.to_owned())), ..Customer::default() },
            staff: None,
            notes: None,
        };
        let by = Actor { function: "test", version: "1", now, person: None };
        Appointment::new(TenantId::new("salon"), CallId::new(name), Source::phone(), request, by)
    }

    fn found(names: &[&str], is_known: bool, name: Option<&str>) -> Option<usize> {
        let all: Vec<Appointment> = names.iter().map(|name| of(name)).collect();
        match identify(&all.iter().collect::<Vec<_>>(), is_known, name, now()) {
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
        assert_eq!(found(&["Erika Beispiel", "Max Beispiel"], true, Some("Beispiel")), None, "the whole family");
        let (coming, past) = (of("Erika Beispiel"), starting("Max Beispiel", -9));
        assert_eq!(identify(&[&coming, &past], true, None, now()), Identified::AskName, "he has none coming");
    }

    #[test]
    fn another_spelling_of_the_owners_name_is_the_owner_and_another_name_is_not() {
        for (name, count) in [("Erica Beispiel", 1), ("Beispiel", 1), ("Otto Fremd", 0), ("Max Beispiel", 0)] {
            assert_eq!(found(&["Erika Beispiel"], true, Some(name)), Some(count), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_meant() {
        let tenant = crate::tenant::salon();
        let appointment = of("Erika");
        let (own, other) = (appointment.id.to_string(), "another".to_owned());
        let by_id = |id| Which { id: Some(id), ..Which::default() }.fits(&appointment, &tenant);
        assert!(by_id(&own) && !by_id(&other) && Which::default().fits(&appointment, &tenant));
        let on = |day: i64| {
            let at = now() + TimeDelta::days(day);
            let time = Some(TimeReading::Moment { at, is_earlier_of_two: false });
            Which { time, ..Which::default() }.fits(&appointment, &tenant)
        };
        assert!(on(0) && !on(1));
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
