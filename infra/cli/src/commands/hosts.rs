//! `frontdesk hosts`: map the hosts of past bookings to staff members.

use calcom::ListCursor;
use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};
use scheduling::{
    backfill::{Confidence, HostObservations, HostProposal},
    ids::{EventTypeId, TenantId},
};
use store::TenantRecord;

use crate::{
    calcom_account::CalcomAccount,
    context::{CommandContext, DRY_RUN},
    error::CommandError,
    resume::resume_waiting,
};

/// Commands for hosts.
#[derive(Subcommand)]
pub enum Command {
    /// Propose a staff member for each host without a mapping, from the bookings in review and from all that Cal.com
    /// lists for the tenant's event types. With --apply, write the mappings and assign what waited for them.
    Backfill {
        /// The tenant's id.
        tenant: String,
        /// Write the mappings, and assign what waited for them.
        #[arg(long)]
        apply: bool,
        /// The lowest confidence of a proposal that is written.
        #[arg(long, value_enum, default_value = "certain")]
        confidence: MinConfidence,
        /// Begin with the bookings that were made at this time; an interrupted run prints it.
        #[arg(long, value_name = "TIME")]
        since: Option<DateTime<Utc>>,
    },
}

/// The lowest confidence of a proposal that is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum MinConfidence {
    /// The host has a staff member's email.
    Certain,
    /// That, or the host was only ever booked for one staff member's own event types.
    Likely,
}

impl From<MinConfidence> for Confidence {
    fn from(confidence: MinConfidence) -> Self {
        match confidence {
            MinConfidence::Certain => Self::Certain,
            MinConfidence::Likely => Self::Likely,
        }
    }
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let Command::Backfill { tenant, apply, confidence, since } = command;
    let context = CommandContext::from_env().await?;
    let (tenants, appointments) = (context.tenants()?, context.appointments()?);
    let id = TenantId::new(tenant);
    let before = context.tenant_record(&tenants, &id).await?;

    let mut observations = HostObservations::default();
    for id in appointments.in_review(&id).await? {
        if let Some(booking) = context.appointment(&appointments, &id).await?.value.booking() {
            observations.observe(booking);
        }
    }
    let listed = observe_calcom(&context, &before, since, &mut observations).await;
    // `likely` needs all bookings, so a partial list allows only `certain`.
    let confidence = if listed.is_err() || since.is_some() { MinConfidence::Certain } else { confidence };
    let proposals = observations.proposals(&before.tenant, &before.mappings);
    print_plan(&proposals);
    if apply {
        let mut written = 0;
        for mapping in proposals.iter().filter_map(|it| it.mapping(&before.tenant, confidence.into(), Utc::now())) {
            written += u32::from(tenants.add_mapping(&mapping).await?);
        }
        let record = context.tenant_record(&tenants, &id).await?;
        let resumed = resume_waiting(&context, &appointments, &tenants, &record).await?;
        println!(
            "{written} mappings written, {} appointments assigned, {} still in review",
            resumed.assigned, resumed.in_review
        );
    } else if proposals.iter().any(|proposal| proposal.staff.is_ok()) {
        println!("{DRY_RUN}");
    }
    listed
}

/// Observes all bookings that Cal.com lists for the tenant's event types.
async fn observe_calcom(
    context: &CommandContext,
    record: &TenantRecord,
    since: Option<DateTime<Utc>>,
    observations: &mut HostObservations,
) -> Result<(), CommandError> {
    let tenant = &record.tenant;
    let account = CalcomAccount::of(context, tenant).await?;
    let event_types: Vec<EventTypeId> = tenant.services.iter().flat_map(|service| service.event_types.all()).collect();
    let mut cursor = ListCursor::new(since.unwrap_or(DateTime::UNIX_EPOCH));
    let mut observed = 0;
    while !cursor.is_done() {
        let bookings = account.calcom.list(&account.key, &event_types, &mut cursor).await.map_err(|error| {
            let (category, from) = (error.category().as_str(), cursor.from().to_rfc3339());
            CommandError::Incomplete(format!(
                "failed to list the bookings at Cal.com: {category}. Continue with --since {from}"
            ))
        })?;
        bookings.iter().for_each(|booking| observations.observe(booking));
        observed += bookings.len();
        eprintln!("{observed} bookings at Cal.com checked");
    }
    Ok(())
}

fn print_plan(proposals: &[HostProposal]) {
    if proposals.is_empty() {
        println!("Every host has a mapping.");
    }
    for HostProposal { host, bookings, staff } in proposals {
        match staff {
            Ok((staff, Confidence::Certain)) => {
                println!("host {host} -> {staff}   certain: same email ({bookings} bookings)");
            }
            Ok((staff, Confidence::Likely)) => {
                println!(
                    "host {host} -> {staff}   likely: only booked for their own event types ({bookings} bookings)"
                );
            }
            Err(reason) => println!("host {host} -> none   {} ({bookings} bookings)", reason.as_str()),
        }
    }
}
