//! Loading a tenant from its file, and taking it out again.

use std::{collections::BTreeMap, fs, path::PathBuf};

use chrono::Utc;
use clap::Subcommand;
use platform::{
    aws, settings,
    store::{Appointments, TenantRecord, Tenants},
};
use scheduling::{
    assignment::MappingSource,
    ids::TenantId,
    tenant::{MappedHost, Tenant},
};
use serde_json::Value;

use crate::{error::CommandError, waiting};

/// What can be done with a tenant.
#[derive(Subcommand)]
pub enum Command {
    /// Reads a tenant file and says what is wrong with it.
    Check {
        /// The tenant file, as the README describes it.
        file: PathBuf,
    },
    /// Shows what a tenant file would change, and writes it.
    Load {
        /// The tenant file, as the README describes it.
        file: PathBuf,
        /// Only shows what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Prints a stored tenant in the form of its file.
    Show {
        /// The tenant's id.
        tenant: String,
    },
    /// Takes a tenant out. Its appointments stay.
    Remove {
        /// The tenant's id.
        tenant: String,
        /// Only shows what would be taken out.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Does what is asked for.
pub async fn run(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Check { file } => {
            let tenant = read(&file)?;
            println!("{} is good: {}", file.display(), summary(&tenant));
            Ok(())
        }
        Command::Load { file, dry_run } => load(file, dry_run).await,
        Command::Show { tenant } => {
            let record = stored(&tenants().await?, &tenant).await?;
            println!("{:#}", as_file(&record));
            Ok(())
        }
        Command::Remove { tenant, dry_run } => {
            let tenants = tenants().await?;
            let record = stored(&tenants, &tenant).await?;
            print_changes(&flat(&as_file(&record)), &BTreeMap::new());
            if dry_run {
                println!("nothing is taken out: --dry-run");
                return Ok(());
            }
            tenants.remove(&record).await?;
            println!("{tenant} is taken out; its appointments stay");
            Ok(())
        }
    }
}

async fn load(file: PathBuf, dry_run: bool) -> Result<(), CommandError> {
    let tenant = read(&file)?;
    let tenants = tenants().await?;
    let taken = tenants.taken_routes(&tenant).await?;
    if !taken.is_empty() {
        let problems = taken.iter().map(|(route, owner)| format!("  retell: {route} belongs to tenant {owner}"));
        return Err(CommandError::Problems { path: file, problems: problems.collect() });
    }
    let before = tenants.record(&tenant.id).await?;
    let old = before.as_ref().map(|record| flat(&as_file(record))).unwrap_or_default();
    let new = serde_json::to_value(&tenant).map(|tenant| flat(&tenant)).unwrap_or_default();
    if old == new {
        println!("{}: nothing changes", tenant.id);
        // An earlier run may have been cut off after it had written the tenant.
        return if dry_run { Ok(()) } else { have_go_on(&tenants, &tenant).await };
    }
    print_changes(&old, &new);
    if dry_run {
        println!("nothing is written: --dry-run");
        return Ok(());
    }
    tenants.write(&tenant, before.as_ref(), Utc::now()).await?;
    println!("{} is loaded: {}; the functions use it within a minute", tenant.id, summary(&tenant));
    have_go_on(&tenants, &tenant).await
}

/// Has go on what waited for a staff member or an event type that the tenant has now.
async fn have_go_on(tenants: &Tenants, tenant: &Tenant) -> Result<(), CommandError> {
    let config = aws::config().await;
    let appointments = Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?, settings::timing()?);
    let appointments = appointments.with_tenants(settings::required("TENANTS_TABLE")?);
    let record = stored(tenants, tenant.id.as_str()).await?;
    let went_on = waiting::go_on(&appointments, &record).await?;
    if went_on.assigned + went_on.requested > 0 {
        println!("{} appointments that waited are assigned, {} are booked next", went_on.assigned, went_on.requested);
    }
    Ok(())
}

/// Reads and checks a tenant file.
fn read(path: &PathBuf) -> Result<Tenant, CommandError> {
    let text = fs::read_to_string(path).map_err(|error| CommandError::NoFile { path: path.clone(), error })?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let tenant: Tenant = serde_path_to_error::deserialize(&mut json).map_err(|error| CommandError::Form {
        path: path.clone(),
        line: error.inner().line(),
        at: match error.path().to_string().as_str() {
            "." => "the top".to_owned(),
            inside => inside.to_owned(),
        },
        what: error.inner().to_string(),
    })?;
    let problems: Vec<String> = tenant.problems().iter().map(|problem| format!("  {problem}")).collect();
    if problems.is_empty() { Ok(tenant) } else { Err(CommandError::Problems { path: path.clone(), problems }) }
}

async fn tenants() -> Result<Tenants, CommandError> {
    Ok(Tenants::new(&aws::config().await, settings::required("TENANTS_TABLE")?))
}

async fn stored(tenants: &Tenants, id: &str) -> Result<TenantRecord, CommandError> {
    let found = tenants.record(&TenantId::new(id)).await?;
    found.ok_or_else(|| CommandError::NotFound(format!("tenant {id}")))
}

/// A stored tenant in the form of its file: with the mappings that came from there.
fn as_file(record: &TenantRecord) -> Value {
    let operators = record.mappings.iter().filter(|mapping| mapping.source == MappingSource::Operator);
    let mut tenant = record.tenant.clone();
    tenant.host_mappings =
        operators.map(|mapping| MappedHost { host: mapping.host, staff: mapping.staff.clone() }).collect();
    serde_json::to_value(tenant).unwrap_or_default()
}

fn summary(tenant: &Tenant) -> String {
    format!("{} staff, {} services", tenant.staff.len(), tenant.services.len())
}

/// Every value by its path. Lists of things that have an id go by that, so that an order is no change.
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
        println!("- {path}: {value}");
    }
    for (path, value) in new {
        match old.get(path) {
            None => println!("+ {path}: {value}"),
            Some(before) if before != value => println!("~ {path}: {before} -> {value}"),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn things_with_an_id_go_by_it() {
        let flat = flat(&json!({"staff": [{"id": "anna", "emails": ["a@b.c"]}], "name": "x"}));
        let paths: Vec<&str> = flat.keys().map(String::as_str).collect();
        assert_eq!(paths, ["name", "staff[anna].emails[0]", "staff[anna].id"]);
    }

    #[test]
    fn a_wrong_field_is_named_with_its_line_and_path() {
        let path = std::env::temp_dir().join(format!("frontdesk-tenant-{}.json", std::process::id()));
        fs::write(
            &path,
            "{\"id\": \"x\",\n \"name\": \"X\", \"time_zone\": \"Europe/Berlin\",\n \"retell\": {\"acount\": 1}}",
        )
        .unwrap();
        let error = read(&path).unwrap_err();
        fs::remove_file(&path).unwrap();
        let CommandError::Form { line, at, what, .. } = error else { panic!("{error}") };
        assert_eq!((line, at.as_str()), (3, "retell.acount"));
        assert!(what.contains("unknown field `acount`"), "{what}");
    }
}
