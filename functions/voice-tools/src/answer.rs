//! What a tool answers: a sentence that the agent can say, and the same as data.

use serde_json::{Map, Value, json};

/// What came of a tool's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The wished start is free, or these are.
    Free,
    /// It is not free; others are.
    NotFree,
    /// The caller has to be asked.
    Question,
    /// It is stored as booked.
    Booked,
    /// It is stored as moved.
    Moved,
    /// It is stored as cancelled.
    Cancelled,
    /// It is stored as booked, and its host has to confirm it.
    AwaitsConfirmation,
    /// It is stored as booked, and Cal.com can't be asked now.
    Unverified,
    /// It is stored, and Cal.com has not answered yet.
    BeingEntered,
    /// A person of the business does it.
    Callback,
    /// A message was stored.
    MessageTaken,
    /// What was asked for.
    Listed,
    /// There is nothing of that kind.
    None,
    /// Nothing was done.
    Unavailable,
}

impl Status {
    /// The word for it in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::NotFree => "not_free",
            Self::Question => "question",
            Self::Booked => "booked",
            Self::Moved => "moved",
            Self::Cancelled => "cancelled",
            Self::AwaitsConfirmation => "awaits_confirmation",
            Self::Unverified => "unverified",
            Self::BeingEntered => "being_entered",
            Self::Callback => "callback",
            Self::MessageTaken => "message_taken",
            Self::Listed => "listed",
            Self::None => "none",
            Self::Unavailable => "unavailable",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What came of it.
    pub status: Status,
    say: String,
    data: Map<String, Value>,
}

impl Answer {
    /// An answer without data.
    pub fn new(status: Status, say: String) -> Self {
        Self { status, say, data: Map::new() }
    }

    /// A question to the caller.
    pub fn ask(say: String) -> Self {
        Self::new(Status::Question, say)
    }

    /// The same with a value under a key.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// The body of the response.
    pub fn body(&self) -> Value {
        let mut body =
            Map::from_iter([("status".to_owned(), json!(self.status.as_str())), ("say".to_owned(), json!(self.say))]);
        body.extend(self.data.clone());
        Value::Object(body)
    }
}
