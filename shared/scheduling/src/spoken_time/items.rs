//! What a text says of a time, piece by piece.

use chrono::{DateTime, TimeDelta, Utc, Weekday};

use super::reading::Doubt;
use crate::hours::MinuteSpan;

/// A piece of a text that has to do with time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// An exact instant: a time with an offset.
    Instant(DateTime<Utc>),
    /// A time that passes from the call on: `in zwei Stunden`.
    Elapsed(TimeDelta),
    Day(Day),
    Time(Time),
    /// `10.12`: a date or a time of day.
    DayOrTime(Day, Clock),
    Link(Link),
    /// The caller takes any time.
    Any,
    /// Something of time that can't be read.
    Doubt(Doubt),
}

/// Words that say how others belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// `zwischen`.
    Between,
    /// `von`: a span may follow.
    Starting,
    /// `bis`, `-`.
    To,
    And,
    Or,
    /// `ab`, `after`.
    Lower,
    /// `vor`, `until`.
    Upper,
    /// `oder später`, behind a time.
    OrLater,
    /// `oder früher`, behind a time.
    OrEarlier,
    Not,
    /// What follows replaces what was said before.
    Correction,
    /// `statt`: what follows is replaced.
    InsteadOf,
}

/// A day, or what is said of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    /// Days from today.
    Offset(i64),
    Weekday(Weekday, Which),
    /// A weekday some weeks after the coming one: `a week on Tuesday`.
    WeekdayPlus(Weekday, i64),
    /// Calendar weeks from this one.
    Week(i64),
    /// A calendar week by its number.
    NumberedWeek(u32),
    /// Weeks from today: a day, or a week, as what stands beside it says.
    InWeeks(i64),
    /// Months from today.
    InMonths(u32),
    Weekend(Which),
    Date {
        year: Option<i32>,
        month: u32,
        day: u32,
    },
    /// `03/04`: two numbers of which either may be the month.
    EitherOrder {
        first: u32,
        second: u32,
        year: Option<i32>,
    },
    /// `am 24.`
    OfMonth(u32),
    /// Years from this one: it tells the year of a date.
    InYears(i32),
    /// A date by ISO week.
    IsoWeek {
        year: i32,
        week: u32,
        weekday: u32,
    },
    /// A date by its number in the year.
    OfYear {
        year: i32,
        day: u32,
    },
    Past,
}

/// Which of the days of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Plain,
    /// `diesen`.
    This,
    /// `kommenden`.
    Coming,
    /// `nächsten`.
    Next,
    /// `übernächsten`.
    AfterNext,
}

/// A time of day, or a span of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    Clock(Clock),
    Part(Part),
    From(Clock),
    Until(Clock),
    /// `zwischen 2 und 4`: the two belong together.
    Between(Clock, Clock),
    /// `nach 2 und vor 4`: each stands for itself.
    Inside(Clock, Clock),
    /// The half hour before or after: `kurz nach drei`.
    Shortly(Clock, Side),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// A time on the clock, in minutes after midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// It can be only this one.
    Exact(u32),
    /// This one, or twelve hours later: the minute is in the first half of the day.
    Twelve(u32),
    /// `half two`: half an hour later to a Briton, half an hour earlier to a German. Minutes as above.
    Half { british: u32, german: u32 },
    /// Either of two that nothing can decide: `Viertel neun`. Minutes as above.
    Either(u32, u32),
}

/// Half a day in minutes.
pub(super) const HALF_DAY: u32 = 12 * 60;

impl Clock {
    /// Every minute of the day that it may mean.
    pub fn candidates(self) -> Vec<u32> {
        match self {
            Self::Exact(minute) => vec![minute],
            Self::Twelve(minute) => vec![minute, minute + HALF_DAY],
            Self::Half { british: one, german: other } | Self::Either(one, other) => {
                vec![one, other, one + HALF_DAY, other + HALF_DAY]
            }
        }
    }

    /// The time so many minutes before or after. `None` if it may be either of two, or is on the day before.
    pub fn shifted(self, minutes: u32, side: Side) -> Option<Self> {
        Some(match (self, side) {
            (Self::Exact(base), Side::After) => Self::Exact(base + minutes),
            (Self::Exact(base), Side::Before) => Self::Exact(base.checked_sub(minutes)?),
            (Self::Twelve(base), Side::After) => Self::Twelve((base + minutes) % HALF_DAY),
            (Self::Twelve(base), Side::Before) => Self::Twelve((base + HALF_DAY - minutes % HALF_DAY) % HALF_DAY),
            (Self::Half { .. } | Self::Either(..), _) => return None,
        })
    }

    /// Whether an open hour does not settle what was meant.
    pub fn is_always_asked(self) -> bool {
        matches!(self, Self::Half { .. } | Self::Either(..))
    }
}

/// A part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The starts that it means by itself.
    pub window: MinuteSpan,
    /// The clock times that are called so: `acht Uhr abends`.
    pub clocks: MinuteSpan,
}

const fn part(window: (u32, u32), clocks: (u32, u32)) -> Part {
    Part {
        window: MinuteSpan { from: window.0 * 60, to: window.1 * 60 },
        clocks: MinuteSpan { from: clocks.0 * 60, to: clocks.1 * 60 },
    }
}

/// Nobody means a later time by "evening".
pub(super) const LAST_HOUR: u32 = 21;
pub(super) const MORNING: Part = part((9, 12), (0, 12));
pub(super) const NOON: Part = part((12, 14), (11, 15));
pub(super) const AFTERNOON: Part = part((13, 18), (12, 19));
pub(super) const EVENING: Part = part((18, LAST_HOUR), (16, 24));
/// Nobody is booked at night by the word alone.
pub(super) const NIGHT: Part = part((0, 0), (20, 24));
pub(super) const AFTER_WORK: Part = part((17, LAST_HOUR), (16, 24));
pub(super) const BEFORE_WORK: Part = part((6, 9), (5, 10));
pub(super) const AFTER_LUNCH: Part = part((13, 18), (12, 18));

impl Part {
    /// The first two hours of it, or the last two.
    pub fn narrowed(self, side: Side) -> Self {
        const NARROW: u32 = 120;
        let MinuteSpan { from, to } = self.window;
        let window = match side {
            // An early morning is earlier than a morning.
            Side::Before if self == MORNING => MinuteSpan { from: 6 * 60, to: 10 * 60 },
            Side::Before => MinuteSpan { from, to: to.min(from + NARROW) },
            Side::After => MinuteSpan { from: from.max(to.saturating_sub(NARROW)), to },
        };
        Self { window, ..self }
    }
}
