//! Moves and cancels appointments while the caller waits.

use std::time::Duration;

use booking::ChangeOutcome;
use chrono::{DateTime, Utc};
use scheduling::{
    appointment::{Appointment, CancelReason, Change, State},
    live::LiveKind,
    offer::{FreeSlot, TimeWish, offer},
    start_time::RequestedStart,
    tenant::Service,
};
use store::{NewAppointment, StoreError, Versioned};
use wording::spoken::Missing;

use super::{
    Interrupted,
    availability::free_slots,
    book::{being_entered, book_request, is_only_requested, start},
    message,
};
use crate::{
    answer::{Answer, Status},
    conversation::Conversation,
};

/// How often an appointment is looked at that another worker has.
const POLL: Duration = Duration::from_millis(150);

/// Moves the appointment that the caller means.
pub async fn reschedule(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let Some(stored) = conversation.appointment().await? else { return Ok(none(conversation)) };
    let Some(service) = service_of(conversation, &stored.value) else { return by_a_person(conversation).await };
    let (Some(to), _) = start(conversation, service, None).await? else {
        return Ok(conversation.ask(Missing::Start));
    };
    if stored.value.booking().is_some_and(|booking| booking.start == to) && stored.value.change().is_none() {
        // The same again: it was moved before.
        let standing = conversation.bookings.check(stored, &conversation.job()).await?;
        return done(conversation, standing.appointment(), Status::Moved).await;
    }
    if stored.value.is_booked() {
        return change(conversation, stored, Change::Move { to }, service).await;
    }
    if !is_only_requested(&stored.value) {
        return by_a_person(conversation).await;
    }
    // Nothing was done at Cal.com: another request takes its place.
    let mut request = stored.value.request.clone();
    request.start = RequestedStart::exactly(to);
    drop_request(conversation, stored).await?;
    book_request(conversation, request, service, None, to).await
}

/// Cancels the appointment that the caller means.
pub async fn cancel(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let Some(stored) = conversation.appointment().await? else {
        return match cancelled_before(conversation).await? {
            Some(appointment) => done(conversation, &appointment, Status::Cancelled).await,
            None => Ok(none(conversation)),
        };
    };
    if stored.value.is_booked() {
        let service = service_of(conversation, &stored.value).or(conversation.tenant.services.first());
        let Some(service) = service else { return by_a_person(conversation).await };
        return change(conversation, stored, Change::Cancel, service).await;
    }
    if !is_only_requested(&stored.value) {
        return by_a_person(conversation).await;
    }
    let cancelled = drop_request(conversation, stored).await?;
    done(conversation, &cancelled, Status::Cancelled).await
}

/// Stores the change, has it made, and answers with what is stored then.
async fn change(
    conversation: &Conversation<'_>,
    stored: Versioned<Appointment>,
    change: Change,
    service: &Service,
) -> Result<Answer, Interrupted> {
    let Versioned { value: mut appointment, version } = stored;
    let (id, bookings) = (appointment.id.clone(), conversation.bookings);
    appointment.request_change(change, bookings.actor())?;
    let (kind, made) = match change {
        Change::Move { .. } => (LiveKind::Move, Status::Moved),
        Change::Cancel => (LiveKind::Cancel, Status::Cancelled),
    };
    let noted = conversation.intake.note_live(kind, conversation.call, &id, conversation.tenant, bookings.actor());
    let update = bookings.appointments.update(&appointment, version).commit();
    match tokio::join!(noted, update) {
        // Another copy of this request was first.
        (Ok(()), Ok(_) | Err(StoreError::Conflict)) => {}
        (Err(error), _) | (_, Err(error)) => return Err(error.into()),
    }
    loop {
        let Some(stored) = bookings.load(&id).await? else { return Ok(conversation.unavailable()) };
        match bookings.change(stored, &conversation.job()).await? {
            ChangeOutcome::Made(appointment) => {
                enter(conversation, &appointment).await;
                return done(conversation, &appointment, made).await;
            }
            ChangeOutcome::Ended(_) => return Ok(none(conversation)),
            ChangeOutcome::Declined(appointment, failure) => {
                let Change::Move { to } = change else { return by_a_person(conversation).await };
                return taken(conversation, &appointment, to, failure.proposals(), service).await;
            }
            ChangeOutcome::Deferred(appointment) => {
                return being_entered(conversation, &id, &appointment.request.customer);
            }
            ChangeOutcome::Escalated(appointment) => {
                let say = conversation.voice().callback(appointment.request.customer.is_reachable());
                return Ok(Answer::new(Status::Callback, say));
            }
            ChangeOutcome::Lost if conversation.has_time() => tokio::time::sleep(POLL).await,
            ChangeOutcome::Lost => return being_entered(conversation, &id, &conversation.customer()),
            ChangeOutcome::None => return made_by_another(conversation, &id, change, made).await,
        }
    }
}

