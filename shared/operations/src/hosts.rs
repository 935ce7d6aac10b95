//! The hosts of a tenant: who they are, and what waits until that is known.

use std::collections::BTreeSet;

use chrono::Utc;
use scheduling::{
    appointment::{Actor, Appointment, ReviewBooking, ReviewReason, State},
    assignment::{Case, HostMapping, MappingSource, assign, mapping_from},
    booking::Host,
    event_type::Catalog,
    failure::Category,
    ids::{AppointmentId, EventTypeId, HostId, StaffId},
};
use store::{TenantRecord, Versioned};

use crate::{
    Operations,
    error::{OperationError, Refusal},
};

/// What is known of a host.
#[derive(Debug, Clone)]
pub struct KnownHost {
    /// The host's id at Cal.com.
    pub id: HostId,
    /// What Cal.com's event types say of it.
    pub seen: Option<Host>,
    /// Who it is.
    pub mapping: Option<HostMapping>,
}

/// The hosts of a tenant's event types and mappings, unknown ones first.
pub fn known_hosts(record: &TenantRecord, catalog: Option<&Catalog>) -> Vec<KnownHost> {
    let ours: BTreeSet<EventTypeId> = record.tenant.services.iter().flat_map(|it| it.event_types.all()).collect();
    let seen = catalog.into_iter().flat_map(|catalog| catalog.event_types.iter());
    let seen: Vec<&Host> =
        seen.filter(|(id, _)| ours.contains(id)).flat_map(|(_, event_type)| event_type.hosts.iter()).collect();
    let mut ids: BTreeSet<HostId> = seen.iter().map(|host| host.id).collect();
    ids.extend(record.mappings.iter().map(|mapping| mapping.host));
    let known = ids.into_iter().map(|id| KnownHost {
        id,
        seen: seen.iter().find(|host| host.id == id).map(|host| (*host).clone()),
        mapping: record.mappings.iter().find(|mapping| mapping.host == id).cloned(),
    });
    let mut known: Vec<KnownHost> = known.collect();
    known.sort_by_key(|host| (host.mapping.is_some(), host.id));
    known
}

/// The number of appointments by what became of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// They are assigned now.
    pub assigned: u32,
    /// They are booked next.
    pub requested: u32,
    /// They still need review.
    pub in_review: u32,
}

/// What became of one appointment.
enum Outcome {
    Assigned,
    Requested,
    InReview,
}

impl Operations {
    /// Says who a host is, and resumes what waited for that.
    ///
    /// # Errors
    /// If there is no such staff member, the tenant file says who the host is, or the store fails.
    pub async fn map_host(
        &self,
        record: &TenantRecord,
        host: HostId,
        staff: &StaffId,
        by: Actor<'_>,
    ) -> Result<Resumed, OperationError> {
        let tenant = &record.tenant;
        if tenant.staff_member(staff).is_none() {
            return Err(OperationError::NotFound(format!("staff member {staff} of {}", tenant.id)));
        }
        let (tenant, staff, source) = (tenant.id.clone(), staff.clone(), MappingSource::Desk);
        let mapping = HostMapping { tenant, host, staff, source, since: Utc::now() };
        if !self.tenants.map_host(&mapping).await? {
            return Err(Refusal::MappedInFile.into());
        }
        let mut mappings: Vec<HostMapping> = record.mappings.iter().filter(|it| it.host != host).cloned().collect();
        mappings.push(mapping);
        self.resume_waiting(&TenantRecord { tenant: record.tenant.clone(), mappings }, by, |_, _| ()).await
    }

    /// Resumes every appointment of a tenant that waits for a staff member or an event type which exists now. `progress` is
    /// given how many were looked at, and of how many.
    ///
    /// # Errors
    /// If the store or a queue fails.
    pub async fn resume_waiting(
        &self,
        tenant: &TenantRecord,
        by: Actor<'_>,
        progress: impl Fn(usize, usize),
    ) -> Result<Resumed, OperationError> {
        let ids = self.appointments.in_review(&tenant.tenant.id).await?;
        let mut resumed = Resumed::default();
        for (at, id) in ids.iter().enumerate() {
            progress(at, ids.len());
            match self.resume_one(id, tenant, by).await? {
                Outcome::Assigned => resumed.assigned += 1,
                Outcome::Requested => resumed.requested += 1,
                Outcome::InReview => resumed.in_review += 1,
            }
        }
        Ok(resumed)
    }

    async fn resume_one(
        &self,
        id: &AppointmentId,
        tenant: &TenantRecord,
        by: Actor<'_>,
    ) -> Result<Outcome, OperationError> {
        loop {
            let stored = self.appointment(id, None).await?;
            match self.try_to_resume(stored, tenant, by).await {
                Err(OperationError::Changed) => {}
                resumed => return resumed,
            }
        }
    }

    async fn try_to_resume(
        &self,
        stored: Versioned<Appointment>,
        tenant: &TenantRecord,
        by: Actor<'_>,
    ) -> Result<Outcome, OperationError> {
        let Versioned { value: mut appointment, version } = stored;
        let mut mapping = None;
        let outcome = match appointment.state() {
            State::NeedsReview {
                reason: ReviewReason::Assignment(_), booking: ReviewBooking::Booked(booking), ..
            } => {
                let wish = tenant.tenant.wish(appointment.raw_staff());
                let case = Case { booking, tenant: &tenant.tenant, mappings: &tenant.mappings, wish };
                let Ok(found) = assign(&case) else { return Ok(Outcome::InReview) };
                mapping = mapping_from(&found, &tenant.tenant.id, by.now);
                appointment.assign(found, by)?;
                Outcome::Assigned
            }
            State::NeedsReview {
                reason: ReviewReason::Booking(Category::NoEventType | Category::Misconfigured),
                booking: ReviewBooking::None | ReviewBooking::Unconfirmed(_),
                ..
            } => {
                let service = appointment.request.service.as_deref();
                let fits = tenant.tenant.event_types_for(service, appointment.raw_staff()).is_ok();
                if appointment.is_past(by.now) || !fits {
                    return Ok(Outcome::InReview);
                }
                appointment.resume(by)?;
                Outcome::Requested
            }
            _ => return Ok(Outcome::InReview),
        };
        self.appointments.update(&appointment, version).mapping(&self.tenants, mapping.as_ref()).commit().await?;
        if matches!(outcome, Outcome::Requested) {
            self.send(&appointment).await?;
        }
        Ok(outcome)
    }
}
