//! The mail that notifies a tenant of appointments that need a person.

use chrono::{DateTime, Utc};
use scheduling::{
    appointment::{Appointment, Notice, State},
    personal::Personal,
    start_time::RequestedStart,
    tenant::Tenant,
};

use crate::Language;

/// The most appointments that one mail lists.
pub const MAX_ENTRIES: usize = 30;

/// A mail. Its body holds what a person needs in order to act, and goes to the tenant's own address alone.
pub struct Mail {
    /// The subject, with nothing personal in it.
    pub subject: String,
    /// The body, as plain text.
    pub body: Personal<String>,
}

/// The content of a review mail.
pub struct ReviewMail<'a> {
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The appointments, the most urgent first.
    pub entries: &'a [(Notice, Appointment)],
    /// How many more there are, which a further mail names.
    pub more: usize,
    /// Now.
    pub now: DateTime<Utc>,
    /// The URL of the desk, where each is settled.
    pub desk: Option<&'a str>,
}

impl ReviewMail<'_> {
    /// Writes the mail in the tenant's language.
    pub fn write(&self) -> Mail {
        let language = Language::of(self.tenant);
        let count = self.entries.len() + self.more;
        let is_urgent = self.entries.iter().any(|(_, appointment)| appointment.is_urgent(self.now));
        let what = match (language, count) {
            (Language::German, 1) => "1 Termin zu klären".to_owned(),
            (Language::German, _) => format!("{count} Termine zu klären"),
            (Language::English, 1) => "1 appointment needs your attention".to_owned(),
            (Language::English, _) => format!("{count} appointments need your attention"),
        };
        let urgent = if is_urgent { language.choose("Dringend: ", "Urgent: ") } else { "" };
        let subject = format!("{urgent}{what} ({})", self.tenant.name);
        let mut body = format!("{}\n", language.choose("Guten Tag,", "Hello,"));
        for (notice, appointment) in self.entries {
            body += &format!("\n{}", self.entry(language, *notice, appointment));
        }
        if self.more > 0 {
            let more = self.more;
            body += &format!("\n{} {more}\n", language.choose("Weitere Termine zu klären:", "Further appointments:"));
        }
        if let Some(desk) = self.desk {
            let all = language.choose("Alles zusammen:", "All of them:");
            body += &format!("\n{all} {desk}/s/{}/todo\n", self.tenant.id);
        }
        body += language.choose(
            "\nDiese Nachricht wurde automatisch von Frontdesk verschickt. Frontdesk bucht die Termine, die Ihr\nTelefonassistent entgegennimmt.\n",
            "\nFrontdesk, which books the appointments that your voice agent takes, sent this message automatically.\n",
        );
        Mail { subject, body: Personal::new(body) }
    }

    fn entry(&self, language: Language, notice: Notice, appointment: &Appointment) -> String {
        let request = &appointment.request;
        let (zone, customer) = (self.tenant.time_zone, &request.customer);
        let revealed = |value: &Option<Personal<String>>| value.as_ref().map(|value| value.reveal().clone());
        let name = revealed(&customer.name);
        let unknown = language.choose("Name unbekannt", "name not known").to_owned();
        let mut lines = vec![format!("* {}: {}", name.unwrap_or(unknown), reason(language, notice, appointment))];
        let phone = revealed(&customer.phone).or_else(|| revealed(&customer.raw_phone));
        let email = revealed(&customer.email).or_else(|| revealed(&customer.raw_email));
        let said = request.start.raw().map(|raw| format!("\"{raw}\""));
        let start = request.start.at().map(|at| language.moment(at, zone));
        let wish = match (start, said) {
            (Some(start), Some(said)) => Some(format!("{start} ({said})")),
            (start, said) => start.or(said),
        };
        let readings = match &request.start {
            RequestedStart::Unusable { readings, .. } => readings.as_slice(),
            RequestedStart::At { .. } => &[],
        };
        let readings: Vec<String> = readings.iter().take(3).map(|it| language.candidate(it, zone)).collect();
        let proposals = match appointment.state() {
            State::NeedsReview { proposals, .. } => proposals.as_slice(),
            _ => &[],
        };
        let proposals: Vec<String> = proposals.iter().take(3).map(|at| language.moment(*at, zone)).collect();
        let link = self.desk.map(|desk| format!("{desk}/s/{}/todo/{}", self.tenant.id, appointment.id));
        let listed = |values: Vec<String>| (!values.is_empty()).then(|| values.join("; "));
        let reach = (phone.is_none() && email.is_none()).then(|| {
            language
                .choose(
                    "weder Telefonnummer noch E-Mail-Adresse bekannt",
                    "neither a phone number nor an email address is known",
                )
                .to_owned()
        });
        for (label, value) in [
            (language.choose("Telefon", "Phone"), phone),
            (language.choose("E-Mail", "Email"), email),
            (language.choose("Kontakt", "Contact"), reach),
            (language.choose("Wunsch", "Requested"), wish),
            (language.choose("Vielleicht gemeint", "Perhaps meant"), listed(readings)),
            (language.choose("Leistung", "Service"), request.service.clone()),
            (language.choose("Bei", "With"), revealed(&request.staff)),
            (language.choose("Am Telefon", "On the phone"), language.told(appointment).map(str::to_owned)),
            (language.choose("Notiz", "Note"), revealed(&request.notes)),
            (language.choose("Freie Zeiten", "Free slots"), listed(proposals)),
            (language.choose("Erledigen", "Settle it"), link),
            (language.choose("Eingegangen", "Received"), Some(language.moment(appointment.created_at, zone))),
        ] {
            lines.extend(value.map(|value| format!("    {label}: {value}")));
        }
        lines.join("\n") + "\n"
    }
}

