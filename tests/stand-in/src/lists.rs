//! `GET /v2/bookings` and `GET /v2/slots`.

use axum::http::StatusCode;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::{
    booking::{Made, ShownIn},
    call::{After, Call},
    faults::RequestKind,
    refusal::{Answer, Refusal},
};

const STATUSES: [&str; 5] = ["upcoming", "recurring", "past", "cancelled", "unconfirmed"];
const INSTANTS: [&str; 6] =
    ["afterStart", "beforeEnd", "afterCreatedAt", "beforeCreatedAt", "afterUpdatedAt", "beforeUpdatedAt"];

/// The parameters of a list as the validator repeats them in an error.
fn target(call: &Call) -> Value {
    let shown = call.query.iter().map(|(key, value)| {
        let value = match key.as_str() {
            "take" | "skip" => value.parse::<i64>().map_or(json!(value), |number| json!(number)),
            "status" => json!([value]),
            _ => json!(value),
        };
        (key.clone(), value)
    });
    Value::Object(shown.collect())
}

fn invalid(call: &Call, property: &str, constraint: &str, problem: &str) -> Refusal {
    let target = target(call);
    let value = target[property].clone();
    Refusal::invalid(json!([{"target": target, "value": value, "property": property, "children": [],
                             "constraints": {constraint: problem}}]))
}

pub(crate) async fn list(call: &Call) -> Answer {
    let user = call.signed_in()?.clone();
    let ids = |name: &str| -> Vec<u64> {
        call.parameter(name).into_iter().flat_map(|ids| ids.split(',')).filter_map(|id| id.parse().ok()).collect()
    };
    let event_types: Vec<u64> = [ids("eventTypeId"), ids("eventTypeIds")].concat();
    let after = call.meet_fault(event_types.first().copied().unwrap_or_default(), RequestKind::List).await?;
    let number = |name: &str, default: usize| call.parameter(name).map_or(Some(default), |text| text.parse().ok());
    let take = number("take", 100).filter(|take| *take <= 250);
    let take = take.ok_or_else(|| invalid(call, "take", "max", "take must not be greater than 250"))?;
    let skip = number("skip", 0).unwrap_or_default();
    if call.parameter("status").is_some_and(|status| !STATUSES.contains(&status)) {
        let problem = format!("Invalid status. Allowed are {}", STATUSES.join(", "));
        return Err(invalid(call, "status", "isEnum", &problem));
    }
    let mut bounds = Vec::new();
    for name in INSTANTS {
        let Some(text) = call.parameter(name) else { continue };
        let at = instant(text);
        let at = at.ok_or_else(|| invalid(call, name, "isIso8601", "fromDate must be a valid ISO 8601 date."))?;
        bounds.push((name, at));
    }
    let world = call.stand_in.world();
    let visible = |(number, made): (usize, &Made)| Some((number, world.as_read(made)?.clone()));
    let seen = world.bookings.iter().enumerate().filter_map(visible);
    let counts = |made: &Made| {
        world.may_see(&user, made)
            && (event_types.is_empty() || event_types.contains(&made.event_type))
            && call.parameter("attendeeEmail").is_none_or(|email| made.attendees.iter().any(|it| it.email == email))
            && call.parameter("bookingUid").is_none_or(|uid| made.uid == uid)
            && call.parameter("status").is_none_or(|status| has_status(made, status, world.now()))
    };
    let counted: Vec<(usize, Made)> = seen.filter(|(_, made)| counts(made)).collect();
    let is_within = |made: &Made| bounds.iter().all(|(name, bound)| is_within(made, name, *bound));
    let total = counted.len();
    let mut found: Vec<(usize, Made)> = counted.into_iter().filter(|(_, made)| is_within(made)).collect();
    sort(call, &mut found, skip);
    let page: Vec<Value> =
        found.iter().skip(skip).take(take).map(|(number, made)| made.shown(&world, *number, ShownIn::Read)).collect();
    let returned = total.saturating_sub(skip).min(take);
    let remaining = total.saturating_sub(skip + returned);
    let pagination = json!({
        "returnedItems": returned, "totalItems": total, "itemsPerPage": take, "remainingItems": remaining,
        "currentPage": if total == 0 { 0 } else { skip / take + 1 }, "totalPages": total.div_ceil(take),
        "hasNextPage": remaining > 0, "hasPreviousPage": skip > 0,
    });
    after.or_body(StatusCode::OK, json!({"status": "success", "data": page, "pagination": pagination}))
}

