//! Reads whom and what a caller means: staff members and services by what people say.
//!
//! Names are found inside a sentence, in any spelling of their umlauts. What only sounds like a name is not that name:
//! it is flagged as a near miss, so that an alias can be added.

pub(crate) mod words;

use std::collections::BTreeSet;

use self::words::{
    is_anyone, is_conjunction, is_correction, is_filler, is_near, is_negation, is_nobodys_wish, is_person, is_relative,
    is_title, stem,
};
use crate::{
    placeholder::is_placeholder,
    spoken_time::{is_safe, is_word_of_time, text::fold},
};

/// What was understood. `I` is an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameReading<I> {
    /// One was named.
    Known(I),
    /// Several were named, and all are meant.
    Several(Vec<I>),
    /// The caller has no wish.
    Anyone,
    /// Nothing that was said is known.
    Unknown {
        /// Words that are nearly a name.
        near: Vec<NearMiss<I>>,
    },
    /// One is meant, and several fit.
    Ambiguous(Vec<I>),
}

/// A word that is nearly a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearMiss<I> {
    /// The word that was said.
    pub said: String,
    /// Whom or what it nearly names.
    pub nearly: I,
}

/// Someone or something with a name.
#[derive(Debug, Clone)]
pub struct Named<'n, I> {
    /// The id.
    pub id: &'n I,
    /// The name in full.
    pub name: &'n str,
    /// Other names.
    pub aliases: Vec<&'n str>,
}

impl<'n, I> Named<'n, I> {
    fn names(&self) -> impl Iterator<Item = &'n str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// Longer texts name nothing.
const MAX_WORDS: usize = 60;
/// Names and aliases have at most so many words.
const MAX_NAME_WORDS: usize = 5;
/// Shorter words are no near misses: too many words of a sentence are like them.
const MIN_NEAR: usize = 4;
/// A negation is about a name within so many words after it.
const NEGATED_WITHIN: usize = 3;

/// Reads which of the staff a caller wants to come to. `None` is a call that says nothing of it.
pub fn read_staff<I: Clone + Ord>(said: Option<&str>, staff: &[Named<'_, I>]) -> NameReading<I> {
    let Some(said) = said.filter(|said| !is_placeholder(said)) else { return NameReading::Anyone };
    let words = Words::of(said);
    let phrases: Vec<Phrase<'_, I>> = staff.iter().flat_map(staff_phrases).collect();
    let found = words.find(&phrases, Inflection::Genitive);
    match words.judge(found, &phrases) {
        Outcome::Nothing { is_negated: false, near } if near.is_empty() && words.say_anyone() => NameReading::Anyone,
        Outcome::Nothing { near, .. } => NameReading::Unknown { near },
        Outcome::Some(reading) => reading,
    }
}

/// Reads which service a caller wants.
pub fn read_service<I: Clone + Ord>(said: Option<&str>, services: &[Named<'_, I>]) -> NameReading<I> {
    let Some(said) = said.filter(|said| !is_placeholder(said)) else {
        return NameReading::Unknown { near: Vec::new() };
    };
    let words = Words::of(said);
    let phrases: Vec<Phrase<'_, I>> = services.iter().flat_map(service_phrases).collect();
    let found = words.find(&phrases, Inflection::Any);
    let found = words.with_shared_verb(found, &phrases);
    let is_beside_unknown = words.is_beside_unknown(&found);
    match words.judge(found, &phrases) {
        Outcome::Some(NameReading::Known(id)) => match refine(id.clone(), &words, services) {
            // "Nägel schneiden", "Massage und Haarschnitt"
            NameReading::Known(refined) if is_beside_unknown && refined == id => NameReading::Ambiguous(vec![id]),
            refined => refined,
        },
        Outcome::Some(reading) => reading,
        Outcome::Nothing { is_negated: true, near } => NameReading::Unknown { near },
        Outcome::Nothing { is_negated: false, near } => match contained(&words, services) {
            // "Haarschnitt" where there are one for women and one for men.
            several if several.len() > 1 => NameReading::Ambiguous(several.into_iter().map(|(_, id)| id).collect()),
            one => {
                let parts = one.into_iter().map(|(said, nearly)| NearMiss { said, nearly });
                let all: BTreeSet<NearMiss<I>> = near.into_iter().chain(parts).collect();
                NameReading::Unknown { near: all.into_iter().collect() }
            }
        },
    }
}

/// How words may differ from a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inflection {
    /// By the s of a genitive.
    Genitive,
    /// By every ending, and as a verb.
    Any,
}

/// One of the forms in which something may be named.
struct Phrase<'n, I> {
    id: &'n I,
    key: String,
    /// The words of it, for near misses.
    words: Vec<String>,
    /// Whether it is only a part of the name.
    is_part: bool,
    /// Whether a name of a person stands alone here: a first or a last name.
    is_half_of_name: bool,
    /// The first letter of the last name.
    initial: Option<char>,
}

/// The words of a text.
struct Words {
    folded: Vec<String>,
    raw: Vec<String>,
    /// Whether a mark stands before the word.
    is_after_mark: Vec<bool>,
}

/// A name in a text.
#[derive(Clone)]
struct Mention<I> {
    from: usize,
    to: usize,
    ids: Vec<I>,
    is_part: bool,
}

enum Outcome<I> {
    Some(NameReading<I>),
    Nothing { is_negated: bool, near: Vec<NearMiss<I>> },
}

fn staff_phrases<'n, I>(person: &Named<'n, I>) -> Vec<Phrase<'n, I>> {
    let words: Vec<String> = plain_words(person.name).into_iter().filter(|word| !is_title(word)).collect();
    let initial = words.last().filter(|_| words.len() > 1).and_then(|last| last.chars().next());
    let phrase = |words: Vec<String>, is_half_of_name| Phrase {
        id: person.id,
        key: words.concat(),
        words,
        is_part: false,
        is_half_of_name,
        initial,
    };
    let is_double = words.len() > 1;
    let mut phrases = vec![phrase(words.clone(), false)];
    if is_double {
        phrases.extend(words.first().map(|first| phrase(vec![first.clone()], true)));
        // "Frau von der Heide", "Frau Heide"
        phrases.extend((1..words.len()).filter_map(|from| words.get(from..)).map(|last| phrase(last.to_vec(), true)));
    }
    phrases.extend(person.aliases.iter().map(|alias| phrase(plain_words(alias), false)));
    phrases.retain(|phrase| !phrase.key.is_empty());
    phrases
}

