//! Reads what a caller says of a time: "nächsten Dienstag um halb drei", "tomorrow afternoon", `2026-12-24T14:00`.
//!
//! A text is read relative to the moment of the call, in the business's zone, with its opening hours. Whatever has two
//! meanings is a question: nobody is booked at a time that was not meant. No library reads German and English with
//! questions for an answer, so this is a small grammar: [`text`] splits a text into tokens, [`scan`] finds the pieces that
//! have to do with time, [`phrases`] puts them together, and [`resolve`] looks them up in the calendar.

mod calendar;
mod items;
pub(crate) mod numbers;
mod phrases;
mod reading;
mod resolve;
mod scan;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod words;

use chrono::DateTime;
use chrono_tz::Tz;

use self::reading::Slot;
pub use self::reading::{Candidate, Doubt, Hearing, NoTime, TimeReading, Window};
pub(crate) use self::{scan::is_safe, words::is_word_of_time};

/// Longer texts are no times.
const MAX_LENGTH: usize = 400;

impl Hearing<'_> {
    /// Reads a text that names a day and a time.
    pub fn read(&self, text: &str) -> TimeReading {
        self.understand(&[(text, Slot::Anywhere)])
    }

    /// Reads a day and a time that are two texts.
    pub fn read_day_and_time(&self, day: &str, time: &str) -> TimeReading {
        self.understand(&[(day, Slot::Date), (time, Slot::Time)])
    }

    /// Reads a start that another system recorded: a day with its year and a time, on the clock of 24 hours. It may be
    /// in the past.
    pub fn read_record(text: &str, zone: Tz) -> TimeReading {
        let hearing = Hearing { said_at: DateTime::UNIX_EPOCH, zone, hours: None, is_english: false };
        match scan::record(text) {
            Some(record) => resolve::record(&hearing, record),
            None => TimeReading::None(NoTime::NotATime),
        }
    }

    fn understand(&self, texts: &[(&str, Slot)]) -> TimeReading {
        if texts.iter().any(|(text, _)| text.len() > MAX_LENGTH) {
            return TimeReading::Question { doubt: Doubt::NotUnderstood, readings: Vec::new() };
        }
        let items = texts.iter().flat_map(|(text, slot)| scan::items(text, *slot)).collect();
        resolve::resolve(self, phrases::phrases(items))
    }
}
