//! `frontdesk appointment`: show appointments, list those that need a person, and settle them.

mod assign;
mod settle;
mod shown;

use std::{fs, path::PathBuf};

use chrono::{DateTime, Days, NaiveDate, TimeZone, Utc};
use clap::{Subcommand, ValueEnum};
use scheduling::{
    appointment::{Appointment, CancelReason},
    ids::{AppointmentId, BookingUid, StaffId, TenantId},
    tenant::Tenant,
};
use serde_json::{Value, json};
use store::{Appointments, Calls, StoreError, Versioned};

use self::shown::Shown;
use crate::{
    context::CommandContext,
    error::CommandError,
    output::{Output, print_json, print_text},
};

/// Commands for appointments.
#[derive(Clone, Subcommand)]
pub enum Command {
    /// Show an appointment: the customer, the wish, the call, what Cal.com said, and its history.
    Show {
        /// The appointment's id, or with --booking the uid of its booking at Cal.com.
        id: String,
        /// Treat the id as the uid of a booking.
        #[arg(long)]
        booking: bool,
        /// JSON holds no personal data.
        #[arg(long, default_value = "text")]
        output: Output,
    },
    /// List a tenant's open appointments by start.
    List {
        /// The tenant's id.
        tenant: String,
        /// Only those of this day, as 2026-12-24, on the tenant's clock. Without it, from today on.
        #[arg(long, value_name = "DAY")]
        day: Option<NaiveDate>,
        /// JSON holds no personal data.
        #[arg(long, default_value = "text")]
        output: Output,
    },
    /// List a tenant's appointments that need a person, soonest wish first, with everything that is needed to settle them.
    Review {
        /// The tenant's id.
        tenant: String,
        /// JSON holds no personal data.
        #[arg(long, default_value = "text")]
        output: Output,
    },
    /// List free slots for an appointment that needs review, inside the time that the customer wished or near it, and keep
    /// them as its proposals.
    Slots {
        /// The appointment's id.
        id: String,
    },
    /// Book an appointment that needs review as it was settled with the customer.
    Book {
        /// The appointment's id.
        id: String,
        /// The start on the tenant's clock, as 2026-12-24T14:30.
        #[arg(long, value_name = "TIME", conflicts_with = "slot")]
        at: Option<String>,
        /// The number of a proposed slot, as `appointment show` and `appointment slots` list them.
        #[arg(long, value_name = "NUMBER")]
        slot: Option<usize>,
        /// The service's id.
        #[arg(long)]
        service: Option<String>,
        /// The staff member's id.
        #[arg(long)]
        staff: Option<String>,
        /// Book it.
        #[arg(long)]
        apply: bool,
    },
    /// Note that you called the customer back. The appointment stays in review.
    CalledBack {
        /// The appointment's id.
        id: String,
        /// Note it.
        #[arg(long)]
        apply: bool,
    },
    /// Close an appointment that needs review and is not to be booked.
    Close {
        /// The appointment's id.
        id: String,
        /// Why.
        #[arg(long)]
        reason: CloseReason,
        /// Close it.
        #[arg(long)]
        apply: bool,
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

/// Why nothing is to be booked.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum CloseReason {
    /// It was settled with the customer in another way: booked, moved or cancelled by hand.
    Settled,
    /// The customer no longer wants it.
    NotWanted,
    /// The customer could not be reached.
    NotReached,
    /// Nobody wished it, or the customer has it already.
    Mistaken,
}

impl From<CloseReason> for CancelReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Settled => Self::SettledOtherwise,
            CloseReason::NotWanted => Self::NotWanted,
            CloseReason::NotReached => Self::NotReached,
            CloseReason::Mistaken => Self::Mistaken,
        }
    }
}

/// How often a command is tried while others are first who only note what nobody decides by.
const TRIES: u32 = 3;

impl Command {
    /// The appointment of a command that may run again. Not of one with a slot's number, which means another slot once others are
    /// proposed, nor of an assignment, which may have been sent to Cal.com.
    fn repeatable(&self) -> Option<AppointmentId> {
        match self {
            Self::Slots { id }
            | Self::Book { id, slot: None, .. }
            | Self::CalledBack { id, .. }
            | Self::Close { id, .. }
            | Self::Retry { id, .. }
            | Self::NotBooked { id, .. } => Some(AppointmentId::new(id)),
            _ => None,
        }
    }
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let context = CommandContext::from_env().await?;
    let appointments = context.appointments()?;
    let Some(id) = command.repeatable() else { return run_once(&context, &appointments, command).await };
    let seen = async || Ok::<_, CommandError>(appointments.load(&id).await?.map(|stored| stored.value.seen()));
    let before = seen().await?;
    for _ in 1..TRIES {
        match run_once(&context, &appointments, command.clone()).await {
            Err(CommandError::Store(StoreError::Conflict)) if seen().await? == before => {}
            done => return done,
        }
        say!("a notice was written meanwhile: it is tried again");
    }
    run_once(&context, &appointments, command).await
}

