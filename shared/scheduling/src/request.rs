//! The requests for appointments, read from a call by the tenant's field mapping.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    contact::Customer,
    ids::CallId,
    personal::Personal,
    placeholder::is_placeholder,
    spoken_contact::{self, shortened},
    spoken_time::{Doubt, Hearing, TimeReading, text::fold},
    start_time::{RequestedStart, StartProblem},
    tenant::{StaffWish, Tenant},
};

/// What a caller requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppointmentRequest {
    /// What the caller wants.
    #[serde(default, skip_serializing_if = "Intent::is_book")]
    pub intent: Intent,
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

/// What a caller wants to happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// A new appointment.
    #[default]
    Book,
    /// An appointment for more than one person, under names in one field.
    BookForSeveral,
    /// To cancel one.
    Cancel,
    /// To move one.
    Reschedule,
    /// To be called back.
    #[serde(rename = "callback")]
    CallBack,
    /// Nobody knows: Retell never analyzed the call.
    #[serde(rename = "call_not_analyzed")]
    NotAnalyzed,
}

impl Intent {
    /// Whether a new appointment for one person is wanted, which nobody has to look at.
    pub fn is_book(&self) -> bool {
        *self == Self::Book
    }

    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::BookForSeveral => "book_for_several",
            Self::Cancel => "cancel",
            Self::Reschedule => "reschedule",
            Self::CallBack => "callback",
            Self::NotAnalyzed => "call_not_analyzed",
        }
    }
}

/// Longer services and times are cut.
const MAX_FIELD: usize = 300;
/// Longer notes are cut; the call is kept whole.
const MAX_NOTES: usize = 4000;
/// A call holds at most so many appointments.
const MAX_APPOINTMENTS: usize = 8;

/// The fields of a call, as the crate that parses calls provides them.
pub trait CallFields {
    /// The text under `key`, with numbers and booleans written out. `None` if it is missing or blank.
    fn text(&self, key: &str) -> Option<String>;

    /// The objects of a list under `key`, each with its texts. Empty if there is none.
    fn entries(&self, key: &str) -> Vec<BTreeMap<String, String>>;

    /// The caller's number, as Retell gives it.
    fn caller_number(&self) -> Option<&str>;

    /// Whether nobody spoke but a machine.
    fn is_voicemail(&self) -> bool;
}

/// The fields of one appointment of a call: its own come first.
struct Entry<'c, C> {
    own: BTreeMap<String, String>,
    call: &'c C,
    /// Whether the call holds several appointments: then each has its own start, service and staff member.
    is_one_of_several: bool,
}

impl<C: CallFields> Entry<'_, C> {
    /// The first of these keys that has a value.
    fn own(&self, keys: &[String]) -> Option<String> {
        let own = keys.iter().find_map(|key| self.own.get(key).filter(|text| !text.trim().is_empty()).cloned());
        let said = if self.is_one_of_several { own } else { own.or_else(|| self.of_call(keys)) };
        said.filter(|text| !is_placeholder(text)).map(|text| shortened(&text, MAX_FIELD))
    }

    /// As above, or else what the call says for all of its appointments.
    fn shared(&self, keys: &[String]) -> Option<String> {
        let own = keys.iter().find_map(|key| self.own.get(key).filter(|text| !is_placeholder(text)).cloned());
        own.or_else(|| self.of_call(keys)).filter(|text| !is_placeholder(text))
    }

    fn of_call(&self, keys: &[String]) -> Option<String> {
        keys.iter().find_map(|key| self.call.text(key).filter(|text| !is_placeholder(text)))
    }
}

impl AppointmentRequest {
    /// Reads the requests of a call, in their order. There are none if nobody but a machine spoke, if the agent says that
    /// no appointment is wanted, and if neither a service nor a time is given.
    ///
    /// A call holds several appointments as a list (`appointments`), or in numbered fields (`service_2`).
    pub fn all_of_call(call: &impl CallFields, tenant: &Tenant, said_at: DateTime<Utc>) -> Vec<Self> {
        if call.is_voicemail() {
            return Vec::new();
        }
        let fields = &tenant.fields;
        let mut entries: Vec<BTreeMap<String, String>> = fields.list.iter().flat_map(|key| call.entries(key)).collect();
        if entries.is_empty() {
            entries.push(BTreeMap::new());
        }
        let is_list = entries.len() > 1;
        let mut requests: Vec<Self> = entries
            .into_iter()
            .take(MAX_APPOINTMENTS)
            .filter_map(|own| Self::of_entry(&Entry { own, call, is_one_of_several: is_list }, tenant, said_at))
            .collect();
        for number in 2..=MAX_APPOINTMENTS {
            let own = numbered(call, tenant, number);
            if !own.is_empty() && !is_list {
                requests.extend(Self::of_entry(&Entry { own, call, is_one_of_several: true }, tenant, said_at));
            }
        }
        // The same twice is two people whose names are missing, or one entry too many.
        for at in 1..requests.len() {
            let (before, rest) = requests.split_at_mut(at);
            if let Some(request) = rest.first_mut()
                && request.intent.is_book()
                && before.contains(request)
            {
                request.intent = Intent::BookForSeveral;
            }
        }
        requests
    }

