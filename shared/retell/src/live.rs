//! What Retell sends while a caller is on the line, or about to be: the calls of custom functions, and inbound calls.

use std::collections::BTreeMap;

use scheduling::{ids::AgentId, placeholder::is_placeholder};
use serde::Deserialize;
use serde_json::Value;

use crate::event::{Call, EventError};

/// A custom function that the agent calls: `{"name", "args", "call"}`.
#[derive(Deserialize)]
pub struct ToolCall {
    /// The function's name at Retell.
    pub name: String,
    /// What the model filled in.
    #[serde(default)]
    pub args: Args,
    /// The call, as far as it has come. Its id is never taken from the arguments.
    pub call: Call,
}

/// The arguments of a custom function. A model writes them: any of them may be missing, empty, or of another type.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub struct Args(BTreeMap<String, Value>);

impl ToolCall {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// Says what is wrong, and quotes nothing.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        serde_json::from_slice(body).map_err(|error| reason(&error))
    }
}

impl Args {
    /// The text under a key. `None` if it is missing, or says that it is.
    pub fn text(&self, key: &str) -> Option<String> {
        let text = match self.0.get(key)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!is_placeholder(&text)).then_some(text)
    }

    /// Whether the model filled in anything under a key, be it that there is nothing.
    pub fn is_given(&self, key: &str) -> bool {
        self.0
            .get(key)
            .is_some_and(|value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty()))
    }
}

/// A call that comes in: `{"event": "call_inbound", "call_inbound": {...}}`.
#[derive(Deserialize)]
pub struct InboundCall {
    /// The agent that will answer.
    #[serde(default)]
    pub agent_id: Option<AgentId>,
    /// The caller's number.
    #[serde(default)]
    pub from_number: Option<String>,
    /// The called number.
    #[serde(default)]
    pub to_number: Option<String>,
}

impl InboundCall {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// Says what is wrong, and quotes nothing.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        #[derive(Deserialize)]
        struct Envelope {
            call_inbound: InboundCall,
        }
        let envelope: Envelope = serde_json::from_slice(body).map_err(|error| reason(&error))?;
        Ok(envelope.call_inbound)
    }
}

fn reason(error: &serde_json::Error) -> EventError {
    if error.is_data() { EventError::NotRetell } else { EventError::NotJson }
}

#[cfg(test)]
mod tests {
    use scheduling::request::CallFields;

    use super::*;

    #[test]
    fn the_arguments_of_a_model_are_read_whatever_their_types() {
        let body =
            br#"{"name":"book_appointment","args":{"service":" Haarschnitt ","start":10,"name":"null","phone":""},
            "call":{"call_id":"c","agent_id":"a","from_number":"+491"}}"#;
        let called = ToolCall::parse(body).unwrap();
        assert_eq!(called.args.text("service").as_deref(), Some("Haarschnitt"));
        assert_eq!(called.args.text("start").as_deref(), Some("10"));
        assert_eq!((called.args.text("name"), called.args.text("phone"), called.args.text("no")), (None, None, None));
        assert!(called.args.is_given("name") && !called.args.is_given("phone") && !called.args.is_given("no"));
        assert_eq!(called.call.caller_number(), Some("+491"));
    }

    #[test]
    fn what_is_no_tool_call_is_refused() {
        assert_eq!(ToolCall::parse(b"{").err(), Some(EventError::NotJson));
        assert_eq!(ToolCall::parse(br#"{"name":"x","args":{}}"#).err(), Some(EventError::NotRetell));
        assert_eq!(InboundCall::parse(br#"{"event":"call_inbound"}"#).err(), Some(EventError::NotRetell));
    }

    #[test]
    fn an_inbound_call_names_agent_and_numbers() {
        let body =
            br#"{"event":"call_inbound","call_inbound":{"agent_id":"a","from_number":"+491","to_number":"+492"}}"#;
        let inbound = InboundCall::parse(body).unwrap();
        assert_eq!(inbound.from_number.as_deref(), Some("+491"));
        assert_eq!(inbound.to_number.as_deref(), Some("+492"));
    }
}
