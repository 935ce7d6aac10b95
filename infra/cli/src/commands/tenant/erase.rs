//! `frontdesk tenant erase`: a removed tenant's appointments, exchanges and calls.

use chrono::{DateTime, TimeDelta, Utc};
use scheduling::{
    appointment::{Appointment, StateName},
    ids::{CallId, TenantId},
};
use store::{Calls, Versioned};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
};

/// Erases a tenant's appointments, exchanges and calls. It must have been removed: otherwise its next call would be stored again.
pub async fn erase(tenant: &TenantId, apply: bool) -> Result<(), CommandError> {
    let context = CommandContext::from_env().await?;
    if context.tenants()?.load(tenant).await?.is_some() {
        return Err(CommandError::Refused(format!(
            "failed to erase {tenant}: its calls still come in; run `frontdesk tenant remove {tenant} --apply` first, and \
             this command again two minutes later"
        )));
    }
    let (appointments, calls) = (context.appointments()?, Calls::from_env(&context.config, context.timing)?);
    let mut found: Vec<Appointment> = Vec::new();
    for id in
        appointments.starting(tenant, DateTime::<Utc>::UNIX_EPOCH, Some(Utc::now() + TimeDelta::days(36_500))).await?
    {
        found.extend(appointments.load(&id).await?.map(|Versioned { value, .. }| value));
    }
    let kept_calls = calls.of_tenant(tenant).await?;
    if found.is_empty() && kept_calls.is_empty() {
        return Err(CommandError::NotFound(format!("anything of tenant {tenant}")));
    }
    let may_be_booked =
        |found: &&Appointment| found.unconfirmed_booking().is_some() || found.state().name() == StateName::Booking;
    if let Some(busy) = found.iter().find(may_be_booked) {
        return Err(CommandError::Incomplete(format!(
            "failed to erase {tenant}: Cal.com may hold a booking of {id} that is not stored here. Run the command again in \
             three minutes; if it needs review, look at Cal.com and run `frontdesk appointment not-booked {id} --apply`",
            id = busy.id
        )));
    }
    say!("{} appointments and {} calls to erase", found.len(), kept_calls.len());
    let to_come = found.iter().filter(|it| it.is_booked()).filter_map(Appointment::booking);
    for booking in to_come.filter(|booking| booking.start > Utc::now()) {
        say!("upcoming booking {} stays at Cal.com: cancel or erase it there", booking.uid);
    }
    if !apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    for (at, appointment) in found.iter().enumerate() {
        if at > 0 && at % 100 == 0 {
            eprintln!("{at} of {} appointments erased", found.len());
        }
        for customer in appointment.request.customer.ids(tenant) {
            calls.erase_customer_index(&customer).await?;
        }
        appointments.delete(appointment).await?;
    }
    for call in &kept_calls {
        calls.erase(tenant, call).await?;
    }
    let further: Vec<CallId> = calls.of_tenant(tenant).await?.into_iter().collect();
    if !further.is_empty() {
        return Err(CommandError::Incomplete(format!(
            "failed to erase {tenant}: {} calls came in meanwhile. Run the command again",
            further.len()
        )));
    }
    say!("{tenant} erased; counters and reports, which hold numbers alone, stay");
    Ok(())
}
