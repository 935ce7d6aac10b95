//! Contacts: names, phone numbers and emails of customers.

use std::{collections::BTreeSet, str::FromStr, sync::LazyLock};

use email_address::EmailAddress;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{AppointmentId, CustomerId, TenantId},
    personal::Personal,
    spoken_name::words::is_near,
    spoken_time::text::fold,
};

/// The customer, as the call describes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal<String>>,
    /// A number that Cal.com accepts, in E.164 form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Personal<String>>,
    /// A valid email.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// The text given as an email, if it isn't one. A person reads it; it is never guessed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_email: Option<Personal<String>>,
    /// The text given as a phone number, if it isn't one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_phone: Option<Personal<String>>,
}

/// A part of a contact that Cal.com may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactPart {
    /// The phone number.
    Phone,
    /// The email.
    Email,
}

impl Customer {
    /// The ids of this customer: by phone number, then by email, as far as they are known.
    pub fn ids(&self, tenant: &TenantId) -> Vec<CustomerId> {
        let by_phone = self.phone.iter().map(|phone| CustomerId::of_phone(tenant, phone.reveal()));
        by_phone.chain(self.email.iter().map(|email| CustomerId::of_email(tenant, email.reveal()))).collect()
    }

    /// The part of the contact that Cal.com refuses: the one that it names, if it was sent. Without a name it is the
    /// number, which is wrong more often.
    pub fn refused_part(&self, named: Option<ContactPart>) -> ContactPart {
        match named {
            Some(ContactPart::Email) if self.email.is_some() => ContactPart::Email,
            _ if self.phone.is_none() => ContactPart::Email,
            _ => ContactPart::Phone,
        }
    }

    /// Whether anybody can reach them.
    pub fn is_reachable(&self) -> bool {
        self.phone.is_some() || self.email.is_some()
    }

    /// Whether two customers with one contact may be one person: one of them gave no name, or all words of one name are among
    /// those of the other. The members of a family share a number and a last name and have an appointment each.
    pub fn may_be(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.name_words(), other.name_words());
        ours.is_subset(&theirs) || theirs.is_subset(&ours)
    }

    /// Whether a name may be theirs: all words of one are among those of the other.
    pub fn may_be_called(&self, name: &str) -> bool {
        let (ours, theirs) = (self.name_words(), words_of_name(name));
        !theirs.is_empty() && !ours.is_empty() && (ours.is_subset(&theirs) || theirs.is_subset(&ours))
    }

    /// Whether a name may be theirs, also where a word of it was misheard. Anybody's may be whose own is not known.
    pub fn may_be_heard_as(&self, name: &str) -> bool {
        let (ours, theirs) = (self.name_words(), words_of_name(name));
        let is_in = |word: &String, others: &BTreeSet<String>| {
            others.iter().any(|other| word == other || is_near(word, other) || is_near(other, word))
        };
        let all_in = |one: &BTreeSet<String>, other| one.iter().all(|word| is_in(word, other));
        all_in(&ours, &theirs) || all_in(&theirs, &ours)
    }

    /// Whether this is their whole name, first and last.
    pub fn is_called(&self, name: &str) -> bool {
        let words = words_of_name(name);
        words.len() > 1 && words == self.name_words()
    }

    /// The name as a list sorts it: the last word first, then the others, without titles, case and accents.
    pub fn sort_name(&self) -> Option<String> {
        sort_name(self.name.as_ref()?.reveal())
    }

    fn name_words(&self) -> BTreeSet<String> {
        self.name.as_ref().map(|name| words_of_name(name.reveal())).unwrap_or_default()
    }
}

/// A name as a list sorts it: the last word first, then the others. `None` if there is no word in it.
pub fn sort_name(name: &str) -> Option<String> {
    let words: Vec<String> = name_words(name).iter().map(|word| fold(word)).collect();
    let (last, others) = words.split_last()?;
    Some([std::slice::from_ref(last), others].concat().join(" "))
}

/// The words of a name, without titles.
fn words_of_name(name: &str) -> BTreeSet<String> {
    name_words(name).into_iter().collect()
}

