//! The body of a webhook: `{"event": "...", "call": {...}}`.
//!
//! Only what Frontdesk uses is parsed. Unknown events and fields pass, and a field of an unexpected type counts as missing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use scheduling::{
    ids::{AgentId, BookingUid, CallId, Source},
    personal::Personal,
    request::CallFields,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::tools;

/// A webhook's body.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// What happened.
    #[serde(rename = "event")]
    pub kind: EventKind,
    /// The call, or the chat, which is kept and requests nothing.
    #[serde(alias = "chat")]
    pub call: Call,
}

/// What happened to a call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum EventKind {
    /// The call was analyzed: what the caller wants is known.
    CallAnalyzed,
    /// Any other event, by its name.
    Other(String),
}

impl From<String> for EventKind {
    fn from(name: String) -> Self {
        if name == "call_analyzed" { Self::CallAnalyzed } else { Self::Other(name) }
    }
}

impl EventKind {
    /// Retell's name for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::CallAnalyzed => "call_analyzed",
            Self::Other(name) => name,
        }
    }
}

/// A call. Whatever Frontdesk does not use is skipped, such as the times of each word.
#[derive(Deserialize)]
pub struct Call {
    /// Retell's name for it.
    #[serde(rename = "call_id", alias = "chat_id")]
    pub id: CallId,
    /// The voice agent that answered.
    #[serde(default, deserialize_with = "lenient")]
    pub agent_id: Option<AgentId>,
    /// The caller's number; missing or invented if it is hidden.
    #[serde(default, deserialize_with = "lenient")]
    from_number: Option<String>,
    /// The called number.
    #[serde(default, deserialize_with = "lenient")]
    to_number: Option<String>,
    /// When it began, in milliseconds since 1970.
    #[serde(default, deserialize_with = "lenient")]
    start_timestamp: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    end_timestamp: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    call_status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    call_type: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    direction: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    call_analysis: Option<Analysis>,
    #[serde(default, deserialize_with = "lenient")]
    collected_dynamic_variables: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "lenient")]
    transcript_with_tool_calls: Option<Vec<tools::MaybeEntry>>,
}

#[derive(Deserialize)]
struct Analysis {
    #[serde(default, deserialize_with = "lenient")]
    call_summary: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    in_voicemail: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    custom_analysis_data: Option<Map<String, Value>>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("id", &self.id).field("agent_id", &self.agent_id).finish_non_exhaustive()
    }
}

/// How far Retell got with a call (`call_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallProgress {
    /// It has not ended.
    Underway,
    /// Caller and agent were connected, and it has ended.
    Connected,
    /// They were not.
    NotConnected,
}

/// What a person who acts on a call reads of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// What it was about, in a few sentences.
    pub summary: Option<Personal<String>>,
    /// Where it can be heard. It may work for minutes only.
    pub recording_url: Option<Personal<String>>,
    /// When it began.
    pub began_at: Option<DateTime<Utc>>,
    /// How long it took.
    pub duration: Option<TimeDelta>,
    /// Every turn, in order.
    pub turns: Vec<Turn>,
}

/// What one of the two said before the other spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Whether the voice agent spoke.
    pub is_agent: bool,
    /// The words.
    pub words: Personal<String>,
}

impl Summary {
    /// Reads it from the body of a webhook. `None` if there is neither.
    pub fn of(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |path| body.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let personal = |path| text(path).map(|text| Personal::new(text.to_owned()));
        let moment = |path| body.pointer(path).and_then(Value::as_i64).and_then(DateTime::from_timestamp_millis);
        let began_at = moment("/call/start_timestamp");
        let turns = body.pointer("/call/transcript_object").and_then(Value::as_array);
        let found = Self {
            summary: personal("/call/call_analysis/call_summary"),
            recording_url: personal("/call/recording_url"),
            began_at,
            duration: began_at.zip(moment("/call/end_timestamp")).map(|(began, ended)| ended - began),
            turns: turns.into_iter().flatten().filter_map(Turn::of).collect(),
        };
        (found.summary.is_some() || found.recording_url.is_some() || !found.turns.is_empty()).then_some(found)
    }
}

