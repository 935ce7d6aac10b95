//! Faults that a test orders for one event type.

use std::collections::BTreeMap;

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
    /// What is asked for is done, and the answer is a 502.
    AnswerLost,
    /// What is asked for is done after this many milliseconds.
    Slow {
        /// How long it takes.
        milliseconds: u64,
    },
}
