//! The errors of Cal.com, in their three forms.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// A response, or a refusal.
pub(crate) type Answer = Result<Response, Refusal>;

/// A refusal. Its path and time are added when it is sent.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// In an envelope.
    Enveloped {
        status: StatusCode,
        code: &'static str,
        message: String,
        details: Details,
        /// Whether it comes from before the rate limiter.
        is_uncounted: bool,
    },
    /// Status and message alone.
    Bare { status: StatusCode, message: String },
    /// Whatever a test ordered.
    Ordered(Box<Ordered>),
}

/// A response that a test ordered.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    status: StatusCode,
    text: String,
    headers: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Details {
    /// None.
    Missing,
    /// The message once more, with the status and its name.
    Repeated,
    /// The message alone.
    Text,
    /// Something else.
    Given(Value),
}

impl Refusal {
    fn enveloped(status: StatusCode, code: &'static str, message: impl Into<String>, details: Details) -> Self {
        Self::Enveloped { status, code, message: message.into(), details, is_uncounted: false }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::enveloped(StatusCode::BAD_REQUEST, "BadRequestException", message, Details::Repeated)
    }

    /// A request that the parser of bodies refuses, before anything else looks at it.
    pub(crate) fn unparsable(message: impl Into<String>) -> Self {
        Self::bad_request(message).uncounted()
    }

    /// A value that the validator refuses.
    pub(crate) fn invalid(errors: Value) -> Self {
        let details = Details::Given(json!({"errors": errors}));
        Self::enveloped(StatusCode::BAD_REQUEST, "BadRequestException", "Bad Request Exception", details)
    }

    /// A response to one of the event type's booking fields is missing or wrong.
    pub(crate) fn booking_field(message: impl Into<String>) -> Self {
        Self::enveloped(StatusCode::BAD_REQUEST, "BAD_REQUEST", message, Details::Missing)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::enveloped(StatusCode::NOT_FOUND, "NotFoundException", message, Details::Repeated)
    }

    /// There is no such path.
    pub(crate) fn no_route(method: &str, path: &str) -> Self {
        Self::not_found(format!("Cannot {method} {path}")).uncounted()
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::enveloped(StatusCode::UNAUTHORIZED, "UnauthorizedException", message, Details::Repeated)
    }

    pub(crate) fn unknown_key() -> Self {
        Self::unauthorized("CustomThrottlerGuard - Invalid API Key").uncounted()
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::enveloped(StatusCode::FORBIDDEN, "ForbiddenException", message, Details::Repeated)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::enveloped(StatusCode::CONFLICT, "ConflictException", message, Details::Repeated)
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        let (status, code) = (StatusCode::UNPROCESSABLE_ENTITY, "UnprocessableEntityException");
        Self::enveloped(status, code, message, Details::Repeated)
    }

    pub(crate) fn trpc(status: StatusCode, message: impl Into<String>) -> Self {
        Self::enveloped(status, "TRPCError", message, Details::Missing)
    }

    pub(crate) fn rate_limited() -> Self {
        let message = "CustomThrottlerGuard - Too many requests. Please try again later.";
        Self::enveloped(StatusCode::TOO_MANY_REQUESTS, "ThrottlerException", message, Details::Text)
    }

    pub(crate) fn bare(status: u16, message: impl Into<String>) -> Self {
        Self::Bare { status: status_of(status), message: message.into() }
    }

    pub(crate) fn internal() -> Self {
        Self::bare(500, "Internal server error")
    }

    /// A body that a test ordered, with headers.
    pub(crate) fn ordered(status: u16, text: String, headers: Vec<(String, String)>) -> Self {
        Self::Ordered(Box::new(Ordered { status: status_of(status), text, headers }))
    }

    /// A refusal that a test ordered, in the envelope.
    pub(crate) fn ordered_message(status: u16, message: &str, headers: Vec<(String, String)>) -> Self {
        let details = json!({"message": message, "statusCode": status});
        let error = json!({"code": "BadRequestException", "message": message, "details": details});
        Self::ordered(status, json!({"status": "error", "path": "/v2", "error": error}).to_string(), headers)
    }

    fn uncounted(self) -> Self {
        match self {
            Self::Enveloped { status, code, message, details, .. } => {
                Self::Enveloped { status, code, message, details, is_uncounted: true }
            }
            other => other,
        }
    }

    /// Whether it carries no headers of the rate limit.
    pub(crate) fn is_uncounted(&self) -> bool {
        matches!(self, Self::Enveloped { is_uncounted: true, .. })
    }

    /// The response to a request to `path`.
    pub(crate) fn into_response_to(self, path: &str, now: &str) -> Response {
        match self {
            Self::Bare { status, message } => {
                (status, Json(json!({"statusCode": status.as_u16(), "message": message}))).into_response()
            }
            Self::Enveloped { status, code, message, details, .. } => {
                let mut error = json!({"code": code, "message": message});
                match details {
                    Details::Missing => {}
                    Details::Text => error["details"] = json!(message),
                    Details::Repeated => {
                        let name = status.canonical_reason().unwrap_or_default();
                        error["details"] = json!({"message": message, "error": name, "statusCode": status.as_u16()});
                    }
                    Details::Given(details) => error["details"] = details,
                }
                let body = json!({"status": "error", "timestamp": now, "path": path, "error": error});
                (status, Json(body)).into_response()
            }
            Self::Ordered(ordered) => {
                let Ordered { status, text, headers } = *ordered;
                let mut response = (status, text).into_response();
                for (name, value) in headers {
                    if let (Ok(name), Ok(value)) =
                        (name.parse::<axum::http::HeaderName>(), value.parse::<axum::http::HeaderValue>())
                    {
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
        }
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
