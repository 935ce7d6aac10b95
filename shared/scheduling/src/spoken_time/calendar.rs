//! Which days are meant.

use chrono::{Datelike, Days as DayCount, Months, NaiveDate, Weekday};

use super::{
    items::{Day, Which},
    phrases::Days,
    reading::{Doubt, NoTime},
};

/// Days that may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dates {
    One(NaiveDate),
    /// The weekday is today's: today, or in a week if it is over.
    TodayOrInAWeek(NaiveDate),
    /// All of them.
    All(Vec<NaiveDate>),
    /// One of them, and it has to be asked which.
    Ask(Doubt, Vec<NaiveDate>),
}

/// Nobody books that far ahead.
const MAX_DAYS_AHEAD: u64 = 730;
/// A date without a year that passed within these days is more likely a mistake than next year's.
const LATELY: u64 = 30;
const MAX_RANGE: usize = 14;

/// A calendar that knows which day it is.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    pub today: NaiveDate,
}

impl Calendar {
    /// The days that all of these name together.
    pub fn dates(self, named: &[Days]) -> Result<Dates, NoTime> {
        let weekdays: Vec<(Weekday, Which)> = named
            .iter()
            .filter_map(|days| match days {
                Days::One(Day::Weekday(weekday, which)) => Some((*weekday, *which)),
                _ => None,
            })
            .collect();
        let others: Vec<Days> =
            named.iter().copied().filter(|days| !matches!(days, Days::One(Day::Weekday(..)))).collect();
        match (others.as_slice(), weekdays.as_slice()) {
            ([], [(weekday, which)]) => Ok(self.weekday(*weekday, *which)),
            ([], [(first, which), rest @ ..]) if rest.iter().all(|(weekday, _)| weekday == first) => {
                let which = rest.iter().map(|(_, which)| *which).find(|which| *which != Which::Plain).unwrap_or(*which);
                Ok(self.weekday(*first, which))
            }
            ([], weekdays) => {
                let dates = weekdays.iter().flat_map(|(weekday, which)| self.weekday(*weekday, *which).dates());
                Ok(Dates::Ask(Doubt::WhichDay, dates.collect()))
            }
            ([Days::One(Day::InWeeks(weeks))], [(weekday, _), ..]) => Ok(self.weekday_in_weeks(*weekday, *weeks)),
            (others, weekdays) => {
                let mut found = self.combined(others)?;
                for (weekday, _) in weekdays {
                    found = self.on_weekday(found, *weekday);
                }
                Ok(found)
            }
        }
    }

    /// Days by other names than their weekday, which have to agree.
    fn combined(self, named: &[Days]) -> Result<Dates, NoTime> {
        // "heute in zwei Wochen", "morgen in einer Woche"
        if let [Days::One(Day::Offset(days)), Days::One(Day::InWeeks(weeks))]
        | [Days::One(Day::InWeeks(weeks)), Days::One(Day::Offset(days))] = named
        {
            return self.bounded(self.after(days + 7 * weeks));
        }
        // "nächstes Jahr am 3. Februar"
        if let [Days::One(Day::InYears(years)), Days::One(Day::Date { year: None, month, day })]
        | [Days::One(Day::Date { year: None, month, day }), Days::One(Day::InYears(years))] = named
        {
            let year = self.today.year() + years;
            return self.day(Day::Date { year: Some(year), month: *month, day: *day });
        }
        let (found, problems): (Vec<_>, Vec<_>) = named.iter().map(|days| self.of(*days)).partition(Result::is_ok);
        let found: Vec<Dates> = found.into_iter().flatten().collect();
        match problems.into_iter().find_map(Result::err) {
            Some(problem) if found.is_empty() => return Err(problem),
            // "Vor zwei Wochen war ich da, jetzt bitte morgen"
            Some(_) => return Ok(Dates::Ask(Doubt::Contradiction, found.iter().flat_map(Dates::dates).collect())),
            None => {}
        }
        let mut all = found.into_iter();
        let Some(first) = all.next() else { return Ok(Dates::Ask(Doubt::NotUnderstood, Vec::new())) };
        Ok(all.fold(first, |one, other| {
            let (ones, others) = (one.dates(), other.dates());
            let shared: Vec<NaiveDate> = ones.iter().copied().filter(|date| others.contains(date)).collect();
            match (shared.as_slice(), &one, &other) {
                ([date], _, _) => Dates::One(*date),
                ([], _, _) => Dates::Ask(Doubt::Contradiction, [ones, others].concat()),
                (_, Dates::Ask(doubt, _), _) | (_, _, Dates::Ask(doubt, _)) => Dates::Ask(*doubt, shared),
                _ => Dates::All(shared),
            }
        }))
    }

    /// Days that are named with their weekday, too.
    fn on_weekday(self, dates: Dates, weekday: Weekday) -> Dates {
        if let Dates::Ask(Doubt::Contradiction, _) = dates {
            return dates;
        }
        let all = dates.dates();
        let fitting: Vec<NaiveDate> = all.iter().copied().filter(|date| date.weekday() == weekday).collect();
        match fitting.as_slice() {
            [date] => Dates::One(*date),
            [] => Dates::Ask(Doubt::Contradiction, [all, self.weekday(weekday, Which::Plain).dates()].concat()),
            _ => Dates::Ask(Doubt::WhichDay, fitting),
        }
    }

