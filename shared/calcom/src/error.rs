//! From Cal.com's errors to the categories of the domain. This is the one place that reads Cal.com's messages.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;
use scheduling::{contact::ContactPart, exchange::Exchange, failure::Category};
use serde_json::Value;

/// A request that brought nothing.
#[derive(Debug, thiserror::Error)]
#[error("Cal.com: {} ({})", .category.as_str(), .exchange.status.map_or_else(|| "no answer".to_owned(), |s| s.to_string()))]
pub struct CalcomError {
    /// Why.
    pub category: Category,
    /// What it may have done all the same.
    pub effect: Effect,
    /// How long Cal.com asked to wait.
    pub retry_after: Option<TimeDelta>,
    /// The booking that a booker at their limit could move, where Cal.com names one.
    pub named_uid: Option<String>,
    /// The part of the contact that Cal.com refuses, where it names one.
    pub refused: Option<ContactPart>,
    /// What was sent, and what came back.
    pub exchange: Exchange,
}

/// What a request that failed may have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: Cal.com refused it, or was not reached.
    Nothing,
    /// Nobody knows: no answer came, or one that tells nothing of what was done. It may still be under way.
    Unknown,
    /// Cal.com said that it was done, in a form that can't be read.
    Done,
}

impl CalcomError {
    /// No answer came. What was asked for may have been done, if Cal.com was reached at all.
    pub(crate) fn without_answer(request: String, was_reached: bool) -> Self {
        Self {
            category: Category::CalcomUnavailable,
            effect: if was_reached { Effect::Unknown } else { Effect::Nothing },
            retry_after: None,
            named_uid: None,
            refused: None,
            exchange: Exchange { request, status: None, body: Vec::new() },
        }
    }

    /// An answer came that says yes and can't be read.
    pub(crate) fn unreadable(exchange: Exchange) -> Self {
        let (category, effect) = (Category::Unknown, Effect::Done);
        Self { category, effect, retry_after: None, named_uid: None, refused: None, exchange }
    }

    /// An answer came that refuses.
    pub(crate) fn refused(status: u16, exchange: Exchange, headers: &HeaderMap, now: DateTime<Utc>) -> Self {
        let (error, message) = error_and_message(&exchange.body);
        let category = category(status, &message);
        let of_contact = category == Category::InvalidContact;
        Self {
            category,
            effect: if category == Category::CalcomUnavailable { Effect::Unknown } else { Effect::Nothing },
            retry_after: retry_after(headers, now),
            named_uid: (category == Category::BookerLimit).then(|| named_uid(&error)).flatten(),
            refused: of_contact.then(|| refused_part(&message)).flatten(),
            exchange,
        }
    }
}

/// The category of an answer that refuses.
pub fn category_of(status: u16, body: &[u8]) -> Category {
    category(status, &error_and_message(body).1)
}

/// The error in a body, and its message in lower case.
fn error_and_message(body: &[u8]) -> (Value, String) {
    let error = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let message = message(&error).unwrap_or_default().to_lowercase();
    (error, message)
}

/// The message of an error, in the forms that Cal.com and the proxies before it use.
fn message(error: &Value) -> Option<&str> {
    ["/error/message", "/message", "/error"].into_iter().find_map(|place| error.pointer(place)?.as_str())
}

/// The category of an answer. `message` is in lower case.
fn category(status: u16, message: &str) -> Category {
    let says = |part: &str| message.contains(part);
    match status {
        401 | 403 => Category::Credentials,
        404 if says("event type") => Category::NoEventType,
        408 | 500.. => Category::CalcomUnavailable,
        429 => Category::RateLimited,
        400 | 409 | 422 => match () {
            () if says("meeting in the past") => Category::Past,
            () if says("already has booking at this time") || says("is not available") => Category::HostConflict,
            () if says("can't be booked at the \"start\" time") => Category::OutsideWindow,
            () if says("maximum number of active bookings") => Category::BookerLimit,
            () if says("event type") && says("not found") => Category::NoEventType,
            () if ["phonenumber", "email", "attendee"].iter().any(|&field| says(field)) => Category::InvalidContact,
            () => Category::Unknown,
        },
        _ => Category::Unknown,
    }
}

/// The part of the contact that a message names. `message` is in lower case.
fn refused_part(message: &str) -> Option<ContactPart> {
    let named = [("phonenumber", ContactPart::Phone), ("email", ContactPart::Email)];
    named.into_iter().find_map(|(field, part)| message.contains(field).then_some(part))
}

/// The uid of the booking that could be rescheduled, wherever the details hold it.
fn named_uid(error: &Value) -> Option<String> {
    let details = error.pointer("/error/details")?;
    ["rescheduleUid", "bookingUid", "uid"].into_iter().find_map(|key| details.get(key)?.as_str()).map(str::to_owned)
}

/// How long the other side asks to wait: `Retry-After` in seconds or as a date, else the largest of the
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

    fn failed(status: u16, body: impl ToString) -> CalcomError {
        let body = body.to_string().into_bytes();
        let exchange = Exchange { request: "POST /v2/bookings".to_owned(), status: Some(status), body };
        CalcomError::refused(status, exchange, &HeaderMap::new(), now())
    }

    fn refused(status: u16, message: &str) -> CalcomError {
        failed(status, serde_json::json!({"status": "error", "error": {"code": "E", "message": message}}))
    }

    #[test]
    fn each_message_that_calcom_is_known_to_send_has_its_category() {
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
            assert_eq!(refused(status, message).category, category, "{status} {message}");
        }
    }

    #[test]
    fn only_an_answer_that_refuses_tells_that_nothing_was_done() {
        for (status, effect) in
            [(400, Effect::Nothing), (429, Effect::Nothing), (500, Effect::Unknown), (408, Effect::Unknown)]
        {
            assert_eq!(refused(status, "no").effect, effect, "{status}");
        }
        assert_eq!(CalcomError::without_answer(String::new(), false).effect, Effect::Nothing);
        assert_eq!(CalcomError::without_answer(String::new(), true).effect, Effect::Unknown);
    }

    #[test]
    fn the_part_of_the_contact_that_is_refused_is_named() {
        let part = |message| refused(400, message).refused;
        assert_eq!(part("attendee.phoneNumber must be a valid phone number"), Some(ContactPart::Phone));
        assert_eq!(part("attendee.email must be an email"), Some(ContactPart::Email));
        assert_eq!(part("attendee is not right"), None);
    }

    #[test]
    fn a_body_in_no_known_form_is_no_error_of_ours() {
        let failed = failed(502, "<html>Bad gateway</html>");
        assert_eq!(failed.category, Category::CalcomUnavailable);
        assert_eq!((failed.exchange.status, failed.exchange.body), (Some(502), b"<html>Bad gateway</html>".to_vec()));
    }

    #[test]
    fn the_booking_that_a_booker_could_move_is_named() {
        let body = serde_json::json!({"error": {
            "message": "Attendee with this email can't book because the maximum number of active bookings has been reached.",
            "details": {"rescheduleUid": "u9"}}});
        assert_eq!(failed(400, body).named_uid.as_deref(), Some("u9"));
    }

    #[test]
    fn the_wait_is_read_in_all_its_forms() {
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
