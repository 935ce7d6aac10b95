//! Maps Cal.com's errors to the failures of the domain. This is the only place that reads Cal.com's messages.

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use scheduling::{
    contact::ContactPart,
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
    /// Unknown: there was no response, or one that does not say. Cal.com may still be processing it.
    Unknown,
    /// Done: Cal.com confirmed it in a form that can't be read.
    Done,
}

impl CalcomError {
    /// The category of the failure.
    pub fn category(&self) -> Category {
        self.failure.category()
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
        let failure = failure(status, &exchange.body, retry_after(headers, now));
        let is_unavailable = matches!(failure, BookingFailure::Unavailable { .. });
        Self { failure, effect: if is_unavailable { Effect::Unknown } else { Effect::Nothing }, exchange }
    }
}

/// The category of a response that refuses.
pub fn category_of(status: u16, body: &[u8]) -> Category {
    failure(status, body, None).category()
}

/// The failure that a response reports.
fn failure(status: u16, body: &[u8], retry_after: Option<TimeDelta>) -> BookingFailure {
    let error = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let message = message(&error).unwrap_or_default().to_lowercase();
    let says = |part: &str| message.contains(part);
    let unknown = BookingFailure::Unknown { unconfirmed: None };
    match status {
        401 | 403 => BookingFailure::CredentialsRefused,
        404 if says("event type") => BookingFailure::NoEventType(NoEventType::UnknownToCalcom),
        408 | 500.. => BookingFailure::Unavailable { retry_after, unconfirmed: None },
        429 => BookingFailure::RateLimited { retry_after },
        400 | 409 | 422 => match () {
            () if says("meeting in the past") => BookingFailure::Past,
            () if says("already has booking at this time") || says("is not available") => {
                BookingFailure::SlotTaken { proposals: Vec::new() }
            }
            () if says("can't be booked at the \"start\" time") => {
                BookingFailure::OutsideWindow { proposals: Vec::new() }
            }
            () if says("maximum number of active bookings") => {
                BookingFailure::BookerLimit { existing: existing_booking(&error) }
            }
            () if says("event type") && says("not found") => BookingFailure::NoEventType(NoEventType::UnknownToCalcom),
            () if ["phonenumber", "email", "attendee"].iter().any(|&field| says(field)) => {
                BookingFailure::ContactRefused(refused_part(&message))
            }
            () => unknown,
        },
        _ => unknown,
    }
}

/// The message of an error, in the forms that Cal.com and the proxies before it use.
fn message(error: &Value) -> Option<&str> {
    ["/error/message", "/message", "/error"].into_iter().find_map(|path| error.pointer(path)?.as_str())
}

/// The part of the contact that a message names. `message` is in lower case.
fn refused_part(message: &str) -> Option<ContactPart> {
    let named = [("phonenumber", ContactPart::Phone), ("email", ContactPart::Email)];
    named.into_iter().find_map(|(field, part)| message.contains(field).then_some(part))
}

/// The booking that could be rescheduled, wherever the details name it.
fn existing_booking(error: &Value) -> Option<BookingUid> {
    let details = error.pointer("/error/details")?;
    ["rescheduleUid", "bookingUid", "uid"].into_iter().find_map(|key| details.get(key)?.as_str()).map(BookingUid::new)
}

/// How long Cal.com asks to wait: `Retry-After` in seconds or as a date, else the largest of the
/// `X-RateLimit-Reset…` headers, as seconds or as a Unix time.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(asked) = text("retry-after") {
        let as_date = || Some(DateTime::parse_from_rfc2822(asked).ok()?.to_utc() - now);
        return asked.parse().ok().and_then(TimeDelta::try_seconds).or_else(as_date).map(not_negative);
    }
    let resets = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-ratelimit-reset"));
    resets.filter_map(|(_, value)| wait_until(value.to_str().ok()?.trim().parse().ok()?, now)).max()
}

