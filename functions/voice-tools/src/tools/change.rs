//! Moves and cancels appointments while the caller waits.

use std::time::Duration;

use booking::ChangeOutcome;
use chrono::{DateTime, Utc};
use platform::queues::MessageKind;
use scheduling::{
    appointment::{Appointment, CancelReason, Change, State},
    booking::BookingStatus,
    ids::AppointmentId,
    live::LiveKind,
    start_time::RequestedStart,
    tenant::Service,
};
use store::{StoreError, Versioned};
use wording::spoken::{Doing, Missing};

use super::{
    Interrupted,
    availability::nearest,
    book::{book_request, is_only_requested, start},
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
    let found = conversation.appointment().await?;
    let service = found.as_ref().and_then(|stored| service_of(conversation, &stored.value));
    let Some(any_service) = service.or(conversation.tenant.services.first()) else {
        return by_a_person(conversation, Doing::Moving, found.as_ref()).await;
    };
    let (Some(to), _) = start(conversation, any_service, None).await? else {
        return Ok(conversation.ask(Missing::Start));
    };
    let Some(stored) = found else {
        let is_made = |it: &Appointment| it.is_booked() && it.start() == Some(to) && it.change().is_none();
        return match conversation.changed_before(LiveKind::Move, is_made).await? {
            Some(appointment) => done(conversation, &appointment, Change::Move { to }).await,
            None => Ok(none(conversation)),
        };
    };
    if stored.value.is_booked() {
        return change(conversation, stored, Change::Move { to }, any_service).await;
    }
    let Some(service) = service.filter(|_| is_only_requested(&stored.value)) else {
        return by_a_person(conversation, Doing::Moving, Some(&stored)).await;
    };
    // Nothing was done at Cal.com: another request takes its place, once that is stored and its start is free.
    let (mut request, id) = (stored.value.request.clone(), stored.value.id);
    request.start = RequestedStart::exactly(to);
    let answer = book_request(conversation, request, service, None, to).await?;
    if !matches!(answer.status, Status::NotFree | Status::None | Status::Unavailable) {
        give_up(conversation, &id).await?;
    }
    Ok(answer)
}

/// Gives up an appointment in whose place another one is stored, whatever has become of it meanwhile.
async fn give_up(conversation: &Conversation<'_>, id: &AppointmentId) -> Result<(), Interrupted> {
    let Some(stored) = conversation.bookings.load(id).await? else { return Ok(()) };
    if is_only_requested(&stored.value) {
        drop_request(conversation, stored).await?;
    } else if stored.value.is_booked() {
        let appointment = stored.value.clone();
        request(conversation, stored, Change::Cancel).await?;
        let message = conversation.job().message(MessageKind::Change, &appointment);
        conversation.bookings.bookings.send(&message).await?;
    } else if stored.value.is_open() {
        by_a_person(conversation, Doing::Cancelling, Some(&stored)).await?;
    }
    Ok(())
}

/// Cancels the appointment that the caller means.
pub async fn cancel(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let Some(stored) = conversation.appointment().await? else {
        let is_made = |it: &Appointment| is_cancelled(it);
        return match conversation.changed_before(LiveKind::Cancel, is_made).await? {
            Some(appointment) => done(conversation, &appointment, Change::Cancel).await,
            None => Ok(none(conversation)),
        };
    };
    let service = service_of(conversation, &stored.value).or(conversation.tenant.services.first());
    match service {
        Some(service) if stored.value.is_booked() => change(conversation, stored, Change::Cancel, service).await,
        _ if is_only_requested(&stored.value) => {
            let cancelled = drop_request(conversation, stored).await?;
            done(conversation, &cancelled, Change::Cancel).await
        }
        _ => by_a_person(conversation, Doing::Cancelling, Some(&stored)).await,
    }
}

