//! The settings of a Retell agent that a tenant needs: what its analysis has to write, and in which zone.

use scheduling::tenant::Tenant;
use serde_json::{Value, json};

/// The language of the descriptions that the agent's model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// German.
    De,
    /// English.
    En,
}

/// The part of `PATCH /update-agent/{agent_id}` that a tenant's agents need, ready to send or to copy.
pub fn agent_settings(tenant: &Tenant, language: Language) -> Value {
    let names = Names::of(tenant);
    let say = |german: &str, english: &str| match language {
        Language::De => german.to_owned(),
        Language::En => english.to_owned(),
    };
    let field = |name: &Option<&str>, kind: &str, description: String| {
        name.map(|name| json!({"type": kind, "name": name, "description": description}))
    };
    let with = |field: Option<Value>, key: &str, value: Value| {
        field.map(|mut field| {
            field[key] = value;
            field
        })
    };
    let services: Vec<String> = tenant
        .services
        .iter()
        .map(|service| service.name.clone())
        .chain([say("etwas anderes", "something else")])
        .collect();
    let active = tenant.staff.iter().filter(|member| member.active).map(|member| member.name.reveal().clone());
    let staff: Vec<String> = active.chain([say("egal", "anyone"), say("jemand anderes", "somebody else")]).collect();
    let fields = [
        field(&names.wanted, "boolean", say(
            "Ob der Anrufer einen neuen Termin möchte.",
            "Whether the caller wants a new appointment.",
        )),
        with(
            field(&names.intent, "enum", say(
                "Was der Anrufer möchte. Absagen und verschieben gelten für einen Termin, den er schon hat.",
                "What the caller wants. Cancel and reschedule are about an appointment that the caller has.",
            )),
            "choices",
            match language {
                Language::De => json!(["buchen", "absagen", "verschieben", "Rückruf", "etwas anderes"]),
                Language::En => json!(["book", "cancel", "reschedule", "callback", "something else"]),
            },
        ),
        with(
            field(&names.service, "enum", say(
                "Die gewünschte Leistung. Bei mehreren oder unbekannten: \"etwas anderes\", und die Worte in die Notizen.",
                "The service that is wanted. For several or an unknown one: \"something else\", and the words into the notes.",
            )),
            "choices",
            json!(services),
        ),
        with(
            field(&names.start, "string", say(
                "Tag und Uhrzeit, mit denen der Anrufer einverstanden war, als JJJJ-MM-TT HH:MM auf der Uhr des Betriebs. \
                 War es ungenau, mehrdeutig oder nur ein Zeitraum: die Worte des Anrufers (\"nächste Woche nachmittags\"). \
                 Nie raten, leer lassen, wenn nichts gesagt wurde.",
                "The day and time that the caller agreed to, as YYYY-MM-DD HH:MM on the clock of the business. If it was vague, \
                 ambiguous or a span of time: the words of the caller (\"next week in the afternoon\"). Never guess; leave it \
                 empty if nothing was said.",
            )),
            "examples",
            json!(["2026-12-24 14:30", say("nächste Woche nachmittags", "next week in the afternoon")]),
        ),
        with(
            field(&names.staff, "enum", say(
                "Zu wem der Anrufer möchte. \"egal\" nur, wenn er es gesagt hat oder nichts gesagt hat.",
                "Whom the caller wants to come to. \"anyone\" only if the caller said so, or said nothing.",
            )),
            "choices",
            json!(staff),
        ),
        field(&names.name, "string", say(
            "Vor- und Nachname des Menschen, für den der Termin ist. Leer, wenn unbekannt.",
            "First and last name of the person who will come. Empty if unknown.",
        )),
        field(&names.phone, "string", say(
            "Telefonnummer, nur wenn eine andere als die des Anrufs genannt wurde.",
            "A phone number, only if the caller gave another than the one of the call.",
        )),
        field(&names.email, "string", say("E-Mail-Adresse, wie sie gesagt wurde.", "Email address, as it was said.")),
        field(&names.notes, "string", say(
            "Was der Betrieb wissen muss: Allergien, Wünsche, weitere Menschen oder Leistungen, in den Worten des Anrufers.",
            "What the business has to know: allergies, wishes, more people or services, in the words of the caller.",
        )),
        with(
            field(&names.list, "string", say(
                "Nur bei mehreren Terminen in einem Anruf: ein JSON-Array, für jeden Termin ein Objekt mit den Feldern oben.",
                "Only for several appointments in one call: a JSON array, for each appointment an object with the fields above.",
            )),
            "examples",
            json!([json!([
                {names.service.unwrap_or("service"): tenant.services.first().map(|service| &service.name), names.start.unwrap_or("start"): "2026-12-24 14:30", names.name.unwrap_or("name"): "Maria Beispiel"},
                {names.service.unwrap_or("service"): tenant.services.first().map(|service| &service.name), names.start.unwrap_or("start"): "2026-12-24 15:00", names.name.unwrap_or("name"): "Leon Beispiel"}
            ]).to_string()]),
        ),
    ];
    json!({
        // Retell's default is Los Angeles: "tomorrow" would be another day.
        "timezone": tenant.time_zone.name(),
        "webhook_events": ["call_ended", "call_analyzed"],
        "post_call_analysis_data": fields.into_iter().flatten().collect::<Value>(),
    })
}

