//! What the phrases of a text mean on the calendar and the clock.

use std::collections::BTreeSet;

use chrono::{
    DateTime, Datelike, Days as DayCount, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc,
    Weekday,
};

use super::{
    calendar::{Calendar, Dates},
    items::{Clock, HALF_DAY, LAST_HOUR, NIGHT, Part, Side, Time},
    phrases::{Exact, Phrase, Phrases},
    reading::{Candidate, Doubt, Hearing, NoTime, TimeReading, Window},
    scan::{Record, local_time},
};
use crate::hours::MinuteSpan;

/// Where nothing is known of a business, a clock word means a time of the day and not of the night.
const DAYTIME: MinuteSpan = MinuteSpan { from: 7 * 60, to: LAST_HOUR * 60 };
/// "Any time" is a time within these days.
const ANY_DAYS: u64 = 14;
/// Nobody names a span that begins much earlier than the business opens.
const MAX_BEFORE_OPENING: u32 = 4 * 60;
/// "Shortly after" is within half an hour.
const SHORTLY: u32 = 30;

pub(super) fn resolve(hearing: &Hearing<'_>, phrases: Phrases) -> TimeReading {
    let resolver = Resolver::of(hearing);
    let mut readings: Vec<TimeReading> = phrases.alternatives.iter().map(|phrase| resolver.phrase(phrase)).collect();
    let reading = match readings.as_slice() {
        [_] => readings.remove(0),
        several => alternatives(several),
    };
    match phrases.doubt {
        Some(doubt) if phrases.is_negated => TimeReading::Question { doubt, readings: Vec::new() },
        Some(doubt) => TimeReading::Question { doubt, readings: candidates(&reading) },
        None => reading,
    }
}

/// A start that another system recorded.
pub(super) fn record(hearing: &Hearing<'_>, record: Record) -> TimeReading {
    match record {
        Record::Instant(at) => TimeReading::Moment { at, is_earlier_of_two: false },
        Record::Local(date, minute) => Resolver::of(hearing).at(date, minute),
    }
}

/// Several windows are one answer; anything else has to be asked.
fn alternatives(readings: &[TimeReading]) -> TimeReading {
    let mut candidates: Vec<Candidate> = readings.iter().flat_map(candidates).collect();
    candidates.sort_unstable();
    candidates.dedup();
    if readings.iter().all(|reading| matches!(reading, TimeReading::Window(_))) {
        let windows: BTreeSet<Window> = readings.iter().flat_map(windows_in).copied().collect();
        return TimeReading::Window(windows.into_iter().collect());
    }
    if let [TimeReading::None(first), rest @ ..] = readings
        && rest.iter().all(|reading| matches!(reading, TimeReading::None(_)))
    {
        return TimeReading::None(*first);
    }
    let open = readings.iter().find_map(|reading| match reading {
        TimeReading::Question { doubt, .. } => Some(*doubt),
        _ => None,
    });
    match candidates.as_slice() {
        // "15 Uhr oder 3 pm": one time, said twice.
        [Candidate::At { at }]
            if open.is_none() && readings.iter().all(|it| matches!(it, TimeReading::Moment { .. })) =>
        {
            TimeReading::Moment { at: *at, is_earlier_of_two: false }
        }
        _ => TimeReading::Question { doubt: open.unwrap_or(Doubt::Alternatives), readings: candidates },
    }
}

fn windows_in(reading: &TimeReading) -> &[Window] {
    match reading {
        TimeReading::Window(windows) => windows,
        _ => &[],
    }
}

fn candidates(reading: &TimeReading) -> Vec<Candidate> {
    match reading {
        TimeReading::Moment { at, .. } => vec![Candidate::At { at: *at }],
        TimeReading::Window(windows) => windows.iter().copied().map(Candidate::Window).collect(),
        TimeReading::Question { readings, .. } => readings.clone(),
        TimeReading::None(_) => Vec::new(),
    }
}

