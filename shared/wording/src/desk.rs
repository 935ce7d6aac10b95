//! The words of the desk: what waits, in two words and in a sentence.

use scheduling::appointment::{Appointment, ToDoKind, Told};

use crate::{Language, history::capital};

impl Language {
    /// What has to be decided, in two words.
    pub fn tag(self, kind: ToDoKind) -> &'static str {
        match kind {
            ToDoKind::CallBack => self.choose("Rückruf gewünscht", "Call back"),
            ToDoKind::TimeTaken => self.choose("Zeit vergeben", "Time taken"),
            ToDoKind::TimeUnclear => self.choose("Zeit unklar", "Time unclear"),
            ToDoKind::ServiceUnclear => self.choose("Leistung unklar", "Service unclear"),
            ToDoKind::StaffUnclear => self.choose("Wer macht es?", "Who does it?"),
            ToDoKind::CancelWish => self.choose("Absage gewünscht", "Wants to cancel"),
            ToDoKind::MoveWish => self.choose("Andere Zeit gewünscht", "Wants another time"),
            ToDoKind::SeveralPeople => self.choose("Mehrere Personen", "Several people"),
            ToDoKind::NotAnalyzed => self.choose("Anruf anhören", "Listen to the call"),
            ToDoKind::Setup => self.choose("Einstellung bei Cal.com", "Setting at Cal.com"),
            ToDoKind::MaybeBooked => self.choose("Bei Cal.com nachsehen", "Look at Cal.com"),
            ToDoKind::NoAccess => self.choose("Kein Zugriff", "No access"),
            ToDoKind::ContactRefused => self.choose("Kontakt abgelehnt", "Contact refused"),
            ToDoKind::TooMany => self.choose("Zu viele Termine", "Too many bookings"),
            ToDoKind::Stopped => self.choose("Eintrag misslungen", "Booking failed"),
            ToDoKind::MovedAtCalcom => self.choose("Schon verschoben", "Moved already"),
            ToDoKind::HasItAlready => self.choose("Hat schon einen", "Has one already"),
        }
    }

    /// What a customer heard while on the line.
    pub fn told(self, appointment: &Appointment) -> Option<&'static str> {
        Some(match appointment.told()? {
            Told::BeingBooked => self.choose(
                "dass der Termin eingetragen wird; rechnet fest damit",
                "that the appointment is being entered; counts on it",
            ),
            Told::BeingMoved => self.choose(
                "dass der Termin verschoben wird; rechnet fest damit",
                "that the appointment is being moved; counts on it",
            ),
            Told::BeingCancelled => {
                self.choose("dass der Termin abgesagt wird", "that the appointment is being cancelled")
            }
            Told::SomebodyCalls => self.choose("dass sich jemand meldet", "that somebody will get in touch"),
        })
    }

    /// Why an appointment needs a person, as a sentence.
    pub fn sentence(self, appointment: &Appointment) -> Option<String> {
        let reason = appointment.review_reason()?;
        let text = capital(self.reason(reason, appointment));
        Some(if text.ends_with(['?', '.']) { text } else { format!("{text}.") })
    }
}
