//! Days as they are written.

use chrono::{Datelike, NaiveDate};

use crate::Language;

const GERMAN_DAYS: [&str; 7] = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

impl Language {
    /// A weekday: `Dienstag` or `Tuesday`.
    pub fn weekday(self, day: NaiveDate) -> String {
        match self {
            Self::German => GERMAN_DAYS[day.weekday().num_days_from_monday() as usize].to_owned(),
            Self::English => day.format("%A").to_string(),
        }
    }

    /// A weekday in short: `Di` or `Tue`.
    pub fn short_weekday(self, day: NaiveDate) -> String {
        match self {
            Self::German => self.weekday(day).chars().take(2).collect(),
            Self::English => day.format("%a").to_string(),
        }
    }

    /// A day of the year: `24. November` or `24 November`.
    pub fn day_and_month(self, day: NaiveDate) -> String {
        match self {
            Self::German => format!("{}. {}", day.day(), GERMAN_MONTHS[day.month0() as usize]),
            Self::English => day.format("%-d %B").to_string(),
        }
    }

    /// A day of the year with its weekday: `Dienstag, 24. November` or `Tuesday, 24 November`.
    pub fn long_day(self, day: NaiveDate) -> String {
        format!("{}, {}", self.weekday(day), self.day_and_month(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_its_language_writes_it() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
        let written = |language: Language| [language.short_weekday(day), language.long_day(day)];
        assert_eq!(written(Language::German), ["Di", "Dienstag, 1. Dezember"]);
        assert_eq!(written(Language::English), ["Tue", "Tuesday, 1 December"]);
    }
}
