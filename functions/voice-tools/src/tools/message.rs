//! Takes a message: a person of the business calls back.

use scheduling::{
    appointment::Appointment,
    ids::AppointmentId,
    live::LiveKind,
    personal::Personal,
    request::{AppointmentRequest, Intent},
    start_time::RequestedStart,
};
use store::{StoreError, Versioned};
use wording::spoken::Missing;

use super::Interrupted;
use crate::{
    answer::{Answer, Status},
    conversation::Conversation,
};

/// How often a message is added again because another writer changed the appointment meanwhile.
const TRIES: u32 = 4;

/// Stores the message. A call has one callback: what is said later is added to it.
pub async fn leave(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let Some(text) = conversation.args.text("text") else { return Ok(conversation.ask(Missing::Message)) };
    if conversation.customer().phone.is_none() && !conversation.args.is_given("phone") {
        return Ok(conversation.ask(Missing::Phone));
    }
    let id = store(conversation, &text).await?;
    Ok(Answer::new(Status::MessageTaken, conversation.voice().message_taken()).with("appointment_id", id.to_string()))
}

/// Stores a message for the business, and returns the appointment that waits for a person with it.
pub async fn store(conversation: &Conversation<'_>, text: &str) -> Result<AppointmentId, Interrupted> {
    let (tenant, call) = (conversation.tenant, conversation.call);
    let request = AppointmentRequest {
        intent: Intent::CallBack,
        service: None,
        start: RequestedStart::missing(),
        customer: conversation.customer(),
        staff: None,
        notes: Some(Personal::new(scheduling::spoken_contact::shortened(text, 2000))),
    };
    let by = conversation.bookings.actor();
    let id = AppointmentId::of_intent(&tenant.id, &call.id, "message");
    let appointment = Appointment::new(tenant.id.clone(), call.id.clone(), call.source(), request, by);
    let appointment = appointment.requested_live(id.clone());
    conversation.intake.record_live(LiveKind::Message, call, appointment, tenant, by).await?;
    for _ in 0..TRIES {
        let Some(Versioned { value: mut stored, version }) = conversation.bookings.load(&id).await? else { break };
        let notes = stored.request.notes.as_ref().map(|notes| notes.reveal().clone());
        // What a person has closed since stays closed: the same words are in it.
        let is_new = notes.as_deref() != Some(text) && stored.add_message(text, by).unwrap_or(false);
        if !is_new {
            break;
        }
        match conversation.bookings.appointments.update(&stored, version).commit().await {
            Err(StoreError::Conflict) => {}
            committed => return committed.map(|_| id).map_err(Into::into),
        }
    }
    Ok(id)
}
