//! Numbers in words, German and English.

use std::{collections::HashMap, sync::LazyLock};

use super::text::fold;

/// A number that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub value: u32,
    pub is_ordinal: bool,
    /// Whether it is an English ten, after which a unit may follow.
    pub takes_unit: bool,
}

const GERMAN_UNITS: [&str; 20] = [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
];
const GERMAN_TENS: [&str; 10] =
    ["", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"];
const GERMAN_ORDINALS: [&str; 20] = [
    "nullt",
    "erst",
    "zweit",
    "dritt",
    "viert",
    "fünft",
    "sechst",
    "siebt",
    "acht",
    "neunt",
    "zehnt",
    "elft",
    "zwölft",
    "dreizehnt",
    "vierzehnt",
    "fünfzehnt",
    "sechzehnt",
    "siebzehnt",
    "achtzehnt",
    "neunzehnt",
];
const ENGLISH_UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const ENGLISH_ORDINALS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];
const ENGLISH_TENS: [(&str, u32); 4] = [("twenty", 20), ("thirty", 30), ("forty", 40), ("fifty", 50)];

static NUMBERS: LazyLock<HashMap<String, Spoken>> = LazyLock::new(|| {
    let mut numbers = HashMap::new();
    let mut add = |word: &str, value: u32, is_ordinal: bool, takes_unit: bool| {
        numbers.insert(fold(word), Spoken { value, is_ordinal, takes_unit });
    };
    for (value, stem) in (0..).zip(GERMAN_ORDINALS) {
        for ending in ["e", "en", "er", "es", "em"] {
            add(&format!("{stem}{ending}"), value, true, false);
        }
    }
    ["siebente", "siebenten", "siebenter"].iter().for_each(|word| add(word, 7, true, false));
    for (value, word) in (0..).zip(GERMAN_UNITS) {
        add(word, value, false, false);
    }
    for (word, value) in [("eins", 1), ("zwo", 2)] {
        add(word, value, false, false);
    }
    for ten in 2..10 {
        for unit in 0..10 {
            let (Some(tens), Some(units)) = (GERMAN_TENS.get(ten), GERMAN_UNITS.get(unit)) else { continue };
            let word = if unit == 0 { (*tens).to_owned() } else { format!("{units}und{tens}") };
            let value = u32::try_from(ten * 10 + unit).unwrap_or_default();
            add(&word, value, false, false);
            for ending in ["ste", "sten", "ster", "stes", "stem"] {
                add(&format!("{word}{ending}"), value, true, false);
            }
        }
    }
    for (value, (word, ordinal)) in (0..).zip(ENGLISH_UNITS.into_iter().zip(ENGLISH_ORDINALS)) {
        add(word, value, false, false);
        // A "second" is a day only beside a month, and a span of time otherwise; the grammar tells.
        add(ordinal, value, true, false);
    }
    for (word, value) in ENGLISH_TENS {
        add(word, value, false, true);
        add(&format!("{}ieth", word.trim_end_matches('y')), value, true, false);
    }
    numbers
});

/// The number that a folded word says.
pub(crate) fn number(word: &str) -> Option<Spoken> {
    NUMBERS.get(word).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_both_languages() {
        for (word, value, is_ordinal) in [
            ("zwölf", 12, false),
            ("fünfundvierzig", 45, false),
            ("vierundzwanzigsten", 24, true),
            ("dritten", 3, true),
            ("acht", 8, false),
            ("achten", 8, true),
            ("eins", 1, false),
            ("dreissig", 30, false),
            ("eleven", 11, false),
            ("twentieth", 20, true),
            ("third", 3, true),
        ] {
            let spoken = number(&fold(word)).unwrap_or_else(|| panic!("{word}"));
            assert_eq!((spoken.value, spoken.is_ordinal), (value, is_ordinal), "{word}");
        }
        assert_eq!(number("montag"), None);
    }
}
