//! Finds in a text what has to do with time.

use chrono::{FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};

use super::{
    items::{
        AFTER_LUNCH, AFTER_WORK, BEFORE_WORK, Clock, Day, EVENING, HALF_DAY, Item, Link, MORNING, Side, Time, Which,
    },
    numbers::{self, Spoken},
    reading::{Doubt, Slot},
    text::{Token, TokenKind, tokens},
    words::{self, Unit},
};

/// Every piece of the text that has to do with time, in its order.
pub(super) fn items(text: &str, slot: Slot) -> Vec<Item> {
    let mut scanner =
        Scanner { tokens: tokens(text), slot, items: Vec::new(), after_prefix: false, last_end: 0, at: 0 };
    let mut at = 0;
    while at < scanner.tokens.len() {
        at = scanner.step(at).max(at + 1);
    }
    scanner.items
}

/// A start with everything that needs no calendar: an instant, or a date with its year and a minute of the day.
#[derive(Debug, Clone, Copy)]
pub(super) enum Record {
    Instant(chrono::DateTime<Utc>),
    Local(NaiveDate, u32),
}

/// Reads a record, which holds nothing besides.
pub(super) fn record(text: &str) -> Option<Record> {
    match items(text, Slot::Anywhere).as_slice() {
        [Item::Instant(at)] => Some(Record::Instant(*at)),
        [
            Item::Day(Day::Date { year: Some(year), month, day }),
            Item::Time(Time::Clock(Clock::Exact(minute) | Clock::Twelve(minute))),
        ] => {
            // "12 Uhr" is noon; midnight is written as 0 or 24.
            let minute = if *minute < 60 { minute + 12 * 60 } else { *minute };
            Some(Record::Local(NaiveDate::from_ymd_opt(*year, *month, *day)?, minute))
        }
        _ => None,
    }
}

mod clock;
mod dates;
mod days;
mod links;
mod safe;
mod written;

pub(crate) use safe::is_safe;

struct Scanner {
    tokens: Vec<Token>,
    slot: Slot,
    items: Vec<Item>,
    /// Whether the word before says that a clock time follows: `um`.
    after_prefix: bool,
    /// The token behind the last item.
    last_end: usize,
    /// The token that is read.
    at: usize,
}

/// A number of a text, and the tokens that it takes.
#[derive(Clone, Copy)]
struct Counted {
    value: u32,
    length: usize,
    is_ordinal: bool,
    is_digits: bool,
}

