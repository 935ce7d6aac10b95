//! Looks up the bookings that the voice agent's tools report from a call.

use chrono::Utc;
use platform::secrets::CalcomKeys;
use scheduling::{
    adoption::{Adoption, Reported, judge},
    appointment::{Claimed, Confirmation},
    booking::UnconfirmedBooking,
    exchange::Exchange,
    failure::BookingFailure,
    ids::BookingUid,
};
use secrecy::SecretString;
use store::{Appointments, ExchangeRecord};

use crate::{
    attempt::{AttemptLog, Attempted, recorded},
    booker::{Booker, keys_failed},
    earlier::look_up_failed,
    job::Job,
};

impl Booker<'_> {
    /// The booking that a tool made in the call, if there is one. The keys are refreshed if Cal.com refuses one.
    pub async fn find_made_in_call(
        &self,
        claim: &Claimed,
        job: &Job<'_>,
        appointments: &Appointments,
        log: &mut AttemptLog,
    ) -> Result<Option<Attempted>, BookingFailure> {
        let keys = self.accounts.keys.read().await.map_err(keys_failed)?;
        match self.find_with(&keys, claim, job, appointments, log).await {
            Err(BookingFailure::CredentialsRefused) => match self.accounts.keys.refresh_after(&keys).await {
                Some(refreshed) => self.find_with(&refreshed, claim, job, appointments, log).await,
                None => Err(BookingFailure::CredentialsRefused),
            },
            found => found,
        }
    }

    async fn find_with(
        &self,
        keys: &CalcomKeys,
        claim: &Claimed,
        job: &Job<'_>,
        appointments: &Appointments,
        log: &mut AttemptLog,
    ) -> Result<Option<Attempted>, BookingFailure> {
        let key = keys.of(&job.tenant.calcom.account).ok_or(BookingFailure::CredentialsRefused)?;
        let appointment = claim.appointment();
        let Some(bookings) = appointment.call_bookings() else { return Ok(None) };
        let (mut reported, mut exchanges) = (Vec::new(), Vec::new());
        for uid in &bookings.uids {
            let Some((found, exchange)) = self.look_up(key, uid, appointments, log, job).await? else {
                reported.push(None);
                continue;
            };
            exchanges.push((found.booking.uid.clone(), exchange));
            reported.push(Some(found));
        }
        match judge(&appointment.id, appointment.request.start.at(), bookings, &reported, job.tenant) {
            Adoption::Adopt(booking) => {
                // The others name customers of their own.
                let of_it = exchanges.into_iter().find(|(uid, _)| *uid == booking.uid);
                log.exchanges.extend(of_it.map(|(_, exchange)| ExchangeRecord { request: "get", exchange }));
                Ok(Some(Attempted::Booked { booking, how: Confirmation::Adopted, duplicates_cancelled: false }))
            }
            Adoption::Cancelled => Ok(Some(Attempted::CancelledAtCalcom)),
            Adoption::Moved(uid) => Err(BookingFailure::BookerLimit { existing: Some(uid) }),
            // What was booked seconds ago may not be shown yet.
            Adoption::Unclear if appointment.created_at + self.timing.replica_lag > Utc::now() => {
                Err(BookingFailure::NOT_SENT)
            }
            Adoption::Unclear => Err(BookingFailure::NotVisible { unconfirmed: UnconfirmedBooking::MadeInCall }),
            Adoption::None => Ok(None),
        }
    }

    /// The booking of this uid as it is now, with the appointment that holds it. `None` if the key sees none.
    async fn look_up(
        &self,
        key: &SecretString,
        uid: &BookingUid,
        appointments: &Appointments,
        log: &mut AttemptLog,
        job: &Job<'_>,
    ) -> Result<Option<(Reported, Exchange)>, BookingFailure> {
        let found = match job.calcom.follow(key, uid).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(look_up_failed(recorded("get", error, &mut log.exchanges))),
        };
        let holder = appointments.of_booking(&found.value.booking.uid).await.map_err(|_| BookingFailure::NOT_SENT)?;
        let held_by = found.value.appointments.into_iter().chain(holder).collect();
        let (booking, made_at) = (found.value.booking, found.value.made_at);
        Ok(Some((Reported { booking, made_at, appointments: held_by }, found.exchange)))
    }
}
