//! `POST /v2/bookings`.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    booking::{Attendee, Made, ShownIn},
    call::Call,
    event_type::{EventType, Scheduling},
    faults::RequestKind,
    refusal::{Answer, Refusal},
    world::{Generation, User, World},
};

/// The languages in which Cal.com writes, in the order of its own error message.
const LANGUAGES: &str = "ar, ca, de, es, eu, he, id, ja, lv, pl, ro, sr, th, vi, az, cs, el, es-419, fi, hr, it, km, nl, pt, ru, sv, \
                         tr, zh-CN, bg, da, en, et, fr, hu, iw, ko, no, pt-BR, sk, ta, uk, zh-TW, bn";

/// A request to book, as the validator lets it pass.
struct Wanted {
    start: DateTime<Utc>,
    name: String,
    time_zone: String,
    language: String,
    email: Option<String>,
    phone: Option<String>,
    metadata: Value,
    responses: Value,
    hosts: Vec<u64>,
}

pub(crate) async fn book(call: &Call) -> Answer {
    let body = call.json()?;
    let id = body["eventTypeId"].as_u64();
    let after = call.meet_fault(id.unwrap_or_default(), RequestKind::Book).await?;
    let wanted = validate(&body)?;
    let id =
        id.ok_or_else(|| Refusal::bad_request("eventTypeId property is wrong,eventTypeId must be an integer number "))?;
    let found = call.stand_in.world().event_types.get(&id).cloned();
    let event_type = found.ok_or_else(|| Refusal::not_found(format!("Event type with id {id} not found.")))?;
    let host = {
        let mut world = call.stand_in.world();
        check(&world, call.user(), &event_type, &body, &wanted)?;
        if event_type.seats.is_some()
            && let Some(seated) = take_seat(&mut world, &event_type, &wanted)?
        {
            return after.or_answer(StatusCode::CREATED, seated);
        }
        if let Some(existing) = existing_of_contact(&world, &event_type, &wanted) {
            return after.or_answer(StatusCode::CREATED, existing);
        }
        choose_host(&world, &event_type, wanted.start, None, &wanted.hosts)?
    };
    tokio::time::sleep(Duration::from_millis(event_type.thinks_for)).await;
    let mut world = call.stand_in.world();
    let starts = (0..event_type.weekly.unwrap_or(1)).map(|week| wanted.start + TimeDelta::weeks(week.into()));
    let series = event_type.weekly.map(|_| Uuid::new_v4().to_string());
    let mut shown = Vec::new();
    for start in starts {
        if !event_type.must_be_confirmed && world.is_identical_taken(host.id, start, start + event_type.length()) {
            return Err(Refusal::bare(409, "booking_conflict_error"));
        }
        let made = new_booking(&world, &event_type, &host, start, &wanted, series.clone());
        let number = world.bookings.len();
        let made = world.insert(made).clone();
        shown.push(made.shown(&world, number, ShownIn::Booked));
    }
    let shown = match (event_type.weekly, shown.len()) {
        (None, 1) => shown.remove(0),
        _ => Value::Array(shown),
    };
    after.or_answer(StatusCode::CREATED, shown)
}

