//! One attempt to book an appointment: look for an earlier booking, check the slot, book.

use std::collections::{BTreeMap, BTreeSet};

use calcom::{Attendee, Calcom, CalcomError, Effect, NewBooking, SlotsWindow};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use scheduling::{
    appointment::{Claimed, Confirmation},
    booking::{Booking, UnconfirmedBooking},
    contact::{self, ContactPart},
    failure::BookingFailure,
    ids::EventTypeId,
    tenant::Tenant,
    timing::Timing,
};
use secrecy::SecretString;
use store::ExchangeRecord;

/// The range around the requested start in which free slots are proposed.
const SLOTS_BEFORE: TimeDelta = TimeDelta::days(1);
const SLOTS_AFTER: TimeDelta = TimeDelta::days(7);
/// How many free slots are proposed.
const MAX_PROPOSALS: usize = 5;
/// How far Cal.com's clock and ours may differ.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// An attempt at one appointment.
pub struct Attempt<'a> {
    /// The client.
    pub calcom: &'a Calcom,
    /// The account's key.
    pub key: &'a SecretString,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The requested start.
    pub start: DateTime<Utc>,
    /// Leases, timeouts and delays.
    pub timing: &'a Timing,
}

/// The result of an attempt.
pub enum Attempted {
    /// A booking.
    Booked {
        /// The booking.
        booking: Booking,
        /// How it came about.
        how: Confirmation,
        /// Whether further bookings of earlier attempts were cancelled.
        duplicates_cancelled: bool,
    },
    /// An earlier attempt had booked it, and the booking was cancelled at Cal.com since.
    CancelledAtCalcom,
}

/// The free slots.
struct Availability {
    /// The event types that are free at the requested start, best first. At least one.
    event_types: Vec<EventTypeId>,
    /// All free slots near it.
    slots: Vec<DateTime<Utc>>,
}