fn name_words(name: &str) -> Vec<String> {
    const TITLES: [&str; 8] = ["frau", "herr", "herrn", "dr", "prof", "mr", "mrs", "ms"];
    let name = name.to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.filter(|word| !TITLES.contains(word)).map(str::to_owned).collect()
}

/// Parses a phone number in national or international form, and returns it in E.164 form.
///
/// `country` is the tenant's, as ISO 3166 letters. Hidden callers (`anonymous`, `anonymous_1732460000_ab12`, nothing)
/// and numbers that can't exist return `None`: Cal.com refuses them.
pub fn phone_number(text: &str, country: &str) -> Option<Personal<String>> {
    let number = PhoneNumber::parse(text.trim(), Region::from_str(country).ok()).ok()?;
    let is_written_as_number = text.chars().all(|c| !c.is_alphabetic());
    (is_written_as_number && number.is_valid())
        .then(|| Personal::new(number.format_as(PhoneNumberFormat::E164).into_owned()))
}

/// Whether these letters of ISO 3166 name a country whose phone numbers can be read.
pub fn is_country(letters: &str) -> bool {
    let is_written_right = letters.len() == 2 && letters.chars().all(|letter| letter.is_ascii_uppercase());
    let region = Region::from_str(letters).ok();
    is_written_right && region.is_some_and(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some())
}

/// Loads the numbering plans of all countries. Without this the first phone number does, which takes milliseconds of a
/// whole core.
pub fn load_numbering_plans() {
    LazyLock::force(&PHONE_NUMBER_UTIL);
}

/// Parses an email. A spelled-out one ("max punkt muster at web punkt de") is not one.
pub fn email(text: &str) -> Option<Personal<String>> {
    let address = EmailAddress::from_str(text.trim()).ok()?;
    address.domain().contains('.').then(|| Personal::new(address.email()))
}

/// The placeholder email of a customer without one: at the tenant's own domain, so that no stranger gets mail.
pub fn placeholder_email(appointment: &AppointmentId, domain: &str) -> Personal<String> {
    Personal::new(format!("customer+{appointment}@{domain}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn phone(text: &str) -> Option<String> {
        phone_number(text, "DE").map(|number| number.reveal().clone())
    }

    #[test]
    fn national_and_international_forms_are_one_number() {
        for text in ["030 901820", "+49 30 901820", "0049 30 901820", "(030) 90 18 20", " +4930901820 "] {
            assert_eq!(phone(text).as_deref(), Some("+4930901820"), "{text}");
        }
        assert_eq!(phone("+43 1 5880").as_deref(), Some("+4315880"));
    }

    #[test]
    fn hidden_callers_have_no_number() {
        for text in ["", "anonymous", "Anonymous", "anonymous_1732460000_ab12", "unknown", "+49", "12", "+1 555"] {
            assert_eq!(phone(text), None, "{text}");
        }
    }

    #[test]
    fn one_contact_is_one_person_unless_the_names_differ() {
        let called = |name: &str| Customer {
            name: (!name.is_empty()).then(|| Personal::new(name.to_owned())),
            ..Customer::default()
        };
        for (one, other) in
            [("Sabine Müller", "Frau Müller"), ("", "Max"), ("erika BEISPIEL", "Beispiel, Erika"), ("", "")]
        {
            assert!(called(one).may_be(&called(other)) && called(other).may_be(&called(one)), "{one} {other}");
        }
        for (one, other) in [("Erika Beispiel", "Max Beispiel"), ("Anna", "Ben")] {
            assert!(!called(one).may_be(&called(other)), "{one} {other}");
        }
    }

    #[test]
    fn an_email_that_was_spelled_out_is_not_guessed() {
        assert_eq!(email(" Max.Muster@web.de ").unwrap().reveal(), "Max.Muster@web.de");
        for text in ["max punkt muster at web punkt de", "max@", "@web.de", "max@localhost", ""] {
            assert_eq!(email(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parsers_panic(text in ".{0,80}", country in "[A-Z]{0,3}") {
            if let Some(number) = phone_number(&text, &country) {
                prop_assert!(number.reveal().starts_with('+'));
            }
            if let Some(address) = email(&text) {
                prop_assert!(address.reveal().contains('@'));
            }
        }
    }
}
