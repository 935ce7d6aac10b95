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