fn question(doubt: Doubt, readings: Vec<Candidate>) -> TimeReading {
    TimeReading::Question { doubt, readings }
}

struct Resolver<'h> {
    hearing: &'h Hearing<'h>,
    today: NaiveDate,
    /// Minutes after midnight, rounded up.
    now: u32,
}

/// The times of a phrase as one: a clock time or a span, with the parts of the day beside it.
struct Timing {
    time: Option<Time>,
    parts: Vec<Part>,
}

impl<'h> Resolver<'h> {
    fn of(hearing: &'h Hearing<'h>) -> Self {
        let local = hearing.said_at.with_timezone(&hearing.zone).naive_local();
        let now = local.hour() * 60 + local.minute() + u32::from(local.second() > 0);
        Self { hearing, today: local.date(), now }
    }

    fn phrase(&self, phrase: &Phrase) -> TimeReading {
        if let [exact, rest @ ..] = phrase.exact.as_slice() {
            if rest.iter().any(|other| other != exact) {
                return question(Doubt::Alternatives, Vec::new());
            }
            return self.exact(*exact, phrase);
        }
        let timing = match Timing::of(&phrase.times) {
            Ok(timing) => timing,
            Err(doubt) => return question(doubt, self.each(phrase)),
        };
        let has_time = timing.time.is_some() || !timing.parts.is_empty() || phrase.takes_any_time;
        if phrase.days.is_empty() {
            return match (has_time, phrase.takes_any_time && phrase.times.is_empty()) {
                (false, _) => TimeReading::None(NoTime::NotATime),
                (true, true) => self.on_all(&self.next_days(), &timing),
                (true, false) => self.only_time(&timing),
            };
        }
        match (Calendar { today: self.today }).dates(&phrase.days) {
            Err(problem) => TimeReading::None(problem),
            Ok(dates) if !has_time => {
                let doubt = match dates {
                    Dates::Ask(doubt, _) => doubt,
                    _ => Doubt::OnlyDay,
                };
                question(doubt, self.open_times(&dates.dates()))
            }
            Ok(dates) => self.on(&dates, &timing),
        }
    }

    /// What each of several times that contradict each other would be.
    fn each(&self, phrase: &Phrase) -> Vec<Candidate> {
        let alone = |time: &Time| self.phrase(&Phrase { times: vec![*time], ..phrase.clone() });
        phrase.times.iter().flat_map(|time| candidates(&alone(time))).collect()
    }

    fn next_days(&self) -> Vec<NaiveDate> {
        (0..ANY_DAYS).filter_map(|days| self.today.checked_add_days(DayCount::new(days))).collect()
    }

    /// The free time of these days, as far as it is known.
    fn open_times(&self, dates: &[NaiveDate]) -> Vec<Candidate> {
        let any = Timing { time: None, parts: Vec::new() };
        dates.iter().flat_map(|date| candidates(&self.on_date(*date, &any))).collect()
    }

    /// A time without a day: today's and tomorrow's are shown.
    fn only_time(&self, timing: &Timing) -> TimeReading {
        let days = self.next_days().into_iter().take(2);
        question(Doubt::OnlyTime, days.flat_map(|date| candidates(&self.on_date(date, timing))).collect())
    }

    fn on(&self, dates: &Dates, timing: &Timing) -> TimeReading {
        match dates {
            Dates::One(date) => self.on_date(*date, timing),
            Dates::TodayOrInAWeek(today) => {
                let in_a_week = today.checked_add_days(DayCount::new(7)).map(|date| self.on_date(date, timing));
                match (self.on_date(*today, timing), in_a_week) {
                    (TimeReading::None(NoTime::Past), Some(in_a_week)) => in_a_week,
                    (today, in_a_week) => {
                        let both = [Some(today), in_a_week].into_iter().flatten();
                        question(Doubt::TodayOrInAWeek, both.flat_map(|reading| candidates(&reading)).collect())
                    }
                }
            }
            Dates::Ask(doubt, dates) => {
                question(*doubt, dates.iter().flat_map(|date| candidates(&self.on_date(*date, timing))).collect())
            }
            Dates::All(dates) => self.on_all(dates, timing),
        }
    }

