//! The words of time, German and English, in the spelling of `fold`.

use chrono::Weekday::{self, Fri, Mon, Sat, Sun, Thu, Tue, Wed};

use super::items::{
    AFTERNOON, Day, EVENING, MORNING, NIGHT, NOON, Part, Side,
    Which::{self, AfterNext, Coming, Next, This},
};
use super::numbers;

/// Whether a word has to do with time, and nothing with names.
pub(crate) fn is_word_of_time(word: &str) -> bool {
    weekday(word).is_some()
        || relative_day(word).is_some()
        || part(word).is_some()
        || unit(word).is_some()
        || which(word).is_some()
        || numbers::number(word).is_some()
}

/// A weekday by its full name, also with the s of a habit (`dienstags`).
pub(super) fn weekday(word: &str) -> Option<Weekday> {
    let name = match word.strip_suffix('s') {
        Some(name) => name,
        None => word,
    };
    Some(match name {
        "montag" | "monday" => Mon,
        "dienstag" | "diensttag" | "dienstach" | "tusday" | "tuseday" => Tue,
        "mittwoch" | "mitwoch" | "wednesday" | "wensday" => Wed,
        "donnerstag" | "donerstag" | "thursday" => Thu,
        "freitag" | "friday" => Fri,
        "samstag" | "sonnabend" | "saturday" => Sat,
        "sonntag" | "sunday" => Sun,
        _ => return None,
    })
}

/// A short name of a weekday that is no other word of either language.
pub(super) fn short_weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "tu" | "tus" => Tue,
        "wed" => Wed,
        "thu" | "thur" | "thurs" => Thu,
        "fri" => Fri,
        _ => return None,
    })
}

/// A short name that is another word, too, unless a dot, a comma or a number follows.
pub(super) fn ambiguous_weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "mo" | "mon" => Mon,
        "di" => Tue,
        "mi" => Wed,
        "do" => Thu,
        "fr" => Fri,
        "sa" | "sat" => Sat,
        "so" | "sun" => Sun,
        _ => return None,
    })
}

pub(super) fn month(word: &str) -> Option<u32> {
    Some(match word {
        "januar" | "janner" | "january" | "jan" => 1,
        "februar" | "feber" | "february" | "feb" => 2,
        "marz" | "march" | "mar" => 3,
        "april" | "apr" => 4,
        "mai" | "may" => 5,
        "juni" | "juno" | "june" | "jun" => 6,
        "juli" | "july" | "jul" => 7,
        "august" | "aug" => 8,
        "september" | "sept" | "sep" => 9,
        "oktober" | "october" | "okt" | "oct" => 10,
        "november" | "nov" => 11,
        "dezember" | "december" | "dez" | "dec" => 12,
        _ => return None,
    })
}

/// Months that are other words, too: they need a number beside them.
pub(super) fn is_ambiguous_month(word: &str) -> bool {
    matches!(word, "may" | "march" | "mar" | "jan" | "august" | "jun" | "april" | "june")
}

pub(super) fn part(word: &str) -> Option<Part> {
    Some(match word {
        "fruh" | "morgens" | "vormittag" | "vormittags" | "vorm" | "morning" | "mornings" | "forenoon" => MORNING,
        "mittag" | "mittags" | "mittagszeit" | "mittagspause" | "noon" | "midday" | "lunchtime" | "lunch"
        | "noontime" => NOON,
        "nachmittag" | "nachmittags" | "nachm" | "afternoon" | "afternoons" => AFTERNOON,
        "abend" | "abends" | "evening" | "evenings" | "tonight" => EVENING,
        "nacht" | "nachts" | "night" => NIGHT,
        "fruhmorgens" => MORNING.narrowed(Side::Before),
        "spatvormittag" | "spatvormittags" => MORNING.narrowed(Side::After),
        "fruhnachmittag" => AFTERNOON.narrowed(Side::Before),
        "spatnachmittag" | "spatnachmittags" => AFTERNOON.narrowed(Side::After),
        "spatabends" => EVENING.narrowed(Side::After),
        _ => return None,
    })
}

/// `spät` and `early` before a part of the day.
pub(super) fn side(word: &str) -> Option<Side> {
    Some(match word {
        "fruhen" | "fruher" | "fruhe" | "fruhes" | "early" | "fruh" => Side::Before,
        "spaten" | "spater" | "spate" | "spates" | "late" | "spat" => Side::After,
        _ => return None,
    })
}

/// The words before a weekday, a week, a weekend or a month that say which.
pub(super) fn which(word: &str) -> Option<Which> {
    Some(match word {
        "nachsten" | "nachster" | "nachste" | "nachstes" | "nachstem" | "next" => Next,
        "ubernachsten" | "ubernachster" | "ubernachste" | "ubernachstes" => AfterNext,
        "kommenden" | "kommender" | "kommende" | "kommendes" | "coming" | "folgenden" => Coming,
        "diesen" | "dieser" | "diese" | "dieses" | "diesem" | "this" => This,
        _ => return None,
    })
}

