//! Any response of Cal.com, or of a proxy before it.

#![no_main]

use calcom::parse;
use libfuzzer_sys::fuzz_target;
use scheduling::ids::AppointmentId;

fuzz_target!(|input: (u16, &[u8])| {
    let (status, body) = input;
    let _ = (parse::booking(body), parse::list(body), parse::slots(body), parse::category_of(status, body));
    let _ = parse::reassigned(body);
    if let Some(page) = parse::page(body, &AppointmentId::new("a1")) {
        assert!(page.ours.len() <= page.rows.len());
    }
});
