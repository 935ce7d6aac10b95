//! Maps Cal.com's errors to the failures of the domain. This is the only place that reads Cal.com's messages.

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use scheduling::{
    contact::ContactPart,
    event_type::SetupFault,
    exchange::Exchange,
    failure::{BookingFailure, Category},
    ids::BookingUid,
    tenant::NoEventType,
};
use serde_json::Value;

/// A request that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to query Cal.com: {} ({})", .failure.category().as_str(), .exchange.status.map_or_else(|| "no response".to_owned(), |status| status.to_string()))]
pub struct CalcomError {
    /// Why.
    pub failure: BookingFailure,
    /// What the request may have done despite the failure.
    pub effect: Effect,
    /// The request and its response.
    pub exchange: Exchange,
}

/// What a failed request may have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: Cal.com refused it, or was not reached.
    Nothing,
    /// Unknown: there was no response, or one of a proxy. Cal.com may still be processing it.
    Unknown,
    /// Unknown: Cal.com has finished with an error.
    Errored,
    /// Done: Cal.com confirmed it in a form that can't be read.
    Done,
}

impl CalcomError {
    /// The category of the failure.
    pub fn category(&self) -> Category {
        self.failure.category()
    }

    /// Whether Cal.com does not know what was requested. Right after a change its replica may not know it yet.
    pub fn is_not_found(&self) -> bool {
        self.exchange.status == Some(404)
    }

    /// Whether a booking was to be cancelled that is cancelled.
    pub(crate) fn is_cancelled_already(&self) -> bool {
        let body: Value = serde_json::from_slice(&self.exchange.body).unwrap_or_default();
        let texts = ["has been cancelled already", "has already been cancelled"];
        self.exchange.status == Some(400) && message(&body).is_some_and(|message| says_any(message, &texts))
    }

    /// There was no response. If Cal.com was reached, it may have done what was requested.
    pub(crate) fn no_response(request: String, was_reached: bool) -> Self {
        Self {
            failure: BookingFailure::NOT_SENT,
            effect: if was_reached { Effect::Unknown } else { Effect::Nothing },
            exchange: Exchange { request, status: None, body: Vec::new() },
        }
    }

    /// A response confirms the request and can't be read.
    pub(crate) fn unreadable(exchange: Exchange) -> Self {
        Self { failure: BookingFailure::Unknown { unconfirmed: None }, effect: Effect::Done, exchange }
    }

    /// A response refuses the request.
    pub(crate) fn refused(status: u16, exchange: Exchange, headers: &HeaderMap, now: DateTime<Utc>) -> Self {
        // Every response says when the rate limit is reset: only after a 429 that is how long to wait.
        let wait = if status == 429 { retry_after(headers, now) } else { asked_to_wait(headers, now) };
        let failure = failure(status, &exchange.body, wait);
        let effect = match failure {
            BookingFailure::Unavailable { .. } if is_error_of_calcom(status, &exchange.body) => Effect::Errored,
            BookingFailure::Unavailable { .. } => Effect::Unknown,
            // It is thrown after the booking was inserted.
            BookingFailure::Misconfigured(SetupFault::Payment) => Effect::Errored,
            _ => Effect::Nothing,
        };
        Self { failure, effect, exchange }
    }
}

/// Whether a 500 is Cal.com's own and not a proxy's: then the request is over.
fn is_error_of_calcom(status: u16, body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    status == 500 && (body["statusCode"] == 500 || body["status"] == "error")
}

/// The category of a response that refuses.
pub fn category_of(status: u16, body: &[u8]) -> Category {
    failure(status, body, None).category()
}

/// The failure that a response reports.
fn failure(status: u16, body: &[u8], retry_after: Option<TimeDelta>) -> BookingFailure {
    let error = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let original = message(&error).unwrap_or_default();
    let message = original.to_lowercase();
    match status {
        401 | 403 => refusal(&message),
        404 if says_any(&message, &NO_EVENT_TYPE) => BookingFailure::NoEventType(NoEventType::UnknownToCalcom),
        408 | 500.. => BookingFailure::Unavailable { retry_after, unconfirmed: None },
        429 => BookingFailure::RateLimited { retry_after },
        400 | 409 | 422 => bad_request(original, &message),
        _ => BookingFailure::Unknown { unconfirmed: None },
    }
}

const CHANGE_REFUSED: [&str; 3] =
    ["does not allow cancellations", "cancellation reason is required", "booking that has already ended"];
const NO_EVENT_TYPE: [&str; 4] =
    ["event type with id", "event type not found", "event_type_not_found", "eventtypeuser.notfound"];

fn says_any(message: &str, texts: &[&str]) -> bool {
    texts.iter().any(|text| message.contains(text))
}

