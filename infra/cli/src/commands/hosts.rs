//! `frontdesk hosts`: map the hosts of past bookings to staff members.

use calcom::ListCursor;
use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};
use operations::hosts::{KnownHost, known_hosts};
use scheduling::{
    assignment::MappingSource,
    backfill::{Confidence, HostObservations, HostProposal},
    ids::{EventTypeId, HostId, TenantId},
};
use serde_json::json;
use store::{Catalogs, TenantRecord};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
    output::{Output, local, print_json, print_text, table},
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
    /// List the hosts that a tenant's event types have at Cal.com, and who they are: unknown ones first.
    List {
        /// The tenant's id.
        tenant: String,
        /// The form of the list.
        #[arg(long, default_value = "text")]
        output: Output,
    },
    /// Forget whom a host is, if Frontdesk found that by itself. The next booking of the host looks it up again.
    Forget {
        /// The tenant's id.
        tenant: String,
        /// The host's id at Cal.com.
        host: u64,
        /// Forget it.
        #[arg(long)]
        apply: bool,
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
    let context = CommandContext::from_env().await?;
    match command {
        Command::Backfill { tenant, apply, confidence, since } => {
            backfill(&context, tenant, apply, confidence, since).await
        }
        Command::List { tenant, output } => list(&context, &TenantId::new(tenant), output).await,
        Command::Forget { tenant, host, apply } => forget(&context, &TenantId::new(tenant), HostId(host), apply).await,
    }
}

async fn list(context: &CommandContext, tenant: &TenantId, output: Output) -> Result<(), CommandError> {
    let record = context.tenant_record(&context.tenants()?, tenant).await?;
    let catalog = Catalogs::from_env(&context.config)?.of(&record.tenant.calcom.account).await?;
    let known = known_hosts(&record, catalog.as_deref().map(|known| &known.catalog));
    if output == Output::Json {
        let shown = known.iter().map(|host| {
            let mapping = host.mapping.as_ref();
            json!({"host": host.id, "staff": mapping.map(|it| &it.staff), "source": mapping.map(|it| it.source), "since": mapping.map(|it| it.since)})
        });
        return print_json(&shown.collect());
    }
    if known.is_empty() {
        return print_text("No host is known. Load the tenant, or wait for its first booking.");
    }
    let row = |KnownHost { id, mapping, .. }: KnownHost| {
        let (staff, by, since) = match mapping {
            None => ("unknown".to_owned(), "", String::new()),
            Some(mapping) => {
                let by = match mapping.source {
                    MappingSource::Operator => "tenant file",
                    MappingSource::Desk => "a person at the desk",
                    MappingSource::HostEmail => "email, found by Frontdesk",
                    MappingSource::EventTypeOwner => "event types, accepted by an operator",
                };
                (mapping.staff.to_string(), by, local(mapping.since, record.tenant.time_zone))
            }
        };
        [id.to_string(), staff, by.to_owned(), since]
    };
    print_text(&table(["host", "staff member", "known by", "since"], known.into_iter().map(row)))
}

async fn forget(context: &CommandContext, tenant: &TenantId, host: HostId, apply: bool) -> Result<(), CommandError> {
    let tenants = context.tenants()?;
    let record = context.tenant_record(&tenants, tenant).await?;
    let mapping = record.mappings.iter().find(|mapping| mapping.host == host);
    let mapping = mapping.ok_or_else(|| CommandError::NotFound(format!("a mapping of host {host} of {tenant}")))?;
    if mapping.source == MappingSource::Operator {
        return Err(CommandError::Refused(format!(
            "failed to forget host {host}: the tenant file says that it is {}. Change `host_mappings` there and load it",
            mapping.staff
        )));
    }
    say!("host {host}: {} -> unknown", mapping.staff);
    if !apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    tenants.forget_mapping(tenant, host).await?;
    say!("mapping removed; existing assignments are unchanged");
    Ok(())
}

async fn backfill(
    context: &CommandContext,
    tenant: String,
    apply: bool,
    confidence: MinConfidence,
    since: Option<DateTime<Utc>>,
) -> Result<(), CommandError> {
    let (tenants, appointments) = (context.tenants()?, context.appointments()?);
    let id = TenantId::new(tenant);
    let before = context.tenant_record(&tenants, &id).await?;

    let mut observations = HostObservations::default();
    for id in appointments.in_review(&id).await? {
        if let Some(booking) = context.appointment(&appointments, &id).await?.value.booking() {
            observations.observe(booking);
        }
    }
    let listed = observe_calcom(context, &before, since, &mut observations).await;
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
        let resumed = context.resume_waiting(&record).await?;
        say!(
            "{written} mappings written, {} appointments assigned, {} still in review",
            resumed.assigned,
            resumed.in_review
        );
    } else if proposals.iter().any(|proposal| proposal.staff.is_ok()) {
        say!("{DRY_RUN}");
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
    let account = context.calcom_account(tenant).await?;
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
        say!("Every host has a mapping.");
    }
    for HostProposal { host, bookings, staff } in proposals {
        match staff {
            Ok((staff, Confidence::Certain)) => {
                say!("host {host} -> {staff}   certain: same email ({bookings} bookings)");
            }
            Ok((staff, Confidence::Likely)) => {
                say!("host {host} -> {staff}   likely: only booked for their own event types ({bookings} bookings)");
            }
            Err(reason) => say!("host {host} -> none   {} ({bookings} bookings)", reason.as_str()),
        }
    }
}