    /// One time on several days: spans are all meant, a clock time has to be asked.
    fn on_all(&self, dates: &[NaiveDate], timing: &Timing) -> TimeReading {
        let is_clock = matches!(timing.time, Some(Time::Clock(_)));
        let closed_days = |date: &NaiveDate| match self.hearing.hours {
            Some(hours) => hours.on(*date).is_empty(),
            None => matches!(date.weekday(), Weekday::Sat | Weekday::Sun),
        };
        let open: Vec<NaiveDate> = dates.iter().copied().filter(|date| !closed_days(date)).collect();
        let dates = if open.is_empty() { dates } else { &open };
        let all: Vec<TimeReading> = dates.iter().map(|date| self.on_date(*date, timing)).collect();
        let found: Vec<Candidate> = all.iter().flat_map(candidates).collect();
        match all.as_slice() {
            _ if is_clock => question(Doubt::WhichDay, found),
            [TimeReading::None(problem)] => TimeReading::None(*problem),
            all => {
                let windows: Vec<Window> = all.iter().flat_map(windows_in).copied().collect();
                // Of several days, those count that are open then.
                let asked = all.iter().find_map(|reading| match reading {
                    TimeReading::Question { doubt: Doubt::Closed | Doubt::BothClosed, .. } if !windows.is_empty() => {
                        None
                    }
                    TimeReading::Question { doubt, .. } => Some(*doubt),
                    _ => None,
                });
                match (windows.is_empty(), asked) {
                    (false, None) => TimeReading::Window(windows),
                    (_, Some(doubt)) => question(doubt, found),
                    (true, None) => TimeReading::None(NoTime::Past),
                }
            }
        }
    }

    fn on_date(&self, date: NaiveDate, timing: &Timing) -> TimeReading {
        match timing.time {
            Some(Time::Clock(clock)) => self.moment(date, clock, &timing.parts),
            time => match self.span(date, time, &timing.parts) {
                Ok(span) => self.windows(date, span),
                Err(doubt) => question(doubt, Vec::new()),
            },
        }
    }

    // ---- Moments ----

    fn moment(&self, date: NaiveDate, clock: Clock, parts: &[Part]) -> TimeReading {
        match self.minute(date, clock, parts) {
            Ok(minute) => self.at(date, minute),
            Err((Doubt::BothClosed, minutes))
                if minutes.iter().any(|minute| self.at(date, *minute) == TimeReading::None(NoTime::ClockSkips)) =>
            {
                TimeReading::None(NoTime::ClockSkips)
            }
            Err((doubt, minutes)) => {
                let at = |minute: &u32| candidates(&self.at(date, *minute));
                question(doubt, minutes.iter().flat_map(at).collect())
            }
        }
    }

    /// The minute of the day that a clock time means, or the doubt with its meanings.
    fn minute(&self, date: NaiveDate, clock: Clock, parts: &[Part]) -> Result<u32, (Doubt, Vec<u32>)> {
        let clock = match clock {
            Clock::Half { british, .. } if self.hearing.is_english => Clock::Twelve(british),
            other => other,
        };
        let named = clock.candidates();
        let meant: Vec<u32> =
            named.iter().copied().filter(|minute| parts.iter().all(|part| is_called(*part, *minute))).collect();
        let is_open = |minute: &u32| self.is_open(date, *minute);
        match meant.as_slice() {
            [] => Err((Doubt::Contradiction, named)),
            _ if clock.is_always_asked() => {
                let open: Vec<u32> = meant.iter().copied().filter(is_open).collect();
                Err((Doubt::SaidDifferently, if open.is_empty() { meant } else { open }))
            }
            // Written as a time of the night, where only the afternoon is open: most likely a clock word.
            [minute] if self.hearing.hours.is_some() && *minute < HALF_DAY => {
                let later = minute + HALF_DAY;
                if !is_open(minute) && is_open(&later) {
                    Err((Doubt::BothClosed, vec![*minute, later]))
                } else {
                    Ok(*minute)
                }
            }
            [minute] => Ok(*minute),
            several => {
                let open: Vec<u32> = several.iter().copied().filter(is_open).collect();
                match open.as_slice() {
                    [minute] => Ok(*minute),
                    [] => Err((Doubt::BothClosed, meant)),
                    both => {
                        let to_come: Vec<u32> =
                            both.iter().copied().filter(|minute| date > self.today || *minute >= self.now).collect();
                        match to_come.as_slice() {
                            [minute] => Ok(*minute),
                            [] => both.last().copied().ok_or((Doubt::BothOpen, Vec::new())),
                            _ => Err((Doubt::BothOpen, to_come)),
                        }
                    }
                }
            }
        }
    }