const SMALLEST_UNIX_SECONDS: i64 = 1_000_000_000;
const SMALLEST_UNIX_MILLISECONDS: i64 = 1_000_000_000_000;

fn wait_until(reset: i64, now: DateTime<Utc>) -> Option<TimeDelta> {
    let wait = match reset {
        SMALLEST_UNIX_MILLISECONDS.. => DateTime::from_timestamp_millis(reset)? - now,
        SMALLEST_UNIX_SECONDS.. => DateTime::from_timestamp(reset, 0)? - now,
        _ => TimeDelta::try_seconds(reset)?,
    };
    Some(not_negative(wait))
}

fn not_negative(wait: TimeDelta) -> TimeDelta {
    wait.max(TimeDelta::zero())
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

    #[test]
    fn each_known_message_of_cal_com_has_its_category() {
        for (status, message, category) in [
            (400, "Attempting to book a meeting in the past.", Category::Past),
            (400, "Attempting to book a meeting in the past", Category::Past),
            (400, "User either already has booking at this time or is not available", Category::HostConflict),
            (
                400,
                "One of the hosts either already has booking at this time or is not available",
                Category::HostConflict,
            ),
            (
                400,
                "The event type can't be booked at the \"start\" time provided. It is too soon.",
                Category::OutsideWindow,
            ),
            (
                400,
                "Attendee with this email can't book because the maximum number of active bookings has been reached.",
                Category::BookerLimit,
            ),
            (400, "attendee.phoneNumber must be a valid phone number", Category::InvalidContact),
            (404, "Event type with id 5 not found.", Category::NoEventType),
            (404, "Booking not found", Category::Unknown),
            (401, "Invalid API key", Category::Credentials),
            (403, "Forbidden", Category::Credentials),
            (429, "Too many requests", Category::RateLimited),
            (500, "Attendee database on fire", Category::CalcomUnavailable),
            (503, "", Category::CalcomUnavailable),
            (400, "The moon is full", Category::Unknown),
            (418, "teapot", Category::Unknown),
        ] {
            assert_eq!(refused(status, message).category(), category, "{status} {message}");
        }
    }

    #[test]
    fn only_a_refusal_proves_that_nothing_was_done() {
        for (status, effect) in
            [(400, Effect::Nothing), (429, Effect::Nothing), (500, Effect::Unknown), (408, Effect::Unknown)]
        {
            assert_eq!(refused(status, "no").effect, effect, "{status}");
        }
        assert_eq!(CalcomError::no_response(String::new(), false).effect, Effect::Nothing);
        assert_eq!(CalcomError::no_response(String::new(), true).effect, Effect::Unknown);
    }

    #[test]
    fn the_part_of_the_contact_that_is_refused_is_named() {
        let part = |message| match refused(400, message).failure {
            BookingFailure::ContactRefused(part) => part,
            other => panic!("{other:?}"),
        };
        assert_eq!(part("attendee.phoneNumber must be a valid phone number"), Some(ContactPart::Phone));
        assert_eq!(part("attendee.email must be an email"), Some(ContactPart::Email));
        assert_eq!(part("attendee is not right"), None);
    }

    #[test]
    fn a_body_in_an_unknown_form_is_no_error_of_ours() {
        let failed = response(502, "<html>Bad gateway</html>");
        assert_eq!(failed.category(), Category::CalcomUnavailable);
        assert_eq!((failed.exchange.status, failed.exchange.body), (Some(502), b"<html>Bad gateway</html>".to_vec()));
    }

    #[test]
    fn the_booking_that_a_booker_could_reschedule_is_named() {
        let body = serde_json::json!({"error": {
            "message": "Attendee with this email can't book because the maximum number of active bookings has been reached.",
            "details": {"rescheduleUid": "u9"}}});
        assert_eq!(response(400, body).failure, BookingFailure::BookerLimit { existing: Some(BookingUid::new("u9")) });
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
    }
}