    /// What is known of a call that was never analyzed: who called.
    pub fn of_unanalyzed_call(call: &impl CallFields, tenant: &Tenant) -> Self {
        Self::with_caller_only(call, tenant, Intent::NotAnalyzed)
    }

    /// What is known of a call in which a tool of the voice agent booked, and whose analysis names no wish: who called.
    pub fn of_booked_call(call: &impl CallFields, tenant: &Tenant) -> Self {
        Self::with_caller_only(call, tenant, Intent::Book)
    }

    fn with_caller_only(call: &impl CallFields, tenant: &Tenant, intent: Intent) -> Self {
        let entry = Entry { own: BTreeMap::new(), call, is_one_of_several: false };
        let notes = entry.shared(&tenant.fields.notes).map(|notes| Personal::new(shortened(&notes, MAX_NOTES)));
        let (service, start, staff) = (None, RequestedStart::missing(), None);
        Self { intent, service, start, customer: customer_of(&entry, tenant), staff, notes }
    }

    fn of_entry(entry: &Entry<'_, impl CallFields>, tenant: &Tenant, said_at: DateTime<Utc>) -> Option<Self> {
        let fields = &tenant.fields;
        let wanted = entry.shared(&fields.wanted).and_then(|answer| yes_or_no(&answer));
        let service = entry.own(&fields.service);
        let notes = entry.shared(&fields.notes).map(|notes| shortened(&notes, MAX_NOTES));
        let start = start_of(entry, tenant, said_at);
        let said_of_time = start.raw().map(str::to_owned);
        let said_intent = entry.shared(&fields.intent);
        let wants_callback = said_intent.as_deref().is_some_and(requests_callback);
        let intent = [said_intent, service.clone(), said_of_time, notes.clone()]
            .iter()
            .flatten()
            .find_map(|text| intent_in(text))
            .or(wants_callback.then_some(Intent::CallBack));
        let is_empty = service.is_none() && start.raw().is_none();
        if intent.is_none() && !wanted.unwrap_or(!is_empty) {
            return None;
        }
        let is_several = entry.shared(&fields.name).as_deref().is_some_and(spoken_contact::names_several);
        Some(Self {
            intent: intent.unwrap_or(if is_several { Intent::BookForSeveral } else { Intent::Book }),
            service,
            start,
            customer: customer_of(entry, tenant),
            staff: entry.own(&fields.staff).map(Personal::new),
            notes: notes.map(Personal::new),
        })
    }

    /// Marks a start that passed before the call arrived as unusable, so that a person settles it: nobody has told the
    /// customer that it was not booked.
    #[must_use]
    pub fn escalate_if_passed(self, now: DateTime<Utc>) -> Self {
        Self { start: self.start.escalate_if_passed(now), ..self }
    }

    /// Whether both were read from the same words. The same words heard at another moment may be read otherwise.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let words = |request: &Self| {
            let start = request.start.raw().map(str::to_owned).or_else(|| request.start.at().map(|at| at.to_rfc3339()));
            Self {
                start: RequestedStart::Unusable {
                    problem: StartProblem::Missing,
                    raw: start,
                    doubt: None,
                    readings: Vec::new(),
                },
                ..request.clone()
            }
        };
        words(self) == words(other)
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
        let (start, raw) = (self.start.at().filter(|_| self.intent.is_book())?, self.service.as_deref()?);
        let service = tenant.service_called(raw)?;
        Some(format!("{}#{}", start.format("%Y-%m-%dT%H:%MZ"), service.id))
    }
}

/// The customer of an entry: what was said of them, and the caller's number.
fn customer_of(entry: &Entry<'_, impl CallFields>, tenant: &Tenant) -> Customer {
    let fields = &tenant.fields;
    let cut = |text: String| Personal::new(shortened(&text, MAX_FIELD));
    let read_phone = |text: &str| spoken_contact::phone_number(text, &tenant.country);
    let (written_phone, written_email) = (entry.shared(&fields.phone), entry.shared(&fields.email));
    let phone = written_phone.as_deref().and_then(read_phone);
    let email = written_email.as_deref().and_then(spoken_contact::email);
    Customer {
        name: entry.shared(&fields.name).as_deref().and_then(spoken_contact::name),
        raw_phone: written_phone.filter(|_| phone.is_none()).map(cut),
        phone: phone.or_else(|| entry.call.caller_number().and_then(read_phone)),
        raw_email: written_email.filter(|_| email.is_none()).map(cut),
        email,
    }
}