fn has_status(made: &Made, status: &str, now: DateTime<Utc>) -> bool {
    match status {
        "upcoming" => made.status == "accepted" && made.end >= now,
        "past" => made.status == "accepted" && made.end < now,
        "cancelled" => matches!(made.status, "cancelled" | "rejected"),
        "unconfirmed" => made.status == "pending",
        _ => made.series.is_some(),
    }
}

fn is_within(made: &Made, name: &str, bound: DateTime<Utc>) -> bool {
    match name {
        "afterStart" => made.start >= bound,
        "beforeEnd" => made.end <= bound,
        "afterCreatedAt" => made.created_at >= bound,
        "beforeCreatedAt" => made.created_at <= bound,
        "afterUpdatedAt" => made.updated_at >= bound,
        _ => made.updated_at <= bound,
    }
}

/// Rows that tie in the sort key have no order of their own: one page may order them in another way than the last.
fn sort(call: &Call, found: &mut [(usize, Made)], skip: usize) {
    let key: fn(&Made) -> DateTime<Utc> = match (call.parameter("sortCreated"), call.parameter("sortUpdatedAt")) {
        (Some(_), _) => |made| made.created_at,
        (None, Some(_)) => |made| made.updated_at,
        (None, None) => |made| made.start,
    };
    let tie = |number: usize| if skip.is_multiple_of(2) { number } else { usize::MAX - number };
    let page_tie = |number: usize| if skip == 0 { number } else { tie(number.rotate_left((skip % 61) as u32)) };
    found.sort_by_key(|(number, made)| (key(made), page_tie(*number)));
    let parameters = ["sortCreated", "sortUpdatedAt", "sortStart"];
    if parameters.iter().any(|name| call.parameter(name) == Some("desc")) {
        found.reverse();
    }
}

/// The form of an old version: an empty list, since Frontdesk must never ask for it.
pub(crate) fn list_old(call: &Call) -> Answer {
    call.signed_in()?;
    let data = json!({"bookings": [], "recurringInfo": [], "totalCount": 0, "nextCursor": null});
    After::Nothing.or_answer(StatusCode::OK, data)
}

pub(crate) async fn slots(call: &Call) -> Answer {
    let bound = |name: &str, is_end: bool| -> Result<DateTime<Utc>, Refusal> {
        let text = call.parameter(name).unwrap_or_default();
        let day_end = |day: NaiveDate| (day + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(if is_end { day_end(day) } else { day.and_time(NaiveTime::MIN).and_utc() });
        }
        let wrong =
            || Refusal::bad_request(format!("{name} property is wrong,{name} must be a valid ISO 8601 date string "));
        let at = text.parse::<DateTime<Utc>>().map_err(|_| wrong())?;
        // An end at midnight becomes the end of that day.
        Ok(if is_end && at.time() == NaiveTime::MIN { day_end(at.date_naive()) } else { at })
    };
    let (from, to) = (bound("start", false)?, bound("end", true)?);
    let id: u64 = call.parameter("eventTypeId").and_then(|id| id.parse().ok()).unwrap_or_default();
    let after = call.meet_fault(id, RequestKind::Slots).await?;
    let zone: Tz = call.parameter("timeZone").and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC);
    let wished: Vec<u64> = call
        .query
        .iter()
        .filter(|(key, _)| matches!(key.as_str(), "rrHostSubsetIds[]" | "rrHostSubsetIds"))
        .filter_map(|(_, value)| value.parse().ok())
        .collect();
    let slots = {
        let world = call.stand_in.world();
        let event_type = world.event_types.get(&id).cloned();
        let event_type = event_type.ok_or_else(|| Refusal::not_found("Event Type not found"))?;
        event_type.slots(&world, from, to, zone, &wished)
    };
    after.or_answer(StatusCode::OK, slots)
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}