impl Turn {
    fn of(turn: &Value) -> Option<Self> {
        let is_agent = match turn.get("role")?.as_str()? {
            "agent" => true,
            "user" => false,
            _ => return None,
        };
        let words = turn.get("content")?.as_str()?.trim();
        (!words.is_empty()).then(|| Self { is_agent, words: Personal::new(words.to_owned()) })
    }
}

/// Bytes that are not a Retell event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// They are not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// They are JSON of another form.
    #[error("the body is not a Retell event: it needs the text `event` and the object `call` with the text `call_id`")]
    NotRetell,
    /// The call's id, or the event's name, can't be one of Retell's.
    #[error("`event` or `call.call_id` is empty or longer than 200 bytes")]
    BadName,
}

const LONGEST_NAME: usize = 200;

impl Event {
    /// Parses the body of a webhook.
    ///
    /// # Errors
    /// Says what is wrong, and quotes nothing.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        let event: Self = serde_json::from_slice(body)
            .map_err(|error| if error.is_data() { EventError::NotRetell } else { EventError::NotJson })?;
        let names = [event.kind.as_str(), event.call.id.as_str()];
        let are_plausible = names.iter().all(|name| (1..=LONGEST_NAME).contains(&name.len()));
        if are_plausible { Ok(event) } else { Err(EventError::BadName) }
    }
}

impl Call {
    /// The channel of an appointment that the call requests.
    pub fn source(&self) -> Source {
        match self.call_type.as_deref() {
            Some("web_call") => Source::web(),
            _ => Source::phone(),
        }
    }

    /// When it began, if Retell says so: what a caller says of a time counts from then.
    pub fn began_at(&self) -> Option<DateTime<Utc>> {
        self.start_timestamp.and_then(DateTime::from_timestamp_millis)
    }

    /// When it ended, if it has.
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.end_timestamp.and_then(DateTime::from_timestamp_millis)
    }

    /// How far Retell got with it.
    pub fn progress(&self) -> CallProgress {
        match self.call_status.as_deref() {
            Some("registered" | "ongoing") => CallProgress::Underway,
            Some("not_connected" | "error") => CallProgress::NotConnected,
            // An unknown word is taken for a call that somebody made.
            _ => CallProgress::Connected,
        }
    }

    /// Whether Retell has analyzed it. A call in which nobody spoke has an empty analysis.
    pub fn is_analyzed(&self) -> bool {
        let analysis = self.call_analysis.as_ref();
        analysis.is_some_and(|it| it.call_summary.is_some() || it.custom_analysis_data.is_some())
    }

    /// The bookings that Cal.com's tools named in it, the most likely one first.
    pub fn bookings(&self) -> Vec<BookingUid> {
        self.transcript_with_tool_calls.as_deref().map(tools::bookings).unwrap_or_default()
    }

    /// The business's own number: the called one, or the one that the agent called from.
    pub fn business_number(&self) -> Option<&str> {
        match self.direction.as_deref() {
            Some("outbound") => self.from_number.as_deref(),
            _ => self.to_number.as_deref(),
        }
    }
}

impl Call {
    /// What the agent wrote under a key: in the analysis, then in the variables that it collected.
    fn values(&self, key: &str) -> impl Iterator<Item = &Value> {
        let analyzed = self.call_analysis.as_ref().and_then(|analysis| analysis.custom_analysis_data.as_ref());
        let maps = [analyzed, self.collected_dynamic_variables.as_ref()];
        maps.into_iter().flatten().filter_map(move |map| map.get(key))
    }
}

impl CallFields for Call {
    fn text(&self, key: &str) -> Option<String> {
        self.values(key).find_map(written_out)
    }

    fn entries(&self, key: &str) -> Vec<BTreeMap<String, String>> {
        self.values(key).find_map(entries_in).unwrap_or_default()
    }

    fn is_voicemail(&self) -> bool {
        self.call_analysis.as_ref().and_then(|analysis| analysis.in_voicemail).unwrap_or(false)
    }

    fn caller_number(&self) -> Option<&str> {
        match self.direction.as_deref() {
            Some("outbound") => self.to_number.as_deref(),
            _ => self.from_number.as_deref(),
        }
    }
}

