//! One attempt to book an appointment: look for an earlier booking, check the slot, book, honour the wish for a host.

use std::time::Duration;

use calcom::{Attendee, Calcom, CalcomError, Effect, FoundBooking, NewBooking, SlotsWindow};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use scheduling::{
    appointment::{Claimed, Confirmation},
    availability::{closed_at, proposals},
    booking::{Booking, UnconfirmedBooking},
    contact::{self, ContactPart},
    event_type::{Catalog, EventType},
    failure::BookingFailure,
    ids::{EventTypeId, HostId},
    retry::fails_alone,
    slot::SlotSpan,
    tenant::Tenant,
    timing::Timing,
};
use secrecy::SecretString;
use store::ExchangeRecord;

/// The range around the requested start in which free slots are proposed.
pub(crate) const SLOTS_BEFORE: TimeDelta = TimeDelta::days(1);
pub(crate) const SLOTS_AFTER: TimeDelta = TimeDelta::days(7);
/// How often an event type is requested again at once while its slots show that somebody is still free.
const MAX_OVERTAKEN: u32 = 5;

/// A request to book is not sent with less time than this before a caller is told: it would most likely be abandoned, and
/// the booking unconfirmed for minutes.
pub(crate) const MIN_TIME_TO_BOOK: Duration = Duration::from_millis(700);

/// An attempt at one appointment.
pub struct Attempt<'a> {
    /// The client.
    pub calcom: &'a Calcom,
    /// The account's key.
    pub key: &'a SecretString,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// What the key sees, if that is known.
    pub catalog: Option<&'a Catalog>,
    /// The requested start.
    pub start: DateTime<Utc>,
    /// The event types that fit, best first.
    pub targets: &'a [Target],
    /// Leases, timeouts and delays.
    pub timing: &'a Timing,
}

/// An event type that fits the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The event type.
    pub event_type: EventTypeId,
    /// The host whom the customer wants, if it is known who that is.
    pub host: Option<HostId>,
}

/// What an attempt leaves besides its result.
#[derive(Debug, Default)]
pub struct AttemptLog {
    /// The exchanges that matter later.
    pub exchanges: Vec<ExchangeRecord>,
    /// Whether Cal.com booked others since this appointment first failed.
    pub others_booked: bool,
    /// The event type that is set up wrongly.
    pub faulty: Option<EventTypeId>,
    /// The event type that is not: Cal.com booked it, or refused it for another reason.
    pub bookable: Option<EventTypeId>,
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
pub struct Availability {
    /// The targets that are free at the requested start, best first. At least one.
    targets: Vec<Target>,
    /// All free slots near it.
    slots: Vec<DateTime<Utc>>,
}

impl Attempt<'_> {
    /// Books, unless an earlier attempt did.
    pub async fn book(&self, claim: &mut Claimed, log: &mut AttemptLog) -> Result<Attempted, BookingFailure> {
        let unconfirmed = claim.progress().unconfirmed;
        if let Some(unconfirmed) = unconfirmed {
            if let Some(found) = self.find_earlier(claim, unconfirmed, log).await? {
                return Ok(self.honour_wish(claim, found, log).await);
            }
            if self.catalog.is_none() {
                // Whether the list shows the booking is not known now.
                return Err(BookingFailure::NOT_SENT);
            }
            if !self.targets.iter().all(|target| self.is_visible(target)) {
                return Err(BookingFailure::NotVisible { unconfirmed });
            }
            claim.rule_out_unconfirmed();
            if fails_alone(claim.progress().errors, log.others_booked) {
                return Err(BookingFailure::FailsAlone);
            }
        }
        let now = Utc::now();
        if self.start <= now {
            return Err(BookingFailure::Past);
        }
        if claim.progress().first_attempt.is_some_and(|first| first + self.timing.retry_window < now) {
            return Err(BookingFailure::NOT_SENT);
        }
        let targets = self.without_faults(log)?;
        let available = match (unconfirmed, targets.as_slice()) {
            // Cal.com returns the booking that exists for this contact, so that a repeated request is safe. The slots
            // would show our own booking as a conflict.
            (Some(UnconfirmedBooking::NoResponse), [only]) if self.is_round_robin(only) => {
                Availability { targets, slots: Vec::new() }
            }
            _ => self.check_availability(claim, &targets, log).await?,
        };
        let booked = self.book_first_free(claim, available, log).await?;
        Ok(self.honour_wish(claim, booked, log).await)
    }

