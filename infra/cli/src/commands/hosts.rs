//! `frontdesk hosts`: map the hosts of past bookings to staff members.

use calcom::{Calcom, CalcomConfig, PAGE};
use chrono::Utc;
use clap::{Subcommand, ValueEnum};
use platform::secrets::{CalcomKeys, Secret};
use scheduling::{
    backfill::{Confidence, HostObservations, HostProposal},
    ids::{EventTypeId, TenantId},
};
use store::TenantRecord;

use crate::{
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
        /// Skip this many of Cal.com's bookings; an interrupted run prints the number.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        skip: usize,
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
    let Command::Backfill { tenant, apply, confidence, skip } = command;
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
    let listed = observe_calcom(&context, &before, skip, &mut observations).await;
    // `likely` needs all bookings, so a partial list allows only `certain`.
    let confidence = if listed.is_err() || skip > 0 { MinConfidence::Certain } else { confidence };
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
    mut skip: usize,
    observations: &mut HostObservations,
) -> Result<(), CommandError> {
    let tenant = &record.tenant;
    let keys: Secret<CalcomKeys> = Secret::from_env(&context.config)?;
    let keys = keys.read().await.map_err(|error| CommandError::Refused(error.to_string()))?;
    let account = &tenant.calcom.account;
    let no_key = || {
        CommandError::Refused(format!(
            "failed to find the key of the Cal.com account {account}: add it to the secret of Cal.com keys"
        ))
    };
    let key = keys.of(account).ok_or_else(no_key)?;
    let client = Calcom::new(CalcomConfig::from_env(&context.timing));
    let client = client.map_err(|error| CommandError::Refused(format!("failed to set up TLS: {error}")))?;
    let event_types: Vec<EventTypeId> = tenant.services.iter().flat_map(|service| service.event_types.all()).collect();
    loop {
        let page = client.list(key, &event_types, skip).await.map_err(|error| {
            let category = error.category().as_str();
            CommandError::Incomplete(format!(
                "failed to list the bookings at Cal.com: {category}. Continue with --skip {skip}"
            ))
        })?;
        page.value.bookings.iter().for_each(|booking| observations.observe(booking));
        skip += page.value.listed;
        eprintln!("{skip} bookings at Cal.com checked");
        if page.value.listed < PAGE {
            return Ok(());
        }
    }
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
