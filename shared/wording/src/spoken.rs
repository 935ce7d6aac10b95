//! What a voice agent says to a caller. Every sentence is true when it is said, and asks one thing at most.

use chrono::{DateTime, Days, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;
use scheduling::{
    offer::{FreeSlot, Offer, TimeWish, Unclear, said},
    spoken_time::{Candidate, Doubt, NoTime},
    tenant::Tenant,
};

use crate::{Language, reason};

/// What is said to a caller whom nobody can reach.
const UNREACHABLE: (&str, &str) = (
    "Ohne Telefonnummer können wir Sie nicht erreichen: bitte rufen Sie später noch einmal an.",
    "Without a phone number we can't reach you: please call again later.",
);

/// The voice of a tenant's agent at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'t> {
    /// The tenant.
    pub tenant: &'t Tenant,
    /// Now: "tomorrow" depends on it.
    pub now: DateTime<Utc>,
}

/// What is done for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// A new appointment.
    Booking,
    /// Another start.
    Moving,
    /// A cancellation.
    Cancelling,
}

/// What a caller has to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The service.
    Service,
    /// The start.
    Start,
    /// The name.
    Name,
    /// A phone number.
    Phone,
    /// The text of a message.
    Message,
    /// The name, because several people share the number.
    NameOfShared,
    /// Name and day, because the number is hidden.
    NameAndDay,
}

impl Voice<'_> {
    fn language(self) -> Language {
        Language::of(self.tenant)
    }

    fn zone(self) -> Tz {
        self.tenant.time_zone
    }

    fn is_german(self) -> bool {
        self.language() == Language::German
    }

    /// A day: "heute", "morgen", "Dienstag, 1. Dezember".
    pub fn day(self, at: DateTime<Utc>) -> String {
        let (day, today) = (at.with_timezone(&self.zone()).date_naive(), self.today());
        match (day == today, today.checked_add_days(Days::new(1)) == Some(day)) {
            (true, _) => self.language().choose("heute", "today").to_owned(),
            (_, true) => self.language().choose("morgen", "tomorrow").to_owned(),
            _ => self.date(day),
        }
    }

    /// A date in full: "Dienstag, 1. Dezember".
    pub fn date(self, day: NaiveDate) -> String {
        match self.language() {
            Language::German => Language::German.long_day(day),
            Language::English => day.format("%A, %B %-d").to_string(),
        }
    }

    /// The weekday.
    pub fn weekday(self, day: NaiveDate) -> String {
        self.language().weekday(day)
    }

    /// A time of day: "10 Uhr", "10 Uhr 30"; "10 am", "10:30 am".
    pub fn time(self, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&self.zone());
        match (self.is_german(), local.minute()) {
            (true, 0) => format!("{} Uhr", local.hour()),
            (true, minute) => format!("{} Uhr {minute}", local.hour()),
            (false, 0) => local.format("%-I %P").to_string(),
            (false, _) => local.format("%-I:%M %P").to_string(),
        }
    }

    /// Day and time: "am Dienstag, 1. Dezember, um 10 Uhr".
    pub fn moment(self, at: DateTime<Utc>) -> String {
        let (day, time) = (self.day(at), self.time(at));
        let is_near = !day.contains(',');
        match (self.is_german(), is_near) {
            (true, true) => format!("{day} um {time}"),
            (true, false) => format!("am {day}, um {time}"),
            (false, true) => format!("{day} at {time}"),
            (false, false) => format!("on {day} at {time}"),
        }
    }

    /// Day and time as the subject of a sentence: "Tuesday, December 1 at 10 am".
    fn named_moment(self, at: DateTime<Utc>) -> String {
        let moment = self.moment(at);
        moment.strip_prefix("on ").map_or_else(|| moment.clone(), str::to_owned)
    }

    /// Several moments, each day once: "am Dienstag, 1. Dezember, um 10 Uhr oder um 11 Uhr, oder morgen um 9 Uhr".
    pub fn moments(self, slots: &[FreeSlot]) -> String {
        let mut days: Vec<(String, Vec<String>)> = Vec::new();
        for slot in slots {
            let (first, time) = (self.named_moment(slot.start), self.time(slot.start));
            let of_day = self.day(slot.start);
            match days.last_mut().filter(|(day, _)| *day == of_day) {
                Some((_, times)) => times.push(format!("{} {time}", self.language().choose("um", "at"))),
                None => days.push((of_day, vec![first])),
            }
        }
        let days: Vec<String> = days.iter().map(|(_, times)| self.any_of(times)).collect();
        match days.as_slice() {
            [only] => only.clone(),
            [before @ .., last] => format!("{}, {} {last}", before.join(", "), self.language().choose("oder", "or")),
            [] => String::new(),
        }
    }

    /// Alternatives: "A, B oder C".
    pub fn any_of(self, items: &[String]) -> String {
        joined(items, self.language().choose("oder", "or"))
    }

    /// An enumeration: "A, B und C".
    pub fn all_of(self, items: &[String]) -> String {
        joined(items, self.language().choose("und", "and"))
    }

    fn today(self) -> NaiveDate {
        self.now.with_timezone(&self.zone()).date_naive()
    }
}

