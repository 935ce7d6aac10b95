//! `/v2/slots/reservations`: a slot is hidden from others for some minutes.

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    booking::iso,
    call::{After, Call},
    refusal::{Answer, Refusal},
    world::Reservation,
};

const USUAL_MINUTES: i64 = 5;

pub(crate) fn reserve(call: &Call) -> Answer {
    let body = call.json()?;
    let minutes = body["reservationDuration"].as_i64();
    if minutes.is_some() && call.user().is_none() {
        return Err(Refusal::unauthorized(
            "reservationDuration can only be used for authenticated requests - use access token, api key or OAuth \
             credentials",
        ));
    }
    let mut world = call.stand_in.world();
    let id = body["eventTypeId"].as_u64().unwrap_or_default();
    let event_type = world.event_types.get(&id).cloned();
    let event_type = event_type.ok_or_else(|| Refusal::not_found("Event Type not found"))?;
    let start: Option<DateTime<Utc>> = body["slotStart"].as_str().and_then(|text| text.parse().ok());
    let start = start.ok_or_else(|| Refusal::bad_request("Invalid start date"))?;
    if world.free_hosts(&event_type, start, None, &[]).is_empty() {
        return Err(Refusal::unprocessable("Can't reserve a slot if the event is already booked."));
    }
    let now = world.now();
    let blocks = |it: &Reservation| it.event_type == id && it.start == start && it.until > now;
    if world.reservations.iter().any(blocks) {
        return Err(Refusal::unprocessable(
            "This time slot is already reserved by another user. Please choose a different time.",
        ));
    }
    let minutes = minutes.unwrap_or(USUAL_MINUTES);
    let reservation = Reservation {
        uid: Uuid::new_v4().to_string(),
        event_type: id,
        start,
        end: start + event_type.length(),
        until: now + TimeDelta::minutes(minutes),
    };
    let mut shown = form(&reservation);
    shown["reservationDuration"] = json!(minutes);
    world.reservations.push(reservation);
    After::Nothing.or_answer(StatusCode::CREATED, shown)
}

pub(crate) fn show(call: &Call, uid: &str) -> Answer {
    let world = call.stand_in.world();
    let found = world.reservations.iter().find(|reservation| reservation.uid == uid);
    let found = found.ok_or_else(|| Refusal::not_found(format!("Reservation with uid={uid} not found")))?;
    After::Nothing.or_answer(StatusCode::OK, form(found))
}

pub(crate) fn delete(call: &Call, uid: &str) -> Answer {
    call.stand_in.world().reservations.retain(|reservation| reservation.uid != uid);
    After::Nothing.or_body(StatusCode::OK, json!({"status": "success"}))
}

fn form(reservation: &Reservation) -> Value {
    json!({
        "eventTypeId": reservation.event_type, "slotStart": iso(reservation.start), "slotEnd": iso(reservation.end),
        "slotDuration": (reservation.end - reservation.start).num_minutes(), "reservationUid": reservation.uid,
        "reservationUntil": iso(reservation.until),
    })
}
