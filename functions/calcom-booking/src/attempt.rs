//! One attempt to book an appointment: look for it, check the slot, book.

use std::collections::{BTreeMap, BTreeSet};

use calcom::{Attendee, Calcom, Effect, CalcomError, NewBooking, SlotsWindow};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use store::ExchangeRecord;
use scheduling::{
    appointment::{Appointment, UnconfirmedBooking, State},
    booking::Booking,
    contact::{self, ContactPart},
    failure::Category,
    ids::EventTypeId,
    tenant::Tenant,
    timing::Timing,
};
use secrecy::SecretString;

/// How far around the wished start free slots are looked for, to propose them where it is taken.
const SLOTS_BEFORE: TimeDelta = TimeDelta::days(1);
const SLOTS_AFTER: TimeDelta = TimeDelta::days(7);
/// How many free slots are proposed.
const PROPOSALS: usize = 5;
/// How far Cal.com's clock and ours may differ.
const CLOCKS_DIFFER_BY: TimeDelta = TimeDelta::minutes(5);

/// An attempt at one appointment.
pub struct Attempt<'a> {
    /// The client.
    pub calcom: &'a Calcom,
    /// The tenant's key.
    pub key: &'a SecretString,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The appointment, claimed.
    pub appointment: &'a Appointment,
    /// When it is to start.
    pub start: DateTime<Utc>,
    /// How long things wait.
    pub timing: &'a Timing,
}

/// What an attempt has brought.
pub enum Attempted {
    /// A booking.
    Booked {
        /// The booking.
        booking: Booking,
        /// `booked` or `found_again`, for the history.
        how: &'static str,
        /// Whether others that earlier attempts had made besides were cancelled.
        duplicates_cancelled: bool,
    },
    /// An earlier attempt had booked it, and somebody has cancelled that at Cal.com since.
    CancelledAtCalcom,
}

/// Why there is no booking.
pub struct BookingFailure {
    /// The category.
    pub category: Category,
    /// Why Cal.com may hold a booking all the same.
    pub unconfirmed: Option<UnconfirmedBooking>,
    /// How long Cal.com asked to wait.
    pub retry_after: Option<TimeDelta>,
    /// The part of the contact that Cal.com refuses.
    pub refused: ContactPart,
    /// Free slots near the wished start, nearest first.
    pub proposals: Vec<DateTime<Utc>>,
    /// What a person has to know besides. Nothing personal.
    pub detail: Option<String>,
}

/// What Cal.com says is free.
struct Free {
    /// The event types that are free at the wished start, best first. At least one.
    event_types: Vec<EventTypeId>,
    /// All free slots near it.
    slots: Vec<DateTime<Utc>>,
}

