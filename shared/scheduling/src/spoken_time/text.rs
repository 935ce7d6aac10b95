//! Splits what was said into words, numbers and marks, in one spelling.

/// A word, a number or a mark of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: TokenKind,
    /// Whether white space or the start of the text is before it.
    pub is_spaced: bool,
    /// Whether a word begins with a capital letter.
    pub is_capital: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A word in the spelling of [`fold`].
    Word(String),
    /// Digits.
    Digits(String),
    /// Anything else, one character each.
    Mark(char),
}

impl Token {
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word(word) => Some(word),
            TokenKind::Digits(_) | TokenKind::Mark(_) => None,
        }
    }

    pub fn mark(&self) -> Option<char> {
        match self.kind {
            TokenKind::Mark(mark) => Some(mark),
            TokenKind::Word(_) | TokenKind::Digits(_) => None,
        }
    }

    /// The digits, if there are `lengths` of them.
    pub fn digits(&self, lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
        match &self.kind {
            TokenKind::Digits(digits) if lengths.contains(&digits.len()) => digits.parse().ok(),
            _ => None,
        }
    }
}

/// One spelling for a word: lower case, umlauts and accents without their marks, also where they are written out.
///
/// `früh`, `frueh` and `fruh` become `fruh`. Words of the lexicon are written in this spelling.
pub(crate) fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for letter in word.chars().flat_map(char::to_lowercase) {
        match letter {
            'ä' | 'à' | 'á' | 'â' | 'å' | 'ã' => folded.push('a'),
            'ö' | 'ò' | 'ó' | 'ô' | 'õ' | 'ø' => folded.push('o'),
            'ü' | 'ù' | 'ú' | 'û' => folded.push('u'),
            'é' | 'è' | 'ê' | 'ë' => folded.push('e'),
            'í' | 'ì' | 'î' | 'ï' | 'ı' => folded.push('i'),
            'ç' | 'ć' | 'č' => folded.push('c'),
            'ğ' => folded.push('g'),
            'ł' => folded.push('l'),
            'ñ' | 'ń' => folded.push('n'),
            'ş' | 'š' | 'ś' => folded.push('s'),
            'ž' | 'ź' | 'ż' => folded.push('z'),
            'ß' => folded.push_str("ss"),
            // What `to_lowercase` makes of a dotted capital I, and umlauts that are two characters.
            '\u{300}'..='\u{36f}' => {}
            'e' if folded.ends_with(['a', 'o', 'u']) && !folded.ends_with("au") && !folded.ends_with("eu") => {}
            letter => folded.push(letter),
        }
    }
    folded
}

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    let mut is_spaced = true;
    while let Some(first) = rest.chars().next() {
        let class = |c: char| (c.is_ascii_digit(), c.is_alphabetic() || ('\u{300}'..='\u{36f}').contains(&c));
        let of = class(first);
        let length = match of {
            (false, false) => first.len_utf8(),
            _ => rest.find(|c| class(c) != of).unwrap_or(rest.len()),
        };
        let (found, after) = rest.split_at(length);
        let kind = match of {
            (true, _) => TokenKind::Digits(found.to_owned()),
            (_, true) => TokenKind::Word(fold(found)),
            _ => TokenKind::Mark(plain_mark(first)),
        };
        tokens.push(Token { kind, is_spaced, is_capital: first.is_uppercase() });
        rest = after.trim_start();
        is_spaced = rest.len() < after.len();
    }
    tokens
}

fn plain_mark(mark: char) -> char {
    match mark {
        '–' | '—' | '−' | '‐' | '‑' => '-',
        '’' | '‘' | '`' | '´' => '\'',
        '：' => ':',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_umlaut_is_one() {
        for (spellings, folded) in [
            (["früh", "frueh", "fru\u{308}h"], "fruh"),
            (["Übermorgen", "UEBERMORGEN", "Ubermorgen"], "ubermorgen"),
            (["Müller", "Mueller", "Muller"], "muller"),
            (["neun", "NEUN", "Neun"], "neun"),
        ] {
            for spelling in spellings {
                assert_eq!(fold(spelling), folded, "{spelling}");
            }
        }
        assert_eq!(fold("Dauer"), "dauer");
    }

    #[test]
    fn digits_and_letters_are_tokens_of_their_own() {
        let kinds: Vec<String> = tokens("um 14h30, 2pm").iter().map(|token| format!("{:?}", token.kind)).collect();
        assert_eq!(
            kinds,
            [
                r#"Word("um")"#,
                r#"Digits("14")"#,
                r#"Word("h")"#,
                r#"Digits("30")"#,
                "Mark(',')",
                r#"Digits("2")"#,
                r#"Word("pm")"#
            ]
        );
    }
}
