//! What is free.

use calcom::SlotsWindow;
use chrono::{DateTime, Utc};
use scheduling::{
    failure::BookingFailure,
    offer::{FreeSlot, Offer, TimeWish, offer},
    spoken_time::{NoTime, TimeReading},
    tenant::{Service, StaffMember},
};

use super::Interrupted;
use crate::{
    answer::{Answer, Status},
    conversation::Conversation,
};

/// Answers with the free slots that are nearest to the wish.
pub async fn check(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let service = conversation.service()?;
    let staff = conversation.staff()?;
    let reading = conversation.args.text("wish").map(|text| conversation.read_time(&text));
    let wish = wish_of(conversation, reading.unwrap_or(TimeReading::None(NoTime::Missing)))?;
    let free = match free_slots(conversation, service, staff, &wish).await? {
        Ok(free) => free,
        Err(failure) => return Ok(failed(conversation, &failure)),
    };
    Ok(offered(conversation, &offer(&free, &wish, conversation.now), &wish, staff))
}

/// The wish of a caller who asks what is free, or the question that makes it clear.
pub fn wish_of(conversation: &Conversation<'_>, reading: TimeReading) -> Result<TimeWish, Answer> {
    TimeWish::of(reading)
        .map_err(|unclear| Answer::ask(conversation.voice().question(&unclear)).with("missing", "wish"))
}

/// The answer with what is offered.
pub fn offered(conversation: &Conversation<'_>, offer: &Offer, wish: &TimeWish, staff: Option<&StaffMember>) -> Answer {
    let voice = conversation.voice();
    let is_theirs = |slot: &FreeSlot| staff.is_some_and(|member| slot.staff.contains(&member.id));
    let name = staff.map(|member| member.name.reveal().as_str());
    let mut slots = offer.fitting.iter().chain(&offer.others).peekable();
    let is_known = slots.peek().is_none() || slots.all(is_theirs);
    let mut say = voice.offer(offer, wish, name.filter(|_| is_known));
    if let Some(name) = name.filter(|_| !is_known) {
        say = format!("{} {say}", voice.not_promised(name));
    }
    let (status, slots) = match (offer.fitting.is_empty(), offer.others.is_empty()) {
        (false, _) => (Status::Free, &offer.fitting),
        (true, false) => (Status::NotFree, &offer.others),
        (true, true) => (Status::None, &offer.others),
    };
    Answer::new(status, say).with("slots", conversation.listed(slots))
}

/// The free slots around a wish.
pub async fn free_slots(
    conversation: &Conversation<'_>,
    service: &Service,
    staff: Option<&StaffMember>,
    wish: &TimeWish,
) -> Result<Result<Vec<FreeSlot>, BookingFailure>, Interrupted> {
    let range = wish.range(conversation.now);
    let window = SlotsWindow { start: range.from, end: range.to };
    let staff = staff.map(|member| member.id.as_str());
    let job = conversation.job();
    Ok(conversation.bookings.free_slots(service.id.as_str(), staff, window, &job).await?)
}

/// The free slots nearest to a start that is taken: those that can be booked now, or else those that were proposed.
pub async fn nearest(
    conversation: &Conversation<'_>,
    proposed: &[DateTime<Utc>],
    start: DateTime<Utc>,
    service: &Service,
    staff: Option<&StaffMember>,
) -> Result<Vec<FreeSlot>, Interrupted> {
    let wish = TimeWish::At(start);
    let mut free: Vec<FreeSlot> = proposed.iter().map(|start| FreeSlot { start: *start, staff: Vec::new() }).collect();
    if conversation.has_time()
        && let Ok(listed) = free_slots(conversation, service, staff, &wish).await?
    {
        free = listed;
    }
    free.retain(|slot| slot.start != start);
    free.sort_by_key(|slot| slot.start);
    Ok(offer(&free, &wish, conversation.now).others)
}

/// The answer to a caller if Cal.com can't be asked, or nothing of this kind can be booked.
fn failed(conversation: &Conversation<'_>, failure: &BookingFailure) -> Answer {
    tracing::warn!(category = failure.category().as_str(), "free slots could not be read");
    conversation.unavailable().with("reason", failure.category().as_str())
}
