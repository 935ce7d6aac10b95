//! Finds in a text what has to do with time.

use chrono::{FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};

use super::{
    Doubt, Slot,
    items::{AFTER_LUNCH, AFTER_WORK, BEFORE_WORK, Clock, Day, EVENING, Item, Link, MORNING, Side, Time, Which},
    numbers::{self, Spoken},
    text::{Token, TokenKind, tokens},
    words::{self, Unit},
};

/// Every piece of the text that has to do with time, in its order.
pub(super) fn items(text: &str, slot: Slot) -> Vec<Item> {
    let mut scanner = Scanner { tokens: tokens(text), slot, items: Vec::new(), after_prefix: false };
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
        ] => Some(Record::Local(NaiveDate::from_ymd_opt(*year, *month, *day)?, *minute)),
        _ => None,
    }
}

struct Scanner {
    tokens: Vec<Token>,
    slot: Slot,
    items: Vec<Item>,
    /// Whether the word before says that a clock time follows: `um`.
    after_prefix: bool,
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
            Self::contraction,
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
        Some(next)
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

    /// `can't`, `o'clock`, `a.m.`
    fn contraction(&mut self, at: usize) -> Option<usize> {
        if self.mark(at + 1) == Some('\'') && self.is(at + 2, &["t"]) && self.word(at).is_some() {
            return self.push(Item::Link(Link::Not), at + 3);
        }
        None
    }

    // ---- Dates and times as machines write them ----

    /// ISO 8601: dates in the calendar, week and ordinal form, with or without a time and an offset.
    fn iso(&mut self, at: usize) -> Option<usize> {
        let (day, after) = self.iso_date(at)?;
        let has_t = self.is_joined_word(after, &["t"]);
        let time_at = if has_t { after + 1 } else { after };
        let Some((time, next)) = self.iso_time(time_at, has_t) else {
            return self.push(Item::Day(day), after);
        };
        let Day::Date { year: Some(year), month, day: of_month } = day else {
            self.items.push(Item::Day(day));
            return self.push(Item::Time(Time::Clock(Clock::Exact(time))), next);
        };
        if let Some((seconds_east, next)) = self.offset(next, has_t) {
            let date = NaiveDate::from_ymd_opt(year, month, of_month);
            let instant = date.and_then(|date| instant_of(date, time, seconds_east));
            return self.push(instant.map_or(Item::Day(day), Item::Instant), next);
        }
        self.items.push(Item::Day(day));
        self.push(Item::Time(Time::Clock(Clock::Exact(time))), next)
    }

    fn iso_date(&self, at: usize) -> Option<(Day, usize)> {
        if let Some(date) = self.digits(at, 8..=8).filter(|date| (19_000_000..30_000_000).contains(date)) {
            let day = Day::Date { year: year(date / 10_000), month: date / 100 % 100, day: date % 100 };
            return Some((day, at + 1));
        }
        let written = self.digits(at, 4..=4).filter(|year| (1900..3000).contains(year))?;
        let year = i32::try_from(written).ok()?;
        if self.joined(at + 1, '-') && self.is_joined_word(at + 2, &["w"]) {
            let week = self.joined_digits(at + 3, 2..=2)?;
            let weekday = if self.joined(at + 4, '-') { self.joined_digits(at + 5, 1..=1)? } else { return None };
            return Some((Day::IsoWeek { year, week, weekday }, at + 6));
        }
        let mark = ['-', '/', '.'].into_iter().find(|mark| self.joined(at + 1, *mark))?;
        if let Some(day) = self.joined_digits(at + 2, 3..=3) {
            return Some((Day::OfYear { year, day }, at + 3));
        }
        let month = self.joined_digits(at + 2, 1..=2)?;
        if !self.joined(at + 3, mark) {
            return None;
        }
        let day = self.joined_digits(at + 4, 1..=2)?;
        Some((Day::Date { year: Some(year), month, day }, at + 5))
    }

    /// A time of day behind a date: with a `T` in every form of ISO 8601, without one as `14:00`.
    fn iso_time(&self, at: usize, has_t: bool) -> Option<(u32, usize)> {
        if has_t {
            if let Some(time) = self.joined_digits(at, 4..=4) {
                return Some((minute_of(time / 100, time % 100)?, at + 1));
            }
            if let Some(time) = self.joined_digits(at, 6..=6) {
                return Some((minute_of(time / 10_000, time / 100 % 100)?, self.after_fraction(at + 1)));
            }
        }
        let hour = self.digits(at, 2..=2)?;
        if !self.joined(at + 1, ':') {
            return if has_t { Some((minute_of(hour, 0)?, at + 1)) } else { None };
        }
        let minute = self.joined_digits(at + 2, 2..=2)?;
        let mut next = at + 3;
        if self.joined(next, ':') && self.joined_digits(next + 1, 2..=2).is_some() {
            next = self.after_fraction(next + 2);
        }
        // `09:30 pm` is no ISO time.
        if !has_t && (self.is(next, &["pm", "p"]) || self.is(next, &["am", "a"])) {
            return None;
        }
        Some((minute_of(hour, minute)?, next))
    }

    fn after_fraction(&self, at: usize) -> usize {
        let has_fraction =
            (self.joined(at, '.') || self.joined(at, ',')) && self.joined_digits(at + 1, 1..=9).is_some();
        if has_fraction { at + 2 } else { at }
    }

    /// An offset from UTC in seconds. A minus without a `T` before the time is a span of times.
    fn offset(&self, at: usize, has_t: bool) -> Option<(i32, usize)> {
        if self.is(at, &["z", "utc", "gmt"]) {
            let signed = self.offset(at + 1, true).filter(|_| !self.is(at, &["z"]));
            return Some(signed.unwrap_or((0, at + 1)));
        }
        let sign = match self.mark(at)? {
            '+' => 1,
            '-' if has_t => -1,
            _ => return None,
        };
        let (hours, minutes, next) = match self.joined_digits(at + 1, 4..=4) {
            Some(both) => (both / 100, both % 100, at + 2),
            None => {
                let hours = self.joined_digits(at + 1, 2..=2)?;
                let minutes = if self.joined(at + 2, ':') { self.joined_digits(at + 3, 2..=2) } else { None };
                (hours, minutes.unwrap_or(0), if minutes.is_some() { at + 4 } else { at + 2 })
            }
        };
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        (hours <= 14 && minutes < 60).then_some((sign * seconds, next))
    }

    // ---- Dates ----

