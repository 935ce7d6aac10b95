//! Free slots: what can be offered to a caller.

use calcom::{Priority, SlotsWindow};
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use scheduling::{
    event_type::EventType,
    failure::BookingFailure,
    ids::{EventTypeId, HostId, StaffId},
    offer::FreeSlot,
    slot::SlotSpan,
    tenant::Tenant,
};
use secrecy::SecretString;
use store::{StoreError, step::StepError};

use crate::{accounts::Freshness, attempt::Target, bookings::Bookings, job::Job};

impl Bookings {
    /// The free slots of a service in a window, in order, of one staff member if one is named. Those that another caller is
    /// just booking are left out, and so are those that have passed.
    ///
    /// # Errors
    /// If DynamoDB fails. What Cal.com answers instead of slots is the inner error.
    pub async fn free_slots(
        &self,
        service: &str,
        staff: Option<&str>,
        window: SlotsWindow,
        job: &Job<'_>,
    ) -> Result<Result<Vec<FreeSlot>, BookingFailure>, StepError> {
        let account = &job.tenant.calcom.account;
        let leased = async { self.appointments.leased_spans(account, Utc::now()).await };
        let listed = async {
            let (targets, catalog) = self.booker().targets(Some(service), staff, Freshness::AsStored, job).await?;
            let Some(key) = self.accounts.key_of(account).await else {
                return Ok::<_, StoreError>(Err(BookingFailure::CredentialsRefused));
            };
            let targets = match targets {
                Ok(targets) => targets,
                Err(failure) => return Ok(Err(failure)),
            };
            let fault = |target: &Target| {
                let event_type = catalog.as_ref()?.catalog.event_type(target.event_type)?;
                event_type.faults.first().cloned()
            };
            if let Some(fault) =
                targets.first().and_then(fault).filter(|_| targets.iter().all(|it| fault(it).is_some()))
            {
                return Ok(Err(BookingFailure::Misconfigured(fault)));
            }
            let bookable: Vec<Target> = targets.into_iter().filter(|target| fault(target).is_none()).collect();
            let setup = |id| catalog.as_ref().and_then(|stored| stored.catalog.event_type(id));
            let requests = bookable.iter().map(|target| {
                self.listed(target.event_type, host_of(target, setup(target.event_type)), window, &key, job)
            });
            let mut answers = Vec::new();
            for (target, answer) in bookable.iter().zip(join_all(requests).await) {
                answers.push(answer.map(|slots| {
                    let event_type: Option<EventType> = setup(target.event_type).cloned();
                    (target.clone(), event_type, slots)
                }));
            }
            Ok(match answers.iter().position(Result::is_ok) {
                // What some of the event types show is true, whatever the others answer.
                Some(_) => Ok(answers.into_iter().flatten().collect::<Vec<_>>()),
                None => answers.into_iter().collect(),
            })
        };
        let (leased, listed) = tokio::try_join!(leased, listed)?;
        Ok(listed.map(|listed| {
            let mut free: Vec<FreeSlot> = Vec::new();
            for (target, event_type, slots) in &listed {
                let host = host_of(target, event_type.as_ref());
                let who = staff_of(target.event_type, host, staff, job.tenant);
                let span = |start| event_type.as_ref().map_or_else(|| SlotSpan::unknown(start), |it| it.span(start));
                let is_in = |start: &DateTime<Utc>| (window.start..=window.end).contains(start);
                for start in slots.iter().copied().filter(is_in) {
                    if leased.iter().any(|leased| leased.overlaps(&span(start))) {
                        continue;
                    }
                    match free.iter_mut().find(|slot| slot.start == start) {
                        Some(slot) => slot.staff.extend(who.clone()),
                        None => free.push(FreeSlot { start, staff: who.clone().into_iter().collect() }),
                    }
                }
            }
            free.sort_by_key(|slot| slot.start);
            free
        }))
    }

    async fn listed(
        &self,
        event_type: EventTypeId,
        host: Option<HostId>,
        window: SlotsWindow,
        key: &SecretString,
        job: &Job<'_>,
    ) -> Result<Vec<DateTime<Utc>>, BookingFailure> {
        let of = (job.tenant.calcom.account.clone(), event_type, host);
        if let Some(slots) = self.slots.get(&of, window) {
            return Ok(slots);
        }
        let now = Utc::now();
        if let Some(until) = job.calcom.rests_until(key, Priority::Live, now) {
            return Err(BookingFailure::RateLimited { retry_after: Some(until - now) });
        }
        let answer = job.calcom.slots(key, event_type, window, host).await.map_err(|error| error.failure)?;
        self.slots.insert(of, window, answer.value.clone());
        Ok(answer.value)
    }
}

/// The host to whom a query is restricted, if the event type allows that.
fn host_of(target: &Target, event_type: Option<&EventType>) -> Option<HostId> {
    target.host.filter(|_| event_type.is_some_and(|event_type| event_type.is_host_selectable))
}

/// Who would do it: the owner of an event type of one's own, or the one to whom the query was restricted.
fn staff_of(event_type: EventTypeId, host: Option<HostId>, staff: Option<&str>, tenant: &Tenant) -> Option<StaffId> {
    let own = tenant.services.iter().flat_map(|service| &service.event_types.per_staff);
    let owner = own.into_iter().find(|(_, id)| **id == event_type).map(|(staff, _)| staff.clone());
    let wished = || staff.and_then(|staff| tenant.staff_called(staff)).map(|member| member.id.clone());
    owner.or_else(|| host.and_then(|_| wished()))
}
