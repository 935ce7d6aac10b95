//! Appointments, as an operator sees them: where they stand and why, and nothing personal.

use std::{fs, path::PathBuf};

use chrono::Utc;
use clap::Subcommand;
use platform::{
    aws,
    queues::{AppointmentMessage, Queue},
    settings,
    store::{Along, Appointments, StoreError, Tenants, Version},
};
use scheduling::{
    appointment::{Actor, Appointment, OPERATOR, State},
    assignment::{Assignment, StrategyName},
    booking::HostEvidence,
    ids::{AppointmentId, BookingUid, StaffId, TenantId},
};
use serde_json::{Value, json};

use crate::error::CommandError;

/// Party makes a transition that an operator asks for, with the deployed version.
pub fn by_operator(version: &str) -> Actor<'_> {
    Actor { function: OPERATOR, version, now: Utc::now() }
}

/// What can be done with appointments.
#[derive(Subcommand)]
pub enum Command {
    /// Prints where an appointment stands and how it came there, as JSON.
    Show {
        /// The appointment's id, or with --booking the uid at Cal.com.
        id: String,
        /// Takes the id for the uid of a booking.
        #[arg(long)]
        booking: bool,
    },
    /// Lists a tenant's appointments that need a person, the longest waiting first.
    Review {
        /// The tenant's id.
        tenant: String,
    },
    /// Assigns a booked appointment by hand. No function changes that again.
    Assign {
        /// The appointment's id.
        id: String,
        /// The staff member's id.
        staff: String,
    },
    /// Tries one again that needs review, once what was wrong is mended.
    Retry {
        /// The appointment's id.
        id: String,
    },
    /// Notes that a person has looked and Cal.com holds no booking of one that may have been booked.
    BookingFailure {
        /// The appointment's id.
        id: String,
    },
    /// Lists every request to Cal.com that was kept with an appointment, and its answer.
    Answers {
        /// The appointment's id.
        id: String,
        /// Writes the answers' bodies into this folder, byte for byte as they came.
        #[arg(long)]
        into: Option<PathBuf>,
    },
}

/// Does what is asked for.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let config = aws::config().await;
    let appointments = Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?, settings::timing()?);
    match command {
        Command::Show { id, booking } => {
            let id = if booking {
                let found = appointments.of_booking(&BookingUid::new(&id)).await?;
                found.ok_or_else(|| CommandError::NotFound(format!("appointment with the booking {id}")))?
            } else {
                AppointmentId::new(id)
            };
            let mut shown = shown(&stored(&appointments, &id).await?.0);
            shown["linked_calls"] = json!(appointments.linked_calls(&id).await?);
            println!("{shown:#}");
        }
        Command::Review { tenant } => {
            for id in appointments.in_review(&TenantId::new(tenant)).await? {
                let (appointment, _) = stored(&appointments, &id).await?;
                let shown = shown(&appointment);
                println!("{id}  {}  {}", shown["start"], shown["reason"]);
            }
        }
        Command::Assign { id, staff } => {
            let tenants = Tenants::new(&config, settings::required("TENANTS_TABLE")?);
            assign(&appointments, &tenants, &AppointmentId::new(id), StaffId::new(staff)).await?;
        }
        Command::Retry { id } => {
            let id = AppointmentId::new(id);
            let (appointment, version) = stored(&appointments, &id).await?;
            let appointment = resume(&appointments, appointment, version).await?;
            let (queue, step) = queue_of(&appointment);
            let queue = Queue::new(&config, settings::required(queue)?);
            queue.send(&AppointmentMessage::about(&appointment)).await?;
            println!("{id} goes on: it is {step}");
        }
        Command::BookingFailure { id } => {
            let id = AppointmentId::new(id);
            let (mut appointment, version) = stored(&appointments, &id).await?;
            let version_of_ours = settings::deployed_version();
            let by = by_operator(&version_of_ours);
            let ruled_out = appointment.mark_not_booked(by);
            ruled_out.map_err(|_| CommandError::Refused(format!("{id} is not in unconfirmed, or does not need review")))?;
            appointments.save(&appointment, version, Along::default()).await?;
            println!("{id} is not booked; `frontdesk appointment retry {id}` has it booked");
        }
        Command::Answers { id, into } => answers(&appointments, &AppointmentId::new(id), into).await?,
    }
    Ok(())
}