    /// `24.12.2026`, `24.12.`, `24/12/26`, `24-12-2026`, `24. 12.`, and `24.` alone.
    fn numeric_date(&mut self, at: usize) -> Option<usize> {
        let first = self.digits(at, 1..=2)?;
        for mark in ['/', '-'] {
            if self.joined(at + 1, mark)
                && let Some(second) = self.joined_digits(at + 2, 1..=2)
            {
                let year = if self.joined(at + 3, mark) { self.joined_digits(at + 4, 2..=4) } else { None };
                if year.is_none() && mark == '-' {
                    return None;
                }
                let next = if year.is_some() { at + 5 } else { at + 3 };
                if year.is_none() && self.is(next, &["uhr", "h", "am", "pm"]) {
                    return None;
                }
                let day = either_order(first, second, year.map_or(Ok(None), full_year));
                return self.push(day, next);
            }
        }
        if self.joined(at + 1, '.') {
            if let Some((second, next)) = self.second_of_dotted(at) {
                return self.dotted(at, first, second, next);
            }
            let is_sentence_end = at + 2 >= self.tokens.len() && self.slot != Slot::Date;
            let is_clock = self.after_prefix
                || self.is(at + 2, &["uhr"])
                || matches!(self.items.last(), Some(Item::Link(_))) && self.expects_clock(at + 2);
            if !is_clock && !is_sentence_end && self.month_at(at + 2).is_none() {
                return self.push(Item::Day(Day::OfMonth(first)), at + 2);
            }
            if is_sentence_end && self.follows(&["am", "den", "der", "zum"], at) {
                return self.push(Item::Day(Day::OfMonth(first)), at + 2);
            }
        }
        None
    }

    /// The number behind `24.`, if it can be its month: not one that is a time.
    fn second_of_dotted(&self, at: usize) -> Option<(u32, usize)> {
        let second = self.digits(at + 2, 1..=2)?;
        let is_joined = self.tokens.get(at + 2).is_some_and(|token| !token.is_spaced);
        if is_joined {
            return Some((second, at + 3));
        }
        // `24. 12.` is a date, `24. 14 Uhr` is a day and a time.
        (second <= 12 && self.joined(at + 3, '.')).then_some((second, at + 3))
    }

    fn dotted(&mut self, at: usize, first: u32, second: u32, next: usize) -> Option<usize> {
        let has_dot = self.joined(next, '.');
        let year_at = if has_dot { next + 1 } else { next };
        let year = self.digits(year_at, 4..=4).or_else(|| self.joined_digits(year_at, 2..=2).filter(|_| has_dot));
        // `24.12. 14:30`: four digits may follow a space, but a time has a colon.
        let year = year.filter(|_| has_dot && !self.joined(year_at + 1, ':'));
        if let Some(year) = year {
            return self.push(dated(full_year(year), second, first), year_at + 1);
        }
        if self
            .digits(year_at, 3..=9)
            .is_some_and(|_| has_dot && !self.tokens.get(year_at).is_some_and(|it| it.is_spaced))
        {
            return self.push(Item::Doubt(Doubt::NotUnderstood), year_at + 1);
        }
        let date = Day::Date { year: None, month: second, day: first };
        let minutes_digits = self.digits(at + 2, 2..=2);
        let may_be_time = !has_dot && first <= 24 && minutes_digits.is_some_and(|minutes| minutes < 60);
        let may_be_date = second <= 12 && (1..=31).contains(&first) && second > 0;
        if !may_be_time {
            return self.push(Item::Day(date), if has_dot { next + 1 } else { next });
        }
        let is_time = self.after_prefix
            || self.slot == Slot::Time
            || !may_be_date
            || self.is(next, &["uhr", "h", "am", "pm"])
            || self.expects_clock_here();
        if is_time {
            // The clock reader takes it.
            return None;
        }
        let clock = clock_of(first, second, self.digits(at, 2..=2).is_some() || first > 12);
        if self.slot == Slot::Date || self.follows(&["den", "der", "zum"], at) {
            return self.push(Item::Day(date), next);
        }
        match clock {
            Some(clock) => self.push(Item::DayOrTime(date, clock), next),
            None => self.push(Item::Day(date), next),
        }
    }

    fn follows(&self, words: &[&str], at: usize) -> bool {
        at.checked_sub(1).is_some_and(|before| self.is(before, words))
    }

    /// A month at a token, or behind small words.
    fn month_at(&self, at: usize) -> Option<(u32, usize)> {
        let at = self.skip_articles(at);
        let month = words::month(self.word(at)?)?;
        Some((month, if self.joined(at + 1, '.') { at + 2 } else { at + 1 }))
    }

    fn year_at(&self, at: usize) -> Option<(u32, usize)> {
        let at = if self.mark(at) == Some(',') { at + 1 } else { at };
        if let Some(year) = self.digits(at, 4..=4) {
            let is_time = self.joined(at + 1, ':') || self.is(at + 1, &["uhr", "h", "am", "pm"]);
            return (!is_time && (1900..3000).contains(&year)).then_some((year, at + 1));
        }
        if self.mark(at) == Some('\'') {
            return self.joined_digits(at + 1, 2..=2).map(|year| (year, at + 2));
        }
        // "zweitausendsechsundzwanzig", "twenty twenty six"
        let word = self.word(at)?;
        if let Some(rest) = word.strip_prefix("zweitausend") {
            let rest = rest.strip_prefix("und").unwrap_or(rest);
            let rest = if rest.is_empty() { Some(0) } else { numbers::number(rest).map(|spoken| spoken.value) };
            return rest.map(|rest| (2000 + rest, at + 1));
        }
        let twenty = self.are(at, &["twenty", "twenty"]).then(|| self.number(at + 1)).flatten();
        twenty.map(|rest| (2000 + rest.value, at + 1 + rest.length))
    }

    /// `24. Dezember 2026`, `Dec 24th`, `the third of January`, `am vierundzwanzigsten zwölften`, `am dritten`.
    fn named_date(&mut self, at: usize) -> Option<usize> {
        if let Some((month, day)) = self.word(at).and_then(words::holiday) {
            return self.push(Item::Day(Day::Date { year: None, month, day }), at + 1);
        }
        if self.are(at, &["christmas", "eve"]) {
            return self.push(Item::Day(Day::Date { year: None, month: 12, day: 24 }), at + 2);
        }
        if let Some(number) = self.number(at).filter(|number| (1..=99).contains(&number.value)) {
            return self.day_and_month(at, number);
        }
        // A month first: "December 24th, 2026", "Dec 24".
        let word = self.word(at)?;
        let month = words::month(word)?;
        let after = if self.joined(at + 1, '.') { at + 2 } else { at + 1 };
        let day_at = self.skip_articles(after);
        let number = self.number(day_at).filter(|number| {
            let next = day_at + number.length;
            let is_time = self.joined(next, ':') || self.is(next, &["uhr", "am", "pm", "h"]);
            !is_time && (number.is_digits || number.is_ordinal)
        });
        if let Some(number) = number {
            let next = day_at + number.length;
            let (year, next) = self.year_at(next).map_or((None, next), |(year, next)| (Some(year), next));
            return self.push(dated(year.map_or(Ok(None), full_year), month, number.value), next);
        }
        // A year alone may follow a month: "Dezember 2026" is no day.
        if words::is_ambiguous_month(word) && !self.follows(&["im", "in", "of", "next", "nachsten"], at) {
            return None;
        }
        let next = self.year_at(after).map_or(after, |(_, next)| next);
        self.push(Item::Doubt(Doubt::Vague), next)
    }

