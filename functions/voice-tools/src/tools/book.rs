//! Books an appointment while the caller waits.

use std::time::Duration;

use booking::{Outcome, Standing};
use chrono::{DateTime, Utc};
use intake::LiveRecord;
use scheduling::{
    appointment::{Appointment, CancelReason, ReviewReason, State, StateName},
    booking::BookingStatus,
    failure::BookingFailure,
    ids::AppointmentId,
    live::LiveKind,
    offer::{TimeWish, Unclear, offer},
    personal::Personal,
    request::{AppointmentRequest, Intent},
    spoken_contact::shortened,
    spoken_time::{NoTime, TimeReading},
    start_time::RequestedStart,
    tenant::{Service, StaffMember},
};
use store::{StoreError, Versioned};
use wording::spoken::{Doing, Missing};

use super::{
    Interrupted,
    availability::{free_slots, nearest, offered},
    message,
};
use crate::{
    answer::{Answer, Status},
    conversation::{Conversation, MAX_FIELD},
};

/// Longer notes are cut.
const MAX_NOTES: usize = 4000;
/// How often an appointment is looked at that another worker has: Retell's retry, or the queue.
const POLL: Duration = Duration::from_millis(150);

/// Books, offers the nearest free slots, or asks for what is missing, one question at a time.
pub async fn book(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let service = conversation.service()?;
    let staff = conversation.staff()?;
    let (start, raw) = match start(conversation, service, staff).await? {
        (Some(start), raw) => (start, raw),
        (None, _) => return Ok(conversation.ask(Missing::Start)),
    };
    let customer = conversation.customer();
    if customer.name.is_none() {
        return Ok(conversation.ask(Missing::Name));
    }
    let has_contact = customer.phone.is_some() || customer.email.is_some();
    if !has_contact && !conversation.args.is_given("phone") {
        return Ok(conversation.ask(Missing::Phone));
    }
    let request = AppointmentRequest {
        intent: Intent::Book,
        service: Some(service.id.to_string()),
        start: RequestedStart::At { at: start, note: None, raw: Some(shortened(&raw, MAX_FIELD)) },
        customer,
        staff: staff.map(|member| Personal::new(member.id.to_string())),
        notes: conversation.args.text("notes").map(|notes| Personal::new(shortened(&notes, MAX_NOTES))),
    };
    book_request(conversation, request, service, staff, start).await
}

/// The start that the caller chose. A span of time is answered with what is free in it.
pub async fn start(
    conversation: &Conversation<'_>,
    service: &Service,
    staff: Option<&StaffMember>,
) -> Result<(Option<DateTime<Utc>>, String), Interrupted> {
    let Some(raw) = conversation.args.text("start") else { return Ok((None, String::new())) };
    let reading = conversation.read_time(&raw);
    let wish = match reading {
        TimeReading::Moment { at, .. } if at <= conversation.now => Err(Unclear::NoTime(NoTime::Past)),
        TimeReading::Moment { at, .. } => return Ok((Some(at), raw)),
        TimeReading::Question { doubt, readings } => Err(Unclear::Question { doubt, readings }),
        reading => TimeWish::of(reading),
    };
    let answer = match wish {
        Err(unclear) => Answer::ask(conversation.voice().question(&unclear)).with("missing", "start"),
        Ok(wish) => match free_slots(conversation, service, staff, &wish).await? {
            Ok(free) => offered(conversation, &offer(&free, &wish, conversation.now), &wish, staff),
            Err(_) => conversation.unavailable(),
        },
    };
    Err(answer.into())
}