/// A 401 or 403. Most say nothing of the key.
fn refusal(message: &str) -> BookingFailure {
    let says = |text: &str| message.contains(text);
    match () {
        () if says("apiauthstrategy") || says("customthrottlerguard - invalid api key") => {
            BookingFailure::CredentialsRefused
        }
        () if says("booking_limit_reached") || says("duration_limit_reached") => taken(),
        () if says("attendee email has been blocked") || says("cannot use this email") => {
            BookingFailure::ContactRefused(Some(ContactPart::Email))
        }
        () if says("checkbookingrequiresauthentication") => BookingFailure::Misconfigured(SetupFault::LoginRequired),
        () if says("rescheduling is not allowed") => BookingFailure::ChangeRefused,
        () if says("minimum notice period") => BookingFailure::OutsideWindow { proposals: Vec::new() },
        () => BookingFailure::Forbidden,
    }
}

/// A 400, 409 or 422. `original` is the message in its own case, for the ids and names in it.
fn bad_request(original: &str, message: &str) -> BookingFailure {
    let says = |text: &str| message.contains(text);
    match () {
        () if says("meeting in the past") => BookingFailure::Past,
        () if says("booking_conflict_error") => BookingFailure::Overtaken,
        () if says("already has booking at this time") || says("no more seats left") => taken(),
        () if says("can't be booked at the \"start\" time") => BookingFailure::OutsideWindow { proposals: Vec::new() },
        () if says("maximum number of active bookings") => {
            BookingFailure::BookerLimit { existing: between(original, "existing booking (", ")").map(BookingUid::new) }
        }
        () if says("already_signed_up_for_this_booking") => BookingFailure::BookerLimit { existing: None },
        () if says_any(message, &CHANGE_REFUSED) => BookingFailure::ChangeRefused,
        () if says("{email}email_validation_error") => BookingFailure::ContactRefused(Some(ContactPart::Email)),
        () if says("{attendeephonenumber}invalid_number") => BookingFailure::ContactRefused(Some(ContactPart::Phone)),
        () if says("at least one contact method") => BookingFailure::ContactRefused(None),
        () if says("{attendeephonenumber}error_required_field") || says("missing attendee phone number") => {
            BookingFailure::PhoneRequired
        }
        () => match setup_fault(original, message) {
            Some(fault) => BookingFailure::Misconfigured(fault),
            // After the set-up: a missing field's message says how to fetch "the event type with ID".
            None if says_any(message, &NO_EVENT_TYPE) => BookingFailure::NoEventType(NoEventType::UnknownToCalcom),
            None => BookingFailure::Unknown { unconfirmed: None },
        },
    }
}

/// What is set up wrongly, if the message says that.
fn setup_fault(original: &str, message: &str) -> Option<SetupFault> {
    let says = |text: &str| message.contains(text);
    let missing = || {
        let named = between(original, "Missing required booking field response: ", " - ");
        named.or_else(|| between(original, "responses - {", "}error_required_field"))
    };
    Some(match () {
        () if says("language property is wrong") => SetupFault::Language,
        () if says("timezone property is wrong") => SetupFault::TimeZone,
        () if says("email_verification_required") => SetupFault::EmailVerification,
        () if says("exclude_emails_match_found") || says("require_emails_no_match_found") => SetupFault::EmailRule,
        () if says("because it has no hosts") => SetupFault::NoHosts,
        () if says("managed event type that can't be booked") => SetupFault::ManagedParent,
        () if says("'lengthinminutes'") => SetupFault::Length,
        () if says("recurring_event_seats_error") => SetupFault::Seats,
        () if says("missing payment credentials") => SetupFault::Payment,
        () => SetupFault::RequiredField(missing()?.to_owned()),
    })
}

fn taken() -> BookingFailure {
    BookingFailure::SlotTaken { proposals: Vec::new(), closed: None }
}

/// The text between two others.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = text.split_once(before)?.1;
    rest.split_once(after).map(|(found, _)| found).filter(|found| !found.is_empty())
}

/// The message of an error, in the forms that Cal.com and the proxies before it use.
fn message(error: &Value) -> Option<&str> {
    ["/error/message", "/message", "/error"].into_iter().find_map(|path| error.pointer(path)?.as_str())
}

/// The longest delay that is taken from a response of Cal.com, or of a proxy before it.
const MAX_WAIT: TimeDelta = TimeDelta::minutes(15);

/// How long Cal.com asks to wait: `Retry-After` in seconds or as a date, else the largest of the
/// `X-RateLimit-Reset…` headers, as seconds or as a Unix time.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    if headers.contains_key("retry-after") {
        return asked_to_wait(headers, now);
    }
    let resets = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-ratelimit-reset"));
    resets.filter_map(|(_, value)| wait_until(value.to_str().ok()?.trim().parse().ok()?, now)).max()
}