    fn of(self, days: Days) -> Result<Dates, NoTime> {
        match days {
            Days::One(day) => self.day(day),
            Days::Range(from, to) => self.range(from, to),
        }
    }

    fn day(self, day: Day) -> Result<Dates, NoTime> {
        match day {
            Day::Past => Err(NoTime::Past),
            Day::Offset(days) => self.bounded(self.after(days)),
            Day::InWeeks(weeks) => self.bounded(self.after(7 * weeks)),
            Day::InYears(_) => Ok(Dates::Ask(Doubt::Vague, Vec::new())),
            Day::InMonths(months) => self.bounded(self.today.checked_add_months(Months::new(months))),
            Day::Weekday(weekday, which) => Ok(self.weekday(weekday, which)),
            Day::WeekdayPlus(weekday, weeks) => {
                let coming = self.coming(weekday);
                let plus = |weeks: i64| self.shifted(coming, 7 * weeks);
                match self.today.weekday() == weekday {
                    true => {
                        Ok(Dates::Ask(Doubt::WhichWeek, [plus(weeks - 1), plus(weeks)].into_iter().flatten().collect()))
                    }
                    false => self.bounded(plus(weeks)),
                }
            }
            Day::Week(weeks) => {
                self.week(self.after(7 * weeks - i64::from(self.today.weekday().num_days_from_monday())))
            }
            Day::NumberedWeek(week) => {
                let monday = |year| NaiveDate::from_isoywd_opt(year, week, Weekday::Mon);
                let year = self.today.iso_week().year();
                let this =
                    monday(year).filter(|monday| self.shifted(*monday, 6).is_some_and(|sunday| sunday >= self.today));
                self.week(this.or_else(|| monday(year + 1)))
            }
            Day::Weekend(which) => Ok(self.weekend(which)),
            Day::Date { year: Some(year), month, day } => self.dated(year, NaiveDate::from_ymd_opt(year, month, day)),
            Day::Date { year: None, month, day } => self.without_year(month, day),
            Day::EitherOrder { first, second, year } => Ok(self.either_order(first, second, year)),
            Day::OfMonth(day) => self.day_of_month(day),
            Day::IsoWeek { year, week, weekday } => {
                let weekday = u8::try_from(weekday)
                    .ok()
                    .and_then(|day| day.checked_sub(1))
                    .and_then(|day| Weekday::try_from(day).ok());
                self.dated(year, weekday.and_then(|weekday| NaiveDate::from_isoywd_opt(year, week, weekday)))
            }
            Day::OfYear { year, day } => self.dated(year, NaiveDate::from_yo_opt(year, day)),
        }
    }