/// The first key of each field: the one that an agent writes.
struct Names<'t> {
    wanted: Option<&'t str>,
    intent: Option<&'t str>,
    service: Option<&'t str>,
    start: Option<&'t str>,
    staff: Option<&'t str>,
    name: Option<&'t str>,
    phone: Option<&'t str>,
    email: Option<&'t str>,
    notes: Option<&'t str>,
    list: Option<&'t str>,
}

impl<'t> Names<'t> {
    fn of(tenant: &'t Tenant) -> Self {
        let fields = &tenant.fields;
        let first = |keys: &'t [String]| keys.first().map(String::as_str);
        Self {
            wanted: first(&fields.wanted),
            intent: first(&fields.intent),
            service: first(&fields.service),
            start: first(&fields.start),
            staff: first(&fields.staff),
            name: first(&fields.name),
            phone: first(&fields.phone),
            email: first(&fields.email),
            notes: first(&fields.notes),
            list: first(&fields.list),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use scheduling::{
        request::{AppointmentRequest, CallFields, Intent},
        tenant::StaffWish,
    };

    use super::*;

    /// A call whose agent wrote one of the choices, or of the examples, into every field.
    struct Written(BTreeMap<String, String>);

    impl CallFields for Written {
        fn text(&self, key: &str) -> Option<String> {
            self.0.get(key).cloned()
        }

        fn entries(&self, _: &str) -> Vec<BTreeMap<String, String>> {
            Vec::new()
        }

        fn caller_number(&self) -> Option<&str> {
            None
        }

        fn is_voicemail(&self) -> bool {
            false
        }
    }

    fn salon() -> Tenant {
        let file = include_str!("../../local/salon-sommer.json");
        serde_json::from_str(file).unwrap()
    }

    #[test]
    fn every_choice_that_the_fields_offer_is_understood() {
        let tenant = salon();
        for (language, anyone, other, cancel) in
            [(Language::De, "egal", "jemand anderes", "absagen"), (Language::En, "anyone", "somebody else", "cancel")]
        {
            let settings = agent_settings(&tenant, language);
            assert_eq!(settings["timezone"], "Europe/Berlin");
            let field = |name: &str| {
                settings["post_call_analysis_data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|field| field["name"] == name)
                    .unwrap()
                    .clone()
            };
            let choices =
                |name: &str| -> Vec<String> { serde_json::from_value(field(name)["choices"].clone()).unwrap() };
            let services = choices("service");
            let (other_service, ours) = services.split_last().unwrap();
            assert!(ours.iter().all(|name| tenant.service_called(name).is_some()));
            assert!(tenant.service_called(other_service).is_none(), "{other_service} is no service");
            for name in choices("staff_member") {
                let is_member = matches!(tenant.wish(Some(&name)), StaffWish::Member(_));
                assert_eq!(is_member, name != anyone && name != other, "{name}");
            }
            assert_eq!(tenant.wish(Some(anyone)), StaffWish::Anybody);
            assert_eq!(tenant.wish(Some(other)), StaffWish::Unclear);
            assert!(choices("intent").contains(&cancel.to_owned()));
            let call = Written(BTreeMap::from([("intent".to_owned(), cancel.to_owned())]));
            let said_at = "2026-11-26T09:00:00Z".parse().unwrap();
            assert_eq!(AppointmentRequest::all_of_call(&call, &tenant, said_at)[0].intent, Intent::Cancel);
        }
    }
}
