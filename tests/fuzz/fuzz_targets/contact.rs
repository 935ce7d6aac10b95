//! Phone numbers, emails and times as callers say them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scheduling::{contact, start_time};

fuzz_target!(|input: (&str, &str)| {
    let (text, other) = input;
    if let Some(number) = contact::phone_number(text, "DE") {
        assert!(number.reveal().starts_with('+') && number.reveal().len() <= 20);
    }
    let _ = contact::email(text);
    let berlin = "Europe/Berlin".parse().expect("a zone");
    let _ = start_time::read_start(Some(text), berlin);
    let _ = start_time::read_date_and_time(Some(text), Some(other), berlin);
});
