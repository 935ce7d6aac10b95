//! A request on its way: the route, the key, the rate limit, and the form of the response.

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use crate::{
    StandIn, accounts,
    book::book,
    booking::iso,
    changes,
    faults::{FaultKind, RequestKind},
    lists,
    rate_limit::Allowance,
    refusal::{Answer, Refusal},
    reservations,
    world::{Generation, User},
};

/// A fault may hold a response of some megabytes.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// The versions of the API by the requests that name them.
const BOOKINGS_VERSION: &str = "2024-08-13";
const SLOTS_VERSION: &str = "2024-09-04";
const EVENT_TYPES_VERSION: &str = "2024-06-14";

/// A request.
pub(crate) struct Call {
    pub(crate) stand_in: StandIn,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Bytes,
    version: String,
    key: Key,
}

/// Whose key a request has.
#[derive(Clone)]
enum Key {
    None,
    Unknown,
    Expired(String),
    Of(String, User),
}

impl Call {
    /// The value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; an empty one is an empty object.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(json!({}));
        }
        let unparsable = |_| Refusal::unparsable("Expected property name or '}' in JSON at position 1");
        serde_json::from_slice(&self.body).map_err(unparsable)
    }

    /// The person who sends it, if it has a key.
    pub(crate) fn user(&self) -> Option<&User> {
        match &self.key {
            Key::Of(_, user) => Some(user),
            _ => None,
        }
    }

    /// The person who sends it, where a key is needed.
    pub(crate) fn signed_in(&self) -> Result<&User, Refusal> {
        self.user().ok_or_else(|| {
            Refusal::unauthorized(
                "ApiAuthStrategy - No authentication method provided. Either pass an API key as 'Bearer' header or \
                 OAuth client credentials as 'x-cal-secret-key' and 'x-cal-client-id' headers",
            )
        })
    }

    /// Counts the request for tests, and does what a test ordered for it.
    pub(crate) async fn meet_fault(&self, event_type: u64, request: RequestKind) -> Result<After, Refusal> {
        let fault = {
            let mut world = self.stand_in.world();
            *world.requests.entry((event_type, request)).or_default() += 1;
            let of_it = |(of, fault): &&mut (u64, crate::Fault)| {
                *of == event_type && fault.request == request && fault.times > 0
            };
            let ordered = world.faults.iter_mut().find(of_it).map(|(_, fault)| {
                fault.times -= 1;
                fault.kind.clone()
            });
            ordered.or_else(|| world.weather.as_mut()?.next(request))
        };
        match fault {
            None => Ok(After::Nothing),
            Some(FaultKind::AnswerLost) => Ok(After::AnswerLost),
            Some(FaultKind::ErrorAfter) => Ok(After::Error),
            Some(FaultKind::Slow { milliseconds }) => {
                sleep(Duration::from_millis(milliseconds)).await;
                Ok(After::Nothing)
            }
            Some(FaultKind::Body { status, text }) => Err(Refusal::ordered(status, text, Vec::new())),
            Some(FaultKind::Error) => Err(Refusal::internal()),
            Some(FaultKind::Refused { status, message, headers }) => {
                Err(Refusal::ordered_message(status, &message, headers.into_iter().collect()))
            }
        }
    }
}

/// What a fault leaves to happen once the work is done.
#[derive(Clone, Copy)]
pub(crate) enum After {
    Nothing,
    AnswerLost,
    Error,
}

impl After {
    pub(crate) fn or_answer(self, status: StatusCode, data: Value) -> Answer {
        self.or_body(status, json!({"status": "success", "data": data}))
    }

    pub(crate) fn or_body(self, status: StatusCode, body: Value) -> Answer {
        match self {
            Self::Nothing => Ok((status, Json(body)).into_response()),
            Self::AnswerLost => Err(Refusal::ordered(502, "<html>502 Bad Gateway</html>".to_owned(), Vec::new())),
            Self::Error => Err(Refusal::internal()),
        }
    }
}