impl Voice<'_> {
    /// What is free.
    pub fn offer(self, offer: &Offer, wish: &TimeWish, staff: Option<&str>) -> String {
        let with = self.with(staff);
        let others = self.moments(&said(offer.others.clone()));
        match (wish, offer.fitting.first(), others.is_empty()) {
            (TimeWish::At(_), Some(slot), _) if self.is_german() => {
                format!("{}{with} ist frei. Soll ich das eintragen?", capitalized(&self.moment(slot.start)))
            }
            (TimeWish::At(_), Some(slot), _) => {
                format!("{}{with} is free. Shall I book it?", capitalized(&self.named_moment(slot.start)))
            }
            (_, Some(_), _) => {
                let times = self.moments(&said(offer.fitting.clone()));
                if self.is_german() {
                    format!("Frei ist{with} {times}. Was passt Ihnen?")
                } else {
                    format!("I have {times} free{with}. Which one suits you?")
                }
            }
            (wish, None, false) => format!("{} {}", self.not_free(wish, &with), self.nearest(&others)),
            (wish, None, true) => self.not_free(wish, &with),
        }
    }

    /// That a start is not free, with the nearest ones that are.
    pub fn taken(self, start: DateTime<Utc>, others: &[FreeSlot]) -> String {
        let others = self.moments(&said(others.to_vec()));
        let taken = self.not_free(&TimeWish::At(start), "");
        if others.is_empty() { taken } else { format!("{taken} {}", self.nearest(&others)) }
    }

    fn not_free(self, wish: &TimeWish, with: &str) -> String {
        match (wish, self.is_german()) {
            (TimeWish::At(at), true) => format!("{} ist{with} leider nichts frei.", capitalized(&self.moment(*at))),
            (TimeWish::At(at), false) => format!("{}{with} is not free.", capitalized(&self.named_moment(*at))),
            (TimeWish::Within(_), true) => format!("Da ist{with} leider nichts frei."),
            (TimeWish::Within(_), false) => format!("Nothing is free{with} then."),
            (TimeWish::Soonest, true) => format!("In den nächsten zwei Wochen ist{with} leider nichts frei."),
            (TimeWish::Soonest, false) => format!("Nothing is free{with} in the next two weeks."),
        }
    }

    fn nearest(self, others: &str) -> String {
        if self.is_german() {
            format!("Frei wäre {others}. Passt Ihnen das?")
        } else {
            format!("The nearest I have is {others}. Would that suit you?")
        }
    }

    fn with(self, staff: Option<&str>) -> String {
        staff.map_or_else(String::new, |name| format!(" {} {name}", self.language().choose("bei", "with")))
    }

    /// A question about a time.
    pub fn question(self, unclear: &Unclear) -> String {
        match unclear {
            Unclear::Question { doubt, readings } => self.doubt(*doubt, readings),
            Unclear::NoTime(reason) => self.no_time(*reason).to_owned(),
        }
    }

    fn doubt(self, doubt: Doubt, readings: &[Candidate]) -> String {
        let is_choice = matches!(
            doubt,
            Doubt::WhichDay
                | Doubt::WhichWeek
                | Doubt::TodayOrInAWeek
                | Doubt::BothOpen
                | Doubt::SaidDifferently
                | Doubt::DayOrMonth
                | Doubt::DayOrTime
                | Doubt::Contradiction
                | Doubt::Alternatives
        );
        if is_choice && (2..=3).contains(&readings.len()) {
            let choices = self.choices(readings);
            return if self.is_german() {
                format!("Meinen Sie {}?", self.any_of(&choices))
            } else {
                format!("Do you mean {}?", self.any_of(&choices))
            };
        }
        capitalized(self.spoken_doubt(doubt))
    }

    /// What may have been meant: by the day alone where the days differ, else with its time.
    fn choices(self, readings: &[Candidate]) -> Vec<String> {
        let start = |reading: &Candidate| match reading {
            Candidate::At { at } => *at,
            Candidate::Window(window) => window.from,
        };
        let local = |reading: &Candidate| start(reading).with_timezone(&self.zone()).date_naive();
        let mut days: Vec<NaiveDate> = readings.iter().map(local).collect();
        days.sort_unstable();
        days.dedup();
        let differ_by_day = days.len() == readings.len();
        let spoken = |reading: &Candidate| match (differ_by_day, self.is_german()) {
            (true, true) => {
                let day = local(reading);
                format!("{}, den {}", self.weekday(day), Language::German.day_and_month(day))
            }
            (true, false) => self.date(local(reading)),
            (false, _) => self.moment(start(reading)),
        };
        readings.iter().map(spoken).collect()
    }

    fn spoken_doubt(self, doubt: Doubt) -> &'static str {
        let (german, english) = match doubt {
            Doubt::OnlyDay => ("um welche Uhrzeit?", "at what time?"),
            Doubt::Closed | Doubt::BothClosed => {
                ("zu dieser Zeit ist geschlossen. Um welche andere Uhrzeit?", "we are closed then. At what other time?")
            }
            Doubt::JustPassed => ("dieser Tag ist schon vorbei. An welchem Tag?", "that day has passed. On which day?"),
            Doubt::Recurring => (
                "ich kann einen Termin nach dem anderen eintragen. Wann soll der erste sein?",
                "I can book one appointment after the other. When should the first one be?",
            ),
            Doubt::AsSoonAsPossible => ("an welchem Tag, und um welche Uhrzeit?", "on which day, and at what time?"),
            Doubt::Contradiction | Doubt::NotUnderstood | Doubt::OtherZone => (
                "das habe ich nicht sicher verstanden. An welchem Tag, und um welche Uhrzeit?",
                "I am not sure that I understood. On which day, and at what time?",
            ),
            other => reason::question(other),
        };
        self.language().choose(german, english)
    }

    fn no_time(self, reason: NoTime) -> &'static str {
        let (german, english) = match reason {
            NoTime::Missing | NoTime::NotATime => ("Wann möchten Sie kommen?", "When would you like to come?"),
            NoTime::Past | NoTime::WrongYear => (
                "Das wäre in der Vergangenheit. An welchem Tag möchten Sie kommen?",
                "That would be in the past. On which day would you like to come?",
            ),
            NoTime::NoSuchDay => {
                ("Diesen Tag gibt es nicht. Welchen Tag meinen Sie?", "There is no such day. Which day do you mean?")
            }
            NoTime::ClockSkips => (
                "Diese Uhrzeit gibt es an dem Tag nicht. Um welche Uhrzeit?",
                "There is no such time on that day. At what time?",
            ),
            NoTime::TooFar => (
                "So weit im Voraus kann ich nichts eintragen. Wann möchten Sie kommen?",
                "I can't book that far ahead. When would you like to come?",
            ),
        };
        self.language().choose(german, english)
    }

    /// Asks for what is missing.
    pub fn ask(self, missing: Missing) -> String {
        let (german, english) = match missing {
            Missing::Service => return self.ask_service(),
            Missing::Start => ("Wann möchten Sie kommen?", "When would you like to come?"),
            Missing::Name => ("Auf welchen Namen?", "What is your name?"),
            Missing::NameOfShared => ("Auf welchen Namen läuft der Termin?", "What name is the appointment under?"),
            Missing::Phone => {
                ("Unter welcher Telefonnummer erreichen wir Sie?", "At which phone number can we reach you?")
            }
            Missing::Message => ("Was darf ich ausrichten?", "What is your message?"),
            Missing::NameAndDay => (
                "Auf welchen Namen läuft der Termin, mit Vor- und Nachnamen, und an welchem Tag ist er?",
                "What is the full name for the appointment, and on which day is it?",
            ),
        };
        self.language().choose(german, english).to_owned()
    }

    fn ask_service(self) -> String {
        let names: Vec<String> = self.tenant.services.iter().map(|service| service.name.clone()).collect();
        if self.is_german() {
            format!("Für welche Leistung? Buchen können Sie {}.", self.all_of(&names))
        } else {
            format!("For which service? You can book {}.", self.all_of(&names))
        }
    }

    /// Asks which of the services that fit.
    pub fn ask_which_service(self, names: &[String]) -> String {
        if self.is_german() {
            format!("Meinen Sie {}?", self.any_of(names))
        } else {
            format!("Do you mean {}?", self.any_of(names))
        }
    }

    /// That a name is not one of the staff, or fits several.
    pub fn ask_staff(self, names: &[String]) -> String {
        if self.is_german() {
            format!("Zu wem möchten Sie? Bei uns arbeiten {}.", self.all_of(names))
        } else {
            format!("Who would you like to see? Our staff are {}.", self.all_of(names))
        }
    }

    /// Asks which of several.
    pub fn ask_which(self, items: &[String]) -> String {
        if self.is_german() {
            format!("Welchen Termin meinen Sie: {}?", self.any_of(items))
        } else {
            format!("Which appointment do you mean: {}?", self.any_of(items))
        }
    }

    /// An appointment in a sentence: "Haarschnitt am Dienstag, 1. Dezember, um 10 Uhr bei Anna Berg".
    pub fn appointment(self, service: Option<&str>, start: DateTime<Utc>, staff: Option<&str>) -> String {
        let service = service.unwrap_or_else(|| self.language().choose("Termin", "appointment"));
        format!("{service} {}{}", self.moment(start), self.with(staff))
    }

    /// That it is booked. Only said of what is stored as booked.
    pub fn booked(self, appointment: &str) -> String {
        if self.is_german() { format!("Gebucht: {appointment}.") } else { format!("Booked: {appointment}.") }
    }

    /// That it was moved. Only said of what is stored as moved.
    pub fn moved(self, appointment: &str) -> String {
        if self.is_german() { format!("Verschoben: {appointment}.") } else { format!("Moved: {appointment}.") }
    }

    /// That it was cancelled. Only said of what is stored as cancelled.
    pub fn cancelled(self, appointment: &str) -> String {
        if self.is_german() { format!("Abgesagt: {appointment}.") } else { format!("Cancelled: {appointment}.") }
    }

    /// That nobody can say yet that the wished staff member does it.
    pub fn not_promised(self, staff: &str) -> String {
        if self.is_german() {
            format!("Ob es bei {staff} ist, kann ich nicht versprechen.")
        } else {
            format!("I can't promise that it is with {staff}.")
        }
    }

    /// That it is stored, and its host still has to confirm it.
    pub fn awaits_confirmation(self, appointment: &str) -> String {
        if self.is_german() {
            format!("Eingetragen, muss aber noch bestätigt werden: {appointment}.")
        } else {
            format!("Entered, and still to be confirmed: {appointment}.")
        }
    }

    /// That it is noted, and can't be looked up now.
    pub fn unverified(self, appointment: &str) -> String {
        if self.is_german() {
            format!("Vorgemerkt, im Moment kann ich es aber nicht prüfen: {appointment}.")
        } else {
            format!("Noted, but I can't check it right now: {appointment}.")
        }
    }

    /// That it is being done, and what happens if it fails.
    pub fn being_entered(self, doing: Doing, is_reachable: bool) -> String {
        let what = match (doing, self.is_german()) {
            (Doing::Booking, true) => "Der Termin wird gerade eingetragen und ist noch nicht bestätigt.",
            (Doing::Moving, true) => "Die Verschiebung wird gerade eingetragen und ist noch nicht bestätigt.",
            (Doing::Cancelling, true) => "Die Absage wird gerade eingetragen und ist noch nicht bestätigt.",
            (Doing::Booking, false) => "The appointment is being entered and is not confirmed yet.",
            (Doing::Moving, false) => "The change is being entered and is not confirmed yet.",
            (Doing::Cancelling, false) => "The cancellation is being entered and is not confirmed yet.",
        };
        let name = &self.tenant.name;
        let then = match (self.is_german(), is_reachable) {
            (true, true) => format!("Klappt es nicht, meldet sich {name} bei Ihnen."),
            (true, false) => UNREACHABLE.0.to_owned(),
            (false, true) => format!("If it fails, {name} will get in touch with you."),
            (false, false) => UNREACHABLE.1.to_owned(),
        };
        format!("{what} {then}")
    }

    /// That a person of the business does it.
    pub fn callback(self, is_reachable: bool) -> String {
        let cant = self.language().choose("Das kann ich nicht selbst erledigen.", "I can't do that myself.");
        format!("{cant} {}", self.gets_in_touch(is_reachable))
    }

    /// That a message was taken.
    pub fn message_taken(self, is_reachable: bool) -> String {
        let noted = self.language().choose("Ich habe es notiert.", "I have noted it.");
        format!("{noted} {}", self.gets_in_touch(is_reachable))
    }

    fn gets_in_touch(self, is_reachable: bool) -> String {
        let name = &self.tenant.name;
        match (self.is_german(), is_reachable) {
            (true, true) => format!("{name} meldet sich bei Ihnen."),
            (true, false) => UNREACHABLE.0.to_owned(),
            (false, true) => format!("{name} will get in touch with you."),
            (false, false) => UNREACHABLE.1.to_owned(),
        }
    }

    /// What a person of the business reads of a wish that no tool could fulfil.
    pub fn note(self, doing: Doing, appointment: &str) -> String {
        let what = match (doing, self.is_german()) {
            (Doing::Booking, true) => "Möchte",
            (Doing::Moving, true) => "Möchte verschieben",
            (Doing::Cancelling, true) => "Möchte absagen",
            (Doing::Booking, false) => "Wants",
            (Doing::Moving, false) => "Wants to move",
            (Doing::Cancelling, false) => "Wants to cancel",
        };
        format!("{what}: {appointment}")
    }

    /// The coming appointments.
    pub fn coming(self, confirmed: &[String], open: &[String], unverified: &[String]) -> String {
        let mut sentences = Vec::new();
        let language = self.language();
        let mut add = |german: &str, english: &str, items: &[String]| {
            if !items.is_empty() {
                sentences.push(format!("{} {}.", language.choose(german, english), self.all_of(items)));
            }
        };
        add("Eingetragen:", "You are booked for:", confirmed);
        add("Noch nicht bestätigt:", "Not confirmed yet:", open);
        add(
            "Vorgemerkt, im Moment kann ich es aber nicht prüfen:",
            "Noted, but I can't check it right now:",
            unverified,
        );
        if sentences.is_empty() {
            sentences.push(language.choose("Ich finde keinen Termin.", "I can't find an appointment.").to_owned());
        }
        sentences.join(" ")
    }

    /// What can be booked.
    pub fn services(self, names: &[String]) -> String {
        if self.is_german() {
            format!("Buchen können Sie {}.", self.all_of(names))
        } else {
            format!("You can book {}.", self.all_of(names))
        }
    }

    /// Who works here.
    pub fn staff(self, names: &[String]) -> String {
        if self.is_german() {
            format!("Bei uns arbeiten {}.", self.all_of(names))
        } else {
            format!("Our staff are {}.", self.all_of(names))
        }
    }

    /// That the calendar can't be read now. Nothing was done.
    pub fn unavailable(self) -> String {
        let (german, english) = (
            "Ich komme gerade nicht an den Kalender. Ich kann eine Nachricht aufnehmen, dann meldet sich jemand bei Ihnen.",
            "I can't reach the calendar right now. I can take a message, and somebody will get in touch with you.",
        );
        self.language().choose(german, english).to_owned()
    }
}

