//! Whatever Cal.com, or a proxy before it, may answer.

#![no_main]

use calcom::read;
use libfuzzer_sys::fuzz_target;
use scheduling::ids::AppointmentId;

fuzz_target!(|input: (u16, &[u8])| {
    let (status, body) = input;
    let _ = (read::booking(body), read::list(body), read::slots(body), read::category_of(status, body));
    if let Some(page) = read::page(body, &AppointmentId::new("a1")) {
        assert!(page.ours.len() <= page.listed);
    }
});
