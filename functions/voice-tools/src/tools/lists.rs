//! What can be booked, and who does it.

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
    let names = match service {
        Some(service) => conversation.tenant.staff_for(service).map(|member| member.name.reveal().clone()).collect(),
        None => conversation.staff_names(),
    };
    Answer::new(Status::Listed, conversation.voice().staff(&names)).with("staff", names)
}
