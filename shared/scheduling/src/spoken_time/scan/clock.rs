//! Times of day, and parts of the day.

use super::*;

impl Scanner {
    pub(super) fn clock(&mut self, at: usize) -> Option<usize> {
        if let Some((clock, next)) = self.worded_clock(at) {
            return self.push(Item::Time(clock), next);
        }
        let (clock, next) = self.numbered_clock(at)?;
        self.push(Item::Time(Time::Clock(clock)), next)
    }

    /// An hour at a token, up to 24: what words such as `halb` need behind them.
    pub(super) fn hour(&self, at: usize) -> Option<(u32, usize)> {
        let number = self.number(at).filter(|number| !number.is_ordinal && number.value <= 24)?;
        let next = at + number.length;
        Some((number.value, if self.is(next, &["uhr"]) { next + 1 } else { next }))
    }

    /// `halb drei`, `Viertel nach neun`, `ten to four`, `fünf vor halb zehn`, `kurz nach drei`.
    pub(super) fn worded_clock(&self, at: usize) -> Option<(Time, usize)> {
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
            let (british, base) = (twelve_minute(hour, 30)?, twelve_minute(hour, 0)?);
            let german = (base + HALF_DAY - 30) % HALF_DAY;
            return Some((Time::Clock(Clock::Half { british, german }), next));
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
                let base =
                    if hour > 12 { Clock::Exact(minute_of(hour, 0)?) } else { Clock::Twelve(twelve_minute(hour, 0)?) };
                return Some((Time::Clock(base.shifted(minutes, side)?), next));
            }
            // "dreiviertel neun" is a quarter to nine; "viertel neun" is a quarter past eight only to some.
            let (hour, next) = self.hour(next)?;
            let base = twelve_minute(hour, 0)?;
            let clock = if minutes == 45 {
                Clock::Twelve(base).shifted(15, Side::Before)?
            } else {
                Clock::Either((base + HALF_DAY - 45) % HALF_DAY, (base + 15) % HALF_DAY)
            };
            return Some((Time::Clock(clock), next));
        }
        self.minutes_beside(at, has_prefix)
    }

    pub(super) fn skip_while(&self, mut at: usize, skips: fn(&str) -> bool) -> usize {
        while self.word(at).is_some_and(skips) {
            at += 1;
        }
        at
    }

    pub(super) fn side_at(&self, at: usize) -> Option<Side> {
        match self.word(at)? {
            "nach" | "past" | "after" => Some(Side::After),
            "vor" | "to" | "before" | "of" | "till" => Some(Side::Before),
            _ => None,
        }
    }

    /// `halbdrei`: two words in one.
    pub(super) fn joined_half(&self, at: usize) -> Option<(Clock, usize)> {
        let hour = numbers::number(self.word(at)?.strip_prefix("halb")?)?;
        let is_hour = !hour.is_ordinal && (1..=12).contains(&hour.value);
        let minute = twelve_minute(hour.value, 0).filter(|_| is_hour)?;
        Some((Clock::Twelve(minute).shifted(30, Side::Before)?, at + 1))
    }

    pub(super) fn quarter(&self, at: usize) -> Option<(u32, usize)> {
        let at = if self.is(at, &["a"]) { at + 1 } else { at };
        match self.word(at)? {
            "viertel" | "quarter" => Some((15, at + 1)),
            "dreiviertel" => Some((45, at + 1)),
            "drei" if self.is(at + 1, &["viertel"]) => Some((45, at + 2)),
            _ => None,
        }
    }

    /// `halb drei`, or a whole hour.
    pub(super) fn half_or_hour(&self, at: usize) -> Option<(Clock, usize)> {
        if self.is(at, &["halb", "halber", "halbe"]) {
            let (hour, next) = self.hour(at + 1).filter(|(hour, _)| (1..=12).contains(hour))?;
            return Some((Clock::Twelve(twelve_minute(hour, 0)?).shifted(30, Side::Before)?, next));
        }
        let (hour, next) = self.hour(at)?;
        Some((twelve(hour, 0)?, next))
    }

    /// `zehn vor drei`, `fünf nach halb neun`, `ten minutes past three`.
    pub(super) fn minutes_beside(&self, at: usize, has_prefix: bool) -> Option<(Time, usize)> {
        // "eine halbe Stunde vor zehn"
        if let Some((halves, unit @ (Unit::Minute | Unit::Hour), next)) = self.count_of_units(at)
            && let Some(side) = self.side_at(next)
            && let Some((clock, after)) = self.half_or_hour(next + 1)
        {
            let minutes = if unit == Unit::Hour { halves * 30 } else { halves / 2 };
            return Some((Time::Clock(clock.shifted(minutes, side)?), after));
        }
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
        let Clock::Twelve(_) = clock else { return None };
        let clock = clock.shifted(number.value, side)?;
        let may_be_span = is_range_word && !has_unit && !has_prefix && number.value <= 12;
        let clock = match clock {
            Clock::Twelve(minute) if may_be_span => Clock::Either(minute, twelve_minute(number.value, 0)?),
            clock => clock,
        };
        Some((Time::Clock(clock), after))
    }

    /// `14:30`, `14.30 Uhr`, `14 Uhr 30`, `2pm`, `three thirty`, and a bare number where a time is expected.
    pub(super) fn numbered_clock(&self, at: usize) -> Option<(Clock, usize)> {
        let prefix_end = self.skip_while(at, words::is_clock_prefix);
        let has_prefix = prefix_end > at || self.after_prefix;
        let at =
            if prefix_end > at { self.skip_while(prefix_end, |word| matches!(word, "so" | "ca" | "the")) } else { at };
        if let Some(four) = self.digits(at, 4..=4).filter(|four| four / 100 <= 24 && four % 100 < 60) {
            let marked = self.is(at + 1, &["uhr", "h", "hours", "hrs"]);
            if marked
                || (has_prefix || self.expects_clock(at + 1)) && !(2024..2035).contains(&four)
                || self.slot == Slot::Time
            {
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
            if let Some(minutes) = self.joined_digits(after, 2..=2).filter(|minutes| *minutes < 60) {
                // "15h00"
                return self.with_meridiem(hour, minutes, false, after + 1);
            }
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
        let is_linked = matches!(
            self.items.last(),
            Some(Item::Link(Link::To | Link::And | Link::Or | Link::Lower | Link::Upper | Link::Between))
        ) && self.last_end == at;
        if self.is(at, &["ein", "one"]) && !has_prefix && !is_linked {
            return None;
        }
        // "nine oh five"
        if self.is(next, &["oh", "o"])
            && let Some(minutes) = self.number(next + 1).filter(|minutes| minutes.value < 10 && !minutes.is_ordinal)
        {
            return self.with_meridiem(hour, minutes.value, false, next + 1 + minutes.length);
        }
        // "5-jährigen", "15%"
        if matches!(self.mark(next), Some('%' | '€' | '$')) || self.joined(next, '-') && self.word(next + 1).is_some()
        {
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
                && (13..60).contains(&minutes.value)
                && !self.joined(behind, ':')
                && !self.joined(behind, '.')
                && !self.is(behind, &["uhr"])
                && self.word(behind).and_then(words::unit).is_none()
        });
        let is_expected = has_prefix
            || self.slot == Slot::Time
            || self.expects_clock(next)
            || self.expects_clock(next + 1) && minutes.is_some()
            || minutes.is_some_and(|minutes| !minutes.is_digits && minutes.value.is_multiple_of(15))
            || self.is_span_ahead(next);
        if let Some(minutes) = minutes.filter(|_| is_expected || self.meridiem(next + 1).is_some()) {
            return self.with_meridiem(hour, minutes.value, false, next + minutes.length);
        }
        let is_count = self.word(next).is_some_and(|word| words::unit(word).is_some() || words::is_counted(word));
        // "at 12 Baker Street"
        let is_address = at > 0
            && self.is(at - 1, &["at"])
            && self.tokens.get(next).is_some_and(|token| token.is_capital && token.word().is_some())
            && !self.word(next).is_some_and(words::may_follow_clock);
        if has_prefix && !is_count && !is_address && !self.is(next, &["mal", "x"]) {
            return self.with_meridiem(hour, 0, false, next);
        }
        // "nach vier" needs a thing behind it to be no time.
        let is_bound = matches!(self.items.last(), Some(Item::Link(Link::Lower | Link::Upper | Link::Between)))
            && self.is_beside_last(self.at);
        let is_thing = self.tokens.get(next).is_some_and(|token| token.is_capital && token.word().is_some());
        let ends = self.ends_clock(next) || is_bound && !is_thing;
        ((is_expected || is_bound) && !is_count && ends).then(|| self.with_meridiem(hour, 0, false, next)).flatten()
    }

    /// `vier bis sechs Uhr`, with the first number at hand.
    pub(super) fn is_span_ahead(&self, next: usize) -> bool {
        let links = self.is(next, &["bis", "to", "till"]) || self.mark(next) == Some('-');
        let Some(to) = self.number(next + 1).filter(|to| links && !to.is_ordinal && to.value <= 24) else {
            return false;
        };
        let behind = next + 1 + to.length;
        self.is(behind, &["uhr", "pm", "am", "p", "a"])
            || self.word(behind).is_some_and(|word| words::part(word).is_some())
    }

    /// Whether nothing follows that makes a bare number a count of things.
    pub(super) fn ends_clock(&self, next: usize) -> bool {
        match self.tokens.get(next).map(|token| &token.kind) {
            None | Some(TokenKind::Mark(_)) => true,
            Some(TokenKind::Word(word)) => words::may_follow_clock(word),
            Some(TokenKind::Digits(_)) => false,
        }
    }

    /// Whether a bare number may be a time, from what was read before it.
    pub(super) fn expects_clock(&self, next: usize) -> bool {
        self.ends_clock(next) && self.expects_clock_here()
    }

    pub(super) fn expects_clock_here(&self) -> bool {
        let had_time = || self.items.iter().any(|item| matches!(item, Item::Time(_)));
        if !self.is_beside_last(self.at) {
            return false;
        }
        match self.items.last() {
            Some(Item::Day(_) | Item::Time(Time::Part(_)) | Item::DayOrTime(..)) => true,
            Some(Item::Link(Link::Between | Link::Starting | Link::Lower | Link::Upper)) => true,
            Some(Item::Link(Link::To)) => true,
            Some(Item::Link(Link::And | Link::Or | Link::Correction)) => had_time(),
            _ => false,
        }
    }

    pub(super) fn meridiem(&self, at: usize) -> Option<(bool, usize)> {
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

    pub(super) fn with_meridiem(
        &self,
        hour: u32,
        minutes: u32,
        is_padded: bool,
        next: usize,
    ) -> Option<(Clock, usize)> {
        match self.meridiem(next) {
            Some((is_pm, after)) if hour <= 12 => {
                let minute = twelve_minute(hour, minutes)?;
                Some((Clock::Exact(minute + if is_pm { HALF_DAY } else { 0 }), after))
            }
            Some((true, after)) => Some((Clock::Exact(minute_of(hour, minutes)?), after)),
            Some((false, _)) | None => Some((clock_of(hour, minutes, is_padded)?, next)),
        }
    }
    pub(super) fn part(&mut self, at: usize) -> Option<usize> {
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
}
