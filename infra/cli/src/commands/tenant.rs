//! `frontdesk tenant`: check, load, show, remove and erase tenants.

mod check;
mod erase;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use chrono::Utc;
use clap::Subcommand;
use operations::tenant_file::{self, FileProblem, as_file};
use platform::telemetry::LogContext;
use scheduling::{event_type::Catalog, ids::TenantId, personal::Personal, tenant::Tenant};
use serde_json::{Value, json};
use store::{Catalogs, TenantRecord, Tenants};

use crate::{
    analysis_fields::{Language, agent_settings},
    context::{CommandContext, DRY_RUN},
    error::CommandError,
    output::{Output, print_json, print_text, table},
};

/// Commands for tenants.
#[derive(Subcommand)]
pub enum Command {
    /// Check a tenant file, and print every problem with its path inside the file. With a stack in the environment, its
    /// accounts and agents are checked as well, and what differs from the loaded tenant is printed.
    Check {
        /// The tenant file.
        file: PathBuf,
        /// Query Cal.com, too: whether the account's key sees its event types and their bookings, and whether they can be
        /// booked.
        #[arg(long)]
        calcom: bool,
    },
    /// Print opening hours as a first draft, taken from what Cal.com shows as bookable in the next four weeks.
    Hours {
        /// The tenant file.
        file: PathBuf,
    },
    /// Load a tenant file, and resume the appointments that waited for what it adds. Cal.com is queried: its event types
    /// must be bookable, and the key must see their bookings.
    Load {
        /// The tenant file.
        file: PathBuf,
        /// Write the changes, and turn on at Cal.com that a booking may name its host (rrHostSubsetEnabled).
        #[arg(long)]
        apply: bool,
        /// Load it although event types can't be booked: their appointments will need review.
        #[arg(long)]
        accept_problems: bool,
        /// Do not query Cal.com.
        #[arg(long)]
        offline: bool,
    },
    /// Print the settings that a tenant's Retell agents need, as JSON ready to copy: the analysis fields with the tenant's own
    /// services and staff, the time zone, and the webhook events.
    Fields {
        /// The tenant file.
        file: PathBuf,
        /// The language of the descriptions.
        #[arg(long, default_value = "de")]
        language: Language,
    },
    /// Add an alias to a service or a staff member, and resume the appointments that waited for it.
    Alias {
        /// The tenant's id.
        tenant: String,
        /// The id of the service or the staff member.
        id: String,
        /// The word that callers say.
        alias: String,
        /// Write it.
        #[arg(long)]
        apply: bool,
    },
    /// List the tenants.
    List {
        /// The form of the list.
        #[arg(long, default_value = "text")]
        output: Output,
    },
    /// Print a stored tenant in the form of its file.
    Show {
        /// The tenant's id.
        tenant: String,
    },
    /// Erase a removed tenant's appointments, exchanges and calls. Counters stay.
    Erase {
        /// The tenant's id.
        tenant: String,
        /// Erase it.
        #[arg(long)]
        apply: bool,
    },
    /// Remove a tenant. Its appointments stay, and notices about those that need a person go to the alert topic.
    Remove {
        /// The tenant's id.
        tenant: String,
        /// Remove it.
        #[arg(long)]
        apply: bool,
    },
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Check { file, calcom } => check::check(&file, calcom).await,
        Command::Hours { file } => check::print_hours(&file).await,
        Command::Load { file, apply, accept_problems, offline } => load(file, apply, accept_problems, offline).await,
        Command::Fields { file, language } => print_json(&agent_settings(&read(&file)?, language)),
        Command::Alias { tenant, id, alias, apply } => add_alias(&TenantId::new(tenant), &id, alias, apply).await,
        Command::List { output } => {
            let tenants = CommandContext::from_env().await?.tenants()?.list().await?;
            match output {
                Output::Json => print_json(&tenants.iter().map(|(id, name)| json!({"id": id, "name": name})).collect()),
                Output::Text if tenants.is_empty() => print_text("no tenant is loaded"),
                Output::Text => {
                    let rows = tenants.into_iter().map(|(id, name)| [id.to_string(), name]);
                    print_text(&table(["tenant", "name"], rows))
                }
            }
        }
        Command::Show { tenant } => {
            let context = CommandContext::from_env().await?;
            let record = context.tenant_record(&context.tenants()?, &TenantId::new(tenant)).await?;
            say!("{:#}", as_file(&record));
            Ok(())
        }
        Command::Erase { tenant, apply } => erase::erase(&TenantId::new(tenant), apply).await,
        Command::Remove { tenant, apply } => {
            let context = CommandContext::from_env().await?;
            let tenants = context.tenants()?;
            let record = context.tenant_record(&tenants, &TenantId::new(&tenant)).await?;
            print_changes(&flat(&as_file(&record)), &BTreeMap::new());
            let appointments = context.appointments()?;
            let mut upcoming = 0;
            for id in appointments.starting(&record.tenant.id, Utc::now(), None).await? {
                let stored = appointments.load(&id).await?;
                upcoming += u32::from(stored.is_some_and(|stored| stored.value.is_open()));
            }
            let in_review = appointments.in_review(&record.tenant.id).await?.len();
            say!("upcoming open appointments: {upcoming}; appointments that need a person: {in_review}");
            if !apply {
                say!("{DRY_RUN}");
                return Ok(());
            }
            tenants.remove(&record).await?;
            say!("{tenant} removed; its appointments stay");
            Ok(())
        }
    }
}