    fn is_open(&self, date: NaiveDate, minute: u32) -> bool {
        match self.hearing.hours {
            Some(hours) => hours.is_open(date, minute),
            None => DAYTIME.contains(minute),
        }
    }

    fn at(&self, date: NaiveDate, minute: u32) -> TimeReading {
        let Some(local) = local_time(date, minute) else { return TimeReading::None(NoTime::TooFar) };
        let (at, is_earlier_of_two) = match self.hearing.zone.from_local_datetime(&local) {
            LocalResult::Single(at) => (at.to_utc(), false),
            LocalResult::Ambiguous(earlier, _) => (earlier.to_utc(), true),
            LocalResult::None => return TimeReading::None(NoTime::ClockSkips),
        };
        if at < self.hearing.said_at {
            return TimeReading::None(NoTime::Past);
        }
        TimeReading::Moment { at, is_earlier_of_two }
    }

    /// An instant, or a time that passes from the call on.
    fn exact(&self, exact: Exact, phrase: &Phrase) -> TimeReading {
        let (said_at, zone) = (self.hearing.said_at, self.hearing.zone);
        let at = match exact {
            Exact::Instant(at) => at,
            Exact::Elapsed(delta) => match said_at.checked_add_signed(delta) {
                Some(at) => {
                    at - TimeDelta::seconds(i64::from(at.second())) - TimeDelta::nanoseconds(i64::from(at.nanosecond()))
                }
                None => return TimeReading::None(NoTime::TooFar),
            },
        };
        let local = at.with_timezone(&zone).naive_local();
        let (date, minute) = (local.date(), local.hour() * 60 + local.minute());
        let calendar = Calendar { today: self.today };
        // The same bounds as for a date that was named.
        let named = super::phrases::Days::One(super::items::Day::Date {
            year: Some(date.year()),
            month: date.month(),
            day: date.day(),
        });
        if let Err(problem) = calendar.dates(&[named]) {
            return TimeReading::None(problem);
        }
        let agrees = (phrase.days.is_empty()
            || calendar.dates(&phrase.days).is_ok_and(|dates| dates.dates().contains(&date)))
            && phrase.times.iter().all(|time| match time {
                Time::Clock(clock) => clock.candidates().contains(&minute),
                Time::Part(part) => is_called(*part, minute),
                _ => false,
            });
        let as_candidate = vec![Candidate::At { at }];
        if !agrees {
            return question(Doubt::Contradiction, as_candidate);
        }
        if at < said_at && matches!(exact, Exact::Instant(_)) {
            return TimeReading::None(NoTime::Past);
        }
        // An instant in closed hours is the fingerprint of a wrong zone.
        if matches!(exact, Exact::Instant(_)) && !self.is_open(date, minute) {
            return question(Doubt::OtherZone, as_candidate);
        }
        TimeReading::Moment { at, is_earlier_of_two: false }
    }

    // ---- Windows ----