/// The start of an entry: one field, or a day and a time in two. A day in the first may have its time in the other.
fn start_of(entry: &Entry<'_, impl CallFields>, tenant: &Tenant, said_at: DateTime<Utc>) -> RequestedStart {
    let fields = &tenant.fields;
    let hearing =
        Hearing { said_at, zone: tenant.time_zone, hours: tenant.hours.as_ref(), is_english: tenant.language == "en" };
    let (start, date, time) = (entry.own(&fields.start), entry.own(&fields.date), entry.own(&fields.time));
    let joined = |day: &str, time: &str| {
        RequestedStart::of(hearing.read_day_and_time(day, time), Some(format!("{} {}", day.trim(), time.trim())))
    };
    match (start, date, time) {
        (Some(start), _, time) => match (hearing.read(&start), time) {
            (TimeReading::Question { doubt: Doubt::OnlyDay, .. }, Some(time)) => joined(&start, &time),
            (reading, _) => RequestedStart::of(reading, Some(start)),
        },
        (None, Some(date), Some(time)) => joined(&date, &time),
        (None, Some(only), None) | (None, None, Some(only)) => RequestedStart::of(hearing.read(&only), Some(only)),
        (None, None, None) => RequestedStart::missing(),
    }
}

/// The fields of a call whose names end with a number: `service_2`.
fn numbered(call: &impl CallFields, tenant: &Tenant, number: usize) -> BTreeMap<String, String> {
    let fields = &tenant.fields;
    let own = [&fields.service, &fields.start, &fields.date, &fields.time, &fields.name, &fields.staff, &fields.notes];
    let keys = own.into_iter().flatten();
    keys.filter_map(|key| {
        Some((key.clone(), call.text(&format!("{key}_{number}")).filter(|text| !is_placeholder(text))?))
    })
    .collect()
}

/// Whether a text says that an appointment is to be cancelled or moved. A person does that.
fn intent_in(text: &str) -> Option<Intent> {
    let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).map(fold).collect();
    let says = |stems: &[&str]| words.iter().any(|word| stems.iter().any(|stem| word.starts_with(stem)));
    if says(&["verschieb", "verschoben", "umbuch", "verleg", "reschedul", "postpone"]) {
        return Some(Intent::Reschedule);
    }
    says(&["absag", "abgesagt", "stornier", "cancel"]).then_some(Intent::Cancel)
}