impl Scanner {
    /// Reads what begins at a token, and returns the token after it.
    fn step(&mut self, at: usize) -> usize {
        let readers = [
            Self::greeting,
            Self::someone,
            Self::number_of_thing,
            Self::contraction,
            Self::zone_behind,
            Self::iso,
            Self::numeric_date,
            Self::named_date,
            Self::relative,
            Self::weekday,
            Self::clock,
            Self::part,
            Self::link,
            Self::other,
        ];
        self.at = at;
        let after_prefix = self.after_prefix;
        for reader in readers {
            if let Some(next) = reader(self, at) {
                if self.after_prefix == after_prefix {
                    self.after_prefix = false;
                }
                return next;
            }
        }
        if self.word(at).is_some_and(words::is_clock_prefix) || self.mark(at) == Some('@') || self.mark(at) == Some('~')
        {
            self.after_prefix = true;
        } else if !self.word(at).is_some_and(words::is_article) {
            self.after_prefix = false;
        }
        self.leftover(at)
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at)?.word()
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        self.word(at).is_some_and(|word| words.contains(&word))
    }

    /// Whether these words follow each other.
    fn are(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, word)| self.is(at + offset, &[word]))
    }

    fn mark(&self, at: usize) -> Option<char> {
        self.tokens.get(at)?.mark()
    }

    /// A mark without white space before it.
    fn joined(&self, at: usize, mark: char) -> bool {
        self.tokens.get(at).is_some_and(|token| !token.is_spaced && token.mark() == Some(mark))
    }

    /// Digits without white space before them.
    fn joined_digits(&self, at: usize, lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
        self.tokens.get(at).filter(|token| !token.is_spaced).and_then(|token| token.digits(lengths))
    }

    fn digits(&self, at: usize, lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
        self.tokens.get(at)?.digits(lengths)
    }

    fn is_joined_word(&self, at: usize, words: &[&str]) -> bool {
        self.is(at, words) && self.tokens.get(at).is_some_and(|token| !token.is_spaced)
    }

    /// A number in digits or words. `24th`, `24sten` and `vierundzwanzigsten` are ordinals; `24.` may be one.
    fn number(&self, at: usize) -> Option<Counted> {
        if let Some(value) = self.digits(at, 1..=2) {
            let is_ordinal =
                self.is_joined_word(at + 1, &["st", "nd", "rd", "th", "ste", "sten", "ter", "te", "ten", "ster"]);
            return Some(Counted { value, length: 1 + usize::from(is_ordinal), is_ordinal, is_digits: true });
        }
        let Spoken { value, is_ordinal, takes_unit } = numbers::number(self.word(at)?)?;
        // "ein und zwanzigsten"
        if (1..10).contains(&value)
            && !is_ordinal
            && self.is(at + 1, &["und"])
            && let Some(tens) = self.word(at + 2).and_then(numbers::number)
            && tens.value >= 20
            && tens.value.is_multiple_of(10)
        {
            return Some(Counted {
                value: tens.value + value,
                length: 3,
                is_ordinal: tens.is_ordinal,
                is_digits: false,
            });
        }
        if takes_unit {
            let next = if self.mark(at + 1) == Some('-') { at + 2 } else { at + 1 };
            if let Some(unit) = self.word(next).and_then(numbers::number).filter(|unit| (1..10).contains(&unit.value)) {
                let (value, is_ordinal) = (value + unit.value, unit.is_ordinal);
                return Some(Counted { value, length: next + 1 - at, is_ordinal, is_digits: false });
            }
        }
        Some(Counted { value, length: 1, is_ordinal, is_digits: false })
    }

    fn push(&mut self, item: Item, next: usize) -> Option<usize> {
        self.items.push(item);
        self.last_end = next;
        Some(next)
    }

    /// Whether a token follows the last item directly, but for commas and small words.
    fn is_beside_last(&self, at: usize) -> bool {
        (self.last_end..at).all(|between| {
            self.mark(between) == Some(',') || self.is(between, &["so", "dann", "um", "at", "gegen", "oder", "auch"])
        })
    }

    fn skip_articles(&self, mut at: usize) -> usize {
        while self.word(at).is_some_and(words::is_article) || matches!(self.mark(at), Some(',' | '.')) {
            at += 1;
        }
        at
    }

    /// `Guten Morgen` is no time.
    fn greeting(&mut self, at: usize) -> Option<usize> {
        let greets = self.is(at, &["guten", "gut", "schonen", "schones", "good", "gute", "moin", "servus"])
            && self.is(
                at + 1,
                &[
                    "morgen",
                    "tag",
                    "abend",
                    "nachmittag",
                    "mittag",
                    "morning",
                    "afternoon",
                    "evening",
                    "day",
                    "nacht",
                    "night",
                    "wochenende",
                    "weekend",
                ],
            );
        greets.then_some(at + 2)
    }

    /// `Frau Abend`, `mein Name ist Freitag`: names that look like times.
    fn someone(&mut self, at: usize) -> Option<usize> {
        let titles = ["frau", "herr", "herrn", "mr", "mrs", "ms", "miss", "familie", "dr", "doktor", "doctor", "prof"];
        let is_name = |at: usize| self.tokens.get(at).is_some_and(|token| token.word().is_some() && token.is_capital);
        if self.is(at, &titles) {
            let next = if self.joined(at + 1, '.') { at + 2 } else { at + 1 };
            return (is_name(next) && !self.is(next, &titles)).then_some(next + 1);
        }
        let introduces = self.are(at, &["name", "ist"]) || self.are(at, &["name", "is"]);
        let next = if introduces { at + 2 } else { at + 1 };
        ((introduces || self.is(at, &["heisse", "heisst"])) && is_name(next)).then_some(next + 1)
    }

    /// `meine Nummer ist 0170 1234567`, `Mozartstraße 14`: numbers that are no times.
    fn number_of_thing(&mut self, at: usize) -> Option<usize> {
        let word = self.word(at)?;
        let is_thing = matches!(
            word,
            "nummer"
                | "telefonnummer"
                | "handynummer"
                | "telefon"
                | "handy"
                | "tel"
                | "mobil"
                | "phone"
                | "number"
                | "kundennummer"
                | "hausnummer"
                | "postleitzahl"
                | "plz"
                | "zimmer"
                | "room"
                | "platz"
                | "tarif"
                | "grosse"
                | "size"
                | "flat"
                | "apartment"
                | "nr"
        ) || ["strasse", "str", "weg", "gasse", "allee"]
            .iter()
            .any(|ending| word.len() > ending.len() && word.ends_with(ending));
        let mut next = at + 1;
        while self.is(next, &["ist", "is", "lautet", "die"]) || matches!(self.mark(next), Some(':' | '.' | ',')) {
            next += 1;
        }
        let first = next;
        while is_thing
            && (matches!(self.tokens.get(next).map(|it| &it.kind), Some(TokenKind::Digits(_)))
                || next > first && matches!(self.mark(next), Some('-' | '/' | '+'))
                || next == first && self.mark(next) == Some('+'))
        {
            next += 1;
        }
        (next > first).then_some(next)
    }

    /// `can't`, `o'clock`, `a.m.`
    fn contraction(&mut self, at: usize) -> Option<usize> {
        if self.mark(at + 1) == Some('\'') && self.is(at + 2, &["t"]) && self.word(at).is_some() {
            return self.push(Item::Link(Link::Not), at + 3);
        }
        None
    }
}

