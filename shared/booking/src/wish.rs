//! The wish for a host, where Cal.com chose another one.

use calcom::SlotsWindow;
use chrono::TimeDelta;
use scheduling::{
    appointment::Claimed,
    booking::{Booking, HostEvidence, Hosts},
    ids::{EventTypeId, HostId},
};
use store::ExchangeRecord;

use crate::attempt::{Attempt, AttemptLog, Attempted};

impl Attempt<'_> {
    /// Gives the booking to the host whom the customer wants, if Cal.com chose another one and the wished one is free.
    /// Otherwise the booking stays as it is, and staff assignment flags it: a wish is never dropped.
    pub(crate) async fn honour_wish(&self, claim: &Claimed, booked: Attempted, log: &mut AttemptLog) -> Attempted {
        let Attempted::Booked { mut booking, how, duplicates_cancelled } = booked else { return booked };
        let wished = self.targets.iter().find(|target| target.event_type == booking.event_type);
        if let Some(wished) = wished.and_then(|target| target.host).filter(|wished| !is_hosted_by(&booking, *wished)) {
            match self.reassign(&booking, wished, log).await {
                Some(hosts) => booking.hosts = hosts,
                None => tracing::warn!(
                    appointment_id = claim.appointment().id.as_str(),
                    "booking stays with another host than the customer wants: the wished one is not known to be free"
                ),
            }
        }
        Attempted::Booked { booking, how, duplicates_cancelled }
    }

    async fn reassign(&self, booking: &Booking, wished: HostId, log: &mut AttemptLog) -> Option<HostEvidence> {
        // Cal.com would give the booking to a host who is busy, or on holiday.
        if !self.is_free(booking, wished).await? {
            return None;
        }
        let reassigned =
            self.calcom.reassign(self.key, &booking.uid, wished, "requested by the customer").await.ok()?;
        log.exchanges.push(ExchangeRecord { request: "reassign", exchange: reassigned.exchange });
        let host = reassigned.value;
        let hosts = (host.id == wished).then(|| Hosts::try_from(vec![host]).ok()).flatten()?;
        Some(HostEvidence::Named(hosts))
    }

    /// Whether the host is free at that time, as the slots of an event type show it that is the host's alone and lasts
    /// at least as long. `None` if there is no such event type, or Cal.com can't be queried.
    async fn is_free(&self, booking: &Booking, host: HostId) -> Option<bool> {
        let event_type = self.own_event_type(booking, host)?;
        let start = booking.start;
        let window = SlotsWindow { start: start - TimeDelta::minutes(1), end: start + TimeDelta::minutes(1) };
        let slots = self.calcom.slots(self.key, event_type, window, None).await.ok()?;
        Some(slots.value.contains(&start))
    }

    fn own_event_type(&self, booking: &Booking, host: HostId) -> Option<EventTypeId> {
        let minutes = self.setup(booking.event_type)?.minutes;
        let is_own = |hosts: &[scheduling::booking::Host]| matches!(hosts, [only] if only.id == host);
        let all = self.catalog?.event_types.iter();
        let fitting = all.filter(|(_, it)| is_own(&it.hosts) && it.minutes >= minutes && it.faults.is_empty());
        fitting.min_by_key(|(_, it)| it.minutes).map(|(id, _)| *id)
    }
}

fn is_hosted_by(booking: &Booking, host: HostId) -> bool {
    match &booking.hosts {
        HostEvidence::Named(hosts) => hosts.first().id == host,
        // Staff assignment looks them up, and compares.
        HostEvidence::None { .. } => true,
    }
}
