//! Appointments, as an operator sees them: where they stand and why, and nothing personal.

use chrono::Utc;
use clap::Subcommand;
use platform::{
    aws, settings,
    store::{Appointments, StoreError, Tenants, Version},
};
use scheduling::{
    appointment::{Actor, Appointment, State},
    assignment::{Assignment, StrategyName},
    booking::HostEvidence,
    ids::{AppointmentId, BookingUid, StaffId, TenantId},
};
use serde_json::{Value, json};

use crate::tenant::CommandError;

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
}

/// Does what is asked for.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let config = aws::config().await;
    let appointments = Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?);
    match command {
        Command::Show { id, booking } => {
            let id = if booking {
                let found = appointments.of_booking(&BookingUid::new(&id)).await?;
                found.ok_or_else(|| CommandError::NotFound(format!("appointment with the booking {id}")))?
            } else {
                AppointmentId::new(id)
            };
            println!("{:#}", shown(&stored(&appointments, &id).await?.0));
        }
        Command::Review { tenant } => {
            for id in appointments.in_review(&TenantId::new(tenant)).await? {
                let (appointment, _) = stored(&appointments, &id).await?;
                let shown = shown(&appointment);
                println!("{id}  {}  {}", shown["start"], shown["reason"]);
            }
        }
        Command::Assign { id, staff } => {
            let id = AppointmentId::new(id);
            let (mut appointment, version) = stored(&appointments, &id).await?;
            let tenants = Tenants::new(&config, settings::required("TENANTS_TABLE")?);
            let tenant = tenants.load(&appointment.tenant).await?;
            let staff = StaffId::new(staff);
            if tenant.is_none_or(|tenant| tenant.staff_member(&staff).is_none()) {
                return Err(CommandError::NotFound(format!("staff member {staff} of {}", appointment.tenant)));
            }
            let version_of_ours = settings::deployed_version();
            let by = Actor { function: "operator", version: &version_of_ours, now: Utc::now() };
            let host = appointment.booking().and_then(|booking| match &booking.hosts {
                HostEvidence::Named(hosts) => Some(hosts.first().id),
                HostEvidence::None { .. } => None,
            });
            let assignment = Assignment { staff: staff.clone(), strategy: StrategyName::Operator, host };
            appointment
                .assign_by_operator(assignment, by)
                .map_err(|refused| CommandError::Refused(format!("{refused}: it has no booking")))?;
            appointments.save(&appointment, version, &[], None).await?;
            println!("{id} is assigned to {staff}");
        }
    }
    Ok(())
}

async fn stored(appointments: &Appointments, id: &AppointmentId) -> Result<(Appointment, Version), CommandError> {
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
    let assignment = match appointment.state() {
        State::Assigned { assignment, .. } => Some(assignment),
        _ => None,
    };
    let (reason, proposals) = match appointment.state() {
        State::NeedsReview { reason, proposals, .. } => (Some(reason.to_string()), json!(proposals)),
        State::Cancelled { reason } => (Some(reason.as_str().to_owned()), Value::Null),
        _ => (None, Value::Null),
    };
    json!({
        "appointment": appointment.id,
        "tenant": appointment.tenant,
        "call": appointment.call,
        "state": appointment.state().name(),
        "reason": reason,
        "start": appointment.wish.start.at(),
        "calcom_uid": booking.map(|booking| &booking.uid),
        "hosts": hosts,
        "staff": assignment.map(|assignment| &assignment.staff),
        "strategy": assignment.map(|assignment| assignment.strategy),
        "proposals": proposals,
        "attempts": appointment.attempts(),
        "history": appointment.history(),
    })
}