    /// The minutes of a day that a span means.
    fn span(&self, date: NaiveDate, time: Option<Time>, parts: &[Part]) -> Result<MinuteSpan, Doubt> {
        let open = self.hours_of(date);
        let (first, last) = match (open.first(), open.last()) {
            (Some(first), Some(last)) => (first.from, last.to),
            _ => (DAYTIME.from, DAYTIME.to),
        };
        let limits = parts.iter().fold(None, |limits: Option<MinuteSpan>, part| match limits {
            Some(limits) => Some(limits.intersection(part.window).unwrap_or(MinuteSpan { from: 0, to: 0 })),
            None => Some(part.window),
        });
        let span = match time {
            None | Some(Time::Clock(_) | Time::Part(_)) => limits.unwrap_or(MinuteSpan { from: first, to: last }),
            Some(Time::From(clock)) => {
                let from = self.bound(date, clock, parts, true)?;
                let to = limits.map_or(last, |limits| limits.to);
                MinuteSpan { from, to: if to > from { to } else { from.max(DAYTIME.to) } }
            }
            Some(Time::Until(clock)) => {
                let to = self.bound(date, clock, parts, false)?;
                let from = limits.map_or(first, |limits| limits.from);
                MinuteSpan { from: if from < to { from } else { DAYTIME.from.min(to) }, to }
            }
            Some(Time::Inside(from, to)) => {
                MinuteSpan { from: self.bound(date, from, parts, true)?, to: self.bound(date, to, parts, false)? }
            }
            Some(Time::Between(from, to)) => self.between(date, from, to, parts)?,
            Some(Time::Shortly(clock, side)) => {
                let minute = self.minute(date, clock, parts).map_err(|(doubt, _)| doubt)?;
                match side {
                    Side::After => MinuteSpan { from: minute, to: minute + SHORTLY },
                    Side::Before => MinuteSpan { from: minute.saturating_sub(SHORTLY), to: minute },
                }
            }
        };
        if span.from < span.to { Ok(span) } else { Err(Doubt::Contradiction) }
    }

    fn hours_of(&self, date: NaiveDate) -> &[MinuteSpan] {
        self.hearing.hours.map_or(&[], |hours| hours.on(date))
    }

    /// The end of a span that has one. A time in open hours comes before one outside them; only a span that begins
    /// before the business opens can be meant otherwise.
    fn bound(&self, date: NaiveDate, clock: Clock, parts: &[Part], is_lower: bool) -> Result<u32, Doubt> {
        match self.minute(date, clock, parts) {
            Ok(minute) => Ok(minute),
            Err((Doubt::BothClosed, minutes)) => {
                let open = self.hours_of(date);
                let last = open.last().map_or(DAYTIME.to, |span| span.to);
                let first = open.first().map_or(DAYTIME.from, |span| span.from);
                // "Bis 18 Uhr" where that is the end of the day.
                let closes = minutes.iter().copied().find(|minute| !is_lower && *minute == last);
                let before: Vec<u32> = minutes
                    .iter()
                    .copied()
                    .filter(|minute| is_lower && *minute < last && minute + MAX_BEFORE_OPENING > first)
                    .collect();
                match (closes, before.as_slice()) {
                    (Some(minute), _) => Ok(minute),
                    (None, [minute]) => Ok(*minute),
                    _ => Err(Doubt::BothClosed),
                }
            }
            Err((doubt, _)) => Err(doubt),
        }
    }

