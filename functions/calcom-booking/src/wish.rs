//! The wish for a host, where Cal.com chose another one.

use chrono::{DateTime, TimeDelta, Utc};
use scheduling::{
    appointment::Claimed,
    booking::{Booking, HostEvidence, Hosts},
    ids::HostId,
};
use store::ExchangeRecord;

use crate::attempt::{Attempt, AttemptLog, Attempted};

/// How far from the start a booking may begin or end that could overlap.
const AROUND: TimeDelta = TimeDelta::hours(24);

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
        // Cal.com would give the booking to a host who is busy.
        if !self.is_free(booking, wished).await {
            return None;
        }
        let reassigned =
            self.calcom.reassign(self.key, &booking.uid, wished, "requested by the customer").await.ok()?;
        log.exchanges.push(ExchangeRecord { request: "reassign", exchange: reassigned.exchange });
        let host = reassigned.value;
        let hosts = (host.id == wished).then(|| Hosts::try_from(vec![host]).ok()).flatten()?;
        Some(HostEvidence::Named(hosts))
    }

    /// Whether no booking is known that the host has at that time.
    async fn is_free(&self, booking: &Booking, host: HostId) -> bool {
        let Some(ours) = self.setup(booking.event_type) else { return false };
        let span = ours.span(booking.start, None);
        let Ok(others) = self.calcom.between(self.key, span.from - AROUND, span.to + AROUND).await else {
            return false;
        };
        let overlaps = |other: &Booking| {
            let (from, to) = self.occupied_by(other);
            from < span.to && span.from < to
        };
        let is_theirs =
            |other: &&Booking| other.uid != booking.uid && other.status.is_active() && is_hosted_by(other, host);
        !others.iter().filter(is_theirs).any(overlaps)
    }

    fn occupied_by(&self, other: &Booking) -> (DateTime<Utc>, DateTime<Utc>) {
        match self.setup(other.event_type) {
            Some(event_type) => {
                let span = event_type.span(other.start, None);
                (span.from, span.to)
            }
            // Nobody knows how long it lasts.
            None => (other.start, other.start + AROUND),
        }
    }
}

fn is_hosted_by(booking: &Booking, host: HostId) -> bool {
    match &booking.hosts {
        HostEvidence::Named(hosts) => hosts.first().id == host,
        // Staff assignment looks them up, and compares.
        HostEvidence::None { .. } => true,
    }
}
