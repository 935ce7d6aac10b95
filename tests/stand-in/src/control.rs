//! `/_stand-in/...`: what tests put in, order, and count.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use crate::{
    StandIn,
    booking::{Made, ShownIn},
    event_type::EventType,
    faults::{Fault, Weather},
    world::Content,
};

pub(crate) async fn put_content(State(stand_in): State<StandIn>, Json(content): Json<Content>) -> StatusCode {
    stand_in.put(content);
    StatusCode::NO_CONTENT
}

pub(crate) async fn put_event_type(
    State(stand_in): State<StandIn>,
    Path(id): Path<u64>,
    Json(event_type): Json<EventType>,
) -> StatusCode {
    stand_in.world().offer(EventType { id, ..event_type });
    StatusCode::NO_CONTENT
}

pub(crate) async fn order_fault(
    State(stand_in): State<StandIn>,
    Path(id): Path<u64>,
    Json(fault): Json<Fault>,
) -> StatusCode {
    stand_in.world().faults.push((id, fault));
    StatusCode::NO_CONTENT
}

/// All active bookings of an event type. Neither the rights of a key nor the lag of a replica hides any.
pub(crate) async fn bookings_of(State(stand_in): State<StandIn>, Path(id): Path<u64>) -> Json<Vec<Value>> {
    let world = stand_in.world();
    let numbered = world.bookings.iter().enumerate();
    let of_it = numbered.filter(|(_, made)| made.event_type == id && made.is_active());
    Json(of_it.map(|(number, made)| made.shown(&world, number, ShownIn::Read)).collect())
}

/// Every active booking of every event type.
pub(crate) async fn all_bookings(State(stand_in): State<StandIn>) -> Json<Vec<Value>> {
    let world = stand_in.world();
    let shown = |made: &Made| {
        let attendee = made.attendees.first();
        json!({"uid": made.uid, "host": made.host.id, "start": made.start, "end": made.end,
               "event_type": made.event_type, "metadata": made.metadata,
               "attendee": {"name": attendee.map(|it| &it.name), "email": attendee.map(|it| &it.email),
                            "phoneNumber": attendee.and_then(|it| it.phone.as_ref())}})
    };
    Json(world.bookings.iter().filter(|made| made.is_active()).map(shown).collect())
}

/// Notes that the first attendee of a booking did not come, before its start.
pub(crate) async fn note_absent(State(stand_in): State<StandIn>, Path(uid): Path<String>) -> StatusCode {
    let mut world = stand_in.world();
    let noted = world.change(&uid, |made| {
        made.attendees.iter_mut().take(1).for_each(|attendee| attendee.is_absent = true);
    });
    if noted.is_some() { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

/// Makes faults come by chance from now on.
pub(crate) async fn put_weather(State(stand_in): State<StandIn>, Json(weather): Json<Weather>) -> StatusCode {
    stand_in.world().weather = Some(weather.into());
    StatusCode::NO_CONTENT
}

/// How many requests of each kind came for an event type.
pub(crate) async fn requests_of(State(stand_in): State<StandIn>, Path(id): Path<u64>) -> Json<Value> {
    let world = stand_in.world();
    let of_it = world.requests.iter().filter(|((event_type, _), _)| *event_type == id);
    let counts = of_it.map(|((_, kind), count)| {
        let name = serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned));
        (name.unwrap_or_default(), json!(count))
    });
    Json(Value::Object(counts.collect()))
}