impl Attempt<'_> {
    /// Books, unless an earlier attempt did. Every exchange that matters later is added to `exchanges`.
    pub async fn book(
        &self,
        claim: &mut Claimed,
        exchanges: &mut Vec<ExchangeRecord>,
    ) -> Result<Attempted, BookingFailure> {
        if let Some(unconfirmed) = claim.progress().unconfirmed {
            if let Some(found) = self.find_earlier(claim, unconfirmed, exchanges).await? {
                return Ok(found);
            }
            claim.rule_out_unconfirmed();
        }
        let now = Utc::now();
        if self.start <= now {
            return Err(BookingFailure::Past);
        }
        if claim.progress().first_attempt.is_some_and(|first| first + self.timing.retry_window < now) {
            return Err(BookingFailure::NOT_SENT);
        }
        let request = &claim.appointment().request;
        let staff = request.staff.as_ref().map(|staff| staff.reveal().as_str());
        let fitting = self.tenant.event_types_for(request.service.as_deref(), staff);
        let fitting = fitting.map_err(BookingFailure::NoEventType)?;
        let available = self.check_availability(&fitting.event_types, exchanges).await?;
        self.book_first_free(claim, available, exchanges).await
    }

    /// Looks for a booking that an earlier attempt made without reading the response. Of several the first one stays.
    async fn find_earlier(
        &self,
        claim: &Claimed,
        unconfirmed: UnconfirmedBooking,
        exchanges: &mut Vec<ExchangeRecord>,
    ) -> Result<Option<Attempted>, BookingFailure> {
        let appointment = claim.appointment();
        let made_after = appointment.requested_at() - CLOCK_TOLERANCE;
        let listed = self.calcom.bookings_of(self.key, &appointment.id, made_after).await;
        let mut listed = listed.map_err(|error| look_up_failed(recorded("list", error, exchanges)))?;
        let is_unreadable = listed.iter().any(|listed| listed.booking.is_none());
        if is_unreadable || (listed.is_empty() && unconfirmed == UnconfirmedBooking::UnreadableResponse) {
            return Err(BookingFailure::Unknown { unconfirmed: Some(UnconfirmedBooking::UnreadableResponse) });
        }
        if listed.is_empty() {
            return Ok(None);
        }
        listed.sort_by_key(|listed| (listed.made_at.is_none(), listed.made_at));
        // A list that grows while it is read may contain a booking twice.
        let mut seen = BTreeSet::new();
        let bookings = listed.into_iter().filter_map(|listed| listed.booking);
        let bookings = bookings.filter(|booking| seen.insert(booking.uid.clone()));
        let mut active = bookings.filter(|booking| booking.status.is_active());
        let Some(first) = active.next() else { return Ok(Some(Attempted::CancelledAtCalcom)) };
        let mut duplicates_cancelled = false;
        for duplicate in active {
            let cancelled = self.calcom.cancel(self.key, &duplicate.uid, "booked twice by mistake").await;
            let cancelled = cancelled.map_err(|error| look_up_failed(recorded("cancel", error, exchanges)))?;
            exchanges.push(ExchangeRecord { request: "cancel", exchange: cancelled.exchange });
            duplicates_cancelled = true;
        }
        match self.calcom.get(self.key, &first.uid).await {
            Ok(found) if !found.value.booking.status.is_active() => Ok(Some(Attempted::CancelledAtCalcom)),
            Ok(found) => {
                exchanges.push(ExchangeRecord { request: "get", exchange: found.exchange });
                let (booking, how) = (found.value.booking, Confirmation::Recovered);
                Ok(Some(Attempted::Booked { booking, how, duplicates_cancelled }))
            }
            Err(error) => Err(look_up_failed(recorded("get", error, exchanges))),
        }
    }

    /// The event types that are free at the requested start.
    async fn check_availability(
        &self,
        event_types: &[EventTypeId],
        exchanges: &mut Vec<ExchangeRecord>,
    ) -> Result<Availability, BookingFailure> {
        let from = (self.start - SLOTS_BEFORE).max(Utc::now());
        let window = SlotsWindow { start: from, end: self.start + SLOTS_AFTER };
        let requests = event_types.iter().map(|event_type| self.calcom.slots(self.key, *event_type, window));
        let mut available = Availability { event_types: Vec::new(), slots: Vec::new() };
        let (mut last_error, mut unused) = (None, Vec::new());
        for (event_type, slots) in event_types.iter().zip(join_all(requests).await) {
            match slots {
                Ok(slots) => {
                    available.event_types.extend(slots.value.contains(&self.start).then_some(*event_type));
                    available.slots.extend(slots.value);
                    unused.push(ExchangeRecord { request: "slots", exchange: slots.exchange });
                }
                Err(error) => last_error = Some(error),
            }
        }
        if !available.event_types.is_empty() {
            return Ok(available);
        }
        exchanges.append(&mut unused);
        if let Some(error) = last_error {
            return Err(recorded("slots", error, exchanges));
        }
        let proposals = nearest(&available.slots, self.start);
        Err(if available.slots.is_empty() {
            BookingFailure::OutsideWindow { proposals }
        } else {
            BookingFailure::SlotTaken { proposals }
        })
    }

    /// Books the first event type that Cal.com accepts: one may have been taken since its slots were listed.
    async fn book_first_free(
        &self,
        claim: &Claimed,
        available: Availability,
        exchanges: &mut Vec<ExchangeRecord>,
    ) -> Result<Attempted, BookingFailure> {
        let others: Vec<_> = available.slots.into_iter().filter(|slot| *slot != self.start).collect();
        let proposals = nearest(&others, self.start);
        let mut taken = BookingFailure::SlotTaken { proposals: proposals.clone() };
        for event_type in available.event_types {
            if !self.is_lease_sufficient(claim) {
                return Err(BookingFailure::NOT_SENT);
            }
            let error = match self.calcom.book(self.key, &self.new_booking(claim, event_type)).await {
                Ok(made) => {
                    exchanges.push(ExchangeRecord { request: "book", exchange: made.exchange });
                    let (booking, how) = (made.value.booking, Confirmation::Booked);
                    return Ok(Attempted::Booked { booking, how, duplicates_cancelled: false });
                }
                Err(error) => error,
            };
            let unconfirmed = match error.effect {
                Effect::Nothing => None,
                Effect::Unknown => Some(UnconfirmedBooking::NoResponse),
                Effect::Done => Some(UnconfirmedBooking::UnreadableResponse),
            };
            taken = match recorded("book", error, exchanges).with_unconfirmed(unconfirmed) {
                BookingFailure::SlotTaken { .. } => BookingFailure::SlotTaken { proposals: proposals.clone() },
                BookingFailure::OutsideWindow { .. } => BookingFailure::OutsideWindow { proposals: proposals.clone() },
                other => return Err(other),
            };
        }
        Err(taken)
    }

    /// Whether a request to book that is sent now is certain to finish before the lease expires.
    fn is_lease_sufficient(&self, claim: &Claimed) -> bool {
        Utc::now() + self.timing.booking_timeout + self.timing.late_booking <= claim.lease_until()
    }

    fn new_booking(&self, claim: &Claimed, event_type: EventTypeId) -> NewBooking {
        let (appointment, target) = (claim.appointment(), &self.tenant.calcom);
        let customer = &appointment.request.customer;
        let omitted = claim.progress().omitted_contact;
        let phone = customer.phone.as_ref().filter(|_| omitted != Some(ContactPart::Phone));
        let email = customer.email.clone().filter(|_| omitted != Some(ContactPart::Email)).or_else(|| {
            // Cal.com needs a number or an email. Nobody reads mail to a placeholder, so the number comes first.
            let is_needed = phone.is_none();
            is_needed.then(|| contact::placeholder_email(&appointment.id, &target.placeholder_email_domain))
        });
        let attendee = Attendee {
            name: customer.name.as_ref().map_or(&target.unnamed_customer, |name| name.reveal()).clone(),
            time_zone: self.tenant.time_zone.to_string(),
            email: email.map(|email| email.reveal().clone()),
            phone_number: phone.map(|phone| phone.reveal().clone()),
            language: self.tenant.language.clone(),
        };
        NewBooking::new(&appointment.id, &appointment.call, event_type, self.start, attendee)
    }
}