impl Attempt<'_> {
    /// Books, unless it is found to be booked already. Every exchange that matters later is added to `evidence`.
    pub async fn book(&self, evidence: &mut Vec<ExchangeRecord>) -> Result<Attempted, BookingFailure> {
        if let Some(unconfirmed) = self.appointment.unconfirmed()
            && let Some(found) = self.find_again(unconfirmed, evidence).await?
        {
            return Ok(found);
        }
        let now = Utc::now();
        if self.start <= now {
            return Err(BookingFailure::because(Category::Past));
        }
        if self.appointment.first_attempt().is_some_and(|first| first + self.timing.retry_window < now) {
            return Err(BookingFailure::because(Category::CalcomUnavailable));
        }
        let (service, staff) = (self.appointment.request.service.as_deref(), self.appointment.request.staff.as_ref());
        let fitting =
            self.tenant.event_types_for(service, staff.map(|staff| staff.reveal().as_str())).map_err(|missing| {
                BookingFailure { detail: Some(missing.to_string()), ..BookingFailure::because(Category::NoEventType) }
            })?;
        let free = self.free_event_types(&fitting.event_types, evidence).await?;
        self.book_one_of(free, evidence).await
    }

    /// Looks for what an earlier attempt has booked without hearing of it. Of several bookings the first one stays.
    async fn find_again(&self, unconfirmed: UnconfirmedBooking, evidence: &mut Vec<ExchangeRecord>) -> Result<Option<Attempted>, BookingFailure> {
        // Whatever is wrong with looking, it says nothing of the booking that is looked for.
        let in_doubt = |not_booked: BookingFailure| match not_booked.category {
            Category::RateLimited | Category::CalcomUnavailable | Category::Credentials => {
                BookingFailure { unconfirmed: Some(unconfirmed), ..not_booked }
            }
            _ => BookingFailure { unconfirmed: Some(unconfirmed), category: Category::Unknown, ..not_booked },
        };
        let made_after = self.appointment.requested_at() - CLOCKS_DIFFER_BY;
        let listed = self.calcom.bookings_of(self.key, &self.appointment.id, made_after).await;
        let mut listed = listed.map_err(|failed| in_doubt(BookingFailure::of("list", failed, evidence)))?;
        let is_unreadable = listed.iter().any(|listed| listed.booking.is_none());
        if is_unreadable || (listed.is_empty() && unconfirmed == UnconfirmedBooking::UnreadableResponse) {
            let detail = "Cal.com says that it booked this, in a form that can't be read".to_owned();
            let unreadable = BookingFailure { detail: Some(detail), ..BookingFailure::because(Category::Unknown) };
            return Err(BookingFailure { unconfirmed: Some(UnconfirmedBooking::UnreadableResponse), ..unreadable });
        }
        if listed.is_empty() {
            return Ok(None);
        }
        listed.sort_by_key(|listed| (listed.made_at.is_none(), listed.made_at));
        // A list that grows while it is read may name one twice.
        let mut seen = BTreeSet::new();
        let bookings = listed.into_iter().filter_map(|listed| listed.booking);
        let bookings = bookings.filter(|booking| seen.insert(booking.uid.clone()));
        let mut standing = bookings.filter(|booking| booking.status.is_active());
        let Some(first) = standing.next() else { return Ok(Some(Attempted::CancelledAtCalcom)) };
        let mut duplicates_cancelled = false;
        for duplicate in standing {
            let cancelled = self.calcom.cancel(self.key, &duplicate.uid, "booked twice by mistake").await;
            let cancelled = cancelled.map_err(|failed| in_doubt(BookingFailure::of("cancel", failed, evidence)))?;
            evidence.push(ExchangeRecord { asked: "cancel", exchange: cancelled.exchange });
            duplicates_cancelled = true;
        }
        match self.calcom.get(self.key, &first.uid).await {
            Ok(whole) if !whole.value.booking.status.is_active() => Ok(Some(Attempted::CancelledAtCalcom)),
            Ok(whole) => {
                evidence.push(ExchangeRecord { asked: "get", exchange: whole.exchange });
                Ok(Some(Attempted::Booked { booking: whole.value.booking, how: "found_again", duplicates_cancelled }))
            }
            Err(failed) => Err(in_doubt(BookingFailure::of("get", failed, evidence))),
        }
    }

    /// The event types that are free at the wished start.
    async fn free_event_types(
        &self,
        event_types: &[EventTypeId],
        evidence: &mut Vec<ExchangeRecord>,
    ) -> Result<Free, BookingFailure> {
        let from = (self.start - SLOTS_BEFORE).max(Utc::now());
        let window = SlotsWindow { start: from, end: self.start + SLOTS_AFTER };
        let asked = event_types.iter().map(|event_type| self.calcom.slots(self.key, *event_type, window));
        let mut free = Free { event_types: Vec::new(), slots: Vec::new() };
        let (mut failure, mut exchanges) = (None, Vec::new());
        for (event_type, slots) in event_types.iter().zip(join_all(asked).await) {
            match slots {
                Ok(slots) => {
                    free.event_types.extend(slots.value.contains(&self.start).then_some(*event_type));
                    free.slots.extend(slots.value);
                    exchanges.push(ExchangeRecord { asked: "slots", exchange: slots.exchange });
                }
                Err(failed) => failure = Some(failed),
            }
        }
        if !free.event_types.is_empty() {
            return Ok(free);
        }
        evidence.append(&mut exchanges);
        if let Some(failed) = failure {
            return Err(BookingFailure::of("slots", failed, evidence));
        }
        let category = if free.slots.is_empty() { Category::OutsideWindow } else { Category::HostConflict };
        Err(BookingFailure { proposals: nearest(free.slots, self.start), ..BookingFailure::because(category) })
    }

    /// Books the first event type that Cal.com takes: between its list of slots and now, one may have been taken.
    async fn book_one_of(&self, free: Free, evidence: &mut Vec<ExchangeRecord>) -> Result<Attempted, BookingFailure> {
        let mut taken = BookingFailure::because(Category::HostConflict);
        for event_type in free.event_types {
            if !self.lease_suffices() {
                return Err(BookingFailure::because(Category::CalcomUnavailable));
            }
            let failed = match self.calcom.book(self.key, &self.new_booking(event_type)).await {
                Ok(made) => {
                    evidence.push(ExchangeRecord { asked: "book", exchange: made.exchange });
                    let booking = made.value.booking;
                    return Ok(Attempted::Booked { booking, how: "booked", duplicates_cancelled: false });
                }
                Err(failed) => failed,
            };
            let unconfirmed = match failed.effect {
                Effect::Nothing => None,
                Effect::Unknown => Some(UnconfirmedBooking::NoResponse),
                Effect::Done => Some(UnconfirmedBooking::UnreadableResponse),
            };
            let not_booked = BookingFailure { unconfirmed, ..BookingFailure::of("book", failed, evidence) };
            match not_booked.category {
                Category::HostConflict | Category::OutsideWindow => taken = not_booked,
                _ => return Err(BookingFailure { refused: self.refused_part(not_booked.refused), ..not_booked }),
            }
        }
        let others = free.slots.into_iter().filter(|slot| *slot != self.start).collect();
        Err(BookingFailure { proposals: nearest(others, self.start), ..taken })
    }

    /// Whether a booking that is sent now is made, if at all, before the lease on the appointment runs out.
    fn lease_suffices(&self) -> bool {
        let last_moment = Utc::now() + self.timing.booking_timeout + self.timing.late_booking;
        matches!(self.appointment.state(), State::Booking { lease_until } if last_moment <= *lease_until)
    }

    fn new_booking(&self, event_type: EventTypeId) -> NewBooking {
        let customer = &self.appointment.request.customer;
        let target = &self.tenant.calcom;
        let omitted_contact = self.appointment.omitted_contact();
        let phone = customer.phone.as_ref().filter(|_| omitted_contact != Some(ContactPart::Phone));
        let email = customer.email.clone().filter(|_| omitted_contact != Some(ContactPart::Email)).or_else(|| {
            // Cal.com needs one of the two. Mail to an address of our own would be lost, so the number comes first.
            let is_needed = phone.is_none();
            is_needed.then(|| contact::placeholder_email(&self.appointment.id, &target.placeholder_email_domain))
        });
        let attendee = Attendee {
            name: customer.name.as_ref().map_or(&target.unnamed_customer, |name| name.reveal()).clone(),
            time_zone: self.tenant.time_zone.to_string(),
            email: email.map(|email| email.reveal().clone()),
            phone_number: phone.map(|phone| phone.reveal().clone()),
            language: self.tenant.language.clone(),
        };
        NewBooking::new(&self.appointment.id, &self.appointment.call, event_type, self.start, attendee)
    }

    /// The part that Cal.com refuses. Where it names none that was sent, it is the number, which is wrong more often.
    fn refused_part(&self, named: ContactPart) -> ContactPart {
        let customer = &self.appointment.request.customer;
        match named {
            ContactPart::Phone if customer.phone.is_none() => ContactPart::Email,
            ContactPart::Email if customer.email.is_none() => ContactPart::Phone,
            named => named,
        }
    }
}