    /// The days from one to another.
    fn range(self, from: Day, to: Day) -> Result<Dates, NoTime> {
        let Dates::One(first) = self.day(from)? else { return Ok(Dates::Ask(Doubt::Vague, Vec::new())) };
        let last = match to {
            Day::Weekday(weekday, _) => Calendar { today: first }.coming(weekday),
            to => match self.day(to)? {
                Dates::One(last) => last,
                _ => return Ok(Dates::Ask(Doubt::Vague, Vec::new())),
            },
        };
        let days: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= last).take(MAX_RANGE + 1).collect();
        if days.is_empty() || days.len() > MAX_RANGE {
            Ok(Dates::Ask(Doubt::Vague, Vec::new()))
        } else {
            Ok(Dates::All(days))
        }
    }

    /// A date that is still to come, and not too far away.
    fn bounded(self, date: Option<NaiveDate>) -> Result<Dates, NoTime> {
        let date = date.ok_or(NoTime::TooFar)?;
        if date < self.today {
            return Err(NoTime::Past);
        }
        let limit = self.today.checked_add_days(DayCount::new(MAX_DAYS_AHEAD)).unwrap_or(NaiveDate::MAX);
        if date > limit { Err(NoTime::TooFar) } else { Ok(Dates::One(date)) }
    }

    fn dated(self, year: i32, date: Option<NaiveDate>) -> Result<Dates, NoTime> {
        match self.bounded(Some(date.ok_or(NoTime::NoSuchDay)?)) {
            Err(NoTime::Past) if year < self.today.year() => Err(NoTime::WrongYear),
            other => other,
        }
    }

    /// A day without a year is the next one.
    fn without_year(self, month: u32, day: u32) -> Result<Dates, NoTime> {
        let year = self.today.year();
        let of = |year| NaiveDate::from_ymd_opt(year, month, day);
        match of(year) {
            Some(this) if this >= self.today => Ok(Dates::One(this)),
            // "29. Februar", said in the January of another year.
            None if (month, day) > (self.today.month(), self.today.day()) => Err(NoTime::NoSuchDay),
            this => {
                let next = of(year + 1).ok_or(NoTime::NoSuchDay)?;
                let lately = self.today.checked_sub_days(DayCount::new(LATELY));
                let is_lately = this.zip(lately).is_some_and(|(this, lately)| this >= lately);
                Ok(if is_lately { Dates::Ask(Doubt::JustPassed, vec![next]) } else { Dates::One(next) })
            }
        }
    }

    fn either_order(self, first: u32, second: u32, year: Option<i32>) -> Dates {
        let as_date = |month, day| match self.day(Day::Date { year, month, day }) {
            Ok(dates) => dates.dates(),
            Err(_) => Vec::new(),
        };
        Dates::Ask(Doubt::DayOrMonth, [as_date(second, first), as_date(first, second)].concat())
    }

    fn day_of_month(self, day: u32) -> Result<Dates, NoTime> {
        let months = (0..3).filter_map(|months| self.today.with_day(1)?.checked_add_months(Months::new(months)));
        let found = months.filter_map(|month| month.with_day(day)).find(|date| *date >= self.today);
        found.map(Dates::One).ok_or(NoTime::NoSuchDay)
    }

    fn weekday(self, weekday: Weekday, which: Which) -> Dates {
        let (coming, today) = (self.coming(weekday), self.today);
        let later = |weeks: i64| self.shifted(coming, 7 * weeks).unwrap_or(coming);
        let is_today = today.weekday() == weekday;
        let is_this_week = !is_today && weekday.num_days_from_monday() > today.weekday().num_days_from_monday();
        match which {
            Which::Plain | Which::This | Which::Coming if is_today => Dates::TodayOrInAWeek(today),
            Which::Plain | Which::This | Which::Coming => Dates::One(coming),
            Which::Next if is_this_week => Dates::Ask(Doubt::WhichWeek, vec![coming, later(1)]),
            Which::Next => Dates::One(coming),
            Which::AfterNext if is_this_week => Dates::Ask(Doubt::WhichWeek, vec![later(1), later(2)]),
            Which::AfterNext => Dates::One(later(1)),
        }
    }

    /// "In zwei Wochen am Dienstag": two weeks after the coming Tuesday, or the Tuesday of that week.
    fn weekday_in_weeks(self, weekday: Weekday, weeks: i64) -> Dates {
        let after_coming = self.shifted(self.coming(weekday), 7 * weeks);
        let monday = self.after(7 * weeks - i64::from(self.today.weekday().num_days_from_monday()));
        let of_week = monday.and_then(|monday| self.shifted(monday, i64::from(weekday.num_days_from_monday())));
        match (after_coming, of_week) {
            (Some(one), Some(other)) if one == other => Dates::One(one),
            (one, other) => Dates::Ask(Doubt::WhichWeek, one.into_iter().chain(other).collect()),
        }
    }

    fn weekend(self, which: Which) -> Dates {
        let is_weekend = matches!(self.today.weekday(), Weekday::Sat | Weekday::Sun);
        let saturday = match self.today.weekday() {
            Weekday::Sat => self.today,
            Weekday::Sun => self.shifted(self.today, -1).unwrap_or(self.today),
            _ => self.coming(Weekday::Sat),
        };
        let of = |weeks: i64| {
            let days = [0, 1].into_iter().filter_map(move |day| self.shifted(saturday, 7 * weeks + day));
            days.filter(|day| *day >= self.today).collect::<Vec<_>>()
        };
        match which {
            Which::Plain | Which::This | Which::Coming if !is_weekend => Dates::All(of(0)),
            Which::Plain | Which::This => Dates::All(of(0)),
            Which::Next if is_weekend => Dates::All(of(1)),
            Which::Coming => Dates::Ask(Doubt::WhichWeek, [of(0), of(1)].concat()),
            Which::Next => Dates::Ask(Doubt::WhichWeek, [of(0), of(1)].concat()),
            Which::AfterNext => Dates::Ask(Doubt::WhichWeek, [of(1), of(2)].concat()),
        }
    }

    /// The days of a week that are still to come.
    fn week(self, monday: Option<NaiveDate>) -> Result<Dates, NoTime> {
        let monday = monday.ok_or(NoTime::NoSuchDay)?;
        let days: Vec<NaiveDate> = monday.iter_days().take(7).filter(|day| *day >= self.today).collect();
        if days.is_empty() { Err(NoTime::Past) } else { Ok(Dates::All(days)) }
    }

    /// The next day of this name after today.
    fn coming(self, weekday: Weekday) -> NaiveDate {
        let days = self.today.iter_days().skip(1).find(|day| day.weekday() == weekday);
        days.unwrap_or(self.today)
    }

    fn after(self, days: i64) -> Option<NaiveDate> {
        self.shifted(self.today, days)
    }

    fn shifted(self, date: NaiveDate, days: i64) -> Option<NaiveDate> {
        date.checked_add_signed(chrono::TimeDelta::try_days(days)?)
    }
}

impl Dates {
    /// All of them.
    pub fn dates(&self) -> Vec<NaiveDate> {
        match self {
            Self::One(date) | Self::TodayOrInAWeek(date) => vec![*date],
            Self::All(dates) | Self::Ask(_, dates) => dates.clone(),
        }
    }
}
