//! `frontdesk appointment assign`.

use calcom::Effect;
use scheduling::{
    appointment::Appointment,
    assignment::{Assignment, StrategyName},
    booking::{HostEvidence, Hosts},
    ids::{AppointmentId, BookingUid, HostId, StaffId},
    tenant::StaffMember,
};
use store::{Appointments, Catalogs, ExchangeRecord, TenantRecord, Versioned};

use crate::{
    calcom_account::CalcomAccount,
    context::{CommandContext, DRY_RUN},
    error::CommandError,
};

/// Assigns an appointment to a staff member, at Cal.com, too.
pub async fn assign(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
    staff: StaffId,
    apply: bool,
) -> Result<(), CommandError> {
    let Versioned { value: mut appointment, version } = context.appointment(appointments, id).await?;
    let tenants = context.tenants()?;
    let record = context.tenant_record(&tenants, &appointment.tenant).await?;
    let member = record.tenant.staff_member(&staff);
    let member =
        member.ok_or_else(|| CommandError::NotFound(format!("staff member {staff} of {}", appointment.tenant)))?;
    let hosts_before = appointment.booking().and_then(|booking| match &booking.hosts {
        HostEvidence::Named(hosts) => Some(hosts.first().id),
        HostEvidence::None { .. } => None,
    });
    let before = appointment.state().name();
    let change = HostChange::of(context, &record, &appointment, member).await?;
    let assignment = Assignment {
        staff: staff.clone(),
        strategy: StrategyName::Operator,
        host: change.as_ref().map(|change| change.host).or(hosts_before),
    };
    appointment.assign_by_operator(assignment, context.actor())?;
    say!("{id}: {before} -> assigned to {staff}");
    match (&change, hosts_before) {
        (Some(change), _) => {
            say!("Cal.com: the booking goes to host {}. Cal.com does not check whether they are free", change.host);
        }
        (None, Some(host)) => say!("Cal.com: host {host} keeps the booking"),
        (None, None) => {}
    }
    if !apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    let mut recorded = Vec::new();
    if let Some(change) = change {
        let reassigned =
            change.account.calcom.reassign(&change.account.key, &change.uid, change.host, "assigned by a person");
        let reassigned = reassigned.await.map_err(|error| {
            let is_certain = error.effect == Effect::Nothing;
            let outcome = if is_certain { "Nothing was changed" } else { "Cal.com may have changed it: look there" };
            CommandError::Refused(format!("{}. {outcome}", change.account.failed("reassign the booking", &error)))
        })?;
        recorded.push(ExchangeRecord { request: "reassign", exchange: reassigned.exchange });
        if let Ok(hosts) = Hosts::try_from(vec![reassigned.value]) {
            appointment.reassign_host(HostEvidence::Named(hosts), context.actor())?;
        }
    }
    appointments.update(&appointment, version).exchanges(&recorded).commit().await?;
    say!("{id} assigned to {staff}");
    Ok(())
}

/// A booking that Cal.com is to give to another host.
struct HostChange<'a> {
    account: CalcomAccount<'a>,
    uid: BookingUid,
    host: HostId,
}

impl<'a> HostChange<'a> {
    /// What has to change at Cal.com so that `member` hosts the booking. `None` if nothing has to, or nothing can: the
    /// event type has no host who is known to be that staff member.
    async fn of(
        context: &CommandContext,
        record: &'a TenantRecord,
        appointment: &Appointment,
        member: &StaffMember,
    ) -> Result<Option<Self>, CommandError> {
        let Some(booking) = appointment.booking() else { return Ok(None) };
        let HostEvidence::Named(hosts) = &booking.hosts else { return Ok(None) };
        let catalogs = Catalogs::from_env(&context.config)?;
        let Some(known) = catalogs.of(&record.tenant.calcom.account).await? else { return Ok(None) };
        let event_type = known.catalog.event_type(booking.event_type).filter(|event_type| event_type.is_round_robin);
        let host = event_type.and_then(|event_type| event_type.host_of(member, &record.tenant, &record.mappings));
        let Some(host) = host.filter(|host| *host != hosts.first().id) else { return Ok(None) };
        let account = CalcomAccount::of(context, &record.tenant).await?;
        Ok(Some(Self { account, uid: booking.uid.clone(), host }))
    }
}
