//! Dates and times as machines and people write them in digits.

use super::*;

impl Scanner {
    /// `Tue, 01 Dec 2026 10:00:00 GMT`, `GMT+0100`: an offset behind a date with its year and an exact time.
    pub(super) fn zone_behind(&mut self, at: usize) -> Option<usize> {
        let [.., Item::Day(Day::Date { year: Some(year), month, day }), Item::Time(Time::Clock(Clock::Exact(minute)))] =
            self.items.as_slice()
        else {
            return None;
        };
        let is_written =
            self.is(at, &["gmt", "utc"]) || self.mark(at) == Some('+') || self.joined_digits(at + 1, 4..=4).is_some();
        let (seconds_east, next) = self.offset(at, true).filter(|_| is_written && self.last_end == at)?;
        let instant = instant_of(NaiveDate::from_ymd_opt(*year, *month, *day)?, *minute, seconds_east)?;
        self.items.truncate(self.items.len() - 2);
        self.push(Item::Instant(instant), next)
    }

    /// ISO 8601: dates in the calendar, week and ordinal form, with or without a time and an offset.
    pub(super) fn iso(&mut self, at: usize) -> Option<usize> {
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

    pub(super) fn iso_date(&self, at: usize) -> Option<(Day, usize)> {
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
    pub(super) fn iso_time(&self, at: usize, has_t: bool) -> Option<(u32, usize)> {
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

    pub(super) fn after_fraction(&self, at: usize) -> usize {
        let has_fraction =
            (self.joined(at, '.') || self.joined(at, ',')) && self.joined_digits(at + 1, 1..=9).is_some();
        if has_fraction { at + 2 } else { at }
    }

    /// An offset from UTC in seconds. A minus without a `T` before the time is a span of times.
    pub(super) fn offset(&self, at: usize, has_t: bool) -> Option<(i32, usize)> {
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
}
