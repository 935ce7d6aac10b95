//! Assigns a booking to a staff member, at Cal.com, too.

use calcom::{Calcom, Effect};
use platform::secrets::{CalcomKeys, Secret};
use scheduling::{
    appointment::{Actor, Appointment},
    assignment::{Assignment, StrategyName},
    booking::{HostEvidence, Hosts},
    ids::{BookingUid, HostId, StaffId},
    tenant::StaffMember,
};
use store::{Catalogs, ExchangeRecord, TenantRecord, Versioned};

use crate::{Operations, calcom_account::CalcomAccount, error::OperationError};

/// A planned assignment.
pub struct PlannedAssignment {
    stored: Versioned<Appointment>,
    /// The host whom Cal.com has now.
    pub host_now: Option<HostId>,
    /// The host to whom Cal.com gives the booking. `None` if nothing has to change, or nothing can: the event type has no
    /// host who is known to be that staff member.
    pub host_then: Option<HostId>,
    uid: Option<BookingUid>,
}

/// Plans to assign an appointment to a staff member.
///
/// # Errors
/// If there is no such staff member, nothing is booked, or the store fails.
pub async fn plan(
    catalogs: &Catalogs,
    record: &TenantRecord,
    stored: Versioned<Appointment>,
    staff: &StaffId,
    by: Actor<'_>,
) -> Result<PlannedAssignment, OperationError> {
    let Versioned { value: mut appointment, version } = stored;
    let member = record.tenant.staff_member(staff);
    let member =
        member.ok_or_else(|| OperationError::NotFound(format!("staff member {staff} of {}", record.tenant.id)))?;
    let host_now = appointment.booking().and_then(|booking| match &booking.hosts {
        HostEvidence::Named(hosts) => Some(hosts.first().id),
        HostEvidence::None { .. } => None,
    });
    let host_then = other_host(catalogs, record, &appointment, member).await?;
    let host = host_then.or(host_now);
    appointment.assign_by_operator(Assignment { staff: staff.clone(), strategy: StrategyName::Operator, host }, by)?;
    let uid = appointment.booking().map(|booking| booking.uid.clone());
    Ok(PlannedAssignment { stored: Versioned { value: appointment, version }, host_now, host_then, uid })
}

async fn other_host(
    catalogs: &Catalogs,
    record: &TenantRecord,
    appointment: &Appointment,
    member: &StaffMember,
) -> Result<Option<HostId>, OperationError> {
    let Some(booking) = appointment.booking() else { return Ok(None) };
    let HostEvidence::Named(hosts) = &booking.hosts else { return Ok(None) };
    let Some(known) = catalogs.of(&record.tenant.calcom.account).await? else { return Ok(None) };
    let event_type = known.catalog.event_type(booking.event_type).filter(|event_type| event_type.is_round_robin);
    let host = event_type.and_then(|event_type| event_type.host_of(member, &record.tenant, &record.mappings));
    Ok(host.filter(|host| *host != hosts.first().id))
}

impl Operations {
    /// Makes a planned assignment: at Cal.com first.
    ///
    /// # Errors
    /// If Cal.com can't be used, somebody else was first, or the store fails.
    pub async fn assign(
        &self,
        planned: PlannedAssignment,
        record: &TenantRecord,
        (keys, calcom): (&Secret<CalcomKeys>, Calcom),
        by: Actor<'_>,
    ) -> Result<(), OperationError> {
        let Versioned { value: mut appointment, version } = planned.stored;
        let mut recorded = Vec::new();
        if let (Some(host), Some(uid)) = (planned.host_then, planned.uid) {
            let account = CalcomAccount::with(keys, calcom, &record.tenant).await?;
            let reassigned = account.calcom.reassign(&account.key, &uid, host, "assigned by a person").await;
            let reassigned = reassigned.map_err(|error| {
                let is_certain = error.effect == Effect::Nothing;
                let outcome =
                    if is_certain { "Nothing was changed" } else { "Cal.com may have changed it: look there" };
                OperationError::Calcom(format!("{}. {outcome}", account.failed("reassign the booking", &error)))
            })?;
            recorded.push(ExchangeRecord { request: "reassign", exchange: reassigned.exchange });
            if let Ok(hosts) = Hosts::try_from(vec![reassigned.value]) {
                appointment.reassign_host(HostEvidence::Named(hosts), by)?;
            }
        }
        self.appointments.update(&appointment, version).exchanges(&recorded).commit().await?;
        Ok(())
    }
}
