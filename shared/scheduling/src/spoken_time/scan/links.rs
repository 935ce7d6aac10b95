//! How things belong together, and what changes their meaning.

use super::*;

impl Scanner {
    pub(super) fn link(&mut self, at: usize) -> Option<usize> {
        if matches!(self.mark(at), Some('-')) {
            let is_between = matches!(self.items.last(), Some(Item::Time(_) | Item::Day(_) | Item::DayOrTime(..)))
                && (self.number(at + 1).is_some() || self.weekday_at(at + 1).is_some());
            return if is_between { self.push(Item::Link(Link::To), at + 1) } else { Some(at + 1) };
        }
        // "Di/Mi", "10/11 Uhr"
        if matches!(self.mark(at), Some('/' | '&' | '+')) {
            let is_between = self.last_end == at
                && matches!(self.items.last(), Some(Item::Time(_) | Item::Day(_)))
                && (self.number(at + 1).is_some() || self.weekday_at(at + 1).is_some());
            return if is_between { self.push(Item::Link(Link::Or), at + 1) } else { Some(at + 1) };
        }
        // "Montag, Mittwoch oder Freitag"
        if self.mark(at) == Some(',') {
            let is_listed = self.last_end == at
                && matches!(self.items.last(), Some(Item::Day(Day::Weekday(..))))
                && self.weekday_at(at + 1).is_some()
                && (at + 2..at + 6)
                    .any(|near| self.is(near, &["oder", "or", "und", "and"]) && self.weekday_at(near + 1).is_some());
            return is_listed.then(|| self.push(Item::Link(Link::Or), at + 1)).flatten();
        }
        let word = self.word(at)?;
        let one = |link| Some((link, at + 1));
        let found = match word {
            // "um zehn nach", "um zehn oder": the rest is missing.
            "nach" | "vor" | "to" | "past" | "oder" | "or" | "und" | "and" | "bis" | "ab"
                if at + 1 >= self.tokens.len() && self.last_end == at && !self.items.is_empty() =>
            {
                return self.push(Item::Doubt(Doubt::NotUnderstood), at + 1);
            }
            "zwischen" | "between" => one(Link::Between),
            "von" | "from" => one(Link::Starting),
            "oder" | "or" if self.is(at + 1, &["spater", "later", "danach", "after"]) => Some((Link::OrLater, at + 2)),
            "oder" | "or" if self.is(at + 1, &["fruher", "earlier", "davor"]) => Some((Link::OrEarlier, at + 2)),
            "oder" | "or" if self.is(at + 1, &["so", "whatever", "was", "something"]) => return Some(at + 2),
            "und" | "and" if self.is(at + 1, &["spater", "later"]) => Some((Link::OrLater, at + 2)),
            "und" | "and" | "u" => one(Link::And),
            "earliest" | "fruhestens" if self.is_behind_clock(at) => one(Link::OrLater),
            "latest" | "spatestens" if self.is_behind_clock(at) => one(Link::OrEarlier),
            // "like to come", "vor Ort", "nach Absprache"
            "to" | "nach" | "vor" | "ab" | "by" | "bis" | "till" | "til" | "until" | "after" | "before"
                if !self.leads_to_time(at + 1) =>
            {
                return Some(at + 1);
            }
            "bis" | "to" | "till" | "til" | "until" | "through" => one(Link::To),
            "oder" | "or" | "od" | "bzw" | "beziehungsweise" | "alternativ" | "wahlweise" | "notfalls"
            | "ansonsten" | "otherwise" | "alternatively" | "ersatzweise" => one(Link::Or),
            "onwards" | "aufwarts" => one(Link::OrLater),
            "ab" | "nach" | "after" | "fruhestens" | "earliest" => one(Link::Lower),
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
            "but"
                if self.follows(&["anything", "any", "day", "time", "all", "anytime", "everything", "nothing"], at) =>
            {
                one(Link::Not)
            }
            "nicht" | "not" | "ungern" | "cannot" | "cant" | "dont" | "kein" | "keine" | "keinen" | "keiner"
            | "nie" | "niemals" | "never" | "ausser" | "except" | "ohne" | "without" | "keinesfalls" => one(Link::Not),
            "statt" | "anstatt" => one(Link::InsteadOf),
            "anstelle" | "instead" | "rather" if self.is(at + 1, &["von", "of", "than"]) => {
                Some((Link::InsteadOf, at + 2))
            }
            "nein" | "ne" | "nee" | "no" | "quatsch" | "sondern" | "stattdessen" | "instead" | "korrektur"
            | "correction" | "lieber" | "rather" | "vielmehr" | "actually" | "sorry" | "entschuldigung"
            | "verzeihung" | "scratch" => one(Link::Correction),
            "ich" | "i" if self.is(at + 1, &["meine", "meinte", "mean", "meant"]) => Some((Link::Correction, at + 2)),
            _ => None,
        };
        let (link, next) = found?;
        self.push(Item::Link(link), next)
    }

    /// Whether nothing but a clock time stands before, and nothing of time follows: "um elf spätestens".
    fn is_behind_clock(&self, at: usize) -> bool {
        let is_beside =
            (self.last_end..at).all(|between| self.is(between, &["at", "the"]) || self.mark(between) == Some(','));
        is_beside && matches!(self.items.last(), Some(Item::Time(Time::Clock(_)))) && !self.leads_to_time(at + 1)
    }