    fn day_and_month(&mut self, at: usize, number: Counted) -> Option<usize> {
        let mut after = at + number.length;
        let has_dot = number.is_digits && self.joined(after, '.');
        after += usize::from(has_dot);
        // A count of things is no day: "2 Mai" is one, "two may come" is none.
        let is_day = number.is_ordinal || has_dot || number.is_digits;
        if is_day && let Some((month, next)) = self.month_at(after) {
            let word = self.word(self.skip_articles(after));
            let is_ambiguous = word.is_some_and(words::is_ambiguous_month) && !number.is_ordinal && !has_dot;
            if !is_ambiguous || self.skip_articles(after) == after {
                let (year, next) = self.year_at(next).map_or((None, next), |(year, next)| (Some(year), next));
                return self.push(dated(year.map_or(Ok(None), full_year), month, number.value), next);
            }
        }
        if !number.is_ordinal {
            return None;
        }
        // "am dritten zwölften"
        if let Some(month) = self.number(after).filter(|month| month.is_ordinal && (1..=12).contains(&month.value)) {
            let next = after + month.length;
            let (year, next) = self.year_at(next).map_or((None, next), |(year, next)| (Some(year), next));
            return self.push(dated(year.map_or(Ok(None), full_year), month.value, number.value), next);
        }
        let stands_alone = number.is_digits || self.follows(&["am", "den", "der", "dem", "the", "zum", "on"], at);
        // "the first time", "der zweite Termin", "on second thought" are no days.
        let names_thing =
            self.word(after).is_some_and(|word| !words::may_follow_clock(word) && words::unit(word).is_none());
        let is_span = self.word(after).and_then(words::unit).is_some();
        if stands_alone && !names_thing && !is_span && !self.is(at, &["erste", "zweite", "second", "first"])
            || number.is_digits && number.is_ordinal
        {
            return self.push(Item::Day(Day::OfMonth(number.value)), after);
        }
        Some(after)
    }

    // ---- Days and weeks counted from today ----

    fn relative(&mut self, at: usize) -> Option<usize> {
        if let Some(next) = self.span_from_now(at) {
            return Some(next);
        }
        if self.are(at, &["day", "after", "tomorrow"]) {
            return self.push(Item::Day(Day::Offset(2)), at + 3);
        }
        if self.are(at, &["the", "day", "after"]) && !self.is(at + 3, &["tomorrow"]) {
            return self.push(Item::Doubt(Doubt::NotUnderstood), at + 3);
        }
        if self.are(at, &["week", "after", "next"]) {
            return self.push(Item::Day(Day::Week(2)), at + 3);
        }
        if self.is(at, &["kw", "kalenderwoche"]) {
            let next = if self.joined(at + 1, '.') { at + 2 } else { at + 1 };
            let week = self.digits(next, 1..=2)?;
            return self.push(Item::Day(Day::NumberedWeek(week)), next + 1);
        }
        if self.is(at, &["wochenende", "weekend"]) {
            return self.push(Item::Day(Day::Weekend(Which::Plain)), at + 1);
        }
        let word = self.word(at)?;
        if word == "morgen" {
            return self.morgen(at);
        }
        if let Some(day) = words::relative_day(word) {
            return self.push(Item::Day(day), at + 1);
        }
        if word == "tonight" {
            self.items.push(Item::Day(Day::Offset(0)));
            return self.push(Item::Time(Time::Part(EVENING)), at + 1);
        }
        self.compound(at)
    }

    /// `morgen` is tomorrow, or the morning of a day that was just named.
    fn morgen(&mut self, at: usize) -> Option<usize> {
        let names_day = |token: usize| {
            self.word(token).is_some_and(|word| {
                words::weekday(word).is_some()
                    || matches!(word, "heute" | "heut" | "am" | "gestern" | "morgen" | "ubermorgen")
            })
        };
        let is_morning = at.checked_sub(1).is_some_and(names_day);
        let item = if is_morning { Item::Time(Time::Part(MORNING)) } else { Item::Day(Day::Offset(1)) };
        self.push(item, at + 1)
    }

    /// `Dienstagnachmittag`, `morgenfrüh`: two words in one.
    fn compound(&mut self, at: usize) -> Option<usize> {
        let word = self.word(at)?;
        let split = (3..word.len()).filter(|end| word.is_char_boundary(*end)).find_map(|end| {
            let (first, second) = word.split_at(end);
            let day = words::weekday(first).map(|weekday| Day::Weekday(weekday, Which::Plain));
            let day = day.or_else(|| words::relative_day(first))?;
            let part = if second == "morgen" { Some(MORNING) } else { words::part(second) };
            Some((day, part?))
        });
        let (day, part) = split?;
        self.items.push(Item::Day(day));
        self.push(Item::Time(Time::Part(part)), at + 1)
    }

    /// `in zwei Wochen`, `in einer halben Stunde`, `vor drei Tagen`, `two weeks from now`, `a week on Tuesday`.
    fn span_from_now(&mut self, at: usize) -> Option<usize> {
        if self.is(at, &["in"]) {
            let (count, unit, next) = self.count_of_units(at + 1)?;
            // "in two weeks' time"
            let next = if self.is(next + 1, &["time"]) && self.mark(next) == Some('\'') { next + 2 } else { next };
            return self.push(elapsed(count, unit, self.is(next - 1, &["tagen", "tage"])), next);
        }
        if self.is(at, &["vor"]) {
            let (_, _, next) = self.count_of_units(at + 1)?;
            return self.push(Item::Day(Day::Past), next);
        }
        let (count, unit, next) = self.count_of_units(at)?;
        let weeks = match unit {
            Unit::Week => Some(i64::from(count) / 2),
            Unit::Fortnight => Some(2),
            _ => None,
        };
        if self.is(next, &["ago"]) {
            return self.push(Item::Day(Day::Past), next + 1);
        }
        if self.is(next, &["from", "on"]) {
            let named = self.word(next + 1)?;
            if let (Some(weekday), Some(weeks)) = (words::weekday(named), weeks) {
                return self.push(Item::Day(Day::WeekdayPlus(weekday, weeks)), next + 2);
            }
            if matches!(named, "now" | "today") {
                return self.push(elapsed(count, unit, false), next + 2);
            }
            if named == "tomorrow" {
                self.items.push(Item::Day(Day::Offset(1)));
                return self.push(elapsed(count, unit, false), next + 2);
            }
        }
        if let Some(weeks) = weeks.filter(|_| self.is(next, &["today", "tomorrow"])) {
            return self.push(Item::Day(Day::InWeeks(weeks)), next);
        }
        // A length of time: "für eine Stunde", "30 Minuten". One that shifts a time is no wish of its own.
        if self.is(
            next,
            &[
                "spater", "fruher", "later", "earlier", "vorher", "danach", "nach", "vor", "before", "after", "past",
                "to",
            ],
        ) {
            return None;
        }
        Some(next)
    }

