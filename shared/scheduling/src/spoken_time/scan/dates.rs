//! Dates: `24.12.2026`, `24. Dezember`, `the third of January`.

use super::*;

impl Scanner {
    /// `24.12.2026`, `24.12.`, `24/12/26`, `24-12-2026`, `24. 12.`, and `24.` alone.
    pub(super) fn numeric_date(&mut self, at: usize) -> Option<usize> {
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
    pub(super) fn second_of_dotted(&self, at: usize) -> Option<(u32, usize)> {
        let second = self.digits(at + 2, 1..=2)?;
        let is_joined = self.tokens.get(at + 2).is_some_and(|token| !token.is_spaced);
        if is_joined {
            return Some((second, at + 3));
        }
        // `24. 12.` is a date, `24. 14 Uhr` is a day and a time.
        (second <= 12 && self.joined(at + 3, '.')).then_some((second, at + 3))
    }

    pub(super) fn dotted(&mut self, at: usize, first: u32, second: u32, next: usize) -> Option<usize> {
        let has_dot = self.joined(next, '.');
        let year_at = if has_dot { next + 1 } else { next };
        let year = self.digits(year_at, 4..=4).or_else(|| self.joined_digits(year_at, 2..=2).filter(|_| has_dot));
        // `24.12. 14:30`: four digits may follow a space, but a time has a colon.
        let is_time = self.joined(year_at + 1, ':') || self.is(year_at + 1, &["uhr", "h"]);
        let year = year.filter(|_| has_dot && !is_time);
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

    pub(super) fn follows(&self, words: &[&str], at: usize) -> bool {
        at.checked_sub(1).is_some_and(|before| self.is(before, words))
    }

    /// A month at a token, or behind small words.
    pub(super) fn month_at(&self, at: usize) -> Option<(u32, usize)> {
        let at = self.skip_articles(at);
        let month = words::month(self.word(at)?)?;
        Some((month, if self.joined(at + 1, '.') { at + 2 } else { at + 1 }))
    }

    pub(super) fn year_at(&self, at: usize) -> Option<(u32, usize)> {
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
    pub(super) fn named_date(&mut self, at: usize) -> Option<usize> {
        if let Some((month, day)) = self.word(at).and_then(words::holiday) {
            return self.push(Item::Day(Day::Date { year: None, month, day }), at + 1);
        }
        let named = [
            (["christmas", "day"], (12, 25)),
            (["boxing", "day"], (12, 26)),
            (["erster", "weihnachtstag"], (12, 25)),
            (["ersten", "weihnachtstag"], (12, 25)),
            (["ersten", "weihnachtsfeiertag"], (12, 25)),
            (["zweiter", "weihnachtstag"], (12, 26)),
            (["zweiten", "weihnachtstag"], (12, 26)),
            (["zweiten", "weihnachtsfeiertag"], (12, 26)),
        ];
        if let Some((_, (month, day))) = named.iter().find(|(words, _)| self.are(at, words)) {
            return self.push(Item::Day(Day::Date { year: None, month: *month, day: *day }), at + 2);
        }
        if self.are(at, &["new", "year"]) && self.is(at + 4, &["eve", "day"]) {
            let (month, day) = if self.is(at + 4, &["eve"]) { (12, 31) } else { (1, 1) };
            return self.push(Item::Day(Day::Date { year: None, month, day }), at + 5);
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

    pub(super) fn day_and_month(&mut self, at: usize, number: Counted) -> Option<usize> {
        let mut after = at + number.length;
        // "10-Dec-2026"
        if number.is_digits
            && self.joined(after, '-')
            && let Some(month) = self.word(after + 1).and_then(words::month)
            && self.joined(after + 2, '-')
            && let Some(year) = self.joined_digits(after + 3, 2..=4)
        {
            return self.push(dated(full_year(year), month, number.value), after + 4);
        }
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
        let is_first = self.is(at, &["erste", "zweite", "second", "first"]) && !self.is_day_behind(at);
        if stands_alone && !names_thing && !is_span && !is_first || number.is_digits && number.is_ordinal {
            return self.push(Item::Day(Day::OfMonth(number.value)), after);
        }
        let is_listed =
            matches!(self.items.as_slice(), [.., Item::Day(Day::OfMonth(_)), Item::Link(Link::Or | Link::And)])
                && self.last_end == at;
        if is_listed {
            return self.push(Item::Day(Day::OfMonth(number.value)), after);
        }
        if !names_thing && !is_span && number.value > 1 {
            return self.push(Item::Doubt(Doubt::NotUnderstood), after);
        }
        Some(after)
    }

    /// `Dienstag, der zweite`: an ordinal right behind a weekday.
    fn is_day_behind(&self, at: usize) -> bool {
        matches!(self.items.last(), Some(Item::Day(Day::Weekday(..))))
            && (self.last_end..at)
                .all(|between| self.is(between, &["der", "den", "the"]) || self.mark(between) == Some(','))
    }
}