/// Whether an agent says that the caller asks to be called back. What a caller says besides decides nothing: "rufen Sie an, wenn
/// es nicht klappt" is a wish that can be booked.
fn requests_callback(intent: &str) -> bool {
    let folded = fold(intent);
    ["ruckruf", "rueckruf", "zuruckruf", "zurueckruf", "callback", "call back", "call me back"]
        .iter()
        .any(|it| folded.contains(it))
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
    use crate::tenant::salon;

    struct Written(BTreeMap<&'static str, &'static str>, Option<&'static str>, Vec<BTreeMap<String, String>>);

    impl CallFields for Written {
        fn text(&self, key: &str) -> Option<String> {
            self.0.get(key).map(|&text| text.to_owned())
        }

        fn entries(&self, key: &str) -> Vec<BTreeMap<String, String>> {
            if key == "appointments" { self.2.clone() } else { Vec::new() }
        }

        fn caller_number(&self) -> Option<&str> {
            self.1
        }

        fn is_voicemail(&self) -> bool {
            self.0.contains_key("voicemail")
        }
    }

    fn said_at() -> DateTime<Utc> {
        "2026-11-26T09:00:00Z".parse().unwrap()
    }

    fn request<const N: usize>(
        fields: [(&'static str, &'static str); N],
        caller: Option<&'static str>,
    ) -> Option<AppointmentRequest> {
        let call = Written(BTreeMap::from(fields), caller, Vec::new());
        AppointmentRequest::all_of_call(&call, &salon(), said_at()).into_iter().next()
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
        assert_eq!(asked.start, RequestedStart::missing());
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
            let call = Written(fields.iter().copied().collect(), None, Vec::new());
            let request = AppointmentRequest::all_of_call(&call, &tenant, said_at()).remove(0);
            request.notes_for_staff(&tenant, &CallId::new("call_7"))
        };
        let whole = [("service", "cut"), ("staff", "anna"), ("notes", "Allergie")];
        assert_eq!(of(&whole, "de"), "Allergie\nGewünscht: Anna Berg\nAnruf: call_7");
        assert_eq!(of(&[("service", "cut"), ("staff", "Anja")], "en"), "Requested: Anja\nCall: call_7");
        assert_eq!(of(&[("service", "cut"), ("staff", "egal")], "de"), "Anruf: call_7");
    }

    #[test]
    fn an_unreadable_contact_is_kept_as_it_was_said() {
        let fields = [("service", "cut"), ("email", "max muster at web punkt de"), ("phone", "die von gestern")];
        let customer = request(fields, None).unwrap().customer;
        assert!(customer.email.is_none() && customer.phone.is_none() && !customer.is_reachable());
        assert_eq!(customer.raw_email.unwrap().reveal(), "max muster at web punkt de");
        assert_eq!(customer.raw_phone.unwrap().reveal(), "die von gestern");
    }

    #[test]
    fn a_spoken_contact_with_one_reading_is_read() {
        let fields = [("service", "cut"), ("email", "max punkt muster at web punkt de"), ("name", "N/A")];
        let customer = request(fields, Some("+4930901820")).unwrap().customer;
        assert_eq!(customer.email.unwrap().reveal(), "max.muster@web.de");
        assert_eq!(customer.name, None);
    }

    #[test]
    fn a_machine_that_answers_wants_nothing() {
        assert_eq!(request([("voicemail", "true"), ("service", "cut"), ("start", "2026-12-01 10:00")], None), None);
    }

    #[test]
    fn endless_notes_are_cut() {
        let notes: &'static str = Box::leak("viel\u{0} ".repeat(100_000).into_boxed_str());
        let request = request([("service", "cut"), ("notes", notes)], None).unwrap();
        let kept = request.notes.unwrap().reveal().clone();
        assert!(kept.chars().count() == MAX_NOTES && kept.ends_with('…') && !kept.contains('\u{0}'));
    }

    #[test]
    fn to_cancel_or_to_move_is_kept_for_a_person_and_never_booked() {
        for (fields, intent) in [
            ([("service", "Haarschnitt"), ("notes", "möchte den Termin absagen")], Intent::Cancel),
            ([("intent", "reschedule"), ("start", "2026-12-01 10:00")], Intent::Reschedule),
            ([("service", "Termin verschieben"), ("start", "2026-12-01 10:00")], Intent::Reschedule),
            ([("service", "cut"), ("name", "Maria und Leon Berger")], Intent::BookForSeveral),
            ([("service", "cut"), ("notes", "kein Problem, bitte stornieren")], Intent::Cancel),
            ([("service", "cut"), ("start", "Verschiebe auf Dienstag um zehn")], Intent::Reschedule),
            ([("service", "cut"), ("notes", "ohne Termin kam sie nie")], Intent::Book),
        ] {
            let request = request(fields, None).unwrap();
            assert_eq!(request.intent, intent, "{fields:?}");
            assert!(intent.is_book() || request.dedup_key(&salon()).is_none());
        }
    }

    #[test]
    fn a_call_holds_several_appointments_as_a_list_or_in_numbered_fields() {
        let entry = |fields: &[(&str, &str)]| {
            fields.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
        };
        let list = vec![
            entry(&[("service", "cut"), ("start", "2026-12-01 10:00"), ("name", "Maria Berger")]),
            entry(&[("service", "Farbe"), ("start", "2026-12-01 11:00"), ("name", "Leon Berger")]),
        ];
        let numbered = [
            ("service", "cut"),
            ("start", "2026-12-01 10:00"),
            ("name", "Maria Berger"),
            ("service_2", "Farbe"),
            ("start_2", "2026-12-01 11:00"),
            ("name_2", "Leon Berger"),
        ];
        for call in [
            Written(BTreeMap::from([("phone", "030 901820")]), None, list),
            Written(numbered.into_iter().chain([("phone", "030 901820")]).collect(), None, Vec::new()),
        ] {
            let requests = AppointmentRequest::all_of_call(&call, &salon(), said_at());
            let shown: Vec<_> =
                requests.iter().map(|it| (it.service.as_deref(), it.start.at(), it.customer.phone.is_some())).collect();
            let at = |time: &str| Some(time.parse().unwrap());
            assert_eq!(
                shown,
                [(Some("cut"), at("2026-12-01T09:00:00Z"), true), (Some("Farbe"), at("2026-12-01T10:00:00Z"), true)]
            );
            assert_eq!(requests[1].customer.name.as_ref().unwrap().reveal(), "Leon Berger");
        }
    }

    #[test]
    fn a_day_and_its_time_may_be_in_any_of_the_fields() {
        let at = "2026-12-24T13:00:00Z".parse().ok();
        for fields in [
            [("date", "24.12.2026"), ("time", "14 Uhr")],
            [("date", "24.12."), ("time", "14.00")],
            [("start", "24.12.2026"), ("time", "2 PM")],
            [("start", "24.12.26 14:00"), ("time", "")],
            [("date", "am 24.12. um 14 Uhr"), ("service", "cut")],
        ] {
            assert_eq!(request(fields, None).unwrap().start.at(), at, "{fields:?}");
        }
    }
}
