//! Why an appointment needs a person, in plain words.

use scheduling::{
    appointment::{Appointment, ReviewReason},
    assignment::Unassigned,
    failure::Category,
    request::Intent,
    spoken_time::Doubt,
    start_time::{RequestedStart, StartProblem},
};

use crate::Language;

impl Language {
    /// Why an appointment needs a person.
    pub fn reason(self, reason: ReviewReason, appointment: &Appointment) -> &'static str {
        let doubt = match &appointment.request.start {
            RequestedStart::Unusable { doubt: Some(doubt), .. } => Some(*doubt),
            _ => None,
        };
        let (german, english) = match (reason, doubt) {
            (ReviewReason::Start(_), Some(doubt)) => question(doubt),
            (ReviewReason::Start(problem), None) => start(problem),
            (ReviewReason::Intent(intent), _) => intent_reason(intent),
            (ReviewReason::Booking(category), _) => failure(category),
            (ReviewReason::Assignment(reason), _) => unassigned(reason),
            (ReviewReason::Stalled, _) => (
                "die Bearbeitung ist wegen eines technischen Problems stehen geblieben",
                "processing stopped because of a technical problem",
            ),
            (ReviewReason::Rescheduled, _) => (
                "der Termin wurde bei Cal.com verschoben, der Kunde möchte aber die ursprüngliche Zeit",
                "the booking was moved at Cal.com, and the customer wants the old time",
            ),
            (ReviewReason::Duplicate, _) => {
                ("der Kunde hat diesen Termin schon", "the customer has this appointment already")
            }
        };
        self.choose(german, english)
    }
}

pub(crate) fn intent_reason(intent: Intent) -> (&'static str, &'static str) {
    match intent {
        Intent::Book => ("möchte einen Termin", "wants an appointment"),
        Intent::BookForSeveral => ("möchte Termine für mehrere Personen", "wants appointments for several people"),
        Intent::Cancel => ("möchte einen Termin absagen", "wants to cancel an appointment"),
        Intent::Reschedule => ("möchte einen Termin verschieben", "wants to move an appointment"),
        Intent::CallBack => ("bittet um Rückruf", "asks to be called back"),
        Intent::NotAnalyzed => (
            "das Gespräch wurde nicht ausgewertet: bitte anhören oder zurückrufen",
            "the call was not analyzed: listen to it or call back",
        ),
    }
}

pub(crate) fn start(problem: StartProblem) -> (&'static str, &'static str) {
    match problem {
        StartProblem::Missing => ("kein Zeitpunkt genannt", "no time was said"),
        StartProblem::Unreadable => ("die Zeitangabe ist unverständlich", "the time can't be read"),
        StartProblem::Unclear => ("die Zeit ist mehrdeutig", "the time has several meanings"),
        StartProblem::Window => {
            ("dem Kunden passt jede freie Zeit in einem Zeitraum", "the customer takes any slot in a span of time")
        }
        StartProblem::DoesNotExist => ("diesen Tag oder diese Uhrzeit gibt es nicht", "there is no such day or time"),
        StartProblem::BeforeCall => (
            "die Zeit liegt vor dem Anruf: vermutlich falsch verstanden, oder Tag oder Jahr stimmt nicht",
            "the time is before the call: it was misheard, or the agent wrote another day or year",
        ),
        StartProblem::TooFar => ("die Zeit liegt Jahre entfernt", "the time is years away"),
        StartProblem::Passed => (
            "die gewünschte Zeit war schon vorbei, als der Anruf hier einging; der Kunde weiß nicht, dass nichts gebucht wurde",
            "the time had passed when the call arrived: nobody told the customer that it was not booked",
        ),
    }
}

