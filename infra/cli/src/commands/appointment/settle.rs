//! What a person does with an appointment that needs review.

use calcom::SlotsWindow;
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use operations::{OperationError, Refusal, settling};
use scheduling::{
    appointment::{Appointment, CancelReason, Settlement, State},
    ids::{AppointmentId, ServiceId, StaffId},
    spoken_time::Candidate,
    start_time::RequestedStart,
    tenant::Tenant,
};
use store::{Appointments, Version, Versioned};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
    output::local,
};

/// How many free slots are listed.
const MAX_SLOTS: usize = 12;
/// Around a wished start, slots of these days are listed.
const BEFORE: TimeDelta = TimeDelta::days(1);
const AFTER: TimeDelta = TimeDelta::days(7);

/// What was settled with the customer, as a person writes it.
pub struct Wanted {
    /// The start on the tenant's clock.
    pub at: Option<String>,
    /// The number of a slot.
    pub slot: Option<usize>,
    /// The service.
    pub service: Option<String>,
    /// The staff member.
    pub staff: Option<String>,
}

/// Lists free slots, and keeps them as proposals: their numbers stay the same.
pub async fn slots(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
) -> Result<(), CommandError> {
    let Versioned { value: mut appointment, version } = context.appointment(appointments, id).await?;
    let tenant = context.tenant(&context.tenants()?, &appointment.tenant).await?;
    let free = free_slots(context, &appointment, &tenant).await?;
    if free.is_empty() {
        say!("no slot is free in that time");
    }
    for (number, at) in (1..).zip(&free) {
        say!("{number:>3}: {}", local(*at, tenant.time_zone));
    }
    appointment.propose(free, context.actor())?;
    appointments.update(&appointment, version).commit().await?;
    Ok(())
}

/// Books as it was settled.
pub async fn book(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
    wanted: Wanted,
    apply: bool,
) -> Result<(), CommandError> {
    let Versioned { value: mut appointment, version } = context.appointment(appointments, id).await?;
    let tenant = context.tenant(&context.tenants()?, &appointment.tenant).await?;
    let service = wanted.service.as_deref().map(|service| known_service(&tenant, service)).transpose()?;
    let staff = wanted.staff.as_deref().map(|staff| known_staff(&tenant, staff)).transpose()?;
    let start = match (&wanted.at, wanted.slot) {
        (Some(at), _) => Some(moment(at, &tenant)?),
        (None, Some(number)) => Some(slot(&appointment, number)?),
        (None, None) => None,
    };
    let settlement = Settlement { start, service, staff };
    settling::plan_booking(&mut appointment, &tenant, settlement, context.actor()).map_err(|why| match why {
        Refusal::NoEventType(why) => CommandError::Refused(format!(
            "failed to book {id}: {why}. Give --service and --staff with ids of the tenant"
        )),
        why => impossible(id, &why),
    })?;
    let request = &appointment.request;
    let at = request.start.at().map(|at| local(at, tenant.time_zone)).unwrap_or_default();
    say!("{id}: needs_review -> requested, {} at {at}", request.service.as_deref().unwrap_or_default());
    if !apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    context.operations()?.book(&appointment, version, &tenant).await.map_err(|error| match error {
        OperationError::Refused(Refusal::HasItAlready(existing)) => {
            CommandError::Refused(format!("failed to book {id}: the customer has that already, as {existing}"))
        }
        error => error.into(),
    })?;
    say!("{id} is being booked. See `frontdesk appointment show {id}`.");
    Ok(())
}

/// Notes that the customer was called back.
pub async fn called_back(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
    apply: bool,
) -> Result<(), CommandError> {
    let Versioned { value: mut appointment, version } = context.appointment(appointments, id).await?;
    appointment.call_back(context.actor())?;
    say!("{id}: the customer was called back; it stays in review");
    if write(appointments, &appointment, version, apply).await? {
        say!("{id} noted");
    }
    Ok(())
}

/// Closes it.
pub async fn close(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
    reason: CancelReason,
    apply: bool,
) -> Result<(), CommandError> {
    let Versioned { value: mut appointment, version } = context.appointment(appointments, id).await?;
    settling::plan_close(&mut appointment, reason, context.actor()).map_err(|why| impossible(id, &why))?;
    say!("{id}: needs_review -> cancelled ({})", reason.as_str());
    if write(appointments, &appointment, version, apply).await? {
        say!("{id} closed");
    }
    Ok(())
}

/// Writes a change that was announced, with `apply`. Returns whether it did.
async fn write(
    appointments: &Appointments,
    appointment: &Appointment,
    version: Version,
    apply: bool,
) -> Result<bool, CommandError> {
    if apply {
        appointments.update(appointment, version).commit().await?;
    } else {
        say!("{DRY_RUN}");
    }
    Ok(apply)
}