    /// The targets of which nothing is known that prevents a booking.
    fn without_faults(&self, log: &mut AttemptLog) -> Result<Vec<Target>, BookingFailure> {
        let fault = |target: &Target| self.setup(target.event_type).and_then(|event_type| event_type.faults.first());
        let fitting: Vec<Target> = self.targets.iter().filter(|target| fault(target).is_none()).cloned().collect();
        match self.targets.first().filter(|_| fitting.is_empty()) {
            Some(first) => {
                log.faulty = Some(first.event_type);
                Err(fault(first).map_or(BookingFailure::NOT_SENT, |fault| BookingFailure::Misconfigured(fault.clone())))
            }
            None => Ok(fitting),
        }
    }

    /// The targets that are free at the requested start.
    pub async fn check_availability(
        &self,
        claim: &Claimed,
        targets: &[Target],
        log: &mut AttemptLog,
    ) -> Result<Availability, BookingFailure> {
        let requests = targets.iter().map(|target| self.slots_of(target));
        let mut available = Availability { targets: Vec::new(), slots: Vec::new() };
        let (mut last_error, mut unused) = (None, Vec::new());
        for (target, slots) in targets.iter().zip(join_all(requests).await) {
            match slots {
                Ok(slots) => {
                    available.targets.extend(slots.value.contains(&self.start).then(|| target.clone()));
                    available.slots.extend(slots.value);
                    unused.push(ExchangeRecord { request: "slots", exchange: slots.exchange });
                }
                Err(error) => last_error = Some(error),
            }
        }
        if !available.targets.is_empty() {
            return Ok(available);
        }
        log.exchanges.append(&mut unused);
        match last_error {
            Some(error) => Err(recorded("slots", error, &mut log.exchanges)),
            None => Err(self.taken(claim, &available.slots)),
        }
    }

    async fn slots_of(&self, target: &Target) -> Result<calcom::Response<Vec<DateTime<Utc>>>, CalcomError> {
        let from = (self.start - SLOTS_BEFORE).max(Utc::now());
        let window = SlotsWindow { start: from, end: self.start + SLOTS_AFTER };
        self.calcom.slots(self.key, target.event_type, window, self.selectable(target)).await
    }

    /// The failure of a start that is not among the free slots.
    fn taken(&self, claim: &Claimed, slots: &[DateTime<Utc>]) -> BookingFailure {
        let proposals = proposals(slots, self.start, &claim.appointment().id);
        if slots.is_empty() {
            return BookingFailure::OutsideWindow { proposals };
        }
        BookingFailure::SlotTaken { proposals, closed: closed_at(self.start, slots, self.tenant.time_zone) }
    }

    /// Books the first target that Cal.com accepts: one may have been taken since its slots were listed.
    async fn book_first_free(
        &self,
        claim: &Claimed,
        available: Availability,
        log: &mut AttemptLog,
    ) -> Result<Attempted, BookingFailure> {
        let mut slots = available.slots;
        let (mut refused, mut overtaken_while_free) = (None, false);
        for target in available.targets {
            for _ in 0..MAX_OVERTAKEN {
                if !self.is_lease_sufficient(claim) || !self.calcom.has_left(MIN_TIME_TO_BOOK) {
                    return Err(BookingFailure::NOT_SENT);
                }
                let failure = match self.request(claim, &target, log).await {
                    Ok(booking) => return booked(claim, booking),
                    Err(failure) => failure,
                };
                match failure {
                    BookingFailure::SlotTaken { .. }
                    | BookingFailure::Overtaken
                    | BookingFailure::OutsideWindow { .. } => {}
                    other => return Err(other),
                }
                // Somebody was faster. In a round robin another host may be free.
                let now_free = self.slots_of(&target).await;
                let now_free = now_free.map_err(|error| recorded("slots", error, &mut log.exchanges))?;
                slots.extend(&now_free.value);
                let is_free = now_free.value.contains(&self.start);
                let was_overtaken = matches!(failure, BookingFailure::Overtaken);
                refused = Some(failure);
                overtaken_while_free = is_free && was_overtaken;
                if !overtaken_while_free {
                    break;
                }
            }
        }
        if overtaken_while_free {
            // Somebody is free, and others are faster each time.
            return Err(BookingFailure::NOT_SENT);
        }
        let proposals = proposals(&slots, self.start, &claim.appointment().id);
        Err(match refused {
            Some(BookingFailure::OutsideWindow { .. }) => BookingFailure::OutsideWindow { proposals },
            _ => BookingFailure::SlotTaken { proposals, closed: None },
        })
    }

