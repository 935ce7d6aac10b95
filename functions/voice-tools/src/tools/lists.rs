//! What can be booked, and who does it.

use scheduling::tenant::Service;
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Status},
    conversation::Conversation,
};

/// The services.
pub fn services(conversation: &Conversation<'_>) -> Answer {
    let services = &conversation.tenant.services;
    let names: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
    let listed: Vec<Value> = services.iter().map(|it| json!({"service": it.id, "name": it.name})).collect();
    Answer::new(Status::Listed, conversation.voice().services(&names)).with("services", listed)
}

/// Those who take appointments, of one service if one is named.
pub fn staff(conversation: &Conversation<'_>) -> Answer {
    let service = conversation.args.text("service").and_then(|raw| conversation.tenant.service_called(&raw));
    let does_it = |id| {
        let per_staff = |service: &Service| service.event_types.per_staff.contains_key(id);
        service.is_none_or(|service| service.event_types.round_robin.is_some() || per_staff(service))
    };
    let active = conversation.tenant.staff.iter().filter(|member| member.active && does_it(&member.id));
    let names: Vec<String> = active.map(|member| member.name.reveal().clone()).collect();
    Answer::new(Status::Listed, conversation.voice().staff(&names)).with("staff", names)
}
