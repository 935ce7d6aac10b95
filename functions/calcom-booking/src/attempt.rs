//! One attempt to book an appointment: look for it, check the slot, book.

use std::collections::BTreeMap;

use calcom::{Answer, Attendee, Calcom, Failed, FoundBooking, NewBooking, Search, SlotsWindow};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use platform::store::Evidence;
use scheduling::{
    appointment::Appointment, booking::Booking, contact, failure::Category, ids::EventTypeId, tenant::Tenant,
};
use secrecy::SecretString;

/// How far around the wished start free slots are looked for, to propose them where it is taken.
const SLOTS_BEFORE: TimeDelta = TimeDelta::days(1);
const SLOTS_AFTER: TimeDelta = TimeDelta::days(7);
/// How many free slots are proposed.
const PROPOSALS: usize = 5;
/// No booking lasts longer; by this, one that was made for a start is found again.
const LONGEST_BOOKING: TimeDelta = TimeDelta::days(1);

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
    /// Now.
    pub now: DateTime<Utc>,
}

/// A booking, and how it came about.
pub struct Booked {
    /// The booking.
    pub booking: Booking,
    /// `booked` or `found_again`, for the history.
    pub how: &'static str,
}

/// Why there is no booking.
#[derive(Default)]
pub struct NotBooked {
    /// The category; `None` stands for [`Category::Unknown`].
    pub category: Option<Category>,
    /// How long Cal.com asked to wait.
    pub retry_after: Option<TimeDelta>,
    /// Free slots near the wished start, nearest first.
    pub proposals: Vec<DateTime<Utc>>,
    /// What a person has to know besides. Nothing personal.
    pub detail: Option<String>,
}

impl Attempt<'_> {
    /// Books, unless it is found to be booked already. Every answer that matters later is added to `evidence`.
    pub async fn book(&self, evidence: &mut Vec<Evidence>) -> Result<Booked, NotBooked> {
        if self.start <= self.now {
            return Err(NotBooked::because(Category::Past));
        }
        let (service, staff) = (self.appointment.wish.service.as_deref(), self.appointment.wish.staff.as_ref());
        let fitting =
            self.tenant.event_types_for(service, staff.map(|staff| staff.reveal().as_str())).map_err(|missing| {
                NotBooked { detail: Some(missing.to_string()), ..NotBooked::because(Category::NoEventType) }
            })?;
        if self.appointment.attempts() > 1
            && let Some(found) = self.find_again(&fitting.event_types, evidence).await?
        {
            return Ok(Booked { booking: found.booking, how: "found_again" });
        }
        let event_type = self.free_event_type(&fitting.event_types, evidence).await?;
        match self.calcom.book(self.key, &self.new_booking(event_type)).await {
            Ok(made) => {
                evidence.push(kept("book", Some(made.answer)));
                Ok(Booked { booking: made.value.booking, how: "booked" })
            }
            Err(failed) => Err(NotBooked::of("book", failed, evidence)),
        }
    }

    /// The booking that an earlier attempt made without hearing of it.
    async fn find_again(
        &self,
        event_types: &[EventTypeId],
        evidence: &mut Vec<Evidence>,
    ) -> Result<Option<FoundBooking>, NotBooked> {
        let search = Search { event_types, after_start: self.start, before_end: self.start + LONGEST_BOOKING };
        let listed = self.calcom.list(self.key, &search).await;
        let listed = listed.map_err(|failed| NotBooked::of("list", failed, evidence))?;
        let Some(found) = listed.into_iter().find(|found| {
            found.appointment.as_ref() == Some(&self.appointment.id) && found.booking.status.holds_the_time()
        }) else {
            return Ok(None);
        };
        match self.calcom.get(self.key, &found.booking.uid).await {
            Ok(whole) => {
                evidence.push(kept("get", Some(whole.answer)));
                Ok(Some(whole.value))
            }
            Err(failed) => Err(NotBooked::of("get", failed, evidence)),
        }
    }

    /// The first of the event types that is free at the wished start.
    async fn free_event_type(
        &self,
        event_types: &[EventTypeId],
        evidence: &mut Vec<Evidence>,
    ) -> Result<EventTypeId, NotBooked> {
        let window = SlotsWindow { start: (self.start - SLOTS_BEFORE).max(self.now), end: self.start + SLOTS_AFTER };
        let asked = event_types.iter().map(|event_type| self.calcom.slots(self.key, *event_type, window));
        let (mut free, mut failure, mut answers) = (Vec::new(), None, Vec::new());
        for (event_type, slots) in event_types.iter().zip(join_all(asked).await) {
            match slots {
                Ok(slots) if slots.value.contains(&self.start) => return Ok(*event_type),
                Ok(slots) => {
                    free.extend(slots.value);
                    answers.push(kept("slots", Some(slots.answer)));
                }
                Err(failed) => failure = Some(failed),
            }
        }
        evidence.append(&mut answers);
        if let Some(failed) = failure {
            return Err(NotBooked::of("slots", failed, evidence));
        }
        let category = if free.is_empty() { Category::OutsideWindow } else { Category::HostConflict };
        Err(NotBooked { proposals: nearest(free, self.start), ..NotBooked::because(category) })
    }

    fn new_booking(&self, event_type: EventTypeId) -> NewBooking {
        let customer = &self.appointment.wish.customer;
        let target = &self.tenant.calcom;
        let email = customer.email.clone().or_else(|| {
            // Cal.com needs one of the two. Mail to an address of our own would be lost, so the number comes first.
            let is_needed = customer.phone.is_none();
            is_needed.then(|| contact::placeholder_email(&self.appointment.id, &target.placeholder_email_domain))
        });
        let attendee = Attendee {
            name: customer.name.as_ref().map_or(&target.unnamed_customer, |name| name.reveal()).clone(),
            time_zone: self.tenant.time_zone.to_string(),
            email: email.map(|email| email.reveal().clone()),
            phone_number: customer.phone.as_ref().map(|phone| phone.reveal().clone()),
            language: self.tenant.language.clone(),
        };
        NewBooking::new(&self.appointment.id, &self.appointment.call, event_type, self.start, attendee)
    }
}

impl NotBooked {
    /// Without more to say.
    pub fn because(category: Category) -> Self {
        Self { category: Some(category), ..Self::default() }
    }

    fn of(request: &'static str, failed: Failed, evidence: &mut Vec<Evidence>) -> Self {
        evidence.push(kept(request, failed.answer));
        Self { retry_after: failed.retry_after, detail: failed.named_uid, ..Self::because(failed.category) }
    }
}

fn kept(request: &'static str, answer: Option<Answer>) -> Evidence {
    let (status, body) = answer.map_or((None, Vec::new()), |answer| (Some(answer.status), answer.body));
    Evidence { request, status, body }
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