fn refuse_problems(file: &Path, catalog: &Catalog, tenant: &Tenant) -> Result<(), CommandError> {
    let problems: Vec<String> = catalog.problems(tenant).iter().map(ToString::to_string).collect();
    if problems.is_empty() { Ok(()) } else { Err(invalid(file, problems)) }
}

/// Reads from Cal.com what the account's key sees, and prints the advice. With `apply`, it turns on that bookings may name
/// their host, and stores what was found for the functions.
async fn prove(
    context: &CommandContext,
    file: &Path,
    tenant: &Tenant,
    apply: bool,
    accept_problems: bool,
) -> Result<(), CommandError> {
    let account = context.calcom_account(tenant).await?;
    let mut catalog = account.catalog().await?;
    match refuse_problems(file, &catalog, tenant) {
        Err(problems) if accept_problems => say!("{problems}"),
        checked => checked?,
    }
    catalog.advice(tenant).iter().for_each(|advice| say!("advice: {advice}"));
    let unselectable = account.unselectable(&catalog);
    for (_, id) in &unselectable {
        say!("Cal.com, event type {id}: turn on rrHostSubsetEnabled, so that callers get the staff member they name");
    }
    if apply {
        if !unselectable.is_empty() {
            account.allow_host_selection(&unselectable).await?;
            catalog = account.catalog().await?;
        }
        account.save(&Catalogs::from_env(&context.config)?, catalog).await?;
    }
    Ok(())
}

async fn load(file: PathBuf, apply: bool, accept_problems: bool, offline: bool) -> Result<(), CommandError> {
    let tenant = read(&file)?;
    let context = CommandContext::from_env().await?;
    let tenants = context.tenants()?;
    let taken = context.operations()?.taken_routes(&tenant).await?;
    if !taken.is_empty() {
        return Err(invalid(&file, taken));
    }
    if !offline {
        prove(&context, &file, &tenant, apply, accept_problems).await?;
    }
    let before = tenants.record(&tenant.id).await?;
    let Changes { old, new } = changes(&file, &tenant, before.as_ref())?;
    if old == new {
        say!("{}: no changes", tenant.id);
        // An earlier run may have been interrupted after it had written the tenant.
        if apply {
            take_up_calls(&context, &tenant).await?;
            resume(&context, &tenants, &tenant).await?;
        }
        return Ok(());
    }
    print_changes(&old, &new);
    if tenant.hours.is_none() {
        say!("advice: without hours, 7 to 21 count as open; `frontdesk tenant hours {}` drafts them", file.display());
    }
    if !apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    tenants.write(&tenant, before.as_ref(), Utc::now()).await?;
    say!("{} loaded: {}. The functions use it within a minute.", tenant.id, summary(&tenant));
    take_up_calls(&context, &tenant).await?;
    resume(&context, &tenants, &tenant).await
}

async fn add_alias(tenant: &TenantId, id: &str, alias: String, apply: bool) -> Result<(), CommandError> {
    let context = CommandContext::from_env().await?;
    let tenants = context.tenants()?;
    let record = context.tenant_record(&tenants, tenant).await?;
    let old = as_file(&record);
    let mut changed: Tenant = record.tenant.clone();
    let service = changed.services.iter_mut().find(|service| service.id.as_str() == id);
    let member = changed.staff.iter_mut().find(|member| member.id.as_str() == id);
    match (service, member) {
        (Some(service), None) => service.aliases.push(alias.clone()),
        (None, Some(member)) => member.aliases.push(Personal::new(alias.clone())),
        (Some(_), Some(_)) => {
            return Err(CommandError::Refused(format!(
                "failed to add the alias: {id} is a service and a staff member of {tenant}"
            )));
        }
        (None, None) => return Err(CommandError::NotFound(format!("service or staff member {id} of {tenant}"))),
    }
    let new = as_file(&TenantRecord { tenant: changed.clone(), mappings: record.mappings.clone() });
    print_changes(&flat(&old), &flat(&new));
    if !apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    let tenant: Tenant = serde_json::from_value(new).map_err(|error| CommandError::Refused(error.to_string()))?;
    tenants.write(&tenant, Some(&record), Utc::now()).await?;
    say!("{alias:?} is {id} from now on. The functions use it within a minute. Add it to the tenant file, too.");
    resume(&context, &tenants, &tenant).await
}

