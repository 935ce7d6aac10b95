//! The requests and their answers.

use std::{collections::HashMap, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::{
    StandIn,
    calendar::{EventType, Made, is_open, length, new_uid},
    faults::{Fault, FaultKind, RequestKind, Weather},
};

type Answer = Result<Response, IntakeError>;

/// An answer that refuses.
pub(crate) struct IntakeError(Box<Response>);

impl IntoResponse for IntakeError {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Goes on when whoever asked has gone: Cal.com books then, too.
pub(crate) async fn book(State(stand_in): State<StandIn>, headers: HeaderMap, body: Bytes) -> Answer {
    let booked = tokio::spawn(book_for_whoever_asked(stand_in, headers, body)).await;
    booked.unwrap_or_else(|_| Err(refused(StatusCode::INTERNAL_SERVER_ERROR, "the stand-in is broken")))
}

async fn book_for_whoever_asked(stand_in: StandIn, headers: HeaderMap, body: Bytes) -> Answer {
    allowed(&headers, &["2024-08-13", "2026-02-25"])?;
    let asked: Value = serde_json::from_slice(&body).map_err(|_| bad_request("Unexpected token in JSON"))?;
    let id = asked["eventTypeId"].as_u64().ok_or_else(|| bad_request("eventTypeId must be an integer number"))?;
    let after = meet_fault(&stand_in, id, RequestKind::Book).await?;
    let event_type = event_type(&stand_in, id)?;
    let start = time(&asked["start"]).ok_or_else(|| bad_request("start must be a valid ISO 8601 date string"))?;
    let attendee = attendee(&asked["attendee"])?;
    let metadata = metadata(&asked["metadata"])?;
    if start <= Utc::now() {
        return Err(bad_request("Attempting to book a meeting in the past."));
    }
    if !is_open(&event_type, start) {
        return Err(bad_request(
            "The event type can't be booked at the \"start\" time provided. This could be reason it's too soon.",
        ));
    }
    let free = stand_in.calendar().free_hosts(&event_type, start);
    let host = free.into_iter().next().ok_or_else(|| bad_request(conflict(&event_type)))?;
    tokio::time::sleep(Duration::from_millis(event_type.thinks_for)).await;
    let mut calendar = stand_in.calendar();
    let made = Made {
        key: key_of(&headers).to_owned(),
        number: 8000 + calendar.bookings.len() as u64,
        uid: new_uid(),
        event_type: id,
        host,
        start,
        end: start + length(&event_type),
        status: "accepted",
        attendee,
        metadata,
        made_at: Utc::now(),
        attendee_absent: false,
        rescheduled_to: None,
    };
    let answer = calendar.make(made);
    after.or_answer(StatusCode::CREATED, answer)
}

pub(crate) async fn list(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    const KNOWN: [&str; 17] = [
        "attendeeEmail",
        "attendeeName",
        "bookingUid",
        "eventTypeId",
        "eventTypeIds",
        "afterStart",
        "beforeEnd",
        "afterCreatedAt",
        "beforeCreatedAt",
        "afterUpdatedAt",
        "beforeUpdatedAt",
        "status",
        "sortStart",
        "sortUpdatedAt",
        "take",
        "skip",
        "sortCreated",
    ];
    allowed(&headers, &["2024-08-13", "2026-02-25"])?;
    if let Some(unknown) = query.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(bad_request(&format!("property {unknown} should not exist")));
    }
    let ids: Vec<u64> = ["eventTypeId", "eventTypeIds"]
        .iter()
        .filter_map(|key| query.get(*key))
        .flat_map(|ids| ids.split(',').filter_map(|id| id.parse().ok()))
        .collect();
    let after = meet_fault(&stand_in, ids.first().copied().unwrap_or_default(), RequestKind::List).await?;
    let bound = |key: &str| query.get(key).and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let (after_start, before_end, after_created) = (bound("afterStart"), bound("beforeEnd"), bound("afterCreatedAt"));
    let page = |key: &str, default: usize| query.get(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (take, skip) = (page("take", 100), page("skip", 0));
    if !(1..=250).contains(&take) {
        return Err(bad_request("take must not be greater than 250"));
    }
    let calendar = stand_in.calendar();
    let key = key_of(&headers);
    let fits = |made: &&Made| {
        made.key == key
            && (ids.is_empty() || ids.contains(&made.event_type))
            && after_start.is_none_or(|bound| made.start > bound)
            && after_created.is_none_or(|bound| made.made_at > bound)
            && before_end.is_none_or(|bound| made.end <= bound)
            && query.get("attendeeEmail").is_none_or(|email| made.attendee["email"] == json!(email))
    };
    let found: Vec<Value> = calendar
        .bookings
        .iter()
        .filter(fits)
        .skip(skip)
        .take(take)
        .map(|made| calendar.shown(made, RequestKind::List))
        .collect();
    after.or_answer(StatusCode::OK, Value::Array(found))
}

pub(crate) async fn get(State(stand_in): State<StandIn>, headers: HeaderMap, Path(uid): Path<String>) -> Answer {
    about_booking(stand_in, &headers, &uid, RequestKind::Get, |_| {}).await
}

pub(crate) async fn cancel(State(stand_in): State<StandIn>, headers: HeaderMap, Path(uid): Path<String>) -> Answer {
    about_booking(stand_in, &headers, &uid, RequestKind::Cancel, |made| {
        made.status = "cancelled";
    })
    .await
}

pub(crate) async fn reschedule(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    Path(uid): Path<String>,
    Json(asked): Json<Value>,
) -> Answer {
    let start = time(&asked["start"]).ok_or_else(|| bad_request("start must be a valid ISO 8601 date string"))?;
    let replacement = {
        let mut calendar = stand_in.calendar();
        let made = calendar.find(&uid).ok_or_else(|| not_found(&format!("Booking with uid={uid} was not found")))?;
        let uid = new_uid();
        let lasted = made.end - made.start;
        let next = Made { uid: uid.clone(), start, end: start + lasted, ..made.clone() };
        (made.status, made.rescheduled_to) = ("cancelled", Some(uid.clone()));
        calendar.make(next);
        uid
    };
    about_booking(stand_in, &headers, &replacement, RequestKind::Reschedule, |_| {}).await
}

pub(crate) async fn slots(
    State(stand_in): State<StandIn>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    allowed(&headers, &["2024-09-04"])?;
    let text = |key: &str| query.get(key).ok_or_else(|| bad_request(&format!("{key} should not be empty")));
    let id: u64 = text("eventTypeId")?.parse().map_err(|_| bad_request("eventTypeId must be a number"))?;
    let after = meet_fault(&stand_in, id, RequestKind::Slots).await?;
    let event_type = event_type(&stand_in, id)?;
    let bound = |key: &str| text(key)?.parse::<DateTime<Utc>>().map_err(|_| bad_request("Invalid date"));
    let zone: Tz =
        query.get("timeZone").map_or(Ok(Tz::UTC), |zone| zone.parse()).map_err(|_| bad_request("timeZone"))?;
    let (from, to) = (bound("start")?, bound("end")?);
    let slots = stand_in.calendar().slots(&event_type, from, to, zone);
    after.or_answer(StatusCode::OK, slots)
}

pub(crate) async fn put_event_type(
    State(stand_in): State<StandIn>,
    Path(id): Path<u64>,
    Json(event_type): Json<EventType>,
) -> StatusCode {
    stand_in.offer([EventType { id, ..event_type }]);
    StatusCode::NO_CONTENT
}

pub(crate) async fn order_fault(
    State(stand_in): State<StandIn>,
    Path(id): Path<u64>,
    Json(fault): Json<Fault>,
) -> StatusCode {
    stand_in.calendar().faults.push((id, fault));
    StatusCode::NO_CONTENT
}

pub(crate) async fn bookings_of(State(stand_in): State<StandIn>, Path(id): Path<u64>) -> Json<Vec<Value>> {
    let calendar = stand_in.calendar();
    let of_it = calendar.bookings.iter().filter(|made| made.event_type == id && made.status != "cancelled");
    Json(of_it.map(|made| calendar.shown(made, RequestKind::Get)).collect())
}

/// Every booking that stands, of whatever event type.
pub(crate) async fn all_bookings(State(stand_in): State<StandIn>) -> Json<Vec<Value>> {
    let calendar = stand_in.calendar();
    let standing = calendar.bookings.iter().filter(|made| made.status != "cancelled");
    let told = |made: &Made| {
        json!({"uid": made.uid, "host": made.host.id, "start": made.start, "end": made.end, "metadata": made.metadata,
               "attendee": made.attendee})
    };
    Json(standing.map(told).collect())
}

/// Takes the hosts out of an answer, wherever they stand.
pub(crate) async fn without_hosts(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Ok(mut told) = serde_json::from_slice::<Value>(&body) else { return Response::from_parts(head, body.into()) };
    let drop_hosts = |booking: &mut Value| {
        booking.as_object_mut().map(|booking| booking.remove("hosts"));
    };
    match &mut told["data"] {
        Value::Array(bookings) => bookings.iter_mut().for_each(drop_hosts),
        booking => drop_hosts(booking),
    }
    head.headers.remove("content-length");
    Response::from_parts(head, told.to_string().into())
}

/// Notes that a booking's attendee did not come.
pub(crate) async fn note_absent(State(stand_in): State<StandIn>, Path(uid): Path<String>) -> StatusCode {
    match stand_in.calendar().find(&uid) {
        Some(made) => {
            made.attendee_absent = true;
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

/// Has faults come by chance from now on.
pub(crate) async fn put_weather(State(stand_in): State<StandIn>, Json(weather): Json<Weather>) -> StatusCode {
    stand_in.calendar().weather = Some(weather.into());
    StatusCode::NO_CONTENT
}

pub(crate) async fn requests_of(State(stand_in): State<StandIn>, Path(id): Path<u64>) -> Json<Value> {
    let calendar = stand_in.calendar();
    let of_it = calendar.requests.iter().filter(|((event_type, _), _)| *event_type == id);
    let counts = of_it.map(|((_, kind), count)| {
        let name = serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned));
        (name.unwrap_or_default(), json!(count))
    });
    Json(Value::Object(counts.collect()))
}

async fn about_booking(
    stand_in: StandIn,
    headers: &HeaderMap,
    uid: &str,
    kind: RequestKind,
    change: impl FnOnce(&mut Made),
) -> Answer {
    allowed(headers, &["2024-08-13", "2026-02-25"])?;
    let unknown = || not_found(&format!("Booking with uid={uid} was not found in the database"));
    let id = stand_in.calendar().find(uid).ok_or_else(unknown)?.event_type;
    let after = meet_fault(&stand_in, id, kind).await?;
    let mut calendar = stand_in.calendar();
    let made = calendar.find(uid).ok_or_else(unknown)?;
    change(made);
    let made = made.clone();
    let shown = calendar.shown(&made, kind);
    after.or_answer(StatusCode::OK, shown)
}

/// What a fault leaves to happen once the work is done.
enum After {
    Nothing,
    AnswerLost,
}

impl After {
    fn or_answer(self, status: StatusCode, data: Value) -> Answer {
        match self {
            Self::Nothing => Ok((status, Json(json!({"status": "success", "data": data}))).into_response()),
            Self::AnswerLost => {
                Err(IntakeError(Box::new((StatusCode::BAD_GATEWAY, "<html>502 Bad Gateway</html>").into_response())))
            }
        }
    }
}

async fn meet_fault(stand_in: &StandIn, event_type: u64, request: RequestKind) -> Result<After, IntakeError> {
    let fault = {
        let mut calendar = stand_in.calendar();
        *calendar.requests.entry((event_type, request)).or_default() += 1;
        let ordered = calendar
            .faults
            .iter_mut()
            .find(|(of, fault)| *of == event_type && fault.request == request && fault.times > 0);
        let ordered = ordered.map(|(_, fault)| {
            fault.times -= 1;
            fault.kind.clone()
        });
        ordered.or_else(|| calendar.weather.as_mut()?.next(request))
    };
    match fault {
        None => Ok(After::Nothing),
        Some(FaultKind::AnswerLost) => Ok(After::AnswerLost),
        Some(FaultKind::Slow { milliseconds }) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Ok(After::Nothing)
        }
        Some(FaultKind::Body { status, text }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Err(IntakeError(Box::new((status, text).into_response())))
        }
        Some(FaultKind::Refused { status, message, headers }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = refused(status, &message);
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                    response.0.headers_mut().insert(name, value);
                }
            }
            Err(response)
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn key_of(headers: &HeaderMap) -> &str {
    text(headers, "authorization").trim_start_matches("Bearer ")
}

/// Keys start with `cal_`, and every request names its version.
fn allowed(headers: &HeaderMap, versions: &[&str]) -> Result<(), IntakeError> {
    if !key_of(headers).starts_with("cal_") {
        return Err(refused(StatusCode::UNAUTHORIZED, "Invalid API key"));
    }
    if !versions.contains(&text(headers, "cal-api-version")) {
        return Err(not_found("Cannot be found in this version of the API"));
    }
    Ok(())
}

fn event_type(stand_in: &StandIn, id: u64) -> Result<EventType, IntakeError> {
    let found = stand_in.calendar().event_types.get(&id).cloned();
    found.ok_or_else(|| not_found(&format!("Event type with id {id} not found.")))
}

fn attendee(asked: &Value) -> Result<Value, IntakeError> {
    let text = |key: &str| asked[key].as_str().filter(|text| !text.is_empty());
    if text("name").is_none() || text("timeZone").is_none() {
        return Err(bad_request("attendee.name and attendee.timeZone must be strings"));
    }
    if let Some(number) = text("phoneNumber") {
        let is_international = phonenumber::parse(None, number).is_ok_and(|number| number.is_valid());
        if !is_international {
            return Err(bad_request("attendee.phoneNumber must be a valid phone number"));
        }
    } else if text("email").is_none() {
        return Err(bad_request("attendee must have an email or a phoneNumber"));
    }
    Ok(asked.clone())
}

fn metadata(asked: &Value) -> Result<Value, IntakeError> {
    let fits = |(key, value): (&String, &Value)| match value {
        Value::String(text) => key.len() <= 40 && text.len() <= 500,
        Value::Number(_) | Value::Bool(_) => key.len() <= 40,
        _ => false,
    };
    match asked {
        Value::Null => Ok(json!({})),
        Value::Object(map) if map.len() <= 50 && map.iter().all(fits) => Ok(asked.clone()),
        _ => Err(bad_request("metadata must have at most 50 keys, each up to 40 characters")),
    }
}

fn conflict(event_type: &EventType) -> &'static str {
    match event_type.hosts.len() {
        1 => "User either already has booking at this time or is not available",
        _ => "One of the hosts either already has booking at this time or is not available",
    }
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

fn bad_request(message: &str) -> IntakeError {
    refused(StatusCode::BAD_REQUEST, message)
}

fn not_found(message: &str) -> IntakeError {
    refused(StatusCode::NOT_FOUND, message)
}

fn refused(status: StatusCode, message: &str) -> IntakeError {
    let code = if status == StatusCode::BAD_REQUEST { "BadRequestException" } else { "Exception" };
    let error =
        json!({"code": code, "message": message, "details": {"message": message, "statusCode": status.as_u16()}});
    let body = json!({"status": "error", "timestamp": Utc::now().to_rfc3339(), "path": "/v2", "error": error});
    IntakeError(Box::new((status, Json(body)).into_response()))
}
