//! Finding out who the hosts of past bookings are.

use calcom::{Calcom, PAGE};
use chrono::Utc;
use clap::{Subcommand, ValueEnum};
use platform::{
    aws,
    aws::SdkConfig,
    secrets::{CalcomKeys, Secret},
    settings,
    store::{Appointments, TenantRecord, Tenants},
};
use scheduling::{
    host_backfill::{Confidence, HostProposal, HostObservations},
    ids::{EventTypeId, TenantId},
};

use crate::{appointment::stored, error::CommandError, waiting};

/// What can be done with hosts.
#[derive(Subcommand)]
pub enum Command {
    /// Goes through past bookings, ours and all that Cal.com has for the tenant's event types, and proposes a staff
    /// member for each host that nobody has mapped. With --apply the mappings are written, and what waited for one of
    /// those hosts is assigned.
    Backfill {
        /// The tenant's id.
        tenant: String,
        /// Writes the mappings, and assigns what waited for them.
        #[arg(long)]
        apply: bool,
        /// How sure a proposal must be to be written.
        #[arg(long, value_enum, default_value = "certain")]
        least: Least,
        /// Goes on with Cal.com's list after so many bookings, as an interrupted run says.
        #[arg(long, default_value_t = 0)]
        skip: usize,
    },
}

/// How sure a proposal must be to be written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Least {
    /// The host has a staff member's email.
    Certain,
    /// That, or the host was only ever booked for one staff member's own event types.
    Likely,
}

impl From<Least> for Confidence {
    fn from(least: Least) -> Self {
        match least {
            Least::Certain => Self::Certain,
            Least::Likely => Self::Likely,
        }
    }
}

/// Does what is asked for.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let Command::Backfill { tenant, apply, least, skip } = command;
    let config = aws::config().await;
    let tenants_table = settings::required("TENANTS_TABLE")?;
    let tenants = Tenants::new(&config, tenants_table.clone());
    let appointments = Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?, settings::timing()?);
    let appointments = appointments.with_tenants(tenants_table);
    let id = TenantId::new(&tenant);
    let record =
        |record: Option<TenantRecord>| record.ok_or_else(|| CommandError::NotFound(format!("tenant {tenant}")));
    let before = record(tenants.record(&id).await?)?;

    let mut seen = HostObservations::default();
    for id in appointments.in_review(&id).await? {
        if let Some(booking) = stored(&appointments, &id).await?.0.booking() {
            seen.see(booking);
        }
    }
    let listed = see_calcoms(&config, &before, skip, &mut seen).await;
    // Party is only likely is told by all of the bookings, or by none.
    let least = if listed.is_err() || skip > 0 { Least::Certain } else { least };
    let proposals = seen.proposals(&before.tenant, &before.mappings);
    print_plan(&proposals);
    if apply {
        let mappings = proposals.iter().filter_map(|it| it.mapping(&before.tenant, least.into(), Utc::now()));
        let mut written = 0;
        for mapping in mappings {
            written += u32::from(tenants.learn(&mapping).await?);
        }
        let went_on = waiting::go_on(&appointments, &record(tenants.record(&id).await?)?).await?;
        println!(
            "{written} mappings are written, {} appointments assigned; {} still wait for a person",
            went_on.assigned, went_on.waiting
        );
    } else if proposals.iter().any(|proposal| proposal.staff.is_ok()) {
        println!("nothing is written; with --apply it is");
    }
    listed
}

/// Takes all bookings into account that Cal.com has for the tenant's event types.
async fn see_calcoms(
    config: &SdkConfig,
    record: &TenantRecord,
    mut skip: usize,
    seen: &mut HostObservations,
) -> Result<(), CommandError> {
    let tenant = &record.tenant;
    let keys: Secret<CalcomKeys> = Secret::new(config, settings::required("CALCOM_KEYS_SECRET")?);
    let keys = keys.read().await.map_err(|error| CommandError::Refused(error.to_string()))?;
    let account = &tenant.calcom.account;
    let no_key = || CommandError::Refused(format!("the secret of Cal.com keys has none for the account {account}"));
    let key = keys.of(account).ok_or_else(no_key)?;
    let client = Calcom::new(calcom::Settings::from_env(&settings::timing()?));
    let client = client.map_err(|error| CommandError::Refused(error.to_string()))?;
    let event_types: Vec<EventTypeId> = tenant.services.iter().flat_map(|service| service.event_types.all()).collect();
    loop {
        let page = client.list(key, &event_types, skip).await.map_err(|failed| {
            let category = failed.category.as_str();
            CommandError::Unfinished(format!("Cal.com's list stopped: {category}. Go on with --skip {skip}"))
        })?;
        page.value.bookings.iter().for_each(|booking| seen.see(booking));
        skip += page.value.listed;
        eprintln!("{skip} of Cal.com's bookings are looked at");
        if page.value.listed < PAGE {
            return Ok(());
        }
    }
}

fn print_plan(proposals: &[HostProposal]) {
    if proposals.is_empty() {
        println!("every host that was seen is mapped already");
    }
    for HostProposal { host, bookings, staff } in proposals {
        match staff {
            Ok((staff, Confidence::Certain)) => {
                println!("host {host} -> {staff}   certain: the same email ({bookings} bookings)")
            }
            Ok((staff, Confidence::Likely)) => {
                println!(
                    "host {host} -> {staff}   likely: only ever booked for their own event types ({bookings} bookings)"
                );
            }
            Err(reason) => println!("host {host} -> nobody   {} ({bookings} bookings)", reason.as_str()),
        }
    }
}
