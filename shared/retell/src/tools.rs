//! The tools that the voice agent used in a call, and the bookings that they made.
//!
//! `transcript_with_tool_calls` holds an entry for each tool's invocation (`role`, `tool_call_id`, `name`, `type`) and one for
//! its result (`role`, `tool_call_id`, `content`, `successful`). `type` is `integration_app` for Retell's Cal.com integration
//! and `book_appointment_cal` for the tool before it; a custom LLM's tools have none. Source: retell-sdk 6.2.13. What the
//! integration writes as its result is not documented, so a uid is looked for wherever it may stand.

use std::collections::BTreeMap;

use scheduling::ids::BookingUid;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

/// More bookings than this are not made in a call.
const MAX_BOOKINGS: usize = 8;
/// The keys under which tools name a booking, in lower case and without underscores.
const UID_KEYS: [&str; 2] = ["uid", "bookinguid"];

/// An entry of the transcript. Of what people said, the words with their times are skipped.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Entry {
    #[serde(default)]
    role: String,
    #[serde(default)]
    tool_call_id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    successful: Option<bool>,
}

/// An entry, or something in its place that is none.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum MaybeEntry {
    Entry(Entry),
    Other(IgnoredAny),
}

/// The bookings that Cal.com's tools named in a call, latest first: of a booking that was moved, the latest uid is
/// the valid one.
pub(crate) fn bookings(transcript: &[MaybeEntry]) -> Vec<BookingUid> {
    let mut invoked: BTreeMap<&str, &Entry> = BTreeMap::new();
    let mut found: Vec<BookingUid> = Vec::new();
    let entries = transcript.iter().filter_map(|entry| match entry {
        MaybeEntry::Entry(entry) => Some(entry),
        MaybeEntry::Other(_) => None,
    });
    for entry in entries {
        match entry.role.as_str() {
            "tool_call_invocation" => drop(invoked.insert(&entry.tool_call_id, entry)),
            "tool_call_result" if entry.successful != Some(false) => {
                let may_book_at_calcom =
                    invoked.get(entry.tool_call_id.as_str()).is_some_and(|invoked| invoked.may_book_at_calcom());
                if let (true, Some(content)) = (may_book_at_calcom, &entry.content) {
                    found.extend(uids_in(content));
                }
            }
            _ => {}
        }
    }
    found.reverse();
    let mut seen = Vec::new();
    found.retain(|uid| {
        !seen.contains(uid) && {
            seen.push(uid.clone());
            true
        }
    });
    found.truncate(MAX_BOOKINGS);
    found
}

impl Entry {
    /// Whether the tool may book at Cal.com. A custom function is the agency's own, and is no tool of Retell's.
    fn may_book_at_calcom(&self) -> bool {
        let name = self.name.as_deref().unwrap_or_default().to_lowercase();
        let stems = ["book", "buch", "termin", "appointment", "schedul", "reschedul", "calcom"];
        let mut words = name.split(|letter: char| !letter.is_alphanumeric());
        let name_suggests_booking = words.any(|word| word == "cal" || stems.iter().any(|stem| word.starts_with(stem)));
        match self.kind.as_deref() {
            Some(kind) if kind.ends_with("_cal") => true,
            Some("integration_app" | "mcp") | None => name_suggests_booking,
            Some(_) => false,
        }
    }
}

/// The uids in the result of a tool: in JSON under one of their keys, in a text behind the word.
fn uids_in(content: &str) -> Vec<BookingUid> {
    let mut found = Vec::new();
    match serde_json::from_str::<Value>(content) {
        Ok(value) => collect(&value, &mut found),
        Err(_) => found.extend(uids_in_text(content)),
    }
    found
}

fn collect(value: &Value, found: &mut Vec<BookingUid>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let name = key.to_lowercase().replace('_', "");
                match value {
                    Value::String(uid) if UID_KEYS.contains(&name.as_str()) && is_uid(uid) => {
                        found.push(BookingUid::new(uid));
                    }
                    other => collect(other, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        // A result within a result.
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            if let Ok(value) = serde_json::from_str(text) {
                collect(&value, found);
            }
        }
        _ => {}
    }
}