/// What Cal.com's validator checks, before it looks anything up.
fn validate(body: &Value) -> Result<Wanted, Refusal> {
    const KNOWN: [&str; 11] = [
        "start",
        "eventTypeId",
        "eventTypeSlug",
        "attendee",
        "guests",
        "lengthInMinutes",
        "metadata",
        "bookingFieldsResponses",
        "rrHostSubsetIds",
        "location",
        "meetingUrl",
    ];
    let wrong =
        |property: &str, problem: &str| Refusal::bad_request(format!("{property} property is wrong,{problem} "));
    if let Some(unknown) = body.as_object().and_then(|body| body.keys().find(|key| !KNOWN.contains(&key.as_str()))) {
        return Err(wrong(unknown, &format!("property {unknown} should not exist")));
    }
    if body.get("eventTypeId").is_some_and(|id| id.as_u64().is_none()) {
        return Err(wrong("eventTypeId", "eventTypeId must be an integer number"));
    }
    let start = body["start"].as_str().and_then(|text| text.parse().ok());
    let start = start.ok_or_else(|| wrong("start", "start must be a valid ISO 8601 date string"))?;
    let attendee = &body["attendee"];
    let text = |key: &str| attendee[key].as_str().map(str::to_owned);
    let nested = |field: &str, problem: &str| {
        Refusal::bad_request(format!("attendee property is wrong, {field} property is wrong,{problem} "))
    };
    let time_zone = text("timeZone").filter(|zone| zone.parse::<Tz>().is_ok());
    let time_zone = time_zone.ok_or_else(|| nested("timeZone", "timeZone must be a valid IANA time-zone"))?;
    let language = text("language");
    if language.as_deref().is_some_and(|language| !LANGUAGES.split(", ").any(|known| known == language)) {
        let problem = format!("language must be one of the following values: {LANGUAGES}");
        return Err(nested("language", &problem));
    }
    if attendee["email"].is_null() && attendee["phoneNumber"].is_null() {
        return Err(nested(
            "attendee email or phone",
            "Attendee must have at least one contact method (email or phone number)",
        ));
    }
    let metadata = body.get("metadata").cloned().unwrap_or_else(|| json!({}));
    check_metadata(&metadata)?;
    let wanted = body["rrHostSubsetIds"].as_array();
    Ok(Wanted {
        start,
        name: text("name").unwrap_or_default(),
        time_zone,
        language: language.unwrap_or_else(|| "en".to_owned()),
        email: text("email"),
        phone: text("phoneNumber"),
        metadata,
        responses: body.get("bookingFieldsResponses").cloned().unwrap_or_else(|| json!({})),
        hosts: wanted.into_iter().flatten().filter_map(Value::as_u64).collect(),
    })
}

fn check_metadata(metadata: &Value) -> Result<(), Refusal> {
    let too_large = || {
        Refusal::bad_request(
            "metadata property is wrong,Metadata must have at most 50 keys, each key up to 40 characters, and string \
             values up to 500 characters. ",
        )
    };
    let map = metadata.as_object().ok_or_else(too_large)?;
    let fits = |(key, value): (&String, &Value)| key.len() <= 40 && value.as_str().is_none_or(|text| text.len() <= 500);
    if map.len() > 50 || !map.iter().all(fits) {
        return Err(too_large());
    }
    let is_number = |(_, value): &(&String, &Value)| !value.is_string();
    match map.iter().find(is_number) {
        Some((key, _)) => Err(Refusal::booking_field(format!("metadata.{key} - Expected string, received number, "))),
        None => Ok(()),
    }
}

/// What Cal.com checks of a request that is valid in itself.
fn check(
    world: &World,
    user: Option<&User>,
    event_type: &EventType,
    body: &Value,
    wanted: &Wanted,
) -> Result<(), Refusal> {
    if event_type.is_managed_parent {
        return Err(Refusal::bad_request(
            "Event type is a parent managed event type that can't be booked. Please, book one of its children.",
        ));
    }
    if event_type.hosts.is_empty() {
        return Err(Refusal::unprocessable(
            "Can't book this team event type because it has no hosts. Please, add at least 1 host to this team event type.",
        ));
    }
    if event_type.wants_login {
        return Err(Refusal::forbidden(
            "checkBookingRequiresAuthentication - user is not authorized to access this event type.",
        ));
    }
    if wanted.start <= world.now() {
        return Err(Refusal::bad_request("Attempting to book a meeting in the past."));
    }
    if !body["lengthInMinutes"].is_null() {
        return Err(Refusal::bad_request(
            "Can't specify 'lengthInMinutes' because event type does not have multiple possible lengths. Please, \
             remove the 'lengthInMinutes' field from the request.",
        ));
    }
    let unanswered = event_type.required_fields.iter().find(|field| wanted.responses[&field.slug].is_null());
    if let Some(field) = unanswered {
        return Err(Refusal::bad_request(format!(
            "Missing required booking field response: {} - it is required by the event type booking fields, but \
             missing in the bookingFieldsResponses. You can fetch the event type with ID {} to see the required fields.",
            field.slug, event_type.id
        )));
    }
    if event_type.is_one_per_attendee
        && let Some(existing) = active_of_email(world, event_type, wanted)
    {
        return Err(Refusal::bad_request(format!(
            "Attendee with this email can't book because the maximum number of active bookings has been reached. You \
             can reschedule your existing booking ({existing}) to a new timeslot instead.",
        )));
    }
    check_responses(event_type, wanted)?;
    if event_type.verifies_email {
        return Err(Refusal::bare(400, "email_verification_required"));
    }
    check_email(world, user, wanted)?;
    if event_type.price > 0 {
        return Err(Refusal::bare(400, "Missing payment credentials"));
    }
    if !event_type.is_in_window(wanted.start, world.now()) {
        let end = match world.generation {
            Generation::December2025 => ": https://cal.com/docs/api-reference/v2/slots",
            Generation::July2026 | Generation::Hosted => ".",
        };
        return Err(Refusal::bad_request(format!(
            "The event type can't be booked at the \"start\" time provided. This could be because it's too soon \
             (violating the minimum booking notice) or too far in the future (outside the event's scheduling window). \
             Try fetching available slots first using the GET /v2/slots endpoint and then make a booking with \
             \"start\" time equal to one of the available slots{end}"
        )));
    }
    if event_type.is_one_per_day && has_booking_that_day(world, event_type, wanted.start) {
        return Err(Refusal::bare(401, "booking_limit_reached"));
    }
    Ok(())
}