    /// Whether a time or a day begins here, or behind small words.
    fn leads_to_time(&self, at: usize) -> bool {
        let at = self.skip_while(at, |word| words::is_article(word) || words::is_clock_prefix(word));
        let word = self.word(at).unwrap_or_default();
        self.number(at).is_some()
            || self.tokens.get(at).is_some_and(|token| matches!(token.kind, TokenKind::Digits(_)))
            || self.weekday_at(at).is_some()
            || words::relative_day(word).is_some()
            || words::which(word).is_some()
            || words::is_last(word)
            || words::part(word).is_some()
            || words::month(word).is_some()
            || words::holiday(word).is_some()
            || word.starts_with("halb")
            || matches!(
                word,
                "viertel"
                    | "dreiviertel"
                    | "quarter"
                    | "half"
                    | "kurz"
                    | "mitternacht"
                    | "midnight"
                    | "wochenende"
                    | "weekend"
                    | "weihnachten"
                    | "christmas"
                    | "ostern"
                    | "easter"
                    | "ende"
                    | "anfang"
                    | "mitte"
                    | "end"
                    | "arbeit"
                    | "work"
                    | "feierabend"
                    | "mittagessen"
                    | "mittagspause"
                    | "lunch"
                    | "spatestens"
                    | "hier"
                    | "ladenschluss"
            )
    }

    /// What is of time, and changes what is wanted in a way that is not read.
    pub(super) fn other(&mut self, at: usize) -> Option<usize> {
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
            "or" | "oder" => None,
            "black" | "cyber" | "good" | "easter" | "ash" | "holy"
                if self.is(at + 1, &["friday", "monday", "wednesday", "thursday", "saturday", "sunday"]) =>
            {
                self.push(Item::Doubt(Doubt::NotUnderstood), at + 2)
            }
            // "Die Party ist Dienstag um zehn": something else takes place then.
            "ist" | "is" | "sind" | "are" if self.is_subject_strange(at) => {
                self.push(Item::Doubt(Doubt::NotUnderstood), at + 1)
            }
            "mein" | "meinen" | "meinem" | "my" if self.is(at + 1, &["termin", "termine", "appointment"]) => {
                self.push(Item::Doubt(Doubt::NotUnderstood), at + 2)
            }
            "ladenschluss" | "feierabend" | "schulschluss" | "buro" | "arzt" | "schule" | "meeting" | "flug"
            | "flieger" | "zug" | "hochzeit" | "party" | "prufung" | "konzert" | "yoga" | "training" | "dienst"
            | "urlaub" | "kurs" | "besprechung" | "seit" | "since" | "darauf" | "drauf" | "davor" | "monatsende"
            | "jahresende" | "failing" | "uber" => self.push(Item::Doubt(Doubt::NotUnderstood), at + 1),
            "sofort" | "jetzt" if self.items.is_empty() && self.tokens.len() <= at + 2 => {
                self.push(Item::Doubt(Doubt::AsSoonAsPossible), at + 1)
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
    pub(super) fn names_other_zone(&self, at: usize) -> bool {
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

    /// Whether the word before "is" names a thing that is not the wish itself.
    fn is_subject_strange(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.tokens.get(before));
        let word = before.and_then(Token::word).unwrap_or_default();
        let is_capital = before.is_some_and(|token| token.is_capital) && at > 1;
        is_capital
            && !matches!(word, "wunsch" | "wunschtermin" | "uhrzeit" | "zeit" | "termin" | "datum")
            && self.leads_to_time(at + 1)
    }

    /// A number that nothing explains is a doubt; one before a thing is a count. Any other word in small letters has to be
    /// known to change nothing: "Dienstag um zehn bin ich weg".
    pub(super) fn leftover(&mut self, at: usize) -> usize {
        let Some(token) = self.tokens.get(at) else { return at + 1 };
        if let TokenKind::Digits(digits) = &token.kind {
            let counts = self.word(at + 1).is_some_and(|word| !words::may_follow_clock(word));
            let is_long = digits.len() > 4;
            if !counts || is_long {
                self.items.push(Item::Doubt(Doubt::NotUnderstood));
            }
            return at + 1;
        }
        let Some(word) = token.word() else { return at + 1 };
        let is_noun_behind = self.tokens.get(at + 1).is_some_and(|next| next.is_capital && next.word().is_some());
        let is_said_number = numbers::number(word)
            .is_some_and(|number| !number.is_ordinal && !matches!(word, "ein" | "one" | "eins") && !is_noun_behind);
        let is_counted = self.word(at + 1).is_some_and(|next| words::is_counted(next) || words::unit(next).is_some());
        // "ich hätte gern" and "ich hatte" are one in this spelling.
        let is_polite = |at: usize| {
            self.is(at, &["gern", "gerne", "lieber", "frei", "noch", "was", "any", "vielleicht", "am", "einen"])
        };
        let is_had = matches!(word, "hatte" | "hatt" | "hatten") && !(at + 1..at + 5).any(is_polite);
        let is_strange = is_had || !token.is_capital && !safe::is_safe(word) && numbers::number(word).is_none();
        if is_said_number && !is_counted || is_strange {
            self.items.push(Item::Doubt(Doubt::NotUnderstood));
        }
        at + 1
    }
}