    /// A count with its unit, the count in halves: `zwei Wochen` is (4, Week).
    fn count_of_units(&self, at: usize) -> Option<(u32, Unit, usize)> {
        let unit_at = |at: usize| self.word(at).and_then(words::unit).map(|unit| (unit, at + 1));
        let is_one = self.is(at, &["einer", "einem", "eine", "ein", "a", "an", "one", "ner", "nem"]);
        if is_one && self.is(at + 1, &["halben", "halbe", "half"]) {
            let (unit, next) = unit_at(at + 2)?;
            return Some((1, unit, next));
        }
        if self.are(at, &["half", "an"]) || self.are(at, &["half", "a"]) {
            let (unit, next) = unit_at(at + 2)?;
            return Some((1, unit, next));
        }
        if self.is(at, &["anderthalb", "eineinhalb"]) {
            let (unit, next) = unit_at(at + 1)?;
            return Some((3, unit, next));
        }
        if is_one {
            let (unit, next) = unit_at(at + 1)?;
            return Some((2, unit, next));
        }
        let number = self.number(at).filter(|number| !number.is_ordinal)?;
        let (unit, next) = unit_at(at + number.length)?;
        Some((number.value * 2, unit, next))
    }

    // ---- Weekdays ----

    fn weekday(&mut self, at: usize) -> Option<usize> {
        let word = self.word(at)?;
        if words::is_last(word) {
            let named = self.skip_articles(at + 1);
            let is_day = self.word(named).is_some_and(|word| {
                words::weekday(word).is_some()
                    || words::unit(word).is_some()
                    || words::month(word).is_some()
                    || matches!(word, "night" | "abend" | "wochenende" | "weekend")
            });
            let next = if is_day { named + 1 } else { at + 1 };
            return self.push(if is_day { Item::Day(Day::Past) } else { Item::Doubt(Doubt::NotUnderstood) }, next);
        }
        if let Some(which) = words::which(word) {
            return self.qualified(at, which);
        }
        let (weekday, next) = self.weekday_at(at)?;
        let next = if self.is(next, &["week"]) && words::weekday(word).is_some() && !self.is(next + 1, &["of", "after"])
        {
            // "Tuesday week"
            return self.push(Item::Day(Day::WeekdayPlus(weekday, 1)), next + 1);
        } else {
            next
        };
        if word.ends_with("tags") || word.ends_with("days") || word == "mittwochs" {
            // "dienstags": any of them, or each.
            self.items.push(Item::Doubt(Doubt::Recurring));
        }
        self.push(Item::Day(Day::Weekday(weekday, Which::Plain)), next)
    }

    fn weekday_at(&self, at: usize) -> Option<(chrono::Weekday, usize)> {
        let word = self.word(at)?;
        if let Some(weekday) = words::weekday(word) {
            return Some((weekday, at + 1));
        }
        let has_dot = self.joined(at + 1, '.') || self.joined(at + 1, ',');
        let next = if has_dot { at + 2 } else { at + 1 };
        if let Some(weekday) = words::short_weekday(word) {
            return Some((weekday, if self.joined(at + 1, '.') { at + 2 } else { at + 1 }));
        }
        let weekday = words::ambiguous_weekday(word)?;
        // "So gegen drei", "do you", "Fr. Sommer": a capital letter and a number behind it make it a weekday.
        let is_short = self.tokens.get(at).is_some_and(|token| token.is_capital) && self.digits(next, 1..=4).is_some();
        let needs_mark = matches!(word, "so" | "do" | "mon" | "sun" | "sat");
        let is_dated = self.joined(next + 1, '.') && self.joined_digits(next + 2, 1..=2).is_some();
        let is_date_behind = self.word(next).and_then(words::month).is_some();
        let ambiguous = |at: usize| self.word(at).is_some_and(|word| words::ambiguous_weekday(word).is_some());
        let is_range = self.mark(at + 1) == Some('-') && ambiguous(at + 2)
            || at > 1 && self.mark(at - 1) == Some('-') && ambiguous(at - 2);
        if is_range {
            return Some((weekday, at + 1));
        }
        (is_short && (!needs_mark || has_dot || is_dated) || is_date_behind).then_some((weekday, next))
    }

    /// `nächsten Dienstag`, `nächste Woche`, `this weekend`.
    fn qualified(&mut self, at: usize, which: Which) -> Option<usize> {
        let mut named = at + 1;
        // "this coming Friday", "diesen kommenden Freitag"
        let which = match self.word(named).and_then(words::which) {
            Some(second) => {
                named += 1;
                second
            }
            None => which,
        };
        if let Some((weekday, next)) = self.weekday_at(named) {
            return self.push(Item::Day(Day::Weekday(weekday, which)), next);
        }
        let word = self.word(named)?;
        let weeks = match which {
            Which::Plain | Which::This => 0,
            Which::Coming | Which::Next => 1,
            Which::AfterNext => 2,
        };
        if matches!(word, "wochenende" | "weekend") {
            return self.push(Item::Day(Day::Weekend(which)), named + 1);
        }
        if matches!(word, "woche" | "week") {
            return self.push(Item::Day(Day::Week(weeks)), named + 1);
        }
        let part = words::part(word);
        if let (Which::This, Some(part)) = (which, part) {
            self.items.push(Item::Day(Day::Offset(0)));
            return self.push(Item::Time(Time::Part(part)), named + 1);
        }
        if words::unit(word) == Some(Unit::Year) {
            return self.push(Item::Day(Day::InYears(i32::try_from(weeks).unwrap_or_default())), named + 1);
        }
        if words::unit(word).is_some() || words::month(word).is_some() {
            return self.push(Item::Doubt(Doubt::Vague), named + 1);
        }
        let counted = self.number(named).map(|number| named + number.length);
        if let Some(next) = counted.filter(|next| self.word(*next).and_then(words::unit).is_some()) {
            return self.push(Item::Doubt(Doubt::Vague), next + 1);
        }
        if matches!(word, "available" | "free" | "freien" | "freier" | "moglichen" | "moglicher" | "freie" | "possible")
        {
            return self.push(Item::Doubt(Doubt::AsSoonAsPossible), named + 1);
        }
        None
    }

