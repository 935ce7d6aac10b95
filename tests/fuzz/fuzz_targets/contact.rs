//! Phone numbers, emails and names as callers say them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scheduling::{contact, spoken_contact};

fuzz_target!(|input: (&str, &str)| {
    let (text, other) = input;
    if let Some(number) = contact::phone_number(text, "DE") {
        assert!(number.reveal().starts_with('+') && number.reveal().len() <= 20);
    }
    let _ = contact::email(text);
    if let Some(email) = spoken_contact::email(other) {
        assert!(contact::email(email.reveal()).is_some());
    }
    let _ = (spoken_contact::phone_number(other, "DE"), spoken_contact::name(other), spoken_contact::names_several(other));
    assert!(spoken_contact::shortened(text, 9).chars().count() <= 9);
});