/// Stores the request, has it booked, and answers with what is stored then.
pub async fn book_request(
    conversation: &Conversation<'_>,
    request: AppointmentRequest,
    service: &Service,
    staff: Option<&StaffMember>,
    start: DateTime<Utc>,
) -> Result<Answer, Interrupted> {
    let (id, mut inserted) = match store(conversation, &request, service, start).await? {
        LiveRecord::Inserted(inserted) => (inserted.value.id.clone(), Some(*inserted)),
        LiveRecord::Existing(id) => (id, None),
    };
    loop {
        let stored = match inserted.take() {
            Some(inserted) => Some(inserted),
            None => conversation.bookings.load(&id).await?,
        };
        let Some(stored) = stored else { return Ok(conversation.failed()) };
        if stored.value.is_booked() {
            match stands(conversation, stored, start).await? {
                Some(answer) => return Ok(answer),
                None => continue,
            }
        }
        if !is_waiting(&stored.value) {
            let appointment = stored.value.clone();
            if !request_again(conversation, stored, &request).await? {
                return answer(conversation, &appointment, None, service, staff).await;
            }
            continue;
        }
        conversation.note_stored(&id, Doing::Booking, &stored.value.request.customer);
        if is_later(conversation, &stored.value) {
            return Ok(conversation.failed());
        }
        match conversation.bookings.book(stored, &conversation.job()).await? {
            Outcome::Attempted { appointment, failure } => {
                return answer(conversation, &appointment, failure.as_ref(), service, staff).await;
            }
            Outcome::NotClaimable(_) | Outcome::Lost if conversation.has_time() => tokio::time::sleep(POLL).await,
            Outcome::Postponed(_) | Outcome::NotClaimable(_) | Outcome::Lost => return Ok(conversation.failed()),
        }
    }
}

/// The answer for an appointment that is booked, as Cal.com has it now. `None` if it is no longer booked there.
async fn stands(
    conversation: &Conversation<'_>,
    stored: Versioned<Appointment>,
    start: DateTime<Utc>,
) -> Result<Option<Answer>, Interrupted> {
    let standing = conversation.bookings.check(stored, &conversation.job()).await?;
    let appointment = standing.appointment();
    if !appointment.is_booked() {
        return Ok(None);
    }
    match &standing {
        // It was moved since: what stands is said, and the caller may move it.
        Standing::Known(_) if appointment.start() != Some(start) => {
            let (sentence, data) = conversation.described(appointment).await?;
            let say = conversation.voice().coming(&[sentence], &[], &[]);
            Ok(Some(Answer::new(Status::Listed, say).with("appointments", vec![data])))
        }
        Standing::Known(_) => booked(conversation, appointment).await.map(Some),
        Standing::Unverified(_) => {
            let (sentence, data) = conversation.described(appointment).await?;
            let say = conversation.voice().unverified(&sentence);
            Ok(Some(Answer::new(Status::Unverified, say).with("appointment", data)))
        }
        // It is being moved or cancelled, and the caller has thought of it again: a person asks what is wanted.
        Standing::Changing(_) => left_to_a_person(conversation, appointment).await.map(Some),
    }
}

/// The answer for an appointment that is stored as booked.
pub async fn booked(conversation: &Conversation<'_>, appointment: &Appointment) -> Result<Answer, Interrupted> {
    let (sentence, data) = conversation.described(appointment).await?;
    let (voice, booking) = (conversation.voice(), appointment.booking());
    let (status, say) = match booking.map(|booking| booking.status) {
        Some(BookingStatus::Pending) => (Status::AwaitsConfirmation, voice.awaits_confirmation(&sentence)),
        _ => (Status::Booked, voice.booked(&sentence)),
    };
    Ok(Answer::new(status, say).with("appointment", data))
}

/// Whether its next attempt is due after the caller has been answered: nothing is to be waited for.
fn is_later(conversation: &Conversation<'_>, appointment: &Appointment) -> bool {
    let patience = conversation.bookings.timing.caller_patience;
    let State::Requested { not_before: Some(at), .. } = appointment.state() else { return false };
    *at > conversation.now + patience
}

/// Whether it waits to be booked, or is being booked.
fn is_waiting(appointment: &Appointment) -> bool {
    matches!(appointment.state().name(), StateName::Requested | StateName::Booking)
}

/// Stores the request. The same intent again, in whatever words, has the same one.
async fn store(
    conversation: &Conversation<'_>,
    request: &AppointmentRequest,
    service: &Service,
    start: DateTime<Utc>,
) -> Result<LiveRecord, Interrupted> {
    let (tenant, call, by) = (conversation.tenant, conversation.call, conversation.bookings.actor());
    if request.customer.ids(&tenant.id).is_empty()
        && let Some(id) = same_in_call(conversation, request).await?
    {
        return Ok(LiveRecord::Existing(id));
    }
    let who = request.customer.name.as_ref().map(|name| name.reveal().to_lowercase()).unwrap_or_default();
    let intent = format!("book/{}/{}/{who}", service.id, start.timestamp() / 60);
    let id = AppointmentId::of_intent(&tenant.id, &call.id, &intent);
    let appointment = Appointment::new(tenant.id.clone(), call.id.clone(), call.source(), request.clone(), by);
    let appointment = appointment.requested_live(id.clone());
    let recorded = conversation.intake.record_live(LiveKind::Book, call, appointment, tenant, by).await?;
    Ok(recorded.unwrap_or(LiveRecord::Existing(id)))
}