    // ---- Times of day ----

    fn clock(&mut self, at: usize) -> Option<usize> {
        if let Some((clock, next)) = self.worded_clock(at) {
            return self.push(Item::Time(clock), next);
        }
        let (clock, next) = self.numbered_clock(at)?;
        self.push(Item::Time(Time::Clock(clock)), next)
    }

    /// An hour at a token, up to 24: what words such as `halb` need behind them.
    fn hour(&self, at: usize) -> Option<(u32, usize)> {
        let number = self.number(at).filter(|number| !number.is_ordinal && number.value <= 24)?;
        let next = at + number.length;
        Some((number.value, if self.is(next, &["uhr"]) { next + 1 } else { next }))
    }

    /// `halb drei`, `Viertel nach neun`, `ten to four`, `fünf vor halb zehn`, `kurz nach drei`.
    fn worded_clock(&self, at: usize) -> Option<(Time, usize)> {
        let (start, at) = (at, self.skip_while(at, words::is_clock_prefix));
        let has_prefix = at > start || self.after_prefix;
        let word = self.word(at)?;
        if matches!(word, "kurz" | "shortly" | "just") {
            let side = self.side_at(at + 1)?;
            let (clock, next) = self.half_or_hour(at + 2)?;
            return Some((Time::Shortly(clock, side), next));
        }
        if matches!(word, "mitternacht" | "midnight") {
            return Some((Time::Clock(Clock::Either(0, 0)), at + 1));
        }
        if word == "half" {
            if self.is(at + 1, &["past"]) {
                let (hour, next) = self.hour(at + 2)?;
                return Some((Time::Clock(twelve(hour, 30)?), next));
            }
            let (hour, next) = self.hour(at + 1)?;
            // Half past two to a Briton, half past one to a German.
            let (before, after) = (twelve_minute(hour, 0)?, twelve_minute(hour, 30)?);
            let before = (before + 2 * 720 - 30) % 720;
            return Some((Time::Clock(Clock::Half { british: after, german: before }), next));
        }
        if let Some((clock, next)) = self.joined_half(at) {
            return Some((Time::Clock(clock), next));
        }
        if matches!(word, "halb" | "halber") {
            let (clock, next) = self.half_or_hour(at)?;
            return Some((Time::Clock(clock), next));
        }
        if let Some((minutes, next)) = self.quarter(at) {
            if let Some(side) = self.side_at(next) {
                let (hour, next) = self.hour(next + 1)?;
                return Some((Time::Clock(shifted(hour, minutes, side)?), next));
            }
            // "dreiviertel neun" is a quarter to nine; "viertel neun" is a quarter past eight only to some.
            let (hour, next) = self.hour(next)?;
            let base = twelve_minute(hour, 0)?;
            let clock = if minutes == 45 {
                Clock::Twelve((base + 705) % 720)
            } else {
                Clock::Either((base + 675) % 720, (base + 15) % 720)
            };
            return Some((Time::Clock(clock), next));
        }
        self.minutes_beside(at, has_prefix)
    }

    fn skip_while(&self, mut at: usize, skips: fn(&str) -> bool) -> usize {
        while self.word(at).is_some_and(skips) {
            at += 1;
        }
        at
    }

    fn side_at(&self, at: usize) -> Option<Side> {
        match self.word(at)? {
            "nach" | "past" | "after" => Some(Side::After),
            "vor" | "to" | "before" | "of" | "till" => Some(Side::Before),
            _ => None,
        }
    }

    /// `halbdrei`: two words in one.
    fn joined_half(&self, at: usize) -> Option<(Clock, usize)> {
        let hour = numbers::number(self.word(at)?.strip_prefix("halb")?)?;
        let is_hour = !hour.is_ordinal && (1..=12).contains(&hour.value);
        let minute = twelve_minute(hour.value, 0).filter(|_| is_hour)?;
        Some((Clock::Twelve((minute + 690) % 720), at + 1))
    }

    fn quarter(&self, at: usize) -> Option<(u32, usize)> {
        let at = if self.is(at, &["a"]) { at + 1 } else { at };
        match self.word(at)? {
            "viertel" | "quarter" => Some((15, at + 1)),
            "dreiviertel" => Some((45, at + 1)),
            "drei" if self.is(at + 1, &["viertel"]) => Some((45, at + 2)),
            _ => None,
        }
    }

    /// `halb drei`, or a whole hour.
    fn half_or_hour(&self, at: usize) -> Option<(Clock, usize)> {
        if self.is(at, &["halb"]) {
            let (hour, next) = self.hour(at + 1).filter(|(hour, _)| (1..=12).contains(hour))?;
            return Some((Clock::Twelve((twelve_minute(hour, 0)? + 690) % 720), next));
        }
        let (hour, next) = self.hour(at)?;
        Some((twelve(hour, 0)?, next))
    }

    /// `zehn vor drei`, `fünf nach halb neun`, `ten minutes past three`.
    fn minutes_beside(&self, at: usize, has_prefix: bool) -> Option<(Time, usize)> {
        let number = self.number(at).filter(|number| !number.is_ordinal && (1..30).contains(&number.value))?;
        let mut next = at + number.length;
        let has_unit = self.is(next, &["minuten", "minutes", "min"]);
        next += usize::from(has_unit);
        let side = self.side_at(next)?;
        let is_range_word = self.is(next, &["to", "till"]);
        // "2 to 4" is a span; "ten to four" may be either.
        let is_usual = matches!(number.value, 5 | 10 | 20 | 25);
        if is_range_word
            && !has_unit
            && (!is_usual
                || self.items.last() == Some(&Item::Link(Link::Between))
                || self.items.last() == Some(&Item::Link(Link::Starting)))
        {
            return None;
        }
        let (clock, after) = self.half_or_hour(next + 1)?;
        let base = match clock {
            Clock::Twelve(minute) => minute,
            _ => return None,
        };
        let minute = match side {
            Side::After => (base + number.value) % 720,
            Side::Before => (base + 720 - number.value) % 720,
        };
        let may_be_span = is_range_word && !has_unit && !has_prefix && number.value <= 12;
        let clock =
            if may_be_span { Clock::Either(minute, twelve_minute(number.value, 0)?) } else { Clock::Twelve(minute) };
        Some((Time::Clock(clock), after))
    }

