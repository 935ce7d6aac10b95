#![doc = include_str!("../README.md")]

mod calendar;
mod desk;
mod history;
mod mail;
mod reason;
pub mod spoken;

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use scheduling::{spoken_time::Candidate, tenant::Tenant};

pub use history::capital;
pub use mail::{MAX_ENTRIES, Mail, ReviewMail, invitation};

/// A language in which people are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// German.
    German,
    /// English.
    English,
}

impl Language {
    /// The language of a tenant's people: German, or English for every other language of Cal.com's.
    pub fn of(tenant: &Tenant) -> Self {
        if tenant.language == "de" { Self::German } else { Self::English }
    }

    /// The text of this language.
    pub fn choose<'t>(self, german: &'t str, english: &'t str) -> &'t str {
        match self {
            Self::German => german,
            Self::English => english,
        }
    }

    /// A moment on the tenant's clock: `Di 1.12.2026 14:30` or `Tue 01 Dec 2026 14:30`.
    pub fn moment(self, at: DateTime<Utc>, zone: Tz) -> String {
        let local = at.with_timezone(&zone);
        match self {
            Self::German => {
                let weekday = self.short_weekday(local.date_naive());
                let (day, month, year) = (local.day(), local.month(), local.year());
                format!("{weekday} {day}.{month}.{year} {:02}:{:02}", local.hour(), local.minute())
            }
            Self::English => local.format("%a %d %b %Y %H:%M").to_string(),
        }
    }

    /// What a caller may have meant.
    pub fn candidate(self, candidate: &Candidate, zone: Tz) -> String {
        match candidate {
            Candidate::At { at } => self.moment(*at, zone),
            Candidate::Window(window) => {
                let to = window.to.with_timezone(&zone).format("%H:%M");
                format!("{} {} {to}", self.moment(window.from, zone), self.choose("bis", "to"))
            }
        }
    }
}