/// Takes an appointment up again that needs review, and stores that.
pub async fn resume(
    appointments: &Appointments,
    mut appointment: Appointment,
    version: Version,
) -> Result<Appointment, CommandError> {
    let version_of_ours = settings::deployed_version();
    let by = by_operator(&version_of_ours);
    appointment.resume(by).map_err(|refused| CommandError::Refused(refused.to_string()))?;
    appointments.save(&appointment, version, Along::default()).await?;
    Ok(appointment)
}

/// The setting that names the queue of an appointment's next step, and what that step is.
pub fn queue_of(appointment: &Appointment) -> (&'static str, &'static str) {
    match appointment.booking() {
        Some(_) => ("ASSIGNMENTS_QUEUE_URL", "to be assigned"),
        None => ("BOOKINGS_QUEUE_URL", "to be booked"),
    }
}

async fn assign(
    appointments: &Appointments,
    tenants: &Tenants,
    id: &AppointmentId,
    staff: StaffId,
) -> Result<(), CommandError> {
    let (mut appointment, version) = stored(appointments, id).await?;
    let tenant = tenants.load(&appointment.tenant).await?;
    if tenant.is_none_or(|tenant| tenant.staff_member(&staff).is_none()) {
        return Err(CommandError::NotFound(format!("staff member {staff} of {}", appointment.tenant)));
    }
    let version_of_ours = settings::deployed_version();
    let by = by_operator(&version_of_ours);
    let host = appointment.booking().and_then(|booking| match &booking.hosts {
        HostEvidence::Named(hosts) => Some(hosts.first().id),
        HostEvidence::None { .. } => None,
    });
    let assignment = Assignment { staff: staff.clone(), strategy: StrategyName::Operator, host };
    appointment
        .assign_by_operator(assignment, by)
        .map_err(|refused| CommandError::Refused(format!("{refused}: it has no booking")))?;
    appointments.save(&appointment, version, Along::default()).await?;
    println!("{id} is assigned to {staff}");
    Ok(())
}

async fn answers(appointments: &Appointments, id: &AppointmentId, into: Option<PathBuf>) -> Result<(), CommandError> {
    stored(appointments, id).await?;
    for answer in appointments.answers(id).await? {
        let status = answer.exchange.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        println!("{}  {status}  {} bytes  {}", answer.name, answer.exchange.body.len(), answer.exchange.request);
        if let Some(folder) = &into {
            let path = folder.join(format!("{}.body", answer.name.replace('#', "-")));
            let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &answer.exchange.body));
            written.map_err(|error| CommandError::NoFile { path, error })?;
        }
    }
    Ok(())
}

/// An appointment that must be there.
pub async fn stored(appointments: &Appointments, id: &AppointmentId) -> Result<(Appointment, Version), CommandError> {
    let found: Result<_, StoreError> = appointments.load(id).await;
    found?.ok_or_else(|| CommandError::NotFound(format!("appointment {id}")))
}

/// An appointment without anything personal.
fn shown(appointment: &Appointment) -> Value {
    let booking = appointment.booking();
    let hosts = booking.map(|booking| match &booking.hosts {
        HostEvidence::Named(hosts) => json!(hosts.iter().map(|host| host.id).collect::<Vec<_>>()),
        HostEvidence::None { because, .. } => json!({"none": because}),
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
        "may_be_booked": appointment.unconfirmed(),
        "start": appointment.request.start.at(),
        "calcom_uid": booking.map(|booking| &booking.uid),
        "hosts": hosts,
        "staff": assignment.map(|assignment| &assignment.staff),
        "strategy": assignment.map(|assignment| assignment.strategy),
        "proposals": proposals,
        "email_could_not_be_read": appointment.request.customer.raw_email.is_some(),
        "attempts": appointment.attempts(),
        "history": appointment.history(),
    })
}