/// Stores the change, has it made, and answers with what is stored then.
async fn change(
    conversation: &Conversation<'_>,
    stored: Versioned<Appointment>,
    wanted: Change,
    service: &Service,
) -> Result<Answer, Interrupted> {
    let (id, customer) = (stored.value.id.clone(), stored.value.request.customer.clone());
    let mut next = Some(stored);
    loop {
        let stored = match next.take() {
            Some(stored) => stored,
            None => match conversation.bookings.load(&id).await? {
                Some(stored) => stored,
                None => return Ok(conversation.failed()),
            },
        };
        if is_made(&stored.value, wanted) {
            return done(conversation, &stored.value, wanted).await;
        }
        if !stored.value.is_booked() {
            return Ok(none(conversation));
        }
        if !request(conversation, stored, wanted).await? {
            continue;
        }
        conversation.note_stored(&id, doing(wanted), &customer);
        let Some(stored) = conversation.bookings.load(&id).await? else { return Ok(conversation.failed()) };
        match conversation.bookings.change(stored, &conversation.job()).await? {
            ChangeOutcome::Made(appointment) if is_made(&appointment, wanted) => {
                return done(conversation, &appointment, wanted).await;
            }
            ChangeOutcome::Ended(_) => return Ok(none(conversation)),
            ChangeOutcome::Declined(appointment, failure) => {
                let Change::Move { to } = wanted else { return Ok(conversation.callback(&customer)) };
                return taken(conversation, &appointment, to, failure.proposals(), service).await;
            }
            ChangeOutcome::Escalated(appointment) => {
                return Ok(conversation.callback(&appointment.request.customer));
            }
            // Another copy of this request, or another wish, was first.
            ChangeOutcome::Made(_) | ChangeOutcome::Lost | ChangeOutcome::None if conversation.has_time() => {
                tokio::time::sleep(POLL).await;
            }
            ChangeOutcome::Made(_) | ChangeOutcome::Lost | ChangeOutcome::None | ChangeOutcome::Deferred(_) => {
                return Ok(conversation.failed());
            }
        }
    }
}

/// Stores that the change is wanted, and that a tool does it. Returns `false` if another writer was first.
async fn request(
    conversation: &Conversation<'_>,
    stored: Versioned<Appointment>,
    wanted: Change,
) -> Result<bool, Interrupted> {
    let Versioned { value: mut appointment, version } = stored;
    let bookings = conversation.bookings;
    if !appointment.request_change_live(wanted, bookings.actor())? {
        return Ok(true);
    }
    let kind = match wanted {
        Change::Move { .. } => LiveKind::Move,
        Change::Cancel => LiveKind::Cancel,
    };
    let (intake, call, tenant) = (conversation.intake, conversation.call, conversation.tenant);
    // The note alone settles nothing: it counts once the record shows the change.
    intake.note_live(kind, call, &appointment.id, tenant, bookings.actor()).await?;
    conversation.note_stored(&appointment.id, doing(wanted), &appointment.request.customer);
    match bookings.appointments.update(&appointment, version).commit().await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn doing(wanted: Change) -> Doing {
    match wanted {
        Change::Move { .. } => Doing::Moving,
        Change::Cancel => Doing::Cancelling,
    }
}

/// Whether the record shows that the change is made.
fn is_made(appointment: &Appointment, wanted: Change) -> bool {
    match wanted {
        Change::Move { to } => {
            appointment.is_booked() && appointment.start() == Some(to) && appointment.change().is_none()
        }
        Change::Cancel => is_cancelled(appointment),
    }
}

fn is_cancelled(appointment: &Appointment) -> bool {
    matches!(appointment.state(), State::Cancelled { reason: CancelReason::ByCustomer, .. })
}

/// The answer with what is stored as moved or cancelled.
async fn done(conversation: &Conversation<'_>, appointment: &Appointment, made: Change) -> Result<Answer, Interrupted> {
    let (sentence, data) = conversation.described(appointment).await?;
    let voice = conversation.voice();
    let is_pending = appointment.booking().is_some_and(|booking| booking.status == BookingStatus::Pending);
    let (status, say) = match made {
        Change::Move { .. } if is_pending => (Status::AwaitsConfirmation, voice.awaits_confirmation(&sentence)),
        Change::Move { .. } => (Status::Moved, voice.moved(&sentence)),
        Change::Cancel => (Status::Cancelled, voice.cancelled(&sentence)),
    };
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
    conversation.note_dropped();
    let others = nearest(conversation, proposed, to, service, None).await?;
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

/// What the machine can't do now, a person does: the wish is stored as a callback.
async fn by_a_person(
    conversation: &Conversation<'_>,
    doing: Doing,
    stored: Option<&Versioned<Appointment>>,
) -> Result<Answer, Interrupted> {
    let appointment = match stored {
        Some(stored) => conversation.described(&stored.value).await?.0,
        None => String::new(),
    };
    let note = conversation.voice().note(doing, &appointment);
    let said = conversation.args.text("start").into_iter();
    let text: Vec<String> = std::iter::once(note).chain(said).collect();
    message::store(conversation, &text.join(" -> ")).await?;
    Ok(conversation.callback(&conversation.customer()))
}

fn none(conversation: &Conversation<'_>) -> Answer {
    Answer::new(Status::None, conversation.voice().coming(&[], &[], &[]))
}

fn service_of<'t>(conversation: &Conversation<'t>, appointment: &Appointment) -> Option<&'t Service> {
    let id = appointment.service(conversation.tenant)?;
    conversation.tenant.services.iter().find(|service| service.id == *id)
}