/// Why a review can't be settled, and what to do.
fn impossible(id: &AppointmentId, why: &Refusal) -> CommandError {
    let what_to_do = match why {
        Refusal::MaybeBooked => {
            format!("Look there; if there is none, run `frontdesk appointment not-booked {id} --apply`")
        }
        Refusal::Booked => {
            format!("Run `frontdesk appointment assign {id} STAFF` or `frontdesk appointment retry {id}`")
        }
        Refusal::NoStart => "Give one with --at or --slot".to_owned(),
        why => return CommandError::Refused(format!("failed to settle {id}: {why} and needs no review")),
    };
    CommandError::Refused(format!("failed to settle {id}: {why}. {what_to_do}"))
}

fn known_service(tenant: &Tenant, id: &str) -> Result<ServiceId, CommandError> {
    let known = tenant.services.iter().find(|service| service.id.as_str() == id);
    known.map(|service| service.id.clone()).ok_or_else(|| {
        let ids: Vec<&str> = tenant.services.iter().map(|service| service.id.as_str()).collect();
        CommandError::NotFound(format!("service {id} of {}; it has {}", tenant.id, ids.join(", ")))
    })
}

fn known_staff(tenant: &Tenant, id: &str) -> Result<StaffId, CommandError> {
    let known = tenant.staff_member(&StaffId::new(id)).filter(|member| member.active);
    known.map(|member| member.id.clone()).ok_or_else(|| {
        let active = tenant.staff.iter().filter(|member| member.active);
        let ids: Vec<&str> = active.map(|member| member.id.as_str()).collect();
        CommandError::NotFound(format!("active staff member {id} of {}; it has {}", tenant.id, ids.join(", ")))
    })
}

fn moment(text: &str, tenant: &Tenant) -> Result<DateTime<Utc>, CommandError> {
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let at = local.and_then(|local| tenant.time_zone.from_local_datetime(&local).earliest());
    at.map(|at| at.to_utc())
        .ok_or_else(|| CommandError::Refused(format!("failed to read the time {text:?}: write 2026-12-24T14:30")))
}

/// The slot of a number, among those that are proposed.
fn slot(appointment: &Appointment, number: usize) -> Result<DateTime<Utc>, CommandError> {
    let proposed = match appointment.state() {
        State::NeedsReview { proposals, .. } => proposals.as_slice(),
        _ => &[],
    };
    let found = number.checked_sub(1).and_then(|at| proposed.get(at).copied());
    found.ok_or_else(|| {
        let id = &appointment.id;
        CommandError::NotFound(format!(
            "slot {number}: {} are proposed. `frontdesk appointment slots {id}` proposes some",
            proposed.len()
        ))
    })
}

/// The slots that are free for an appointment now: inside the spans that the customer wished, or near the start.
async fn free_slots(
    context: &CommandContext,
    appointment: &Appointment,
    tenant: &Tenant,
) -> Result<Vec<DateTime<Utc>>, CommandError> {
    let request = &appointment.request;
    let fitting = tenant.event_types_for(request.service.as_deref(), appointment.raw_staff());
    let fitting = fitting.map_err(|why| CommandError::Refused(format!("failed to look for slots: {why}")))?;
    let now = Utc::now();
    let around = |at: DateTime<Utc>| SlotsWindow { start: (at - BEFORE).max(now), end: at + AFTER };
    let windows: Vec<SlotsWindow> = match &request.start {
        RequestedStart::At { at, .. } => vec![around((*at).max(now))],
        RequestedStart::Unusable { readings, .. } if readings.is_empty() => vec![around(now)],
        RequestedStart::Unusable { readings, .. } => readings
            .iter()
            .map(|reading| match reading {
                Candidate::At { at } => SlotsWindow { start: *at, end: *at + TimeDelta::minutes(1) },
                Candidate::Window(window) => SlotsWindow { start: window.from, end: window.to },
            })
            .filter(|window| window.end > now)
            .collect(),
    };
    let account = context.calcom_account(tenant).await?;
    let mut free = Vec::new();
    for window in windows {
        for event_type in &fitting.event_types {
            let slots = account.calcom.slots(&account.key, *event_type, window, None).await;
            free.extend(slots.map_err(|error| account.failed("look for slots", &error))?.value);
        }
        free.sort_unstable();
        free.dedup();
        if free.len() >= MAX_SLOTS {
            break;
        }
    }
    free.retain(|at| *at > now);
    free.truncate(MAX_SLOTS);
    Ok(free)
}

/// Resumes it.
pub async fn retry(
    context: &CommandContext,
    appointments: &Appointments,
    id: &AppointmentId,
    apply: bool,
) -> Result<(), CommandError> {
    let stored = context.appointment(appointments, id).await?;
    let mut resumed = stored.value.clone();
    resumed.resume(context.actor())?;
    say!("{id}: needs_review -> {}", resumed.state().name());
    if !apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    context.operations()?.retry(stored, context.actor()).await?;
    say!("{id} resumed");
    Ok(())
}

/// Records that it is not booked.
pub async fn not_booked(
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
    say!("{id}: Cal.com holds no booking");
    if write(appointments, &appointment, version, apply).await? {
        say!("{id} marked as not booked. Next step: `frontdesk appointment retry {id} --apply` books it.");
    }
    Ok(())
}
