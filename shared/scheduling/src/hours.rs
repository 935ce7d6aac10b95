//! Opening hours by weekday.

use std::{collections::BTreeMap, fmt};

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike, Weekday};
use serde::{Deserialize, Serialize};

/// When a business is open: spans of minutes after midnight, by weekday.
///
/// A person writes it as `{"mon-fri": ["09:00-13:00", "14:00-18:00"], "sat": "09:00-14:00"}`. A weekday that is not
/// named is closed. German names of the weekdays are read as well.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Written>", into = "BTreeMap<String, Vec<String>>")]
pub struct OpeningHours {
    /// From Monday on.
    days: [Vec<MinuteSpan>; 7],
}

const MINUTES_PER_DAY: u32 = 1440;

/// Minutes after midnight, without the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinuteSpan {
    /// The first minute.
    pub from: u32,
    /// The minute after the last: 1440 is the end of the day.
    pub to: u32,
}

impl MinuteSpan {
    /// What two spans share.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        (from < to).then_some(Self { from, to })
    }

    /// Whether the minute is inside.
    pub fn contains(self, minute: u32) -> bool {
        (self.from..self.to).contains(&minute)
    }
}

impl OpeningHours {
    /// The hours in which these times lie, each a local start with its length in minutes: a first draft from what can be
    /// booked. Of each weekday all weeks count, so that what is taken in one of them shows in another. A gap shorter than
    /// the longest booking counts as open.
    pub fn covering(bookable: impl IntoIterator<Item = (NaiveDateTime, u32)>) -> Self {
        let (mut hours, mut longest) = (Self::default(), 0);
        for (start, minutes) in bookable {
            let from = start.hour() * 60 + start.minute();
            let span = MinuteSpan { from, to: (from + minutes.max(1)).min(MINUTES_PER_DAY) };
            longest = longest.max(minutes);
            if let Some(day) = hours.days.get_mut(index(start.weekday())) {
                day.push(span);
            }
        }
        for day in &mut hours.days {
            day.sort_unstable();
            let mut joined: Vec<MinuteSpan> = Vec::new();
            for span in day.drain(..) {
                match joined.last_mut() {
                    Some(last) if span.from < last.to + longest.max(1) => last.to = last.to.max(span.to),
                    _ => joined.push(span),
                }
            }
            *day = joined;
        }
        hours
    }

    /// Whether no day is open.
    pub fn is_empty(&self) -> bool {
        self.days.iter().all(Vec::is_empty)
    }

    /// The spans of a day.
    pub fn on(&self, day: NaiveDate) -> &[MinuteSpan] {
        self.of(day.weekday())
    }

    fn of(&self, weekday: Weekday) -> &[MinuteSpan] {
        self.days.get(index(weekday)).map_or(&[], Vec::as_slice)
    }

    /// Whether an appointment may start in this minute of a day.
    pub fn is_open(&self, day: NaiveDate, minute: u32) -> bool {
        self.on(day).iter().any(|span| span.contains(minute))
    }
}

/// The forms in which a person may write the spans of a day.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Written {
    /// Closed.
    Closed(Option<()>),
    /// `09:00-18:00`, several after each other, or `closed`.
    Text(String),
    /// Several of these, or the two times of one span.
    List(Vec<Written>),
    /// `{"from": "09:00", "to": "18:00"}`.
    Span(WrittenSpan),
}

/// A span with its names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSpan {
    #[serde(alias = "open", alias = "start")]
    from: String,
    #[serde(alias = "close", alias = "end")]
    to: String,
}

/// What is wrong with opening hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// A key names no weekday.
    #[error("`{0}` is no weekday; write mon, tue, wed, thu, fri, sat or sun, or a range such as mon-fri")]
    Weekday(String),
    /// A value is no span.
    #[error("the hours of `{0}` can't be read; write \"09:00-18:00\", a list of such spans, or [] for closed")]
    Span(String),
    /// The spans of a day overlap, or one ends before it begins.
    #[error("the hours of `{0}` overlap, or end before they begin")]
    Order(String),
}

impl TryFrom<BTreeMap<String, Written>> for OpeningHours {
    type Error = HoursError;

    fn try_from(written: BTreeMap<String, Written>) -> Result<Self, HoursError> {
        let mut hours = Self::default();
        for (key, value) in written {
            let mut spans = value.spans().ok_or_else(|| HoursError::Span(key.clone()))?;
            spans.sort_unstable();
            let overlap = spans.windows(2).any(|pair| matches!(pair, [one, next] if next.from < one.to));
            if overlap || spans.iter().any(|span| span.from >= span.to || span.to > MINUTES_PER_DAY) {
                return Err(HoursError::Order(key));
            }
            for weekday in weekdays(&key).ok_or_else(|| HoursError::Weekday(key.clone()))? {
                if let Some(day) = hours.days.get_mut(index(weekday)) {
                    day.clone_from(&spans);
                }
            }
        }
        Ok(hours)
    }
}

impl From<OpeningHours> for BTreeMap<String, Vec<String>> {
    fn from(hours: OpeningHours) -> Self {
        let named = ALL.into_iter().map(|weekday| {
            let name = weekday.to_string().to_lowercase();
            (name, hours.of(weekday).iter().map(ToString::to_string).collect())
        });
        named.filter(|(_, spans): &(String, Vec<String>)| !spans.is_empty()).collect()
    }
}