/// How long `Retry-After` asks to wait, in seconds or as a date.
fn asked_to_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let asked = headers.get("retry-after")?.to_str().ok()?.trim();
    let as_date = || Some(DateTime::parse_from_rfc2822(asked).ok()?.to_utc() - now);
    asked.parse().ok().and_then(TimeDelta::try_seconds).or_else(as_date).map(limited)
}

const SMALLEST_UNIX_SECONDS: i64 = 1_000_000_000;
const SMALLEST_UNIX_MILLISECONDS: i64 = 1_000_000_000_000;

fn wait_until(reset: i64, now: DateTime<Utc>) -> Option<TimeDelta> {
    let wait = match reset {
        SMALLEST_UNIX_MILLISECONDS.. => DateTime::from_timestamp_millis(reset)? - now,
        SMALLEST_UNIX_SECONDS.. => DateTime::from_timestamp(reset, 0)? - now,
        _ => TimeDelta::try_seconds(reset)?,
    };
    Some(limited(wait))
}

fn limited(wait: TimeDelta) -> TimeDelta {
    wait.clamp(TimeDelta::zero(), MAX_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse().unwrap()
    }

    fn response(status: u16, body: impl ToString) -> CalcomError {
        let body = body.to_string().into_bytes();
        let exchange = Exchange { request: "POST /v2/bookings".to_owned(), status: Some(status), body };
        CalcomError::refused(status, exchange, &HeaderMap::new(), now())
    }

    fn refused(status: u16, message: &str) -> CalcomError {
        response(status, serde_json::json!({"status": "error", "error": {"code": "E", "message": message}}))
    }

    /// A message in the form in which most errors come that Cal.com writes itself.
    fn bare(status: u16, message: &str) -> CalcomError {
        response(status, serde_json::json!({"statusCode": status, "message": message}))
    }

    #[test]
    fn each_known_message_of_cal_com_has_its_category() {
        for (status, message, category) in [
            (400, "Attempting to book a meeting in the past.", Category::Past),
            (400, "User either already has booking at this time or is not available", Category::HostConflict),
            (
                400,
                "One of the hosts either already has booking at this time or is not available",
                Category::HostConflict,
            ),
            (409, "booking_conflict_error", Category::HostConflict),
            (409, "No more seats left at this seated booking.", Category::HostConflict),
            (401, "booking_limit_reached", Category::HostConflict),
            (401, "duration_limit_reached", Category::HostConflict),
            (
                400,
                "The event type can't be booked at the \"start\" time provided. This could be because it's too soon",
                Category::OutsideWindow,
            ),
            (
                400,
                "Attendee with this email can't book because the maximum number of active bookings has been reached.",
                Category::BookerLimit,
            ),
            (409, "already_signed_up_for_this_booking_error", Category::BookerLimit),
            (403, "Attendee email has been blocked. Make sure to login as a@b.example", Category::InvalidContact),
            (403, "Cannot use this email to create the booking.", Category::InvalidContact),
            (400, "responses - {email}email_validation_error, ", Category::InvalidContact),
            (400, "responses - {attendeePhoneNumber}invalid_number, ", Category::InvalidContact),
            (400, "responses - {attendeePhoneNumber}error_required_field, ", Category::InvalidContact),
            (404, "Event type with id 5 not found.", Category::NoEventType),
            (404, "Event Type not found", Category::NoEventType),
            (404, "event_type_not_found", Category::NoEventType),
            (404, "Booking with uid=x was not found in the database", Category::Unknown),
            (401, "CustomThrottlerGuard - Invalid API Key", Category::Credentials),
            (401, "ApiAuthStrategy - api key - Your api key is expired", Category::Credentials),
            (401, "You are not authorized to access this resource", Category::Forbidden),
            (403, "Forbidden", Category::Forbidden),
            (429, "Too many requests", Category::RateLimited),
            (500, "Internal server error", Category::CalcomUnavailable),
            (503, "", Category::CalcomUnavailable),
            (400, "The moon is full", Category::Unknown),
            (400, "attendee.phoneNumber looks odd", Category::Unknown),
            (418, "teapot", Category::Unknown),
        ] {
            for failed in [refused(status, message), bare(status, message)] {
                assert_eq!(failed.category(), category, "{status} {message}");
            }
        }
    }

    #[test]
    fn a_fault_of_the_set_up_names_what_to_change() {
        for (status, message, fault) in [
            (
                400,
                // As the real Cal.com sends it, whole.
                "Missing required booking field response: haarlaenge - it is required by the event type booking fields, \
                 but missing in the bookingFieldsResponses. You can fetch the event type with ID 6 to see the required \
                 fields.",
                SetupFault::RequiredField("haarlaenge".to_owned()),
            ),
            (400, "responses - {farbe}error_required_field, ", SetupFault::RequiredField("farbe".to_owned())),
            (400, "email_verification_required", SetupFault::EmailVerification),
            (400, "responses - {email}exclude_emails_match_found_error_message, ", SetupFault::EmailRule),
            (422, "Can't book this team event type because it has no hosts. Please, add one.", SetupFault::NoHosts),
            (400, "Event type is a parent managed event type that can't be booked.", SetupFault::ManagedParent),
            (400, "Can't specify 'lengthInMinutes' because event type does not have several", SetupFault::Length),
            (400, "recurring_event_seats_error", SetupFault::Seats),
            (400, "Missing payment credentials", SetupFault::Payment),
            (
                403,
                "checkBookingRequiresAuthentication - user is not authorized to access this event type.",
                SetupFault::LoginRequired,
            ),
            (400, "attendee property is wrong, language property is wrong,language must be one", SetupFault::Language),
            (400, "attendee property is wrong, timeZone property is wrong,timeZone must be", SetupFault::TimeZone),
        ] {
            assert_eq!(refused(status, message).failure, BookingFailure::Misconfigured(fault), "{message}");
        }
    }

    #[test]
    fn only_a_refusal_proves_that_nothing_was_done() {
        for (status, effect) in
            [(400, Effect::Nothing), (429, Effect::Nothing), (500, Effect::Errored), (408, Effect::Unknown)]
        {
            assert_eq!(refused(status, "no").effect, effect, "{status}");
        }
        assert_eq!(response(500, "<html>of a proxy</html>").effect, Effect::Unknown);
        assert_eq!(bare(400, "Missing payment credentials").effect, Effect::Errored, "thrown after the insert");
        assert_eq!(CalcomError::no_response(String::new(), false).effect, Effect::Nothing);
        assert_eq!(CalcomError::no_response(String::new(), true).effect, Effect::Unknown);
    }

    #[test]
    fn the_part_of_the_contact_that_is_refused_is_named() {
        let part = |message| match refused(400, message).failure {
            BookingFailure::ContactRefused(part) => part,
            other => panic!("{other:?}"),
        };
        assert_eq!(part("responses - {attendeePhoneNumber}invalid_number, "), Some(ContactPart::Phone));
        assert_eq!(part("responses - {email}email_validation_error, "), Some(ContactPart::Email));
        assert_eq!(part("Attendee must have at least one contact method (email or phone number)"), None);
    }

    #[test]
    fn a_body_in_an_unknown_form_is_no_error_of_ours() {
        let failed = response(502, "<html>Bad gateway</html>");
        assert_eq!(failed.category(), Category::CalcomUnavailable);
        assert_eq!((failed.exchange.status, failed.exchange.body), (Some(502), b"<html>Bad gateway</html>".to_vec()));
    }

    #[test]
    fn the_booking_that_a_booker_could_reschedule_is_named() {
        let message = "Attendee with this email can't book because the maximum number of active bookings has been \
                       reached. You can reschedule your existing booking (orkbxZY63s8j2gfVtRYADa) to a new timeslot instead.";
        let existing = Some(BookingUid::new("orkbxZY63s8j2gfVtRYADa"));
        assert_eq!(refused(400, message).failure, BookingFailure::BookerLimit { existing });
    }

    #[test]
    fn when_the_rate_limit_is_reset_is_no_reason_to_wait_after_an_error() {
        let headers = HeaderMap::from_iter([("x-ratelimit-reset-default".parse().unwrap(), "60".parse().unwrap())]);
        let failed = |status| {
            let exchange = Exchange { request: String::new(), status: Some(status), body: Vec::new() };
            CalcomError::refused(status, exchange, &headers, now()).failure.retry_after()
        };
        assert_eq!((failed(500), failed(429)), (None, Some(TimeDelta::seconds(60))));
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let wait = |name: &'static str, value: &str| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            retry_after(&headers, now()).map(|wait| wait.num_seconds())
        };
        assert_eq!(wait("retry-after", "17"), Some(17));
        assert_eq!(wait("retry-after", "Tue, 01 Dec 2026 08:01:00 GMT"), Some(60));
        assert_eq!(wait("retry-after", "Tue, 01 Dec 2026 07:00:00 GMT"), Some(0));
        assert_eq!(wait("retry-after", "soon"), None);
        assert_eq!(wait("x-ratelimit-reset-default", "30"), Some(30));
        assert_eq!(wait("x-ratelimit-reset", &(now().timestamp() + 45).to_string()), Some(45));
        assert_eq!(wait("x-ratelimit-reset", &(now().timestamp_millis() + 45_000).to_string()), Some(45));
        assert_eq!(wait("retry-after", "99999999999999999"), None);
        assert_eq!(wait("retry-after", "86400"), Some(900), "nobody waits for a day");
        assert_eq!(wait("x-ratelimit-reset-default", "86400"), Some(900));
    }
}