fn service_phrases<'n, I>(service: &Named<'n, I>) -> Vec<Phrase<'n, I>> {
    let phrase = |words: Vec<String>, is_part| Phrase {
        id: service.id,
        key: key_of(&words, Inflection::Any),
        words,
        is_part,
        is_half_of_name: false,
        initial: None,
    };
    let mut phrases: Vec<Phrase<'n, I>> = service.names().map(|name| phrase(plain_words(name), false)).collect();
    let parts = plain_words(service.name);
    // "Waschen, Schneiden, Föhnen" is no service that is called "Föhnen".
    let is_list = service.name.contains([',', '+', '&', '/'])
        || service.name.split_whitespace().any(|word| is_conjunction(&fold(word)));
    if parts.len() > 1 && !is_list {
        let telling = parts.into_iter().filter(|word| word.chars().count() >= MIN_NEAR && !is_filler(word));
        phrases.extend(telling.map(|part| phrase(vec![part], true)));
    }
    phrases.retain(|phrase| !phrase.key.is_empty());
    phrases
}

impl Words {
    fn of(text: &str) -> Self {
        let mut words = Self { folded: Vec::new(), raw: Vec::new(), is_after_mark: Vec::new() };
        let mut is_after_mark = true;
        for piece in text.split_inclusive(|c: char| !c.is_alphanumeric() && !is_joining(c)).take(MAX_WORDS) {
            let word = piece.trim_matches(|c: char| !c.is_alphanumeric());
            if !word.is_empty() {
                words.folded.push(fold(word));
                words.raw.push(word.to_owned());
                words.is_after_mark.push(is_after_mark);
            }
            is_after_mark = piece.ends_with([',', '.', ';', ':', '!', '?', '(', ')', '+', '&', '/'])
                || is_after_mark && word.is_empty();
        }
        words
    }