    /// Sends one request to book.
    async fn request(
        &self,
        claim: &Claimed,
        target: &Target,
        log: &mut AttemptLog,
    ) -> Result<FoundBooking, BookingFailure> {
        let error = match self.calcom.book(self.key, &self.new_booking(claim, target)).await {
            Ok(made) => {
                log.exchanges.push(ExchangeRecord { request: "book", exchange: made.exchange });
                log.bookable = Some(target.event_type);
                return Ok(made.value);
            }
            Err(error) => error,
        };
        let unconfirmed = match error.effect {
            Effect::Nothing => None,
            Effect::Unknown => Some(UnconfirmedBooking::NoResponse),
            Effect::Errored => Some(UnconfirmedBooking::ErrorResponse),
            Effect::Done => Some(UnconfirmedBooking::UnreadableResponse),
        };
        let failure = recorded("book", error, &mut log.exchanges).with_unconfirmed(unconfirmed);
        match failure {
            BookingFailure::Misconfigured(_) => log.faulty = Some(target.event_type),
            BookingFailure::SlotTaken { .. } | BookingFailure::Overtaken => log.bookable = Some(target.event_type),
            _ => {}
        }
        Err(failure)
    }

    /// Whether a request to book that is sent now is certain to finish before the lease expires.
    fn is_lease_sufficient(&self, claim: &Claimed) -> bool {
        Utc::now() + self.timing.booking_timeout + self.timing.late_booking <= claim.lease_until()
    }

    fn new_booking(&self, claim: &Claimed, target: &Target) -> NewBooking {
        let (appointment, calcom) = (claim.appointment(), &self.tenant.calcom);
        let (customer, progress) = (&appointment.request.customer, claim.progress());
        let phone = customer.phone.as_ref().filter(|_| progress.omitted_contact != Some(ContactPart::Phone));
        let is_sent = progress.omitted_contact != Some(ContactPart::Email) && !progress.has_own_contact;
        // Most event types require an email: without one, number and placeholder are sent from the start.
        let email = customer.email.clone().filter(|_| is_sent);
        let email =
            email.unwrap_or_else(|| contact::placeholder_email(&appointment.id, &calcom.placeholder_email_domain));
        let attendee = Attendee {
            name: customer.name.as_ref().map_or(&calcom.unnamed_customer, |name| name.reveal()).clone(),
            time_zone: self.tenant.time_zone.to_string(),
            email: Some(email.reveal().clone()),
            phone_number: phone.map(|phone| phone.reveal().clone()),
            language: self.tenant.language.clone(),
        };
        // Every event type has the field, unless somebody has hidden it.
        let takes_notes = self.setup(target.event_type).is_none_or(|event_type| event_type.takes_notes);
        let notes = takes_notes.then(|| appointment.request.notes_for_staff(self.tenant, &appointment.call));
        NewBooking::new(&appointment.id, &appointment.call, target.event_type, self.start, attendee)
            .with_notes(notes)
            .with_host(self.selectable(target))
    }

    /// The wished host, if a request to book may name it.
    fn selectable(&self, target: &Target) -> Option<HostId> {
        target.host.filter(|_| self.setup(target.event_type).is_some_and(|event_type| event_type.is_host_selectable))
    }

    fn is_round_robin(&self, target: &Target) -> bool {
        self.setup(target.event_type).is_some_and(|event_type| event_type.is_round_robin)
    }

    fn is_visible(&self, target: &Target) -> bool {
        self.setup(target.event_type).is_some_and(|event_type| event_type.is_visible)
    }

    pub(crate) fn setup(&self, event_type: EventTypeId) -> Option<&EventType> {
        self.catalog?.event_type(event_type)
    }
}

/// The booking that Cal.com returned, if it is the appointment's own.
fn booked(claim: &Claimed, found: FoundBooking) -> Result<Attempted, BookingFailure> {
    if found.appointments.contains(&claim.appointment().id) {
        let (booking, how) = (found.booking, Confirmation::Booked);
        return Ok(Attempted::Booked { booking, how, duplicates_cancelled: false });
    }
    // For the same start and contact Cal.com returns the booking that exists: nothing was booked.
    Err(if found.appointments.is_empty() {
        BookingFailure::BookerLimit { existing: Some(found.booking.uid) }
    } else {
        BookingFailure::SharedContact
    })
}

/// The time that must not be booked by two at once: of whichever target gets the booking.
pub fn span_of(targets: &[Target], start: DateTime<Utc>, catalog: Option<&Catalog>) -> SlotSpan {
    let spans = targets.iter().map(|target| {
        let event_type = catalog.and_then(|catalog| catalog.event_type(target.event_type));
        event_type.map_or_else(|| SlotSpan::unknown(start), |event_type| event_type.span(start))
    });
    spans.reduce(SlotSpan::union).unwrap_or_else(|| SlotSpan::unknown(start))
}

/// The failure of a request, whose exchange is recorded.
pub(crate) fn recorded(
    request: &'static str,
    error: CalcomError,
    exchanges: &mut Vec<ExchangeRecord>,
) -> BookingFailure {
    exchanges.push(ExchangeRecord { request, exchange: error.exchange });
    error.failure
}