pub(super) fn is_last(word: &str) -> bool {
    matches!(
        word,
        "letzten" | "letzter" | "letzte" | "letztes" | "vergangenen" | "vergangene" | "vorigen" | "vorige" | "last"
    )
}

pub(super) fn relative_day(word: &str) -> Option<Day> {
    Some(match word {
        "heute" | "heut" | "heit" | "today" => Day::Offset(0),
        "morgen" | "tomorrow" | "tmrw" | "tomorow" | "tommorow" | "tommorrow" => Day::Offset(1),
        "ubermorgen" | "overmorrow" => Day::Offset(2),
        "gestern" | "vorgestern" | "yesterday" => Day::Past,
        _ => return None,
    })
}

/// Days that have a name.
pub(super) fn holiday(word: &str) -> Option<(u32, u32)> {
    Some(match word {
        "heiligabend" => (12, 24),
        "silvester" => (12, 31),
        "neujahr" => (1, 1),
        "nikolaus" | "nikolaustag" => (12, 6),
        _ => return None,
    })
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Fortnight,
    Month,
    Year,
}

pub(super) fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "minute" | "minuten" | "min" | "mins" | "minutes" => Unit::Minute,
        "stunde" | "stunden" | "std" | "hour" | "hours" | "hr" | "hrs" => Unit::Hour,
        "tag" | "tage" | "tagen" | "day" | "days" => Unit::Day,
        "woche" | "wochen" | "week" | "weeks" => Unit::Week,
        "fortnight" => Unit::Fortnight,
        "monat" | "monate" | "monaten" | "monats" | "month" | "months" => Unit::Month,
        "jahr" | "jahre" | "jahren" | "jahres" | "year" | "years" => Unit::Year,
        _ => return None,
    })
}

/// Words that stand before a clock time and change nothing.
pub(super) fn is_clock_prefix(word: &str) -> bool {
    matches!(
        word,
        "um" | "gegen"
            | "ca"
            | "circa"
            | "zirka"
            | "ungefahr"
            | "etwa"
            | "at"
            | "about"
            | "around"
            | "approximately"
            | "punkt"
            | "roundabout"
    )
}

/// What a number before it counts.
pub(super) fn is_counted(word: &str) -> bool {
    matches!(
        word,
        "personen"
            | "person"
            | "leute"
            | "kinder"
            | "erwachsene"
            | "termine"
            | "termin"
            | "frauen"
            | "manner"
            | "damen"
            | "herren"
            | "people"
            | "persons"
            | "kids"
            | "children"
            | "adults"
            | "appointments"
            | "euro"
            | "eur"
            | "prozent"
            | "jahre"
            | "mal"
            | "x"
            | "haarschnitte"
            | "haircuts"
            | "stuck"
            | "percent"
            | "dollars"
    )
}

/// Articles and small words that may stand between two words that belong together.
pub(super) fn is_article(word: &str) -> bool {
    matches!(
        word,
        "der"
            | "die"
            | "das"
            | "den"
            | "dem"
            | "des"
            | "the"
            | "a"
            | "an"
            | "am"
            | "im"
            | "in"
            | "zum"
            | "zur"
            | "of"
            | "on"
            | "dann"
            | "so"
            | "auch"
            | "noch"
            | "erst"
            | "gleich"
            | "mal"
            | "bitte"
            | "eher"
            | "vom"
            | "at"
    )
}

/// Words that may follow a bare clock time: what comes before them is no count of things.
pub(super) fn may_follow_clock(word: &str) -> bool {
    is_article(word)
        || is_clock_prefix(word)
        || relative_day(word).is_some()
        || part(word).is_some()
        || weekday(word).is_some()
        || which(word).is_some()
        || matches!(
            word,
            "oder"
                | "od"
                | "bzw"
                | "beziehungsweise"
                | "or"
                | "und"
                | "and"
                | "bis"
                | "to"
                | "till"
                | "until"
                | "bei"
                | "mit"
                | "for"
                | "fur"
                | "with"
                | "please"
                | "if"
                | "wenn"
                | "falls"
                | "passt"
                | "geht"
                | "ware"
                | "ist"
                | "is"
                | "works"
                | "would"
                | "nein"
                | "no"
                | "nee"
                | "doch"
                | "lieber"
                | "rather"
                | "bitteschon"
                | "danke"
                | "thanks"
                | "haben"
                | "kommen"
                | "vorbeikommen"
                | "beim"
                | "zwecks"
                | "sorry"
                | "actually"
                | "sondern"
                | "ja"
                | "yes"
                | "ok"
                | "okay"
                | "aber"
                | "but"
                | "denn"
                | "weil"
                | "also"
                | "sharp"
                | "clock"
                | "oclock"
                | "nicht"
                | "not"
        )
}