/// The words behind each `uid` of a text.
fn uids_in_text(text: &str) -> Vec<BookingUid> {
    let is_separator = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let words: Vec<&str> = text.split(is_separator).filter(|word| !word.is_empty()).collect();
    let behind = words.windows(2).filter_map(|pair| match pair {
        [name, uid] if UID_KEYS.contains(&name.to_lowercase().replace('_', "").as_str()) && is_uid(uid) => Some(*uid),
        _ => None,
    });
    behind.map(BookingUid::new).collect()
}

/// Cal.com's uids are short UUIDs of 21 or 22 characters, or plain UUIDs.
fn is_uid(text: &str) -> bool {
    (16..=40).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UID: &str = "kKpVMxyQyQPpG7fUSsZ8o9";

    fn of(kind: Option<&str>, name: &str, successful: bool, content: &str) -> Vec<String> {
        let transcript = json!([
            {"role": "agent", "content": "Einen Moment.", "words": [{"word": "Einen", "start": 0.1, "end": 0.2}]},
            {"role": "dtmf", "content": {"digit": 5}}, "no object",
            {"role": "tool_call_invocation", "tool_call_id": "t1", "name": name, "type": kind, "arguments": "{}"},
            {"role": "tool_call_result", "tool_call_id": "t1", "content": content, "successful": successful},
        ]);
        let transcript: Vec<MaybeEntry> = serde_json::from_value(transcript).unwrap();
        bookings(&transcript).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_booking_is_found_wherever_a_tool_names_it() {
        let nested = json!({"result": json!({"data": {"uid": UID, "id": 5}}).to_string()}).to_string();
        let text = format!("Follow the guide. Booked. Booking uid: {UID}.");
        for content in [
            json!({"status": "success", "data": {"uid": UID, "status": "accepted"}}).to_string(),
            json!({"booking_uid": UID}).to_string(),
            json!([{"bookingUid": UID}, {"bookingUid": UID}]).to_string(),
            nested,
            text,
        ] {
            assert_eq!(of(Some("integration_app"), "Termin buchen", true, &content), [UID], "{content}");
            assert_eq!(of(Some("book_appointment_cal"), "x", true, &content), [UID], "{content}");
            assert_eq!(of(None, "book_appointment", true, &content), [UID], "{content}");
        }
    }

    #[test]
    fn what_failed_or_is_another_tools_is_no_booking() {
        let content = json!({"uid": UID}).to_string();
        assert_eq!(of(Some("integration_app"), "Termin buchen", false, &content), [""; 0]);
        assert_eq!(of(Some("custom"), "book_appointment", true, &content), [""; 0]);
        assert_eq!(of(Some("integration_app"), "call_lookup", true, &content), [""; 0]);
        assert_eq!(of(None, "book_appointment", true, "{\"uid\": \"short\"}"), [""; 0]);
        assert_eq!(of(None, "book_appointment", true, "no slot is free"), [""; 0]);
    }

    #[test]
    fn of_several_bookings_the_last_one_comes_first() {
        let second = "aaaaaaaaaaaaaaaaaaaaaa";
        let entry = |id: &str, uid: &str| {
            json!([{"role": "tool_call_invocation", "tool_call_id": id, "name": "book", "type": "integration_app"},
                   {"role": "tool_call_result", "tool_call_id": id, "content": json!({"uid": uid}).to_string()}])
        };
        let all: Vec<Value> =
            [entry("1", UID), entry("2", second)].iter().flat_map(|it| it.as_array().unwrap().clone()).collect();
        let transcript: Vec<MaybeEntry> = serde_json::from_value(Value::Array(all)).unwrap();
        assert_eq!(bookings(&transcript).iter().map(BookingUid::as_str).collect::<Vec<_>>(), [second, UID]);
    }
}