    /// `14:30`, `14.30 Uhr`, `14 Uhr 30`, `2pm`, `three thirty`, and a bare number where a time is expected.
    fn numbered_clock(&self, at: usize) -> Option<(Clock, usize)> {
        let prefix_end = self.skip_while(at, words::is_clock_prefix);
        let has_prefix = prefix_end > at || self.after_prefix;
        let at =
            if prefix_end > at { self.skip_while(prefix_end, |word| matches!(word, "so" | "ca" | "the")) } else { at };
        if let Some(four) = self.digits(at, 4..=4).filter(|four| four / 100 <= 24 && four % 100 < 60) {
            let marked = self.is(at + 1, &["uhr", "h", "hours", "hrs"]);
            if marked || has_prefix && !(2024..2035).contains(&four) || self.slot == Slot::Time {
                return Some((Clock::Exact(minute_of(four / 100, four % 100)?), at + 1 + usize::from(marked)));
            }
            return None;
        }
        let number = self.number(at).filter(|number| !number.is_ordinal && number.value <= 24)?;
        let is_padded = self.digits(at, 2..=2).is_some();
        let mut next = at + number.length;
        let hour = number.value;
        for mark in [':', '.', ','] {
            if !(number.is_digits && self.joined(next, mark)) {
                continue;
            }
            if let Some(minutes) = self.joined_digits(next + 1, 2..=2).filter(|minutes| *minutes < 60) {
                let mut after = next + 2;
                if self.joined(after, mark) && self.joined_digits(after + 1, 2..=2).is_some() {
                    after = self.after_fraction(after + 2);
                }
                let is_marked = self.is(after, &["uhr", "h"]);
                if mark == ',' && !is_marked {
                    return None;
                }
                return self.with_meridiem(hour, minutes, is_padded, after + usize::from(is_marked));
            }
        }
        if number.is_digits && self.joined(next, '.') && has_prefix && self.joined_digits(next + 1, 1..=4).is_none() {
            next += 1;
        }
        if self.is(next, &["uhr", "h"])
            || self.is(next, &["o"]) && self.is(next + 2, &["clock"])
            || self.is(next, &["oclock"])
        {
            let after = if self.is(next, &["o"]) { next + 3 } else { next + 1 };
            let minutes = self.number(after).filter(|minutes| {
                let behind = after + minutes.length;
                let is_other = self.joined(behind, ':')
                    || self.joined(behind, '.') && self.joined_digits(behind + 1, 1..=2).is_some();
                !minutes.is_ordinal
                    && (1..60).contains(&minutes.value)
                    && !is_other
                    && !self.is(after, &["ein", "eine"])
                    && (minutes.is_digits || minutes.value >= 5)
                    && self.word(behind).and_then(words::unit).is_none()
                    && !self.is(behind, &["uhr"])
            });
            let (minutes, after) = minutes.map_or((0, after), |minutes| (minutes.value, after + minutes.length));
            return self.with_meridiem(hour, minutes, false, after);
        }
        if self.meridiem(next).is_some() {
            return self.with_meridiem(hour, 0, false, next);
        }
        if self.is(at, &["ein", "one"]) && !has_prefix {
            return None;
        }
        // "three thirty", "10 30": an hour and minutes.
        let minutes = self.number(next).filter(|minutes| {
            let behind = next + minutes.length;
            let is_pair = if minutes.is_digits {
                self.digits(next, 2..=2).is_some() && number.is_digits
            } else {
                !number.is_digits
            };
            is_pair
                && !minutes.is_ordinal
                && (10..60).contains(&minutes.value)
                && !self.joined(behind, ':')
                && !self.joined(behind, '.')
                && !self.is(behind, &["uhr"])
                && self.word(behind).and_then(words::unit).is_none()
        });
        let is_expected = has_prefix
            || self.slot == Slot::Time
            || self.expects_clock(next)
            || self.expects_clock(next + 1) && minutes.is_some();
        if let Some(minutes) = minutes.filter(|_| is_expected || self.meridiem(next + 1).is_some()) {
            return self.with_meridiem(hour, minutes.value, false, next + minutes.length);
        }
        let is_count = self.word(next).is_some_and(|word| words::unit(word).is_some() || words::is_counted(word));
        if has_prefix && !is_count && !self.is(next, &["mal", "x"]) {
            return self.with_meridiem(hour, 0, false, next);
        }
        // "nach vier" needs a thing behind it to be no time.
        let is_bound = matches!(self.items.last(), Some(Item::Link(Link::Lower | Link::Upper | Link::Between)));
        let is_thing = self.tokens.get(next).is_some_and(|token| token.is_capital && token.word().is_some());
        let ends = self.ends_clock(next) || is_bound && !is_thing;
        ((is_expected || is_bound) && !is_count && ends).then(|| self.with_meridiem(hour, 0, false, next)).flatten()
    }

    /// Whether nothing follows that makes a bare number a count of things.
    fn ends_clock(&self, next: usize) -> bool {
        match self.tokens.get(next).map(|token| &token.kind) {
            None | Some(TokenKind::Mark(_)) => true,
            Some(TokenKind::Word(word)) => words::may_follow_clock(word),
            Some(TokenKind::Digits(_)) => false,
        }
    }

    /// Whether a bare number may be a time, from what was read before it.
    fn expects_clock(&self, next: usize) -> bool {
        self.ends_clock(next) && self.expects_clock_here()
    }

    fn expects_clock_here(&self) -> bool {
        let had_time = || self.items.iter().any(|item| matches!(item, Item::Time(_)));
        match self.items.last() {
            Some(Item::Day(_) | Item::Time(Time::Part(_)) | Item::DayOrTime(..)) => true,
            Some(Item::Link(Link::Between | Link::Starting | Link::Lower | Link::Upper)) => true,
            Some(Item::Link(Link::To | Link::And | Link::Or | Link::Correction)) => had_time(),
            _ => false,
        }
    }

    fn meridiem(&self, at: usize) -> Option<(bool, usize)> {
        let is_abbreviated = |letter| self.is(at, &[letter]) && (self.joined(at + 1, '.') || self.is(at + 1, &["m"]));
        let end = |mut next: usize| {
            while self.joined(next, '.') || self.is(next, &["m"]) {
                next += 1;
            }
            next
        };
        if self.is(at, &["pm"]) || is_abbreviated("p") {
            return Some((true, end(at + 1)));
        }
        if is_abbreviated("a") {
            return Some((false, end(at + 1)));
        }
        // German "am" stands before a day.
        let is_german = self.word(at + 1).is_some_and(|word| {
            words::weekday(word).is_some_and(|_| word.contains("tag") || word.starts_with("mittwoch"))
                || matches!(
                    word,
                    "vormittag"
                        | "nachmittag"
                        | "abend"
                        | "morgen"
                        | "mittag"
                        | "selben"
                        | "gleichen"
                        | "wochenende"
                        | "besten"
                        | "liebsten"
                )
                || numbers::number(word).is_some_and(|spoken| spoken.is_ordinal)
        }) || self.digits(at + 1, 1..=2).is_some();
        (self.is(at, &["am"]) && !is_german).then(|| (false, end(at + 1)))
    }

