//! Reads contacts as callers say them, where there is one way to write them.

use crate::{
    contact,
    personal::Personal,
    placeholder::is_placeholder,
    spoken_time::{numbers, text::fold},
};

/// Longer names are cut.
const MAX_NAME: usize = 200;

/// A customer's name. `None` for what only says that there is none.
pub fn name(text: &str) -> Option<Personal<String>> {
    let name = shortened(text, MAX_NAME);
    (!is_placeholder(&name) && name.chars().any(char::is_alphabetic)).then(|| Personal::new(name))
}

/// Whether a text names more than one person: "Maria und Leon Berger".
pub fn names_several(name: &str) -> bool {
    let parts: Vec<&str> = name.split([' ', '\u{a0}']).collect();
    parts.iter().any(|word| matches!(fold(word).as_str(), "und" | "and" | "&" | "+" | "sowie"))
}

/// A text without control characters, and no longer than `most` characters.
pub fn shortened(text: &str, most: usize) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() && letter != '\n' { ' ' } else { letter });
    let mut kept: String = plain.take(most + 1).collect();
    if kept.chars().count() > most {
        kept.pop();
        kept.pop();
        kept.push('…');
    }
    kept.trim().to_owned()
}

/// An email that was said: "erika punkt beispiel at gmail punkt com", "erika @ web.de.". `None` if there is more than
/// one way to write it, as in "erika beispiel at gmail punkt com".
pub fn email(text: &str) -> Option<Personal<String>> {
    let text = text.trim().trim_end_matches(['.', ',', ';']).trim_start_matches("mailto:");
    contact::email(text).or_else(|| contact::email(&spelled_email(text)?))
}

/// A part of an email that was said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece<'t> {
    Mark(char),
    Word(&'t str),
}

fn spelled_email(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let spaced = lower.replace('@', " @ ").replace("(at)", " @ ").replace("[at]", " @ ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_after_dot = matches!(pieces.last(), Some(Piece::Mark('.')));
        let has_at = pieces.contains(&Piece::Mark('@'));
        pieces.push(match *word {
            "punkt" | "dot" | "point" | "." => Piece::Mark('.'),
            // "punkt at" at the end is Austria.
            "at" if is_after_dot && has_at && at + 1 == words.len() => Piece::Word("at"),
            "at" | "ät" | "ett" | "et" | "klammeraffe" | "affenschwanz" | "@" => Piece::Mark('@'),
            "minus" | "bindestrich" | "dash" | "hyphen" | "-" => Piece::Mark('-'),
            "unterstrich" | "underscore" | "_" => Piece::Mark('_'),
            word => Piece::Word(word),
        });
    }
    let is_letter = |piece: &Piece<'_>| matches!(piece, Piece::Word(word) if word.chars().count() == 1);
    // Two words beside each other could be written together, with a dot or with a dash. Spelled letters are one word.
    let is_open = |pair: &[Piece<'_>]| match pair {
        [one @ Piece::Word(_), next @ Piece::Word(_)] => !(is_letter(one) && is_letter(next)),
        _ => false,
    };
    if pieces.windows(2).any(is_open) || pieces.iter().filter(|piece| **piece == Piece::Mark('@')).count() != 1 {
        return None;
    }
    let written: String = pieces
        .iter()
        .flat_map(|piece| {
            match piece {
                Piece::Mark(mark) => mark.to_string(),
                Piece::Word(word) => (*word).to_owned(),
            }
            .chars()
            .collect::<Vec<_>>()
        })
        .collect();
    // An umlaut has two spellings.
    written.is_ascii().then_some(written)
}

/// A phone number that was said or written: "null eins sieben null, zwölf ...", "0170 1234567".
pub fn phone_number(text: &str, country: &str) -> Option<Personal<String>> {
    contact::phone_number(text, country).or_else(|| contact::phone_number(&dictated(text)?, country))
}

/// The digits of a number that was said in words, two at most for each word.
fn dictated(text: &str) -> Option<String> {
    let mut digits = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '+').filter(|word| !word.is_empty()) {
        match fold(word).as_str() {
            "plus" if digits.is_empty() => digits.push('+'),
            "o" | "oh" => digits.push('0'),
            written if written.chars().all(|c| c.is_ascii_digit() || c == '+') => digits.push_str(written),
            word => {
                let spoken = numbers::number(word).filter(|spoken| !spoken.is_ordinal && !spoken.takes_unit)?;
                digits.push_str(&spoken.value.to_string());
            }
        }
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_says_nothing_is_none() {
        for text in ["N/A", "unbekannt", "Unknown", "-", "", "  ", "keine Angabe", "12345"] {
            assert_eq!(name(text), None, "{text}");
        }
        assert_eq!(name(" Erika\u{0} Beispiel ").unwrap().reveal(), "Erika  Beispiel");
    }

    #[test]
    fn two_people_are_told_from_one() {
        for text in ["Maria und Leon Berger", "Maria & Leon", "Anna and Ben"] {
            assert!(names_several(text), "{text}");
        }
        for text in ["Beispiel, Erika", "Andreas Unders", "Sandra"] {
            assert!(!names_several(text), "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let cut = shortened(&"ä".repeat(400_000), 100);
        assert!(cut.chars().count() == 100 && cut.ends_with('…'));
        assert_eq!(shortened("a\tb\nc\u{7}d", 100), "a b\nc d");
    }

    #[test]
    fn an_email_that_can_be_written_in_one_way_is_read() {
        for (said, written) in [
            ("erika punkt beispiel at gmail punkt com", "erika.beispiel@gmail.com"),
            ("erika.beispiel@gmail.com.", "erika.beispiel@gmail.com"),
            ("Erika @ web.de", "erika@web.de"),
            ("erika (at) web punkt de", "erika@web.de"),
            ("max minus muster at g m x punkt at", "max-muster@gmx.at"),
            ("erika_beispiel ät web dot de", "erika_beispiel@web.de"),
        ] {
            assert_eq!(email(said).map(|email| email.reveal().clone()).as_deref(), Some(written), "{said}");
        }
        for said in
            ["erika beispiel at gmail punkt com", "müller at web punkt de", "erika at web at de", "erika", "at punkt"]
        {
            assert_eq!(email(said), None, "{said}");
        }
    }

    #[test]
    fn a_number_in_words_is_read() {
        for said in [
            "null drei null neun null eins acht zwei null",
            "030 901820",
            "zero three zero nine zero one eight two zero",
        ] {
            assert_eq!(
                phone_number(said, "DE").map(|number| number.reveal().clone()).as_deref(),
                Some("+4930901820"),
                "{said}"
            );
        }
        for said in ["meine Nummer kennen Sie", "anonymous", "zwei"] {
            assert_eq!(phone_number(said, "DE"), None, "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,80}") {
            let _ = (name(&text), email(&text), phone_number(&text, "DE"), names_several(&text), shortened(&text, 3));
        }
    }
}