impl fmt::Display for MinuteSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl Written {
    fn spans(&self) -> Option<Vec<MinuteSpan>> {
        match self {
            Self::Closed(_) => Some(Vec::new()),
            Self::Text(text) if is_closed(text) => Some(Vec::new()),
            Self::Text(text) => text.split([',', ';', '/']).map(span).collect(),
            Self::Span(WrittenSpan { from, to }) => Some(vec![MinuteSpan { from: minute(from)?, to: minute(to)? }]),
            Self::List(parts) => match parts.as_slice() {
                [Self::Text(from), Self::Text(to)] if minute(from).is_some() => {
                    Some(vec![MinuteSpan { from: minute(from)?, to: minute(to)? }])
                }
                parts => parts.iter().map(Self::spans).collect::<Option<Vec<_>>>().map(|spans| spans.concat()),
            },
        }
    }
}

fn is_closed(text: &str) -> bool {
    ["", "-", "closed", "geschlossen", "zu"].contains(&text.trim().to_lowercase().as_str())
}

fn span(text: &str) -> Option<MinuteSpan> {
    let (from, to) = text.split_once(['-', '–'])?;
    Some(MinuteSpan { from: minute(from)?, to: minute(to)? })
}

fn minute(text: &str) -> Option<u32> {
    let text = text.trim().trim_end_matches("Uhr").trim_end();
    let (hour, minute) = text.split_once([':', '.']).unwrap_or((text, "0"));
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= MINUTES_PER_DAY).then_some(hour * 60 + minute)
}

const ALL: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

fn index(weekday: Weekday) -> usize {
    weekday.num_days_from_monday() as usize
}

fn weekdays(key: &str) -> Option<Vec<Weekday>> {
    let mut named = Vec::new();
    for part in key.split(',') {
        match part.split_once(['-', '–']) {
            None => named.push(weekday(part)?),
            Some((from, to)) => {
                let (from, to) = (index(weekday(from)?), index(weekday(to)?));
                let days = (from..from + 7).take_while(|day| *day <= if to < from { to + 7 } else { to });
                named.extend(days.filter_map(|day| ALL.get(day % 7).copied()));
            }
        }
    }
    Some(named)
}

fn weekday(name: &str) -> Option<Weekday> {
    let name = name.trim().to_lowercase();
    Some(match name.as_str() {
        "mo" | "montag" => Weekday::Mon,
        "di" | "dienstag" => Weekday::Tue,
        "mi" | "mittwoch" => Weekday::Wed,
        "do" | "donnerstag" => Weekday::Thu,
        "fr" | "freitag" => Weekday::Fri,
        "sa" | "samstag" | "sonnabend" => Weekday::Sat,
        "so" | "sonntag" => Weekday::Sun,
        english => english.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Result<OpeningHours, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn hours_are_read_in_every_form_and_stored_in_one() {
        let stored = json!({"mon": ["09:00-13:00", "14:00-18:00"], "tue": ["09:00-13:00", "14:00-18:00"], "sat": ["09:00-14:00"]});
        for written in [
            stored.clone(),
            json!({"mon-tue": "09:00-13:00, 14:00-18:00", "sat": "9-14", "sun": []}),
            json!({"Montag": [["09:00", "13:00"], ["14:00", "18:00"]], "di": ["14-18", "9-13"], "Saturday": {"from": "9:00", "to": "14:00"}, "so": null}),
            json!({"mon,tue": ["9.00-13.00", {"open": "14:00", "close": "18:00"}], "sat": ["09:00", "14:00"], "sun": "closed"}),
        ] {
            let hours = read(written.clone()).unwrap_or_else(|error| panic!("{written}: {error}"));
            assert_eq!(serde_json::to_value(&hours).unwrap(), stored, "{written}");
        }
    }

    #[test]
    fn hours_that_make_no_sense_are_refused_with_what_to_write() {
        for (written, says) in [
            (json!({"mont": "9-18"}), "no weekday"),
            (json!({"mon": "from nine"}), "can't be read"),
            (json!({"mon": "18:00-09:00"}), "end before"),
            (json!({"mon": ["9-13", "12-18"]}), "overlap"),
            (json!({"mon": "9-25"}), "can't be read"),
        ] {
            let problem = read(written.clone()).unwrap_err();
            assert!(problem.contains(says), "{written}: {problem}");
        }
    }

    #[test]
    fn what_can_be_booked_is_a_first_draft_of_the_hours() {
        let at = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        // Two weeks of a salon with a break at noon: in the first one its Monday morning is taken, and half an hour on Tuesday.
        let bookable = [
            ("2026-11-30T14:00:00", 30),
            ("2026-11-30T14:30:00", 30),
            ("2026-12-07T09:00:00", 30),
            ("2026-12-07T09:30:00", 30),
            ("2026-12-01T09:00:00", 30),
            ("2026-12-01T09:30:00", 30),
            ("2026-12-01T10:15:00", 30),
            ("2026-12-01T10:00:00", 90),
        ];
        let hours = OpeningHours::covering(bookable.map(|(start, minutes)| (at(start), minutes)));
        let draft = json!({"mon": ["09:00-10:00", "14:00-15:00"], "tue": ["09:00-11:30"]});
        assert_eq!(serde_json::to_value(&hours).unwrap(), draft);
        assert!(OpeningHours::covering([]).is_empty() && !hours.is_empty());
    }

    #[test]
    fn the_end_of_a_span_is_closed() {
        let hours = read(json!({"mon": "09:00-18:00"})).unwrap();
        let is_open = |day: &str, hour: u32, minute: u32| hours.is_open(day.parse().unwrap(), hour * 60 + minute);
        assert!(is_open("2026-11-30", 9, 0) && is_open("2026-11-30", 17, 59));
        assert!(!is_open("2026-11-30", 8, 59) && !is_open("2026-11-30", 18, 0));
        assert!(!is_open("2026-12-01", 11, 0));
    }
}
