//! The request for an appointment, read from a call by the tenant's field mapping.

use serde::{Deserialize, Serialize};

use crate::{
    contact::{self, Customer},
    ids::CallId,
    personal::Personal,
    start_time::{self, RequestedStart},
    tenant::{StaffWish, Tenant},
};

/// What a caller requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentRequest {
    /// The service, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The start.
    pub start: RequestedStart,
    /// The customer.
    pub customer: Customer,
    /// The staff member, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<Personal<String>>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Personal<String>>,
}

/// The fields of a call, as the crate that parses calls provides them.
pub trait CallFields {
    /// The text under `key`, with numbers and booleans written out. `None` if it is missing or blank.
    fn text(&self, key: &str) -> Option<String>;

    /// The caller's number, as Retell gives it.
    fn caller_number(&self) -> Option<&str>;
}

impl AppointmentRequest {
    /// Reads the request, or `None` if the call holds none: the agent says so, or neither a service nor a time is given.
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
        let is_empty = service.is_none() && matches!(start, RequestedStart::Unusable { raw: None, .. });
        if !wanted.unwrap_or(!is_empty) {
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

    /// What the staff reads in Cal.com: what the caller said, the staff member whom they wished, and the call.
    pub fn notes_for_staff(&self, tenant: &Tenant, call: &CallId) -> String {
        let is_german = tenant.language == "de";
        let raw = self.staff.as_ref().map(|staff| staff.reveal().as_str());
        let wished = match tenant.wish(raw) {
            StaffWish::Anybody => None,
            StaffWish::Member(member) => Some(member.name.reveal().as_str()),
            StaffWish::Unclear => raw,
        };
        let wish = wished.map(|name| format!("{}: {name}", if is_german { "Gewünscht" } else { "Requested" }));
        let call = format!("{}: {call}", if is_german { "Anruf" } else { "Call" });
        let notes = self.notes.as_ref().map(|notes| notes.reveal().clone());
        notes.into_iter().chain(wish).chain([call]).collect::<Vec<_>>().join("\n")
    }

    /// Start and service in a form that can be compared. `None` if either is unknown.
    pub fn dedup_key(&self, tenant: &Tenant) -> Option<String> {
        let (start, raw) = (self.start.at()?, self.service.as_deref()?);
        let service = tenant.service_called(raw)?;
        Some(format!("{}#{}", start.format("%Y-%m-%dT%H:%MZ"), service.id))
    }
}

/// A plain yes or no. Any other word decides nothing: it must not lose an appointment.
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

    fn request<const N: usize>(
        fields: [(&'static str, &'static str); N],
        caller: Option<&'static str>,
    ) -> Option<AppointmentRequest> {
        AppointmentRequest::of_call(&Written(BTreeMap::from(fields), caller), &salon())
    }

    #[test]
    fn a_call_without_service_or_time_holds_no_request() {
        assert_eq!(
            request([("customer_name", "Max"), ("notes", "asked for the opening hours")], Some("+4930901820")),
            None
        );
    }

    #[test]
    fn the_agents_no_outweighs_the_fields_and_its_yes_does_too() {
        assert_eq!(
            request([("appointment_requested", "false"), ("service", "cut"), ("date", "2026-12-01")], None),
            None
        );
        let asked = request([("appointment_requested", "Ja.")], None).unwrap();
        assert_eq!(asked.start, RequestedStart::Unusable { problem: StartProblem::Missing, raw: None });
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
    fn the_staff_reads_notes_the_wish_and_the_call_in_its_language() {
        let of = |fields: &[(&'static str, &'static str)], language: &str| {
            let tenant = crate::tenant::Tenant { language: language.to_owned(), ..salon() };
            let request = AppointmentRequest::of_call(&Written(fields.iter().copied().collect(), None), &tenant);
            request.unwrap().notes_for_staff(&tenant, &CallId::new("call_7"))
        };
        let whole = [("service", "cut"), ("staff", "anna"), ("notes", "Allergie")];
        assert_eq!(of(&whole, "de"), "Allergie\nGewünscht: Anna Berg\nAnruf: call_7");
        assert_eq!(of(&[("service", "cut"), ("staff", "Anja")], "en"), "Requested: Anja\nCall: call_7");
        assert_eq!(of(&[("service", "cut"), ("staff", "egal")], "de"), "Anruf: call_7");
    }

    #[test]
    fn an_unreadable_email_is_kept_as_it_was_said() {
        let request = request([("service", "cut"), ("email", "max at web punkt de")], None).unwrap();
        assert_eq!(request.customer.email, None);
        assert_eq!(request.customer.raw_email.unwrap().reveal(), "max at web punkt de");
    }
}