    fn word(&self, at: usize) -> &str {
        self.folded.get(at).map_or("", String::as_str)
    }

    fn is_capital(&self, at: usize) -> bool {
        self.raw.get(at).is_some_and(|raw| raw.chars().next().is_some_and(char::is_uppercase))
    }

    fn are_all(&self, fits: fn(&str) -> bool) -> bool {
        !self.folded.is_empty() && self.folded.iter().all(|word| fits(word) || is_filler(word))
    }

    /// Whether the text says that anybody will do, and nothing else.
    fn say_anyone(&self) -> bool {
        self.are_all(is_nobodys_wish) && self.folded.iter().any(|word| !is_filler(word) && is_anyone(word))
    }

    /// Every name in the text. A longer one outweighs a shorter one inside it.
    fn find<I: Clone + Ord>(&self, phrases: &[Phrase<'_, I>], inflection: Inflection) -> Vec<Mention<I>> {
        let mut mentions: Vec<Mention<I>> = Vec::new();
        for from in 0..self.folded.len() {
            for to in (from + 1)..=(from + MAX_NAME_WORDS).min(self.folded.len()) {
                if [from, to - 1].iter().any(|at| is_conjunction(self.word(*at))) {
                    continue;
                }
                let words = self.folded.get(from..to).unwrap_or_default().iter();
                let words: Vec<String> = words.filter(|word| !is_conjunction(word)).cloned().collect();
                let key = key_of(&words, inflection);
                let fitting = |phrase: &&Phrase<'_, I>| {
                    phrase.key == key || inflection == Inflection::Genitive && self.is_genitive(&key, &phrase.key, to)
                };
                let fitting: Vec<&Phrase<'_, I>> = phrases.iter().filter(fitting).collect();
                let whole = fitting.iter().any(|phrase| !phrase.is_part);
                let fitting: Vec<&&Phrase<'_, I>> = fitting.iter().filter(|phrase| phrase.is_part != whole).collect();
                let is_half = fitting.iter().all(|phrase| phrase.is_half_of_name);
                let is_other =
                    is_half && (self.is_other_person(from, to, phrases) || self.is_other_word(from, phrases));
                let is_titled = inflection == Inflection::Any && from > 0 && is_title(self.word(from - 1));
                let is_owner = self.word(to) == "s" && is_person(self.word(to + 1));
                if fitting.is_empty()
                    || is_owner
                    || is_other
                    || is_titled
                    || inflection == Inflection::Genitive && self.is_caller(from, to, phrases)
                {
                    continue;
                }
                let by_initial: BTreeSet<I> =
                    match self.word(to).chars().next().filter(|_| self.word(to).chars().count() == 1) {
                        Some(initial) => {
                            fitting.iter().filter(|it| it.initial == Some(initial)).map(|it| it.id.clone()).collect()
                        }
                        None => BTreeSet::new(),
                    };
                let all: BTreeSet<I> = fitting.iter().map(|phrase| phrase.id.clone()).collect();
                let ids = if by_initial.is_empty() { all } else { by_initial };
                mentions.push(Mention { from, to, ids: ids.into_iter().collect(), is_part: !whole });
            }
        }
        mentions.sort_by_key(|mention| (mention.is_part, std::cmp::Reverse(mention.to - mention.from), mention.from));
        let mut chosen: Vec<Mention<I>> = Vec::new();
        for mention in mentions {
            if chosen.iter().all(|other| mention.to <= other.from || other.to <= mention.from) {
                chosen.push(mention);
            }
        }
        chosen.sort_by_key(|mention| mention.from);
        chosen
    }