fn joined(items: &[String], word: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} {word} {last}", before.join(", ")),
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use scheduling::spoken_time::Window;

    use super::*;

    fn tenant(language: &str) -> Tenant {
        serde_json::from_value(serde_json::json!({
            "id": "salon", "name": "Salon Sommer", "time_zone": "Europe/Berlin", "language": language,
            "retell": {"account": "main"}, "calcom": {"account": "salon", "placeholder_email_domain": "salon.example"},
            "staff": [], "services": [
                {"id": "cut", "name": "Haarschnitt", "event_types": {"round_robin": 1}},
                {"id": "color", "name": "Farbe", "event_types": {"round_robin": 2}},
            ],
        }))
        .unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-{text}:00Z").parse().unwrap()
    }

    fn slots(texts: &[&str]) -> Vec<FreeSlot> {
        texts.iter().map(|text| FreeSlot { start: at(text), staff: Vec::new() }).collect()
    }

    fn both(say: impl Fn(Voice<'_>) -> String) -> [String; 2] {
        ["de", "en"].map(|language| say(Voice { tenant: &tenant(language), now: at("11-26T09:00") }))
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        assert_eq!(both(|voice| voice.moment(at("11-26T12:30"))), ["heute um 13 Uhr 30", "today at 1:30 pm"]);
        assert_eq!(both(|voice| voice.moment(at("11-27T09:00"))), ["morgen um 10 Uhr", "tomorrow at 10 am"]);
        assert_eq!(
            both(|voice| voice.moment(at("12-01T09:00"))),
            ["am Dienstag, 1. Dezember, um 10 Uhr", "on Tuesday, December 1 at 10 am"]
        );
    }

    #[test]
    fn at_most_three_slots_are_said_and_a_day_once() {
        let fitting = slots(&["11-27T08:00", "11-27T09:30", "12-01T09:00", "12-02T09:00"]);
        let within = TimeWish::Within(vec![Window { from: at("11-27T00:00"), to: at("12-03T00:00") }]);
        let offer = Offer { fitting, others: Vec::new() };
        assert_eq!(
            both(|voice| voice.offer(&offer, &within, None)),
            [
                "Frei ist morgen um 9 Uhr oder um 10 Uhr 30, oder am Dienstag, 1. Dezember, um 10 Uhr. Was passt Ihnen?",
                "I have tomorrow at 9 am or at 10:30 am, or Tuesday, December 1 at 10 am free. Which one suits you?",
            ]
        );
    }

    #[test]
    fn what_is_not_free_is_said_with_what_is() {
        let others = slots(&["11-27T08:00"]);
        let offer = Offer { fitting: Vec::new(), others };
        assert_eq!(
            both(|voice| voice.offer(&offer, &TimeWish::At(at("11-27T09:00")), Some("Anna"))),
            [
                "Morgen um 10 Uhr ist bei Anna leider nichts frei. Frei wäre morgen um 9 Uhr. Passt Ihnen das?",
                "Tomorrow at 10 am with Anna is not free. The nearest I have is tomorrow at 9 am. Would that suit you?",
            ]
        );
    }

    #[test]
    fn a_question_is_one_sentence_with_what_may_be_meant() {
        let day = |text| Candidate::Window(Window { from: at(text), to: at(text) + TimeDelta::hours(8) });
        let which =
            Unclear::Question { doubt: Doubt::WhichWeek, readings: vec![day("11-27T08:00"), day("12-04T08:00")] };
        assert_eq!(
            both(|voice| voice.question(&which)),
            [
                "Meinen Sie Freitag, den 27. November oder Freitag, den 4. Dezember?",
                "Do you mean Friday, November 27 or Friday, December 4?",
            ]
        );
        let only_day = Unclear::Question { doubt: Doubt::OnlyDay, readings: vec![day("11-27T08:00")] };
        assert_eq!(both(|voice| voice.question(&only_day)), ["Um welche Uhrzeit?", "At what time?"]);
    }

    #[test]
    fn whoever_can_t_be_reached_is_promised_nothing() {
        let [german, english] = both(|voice| {
            voice.being_entered(Doing::Booking, false) + &voice.message_taken(false) + &voice.callback(false)
        });
        assert!(!german.contains("meldet sich") && !english.contains("will get in touch"), "{german} {english}");
    }
}