/// Takes up the calls that were kept for the tenant's agents and numbers.
async fn take_up_calls(context: &CommandContext, tenant: &Tenant) -> Result<(), CommandError> {
    let taken_up = context.intake()?.take_up_unrouted(tenant, context.actor(), &LogContext::default()).await?;
    if taken_up.events > 0 {
        say!(
            "processed {} stored events of earlier calls; they request {} appointments",
            taken_up.events,
            taken_up.appointments
        );
    }
    Ok(())
}

/// Resumes the appointments that waited for a staff member or an event type that the tenant has now.
async fn resume(context: &CommandContext, tenants: &Tenants, tenant: &Tenant) -> Result<(), CommandError> {
    let record = context.tenant_record(tenants, &tenant.id).await?;
    let resumed = context.resume_waiting(&record).await?;
    if resumed.assigned + resumed.requested > 0 {
        say!("{} waiting appointments assigned, {} to be booked next", resumed.assigned, resumed.requested);
    }
    Ok(())
}

/// Reads and checks a tenant file.
fn read(path: &Path) -> Result<Tenant, CommandError> {
    let text = fs::read(path).map_err(|error| CommandError::File { path: path.to_owned(), error })?;
    tenant_file::parse(&text).map_err(|problem| match problem {
        FileProblem::Form { line, at, problem } => CommandError::Form { path: path.to_owned(), line, at, problem },
        FileProblem::Values(problems) => invalid(path, problems),
    })
}

fn invalid(path: &Path, problems: Vec<String>) -> CommandError {
    let problems = problems.into_iter().map(|problem| format!("  {problem}")).collect();
    CommandError::Invalid { path: path.to_owned(), problems }
}

/// A tenant's values by their paths, as they are stored and as they would be.
struct Changes {
    old: BTreeMap<String, Value>,
    new: BTreeMap<String, Value>,
}

/// What a file changes. Of a tenant that is not stored yet, only what the file says: its defaults are no news.
fn changes(file: &Path, tenant: &Tenant, before: Option<&TenantRecord>) -> Result<Changes, CommandError> {
    let old = before.map(|record| flat(&as_file(record))).unwrap_or_default();
    let mut new = serde_json::to_value(tenant).map(|tenant| flat(&tenant)).unwrap_or_default();
    if before.is_none() {
        let text = fs::read(file).map_err(|error| CommandError::File { path: file.to_owned(), error })?;
        let written = flat(&serde_json::from_slice(&text).unwrap_or_default());
        new.retain(|path, _| written.contains_key(path));
    }
    Ok(Changes { old, new })
}

fn summary(tenant: &Tenant) -> String {
    format!("{} staff, {} services", tenant.staff.len(), tenant.services.len())
}

/// Every value by its path. Entries with an id are named by it, so that another order is no change.
fn flat(value: &Value) -> BTreeMap<String, Value> {
    fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
        let inside = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(&inside(key), value, found)),
            Value::Array(entries) => {
                for (at, entry) in entries.iter().enumerate() {
                    let name = entry.get("id").or_else(|| entry.get("host"));
                    let name = name.map_or_else(|| at.to_string(), |name| name.to_string().replace('"', ""));
                    walk(&format!("{path}[{name}]"), entry, found);
                }
            }
            plain => {
                found.insert(path.to_owned(), plain.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", value, &mut found);
    found
}

fn print_changes(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) {
    for (path, value) in old.iter().filter(|(path, _)| !new.contains_key(*path)) {
        say!("- {path}: {value}");
    }
    for (path, value) in new {
        match old.get(path) {
            None => say!("+ {path}: {value}"),
            Some(before) if before != value => say!("~ {path}: {before} -> {value}"),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_with_an_id_are_named_by_it() {
        let flat = flat(&json!({"staff": [{"id": "anna", "emails": ["a@b.c"]}], "name": "x"}));
        let paths: Vec<&str> = flat.keys().map(String::as_str).collect();
        assert_eq!(paths, ["name", "staff[anna].emails[0]", "staff[anna].id"]);
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_line_and_path() {
        let path = std::env::temp_dir().join(format!("frontdesk-tenant-{}.json", std::process::id()));
        fs::write(
            &path,
            "{\"id\": \"x\",\n \"name\": \"X\", \"time_zone\": \"Europe/Berlin\",\n \"retell\": {\"acount\": 1}}",
        )
        .unwrap();
        let error = read(&path).unwrap_err();
        fs::remove_file(&path).unwrap();
        let CommandError::Form { line, at, problem, .. } = error else { panic!("{error}") };
        assert_eq!((line, at.as_str()), (3, "retell.acount"));
        assert!(problem.contains("unknown field `acount`"), "{problem}");
    }
}
