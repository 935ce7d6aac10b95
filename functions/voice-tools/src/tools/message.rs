//! Takes a message: a person of the business calls back.

use scheduling::{
    appointment::Appointment,
    ids::AppointmentId,
    live::LiveKind,
    personal::Personal,
    request::{AppointmentRequest, Intent},
    spoken_contact::shortened,
    start_time::RequestedStart,
};
use store::{NewAppointment, StoreError, Versioned};
use wording::spoken::Missing;

use super::Interrupted;
use crate::{
    answer::{Answer, Status},
    conversation::Conversation,
};

/// How often a message is added again because another writer changed the appointment meanwhile.
const TRIES: u32 = 4;
/// Longer messages are cut.
const MAX_MESSAGE: usize = 2000;

/// Stores the message. A call has one callback: what is said later is added to it.
pub async fn leave(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let Some(text) = conversation.args.text("text") else { return Ok(conversation.ask(Missing::Message)) };
    let customer = conversation.customer();
    if customer.phone.is_none() && !conversation.args.is_given("phone") {
        return Ok(conversation.ask(Missing::Phone));
    }
    let stored = store(conversation, &text).await?;
    let say = conversation.voice().message_taken(stored.request.customer.is_reachable());
    Ok(Answer::new(Status::MessageTaken, say).with("appointment_id", stored.id.to_string()))
}

/// Stores a message for the business, and returns the appointment that waits for a person with it.
pub async fn store(conversation: &Conversation<'_>, text: &str) -> Result<Appointment, Interrupted> {
    let (text, customer) = (shortened(text, MAX_MESSAGE), conversation.customer());
    let id = insert(conversation, &text, "message").await?;
    for _ in 0..TRIES {
        let Some(Versioned { value: mut stored, version }) = conversation.bookings.load(&id).await? else { break };
        match stored.add_message(&text, &customer, conversation.bookings.actor()) {
            Ok(false) => return Ok(stored),
            Ok(true) => match conversation.bookings.appointments.update(&stored, version).commit().await {
                Ok(_) => {
                    enter(conversation, &stored).await?;
                    return Ok(stored);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            },
            // A person has closed it since: this is another one.
            Err(_) => {
                let another = insert(conversation, &text, &format!("message/{}", text.to_lowercase())).await?;
                let stored = conversation.bookings.load(&another).await?;
                return stored.map(|stored| stored.value).ok_or_else(|| StoreError::Conflict.into());
            }
        }
    }
    Err(StoreError::Conflict.into())
}

/// Enters the message under a number that was said later, so that all data of its customer is found.
async fn enter(conversation: &Conversation<'_>, appointment: &Appointment) -> Result<(), Interrupted> {
    let customers = appointment.request.customer.ids(&conversation.tenant.id);
    let entries = NewAppointment { appointment, customers: &customers, dedup_key: None };
    conversation.bookings.appointments.enter(&entries).await?;
    Ok(())
}

async fn insert(conversation: &Conversation<'_>, text: &str, intent: &str) -> Result<AppointmentId, Interrupted> {
    let (tenant, call, by) = (conversation.tenant, conversation.call, conversation.bookings.actor());
    let request = AppointmentRequest {
        intent: Intent::CallBack,
        service: None,
        start: RequestedStart::missing(),
        customer: conversation.customer(),
        staff: None,
        notes: Some(Personal::new(text.to_owned())),
    };
    let id = AppointmentId::of_intent(&tenant.id, &call.id, intent);
    let appointment = Appointment::new(tenant.id.clone(), call.id.clone(), call.source(), request, by);
    conversation
        .intake
        .record_live(LiveKind::Message, call, appointment.requested_live(id.clone()), tenant, by)
        .await?;
    Ok(id)
}
