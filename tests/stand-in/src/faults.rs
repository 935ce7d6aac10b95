//! Faults that a test orders for one event type.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// `POST /v2/bookings`
    Book,
    /// `GET /v2/bookings`
    List,
    /// `GET /v2/bookings/{uid}`
    Get,
    /// `POST /v2/bookings/{uid}/cancel`
    Cancel,
    /// `POST /v2/bookings/{uid}/reschedule`
    Reschedule,
    /// `GET /v2/slots`
    Slots,
    /// `POST /v2/bookings/{uid}/reassign`
    Reassign,
    /// `GET /v2/me`
    Me,
    /// Any other.
    Other,
}

/// What goes wrong with the next requests of one kind.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests.
    pub request: RequestKind,
    /// How many of them.
    pub times: u32,
    /// What happens.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The request is answered so, and nothing is done.
    Refused {
        /// The status.
        status: u16,
        /// The message in Cal.com's envelope.
        message: String,
        /// Headers beside it.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The request is answered with this very text, and nothing is done.
    Body {
        /// The status.
        status: u16,
        /// The whole body.
        text: String,
    },
    /// Nothing is done, and the response is Cal.com's own 500.
    Error,
    /// What is asked for is done, and the response is Cal.com's own 500.
    ErrorAfter,
    /// What is asked for is done, and the response is a 502 of a proxy.
    AnswerLost,
    /// What is asked for is done after this many milliseconds.
    Slow {
        /// How long it takes.
        milliseconds: u64,
    },
}

/// Faults that come by chance, in a sequence that depends on the seed alone.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Weather {
    /// Where the sequence begins.
    pub seed: u64,
    /// The share of requests that are answered 500, half of them after a booking was made.
    pub unavailable: f64,
    /// The share that is answered 429.
    pub rate_limited: f64,
    /// The share of bookings that are made while the connection is cut.
    pub answer_lost: f64,
    /// The share of bookings that are made late.
    pub slow: f64,
    /// How late, in milliseconds.
    pub slow_by: u64,
}

/// A weather under way.
pub(crate) struct Sky {
    weather: Weather,
    dice: Rng,
}

impl From<Weather> for Sky {
    fn from(weather: Weather) -> Self {
        Self { dice: Rng::with_seed(weather.seed), weather }
    }
}

impl Sky {
    /// What goes wrong with the next request of this kind.
    pub(crate) fn next(&mut self, request: RequestKind) -> Option<FaultKind> {
        let (chance, weather) = (self.dice.f64(), &self.weather);
        let books = request == RequestKind::Book;
        let shares = [
            (weather.unavailable / 2.0, FaultKind::Error),
            (weather.unavailable / 4.0, FaultKind::ErrorAfter),
            (weather.unavailable / 4.0, FaultKind::AnswerLost),
            (
                weather.rate_limited,
                FaultKind::Refused {
                    status: 429,
                    message: "CustomThrottlerGuard - Too many requests. Please try again later.".to_owned(),
                    headers: BTreeMap::from([
                        ("x-ratelimit-remaining-default".to_owned(), "0".to_owned()),
                        ("x-ratelimit-reset-default".to_owned(), "1".to_owned()),
                    ]),
                },
            ),
            (if books { weather.answer_lost } else { 0.0 }, FaultKind::AnswerLost),
            (if books { weather.slow } else { 0.0 }, FaultKind::Slow { milliseconds: weather.slow_by }),
        ];
        let mut below = 0.0;
        shares.into_iter().find_map(|(share, kind)| {
            below += share;
            (chance < below).then_some(kind)
        })
    }
}