/// Handles any request to the API. It goes on when its sender is gone: Cal.com books then, too.
pub(crate) async fn handle(State(stand_in): State<StandIn>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let path = head.uri.path_and_query().map_or_else(|| head.uri.path().to_owned(), ToString::to_string);
    let path = path.trim_start_matches("/without-hosts").to_owned();
    let Query(query) = Query::try_from_uri(&head.uri).unwrap_or_default();
    let key = key_of(&stand_in, &head.headers);
    let version = text(&head.headers, "cal-api-version").to_owned();
    let call = Call { stand_in, method: head.method.to_string(), path, query, body, version, key };
    let handled = tokio::spawn(answer(call)).await;
    handled.unwrap_or_else(|_| (StatusCode::IM_A_TEAPOT, "the stand-in is broken").into_response())
}

async fn answer(call: Call) -> Response {
    let now = iso(call.stand_in.world().now());
    let (answered, allowance) = match admit(&call) {
        Ok(allowance) => (
            if allowance.is_exceeded { Err(Refusal::rate_limited()) } else { authorized(&call).await },
            Some(allowance),
        ),
        Err(refusal) => (Err(refusal), None),
    };
    let is_uncounted = answered.as_ref().is_err_and(Refusal::is_uncounted);
    let mut response = answered.unwrap_or_else(|refusal| refusal.into_response_to(&call.path, &now));
    let headers = response.headers_mut();
    if let Some(content_type) = headers.get_mut(header::CONTENT_TYPE)
        && content_type == "application/json"
    {
        *content_type = HeaderValue::from_static("application/json; charset=utf-8");
    }
    if let Some(allowance) = allowance.filter(|_| !is_uncounted) {
        for (name, value) in [
            ("x-ratelimit-limit-default", i64::from(allowance.limit)),
            ("x-ratelimit-remaining-default", i64::from(allowance.remaining)),
            ("x-ratelimit-reset-default", allowance.reset),
        ] {
            headers.entry(name).or_insert(HeaderValue::from(value));
        }
    }
    response
}

/// What comes before the rate limit: the key must be known, the path too, and the body must be JSON.
fn admit(call: &Call) -> Result<Allowance, Refusal> {
    if matches!(call.key, Key::Unknown) {
        return Err(Refusal::unknown_key());
    }
    if route_of(call).is_none() {
        return Err(Refusal::no_route(&call.method, &call.path));
    }
    call.json()?;
    let bucket = match &call.key {
        Key::Of(key, _) | Key::Expired(key) => key.as_str(),
        Key::None | Key::Unknown => "",
    };
    let mut world = call.stand_in.world();
    let now = world.now();
    Ok(world.rate_limits.count(bucket, now))
}

async fn authorized(call: &Call) -> Answer {
    if matches!(call.key, Key::Expired(_)) {
        return Err(Refusal::unauthorized("ApiAuthStrategy - api key - Your api key is expired"));
    }
    let Some(route) = route_of(call) else { return Err(Refusal::no_route(&call.method, &call.path)) };
    match route {
        Route::Me => accounts::me(call).await,
        Route::EventTypes => accounts::event_types(call).await,
        Route::Teams => accounts::teams(call).await,
        Route::TeamEventTypes(team) => accounts::team_event_types(call, team).await,
        Route::TeamEventType(team, id) => accounts::team_event_type(call, team, id).await,
        Route::PatchTeamEventType(team, id) => accounts::patch_team_event_type(call, team, id).await,
        Route::Memberships(team) => accounts::memberships(call, team).await,
        Route::Book => book(call).await,
        Route::List => lists::list(call).await,
        Route::ListOld => lists::list_old(call),
        Route::Booking(uid, action) => changes::change(call, &uid, action).await,
        Route::Slots => lists::slots(call).await,
        Route::Reserve => reservations::reserve(call),
        Route::Reservation(uid) => reservations::show(call, &uid),
        Route::DeleteReservation(uid) => reservations::delete(call, &uid),
    }
}