/// The invitation to the desk of a salon, or of all salons.
pub fn invitation(language: Language, salon: Option<&str>, name: &str, desk: &str) -> Mail {
    let salon = salon.unwrap_or(language.choose("alle Salons", "all salons"));
    let subject = format!("{} {salon}", language.choose("Ihr Zugang zu Frontdesk für", "Your access to Frontdesk for"));
    let body = match language {
        Language::German => format!(
            "Guten Tag {name},\n\nSie haben jetzt Zugang zum Empfang für {salon}:\n\n{desk}\n\nGeben Sie dort diese \
             E-Mail-Adresse ein. Sie bekommen dann einen Code per E-Mail.\n"
        ),
        Language::English => format!(
            "Hello {name},\n\nyou now have access to the desk for {salon}:\n\n{desk}\n\nEnter this email address there. \
             You will get a code by email.\n"
        ),
    };
    Mail { subject, body: Personal::new(body) }
}

fn reason(language: Language, notice: Notice, appointment: &Appointment) -> &'static str {
    match (notice, appointment.state()) {
        (Notice::NeedsReview, State::NeedsReview { reason, .. }) => language.reason(*reason, appointment),
        (Notice::Missed, _) => language.choose(
            "der Termin wurde nicht gebucht, und die gewünschte Zeit ist vorbei; bitte anrufen",
            "the requested time passed before it was booked; please call",
        ),
        _ => language.choose(
            "der Termin beginnt bald und ist noch nicht gebucht: Cal.com ist nicht erreichbar oder verweigert den Zugriff",
            "it starts soon and is not booked yet: Cal.com is unavailable or refuses access",
        ),
    }
}

#[cfg(test)]
mod tests {
    use scheduling::{
        appointment::Actor,
        contact::Customer,
        ids::{CallId, Source},
        request::{AppointmentRequest, Intent},
        spoken_time::{Candidate, Doubt, TimeReading},
    };

    use super::*;

    fn tenant(language: &str) -> Tenant {
        serde_json::from_value(serde_json::json!({
            "id": "salon", "name": "Salon Sommer", "time_zone": "Europe/Berlin", "language": language,
            "retell": {"account": "main", "agent_ids": ["a"]},
            "calcom": {"account": "salon", "placeholder_email_domain": "salon.example"},
            "staff": [], "services": [],
        }))
        .unwrap()
    }

    fn unclear() -> Appointment {
        let now = "2026-11-26T09:00:00Z".parse().unwrap();
        let friday = "2026-11-27T09:00:00Z".parse().unwrap();
        let reading = TimeReading::Question { doubt: Doubt::WhichWeek, readings: vec![Candidate::At { at: friday }] };
        let request = AppointmentRequest {
            intent: Intent::Book,
            service: Some("Haarschnitt".to_owned()),
            start: RequestedStart::of(reading, Some("nächsten Freitag um zehn".to_owned())),
            customer: Customer {
                name: Some(Personal::new("Erika Beispiel".to_owned())),
                phone: Some(Personal::new("+4930901821".to_owned())),
                ..Customer::default()
            },
            staff: None,
            notes: None,
        };
        let tenant = tenant("de").id;
        Appointment::new(
            tenant,
            CallId::new("c"),
            Source::phone(),
            request,
            Actor { function: "t", version: "1", now, person: None },
        )
    }

    fn mail(language: &str) -> Mail {
        let (tenant, entries) = (tenant(language), [(Notice::NeedsReview, unclear())]);
        ReviewMail {
            tenant: &tenant,
            entries: &entries,
            more: 0,
            now: "2026-11-26T09:00:00Z".parse().unwrap(),
            desk: Some("https://desk.example"),
        }
        .write()
    }

    #[test]
    fn a_mail_says_how_many_more_a_further_one_names() {
        let entries: Vec<_> = (0..30).map(|_| (Notice::NeedsReview, unclear())).collect();
        let tenant = tenant("de");
        let mail = ReviewMail {
            tenant: &tenant,
            entries: &entries,
            more: 12,
            now: "2026-11-26T09:00:00Z".parse().unwrap(),
            desk: None,
        }
        .write();
        assert_eq!(mail.subject, "Dringend: 42 Termine zu klären (Salon Sommer)");
        assert_eq!(mail.body.reveal().matches("* Erika").count(), 30);
        assert!(mail.body.reveal().contains("Weitere Termine zu klären: 12"));
    }

    #[test]
    fn a_mail_says_who_wants_what_and_what_to_ask_in_the_tenants_language() {
        let german = mail("de");
        assert_eq!(german.subject, "Dringend: 1 Termin zu klären (Salon Sommer)");
        let id = unclear().id;
        let expected = format!(
            "* Erika Beispiel: diese oder nächste Woche?\n    Telefon: +4930901821\n    Wunsch: \"nächsten \
                        Freitag um zehn\"\n    Vielleicht gemeint: Fr 27.11.2026 10:00\n    Leistung: Haarschnitt\n    \
                        Erledigen: https://desk.example/s/salon/todo/{id}\n    Eingegangen: Do 26.11.2026 10:00\n"
        );
        assert!(german.body.reveal().contains(&expected), "{}", german.body.reveal());
        let english = mail("fr");
        assert_eq!(english.subject, "Urgent: 1 appointment needs your attention (Salon Sommer)");
        assert!(english.body.reveal().contains("* Erika Beispiel: this week or next week?"));
        assert!(english.body.reveal().contains("Perhaps meant: Fri 27 Nov 2026 10:00"));
    }
}