    fn with_meridiem(&self, hour: u32, minutes: u32, is_padded: bool, next: usize) -> Option<(Clock, usize)> {
        match self.meridiem(next) {
            Some((is_pm, after)) if hour <= 12 => {
                let minute = twelve_minute(hour, minutes)?;
                Some((Clock::Exact(minute + if is_pm { 720 } else { 0 }), after))
            }
            Some((true, after)) => Some((Clock::Exact(minute_of(hour, minutes)?), after)),
            Some((false, _)) | None => Some((clock_of(hour, minutes, is_padded)?, next)),
        }
    }

    // ---- Parts of the day ----

    fn part(&mut self, at: usize) -> Option<usize> {
        let word = self.word(at)?;
        // "nach der Arbeit", "after lunch"
        if let Some(side) = self.side_at(at).filter(|_| matches!(word, "nach" | "vor" | "after" | "before")) {
            let named = self.skip_articles(at + 1);
            let part = match (side, self.word(named).unwrap_or_default()) {
                (Side::After, "arbeit" | "feierabend" | "work" | "buro") => Some(AFTER_WORK),
                (Side::Before, "arbeit" | "work" | "buro") => Some(BEFORE_WORK),
                (Side::After, "mittagessen" | "mittagspause" | "lunch" | "mittag") => Some(AFTER_LUNCH),
                _ => None,
            };
            if let Some(part) = part {
                return self.push(Item::Time(Time::Part(part)), named + 1);
            }
        }
        if let Some(side) = words::side(word)
            && let Some(part) =
                self.word(at + 1).and_then(|next| if next == "morgen" { Some(MORNING) } else { words::part(next) })
        {
            return self.push(Item::Time(Time::Part(part.narrowed(side))), at + 2);
        }
        let part = words::part(word)?;
        self.push(Item::Time(Time::Part(part)), at + 1)
    }

    // ---- How things belong together ----

    fn link(&mut self, at: usize) -> Option<usize> {
        if matches!(self.mark(at), Some('-')) {
            let is_between = matches!(self.items.last(), Some(Item::Time(_) | Item::Day(_) | Item::DayOrTime(..)))
                && (self.number(at + 1).is_some() || self.weekday_at(at + 1).is_some());
            return if is_between { self.push(Item::Link(Link::To), at + 1) } else { Some(at + 1) };
        }
        let word = self.word(at)?;
        let one = |link| Some((link, at + 1));
        let found = match word {
            "zwischen" | "between" => one(Link::Between),
            "von" | "from" => one(Link::Starting),
            "bis" | "to" | "till" | "til" | "until" | "through" => one(Link::To),
            "oder" | "or" if self.is(at + 1, &["spater", "later", "danach", "after"]) => Some((Link::OrLater, at + 2)),
            "oder" | "or" if self.is(at + 1, &["fruher", "earlier", "davor"]) => Some((Link::OrEarlier, at + 2)),
            "oder" | "or" if self.is(at + 1, &["so", "whatever", "was", "something"]) => return Some(at + 2),
            "und" | "and" if self.is(at + 1, &["spater", "later"]) => Some((Link::OrLater, at + 2)),
            "und" | "and" | "u" => one(Link::And),
            "oder" | "or" | "bzw" | "beziehungsweise" | "alternativ" | "wahlweise" | "notfalls" | "ansonsten"
            | "otherwise" | "alternatively" | "ersatzweise" => one(Link::Or),
            "onwards" | "aufwarts" => one(Link::OrLater),
            "ab" | "nach" | "after" | "fruhestens" | "earliest" | "since" => one(Link::Lower),
            "vor" | "before" | "spatestens" | "latest" | "by" => one(Link::Upper),
            "no" | "not" | "nicht"
                if self.is(at + 1, &["earlier", "sooner", "fruher"]) && self.is(at + 2, &["than", "als"]) =>
            {
                Some((Link::Lower, at + 3))
            }
            "no" | "not" | "nicht" if self.is(at + 1, &["later", "spater"]) && self.is(at + 2, &["than", "als"]) => {
                Some((Link::Upper, at + 3))
            }
            "nicht" | "not" if self.is(at + 1, &["vor", "before"]) => Some((Link::Lower, at + 2)),
            "nicht" | "not" if self.is(at + 1, &["nach", "after"]) => Some((Link::Upper, at + 2)),
            "nicht" if self.is(at + 1, &["wahr"]) => return Some(at + 2),
            "kein" | "keine" | "no" if self.is(at + 1, &["problem", "probleme", "stress", "eile", "rush"]) => {
                return Some(at + 2);
            }
            "nicht" | "not" | "cannot" | "cant" | "dont" | "kein" | "keine" | "keinen" | "keiner" | "nie"
            | "niemals" | "never" | "ausser" | "except" | "ohne" | "without" | "keinesfalls" => one(Link::Not),
            "nein" | "ne" | "nee" | "no" | "quatsch" | "sondern" | "stattdessen" | "instead" | "korrektur"
            | "correction" | "lieber" | "rather" | "vielmehr" | "actually" | "sorry" | "entschuldigung"
            | "verzeihung" | "scratch" => one(Link::Correction),
            "ich" | "i" if self.is(at + 1, &["meine", "meinte", "mean", "meant"]) => Some((Link::Correction, at + 2)),
            _ => None,
        };
        let (link, next) = found?;
        self.push(Item::Link(link), next)
    }