impl BookingFailure {
    /// Without more to say.
    pub fn because(category: Category) -> Self {
        let (unconfirmed, retry_after, proposals, detail) = (None, None, Vec::new(), None);
        Self { category, unconfirmed, retry_after, refused: ContactPart::Phone, proposals, detail }
    }

    fn of(asked: &'static str, failed: CalcomError, evidence: &mut Vec<ExchangeRecord>) -> Self {
        evidence.push(ExchangeRecord { asked, exchange: failed.exchange });
        Self {
            retry_after: failed.retry_after,
            refused: failed.refused.unwrap_or(ContactPart::Phone),
            detail: failed.named_uid,
            ..Self::because(failed.category)
        }
    }
}

/// The free slots nearest to `start`, nearest first; of two as near, the earlier one.
fn nearest(free: Vec<DateTime<Utc>>, start: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let by_distance: BTreeMap<_, _> = free.into_iter().map(|slot| (((slot - start).abs(), slot), slot)).collect();
    by_distance.into_values().take(PROPOSALS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_slots_are_proposed_once_each() {
        let at = |hour: u32| format!("2026-12-01T{hour:02}:00:00Z").parse::<DateTime<Utc>>().unwrap();
        let free = [8, 15, 9, 11, 11, 12, 14, 17].map(at).to_vec();
        assert_eq!(nearest(free, at(10)), [9, 11, 8, 12, 14].map(at));
    }
}
