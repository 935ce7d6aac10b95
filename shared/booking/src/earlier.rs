//! Looks for a booking that an earlier attempt made without reading the response.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use scheduling::{
    appointment::{Claimed, Confirmation},
    booking::UnconfirmedBooking,
    failure::BookingFailure,
};
use store::ExchangeRecord;

use crate::attempt::{Attempt, AttemptLog, Attempted, recorded};

/// How far Cal.com's clock and ours may differ.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

impl Attempt<'_> {
    /// The booking that an earlier attempt made, if there is one. Of several the first one stays.
    pub(crate) async fn find_earlier(
        &self,
        claim: &Claimed,
        unconfirmed: UnconfirmedBooking,
        log: &mut AttemptLog,
    ) -> Result<Option<Attempted>, BookingFailure> {
        let appointment = claim.appointment();
        let made_after = appointment.requested_at() - CLOCK_TOLERANCE;
        let found = self.calcom.bookings_of(self.key, &appointment.id, made_after).await;
        let found = found.map_err(|error| look_up_failed(recorded("list", error, &mut log.exchanges)))?;
        let failed_since = appointment.unavailable_since();
        log.others_booked = failed_since.is_some_and(|since| found.newest_other.is_some_and(|other| other > since));
        let mut listed = found.ours;
        if appointment.requested_at() > appointment.created_at {
            // What was cancelled before it was requested again is what it is requested again for.
            let is_of_before = |listed: &calcom::ListedBooking| {
                let is_over = listed.booking.as_ref().is_some_and(|booking| !booking.status.is_active());
                is_over && listed.made_at.is_some_and(|made_at| made_at < appointment.requested_at())
            };
            listed.retain(|listed| !is_of_before(listed));
        }
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
        let is_series = listed.iter().any(|listed| listed.is_in_series);
        let bookings = listed.into_iter().filter_map(|listed| listed.booking);
        let bookings = bookings.filter(|booking| seen.insert(booking.uid.clone()));
        let mut active = bookings.filter(|booking| booking.status.is_active());
        let Some(first) = active.next() else { return Ok(Some(Attempted::CancelledAtCalcom)) };
        let mut duplicates_cancelled = false;
        // The bookings of a series belong together: none is a duplicate of another.
        for duplicate in active.filter(|booking| !is_series && booking.start == first.start) {
            let cancelled = self.calcom.cancel(self.key, &duplicate.uid, "booked twice by mistake").await;
            let exchange = cancelled.map_err(|error| look_up_failed(recorded("cancel", error, &mut log.exchanges)))?;
            log.exchanges.push(ExchangeRecord { request: "cancel", exchange });
            duplicates_cancelled = true;
        }
        match self.calcom.get(self.key, &first.uid).await {
            Ok(found) if !found.value.booking.status.is_active() => Ok(Some(Attempted::CancelledAtCalcom)),
            Ok(found) => {
                log.exchanges.push(ExchangeRecord { request: "get", exchange: found.exchange });
                let (booking, how) = (found.value.booking, Confirmation::Recovered);
                Ok(Some(Attempted::Booked { booking, how, duplicates_cancelled }))
            }
            Err(error) => Err(look_up_failed(recorded("get", error, &mut log.exchanges))),
        }
    }
}

/// The failure of looking for an earlier booking. It does not show whether the booking exists.
pub(crate) fn look_up_failed(failure: BookingFailure) -> BookingFailure {
    match failure {
        BookingFailure::RateLimited { .. }
        | BookingFailure::Unavailable { .. }
        | BookingFailure::CredentialsRefused => failure,
        _ => BookingFailure::Unknown { unconfirmed: None },
    }
}
