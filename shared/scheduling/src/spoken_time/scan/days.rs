//! Days and weeks counted from today, and weekdays.

use super::*;

impl Scanner {
    pub(super) fn relative(&mut self, at: usize) -> Option<usize> {
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
            if matches!(word, "tomorrow" | "today") && self.is(at + 1, &["week"]) {
                self.items.push(Item::Day(day));
                return self.push(Item::Day(Day::InWeeks(1)), at + 2);
            }
            return self.push(Item::Day(day), at + 1);
        }
        // "week from Tuesday"
        if word == "week"
            && self.is(at + 1, &["from", "on"])
            && let Some(weekday) = self.word(at + 2).and_then(words::weekday)
        {
            return self.push(Item::Day(Day::WeekdayPlus(weekday, 1)), at + 3);
        }
        if word == "tonight" {
            self.items.push(Item::Day(Day::Offset(0)));
            return self.push(Item::Time(Time::Part(EVENING)), at + 1);
        }
        self.compound(at)
    }

    /// `morgen` is tomorrow, or the morning of a day that was just named.
    pub(super) fn morgen(&mut self, at: usize) -> Option<usize> {
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
    pub(super) fn compound(&mut self, at: usize) -> Option<usize> {
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
    pub(super) fn span_from_now(&mut self, at: usize) -> Option<usize> {
        // "in etwa zwei Wochen", "in ein paar Tagen", "in a few weeks": no day is named.
        let is_about =
            |at: usize| self.is(at, &["etwa", "rund", "ca", "circa", "ungefahr", "roughly", "about", "around", "so"]);
        let is_few =
            |at: usize| self.is(at, &["paar", "mehreren", "mehrere", "einigen", "few", "couple", "several", "some"]);
        if self.is(at, &["in"])
            && (is_about(at + 1) && self.count_of_units(at + 2).is_some() || is_few(at + 1) || is_few(at + 2))
        {
            return self.push(Item::Doubt(Doubt::Vague), at + 2);
        }
        if is_few(at) && self.word(at + 1).is_some_and(|word| words::unit(word).is_some() || word == "of") {
            return self.push(Item::Doubt(Doubt::Vague), at + 2);
        }
        if self.is(at, &["in"]) {
            let is_choice = |at: usize| self.is(at, &["oder", "or", "bis", "to"]) || self.mark(at) == Some('-');
            let counted = self.number(at + 1).map_or(at + 2, |number| at + 1 + number.length);
            if is_choice(counted) && self.count_of_units(counted + 1).is_some() {
                return self.push(Item::Doubt(Doubt::Vague), counted + 1);
            }
            let (mut count, mut unit, mut next) = self.count_of_units(at + 1)?;
            if is_choice(next) && self.number(next + 1).is_some() {
                return self.push(Item::Doubt(Doubt::Vague), next + 1);
            }
            if self.is(next, &["und", "and"]) && unit == Unit::Hour {
                // "in an hour and a half", "in einer Stunde und 15 Minuten"
                if self.are(next + 1, &["a", "half"]) {
                    (count, next) = (count + 1, next + 3);
                } else if let Some((minutes, Unit::Minute, after)) = self.count_of_units(next + 1) {
                    (count, unit, next) = (count * 60 + minutes, Unit::Minute, after);
                } else {
                    return self.push(Item::Doubt(Doubt::NotUnderstood), next + 1);
                }
            }
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
        if let (Some(weekday), Some(weeks)) = (self.word(next).and_then(words::weekday), weeks) {
            // "a week Friday"
            return self.push(Item::Day(Day::WeekdayPlus(weekday, weeks)), next + 1);
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
    pub(super) fn count_of_units(&self, at: usize) -> Option<(u32, Unit, usize)> {
        let unit_at = |at: usize| self.word(at).and_then(words::unit).map(|unit| (unit, at + 1));
        let quarter = match self.word(at).unwrap_or_default() {
            "viertelstunde" => Some((30, at + 1)),
            "dreiviertelstunde" => Some((90, at + 1)),
            "einer" | "eine" | "ner" if self.is(at + 1, &["viertelstunde"]) => Some((30, at + 2)),
            "einer" | "eine" | "ner" if self.is(at + 1, &["dreiviertelstunde"]) => Some((90, at + 2)),
            _ => None,
        };
        if let Some((halves, next)) = quarter {
            return Some((halves, Unit::Minute, next));
        }
        if self.is(at, &["zweieinhalb"]) {
            let (unit, next) = unit_at(at + 1)?;
            return Some((5, unit, next));
        }
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
    pub(super) fn weekday(&mut self, at: usize) -> Option<usize> {
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
            if is_day && self.is(next, &["im", "of", "des", "in"]) {
                return self.push(Item::Doubt(Doubt::Vague), next + 1);
            }
            return self.push(if is_day { Item::Day(Day::Past) } else { Item::Doubt(Doubt::NotUnderstood) }, next);
        }
        if let Some(which) = words::which(word) {
            return self.qualified(at, which);
        }
        let (weekday, next) = self.weekday_at(at)?;
        // "Friday after next", "erster Montag im Monat", "Friday next"
        let is_other = self.is(next, &["after"]) && self.is(next + 1, &["next", "this", "that"])
            || self.is(next, &["im", "of", "in", "des"])
                && (next..next + 4).any(|near| {
                    self.word(near)
                        .is_some_and(|word| words::month(word).is_some() || words::unit(word) == Some(Unit::Month))
                });
        if is_other {
            return self.push(Item::Doubt(Doubt::WhichWeek), next + 2);
        }
        if self.is(next, &["next"]) && !self.is(next + 1, &["week", "month", "year"]) {
            return self.push(Item::Day(Day::Weekday(weekday, Which::Next)), next + 1);
        }
        if self.is(next, &["fortnight"]) {
            return self.push(Item::Day(Day::WeekdayPlus(weekday, 2)), next + 1);
        }
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

    pub(super) fn weekday_at(&self, at: usize) -> Option<(chrono::Weekday, usize)> {
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
        let named = |at: usize| {
            let is_day = |word: &str| words::weekday(word).is_some() || words::short_weekday(word).is_some();
            ambiguous(at) || self.word(at).is_some_and(is_day)
        };
        // "Do um drei", "Fr 15 Uhr", "am So um elf"
        let is_german = self.is(at + 1, &["um"]) || self.digits(at + 1, 1..=2).is_some() && self.is(at + 2, &["uhr"]);
        let is_german_day =
            matches!(word, "do" | "fr") && is_german || word == "so" && is_german && self.follows(&["am"], at);
        let links = |at: usize| {
            matches!(self.mark(at), Some('-' | '/' | '+' | '&' | ','))
                || self.is(at, &["oder", "or", "und", "and", "bis"])
        };
        let is_listed = links(at + 1) && named(at + 2) || at > 1 && links(at - 1) && named(at - 2);
        let is_capital = self.tokens.get(at).is_some_and(|token| token.is_capital);
        // "Mo", "Di", "Mi" and "Sa" with a capital letter are nothing else.
        if is_german_day && is_capital
            || is_listed && (is_capital || !matches!(word, "so" | "do"))
            || is_capital && matches!(word, "mo" | "di" | "mi" | "sa")
        {
            return Some((weekday, if self.joined(at + 1, '.') { at + 2 } else { at + 1 }));
        }
        (is_short && (!needs_mark || has_dot || is_dated) || is_date_behind).then_some((weekday, next))
    }

    /// `nächsten Dienstag`, `nächste Woche`, `this weekend`.
    pub(super) fn qualified(&mut self, at: usize, which: Which) -> Option<usize> {
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
        // "nächste oder übernächste Woche", "nicht diesen, sondern nächsten Dienstag"
        let is_open =
            self.is(named, &["oder", "or", "und", "and", "bis", "sondern", "but"]) || self.mark(named) == Some(',');
        if is_open && which != Which::Plain {
            return self.push(Item::Doubt(Doubt::WhichWeek), named);
        }
        None
    }
}
