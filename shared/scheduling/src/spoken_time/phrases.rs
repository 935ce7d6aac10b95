//! Puts the pieces of a text together: what replaces what, and which alternatives there are.

use chrono::Weekday;

use super::{
    items::{Clock, Day, Item, Link, Time, Which},
    reading::Doubt,
};

/// What a text says of a time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Phrases {
    /// At least one.
    pub alternatives: Vec<Phrase>,
    /// What of it can't be read.
    pub doubt: Option<Doubt>,
    /// Whether something was ruled out, and may be among what was named.
    pub is_negated: bool,
}

/// One of the times that a text names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Phrase {
    pub days: Vec<Days>,
    pub times: Vec<Time>,
    pub takes_any_time: bool,
    pub exact: Vec<Exact>,
}

/// A day, or the days from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    One(Day),
    Range(Day, Day),
}

/// A time that needs no calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exact {
    Instant(chrono::DateTime<chrono::Utc>),
    Elapsed(chrono::TimeDelta),
}

impl Phrase {
    fn has_day(&self) -> bool {
        !self.days.is_empty() || !self.exact.is_empty()
    }

    fn has_time(&self) -> bool {
        !self.times.is_empty() || self.takes_any_time || !self.exact.is_empty()
    }

    fn is_empty(&self) -> bool {
        !self.has_day() && !self.has_time()
    }
}

/// Puts the pieces together.
pub(super) fn phrases(items: Vec<Item>) -> Phrases {
    let mut builder = Builder::default();
    builder.read(&settle_either(items));
    builder.finish()
}

/// `10.12` is a date where the text has another time, and a time where it has another date.
fn settle_either(items: Vec<Item>) -> Vec<Item> {
    let has_time = items.iter().any(|item| matches!(item, Item::Time(_)));
    let has_day = items.iter().any(|item| matches!(item, Item::Day(_)));
    let settle = |item| match item {
        Item::DayOrTime(day, _) if has_time && !has_day => Item::Day(day),
        Item::DayOrTime(_, clock) if has_day && !has_time => Item::Time(Time::Clock(clock)),
        Item::DayOrTime(..) => Item::Doubt(Doubt::DayOrTime),
        other => other,
    };
    items.into_iter().map(settle).collect()
}

#[derive(Default)]
struct Builder {
    /// The alternatives before the last correction.
    replaced: Vec<Phrase>,
    alternatives: Vec<Phrase>,
    current: Phrase,
    doubt: Option<Doubt>,
    is_negated: bool,
    is_corrected: bool,
}