    /// The only pair of times that shares something with the open hours.
    fn between(&self, date: NaiveDate, from: Clock, to: Clock, parts: &[Part]) -> Result<MinuteSpan, Doubt> {
        let open = self.hours_of(date);
        let open = if open.is_empty() { &[DAYTIME] } else { open };
        if from.is_always_asked() || to.is_always_asked() {
            return Err(Doubt::SaidDifferently);
        }
        let fits = |minute: &u32| parts.iter().all(|part| is_called(*part, *minute));
        let pairs = from.candidates().into_iter().filter(|from| fits(from)).flat_map(|from| {
            to.candidates()
                .into_iter()
                .filter(move |to| from < *to && to - from < HALF_DAY)
                .map(move |to| MinuteSpan { from, to })
        });
        let all: Vec<MinuteSpan> = pairs.collect();
        let first = open.first().map_or(0, |span| span.from);
        let is_open = |span: &MinuteSpan| {
            span.from + MAX_BEFORE_OPENING >= first && open.iter().any(|open| open.intersection(*span).is_some())
        };
        let fitting: Vec<MinuteSpan> = all.iter().copied().filter(is_open).collect();
        match (fitting.as_slice(), all.as_slice()) {
            ([span], _) | ([], [span]) => Ok(*span),
            ([], []) => Err(Doubt::Contradiction),
            ([], _) => Err(Doubt::BothClosed),
            _ => Err(Doubt::BothOpen),
        }
    }

    /// A span of a day, clipped to the hours where it shares something with them, and to what is still to come.
    fn windows(&self, date: NaiveDate, span: MinuteSpan) -> TimeReading {
        let open = self.hours_of(date);
        let clipped: Vec<MinuteSpan> = open.iter().filter_map(|open| open.intersection(span)).collect();
        let is_closed = clipped.is_empty() && !open.is_empty();
        let spans = if clipped.is_empty() { vec![span] } else { clipped };
        let to_come = |span: &MinuteSpan| {
            let from = if date == self.today { span.from.max(self.now) } else { span.from };
            (date >= self.today && from < span.to).then_some(MinuteSpan { from, to: span.to })
        };
        let windows: Vec<Window> =
            spans.iter().filter_map(to_come).filter_map(|span| self.window(date, span)).collect();
        match windows.is_empty() {
            true => TimeReading::None(NoTime::Past),
            false if is_closed => question(Doubt::Closed, self.open_times(&[date])),
            false => TimeReading::Window(windows),
        }
    }

    fn window(&self, date: NaiveDate, span: MinuteSpan) -> Option<Window> {
        let at = |minute| self.first_instant(local_time(date, minute)?);
        Some(Window { from: at(span.from)?, to: at(span.to)? })
    }

    /// The instant of a local time; where the clock skips it, an hour later.
    fn first_instant(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let earliest =
            |local: &NaiveDateTime| self.hearing.zone.from_local_datetime(local).earliest().map(|at| at.to_utc());
        earliest(&local).or_else(|| earliest(&local.checked_add_signed(TimeDelta::hours(1))?))
    }
}

/// Whether a clock time is called so: `acht Uhr abends`.
fn is_called(part: Part, minute: u32) -> bool {
    const DAWN: u32 = 6 * 60;
    part.clocks.contains(minute) || part == NIGHT && minute < DAWN
}

impl Timing {
    /// The times of a phrase together, or the doubt in them.
    fn of(times: &[Time]) -> Result<Self, Doubt> {
        let mut parts: Vec<Part> = Vec::new();
        let mut time: Option<Time> = None;
        for named in times {
            match (time, *named) {
                (_, Time::Part(part)) => {
                    if !parts.contains(&part) {
                        parts.push(part);
                    }
                }
                (None, named) => time = Some(named),
                (Some(before), named) if before == named => {}
                (Some(Time::From(from)), Time::Until(to)) | (Some(Time::Until(to)), Time::From(from)) => {
                    time = Some(Time::Inside(from, to));
                }
                (Some(Time::Clock(one)), Time::Clock(other)) => {
                    // "15 Uhr, also drei Uhr"
                    let shared: Vec<u32> =
                        one.candidates().into_iter().filter(|minute| other.candidates().contains(minute)).collect();
                    match shared.as_slice() {
                        [minute] => time = Some(Time::Clock(Clock::Exact(*minute))),
                        _ => return Err(Doubt::Alternatives),
                    }
                }
                _ => return Err(Doubt::Alternatives),
            }
        }
        Ok(Self { time, parts })
    }
}
