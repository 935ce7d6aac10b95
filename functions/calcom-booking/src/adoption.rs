//! Adopts a booking that a tool of the voice agent made while the caller was on the line.

use calcom::FoundBooking;
use scheduling::{
    appointment::{Claimed, Confirmation},
    booking::{Booking, CallBookings, UnconfirmedBooking},
    failure::BookingFailure,
    ids::BookingUid,
    tenant::Tenant,
};
use secrecy::SecretString;
use store::{Appointments, ExchangeRecord};

use crate::{
    attempt::{AttemptLog, Attempted, recorded},
    booker::Booker,
    earlier::{CLOCK_TOLERANCE, look_up_failed},
};

impl Booker {
    /// The booking that a tool made in the call, if there is one. A booking that is older than the call was only shown in
    /// it, and one of another appointment is that one's.
    pub async fn find_made_in_call(
        &self,
        claim: &Claimed,
        tenant: &Tenant,
        appointments: &Appointments,
        log: &mut AttemptLog,
    ) -> Result<Option<Attempted>, BookingFailure> {
        let Some(key) = self.accounts.key_of(&tenant.calcom.account).await else {
            return Err(BookingFailure::CredentialsRefused);
        };
        let Some(CallBookings { uids, began_at }) = claim.appointment().call_bookings() else { return Ok(None) };
        let (mut unknown, mut cancelled, mut other_start) = (false, false, None);
        for uid in uids {
            let Some(found) = self.look_up(&key, uid, log).await? else {
                unknown = true;
                continue;
            };
            let is_older = found.made_at.is_some_and(|made_at| made_at < *began_at - CLOCK_TOLERANCE);
            let made_for_others = !found.appointments.is_empty();
            let uid = &found.booking.uid;
            let holder = appointments.of_booking(uid).await.map_err(|_| BookingFailure::NOT_SENT)?;
            let is_anothers = holder.is_some_and(|holder| holder != claim.appointment().id);
            if is_older || made_for_others || is_anothers {
                continue;
            }
            if !found.booking.status.is_active() {
                cancelled = true;
                continue;
            }
            if claim.appointment().request.start.at().is_none_or(|start| start == found.booking.start) {
                return Ok(Some(adopted(found.booking)));
            }
            other_start.get_or_insert(found.booking);
        }
        match other_start {
            // The analysis may have misread what the tool booked.
            Some(booking) => Ok(Some(adopted(booking))),
            None if cancelled => Ok(Some(Attempted::CancelledAtCalcom)),
            // The tool may book with another account, whose bookings this key can't see: a person looks.
            None if unknown => Err(BookingFailure::NotVisible { unconfirmed: UnconfirmedBooking::MadeInCall }),
            None => Ok(None),
        }
    }

    /// The booking of this uid as it is now. `None` if the key sees none.
    async fn look_up(
        &self,
        key: &SecretString,
        uid: &BookingUid,
        log: &mut AttemptLog,
    ) -> Result<Option<FoundBooking>, BookingFailure> {
        match self.accounts.calcom.follow(key, uid).await {
            Ok(found) => {
                log.exchanges.push(ExchangeRecord { request: "get", exchange: found.exchange });
                Ok(Some(found.value))
            }
            Err(error) if error.is_not_found() => {
                recorded("get", error, &mut log.exchanges);
                Ok(None)
            }
            Err(error) => Err(look_up_failed(recorded("get", error, &mut log.exchanges))),
        }
    }
}

fn adopted(booking: Booking) -> Attempted {
    Attempted::Booked { booking, how: Confirmation::Adopted, duplicates_cancelled: false }
}
