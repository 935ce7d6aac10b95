//! `frontdesk appointment assign`.

use calcom::{Calcom, CalcomConfig};
use operations::assigning;
use platform::secrets::Secret;
use scheduling::ids::{AppointmentId, StaffId};
use store::{Appointments, Catalogs};

use crate::{
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
    let stored = context.appointment(appointments, id).await?;
    let record = context.tenant_record(&context.tenants()?, &stored.value.tenant).await?;
    let before = stored.value.state().name();
    let catalogs = Catalogs::from_env(&context.config)?;
    let planned = assigning::plan(&catalogs, &record, stored, &staff, context.actor()).await?;
    say!("{id}: {before} -> assigned to {staff}");
    match (planned.host_then, planned.host_now) {
        (Some(host), _) => {
            say!("Cal.com: the booking goes to host {host}. Cal.com does not check whether they are free");
        }
        (None, Some(host)) => say!("Cal.com: host {host} keeps the booking"),
        (None, None) => {}
    }
    if !apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    let unusable = |error: &dyn std::fmt::Display| CommandError::Refused(error.to_string());
    let calcom = CalcomConfig::from_env(&context.timing).map_err(|error| unusable(&error))?;
    let calcom = Calcom::new(calcom).map_err(|error| unusable(&error))?;
    let keys = Secret::from_env(&context.config)?;
    context.operations()?.assign(planned, &record, (&keys, calcom), context.actor()).await?;
    say!("{id} assigned to {staff}");
    Ok(())
}
