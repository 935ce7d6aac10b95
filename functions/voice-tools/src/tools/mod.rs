//! The tools: a file for each thing that a caller wants.

mod availability;
mod book;
mod change;
mod find;
mod lists;
mod message;

use crate::{answer::Answer, conversation::Conversation, error::ToolError};

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// What is free.
    CheckAvailability,
    /// Books.
    BookAppointment,
    /// The caller's coming appointments.
    FindAppointments,
    /// Moves one.
    RescheduleAppointment,
    /// Cancels one.
    CancelAppointment,
    /// What can be booked.
    ListServices,
    /// Who works here.
    ListStaff,
    /// Takes a message.
    LeaveMessage,
}

impl Tool {
    const ALL: [Self; 8] = [
        Self::CheckAvailability,
        Self::BookAppointment,
        Self::FindAppointments,
        Self::RescheduleAppointment,
        Self::CancelAppointment,
        Self::ListServices,
        Self::ListStaff,
        Self::LeaveMessage,
    ];

    /// The tool of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.as_str() == name)
    }

    /// Its name at Retell, in paths, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CheckAvailability => "check_availability",
            Self::BookAppointment => "book_appointment",
            Self::FindAppointments => "find_appointments",
            Self::RescheduleAppointment => "reschedule_appointment",
            Self::CancelAppointment => "cancel_appointment",
            Self::ListServices => "list_services",
            Self::ListStaff => "list_staff",
            Self::LeaveMessage => "leave_message",
        }
    }

    /// Runs it. What the caller has to be asked is an answer, too.
    pub async fn run(self, conversation: &Conversation<'_>) -> Result<Answer, ToolError> {
        let answered = match self {
            Self::CheckAvailability => availability::check(conversation).await,
            Self::BookAppointment => book::book(conversation).await,
            Self::FindAppointments => find::find(conversation).await,
            Self::RescheduleAppointment => change::reschedule(conversation).await,
            Self::CancelAppointment => change::cancel(conversation).await,
            Self::ListServices => Ok(lists::services(conversation)),
            Self::ListStaff => Ok(lists::staff(conversation)),
            Self::LeaveMessage => message::leave(conversation).await,
        };
        match answered {
            Ok(answer) | Err(Interrupted::Answer(answer)) => Ok(answer),
            Err(Interrupted::Failed(error)) => Err(error),
        }
    }
}

/// Why a tool ends before its last step.
#[derive(Debug)]
pub enum Interrupted {
    /// The caller has to be asked, or there is nothing to do.
    Answer(Answer),
    /// Something failed.
    Failed(ToolError),
}

impl From<Answer> for Interrupted {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl<E: Into<ToolError>> From<E> for Interrupted {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const TOOLS: [&str; 2] = [
        include_str!("../../../../infra/voice-agent/tools.de.json"),
        include_str!("../../../../infra/voice-agent/tools.en.json"),
    ];
    const PROMPTS: [&str; 2] = [
        include_str!("../../../../infra/voice-agent/prompt.de.md"),
        include_str!("../../../../infra/voice-agent/prompt.en.md"),
    ];
    const SOURCES: [&str; 8] = [
        include_str!("availability.rs"),
        include_str!("book.rs"),
        include_str!("change.rs"),
        include_str!("find.rs"),
        include_str!("lists.rs"),
        include_str!("message.rs"),
        include_str!("../conversation.rs"),
        include_str!("../caller.rs"),
    ];

    #[test]
    fn the_tools_for_retell_are_those_that_are_served_with_the_arguments_that_are_read() {
        for text in TOOLS {
            let tools: Vec<Value> = serde_json::from_str(text).unwrap();
            let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
            assert_eq!(names, Tool::ALL.map(Tool::as_str));
            for tool in &tools {
                let name = tool["name"].as_str().unwrap();
                assert_eq!((&tool["type"], &tool["url"]), (&"custom".into(), &format!("TOOLS_URL/{name}").into()));
                assert!(name.len() <= 64 && tool["args_at_root"] == false, "{name}");
                // Four seconds for the answer, and as long again for the start of a process.
                assert_eq!(tool["timeout_ms"], 8000, "{name}");
                assert_eq!(tool["parameters"]["type"], "object", "{name}");
                let properties = tool["parameters"]["properties"].as_object().unwrap();
                for argument in properties.keys() {
                    let is_read = SOURCES.iter().any(|source| source.contains(&format!("\"{argument}\"")));
                    assert!(is_read, "{name}: {argument} is never read");
                }
                for required in tool["parameters"]["required"].as_array().unwrap() {
                    assert!(properties.contains_key(required.as_str().unwrap()), "{name}: {required}");
                }
            }
        }
    }

    #[test]
    fn the_prompts_name_every_tool_and_no_variable_that_the_agent_does_not_get() {
        let known: BTreeSet<&str> = crate::inbound::VARIABLES.into();
        for prompt in PROMPTS {
            for tool in Tool::ALL {
                assert!(prompt.contains(tool.as_str()), "{} is not in the prompt", tool.as_str());
            }
            let used = prompt.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
            assert_eq!(used.collect::<BTreeSet<_>>(), known);
        }
    }
}