/// The answer if another copy of the request has made the change, or dropped it.
async fn made_by_another(
    conversation: &Conversation<'_>,
    id: &scheduling::ids::AppointmentId,
    change: Change,
    made: Status,
) -> Result<Answer, Interrupted> {
    let stored = conversation.bookings.load(id).await?.map(|stored| stored.value);
    let is_made = |appointment: &Appointment| match change {
        Change::Move { to } => appointment.booking().is_some_and(|booking| booking.start == to),
        Change::Cancel => matches!(appointment.state(), State::Cancelled { .. }),
    };
    match stored.filter(is_made) {
        Some(appointment) => done(conversation, &appointment, made).await,
        None => Ok(conversation.unavailable()),
    }
}

/// The answer with what is stored as moved or cancelled.
async fn done(
    conversation: &Conversation<'_>,
    appointment: &Appointment,
    status: Status,
) -> Result<Answer, Interrupted> {
    let (sentence, data) = conversation.described(appointment).await?;
    let voice = conversation.voice();
    let say = if status == Status::Moved { voice.moved(&sentence) } else { voice.cancelled(&sentence) };
    Ok(Answer::new(status, say).with("appointment", data))
}

/// That the new start is not free, with the nearest ones that are. The appointment stands as it was.
async fn taken(
    conversation: &Conversation<'_>,
    appointment: &Appointment,
    to: DateTime<Utc>,
    proposed: &[DateTime<Utc>],
    service: &Service,
) -> Result<Answer, Interrupted> {
    let wish = TimeWish::At(to);
    let mut free: Vec<FreeSlot> = proposed.iter().map(|start| FreeSlot { start: *start, staff: Vec::new() }).collect();
    if free.is_empty()
        && conversation.has_time()
        && let Ok(listed) = free_slots(conversation, service, None, &wish).await?
    {
        free = listed;
    }
    free.retain(|slot| slot.start != to);
    free.sort_by_key(|slot| slot.start);
    let others = offer(&free, &wish, conversation.now).others;
    let (_, data) = conversation.described(appointment).await?;
    let answer = Answer::new(Status::NotFree, conversation.voice().taken(to, &others));
    Ok(answer.with("slots", conversation.listed(&others)).with("appointment", data))
}

/// Drops an appointment for which nothing was done at Cal.com.
async fn drop_request(
    conversation: &Conversation<'_>,
    stored: Versioned<Appointment>,
) -> Result<Appointment, Interrupted> {
    let Versioned { value: mut appointment, version } = stored;
    appointment.cancel_for_customer(conversation.bookings.actor())?;
    let (intake, by) = (conversation.intake, conversation.bookings.actor());
    intake.note_live(LiveKind::Cancel, conversation.call, &appointment.id, conversation.tenant, by).await?;
    conversation.bookings.appointments.update(&appointment, version).commit().await?;
    Ok(appointment)
}

/// The appointment that was cancelled in this call before.
async fn cancelled_before(conversation: &Conversation<'_>) -> Result<Option<Appointment>, Interrupted> {
    let actions = conversation.intake.live_actions(conversation.call, conversation.tenant).await?;
    for action in actions.into_iter().filter(|action| action.kind == LiveKind::Cancel) {
        let stored = conversation.bookings.load(&action.appointment).await?.map(|stored| stored.value);
        let is_cancelled =
            |it: &Appointment| matches!(it.state(), State::Cancelled { reason: CancelReason::ByCustomer, .. });
        if let Some(appointment) = stored.filter(is_cancelled) {
            return Ok(Some(appointment));
        }
    }
    Ok(None)
}

/// Enters a moved appointment under its new start, so that another call for the same finds it.
async fn enter(conversation: &Conversation<'_>, appointment: &Appointment) {
    let customers = appointment.request.customer.ids(&conversation.tenant.id);
    let dedup_key = appointment.request.dedup_key(conversation.tenant);
    let entries = NewAppointment { appointment, customers: &customers, dedup_key: dedup_key.as_deref() };
    if let Err(error) = conversation.bookings.appointments.enter(&entries).await {
        tracing::warn!(%error, "failed to enter a moved appointment under its new start");
    }
}

/// What the machine can't do now, a person does: the wish is stored as a callback.
async fn by_a_person(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let wish = [conversation.args.text("date"), conversation.args.text("start")];
    let german = conversation.tenant.language == "de";
    let what =
        if german { "Möchte einen Termin ändern oder absagen" } else { "Wants to change or cancel an appointment" };
    let text = [Some(what.to_owned())].into_iter().chain(wish).flatten().collect::<Vec<_>>().join(": ");
    message::store(conversation, &text).await?;
    let say = conversation.voice().callback(conversation.customer().is_reachable());
    Ok(Answer::new(Status::Callback, say))
}

fn none(conversation: &Conversation<'_>) -> Answer {
    Answer::new(Status::None, conversation.voice().coming(&[], &[], &[]))
}

fn service_of<'t>(conversation: &Conversation<'t>, appointment: &Appointment) -> Option<&'t Service> {
    let id = appointment.service(conversation.tenant)?;
    conversation.tenant.services.iter().find(|service| service.id == *id)
}
