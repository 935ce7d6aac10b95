//! `frontdesk appointment`: show appointments, list those that need review, and resolve them.

use std::{fs, path::PathBuf};

use calcom::Effect;
use clap::Subcommand;
use scheduling::{
    appointment::{Appointment, State},
    assignment::{Assignment, StrategyName},
    booking::{HostEvidence, Hosts},
    ids::{AppointmentId, BookingUid, HostId, StaffId, TenantId},
    tenant::StaffMember,
};
use serde_json::{Value, json};
use store::{Appointments, Catalogs, ExchangeRecord, TenantRecord, Versioned};

use crate::{
    calcom_account::CalcomAccount,
    context::{CommandContext, DRY_RUN},
    error::CommandError,
};

/// Commands for appointments.
#[derive(Subcommand)]
pub enum Command {
    /// Print an appointment's state and history as JSON, without personal data.
    Show {
        /// The appointment's id, or with --booking the uid of its booking at Cal.com.
        id: String,
        /// Treat the id as the uid of a booking.
        #[arg(long)]
        booking: bool,
    },
    /// List a tenant's appointments that need review, longest waiting first.
    Review {
        /// The tenant's id.
        tenant: String,
    },
    /// Assign a booked appointment to a staff member, and give its booking at Cal.com to their host. No function changes
    /// that again.
    Assign {
        /// The appointment's id.
        id: String,
        /// The staff member's id.
        staff: String,
        /// Write the assignment.
        #[arg(long)]
        apply: bool,
    },
    /// Resume an appointment that needs review, once the cause is fixed.
    Retry {
        /// The appointment's id.
        id: String,
        /// Resume it.
        #[arg(long)]
        apply: bool,
    },
    /// Record that Cal.com holds no booking of an appointment that may have been booked.
    NotBooked {
        /// The appointment's id.
        id: String,
        /// Record it.
        #[arg(long)]
        apply: bool,
    },
    /// List every stored exchange with Cal.com of an appointment.
    Exchanges {
        /// The appointment's id.
        id: String,
        /// Write the response bodies to this folder, byte for byte.
        #[arg(long, value_name = "FOLDER")]
        into: Option<PathBuf>,
    },
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let context = CommandContext::from_env().await?;
    let appointments = context.appointments()?;
    match command {
        Command::Show { id, booking } => {
            let id = if booking {
                let found = appointments.of_booking(&BookingUid::new(&id)).await?;
                found.ok_or_else(|| CommandError::NotFound(format!("an appointment with the booking {id}")))?
            } else {
                AppointmentId::new(id)
            };
            let mut shown = as_json(&context.appointment(&appointments, &id).await?.value);
            shown["linked_calls"] = json!(appointments.linked_calls(&id).await?);
            println!("{shown:#}");
            Ok(())
        }
        Command::Review { tenant } => {
            for id in appointments.in_review(&TenantId::new(tenant)).await? {
                let shown = as_json(&context.appointment(&appointments, &id).await?.value);
                println!("{id}  {}  {}", shown["start"], shown["reason"]);
            }
            Ok(())
        }
        Command::Assign { id, staff, apply } => {
            assign(&context, &appointments, &AppointmentId::new(id), StaffId::new(staff), apply).await
        }
        Command::Retry { id, apply } => retry(&context, &appointments, &AppointmentId::new(id), apply).await,
        Command::NotBooked { id, apply } => not_booked(&context, &appointments, &AppointmentId::new(id), apply).await,
        Command::Exchanges { id, into } => exchanges(&context, &appointments, &AppointmentId::new(id), into).await,
    }
}

async fn retry(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
    apply: bool,
) -> Result<(), CommandError> {
    let stored = context.appointment(appointments, id).await?;
    let mut resumed = stored.value.clone();
    resumed.resume(context.actor())?;
    println!("{id}: needs_review -> {}", resumed.state().name());
    if !apply {
        println!("{DRY_RUN}");
        return Ok(());
    }
    let appointment = context.resume(appointments, stored).await?;
    context.send(&appointment).await?;
    println!("{id} resumed");
    Ok(())
}

async fn not_booked(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
    apply: bool,
) -> Result<(), CommandError> {
    let Versioned { value: mut appointment, version } = context.appointment(appointments, id).await?;
    let marked = appointment.mark_not_booked(context.actor());
    marked.map_err(|_| {
        CommandError::Refused(format!("failed to mark {id} as not booked: it needs no review, or can't be booked"))
    })?;
    println!("{id}: Cal.com holds no booking");
    if !apply {
        println!("{DRY_RUN}");
        return Ok(());
    }
    appointments.update(&appointment, version).commit().await?;
    println!("{id} marked as not booked. Next step: `frontdesk appointment retry {id} --apply` books it.");
    Ok(())
}

async fn assign(
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
    println!("{id}: {before} -> assigned to {staff}");
    match (&change, hosts_before) {
        (Some(change), _) => {
            println!("Cal.com: the booking goes to host {}. Cal.com does not check whether they are free", change.host);
        }
        (None, Some(host)) => println!("Cal.com: host {host} keeps the booking"),
        (None, None) => {}
    }
    if !apply {
        println!("{DRY_RUN}");
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
    println!("{id} assigned to {staff}");
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

async fn exchanges(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
    into: Option<PathBuf>,
) -> Result<(), CommandError> {
    context.appointment(appointments, id).await?;
    for stored in appointments.exchanges(id).await? {
        let exchange = &stored.exchange;
        let status = exchange.status.map_or_else(|| "no response".to_owned(), |status| status.to_string());
        println!("{}  {status}  {} bytes  {}", stored.name, exchange.body.len(), exchange.request);
        if let Some(folder) = &into {
            let path = folder.join(format!("{}.body", stored.name.replace('#', "-")));
            let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &exchange.body));
            written.map_err(|error| CommandError::File { path, error })?;
        }
    }
    Ok(())
}

/// An appointment without personal data.
fn as_json(appointment: &Appointment) -> Value {
    let booking = appointment.booking();
    let hosts = booking.map(|booking| match &booking.hosts {
        HostEvidence::Named(hosts) => json!(hosts.iter().map(|host| host.id).collect::<Vec<_>>()),
        HostEvidence::None { reason, .. } => json!({"none": reason}),
    });
    let assignment = appointment.assignment();
    let (reason, proposals, detail) = match appointment.state() {
        State::NeedsReview { reason, proposals, detail, .. } => {
            (Some(reason.to_string()), json!(proposals), detail.as_deref())
        }
        State::Cancelled { reason, .. } => (Some(reason.as_str().to_owned()), Value::Null, None),
        _ => (None, Value::Null, None),
    };
    json!({
        "appointment": appointment.id,
        "tenant": appointment.tenant,
        "call": appointment.call,
        "source": appointment.source,
        "state": appointment.state().name(),
        "reason": reason,
        "detail": detail,
        "unconfirmed_booking": appointment.unconfirmed_booking(),
        "start": appointment.request.start.at(),
        "calcom_uid": booking.map(|booking| &booking.uid),
        "calcom_status": booking.map(|booking| booking.status),
        "verification": appointment.verification(),
        "hosts": hosts,
        "staff": assignment.map(|assignment| &assignment.staff),
        "strategy": assignment.map(|assignment| assignment.strategy),
        "proposals": proposals,
        "email_unreadable": appointment.request.customer.raw_email.is_some(),
        "attempts": appointment.attempts(),
        "history": appointment.history(),
    })
}
