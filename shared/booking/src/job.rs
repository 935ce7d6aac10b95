//! What belongs to the processing of an appointment.

use std::time::Instant;

use calcom::Calcom;
use platform::{
    queues::{AppointmentMessage, MessageKind, QueueError},
    telemetry::LogContext,
};
use scheduling::{appointment::Appointment, tenant::Tenant};

/// What belongs to the processing of an appointment.
pub struct Job<'a> {
    /// Its tenant.
    pub tenant: &'a Tenant,
    /// What log lines are about.
    pub log: &'a LogContext,
    /// The client, which abandons requests once a caller has waited long enough.
    pub(crate) calcom: Calcom,
    /// Until when a caller waits, if one does.
    pub(crate) caller_until: Option<Instant>,
}

impl Job<'_> {
    /// The message for the next step of an appointment.
    pub fn message(&self, kind: MessageKind, appointment: &Appointment) -> AppointmentMessage {
        AppointmentMessage::new(kind, appointment, self.log.trace.clone())
    }

    /// What came of sending a message. A caller hears what is stored: what could not be sent is found by the reconciler.
    pub(crate) fn sent(&self, sent: Result<(), QueueError>) -> Result<(), QueueError> {
        match sent {
            Err(error) if self.caller_until.is_some() => {
                tracing::error!(%error, "failed to queue an appointment; the reconciler finds it");
                Ok(())
            }
            sent => sent,
        }
    }
}