impl Builder {
    fn read(&mut self, items: &[Item]) {
        let mut rest = items;
        while let Some(length) = self.step(rest) {
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    /// Reads what comes first, and returns how many pieces that were.
    fn step(&mut self, items: &[Item]) -> Option<usize> {
        use Link::{And, Between, Correction, InsteadOf, Lower, Not, Or, OrEarlier, OrLater, Starting, To, Upper};
        Some(match items {
            [] => return None,
            [
                Item::Link(Between | Starting),
                Item::Time(Time::Clock(from)),
                Item::Link(And | To),
                Item::Time(Time::Clock(to)),
                ..,
            ] => self.time(Time::Between(*from, *to), 4),
            [Item::Time(Time::Clock(from)), Item::Link(To), Item::Time(Time::Clock(to)), ..] => {
                self.time(Time::Between(*from, *to), 3)
            }
            [
                Item::Link(Between | Starting),
                Item::Time(Time::Clock(from)),
                Item::Link(And | To),
                Item::Time(Time::Part(to)),
                ..,
            ] => self.time(Time::Between(*from, Clock::Exact(to.window.from)), 4),
            [Item::Link(Between | Starting), Item::Day(from), Item::Link(And | To), Item::Day(to), ..] => {
                self.days(Days::Range(*from, *to), 4)
            }
            [Item::Day(from), Item::Link(To), Item::Day(to), ..] => self.days(Days::Range(*from, *to), 3),
            [Item::Link(Lower | Starting), Item::Time(Time::Clock(clock)), ..]
            | [Item::Time(Time::Clock(clock)), Item::Link(OrLater), ..] => self.time(Time::From(*clock), 2),
            [Item::Link(Upper | To), Item::Time(Time::Clock(clock)), ..]
            | [Item::Time(Time::Clock(clock)), Item::Link(OrEarlier), ..] => self.time(Time::Until(*clock), 2),
            [Item::Link(Lower), Item::Time(Time::Part(part)), ..] => {
                self.time(Time::From(Clock::Exact(part.window.from)), 2)
            }
            [Item::Link(Upper | To), Item::Time(Time::Part(part)), ..] => {
                self.time(Time::Until(Clock::Exact(part.window.from)), 2)
            }
            [Item::Link(Lower | Upper | To), Item::Elapsed(_), ..] | [Item::Link(Starting), Item::Day(_), ..] => {
                self.doubt(Doubt::Vague, 1)
            }
            // "ab dem 24.", "bis Freitag": many days, and none of them named.
            [Item::Link(Lower | Upper | To), Item::Day(_), ..]
            | [Item::Day(_), Item::Link(OrLater | OrEarlier), ..] => self.doubt(Doubt::Vague, 1),
            [Item::Link(Not), rest @ ..] => {
                match rest.iter().take(4).position(|item| *item == Item::Link(Correction)) {
                    Some(at) => {
                        // What was rejected may still tell that the rest is unclear: "nicht diesen, sondern nächsten".
                        let doubt = rest.iter().take(at).find_map(|item| match item {
                            Item::Doubt(doubt) => Some(*doubt),
                            _ => None,
                        });
                        self.doubt = self.doubt.or(doubt);
                        at + 2
                    }
                    None => {
                        self.is_negated = true;
                        self.doubt(Doubt::NotUnderstood, 1)
                    }
                }
            }
            [Item::Link(And), Item::Day(_), ..] if self.current.has_day() && !self.current.has_time() => self.or(),
            [Item::Link(And), Item::Time(_), ..] if self.current.has_time() => self.or(),
            [Item::Link(Or), rest @ ..] if rest.iter().any(|item| !matches!(item, Item::Link(_))) => self.or(),
            [Item::Link(InsteadOf), Item::Day(_) | Item::Time(_), ..] => 2,
            [Item::Link(Correction), ..] => self.correct(),
            [Item::Link(_), ..] => 1,
            // "Dienstag um zehn, Mittwoch um elf"
            [Item::Day(Day::Weekday(next, _)), ..] if self.has_other_weekday(*next) => {
                self.or();
                self.days(Days::One(Day::Weekday(*next, Which::Plain)), 1)
            }
            [Item::Day(day), ..] => self.days(Days::One(*day), 1),
            [Item::Time(time), ..] => self.time(*time, 1),
            [Item::Instant(at), ..] => self.exact(Exact::Instant(*at)),
            [Item::Elapsed(delta), ..] => self.exact(Exact::Elapsed(*delta)),
            [Item::Any, ..] => {
                self.current.takes_any_time = true;
                1
            }
            [Item::Doubt(doubt), ..] => self.doubt(*doubt, 1),
            [Item::DayOrTime(..), ..] => 1,
        })
    }

    /// Whether another weekday has its time already.
    fn has_other_weekday(&self, next: Weekday) -> bool {
        let is_other = |days: &Days| matches!(days, Days::One(Day::Weekday(before, _)) if *before != next);
        self.current.has_time() && self.current.days.iter().any(is_other)
    }

    fn time(&mut self, time: Time, length: usize) -> usize {
        self.current.times.push(time);
        length
    }

    fn days(&mut self, days: Days, length: usize) -> usize {
        self.current.days.push(days);
        length
    }

    fn exact(&mut self, exact: Exact) -> usize {
        self.current.exact.push(exact);
        1
    }

    fn doubt(&mut self, doubt: Doubt, length: usize) -> usize {
        self.doubt.get_or_insert(doubt);
        length
    }

    fn or(&mut self) -> usize {
        if !self.current.is_empty() {
            self.alternatives.push(std::mem::take(&mut self.current));
        }
        1
    }

    fn correct(&mut self) -> usize {
        self.or();
        let said = std::mem::take(&mut self.alternatives);
        let before = std::mem::take(&mut self.replaced);
        self.replaced = self.merge(before, said);
        self.is_corrected = true;
        1
    }

    /// What a correction leaves of what was said before it.
    fn merge(&mut self, before: Vec<Phrase>, mut after: Vec<Phrase>) -> Vec<Phrase> {
        if after.is_empty() {
            return before;
        }
        let has_day = after.iter().any(Phrase::has_day);
        let has_time = after.iter().any(Phrase::has_time);
        if has_day && has_time || before.is_empty() {
            return after;
        }
        let [kept] = before.as_slice() else {
            self.doubt.get_or_insert(Doubt::NotUnderstood);
            return after;
        };
        for phrase in &mut after {
            if has_day {
                phrase.times.clone_from(&kept.times);
                phrase.takes_any_time |= kept.takes_any_time;
            } else {
                phrase.days.clone_from(&kept.days);
            }
        }
        after
    }

    fn finish(mut self) -> Phrases {
        self.or();
        let said = std::mem::take(&mut self.alternatives);
        let before = std::mem::take(&mut self.replaced);
        if self.is_corrected && said.is_empty() && !before.is_empty() {
            // "Dienstag um zehn, nein."
            self.doubt.get_or_insert(Doubt::NotUnderstood);
        }
        let mut alternatives = self.merge(before, said);
        share(&mut alternatives);
        if alternatives.is_empty() {
            alternatives.push(Phrase::default());
        }
        Phrases { alternatives, doubt: self.doubt, is_negated: self.is_negated }
    }
}

/// Alternatives share what is said once: the time of the last ("Dienstag oder Mittwoch um zehn"), the day of the one
/// before ("morgen um zehn oder um elf").
fn share(alternatives: &mut [Phrase]) {
    let mut day = Vec::new();
    for phrase in alternatives.iter_mut() {
        if !phrase.has_day() {
            phrase.days.clone_from(&day);
        }
        day.clone_from(&phrase.days);
    }
    let mut time: Option<(Vec<Time>, bool)> = None;
    for phrase in alternatives.iter_mut().rev() {
        if phrase.has_time() {
            time = Some((phrase.times.clone(), phrase.takes_any_time));
        } else if let Some((times, takes_any_time)) = &time {
            phrase.times.clone_from(times);
            phrase.takes_any_time = *takes_any_time;
        }
        // "um zehn oder elf am Dienstag"
        if phrase.days.is_empty() {
            phrase.days.clone_from(&day);
        }
    }
}
