//! What a caller asked for, read out of a call by the tenant's field mapping.

use serde::{Deserialize, Serialize};

use crate::{
    contact::{self, Customer},
    personal::Personal,
    start_time::{self, RequestedStart},
    tenant::Tenant,
};

/// What a caller asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentRequest {
    /// The service as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// When.
    pub start: RequestedStart,
    /// For whom.
    pub customer: Customer,
    /// By whom, as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<Personal<String>>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Personal<String>>,
}

/// Where a request is read from. Implemented by whoever knows the call's form.
pub trait CallFields {
    /// The text under `key`, with numbers and booleans written out. `None` where nothing or only space is written.
    fn text(&self, key: &str) -> Option<String>;

    /// The number that called, as it was given.
    fn caller_number(&self) -> Option<&str>;
}

impl AppointmentRequest {
    /// Reads the request for an appointment, or `None` where the call holds none: the agent said so, or neither a service
    /// nor a time was written down.
    pub fn of_call(call: &impl CallFields, tenant: &Tenant) -> Option<Self> {
        let fields = &tenant.fields;
        let first = |keys: &[String]| keys.iter().find_map(|key| call.text(key));
        let wanted = first(&fields.wanted).and_then(|answer| yes_or_no(&answer));
        let service = first(&fields.service);
        let start = match first(&fields.start) {
            Some(text) => start_time::read_start(Some(&text), tenant.time_zone),
            None => start_time::read_date_and_time(
                first(&fields.date).as_deref(),
                first(&fields.time).as_deref(),
                tenant.time_zone,
            ),
        };
        let says_nothing = service.is_none() && matches!(start, RequestedStart::Unusable { spoken: None, .. });
        if !wanted.unwrap_or(!says_nothing) {
            return None;
        }
        let written_phone = first(&fields.phone);
        let phones = [written_phone.as_deref(), call.caller_number()];
        let email = first(&fields.email);
        let readable_email = email.as_deref().and_then(contact::email);
        Some(Self {
            service,
            start,
            customer: Customer {
                name: first(&fields.name).map(Personal::new),
                phone: phones.into_iter().flatten().find_map(|text| contact::phone_number(text, &tenant.country)),
                raw_email: email.filter(|_| readable_email.is_none()).map(Personal::new),
                email: readable_email,
            },
            staff: first(&fields.staff).map(Personal::new),
            notes: first(&fields.notes).map(Personal::new),
        })
    }

    /// What is wished for, start and service, in a form that can be compared. `None` where either is not known.
    pub fn what(&self, tenant: &Tenant) -> Option<String> {
        let (start, spoken) = (self.start.at()?, self.service.as_deref()?);
        let service = tenant.service_called(spoken)?;
        Some(format!("{}#{}", start.format("%Y-%m-%dT%H:%MZ"), service.id))
    }
}

/// A plain yes or no. Anything else decides nothing: an appointment must not be lost to a word that nobody foresaw.
fn yes_or_no(answer: &str) -> Option<bool> {
    match answer.trim().trim_end_matches(['.', '!']).to_lowercase().as_str() {
        "true" | "yes" | "ja" | "1" => Some(true),
        "false" | "no" | "nein" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{start_time::StartProblem, tenant::salon};

    struct Written(BTreeMap<&'static str, &'static str>, Option<&'static str>);

    impl CallFields for Written {
        fn text(&self, key: &str) -> Option<String> {
            self.0.get(key).map(|&text| text.to_owned())
        }

        fn caller_number(&self) -> Option<&str> {
            self.1
        }
    }

    fn request<const N: usize>(fields: [(&'static str, &'static str); N], caller: Option<&'static str>) -> Option<AppointmentRequest> {
        AppointmentRequest::of_call(&Written(BTreeMap::from(fields), caller), &salon())
    }

    #[test]
    fn a_call_without_service_or_time_holds_no_wish() {
        assert_eq!(
            request([("customer_name", "Max"), ("notes", "asked for the opening hours")], Some("+4930901820")),
            None
        );
    }

    #[test]
    fn the_agents_no_outweighs_the_fields_and_its_yes_does_too() {
        assert_eq!(request([("appointment_requested", "false"), ("service", "cut"), ("date", "2026-12-01")], None), None);
        let asked = request([("appointment_requested", "Ja.")], None).unwrap();
        assert_eq!(asked.start, RequestedStart::Unusable { problem: StartProblem::Missing, spoken: None });
    }

    #[test]
    fn a_word_that_is_neither_yes_nor_no_loses_no_appointment() {
        for word in ["gewünscht", "Haarschnitt am Montag", "y", "vielleicht"] {
            assert!(request([("appointment_requested", word), ("service", "cut")], None).is_some(), "{word}");
            assert_eq!(request([("appointment_requested", word), ("notes", "opening hours")], None), None, "{word}");
        }
    }

    #[test]
    fn the_number_that_was_said_comes_before_the_number_that_called() {
        let said = [("service", "cut"), ("phone", "030 901820")];
        let phone = |request: AppointmentRequest| request.customer.phone.map(|phone| phone.reveal().clone());
        assert_eq!(phone(request(said, Some("+4315880")).unwrap()).as_deref(), Some("+4930901820"));
        assert_eq!(phone(request([("service", "cut")], Some("+4315880")).unwrap()).as_deref(), Some("+4315880"));
        assert_eq!(phone(request([("service", "cut")], Some("anonymous_1_a")).unwrap()), None);
    }

    #[test]
    fn an_unreadable_email_is_kept_as_it_was_said() {
        let request = request([("service", "cut"), ("email", "max at web punkt de")], None).unwrap();
        assert_eq!(request.customer.email, None);
        assert_eq!(request.customer.raw_email.unwrap().reveal(), "max at web punkt de");
    }
}