/// The appointment of the same call for the same, of a customer whom no contact identifies.
async fn same_in_call(
    conversation: &Conversation<'_>,
    request: &AppointmentRequest,
) -> Result<Option<AppointmentId>, Interrupted> {
    let (tenant, call) = (conversation.tenant, conversation.call);
    let actions = conversation.intake.live_actions(call, tenant).await?;
    let ids = actions.into_iter().map(|action| action.appointment);
    for id in ids.chain([AppointmentId::of_call(&tenant.id, &call.id)]) {
        let stored = conversation.bookings.load(&id).await?.map(|stored| stored.value);
        let is_same = |it: &Appointment| {
            it.request.dedup_key(tenant).is_some()
                && it.request.dedup_key(tenant) == request.dedup_key(tenant)
                && it.request.customer.may_be(&request.customer)
        };
        if stored.as_ref().is_some_and(is_same) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether another wish of the caller answers what a person would have to ask.
fn is_open_question(reason: ReviewReason) -> bool {
    matches!(reason, ReviewReason::Booking(_) | ReviewReason::Start(_))
}

/// Has an appointment booked that was declined, cancelled, or waits for a person. Returns whether it can be.
async fn request_again(
    conversation: &Conversation<'_>,
    stored: Versioned<Appointment>,
    request: &AppointmentRequest,
) -> Result<bool, Interrupted> {
    let Versioned { value: mut appointment, version } = stored;
    if appointment.review_reason().is_some_and(|reason| !is_open_question(reason)) {
        return Ok(false);
    }
    if !appointment.request_live(request.clone(), conversation.bookings.actor()) {
        return Ok(false);
    }
    match conversation.bookings.appointments.update(&appointment, version).commit().await {
        Ok(_) | Err(StoreError::Conflict) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The answer with what is stored.
async fn answer(
    conversation: &Conversation<'_>,
    appointment: &Appointment,
    failure: Option<&BookingFailure>,
    service: &Service,
    staff: Option<&StaffMember>,
) -> Result<Answer, Interrupted> {
    match appointment.state() {
        _ if appointment.is_booked() => booked(conversation, appointment).await,
        State::Cancelled { reason: CancelReason::NotFree | CancelReason::Past, .. } => {
            taken(conversation, appointment, failure, service, staff).await
        }
        State::NeedsReview { .. } => Ok(conversation.callback(&appointment.request.customer)),
        // Its booking was cancelled at Cal.com while this was under way: a person asks what is wanted.
        State::Cancelled { .. } | State::Completed { .. } | State::NoShow { .. } => {
            left_to_a_person(conversation, appointment).await
        }
        _ => Ok(conversation.failed()),
    }
}

/// That a person asks what is wanted, for whom the wish is stored.
async fn left_to_a_person(conversation: &Conversation<'_>, appointment: &Appointment) -> Result<Answer, Interrupted> {
    let (sentence, _) = conversation.described(appointment).await?;
    message::store(conversation, &conversation.voice().note(Doing::Booking, &sentence)).await?;
    Ok(conversation.callback(&appointment.request.customer))
}

/// That the start is not free, with the nearest ones that are: those that Cal.com showed, less what others are just booking.
async fn taken(
    conversation: &Conversation<'_>,
    appointment: &Appointment,
    failure: Option<&BookingFailure>,
    service: &Service,
    staff: Option<&StaffMember>,
) -> Result<Answer, Interrupted> {
    conversation.note_dropped();
    let start = appointment.request.start.at().unwrap_or(conversation.now);
    let proposed = failure.map(BookingFailure::proposals).unwrap_or_default();
    let others = nearest(conversation, proposed, start, service, staff).await?;
    let status = if others.is_empty() { Status::None } else { Status::NotFree };
    let say = conversation.voice().taken(start, &others);
    Ok(Answer::new(status, say).with("slots", conversation.listed(&others)))
}

/// Whether nothing was done for it at Cal.com, so that its customer may drop it at once.
pub fn is_only_requested(appointment: &Appointment) -> bool {
    let is_waiting = matches!(appointment.state().name(), StateName::Requested | StateName::NeedsReview);
    is_waiting && appointment.booking().is_none() && appointment.unconfirmed_booking().is_none()
}