enum Route {
    Me,
    EventTypes,
    Teams,
    TeamEventTypes(u64),
    TeamEventType(u64, u64),
    PatchTeamEventType(u64, u64),
    Memberships(u64),
    Book,
    List,
    ListOld,
    Booking(String, changes::Action),
    Slots,
    Reserve,
    Reservation(String),
    DeleteReservation(String),
}

fn route_of(call: &Call) -> Option<Route> {
    use changes::Action;
    let path = call.path.split('?').next()?.strip_prefix("/v2/")?;
    let segments: Vec<&str> = path.split('/').collect();
    let is_version = |version: &str| call.version == version;
    let has_teams = call.stand_in.world().generation != Generation::July2026;
    let number = |text: &str| text.parse::<u64>().ok();
    Some(match (call.method.as_str(), segments.as_slice()) {
        ("GET", ["me"]) => Route::Me,
        ("GET", ["event-types"]) if is_version(EVENT_TYPES_VERSION) => Route::EventTypes,
        ("GET", ["teams"]) if has_teams => Route::Teams,
        ("GET", ["teams", team, "event-types"]) if has_teams => Route::TeamEventTypes(number(team)?),
        ("GET", ["teams", team, "event-types", id]) if has_teams => Route::TeamEventType(number(team)?, number(id)?),
        ("PATCH", ["teams", team, "event-types", id]) if has_teams => {
            Route::PatchTeamEventType(number(team)?, number(id)?)
        }
        ("GET", ["teams", team, "memberships"]) if has_teams => Route::Memberships(number(team)?),
        ("GET", ["slots"]) if is_version(SLOTS_VERSION) => Route::Slots,
        ("POST", ["slots", "reservations"]) if is_version(SLOTS_VERSION) => Route::Reserve,
        ("GET", ["slots", "reservations", uid]) => Route::Reservation((*uid).to_owned()),
        ("DELETE", ["slots", "reservations", uid]) => Route::DeleteReservation((*uid).to_owned()),
        // An unknown version silently selects an old one, of which only the list is here.
        ("GET", ["bookings"]) if !is_version(BOOKINGS_VERSION) => Route::ListOld,
        _ if !is_version(BOOKINGS_VERSION) => return None,
        ("POST", ["bookings"]) => Route::Book,
        ("GET", ["bookings"]) => Route::List,
        ("GET", ["bookings", uid]) => Route::Booking((*uid).to_owned(), Action::Get),
        ("POST", ["bookings", uid, action]) => Route::Booking((*uid).to_owned(), Action::named(action)?),
        ("POST", ["bookings", uid, "reassign", user]) => {
            Route::Booking((*uid).to_owned(), Action::Reassign(Some(number(user)?)))
        }
        _ => return None,
    })
}

fn key_of(stand_in: &StandIn, headers: &HeaderMap) -> Key {
    let Some(key) = text(headers, "authorization").strip_prefix("Bearer ") else { return Key::None };
    let world = stand_in.world();
    match world.keys.get(key) {
        None => Key::Unknown,
        Some(known) if known.is_expired => Key::Expired(key.to_owned()),
        Some(known) => world.users.get(&known.user).map_or(Key::Unknown, |user| Key::Of(key.to_owned(), user.clone())),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Removes the hosts from a response, wherever they are.
pub(crate) async fn without_hosts(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Ok(mut shown) = serde_json::from_slice::<Value>(&body) else {
        return Response::from_parts(head, Body::from(body));
    };
    let drop_hosts = |booking: &mut Value| {
        booking.as_object_mut().map(|booking| booking.remove("hosts"));
    };
    match &mut shown["data"] {
        Value::Array(bookings) => bookings.iter_mut().for_each(drop_hosts),
        booking => drop_hosts(booking),
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, shown.to_string().into())
}