fn year(written: u32) -> Option<i32> {
    i32::try_from(written).ok()
}

/// A year with its century; an error if it has three digits.
fn full_year(written: u32) -> Result<Option<i32>, ()> {
    match written {
        0..=99 => Ok(year(2000 + written)),
        1000..=9999 => Ok(year(written)),
        _ => Err(()),
    }
}

fn dated(year: Result<Option<i32>, ()>, month: u32, day: u32) -> Item {
    match year {
        Ok(year) => Item::Day(Day::Date { year, month, day }),
        Err(()) => Item::Doubt(Doubt::NotUnderstood),
    }
}

fn either_order(first: u32, second: u32, year: Result<Option<i32>, ()>) -> Item {
    match (first, second) {
        (13.., 13..) => Item::Day(Day::Date { year: year.unwrap_or_default(), month: first, day: second }),
        (13.., _) => dated(year, second, first),
        (_, 13..) => dated(year, first, second),
        (first, second) if first == second => dated(year, first, second),
        (first, second) => match year {
            Ok(year) => Item::Day(Day::EitherOrder { first, second, year }),
            Err(()) => Item::Doubt(Doubt::NotUnderstood),
        },
    }
}

fn instant_of(date: NaiveDate, minute: u32, seconds_east: i32) -> Option<chrono::DateTime<Utc>> {
    let local = local_time(date, minute)?;
    let offset = FixedOffset::east_opt(seconds_east)?;
    Some(offset.from_local_datetime(&local).single()?.to_utc())
}

/// A minute of a day; the minute 1440 is the next midnight.
pub(super) fn local_time(date: NaiveDate, minute: u32) -> Option<NaiveDateTime> {
    date.and_time(NaiveTime::MIN).checked_add_signed(TimeDelta::minutes(i64::from(minute)))
}

fn minute_of(hour: u32, minute: u32) -> Option<u32> {
    (hour < 24 && minute < 60 || hour == 24 && minute == 0).then_some(hour * 60 + minute)
}

/// A minute of the first half of the day.
fn twelve_minute(hour: u32, minute: u32) -> Option<u32> {
    (hour <= 12 && minute < 60).then_some((hour % 12) * 60 + minute)
}

fn twelve(hour: u32, minute: u32) -> Option<Clock> {
    clock_of(hour, minute, false)
}

/// A clock time: one above twelve, and one with a leading zero or two digits and minutes, is exact.
fn clock_of(hour: u32, minute: u32, is_padded: bool) -> Option<Clock> {
    if is_padded || hour > 12 || hour == 0 {
        return minute_of(hour, minute).map(Clock::Exact);
    }
    twelve_minute(hour, minute).map(Clock::Twelve)
}

/// A count of half units from now.
fn elapsed(halves: u32, unit: Unit, is_german_days: bool) -> Item {
    let whole = i64::from(halves / 2);
    let is_whole = halves.is_multiple_of(2);
    match unit {
        Unit::Minute => Item::Elapsed(TimeDelta::seconds(i64::from(halves) * 30)),
        Unit::Hour => Item::Elapsed(TimeDelta::minutes(i64::from(halves) * 30)),
        // "In acht Tagen" is a week, "in vierzehn Tagen" are two.
        Unit::Day if is_whole && is_german_days && whole == 8 => Item::Day(Day::InWeeks(1)),
        Unit::Day if is_whole && whole == 14 => Item::Day(Day::InWeeks(2)),
        Unit::Day if is_whole && whole == 7 => Item::Day(Day::InWeeks(1)),
        Unit::Day if is_whole => Item::Day(Day::Offset(whole)),
        Unit::Week if is_whole => Item::Day(Day::InWeeks(whole)),
        Unit::Fortnight if is_whole => Item::Day(Day::InWeeks(2 * whole)),
        Unit::Month if is_whole => {
            u32::try_from(whole).map_or(Item::Doubt(Doubt::Vague), |months| Item::Day(Day::InMonths(months)))
        }
        _ => Item::Doubt(Doubt::Vague),
    }
}
