//! What is stored of a body that is too large.

use std::borrow::Cow;

use serde_json::{Value, json};

/// The largest body that fits into one transaction, however badly it compresses.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// The fields of a call that grow with its length, from the one that can be missed most easily.
const BULKY: [&str; 7] = [
    "scrubbed_transcript_with_tool_calls",
    "post_session_transcript_with_tool_calls",
    "transcript_with_tool_calls",
    "transcript_object",
    "latency",
    "scrubbed_transcript",
    "transcript",
];
/// What identifies a call.
const IDENTITY: [&str; 10] = [
    "call_id",
    "chat_id",
    "agent_id",
    "from_number",
    "to_number",
    "direction",
    "call_type",
    "call_status",
    "start_timestamp",
    "end_timestamp",
];
/// The field that names what was left out.
const OMITTED: &str = "omitted_by_frontdesk";

/// The body as it is stored: whole, or without the fields that make it too large, whose names it holds instead.
pub(crate) fn fit_into_transaction(body: &[u8]) -> Cow<'_, [u8]> {
    if body.len() <= MAX_BODY {
        return Cow::Borrowed(body);
    }
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    let object = if value["call"].is_object() { "call" } else { "chat" };
    let mut omitted = Vec::new();
    for field in BULKY {
        if value[object].as_object_mut().and_then(|call| call.remove(field)).is_some() {
            omitted.push(field);
            let smaller = with_omitted(&value, object, json!(omitted));
            if smaller.len() <= MAX_BODY {
                return Cow::Owned(smaller);
            }
        }
    }
    let identity = IDENTITY.iter().filter_map(|field| {
        let value = value[object].get(*field).filter(|value| value.to_string().len() < 1000)?;
        Some(((*field).to_owned(), value.clone()))
    });
    let mut kept = json!({"event": value["event"]});
    kept[object] = Value::Object(identity.collect());
    Cow::Owned(with_omitted(&kept, object, json!("all but what identifies the call")))
}

fn with_omitted(value: &Value, object: &str, omitted: Value) -> Vec<u8> {
    let mut value = value.clone();
    value[object][OMITTED] = omitted;
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: Value) -> Value {
        let mut call = json!({"call_id": "c", "agent_id": "a"});
        for (key, value) in fields.as_object().unwrap() {
            call[key] = value.clone();
        }
        let body = json!({"event": "call_analyzed", "call": call}).to_string();
        serde_json::from_slice(&fit_into_transaction(body.as_bytes())).unwrap()
    }

    #[test]
    fn a_body_that_fits_is_stored_byte_for_byte() {
        let body = br#"{ "event":"call_ended",  "call":{"call_id":"c"}}"#;
        assert_eq!(fit_into_transaction(body).as_ref(), body);
    }

    #[test]
    fn a_body_that_is_too_large_loses_its_longest_transcripts_and_says_so() {
        let long = "x".repeat(MAX_BODY);
        let kept = of(json!({"transcript_with_tool_calls": [long], "transcript": "Guten Tag",
                             "call_analysis": {"call_summary": "wants a haircut"}}));
        assert_eq!(kept["call"]["omitted_by_frontdesk"], json!(["transcript_with_tool_calls"]));
        assert_eq!(kept["call"]["transcript"], "Guten Tag");
        assert_eq!(kept["call"]["call_analysis"]["call_summary"], "wants a haircut");
    }

    #[test]
    fn whatever_makes_a_body_too_large_what_identifies_the_call_is_stored() {
        let long = "x".repeat(MAX_BODY);
        let kept = of(json!({"metadata": {"ours": long}, "transcript": "Guten Tag", "start_timestamp": 5}));
        assert_eq!(kept["event"], "call_analyzed");
        let call = json!({"call_id": "c", "agent_id": "a", "start_timestamp": 5,
                          "omitted_by_frontdesk": "all but what identifies the call"});
        assert_eq!(kept["call"], call);
    }
}