/// The failure of a request, whose exchange is recorded.
fn recorded(request: &'static str, error: CalcomError, exchanges: &mut Vec<ExchangeRecord>) -> BookingFailure {
    exchanges.push(ExchangeRecord { request, exchange: error.exchange });
    error.failure
}

/// The failure of looking for an earlier booking. It does not show whether the booking exists.
fn look_up_failed(failure: BookingFailure) -> BookingFailure {
    match failure {
        BookingFailure::RateLimited { .. }
        | BookingFailure::Unavailable { .. }
        | BookingFailure::CredentialsRefused => failure,
        _ => BookingFailure::Unknown { unconfirmed: None },
    }
}

/// The free slots nearest to `start`, nearest first; of two at the same distance, the earlier one.
fn nearest(slots: &[DateTime<Utc>], start: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let by_distance: BTreeMap<_, _> = slots.iter().map(|slot| (((*slot - start).abs(), *slot), *slot)).collect();
    by_distance.into_values().take(MAX_PROPOSALS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_slots_are_proposed_once_each() {
        let at = |hour: u32| format!("2026-12-01T{hour:02}:00:00Z").parse::<DateTime<Utc>>().unwrap();
        let slots = [8, 15, 9, 11, 11, 12, 14, 17].map(at);
        assert_eq!(nearest(&slots, at(10)), [9, 11, 8, 12, 14].map(at));
    }
}
