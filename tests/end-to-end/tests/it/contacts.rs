//! Whose booking Cal.com returned, and with which contact it was made.

use end_to_end::{Salon, SalonForm, soon};
use scheduling::{
    appointment::{Appointment, ReviewReason, State, StateName},
    failure::Category,
};
use serde_json::{Value, json};

/// The booking at Cal.com that was made for an appointment.
async fn booking_of(salon: &Salon, appointment: &Appointment) -> Value {
    let all = salon.bookings_of(salon.haircut()).await;
    let is_it = |booking: &Value| booking["metadata"]["frontdeskAppointmentId"] == json!(appointment.id);
    all.into_iter().find(is_it).unwrap_or_else(|| panic!("{appointment:?} has no booking"))
}

#[tokio::test]
async fn mother_and_child_with_one_contact_have_a_booking_each() {
    let salon = Salon::open().await;
    let start = soon(10, 0).0;
    let of = |name: &str| {
        salon.call(json!({"service": "Haarschnitt", "appointment_start": start, "customer_name": name,
                          "customer_phone": "030 9018204", "customer_email": "familie@beispiel.example"}))
    };
    let (mother, child) = (salon.settle(&of("Erika Beispiel")).await, salon.settle(&of("Max Beispiel")).await);
    assert_eq!((mother.state().name(), child.state().name()), (StateName::Assigned, StateName::Assigned));
    assert_ne!(mother.booking().unwrap().uid, child.booking().unwrap().uid);
    let (mothers, childs) = (booking_of(&salon, &mother).await, booking_of(&salon, &child).await);
    assert_eq!(mothers["attendees"][0]["email"], json!("familie@beispiel.example"));
    assert_eq!(childs["attendees"][0]["name"], json!("Max Beispiel"));
    assert_eq!(
        childs["attendees"][0]["phoneNumber"], mothers["attendees"][0]["phoneNumber"],
        "the salon can call back"
    );
}

#[tokio::test]
async fn a_customer_who_has_booked_the_same_online_is_for_a_person_to_decide() {
    let salon = Salon::open().await;
    let (spoken, start) = soon(10, 0);
    let body = json!({"start": start, "eventTypeId": salon.haircut(), "attendee": {
        "name": "Erika", "timeZone": "Europe/Berlin", "email": format!("erika@{}.example", salon.tenant)}});
    let online = salon.post_as(salon.host("anna"), "/v2/bookings", &body).await;
    let call = salon.call(json!({"service": "Haarschnitt", "appointment_start": spoken, "customer_phone": null,
                                 "customer_email": body["attendee"]["email"]}));
    let mut call = call;
    call.body["call"]["from_number"] = json!("anonymous");
    let appointment = salon.settle(&call).await;
    let State::NeedsReview { reason, detail, .. } = appointment.state() else { panic!("{appointment:?}") };
    assert_eq!(*reason, ReviewReason::Booking(Category::BookerLimit));
    assert_eq!(detail.as_deref(), online["data"]["uid"].as_str());
}

#[tokio::test]
async fn a_caller_without_an_email_is_booked_by_the_first_request_with_number_and_placeholder() {
    let salon = Salon::open().await;
    let call = salon.call(json!({"service": "Haarschnitt", "appointment_start": soon(10, 0).0,
                                 "customer_email": null, "customer_phone": "030 9018205"}));
    let appointment = salon.settle(&call).await;
    assert_eq!(appointment.state().name(), StateName::Assigned);
    let attendee = &booking_of(&salon, &appointment).await["attendees"][0];
    let placeholder = format!("customer+{}@{}.example", appointment.id, salon.tenant);
    assert_eq!((&attendee["phoneNumber"], &attendee["email"]), (&json!("+49309018205"), &json!(placeholder)));
    assert_eq!(salon.requests().await, json!({"slots": 1, "book": 1}));
}

#[tokio::test]
async fn an_event_type_that_needs_a_number_gets_no_caller_without_one() {
    let event_type = json!({"is_phone_required": true});
    let salon = Salon::with(SalonForm { event_type, ..SalonForm::default() }).await;
    let mut call = salon.call(json!({"service": "Haarschnitt", "appointment_start": soon(10, 0).0,
                                     "customer_phone": null}));
    call.body["call"]["from_number"] = json!("anonymous_1_a");
    let appointment = salon.settle(&call).await;
    let State::NeedsReview { reason, detail, .. } = appointment.state() else { panic!("{appointment:?}") };
    assert_eq!(*reason, ReviewReason::Booking(Category::InvalidContact));
    assert!(detail.as_deref().unwrap().contains("phone number"), "{detail:?}");
}

#[tokio::test]
async fn notes_the_wished_staff_member_and_the_call_reach_the_staff() {
    let salon = Salon::open().await;
    let call = salon.call(json!({"service": "Haarschnitt", "appointment_start": soon(10, 0).0,
                                 "staff_member": "Ben", "notes": "Allergie gegen Ammoniak"}));
    let appointment = salon.settle(&call).await;
    let expected = format!("Allergie gegen Ammoniak\nGewünscht: Ben Tal\nAnruf: {}", call.id);
    let booking = booking_of(&salon, &appointment).await;
    assert_eq!(booking["bookingFieldsResponses"]["notes"], json!(expected));
    assert_eq!(booking["description"], json!(expected), "the host reads it");
    let exchanges = salon.stack.appointments.exchanges(&appointment.id).await.unwrap();
    assert!(exchanges.iter().all(|stored| !stored.exchange.request.contains("Ammoniak")), "{exchanges:?}");
}