/// The event type's own booking fields.
fn check_responses(event_type: &EventType, wanted: &Wanted) -> Result<(), Refusal> {
    let problem = |field: &str, problem: &str| Refusal::booking_field(format!("responses - {{{field}}}{problem}, "));
    if wanted.name.is_empty() {
        return Err(problem("name", "error_required_field"));
    }
    match &wanted.email {
        None if !event_type.is_email_optional => return Err(problem("email", "error_required_field")),
        Some(email) if email.contains(' ') || !email.contains('@') => {
            return Err(problem("email", "email_validation_error"));
        }
        _ => {}
    }
    if event_type.is_phone_required {
        match wanted.phone.as_deref().filter(|phone| !phone.is_empty()) {
            None => return Err(problem("attendeePhoneNumber", "error_required_field")),
            Some(phone) if !phone.starts_with('+') || phone.len() < 9 => {
                return Err(problem("attendeePhoneNumber", "invalid_number"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn check_email(world: &World, user: Option<&User>, wanted: &Wanted) -> Result<(), Refusal> {
    let Some(email) = &wanted.email else { return Ok(()) };
    let is_listed = |list: &[String]| {
        let plain = without_tag(email);
        list.contains(&plain)
    };
    if is_listed(&world.blocked_emails) {
        return Err(Refusal::bare(403, "Cannot use this email to create the booking."));
    }
    let belongs_to_another =
        |it: &&User| it.is_impersonation_protected && it.email == *email && user.is_none_or(|user| user.id != it.id);
    if world.users.values().any(|it| belongs_to_another(&it)) {
        return Err(Refusal::bare(
            403,
            format!(
                "Attendee email has been blocked. Make sure to login as {email} to use this email for creating a booking."
            ),
        ));
    }
    if is_listed(&world.watched_emails) {
        return Err(Refusal::internal());
    }
    Ok(())
}

fn without_tag(email: &str) -> String {
    match email.split_once('@') {
        Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap_or(local)),
        None => email.to_owned(),
    }
}

fn active_of_email(world: &World, event_type: &EventType, wanted: &Wanted) -> Option<String> {
    let email = wanted.email.as_deref()?;
    let is_theirs = |made: &&Made| {
        made.event_type == event_type.id
            && made.is_active()
            && made.start > world.now()
            && made.attendees.iter().any(|attendee| attendee.email == email)
    };
    world.bookings.iter().find(is_theirs).map(|made| made.uid.clone())
}

fn has_booking_that_day(world: &World, event_type: &EventType, start: DateTime<Utc>) -> bool {
    let day = |at: DateTime<Utc>| at.with_timezone(&event_type.time_zone).date_naive();
    world
        .bookings
        .iter()
        .any(|made| made.event_type == event_type.id && made.is_active() && day(made.start) == day(start))
}

/// Cal.com returns the booking that exists, where a round-robin or confirmation type has one for the same start and
/// contact: it books nothing then.
fn existing_of_contact(world: &World, event_type: &EventType, wanted: &Wanted) -> Option<Value> {
    if event_type.scheduling() != Scheduling::RoundRobin && !event_type.must_be_confirmed {
        return None;
    }
    let email = email_of(wanted);
    let is_theirs =
        |attendee: &Attendee| attendee.email == email && (wanted.phone.is_none() || attendee.phone == wanted.phone);
    let is_it = |made: &&Made| {
        made.event_type == event_type.id
            && made.start == wanted.start
            && made.is_active()
            && made.attendees.first().is_some_and(is_theirs)
    };
    let number = world.bookings.iter().position(|made| is_it(&made))?;
    Some(world.bookings[number].shown(world, number, ShownIn::Booked))
}

/// Takes a seat in the booking that exists at this time, if one does.
fn take_seat(world: &mut World, event_type: &EventType, wanted: &Wanted) -> Result<Option<Value>, Refusal> {
    let is_it = |made: &Made| made.event_type == event_type.id && made.start == wanted.start && made.is_active();
    let Some(number) = world.bookings.iter().position(is_it) else { return Ok(None) };
    let made = &world.bookings[number];
    if made.attendees.iter().any(|attendee| attendee.email == email_of(wanted)) {
        return Err(Refusal::bare(409, "already_signed_up_for_this_booking_error"));
    }
    if made.attendees.len() >= event_type.seats.unwrap_or_default() as usize {
        return Err(Refusal::conflict("No more seats left at this seated booking."));
    }
    let (uid, attendee) = (made.uid.clone(), attendee_of(event_type, wanted));
    world.change(&uid, |made| made.attendees.push(attendee));
    let world = &*world;
    Ok(world.bookings.get(number).map(|made| made.shown(world, number, ShownIn::Booked)))
}

/// The host who takes a booking.
pub(crate) fn choose_host(
    world: &World,
    event_type: &EventType,
    start: DateTime<Utc>,
    except: Option<&str>,
    wished: &[u64],
) -> Result<User, Refusal> {
    let free = if event_type.is_open(start) { world.free_hosts(event_type, start, except, wished) } else { Vec::new() };
    free.into_iter().next().ok_or_else(|| {
        Refusal::bad_request(match event_type.scheduling() {
            Scheduling::Personal => "User either already has booking at this time or is not available",
            _ => "One of the hosts either already has booking at this time or is not available",
        })
    })
}

fn email_of(wanted: &Wanted) -> String {
    wanted.email.clone().unwrap_or_else(|| {
        format!("{}@sms.cal.com", wanted.phone.as_deref().unwrap_or_default().trim_start_matches('+'))
    })
}

fn attendee_of(event_type: &EventType, wanted: &Wanted) -> Attendee {
    let seat = event_type.seats.map(|_| (Uuid::new_v4().to_string(), wanted.metadata.clone()));
    Attendee {
        name: wanted.name.clone(),
        email: email_of(wanted),
        time_zone: wanted.time_zone.clone(),
        language: wanted.language.clone(),
        phone: wanted.phone.clone(),
        is_absent: false,
        seat,
    }
}

fn new_booking(
    world: &World,
    event_type: &EventType,
    host: &User,
    start: DateTime<Utc>,
    wanted: &Wanted,
    series: Option<String>,
) -> Made {
    let mut attendees = vec![attendee_of(event_type, wanted)];
    let mut co_hosts = Vec::new();
    if event_type.scheduling() == Scheduling::Collective {
        for other in event_type.hosts.iter().filter(|other| other.id != host.id) {
            co_hosts.push(other.id);
            attendees.push(Attendee {
                name: other.name.clone(),
                email: other.email.clone(),
                phone: None,
                ..attendees[0].clone()
            });
        }
    }
    let mut responses = wanted.responses.clone();
    responses["name"] = json!(wanted.name);
    responses["email"] = json!(email_of(wanted));
    if let Some(phone) = &wanted.phone {
        responses["attendeePhoneNumber"] = json!(phone);
    }
    let (uid, now) = (new_uid(), world.now());
    Made {
        ics_uid: format!("{uid}@cal.com"),
        uid,
        event_type: event_type.id,
        host: host.clone(),
        co_hosts,
        start,
        end: start + event_type.length(),
        status: if event_type.must_be_confirmed { "pending" } else { "accepted" },
        cancellation_reason: String::new(),
        attendees,
        responses,
        metadata: wanted.metadata.clone(),
        created_at: now,
        updated_at: now,
        rescheduled_from: None,
        rescheduled_to: None,
        series,
        earlier: Vec::new(),
    }
}

pub(crate) fn new_uid() -> String {
    Uuid::new_v4().simple().to_string().chars().take(22).collect()
}