pub(crate) fn question(doubt: Doubt) -> (&'static str, &'static str) {
    match doubt {
        Doubt::OnlyDay => ("um welche Uhrzeit?", "at what time?"),
        Doubt::OnlyTime => ("an welchem Tag?", "on which day?"),
        Doubt::WhichDay => ("an welchem der Tage?", "on which of the days?"),
        Doubt::WhichWeek => ("diese oder nächste Woche?", "this week or next week?"),
        Doubt::TodayOrInAWeek => ("heute oder in einer Woche?", "today or in a week?"),
        Doubt::BothOpen => ("morgens oder abends?", "in the morning or in the evening?"),
        Doubt::BothClosed => ("um welche Uhrzeit? Zu dieser Zeit ist geschlossen", "at what time? It is closed then"),
        Doubt::SaidDifferently => (
            "um welche Uhrzeit? Diese Angabe wird unterschiedlich verstanden",
            "at what time? People mean different times by these words",
        ),
        Doubt::DayOrMonth => ("welche Zahl ist der Monat?", "which number is the month?"),
        Doubt::DayOrTime => ("ein Datum oder eine Uhrzeit?", "is it a date or a time?"),
        Doubt::Contradiction => ("wann? Die Angaben widersprechen sich", "when? The words contradict each other"),
        Doubt::OtherZone => (
            "wann? Die Zeit scheint aus einer anderen Zeitzone zu sein",
            "when? The time seems to be of another time zone",
        ),
        Doubt::Alternatives => ("welche der Zeiten?", "which of the times?"),
        Doubt::JustPassed => ("nächstes Jahr? Der Tag ist gerade vorbei", "next year? The day has just passed"),
        Doubt::Vague => ("an welchem Tag genau?", "on which day exactly?"),
        Doubt::Recurring => {
            ("ein Serientermin: bitte einzeln buchen", "a recurring appointment: book each one separately")
        }
        Doubt::Closed => {
            ("um welche andere Uhrzeit? Zu dieser Zeit ist geschlossen", "at what other time? It is closed then")
        }
        Doubt::AsSoonAsPossible => (
            "so bald wie möglich: bitte die nächsten freien Zeiten anbieten",
            "as soon as possible: offer the next free slots",
        ),
        Doubt::NotUnderstood => {
            ("wann? Die Angabe wurde nicht sicher verstanden", "when? Something in the words changes the meaning")
        }
    }
}

pub(crate) fn failure(category: Category) -> (&'static str, &'static str) {
    match category {
        Category::Past => ("die Zeit ist vorbei", "the time has passed"),
        Category::HostConflict => ("zu dieser Zeit ist niemand frei", "nobody is free at that time"),
        Category::OutsideWindow => ("zu dieser Zeit ist nichts buchbar", "nothing can be booked at that time"),
        Category::InvalidContact => (
            "Cal.com lehnt die Telefonnummer oder E-Mail-Adresse des Kunden ab",
            "Cal.com refuses the customer's number or email",
        ),
        Category::NoEventType => {
            ("die gewünschte Leistung ist nicht bekannt", "the service that is wanted is not known")
        }
        Category::BookerLimit => (
            "der Kunde hat so viele Termine, wie Cal.com erlaubt",
            "the customer has as many bookings as Cal.com allows",
        ),
        Category::RateLimited | Category::CalcomUnavailable => (
            "Cal.com war einen Tag lang nicht erreichbar oder überlastet",
            "Cal.com was unavailable or overloaded for a day",
        ),
        Category::Credentials | Category::Forbidden => (
            "Cal.com verweigert den Zugriff: bitte wenden Sie sich an Ihre Agentur",
            "Cal.com refuses access: ask the agency",
        ),
        Category::Misconfigured => {
            ("wegen einer Einstellung in Cal.com ist niemand buchbar", "a setting at Cal.com prevents every booking")
        }
        Category::NotVisible => (
            "unklar, ob der Termin gebucht ist: bitte bei Cal.com nachsehen",
            "whether it is booked is not known: look at Cal.com",
        ),
        Category::Unknown => ("Cal.com hat aus unbekanntem Grund abgelehnt", "Cal.com refused for an unknown reason"),
    }
}

pub(crate) fn unassigned(reason: Unassigned) -> (&'static str, &'static str) {
    match reason {
        Unassigned::NoHostInBooking => {
            ("gebucht, aber in Cal.com ist niemand zugewiesen", "booked, but Cal.com names no host")
        }
        Unassigned::HostUnknownToUs => {
            ("gebucht bei einer Person, die hier nicht hinterlegt ist", "booked with somebody who is not known here")
        }
        Unassigned::SeveralStaffMatch => {
            ("gebucht, aber mehrere Personen kommen in Frage", "booked, but several people may be meant")
        }
        Unassigned::StaffInactive => (
            "gebucht bei jemandem, der gerade keine Termine annimmt",
            "booked with somebody who takes no appointments now",
        ),
        Unassigned::OtherStaffRequested => {
            ("gebucht, aber der Kunde wollte zu jemand anderem", "booked, but the customer named somebody else")
        }
        Unassigned::StaffWishUnclear => {
            ("gebucht, aber zu wem der Kunde wollte, ist unklar", "booked, but whom the customer named is not clear")
        }
    }
}
