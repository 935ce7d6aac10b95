//! Reads the start that a caller requested.
//!
//! A voice agent writes local time in the tenant's zone, mostly without an offset. At the two clock changes of a year
//! such a time maps to no instant, or to two: in Europe/Berlin `2026-03-29 02:30` does not exist and `2025-10-26 02:30` exists
//! twice.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// The requested start, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reading")]
pub enum RequestedStart {
    /// A single instant.
    At {
        /// The instant.
        at: DateTime<Utc>,
        /// What was noticed while reading it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<StartNote>,
    },
    /// No instant could be read; a person has to call back.
    Unusable {
        /// Why not.
        problem: StartProblem,
        /// What was written, if anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<String>,
    },
}

/// What a person may want to know about a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartNote {
    /// The clock shows this time twice on that day; the earlier one was taken.
    EarlierOfTwo,
}

/// Why no instant could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StartProblem {
    /// No time was given.
    #[serde(rename = "start_missing")]
    Missing,
    /// The text is not a date with a time of day.
    #[serde(rename = "start_unreadable")]
    Unreadable,
    /// The clock skips this time on that day.
    #[serde(rename = "start_does_not_exist")]
    DoesNotExist,
}

impl StartProblem {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "start_missing",
            Self::Unreadable => "start_unreadable",
            Self::DoesNotExist => "start_does_not_exist",
        }
    }
}

impl RequestedStart {
    /// The instant, if there is one.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At { at, .. } => Some(*at),
            Self::Unusable { .. } => None,
        }
    }
}

const LOCAL_FORMS: [&str; 6] =
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%d.%m.%Y, %H:%M"];
const DATE_FORMS: [&str; 2] = ["%Y-%m-%d", "%d.%m.%Y"];
const TIME_FORMS: [&str; 2] = ["%H:%M:%S", "%H:%M"];

/// Reads a start: ISO 8601 with an offset, or a local time (`2026-12-01 14:30`, `01.12.2026 14:30`) in `zone`.
pub fn read_start(text: Option<&str>, zone: Tz) -> RequestedStart {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return RequestedStart::Unusable { problem: StartProblem::Missing, raw: None };
    };
    if let Ok(with_offset) = DateTime::parse_from_rfc3339(text) {
        return RequestedStart::At { at: with_offset.to_utc(), note: None };
    }
    let raw = without_clock_word(text);
    match LOCAL_FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(raw, form).ok()) {
        Some(local) => in_zone(local, zone, text),
        None => RequestedStart::Unusable { problem: StartProblem::Unreadable, raw: Some(text.to_owned()) },
    }
}

/// Reads a start whose date and time of day are two fields.
pub fn read_date_and_time(date: Option<&str>, time: Option<&str>, zone: Tz) -> RequestedStart {
    let (Some(date), Some(time)) = (date, time) else {
        let raw = date.or(time).map(str::to_owned);
        return RequestedStart::Unusable { problem: StartProblem::Missing, raw };
    };
    let text = format!("{} {}", date.trim(), time.trim());
    let day = DATE_FORMS.iter().find_map(|form| NaiveDate::parse_from_str(date.trim(), form).ok());
    let raw = without_clock_word(time.trim());
    let time_of_day = TIME_FORMS.iter().find_map(|form| NaiveTime::parse_from_str(raw, form).ok());
    match (day, time_of_day) {
        (Some(day), Some(time_of_day)) => in_zone(day.and_time(time_of_day), zone, &text),
        _ => RequestedStart::Unusable { problem: StartProblem::Unreadable, raw: Some(text) },
    }
}

fn without_clock_word(text: &str) -> &str {
    text.strip_suffix("Uhr").unwrap_or(text).trim_end()
}

fn in_zone(local: NaiveDateTime, zone: Tz, raw: &str) -> RequestedStart {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => RequestedStart::At { at: at.to_utc(), note: None },
        LocalResult::Ambiguous(earlier, _) => {
            RequestedStart::At { at: earlier.to_utc(), note: Some(StartNote::EarlierOfTwo) }
        }
        LocalResult::None => {
            RequestedStart::Unusable { problem: StartProblem::DoesNotExist, raw: Some(raw.to_owned()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> RequestedStart {
        RequestedStart::At { at: text.parse().unwrap(), note: None }
    }

    #[test]
    fn the_usual_forms_are_read_in_the_tenants_zone() {
        for text in ["2026-12-01 14:30", "2026-12-01T14:30:00", "01.12.2026 14:30", "1.12.2026, 14:30 Uhr"] {
            assert_eq!(read_start(Some(text), Berlin), at("2026-12-01T13:30:00Z"), "{text}");
        }
        assert_eq!(read_start(Some("2026-12-01T14:30:00+00:00"), Berlin), at("2026-12-01T14:30:00Z"));
        assert_eq!(read_date_and_time(Some("2026-07-01"), Some("9:05 Uhr"), Berlin), at("2026-07-01T07:05:00Z"));
    }

    #[test]
    fn a_time_that_exists_twice_is_read_as_the_earlier_one_and_noted() {
        assert_eq!(
            read_start(Some("2025-10-26 02:30"), Berlin),
            RequestedStart::At { at: "2025-10-26T00:30:00Z".parse().unwrap(), note: Some(StartNote::EarlierOfTwo) }
        );
    }

    #[test]
    fn a_time_that_the_clock_skips_is_no_start() {
        assert_eq!(
            read_start(Some("2026-03-29 02:30"), Berlin),
            RequestedStart::Unusable { problem: StartProblem::DoesNotExist, raw: Some("2026-03-29 02:30".to_owned()) }
        );
    }

    #[test]
    fn an_unusable_start_has_its_problem() {
        let problem = |start| match start {
            RequestedStart::Unusable { problem, .. } => Some(problem),
            RequestedStart::At { .. } => None,
        };
        assert_eq!(problem(read_start(None, Berlin)), Some(StartProblem::Missing));
        assert_eq!(problem(read_start(Some("  "), Berlin)), Some(StartProblem::Missing));
        assert_eq!(problem(read_start(Some("next Tuesday"), Berlin)), Some(StartProblem::Unreadable));
        assert_eq!(problem(read_date_and_time(Some("2026-07-01"), None, Berlin)), Some(StartProblem::Missing));
        assert_eq!(problem(read_date_and_time(Some("2026-07-01"), Some("x"), Berlin)), Some(StartProblem::Unreadable));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,60}") {
            read_start(Some(&text), Berlin);
            read_date_and_time(Some(&text), Some(&text), Berlin);
        }

        #[test]
        fn a_start_that_was_read_shows_the_spoken_time_on_the_tenants_clock(
            minutes in 0_i64..(20 * 366 * 24 * 60)
        ) {
            let local = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap().and_time(NaiveTime::MIN)
                + chrono::Duration::minutes(minutes);
            let text = local.format("%Y-%m-%d %H:%M").to_string();
            if let Some(at) = read_start(Some(&text), Berlin).at() {
                prop_assert_eq!(at.with_timezone(&Berlin).naive_local(), local);
            }
        }
    }
}