    /// "Haare und Bart schneiden": both are cut.
    fn with_shared_verb<I: Clone + Ord>(
        &self,
        mut found: Vec<Mention<I>>,
        phrases: &[Phrase<'_, I>],
    ) -> Vec<Mention<I>> {
        let shared =
            found.iter().filter(|mention| mention.to - mention.from > 1 && mention.from > 1).find_map(|mention| {
                if !is_conjunction(self.word(mention.from - 1)) {
                    return None;
                }
                let at = mention.from - 2;
                let key = key_of(&[self.word(at).to_owned(), self.word(mention.to - 1).to_owned()], Inflection::Any);
                let ids: BTreeSet<I> =
                    phrases.iter().filter(|phrase| phrase.key == key).map(|phrase| phrase.id.clone()).collect();
                (!ids.is_empty()).then(|| Mention {
                    from: at,
                    to: at + 1,
                    ids: ids.into_iter().collect(),
                    is_part: false,
                })
            });
        if let Some(shared) =
            shared.filter(|shared| found.iter().all(|mention| mention.to <= shared.from || shared.to <= mention.from))
        {
            found.push(shared);
            found.sort_by_key(|mention| mention.from);
        }
        found
    }

    /// Whether something unknown is named together with what was found: as its object, or as one more thing.
    fn is_beside_unknown<I>(&self, found: &[Mention<I>]) -> bool {
        let is_unknown = |at: usize| {
            let word = self.word(at);
            self.is_capital(at)
                && word.chars().count() >= MIN_NEAR
                && !is_filler(word)
                && !is_negation(word)
                && !is_correction(word)
                && !is_in(found, at)
        };
        let is_mark = |at: usize| self.is_after_mark.get(at).copied().unwrap_or(true);
        found.iter().any(|mention| {
            let is_object = mention.from > 0 && is_unknown(mention.from - 1);
            // "Haare und Bart", "Haare, Bart": more than the beard.
            let is_thing = |at: usize| is_unknown(at) || matches!(self.word(at), "haare" | "haar" | "hair");
            let is_joined = |at: usize| is_conjunction(self.word(at));
            let is_before = mention.from > 0
                && (is_mark(mention.from) && is_thing(mention.from - 1)
                    || mention.from > 1 && is_joined(mention.from - 1) && is_thing(mention.from - 2));
            let is_behind = is_unknown(mention.to)
                || is_mark(mention.to) && is_thing(mention.to)
                || is_joined(mention.to) && is_thing(mention.to + 1);
            // "Rasur der Beine"
            let has_object = matches!(self.word(mention.to), "der" | "des" | "of") && is_unknown(mention.to + 1);
            is_object || is_before || is_behind || has_object
        })
    }

    /// "Annas", unless somebody else is named by it: "Annas Kollegin".
    fn is_genitive(&self, key: &str, name: &str, next: usize) -> bool {
        key.strip_suffix('s') == Some(name) && !is_person(self.word(next))
    }

    /// A first name with another last name, or the other way round, is somebody else.
    fn is_other_person<I>(&self, from: usize, to: usize, phrases: &[Phrase<'_, I>]) -> bool {
        let is_foreign = |at: usize| {
            let word = self.word(at);
            self.is_capital(at)
                && word.chars().count() > 1
                && !is_filler(word)
                && !is_title(word)
                && !is_nobodys_wish(word)
                && !is_negation(word)
                && !is_correction(word)
                && !is_conjunction(word)
                && !is_person(word)
                && !is_name(word, phrases)
        };
        let is_joined = |at: usize| self.is_after_mark.get(at).is_some_and(|mark| !mark);
        let before = from.checked_sub(1).is_some_and(|at| is_joined(from) && is_foreign(at) && at > 0);
        let first = from == 1 && is_joined(1) && is_foreign(0);
        before || first || to < self.folded.len() && is_joined(to) && is_foreign(to)
    }

    /// "Diesen Winter", "ich weiß": no names, although they look like one. A name that is another word, too, needs a title
    /// or a preposition before it, or stands alone.
    fn is_other_word<I>(&self, from: usize, phrases: &[Phrase<'_, I>]) -> bool {
        let is_common = matches!(
            self.word(from),
            "winter"
                | "sommer"
                | "herbst"
                | "fruhling"
                | "weiss"
                | "schwarz"
                | "braun"
                | "klein"
                | "gross"
                | "lang"
                | "kurz"
                | "jung"
                | "alt"
                | "frei"
                | "morgen"
                | "abend"
                | "freitag"
                | "montag"
                | "sonntag"
                | "samstag"
                | "mai"
                | "marz"
        );
        let before = from.checked_sub(1).map_or("", |at| self.word(at));
        let stands_between = |word: &str| matches!(word, "" | "oder" | "or" | "und" | "and");
        let is_listed = self.is_capital(from) && stands_between(before) && stands_between(self.word(from + 1));
        let is_named = is_listed
            || phrases.iter().any(|phrase| phrase.is_half_of_name && phrase.key == before)
            || is_title(before)
            || matches!(before, "bei" | "beim" | "zu" | "zur" | "with" | "see" | "egal" | "lieber");
        is_common && self.folded.len() > 1 && !is_named || matches!(before, "ich" | "wer" | "i" | "man")
    }

    /// Somebody who calls, or for whom somebody calls: "Ich heiße Anna", "meine Tochter Anna", "hier Krüger".
    fn is_the_caller(&self, from: usize, to: usize) -> bool {
        let at = |back: usize| from.checked_sub(back).map_or("", |at| self.word(at));
        // Behind a title: "hier ist Frau Müller".
        let skip = usize::from(is_title(at(1)) && !matches!(at(2), "meine" | "my"));
        let (before, earlier) = (at(1 + skip), at(2 + skip));
        let introduces = matches!(before, "heisse" | "heiss" | "bin" | "heisst" | "hier" | "m" | "name")
            || matches!(before, "is" | "ist" | "spricht")
                && matches!(earlier, "name" | "hier" | "this" | "here" | "da")
            || matches!(before, "die" | "der") && matches!(earlier, "ist" | "spricht" | "bin")
            || before == "s" && matches!(earlier, "it" | "bin")
            || before == "ist" && matches!(earlier, "das" | "es")
            || before == "fur" && earlier == "termin"
            || before == "wie" && earlier != "immer"
            || before == "nach"
            || is_relative(before)
                && matches!(earlier, "meine" | "mein" | "meiner" | "meinen" | "meinem" | "my" | "unsere" | "unser");
        let ends = matches!(
            self.word(to),
            "hier" | "spricht" | "apparat" | "mochte" | "will" | "calling" | "speaking" | "wants"
        ) || self.word(to) == "am" && self.word(to + 1) == "apparat"
            || self.word(to) == "mein" && self.word(to + 1) == "name";
        introduces || ends
    }

    /// Somebody who calls, by one name or by both: "ich bin Jörg Weiß".
    fn is_caller<I>(&self, from: usize, to: usize, phrases: &[Phrase<'_, I>]) -> bool {
        if self.is_the_caller(from, to) {
            return true;
        }
        let before = from.checked_sub(1);
        before.is_some_and(|before| is_name(self.word(before), phrases) && self.is_the_caller(before, to))
    }

    fn judge<I: Clone + Ord>(&self, found: Vec<Mention<I>>, phrases: &[Phrase<'_, I>]) -> Outcome<I> {
        let near = self.near_misses(phrases, &found);
        let corrected = (0..self.folded.len()).rev().find(|at| is_correction(self.word(*at)));
        let after = |at: usize| found.iter().filter(|mention| mention.from > at).cloned().collect::<Vec<_>>();
        let (found, is_corrected) = match corrected.map(after) {
            Some(replaced) if !replaced.is_empty() => (replaced, true),
            // "Anna, nein, egal"
            _ if corrected.is_some_and(|at| (at..self.folded.len()).any(|at| self.word(at) == "egal")) => {
                (Vec::new(), true)
            }
            _ => (found, false),
        };
        let from = if is_corrected { corrected.unwrap_or_default() } else { 0 };
        let negations: Vec<usize> = (from..self.folded.len()).filter(|at| is_negation(self.word(*at))).collect();
        let negated: Vec<usize> = negations.iter().filter_map(|at| self.negated_by(*at, &found)).collect();
        let left: Vec<Mention<I>> = found.iter().filter(|mention| !negated.contains(&mention.from)).cloned().collect();
        let whole: Vec<&Mention<I>> = left.iter().filter(|mention| !mention.is_part).collect();
        let parts: Vec<&Mention<I>> = left.iter().filter(|mention| mention.is_part).collect();
        let mut ids: Vec<I> = Vec::new();
        for id in whole.iter().chain(&parts).flat_map(|mention| &mention.ids) {
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        // "Müller, Lena": each fits several, both fit one.
        let common = left.split_first().map(|(first, rest)| {
            first
                .ids
                .iter()
                .filter(|id| rest.iter().all(|mention| mention.ids.contains(id)))
                .cloned()
                .collect::<Vec<I>>()
        });
        let common = common.filter(|common| common.len() == 1);
        let is_settled = common.is_some();
        ids = common.unwrap_or(ids);
        let is_shared = left.iter().any(|mention| mention.ids.len() > 1);
        let is_asked = !is_settled && is_shared || !whole.is_empty() && !parts.is_empty();
        let others_near = near.iter().any(|miss| !ids.contains(&miss.nearly));
        // A negation that is about no name may still turn the wish around.
        let is_unclear = negations.len() > negated.len() || self.has_strange_words(&found);
        match ids.as_slice() {
            [] => Outcome::Nothing {
                is_negated: !negated.is_empty() || !negations.is_empty() && self.has_condition(),
                near,
            },
            _ if others_near => {
                ids.extend(near.into_iter().map(|miss| miss.nearly));
                ids.sort();
                ids.dedup();
                Outcome::Some(NameReading::Ambiguous(ids))
            }
            [id] if !is_unclear => Outcome::Some(NameReading::Known(id.clone())),
            [_] => Outcome::Some(NameReading::Ambiguous(ids)),
            _ if is_asked || is_unclear || !self.are_joined(&left) => Outcome::Some(NameReading::Ambiguous(ids)),
            _ => Outcome::Some(NameReading::Several(ids)),
        }
    }

    /// The name that a negation is about, by its first word: the next one ("nicht färben, nur schneiden"), or the one
    /// before it, where the sentence ends or turns ("Bart nicht, nur Haare schneiden").
    fn negated_by<I>(&self, at: usize, found: &[Mention<I>]) -> Option<usize> {
        let next = found.iter().find(|mention| mention.from > at);
        let before = found.iter().rev().find(|mention| mention.to <= at && at - mention.to <= NEGATED_WITHIN);
        let turns = |next: &Mention<I>| {
            (at + 1..=next.from).any(|between| {
                self.is_after_mark.get(between) == Some(&true)
                    || matches!(self.word(between), "aber" | "nur" | "but" | "just" | "only" | "dafur" | "stattdessen")
            })
        };
        match (next, before) {
            (Some(next), None) => (next.from - at <= NEGATED_WITHIN).then_some(next.from),
            (Some(next), Some(before)) if turns(next) => Some(before.from),
            (Some(next), Some(_)) => (next.from - at <= NEGATED_WITHIN).then_some(next.from),
            (None, before) => before.map(|before| before.from),
        }
    }

    /// Words in small letters that may change what is meant: "Anna war unfreundlich".
    fn has_strange_words<I>(&self, found: &[Mention<I>]) -> bool {
        let is_away = |word: &str| matches!(word, "urlaub" | "krank" | "holiday" | "vacation" | "schon" | "wie");
        (0..self.folded.len()).any(|at| {
            let word = self.word(at);
            if is_away(word) && !matches!(self.word(at + 1), "immer" | "gewohnt") {
                return true;
            }
            let is_other_person =
                is_person(word) && matches!(self.word(at + 1), "von" | "of" | "neben" | "from" | "der" | "die");
            is_other_person
                || !(is_in(found, at)
                    || is_safe(word)
                    || is_word_of_time(word)
                    || self.is_capital(at)
                    || is_filler(word)
                    || is_title(word)
                    || is_conjunction(word)
                    || is_negation(word)
                    || is_correction(word)
                    || is_person(word)
                    || is_nobodys_wish(word)
                    || word.chars().count() < 2
                    || word.chars().all(|c| c.is_ascii_digit()))
        })
    }

    /// Whether names are listed as one wish: "Schneiden und Färben".
    fn are_joined<I>(&self, mentions: &[Mention<I>]) -> bool {
        mentions.windows(2).all(|pair| match pair {
            [one, next] => {
                let is_joining = |at: usize| {
                    is_conjunction(self.word(at))
                        || matches!(
                            self.word(at),
                            "den"
                                | "die"
                                | "das"
                                | "der"
                                | "noch"
                                | "dann"
                                | "auch"
                                | "einmal"
                                | "the"
                                | "a"
                                | "und"
                                | "zu"
                                | "bei"
                                | "beim"
                        )
                };
                let is_marked = self.is_after_mark.get(next.from) == Some(&true);
                (one.to..next.from).all(is_joining) && (one.to < next.from || is_marked)
            }
            _ => true,
        })
    }

    /// "Nur nicht", "ausser": a condition, where "keine Präferenz" is none.
    fn has_condition(&self) -> bool {
        !self.are_all(is_nobodys_wish)
    }

    /// Words that are nearly a name, and no part of one that was found.
    fn near_misses<I: Clone + Ord>(&self, phrases: &[Phrase<'_, I>], found: &[Mention<I>]) -> Vec<NearMiss<I>> {
        let mut near = BTreeSet::new();
        for (at, word) in self.folded.iter().enumerate() {
            // "Annas Kollegin" is no slip of the tongue.
            if is_in(found, at)
                || is_person(self.word(at + 1))
                || word.chars().count() < MIN_NEAR
                || is_filler(word)
                || is_title(word)
                || is_nobodys_wish(word)
            {
                continue;
            }
            for phrase in phrases.iter().filter(|phrase| phrase.words.iter().any(|name| is_near(word, name))) {
                let said = self.raw.get(at).cloned().unwrap_or_default();
                near.insert(NearMiss { said, nearly: phrase.id.clone() });
            }
        }
        near.into_iter().collect()
    }
}

/// Whether the word is inside a name that was found.
fn is_in<I>(found: &[Mention<I>], at: usize) -> bool {
    found.iter().any(|mention| (mention.from..mention.to).contains(&at))
}

/// Whether the word is one of a name.
fn is_name<I>(word: &str, phrases: &[Phrase<'_, I>]) -> bool {
    phrases.iter().any(|phrase| phrase.words.iter().any(|name| name == word))
}

/// "Haarschnitt für Herren" is the haircut for men, if there is one.
fn refine<I: Clone + Ord>(id: I, words: &Words, services: &[Named<'_, I>]) -> NameReading<I> {
    let known = services.iter().filter(|service| *service.id == id);
    let heads: Vec<String> =
        known.flat_map(Named::names).map(|name| key_of(&plain_words(name), Inflection::Any)).collect();
    let narrower = services.iter().filter(|service| *service.id != id).filter(|service| {
        let name = key_of(&plain_words(service.name), Inflection::Any);
        words.folded.iter().filter(|word| word.chars().count() >= MIN_NEAR && !is_filler(word)).any(|word| {
            let key = key_of(std::slice::from_ref(word), Inflection::Any);
            let rest = name.strip_prefix(&key);
            rest.is_some_and(|rest| {
                heads.iter().any(|head| rest.trim_start_matches(['n', 's']) == head || rest == head)
            })
        })
    });
    let narrower: Vec<I> = narrower.map(|service| service.id.clone()).collect();
    match narrower.as_slice() {
        [] => NameReading::Known(id),
        [one] => NameReading::Known(one.clone()),
        _ => NameReading::Ambiguous(narrower),
    }
}

/// Services with a word of the text inside their names.
fn contained<I: Clone + Ord>(words: &Words, services: &[Named<'_, I>]) -> Vec<(String, I)> {
    const MIN_INSIDE: usize = 5;
    let mut found = BTreeSet::new();
    for (word, raw) in words.folded.iter().zip(&words.raw) {
        if word.chars().count() < MIN_INSIDE || is_filler(word) {
            continue;
        }
        let key = key_of(std::slice::from_ref(word), Inflection::Any);
        for service in services {
            let mut names = service.names().flat_map(plain_words);
            if names.any(|name| {
                let name = key_of(&[name], Inflection::Any);
                name.len() >= MIN_INSIDE && (name.contains(&key) || key.contains(&name))
            }) {
                found.insert((raw.clone(), service.id.clone()));
            }
        }
    }
    found.into_iter().collect()
}

/// The letters and digits of a name, word by word.
fn plain_words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric() && !is_joining(c)).filter(|word| !word.is_empty());
    words.map(fold).filter(|word| !is_conjunction(word)).collect()
}

fn is_joining(letter: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&letter)
}

/// Words in a form that is the same in every inflection: `Haare schneiden`, `Haarschnitt`, `Haare geschnitten`.
fn key_of(words: &[String], inflection: Inflection) -> String {
    match inflection {
        Inflection::Genitive => words.concat(),
        Inflection::Any => words.iter().map(|word| stem(word)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAFF: [(&str, &str, &[&str]); 6] = [
        ("anna", "Anna Sommer", &["Änni"]),
        ("mehmet", "Mehmet Yılmaz", &[]),
        ("jana", "Dr. Jana Winter", &[]),
        ("lena-k", "Lena Krüger", &[]),
        ("lena-m", "Lena Müller", &[]),
        ("joerg", "Jörg Weiß", &[]),
    ];
    const SERVICES: [(&str, &str, &[&str]); 7] = [
        ("womens-cut", "Damenhaarschnitt", &["Damenschnitt"]),
        ("mens-cut", "Herrenhaarschnitt", &["Herrenschnitt"]),
        ("cut", "Haarschnitt", &["Schneiden", "Haare schneiden"]),
        ("beard", "Bart", &["Bart schneiden", "Rasur"]),
        ("color", "Farbe", &["Färben", "Haare färben", "Strähnen"]),
        ("wash-cut-dry", "Waschen, Schneiden, Föhnen", &[]),
        ("consultation", "Beratungsgespräch", &["Beratung"]),
    ];

    fn named<'n>(all: &'n [(&'n str, &'n str, &'n [&'n str])]) -> Vec<Named<'n, &'n str>> {
        all.iter().map(|(id, name, aliases)| Named { id, name, aliases: aliases.to_vec() }).collect()
    }

    fn shown(reading: NameReading<&str>) -> String {
        match reading {
            NameReading::Known(id) => id.to_owned(),
            NameReading::Several(ids) => ids.join("+"),
            NameReading::Anyone => "*".to_owned(),
            NameReading::Ambiguous(ids) => format!("? {}", ids.join(" ")),
            NameReading::Unknown { near } => {
                let near: Vec<String> = near.iter().map(|miss| format!(" {}~{}", miss.said, miss.nearly)).collect();
                format!("-{}", near.concat())
            }
        }
    }

    #[test]
    fn services_and_staff_members_are_found_by_what_people_say() {
        let (mut wrong, mut count) = (Vec::new(), 0);
        for line in include_str!("cases.tsv").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [field, said, understood] = fields.as_slice() else { panic!("not three fields: {line}") };
            let found = shown(match *field {
                "staff" => read_staff(Some(said), &named(&STAFF)),
                _ => read_service(Some(said), &named(&SERVICES)),
            });
            count += 1;
            if found != *understood {
                wrong.push(format!("{line}\n    understood as {found}"));
            }
        }
        assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(count >= 200);
        assert_eq!(shown(read_staff(None, &named(&STAFF))), "*", "nothing was said");
    }

    #[test]
    fn what_is_inside_several_names_is_asked() {
        let cuts: Vec<_> = SERVICES.into_iter().take(2).collect();
        assert_eq!(shown(read_service(Some("Haarschnitt"), &named(&cuts))), "? mens-cut womens-cut");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(said in ".{0,80}") {
            read_staff(Some(&said), &named(&STAFF));
            read_service(Some(&said), &named(&SERVICES));
        }
    }
}
