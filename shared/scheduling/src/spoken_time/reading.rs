//! What was understood of a time, and what is known beside the text.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::hours::OpeningHours;

/// What is known beside the text.
#[derive(Debug, Clone, Copy)]
pub struct Hearing<'t> {
    /// The moment of the call.
    pub said_at: DateTime<Utc>,
    /// The business's zone.
    pub zone: Tz,
    /// The business's opening hours.
    pub hours: Option<&'t OpeningHours>,
    /// Whether its callers speak English: then "half two" is half past two.
    pub is_english: bool,
}

/// What was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeReading {
    /// A single start.
    Moment {
        /// The start.
        at: DateTime<Utc>,
        /// Whether the clock shows this time twice; then it is the earlier one.
        is_earlier_of_two: bool,
    },
    /// Any start inside one of these, at least one, in order.
    Window(Vec<Window>),
    /// Several meanings, or one that lacks something.
    Question {
        /// What has to be asked.
        doubt: Doubt,
        /// What may have been meant, as far as it is known.
        readings: Vec<Candidate>,
    },
    /// No start.
    None(NoTime),
}

impl TimeReading {
    /// Whether a start is on one of the days that were named. `None` if none was.
    pub fn names_day_of(&self, start: DateTime<Utc>, zone: Tz) -> Option<bool> {
        let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        let spans: Vec<(DateTime<Utc>, DateTime<Utc>)> = self.spans();
        let is_in = |(from, to): &(DateTime<Utc>, DateTime<Utc>)| (day(*from)..=day(*to)).contains(&day(start));
        (!spans.is_empty()).then(|| spans.iter().any(is_in))
    }

    /// The spans of time that were named, each with its last moment.
    pub fn spans(&self) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let of_window = |window: &Window| (window.from, window.to - TimeDelta::seconds(1));
        match self {
            Self::Moment { at, .. } => vec![(*at, *at)],
            Self::Window(windows) => windows.iter().map(of_window).collect(),
            Self::Question { readings, .. } => readings
                .iter()
                .map(|reading| match reading {
                    Candidate::At { at } => (*at, *at),
                    Candidate::Window(window) => of_window(window),
                })
                .collect(),
            Self::None(_) => Vec::new(),
        }
    }
}

/// A span of possible starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// The first.
    pub from: DateTime<Utc>,
    /// The end: the last start is before it.
    pub to: DateTime<Utc>,
}

/// Something that may have been meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Candidate {
    /// A start.
    At {
        /// The start.
        at: DateTime<Utc>,
    },
    /// A span of starts.
    Window(Window),
}

/// Why a text is a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// A day without a time.
    OnlyDay,
    /// A time without a day.
    OnlyTime,
    /// Several days with one time.
    WhichDay,
    /// "Nächsten Freitag": this week's or next week's.
    WhichWeek,
    /// The weekday is today's: today or in a week.
    TodayOrInAWeek,
    /// Both times of the clock are open.
    BothOpen,
    /// Both times of the clock are closed.
    BothClosed,
    /// `half two`, `Viertel neun`: people mean different times by it.
    SaidDifferently,
    /// `03/04`: either may be the month.
    DayOrMonth,
    /// `10.12`: a date or a time of day.
    DayOrTime,
    /// Parts that contradict each other: "morgen, Donnerstag", said on a Tuesday.
    Contradiction,
    /// An exact instant in closed hours, or a time of another zone.
    OtherZone,
    /// Several times were named.
    Alternatives,
    /// The day passed lately; the next one of that name is a year away.
    JustPassed,
    /// "Anfang Dezember", "bis Freitag": no day is named.
    Vague,
    /// "Jeden Dienstag".
    Recurring,
    /// The business is open on that day, and not at that time.
    Closed,
    /// "So bald wie möglich": the caller wants to hear what is free.
    AsSoonAsPossible,
    /// Something that changes the meaning and can't be read: "nicht am Dienstag".
    NotUnderstood,
}

/// Why a text is no start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoTime {
    /// Nothing was said.
    Missing,
    /// The text names no time.
    NotATime,
    /// It was before the call.
    Past,
    /// It was before the call in a year before it, as when a voice agent takes the wrong year.
    WrongYear,
    /// The calendar has no such day.
    NoSuchDay,
    /// The clock skips this time on that day.
    ClockSkips,
    /// It is more than two years away.
    TooFar,
}

/// Where a text stands: what a bare number may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Anywhere,
    Date,
    Time,
}

/// The name of a unit variant, as it is stored.
fn stored_name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&stored_name(self))
    }
}

impl std::fmt::Display for NoTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&stored_name(self))
    }
}
