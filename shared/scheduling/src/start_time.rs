//! The start that a caller requested, as far as it could be read.
//!
//! A voice agent writes local time in the tenant's zone, mostly without an offset. At the two clock changes of a year
//! such a time maps to no instant, or to two: in Europe/Berlin `2026-03-29 02:30` does not exist and `2025-10-26 02:30` exists
//! twice.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::spoken_time::{Candidate, Doubt, NoTime, TimeReading};

/// For so long a person still looks at a start that passed before its call arrived.
const RECENT: TimeDelta = TimeDelta::days(1);

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
        /// What was said or written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<String>,
    },
    /// No single instant could be read: a person settles it with the customer.
    Unusable {
        /// Why not.
        problem: StartProblem,
        /// What was said or written, if anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<String>,
        /// Why it has to be asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        doubt: Option<Doubt>,
        /// What may have been meant.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        readings: Vec<Candidate>,
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
    /// The text names no time.
    #[serde(rename = "start_unreadable")]
    Unreadable,
    /// It has several meanings, or lacks a day or a time.
    #[serde(rename = "start_unclear")]
    Unclear,
    /// It is a span of time: a person finds a slot inside it.
    #[serde(rename = "start_window")]
    Window,
    /// The calendar has no such day, or the clock skips this time on it.
    #[serde(rename = "start_does_not_exist")]
    DoesNotExist,
    /// It was before the call: it was misheard, or the voice agent wrote another day or year.
    #[serde(rename = "start_before_call")]
    BeforeCall,
    /// It is years away.
    #[serde(rename = "start_too_far")]
    TooFar,
    /// It passed just before the call reached Frontdesk: nobody has told the customer that it was not booked.
    #[serde(rename = "start_passed")]
    Passed,
}

impl StartProblem {
    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "start_missing",
            Self::Unreadable => "start_unreadable",
            Self::Unclear => "start_unclear",
            Self::Window => "start_window",
            Self::DoesNotExist => "start_does_not_exist",
            Self::BeforeCall => "start_before_call",
            Self::TooFar => "start_too_far",
            Self::Passed => "start_passed",
        }
    }
}

impl RequestedStart {
    /// What was understood of `raw`.
    pub fn of(reading: TimeReading, raw: Option<String>) -> Self {
        let unusable = |problem| Self::Unusable { problem, raw: raw.clone(), doubt: None, readings: Vec::new() };
        match reading {
            TimeReading::Moment { at, is_earlier_of_two } => {
                Self::At { at, note: is_earlier_of_two.then_some(StartNote::EarlierOfTwo), raw }
            }
            TimeReading::Window(windows) => Self::Unusable {
                problem: StartProblem::Window,
                raw,
                doubt: None,
                readings: windows.into_iter().map(Candidate::Window).collect(),
            },
            TimeReading::Question { doubt, readings } => {
                Self::Unusable { problem: StartProblem::Unclear, raw, doubt: Some(doubt), readings }
            }
            TimeReading::None(NoTime::Missing) => unusable(StartProblem::Missing),
            TimeReading::None(NoTime::NotATime) => unusable(StartProblem::Unreadable),
            TimeReading::None(NoTime::Past | NoTime::WrongYear) => unusable(StartProblem::BeforeCall),
            TimeReading::None(NoTime::NoSuchDay | NoTime::ClockSkips) => unusable(StartProblem::DoesNotExist),
            TimeReading::None(NoTime::TooFar) => unusable(StartProblem::TooFar),
        }
    }

    /// No start was said.
    pub fn missing() -> Self {
        Self::of(TimeReading::None(NoTime::Missing), None)
    }

    /// A start that nobody had to read.
    pub fn exactly(at: DateTime<Utc>) -> Self {
        Self::At { at, note: None, raw: None }
    }

    /// Marks a start that passed within the last day as unusable: the customer may just have stood before a closed door. An
    /// older one is left to be cancelled as `past`.
    #[must_use]
    pub fn escalate_if_passed(self, now: DateTime<Utc>) -> Self {
        match self {
            Self::At { at, raw, .. } if at <= now && at > now - RECENT => {
                let readings = vec![Candidate::At { at }];
                Self::Unusable { problem: StartProblem::Passed, raw, doubt: None, readings }
            }
            start => start,
        }
    }

    /// The instant, if there is one.
    pub fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At { at, .. } => Some(*at),
            Self::Unusable { .. } => None,
        }
    }

    /// What was said or written.
    pub fn raw(&self) -> Option<&str> {
        match self {
            Self::At { raw, .. } | Self::Unusable { raw, .. } => raw.as_deref(),
        }
    }

    /// Forgets the customer's words.
    pub fn forget_raw(&mut self) {
        match self {
            Self::At { raw, .. } | Self::Unusable { raw, .. } => *raw = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_has_just_passed_is_for_a_person_and_an_older_one_is_past() {
        let now: DateTime<Utc> = "2026-12-02T10:00:00Z".parse().unwrap();
        let problem = |hours| match RequestedStart::exactly(now - TimeDelta::hours(hours)).escalate_if_passed(now) {
            RequestedStart::At { .. } => None,
            RequestedStart::Unusable { problem, .. } => Some(problem),
        };
        assert_eq!(problem(-1), None);
        assert_eq!((problem(0), problem(23)), (Some(StartProblem::Passed), Some(StartProblem::Passed)));
        assert_eq!(problem(24), None);
    }
}
