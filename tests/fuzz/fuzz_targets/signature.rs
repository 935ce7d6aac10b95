//! A signature header and a body from anyone.

#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use retell::signature::Signature;
use secrecy::SecretString;

fuzz_target!(|input: (&str, &[u8], i64)| {
    let (header, body, now) = input;
    let key = SecretString::from("key".to_owned());
    let Some(now) = DateTime::from_timestamp_millis(now) else { return };
    if let Ok(signature) = Signature::parse(Some(header)) {
        let _ = signature.signer_of(body, [((), &key)], now);
    }
});