    /// What is of time, and changes what is wanted in a way that is not read.
    fn other(&mut self, at: usize) -> Option<usize> {
        let word = self.word(at)?;
        let is_soon = self.are(at, &["so", "bald"])
            || self.are(at, &["so", "schnell"])
            || self.are(at, &["so", "fruh"])
            || self.are(at, &["as", "soon"])
            || self.are(at, &["as", "early"]);
        if is_soon {
            let next =
                (at + 2..at + 5).take_while(|next| self.is(*next, &["wie", "as", "moglich", "possible", "es", "geht"]));
            return self.push(Item::Doubt(Doubt::AsSoonAsPossible), next.last().map_or(at + 2, |last| last + 1));
        }
        match word {
            // Whom, not when.
            "egal" | "wurscht"
                if self.is(at + 1, &["bei", "wer", "welcher", "welche", "von", "zu", "mit"])
                    && !self.is(at + 2, &["uhrzeit", "tag", "zeit"]) =>
            {
                Some(at + 2)
            }
            "egal" | "wurscht" | "jederzeit" | "irgendwann" | "anytime" | "whenever" | "flexibel" | "flexible"
            | "beliebig" | "ganztags" | "ganztagig" => self.push(Item::Any, at + 1),
            "asap" | "nachstmoglich" | "schnellstmoglich" | "baldmoglichst" | "fruhestmoglich" | "schnellstens"
            | "nachstmoglichen" => self.push(Item::Doubt(Doubt::AsSoonAsPossible), at + 1),
            "irgendein" | "irgendeinen" | "irgendeinem" => self.push(Item::Doubt(Doubt::WhichDay), at + 1),
            "any" if self.word(at + 1).and_then(words::weekday).is_some() => {
                self.push(Item::Doubt(Doubt::WhichDay), at + 1)
            }
            "anything" | "any" | "all" | "alles" | "jeder" | "everything" if self.is(at + 1, &["but", "ausser"]) => {
                self.push(Item::Doubt(Doubt::NotUnderstood), at + 2)
            }
            // "London time", "Londoner Zeit"
            "zeit" | "time" if self.names_other_zone(at) => self.push(Item::Doubt(Doubt::OtherZone), at + 1),
            "zu" | "too" if self.is(at + 1, &["fruh", "spat", "early", "late"]) => {
                self.push(Item::Doubt(Doubt::NotUnderstood), at + 2)
            }
            // "Wenn das geht" asks for nothing; any other condition does.
            "wenn" | "falls" | "sofern" | "if" => {
                const POLITE: [&str; 14] = [
                    "moglich",
                    "geht",
                    "ginge",
                    "klappt",
                    "passt",
                    "possible",
                    "works",
                    "available",
                    "frei",
                    "free",
                    "ok",
                    "okay",
                    "recht",
                    "mag",
                ];
                let is_polite =
                    (at + 1..at + 7).any(|near| self.is(near, &POLITE)) && !self.is(at + 1, &["nicht", "not"]);
                if is_polite { Some(at + 1) } else { self.push(Item::Doubt(Doubt::NotUnderstood), at + 1) }
            }
            "unless" | "ausfallen" | "ausfallt" | "absagen" | "abgesagt" | "stornieren" | "storniert" | "cancel"
            | "cancelled" | "verschieben" | "umbuchen" | "reschedule" | "anrufen" | "ruckruf" | "zuruckrufen"
            | "rufe" | "ruf" | "geboren" | "geb" | "born" | "geburtsdatum" | "geburtstag" | "birthday" => {
                self.push(Item::Doubt(Doubt::NotUnderstood), at + 1)
            }
            // "Zahnarzttermin": another appointment than this one.
            other
                if other.len() > "termin".len()
                    && (other.ends_with("termin") || other.ends_with("termine"))
                    && other != "termine" =>
            {
                self.push(Item::Doubt(Doubt::NotUnderstood), at + 1)
            }
            "any" if self.is(at + 1, &["time"]) => self.push(Item::Any, at + 2),
            "wann" if self.is(at + 1, &["immer"]) => self.push(Item::Any, at + 2),
            "ganzen" | "ganze" if self.is(at + 1, &["tag", "zeit"]) => self.push(Item::Any, at + 2),
            "all" if self.is(at + 1, &["day"]) => self.push(Item::Any, at + 2),
            "anfang" | "mitte" | "ende" | "beginning" | "end" | "middle" | "start" => {
                let names_span = |at: usize| {
                    self.word(at).is_some_and(|word| {
                        words::month(word).is_some()
                            || matches!(words::unit(word), Some(Unit::Week | Unit::Month | Unit::Year))
                    })
                };
                if (at + 1..at + 5).any(names_span) {
                    self.push(Item::Doubt(Doubt::Vague), at + 1)
                } else {
                    Some(at + 1)
                }
            }
            "woche" | "week" if self.is(at + 1, &["vom", "of", "vor", "nach", "ab"]) => {
                self.push(Item::Doubt(Doubt::Vague), at + 1)
            }
            "jeden" | "jede" | "jeder" | "jedes" | "every" | "taglich" | "daily" | "wochentlich" | "weekly"
            | "regelmassig" | "immer" | "always" => self.push(Item::Doubt(Doubt::Recurring), at + 1),
            "selbe" | "selben" | "gleiche" | "gleichen" | "same" | "ublich" | "usual" | "gewohnt" | "spater"
            | "fruher" | "later" | "earlier" | "werktags" | "wochentags" | "weekdays" | "weekday" | "weihnachten"
            | "christmas" | "ostern" | "easter" | "pfingsten" | "feiertag" | "feiertagen" | "vorher" | "danach" => {
                self.push(Item::Doubt(Doubt::NotUnderstood), at + 1)
            }
            "pst" | "pdt" | "est" | "edt" | "cst" | "mst" | "pacific" | "eastern" | "gmt" | "utc" => {
                self.push(Item::Doubt(Doubt::OtherZone), at + 1)
            }
            _ => None,
        }
    }

    /// Whether the word before "time" names a place that is not the business's.
    fn names_other_zone(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.tokens.get(before));
        let is_capital = before.is_some_and(|token| token.is_capital);
        let word = before.and_then(Token::word).unwrap_or_default();
        is_capital
            && !matches!(
                word,
                "berliner"
                    | "berlin"
                    | "deutscher"
                    | "german"
                    | "welche"
                    | "welcher"
                    | "what"
                    | "any"
                    | "the"
                    | "local"
            )
            && (self.is(at, &["time"]) || word.ends_with("er"))
    }

    /// A number that nothing explains is a doubt; one before a thing is a count.
    fn leftover(&mut self, at: usize) -> usize {
        let Some(token) = self.tokens.get(at) else { return at + 1 };
        if let TokenKind::Digits(digits) = &token.kind {
            let counts = self.word(at + 1).is_some_and(|word| !words::may_follow_clock(word));
            let is_long = digits.len() > 4;
            if !counts || is_long {
                self.items.push(Item::Doubt(Doubt::NotUnderstood));
            }
        }
        at + 1
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

fn shifted(hour: u32, minutes: u32, side: Side) -> Option<Clock> {
    if hour > 12 {
        let base = minute_of(hour, 0)?;
        return Some(Clock::Exact(match side {
            Side::After => base + minutes,
            Side::Before => base - minutes,
        }));
    }
    let base = twelve_minute(hour, 0)?;
    Some(Clock::Twelve(match side {
        Side::After => base + minutes,
        Side::Before => (base + 720 - minutes) % 720,
    }))
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
