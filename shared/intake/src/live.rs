//! What tools did while the caller was on the line.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use retell::event::Call;
use scheduling::{
    appointment::{Actor, Appointment},
    contact,
    ids::{AppointmentId, CustomerId},
    live::{LiveAction, LiveKind, open_requests},
    request::CallFields,
    tenant::Tenant,
};
use serde_json::json;
use store::{CallEvent, StoreError};

use crate::{
    CallIntake,
    recording::{LiveRecord, Recorder},
};

/// How the events of tools are named. Retell's own begin otherwise.
const TOOL_EVENTS: &str = "tool_";

impl CallIntake {
    /// Stores what a tool requests. It is not queued: its caller books it at once, and the reconciler finds it if
    /// that does not happen.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn record_live(
        &self,
        kind: LiveKind,
        call: &Call,
        appointment: Appointment,
        tenant: &Tenant,
        by: Actor<'_>,
    ) -> Result<Option<LiveRecord>, StoreError> {
        let (name, caller) = (name_of(kind), caller_of(call, tenant));
        let event = event_of(call, tenant, caller.as_ref(), &name, by.now);
        let recorder = Recorder { calls: &self.calls, appointments: &self.appointments, tenant, by };
        recorder.record_live(|id| body_of(kind, id), &event, appointment).await
    }

    /// Stores that a tool changes an appointment, so that the analysis of the call does not request that again.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn note_live(
        &self,
        kind: LiveKind,
        call: &Call,
        appointment: &AppointmentId,
        tenant: &Tenant,
        by: Actor<'_>,
    ) -> Result<(), StoreError> {
        let (name, caller, body) = (name_of(kind), caller_of(call, tenant), body_of(kind, appointment));
        let event = event_of(call, tenant, caller.as_ref(), &name, by.now);
        self.calls.record(&CallEvent { body: &body, ..event }, None).await.map(drop)
    }

    /// What tools did in a call.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn live_actions(&self, call: &Call, tenant: &Tenant) -> Result<Vec<LiveAction>, StoreError> {
        let events = self.calls.events_named(&tenant.id, &call.id, TOOL_EVENTS).await?;
        Ok(events.iter().filter_map(|(_, body)| serde_json::from_slice(body).ok()).collect())
    }

    /// The appointments that an analysis requests and that no tool has settled in the call.
    pub(crate) async fn without_settled(
        &self,
        call: &Call,
        requested: Vec<Appointment>,
        tenant: &Tenant,
    ) -> Result<Vec<Appointment>, StoreError> {
        if requested.is_empty() {
            return Ok(requested);
        }
        let mut kinds: BTreeMap<AppointmentId, Vec<LiveKind>> = BTreeMap::new();
        for action in self.live_actions(call, tenant).await? {
            kinds.entry(action.appointment).or_default().push(action.kind);
        }
        if kinds.is_empty() {
            return Ok(requested);
        }
        let loaded = try_join_all(kinds.keys().map(async |id| self.appointments.load(id).await)).await?;
        let live: Vec<(Vec<LiveKind>, Appointment)> = kinds
            .into_values()
            .zip(loaded)
            .filter_map(|(kinds, stored)| stored.map(|stored| (kinds, stored.value)))
            .collect();
        let count = requested.len();
        let open = open_requests(requested, &live, tenant);
        tracing::info!(settled = count - open.len(), open = open.len(), "analysis compared with what tools did");
        Ok(open)
    }
}

/// The customer who called, if the number is known.
pub fn caller_of(call: &Call, tenant: &Tenant) -> Option<CustomerId> {
    let number = contact::phone_number(call.caller_number()?, &tenant.country)?;
    Some(CustomerId::of_phone(&tenant.id, number.reveal()))
}

fn name_of(kind: LiveKind) -> String {
    format!("{TOOL_EVENTS}{}", kind.as_str())
}

fn body_of(kind: LiveKind, appointment: &AppointmentId) -> Vec<u8> {
    json!(LiveAction { kind, appointment: appointment.clone() }).to_string().into_bytes()
}

fn event_of<'e>(
    call: &'e Call,
    tenant: &'e Tenant,
    caller: Option<&'e CustomerId>,
    name: &'e str,
    received_at: DateTime<Utc>,
) -> CallEvent<'e> {
    CallEvent { tenant: &tenant.id, call: &call.id, caller, name, body: &[], received_at }
}
