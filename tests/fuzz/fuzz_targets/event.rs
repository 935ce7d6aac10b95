//! The body of a webhook, and the request in it.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use retell::event::Event;
use scheduling::{request::AppointmentRequest, tenant::Tenant};

static SALON: LazyLock<Tenant> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../infra/local/salon-sommer.json")).expect("the salon is a tenant")
});

fuzz_target!(|body: &[u8]| {
    if let Ok(event) = Event::parse(body) {
        let _ = (event.call.business_number(), event.call.bookings());
        let said_at = event.call.began_at().unwrap_or_default();
        for request in AppointmentRequest::all_of_call(&event.call, &SALON, said_at) {
            let _ = (request.dedup_key(&SALON), request.customer.ids(&SALON.id));
        }
    }
});