fn written_out(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(answer) => Some(answer.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The objects of a list, or of the JSON text of one: Retell's analysis has no lists.
fn entries_in(value: &Value) -> Option<Vec<BTreeMap<String, String>>> {
    let parsed: Value;
    let list = match value {
        Value::Array(list) => list,
        Value::String(text) => {
            parsed = serde_json::from_str(text).ok()?;
            parsed.as_array()?
        }
        _ => return None,
    };
    let entries: Vec<BTreeMap<String, String>> = list
        .iter()
        .filter_map(Value::as_object)
        .map(|entry| entry.iter().filter_map(|(key, value)| Some((key.clone(), written_out(value)?))).collect())
        .collect();
    (!entries.is_empty()).then_some(entries)
}

/// A field of the expected type; any other type counts as missing.
fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(json: &str) -> Call {
        Event::parse(format!(r#"{{"event":"call_analyzed","call":{json}}}"#).as_bytes()).unwrap().call
    }

    #[test]
    fn the_analysis_comes_before_the_variables() {
        let call = call(
            r#"{"call_id":"c","call_analysis":{"custom_analysis_data":{"service":"cut","empty":" ","age":7,"ok":true}},
                "collected_dynamic_variables":{"service":"color","empty":"variable"}}"#,
        );
        let text = |key| CallFields::text(&call, key);
        assert_eq!(text("service").as_deref(), Some("cut"));
        assert_eq!(text("empty").as_deref(), Some("variable"));
        assert_eq!(text("age").as_deref(), Some("7"));
        assert_eq!(text("ok").as_deref(), Some("true"));
        assert_eq!(text("none"), None);
    }

    #[test]
    fn the_customer_is_who_called_or_was_called_and_the_business_the_other_one() {
        let inbound = call(r#"{"call_id":"c","from_number":"+491","to_number":"+492"}"#);
        assert_eq!((inbound.caller_number(), inbound.business_number()), (Some("+491"), Some("+492")));
        let outbound = call(r#"{"call_id":"c","direction":"outbound","from_number":"+491","to_number":"+492"}"#);
        assert_eq!((outbound.caller_number(), outbound.business_number()), (Some("+492"), Some("+491")));
    }

    #[test]
    fn unknown_events_and_fields_and_odd_types_are_fine() {
        let event =
            Event::parse(br#"{"event":"call_danced","x":1,"call":{"call_id":"c","agent_id":5,"call_analysis":[]}}"#)
                .unwrap();
        assert_eq!(event.kind, EventKind::Other("call_danced".to_owned()));
        assert_eq!(event.call.agent_id, None);
    }

    #[test]
    fn a_chat_is_an_event_that_requests_nothing() {
        let event =
            Event::parse(br#"{"event":"chat_analyzed","chat":{"chat_id":"chat_1","agent_id":"agent_1"}}"#).unwrap();
        assert_eq!((event.kind, event.call.id.as_str()), (EventKind::Other("chat_analyzed".to_owned()), "chat_1"));
    }

    #[test]
    fn what_is_no_event_is_told_apart() {
        let refused = |body: &[u8]| Event::parse(body).err();
        assert_eq!(refused(b""), Some(EventError::NotJson));
        assert_eq!(refused(b"{\"event\": \xff}"), Some(EventError::NotJson));
        let nested = format!(r#"{{"event":"e","call":{{"call_id":"c","deep":{}"#, "[".repeat(100_000));
        assert_eq!(refused(nested.as_bytes()), Some(EventError::NotJson));
        assert_eq!(refused(b"[]"), Some(EventError::NotRetell));
        assert_eq!(refused(br#"{"event":"call_analyzed"}"#), Some(EventError::NotRetell));
        assert_eq!(refused(br#"{"event":"e","call":{"call_id":""}}"#), Some(EventError::BadName));
    }

    #[test]
    fn what_a_call_holds_is_not_printed() {
        let call =
            call(r#"{"call_id":"c","from_number":"+4930901820","call_analysis":{"custom_analysis_data":{"a":"b"}}}"#);
        assert_eq!(format!("{call:?}"), r#"Call { id: CallId("c"), agent_id: None, .. }"#);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Event::parse(&bytes);
        }
    }
}