async fn run_once(context: &CommandContext, appointments: &Appointments, command: Command) -> Result<(), CommandError> {
    match command {
        Command::Show { id, booking, output } => show(context, appointments, &id, booking, output).await,
        Command::List { tenant, day, output } => list(context, appointments, &tenant, day, output).await,
        Command::Review { tenant, output } => review(context, appointments, &tenant, output).await,
        Command::Slots { id } => settle::slots(context, appointments, &AppointmentId::new(id)).await,
        Command::Book { id, at, slot, service, staff, apply } => {
            let wanted = settle::Wanted { at, slot, service, staff };
            settle::book(context, appointments, &AppointmentId::new(id), wanted, apply).await
        }
        Command::CalledBack { id, apply } => {
            settle::called_back(context, appointments, &AppointmentId::new(id), apply).await
        }
        Command::Close { id, reason, apply } => {
            settle::close(context, appointments, &AppointmentId::new(id), reason.into(), apply).await
        }
        Command::Assign { id, staff, apply } => {
            assign::assign(context, appointments, &AppointmentId::new(id), StaffId::new(staff), apply).await
        }
        Command::Retry { id, apply } => settle::retry(context, appointments, &AppointmentId::new(id), apply).await,
        Command::NotBooked { id, apply } => {
            settle::not_booked(context, appointments, &AppointmentId::new(id), apply).await
        }
        Command::Exchanges { id, into } => exchanges(context, appointments, &AppointmentId::new(id), into).await,
    }
}

async fn show(
    context: &CommandContext,
    appointments: &Appointments,
    id: &str,
    is_booking: bool,
    output: Output,
) -> Result<(), CommandError> {
    let id = if is_booking {
        let found = appointments.of_booking(&BookingUid::new(id)).await?;
        found.ok_or_else(|| CommandError::NotFound(format!("an appointment with the booking {id}")))?
    } else {
        AppointmentId::new(id)
    };
    let appointment = context.appointment(appointments, &id).await?.value;
    let linked = appointments.linked_calls(&id).await?;
    if output == Output::Json {
        let mut json = shown::without_personal_data(&appointment);
        json["linked_calls"] = json!(linked);
        return print_json(&json);
    }
    let tenant = context.tenants()?.load(&appointment.tenant).await?;
    let calls = Calls::from_env(&context.config, context.timing)?;
    let exchanges = appointments.exchanges(&id).await?;
    let shown = Shown::new(&appointment, tenant.as_deref()).with_call(&calls).await?.with_exchanges(&exchanges);
    print_text(&shown.in_full(&linked))
}

async fn review(
    context: &CommandContext,
    appointments: &Appointments,
    tenant: &str,
    output: Output,
) -> Result<(), CommandError> {
    let id = TenantId::new(tenant);
    // What needs a person outlives its tenant.
    let tenant = context.tenants()?.load(&id).await?;
    let calls = Calls::from_env(&context.config, context.timing)?;
    let mut waiting = Vec::new();
    for id in appointments.in_review(&id).await? {
        waiting.extend(appointments.load(&id).await?.map(|Versioned { value, .. }| value));
    }
    let name = match &tenant {
        Some(tenant) => tenant.name.clone(),
        None if waiting.is_empty() => return Err(CommandError::NotFound(format!("tenant {id}"))),
        None => format!("{id}, which was removed"),
    };
    // At the top are those whose callers count on an answer.
    let start = |appointment: &Appointment| appointment.earliest_start().unwrap_or(DateTime::<Utc>::MAX_UTC);
    waiting.sort_by_key(|appointment| (!appointment.is_live(), start(appointment)));
    if output == Output::Json {
        return print_json(&waiting.iter().map(shown::without_personal_data).collect::<Value>());
    }
    if waiting.is_empty() {
        return print_text(&format!("nothing needs a person at {name}"));
    }
    let mut text = format!("{} appointments need a person at {name}\n", waiting.len());
    for appointment in &waiting {
        let exchanges = appointments.exchanges(&appointment.id).await?;
        let shown = Shown::new(appointment, tenant.as_deref()).with_call(&calls).await?.with_exchanges(&exchanges);
        text.push('\n');
        text.push_str(&shown.in_brief());
    }
    text.push_str("\nSettle one with `frontdesk appointment book ID --at TIME`, `--slot NUMBER`, `called-back`, `close` or `retry`.");
    print_text(&text)
}

async fn list(
    context: &CommandContext,
    appointments: &Appointments,
    tenant: &str,
    day: Option<NaiveDate>,
    output: Output,
) -> Result<(), CommandError> {
    let tenant = context.tenant(&context.tenants()?, &TenantId::new(tenant)).await?;
    let today = Utc::now().with_timezone(&tenant.time_zone).date_naive();
    let from = midnight(&tenant, day.unwrap_or(today));
    let to = day.and_then(|day| day.checked_add_days(Days::new(1))).map(|day| midnight(&tenant, day));
    let mut found = Vec::new();
    for id in appointments.starting(&tenant.id, from, to).await? {
        found.extend(appointments.load(&id).await?.map(|Versioned { value, .. }| value));
    }
    found.retain(|appointment| appointment.is_open() && appointment.request.start.at().is_some());
    found.sort_by_key(|appointment| appointment.request.start.at());
    if output == Output::Json {
        return print_json(&found.iter().map(shown::without_personal_data).collect::<Value>());
    }
    if found.is_empty() {
        let of_day = day.map_or_else(|| "from today on".to_owned(), |day| format!("on {day}"));
        return print_text(&format!("{} has no open appointments {of_day}", tenant.name));
    }
    print_text(&shown::list(&found, &tenant))
}

/// The first instant of a day on the tenant's clock.
fn midnight(tenant: &Tenant, day: NaiveDate) -> DateTime<Utc> {
    let local = day.and_time(chrono::NaiveTime::MIN);
    let at = tenant.time_zone.from_local_datetime(&local).earliest();
    at.map_or_else(|| local.and_utc(), |at| at.to_utc())
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
        say!("{}  {status}  {} bytes  {}", stored.name, exchange.body.len(), exchange.request);
        if let Some(folder) = &into {
            let path = folder.join(format!("{}.body", stored.name.replace('#', "-")));
            let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &exchange.body));
            written.map_err(|error| CommandError::File { path, error })?;
        }
    }
    Ok(())
}
