//! `frontdesk tenant check` and `frontdesk tenant hours`: what is known about a tenant file without loading it.

use std::{collections::BTreeSet, path::Path};

use calcom::SlotsWindow;
use chrono::{TimeDelta, Utc};
use operations::tenant_file::Keys;
use platform::{env, secrets::Secret};
use scheduling::{event_type::Catalog, hours::OpeningHours, ids::EventTypeId, tenant::Tenant};
use serde_json::json;

use super::{Changes, changes, invalid, print_changes, read, refuse_problems, summary};
use crate::{context::CommandContext, error::CommandError, output::print_json};

/// How far ahead Cal.com is queried for free slots: a draft from one week would miss what is taken in it.
const DRAFT_WINDOW: TimeDelta = TimeDelta::weeks(4);

/// Checks a file: its form, and as far as a stack is in the environment, its accounts, agents and numbers.
pub async fn check(file: &Path, with_calcom: bool) -> Result<(), CommandError> {
    let tenant = read(file)?;
    if env::optional("TENANTS_TABLE").is_none() && !with_calcom {
        say!("{} is valid: {}", file.display(), summary(&tenant));
        say!("accounts and agents were not checked: the environment names no stack");
        return Ok(());
    }
    let context = CommandContext::from_env().await?;
    let problems = problems_with_stack(&context, &tenant).await?;
    if !problems.is_empty() {
        return Err(invalid(file, problems));
    }
    if with_calcom {
        let catalog: Catalog = context.calcom_account(&tenant).await?.catalog().await?;
        refuse_problems(file, &catalog, &tenant)?;
    }
    say!("{} is valid: {}", file.display(), summary(&tenant));
    let before = context.tenants()?.record(&tenant.id).await?;
    match (&before, changes(file, &tenant, before.as_ref())?) {
        (None, _) => say!("{} is not loaded yet", tenant.id),
        (Some(_), Changes { old, new }) if old == new => say!("{} is loaded and matches the file", tenant.id),
        (Some(_), Changes { old, new }) => {
            say!("{} is loaded, and the file differs:", tenant.id);
            print_changes(&old, &new);
        }
    }
    Ok(())
}

/// Accounts without a key, and agents and numbers that belong to another tenant.
async fn problems_with_stack(context: &CommandContext, tenant: &Tenant) -> Result<Vec<String>, CommandError> {
    let keys = Keys { retell: Secret::from_env(&context.config)?, calcom: Secret::from_env(&context.config)? };
    let mut problems = keys.missing(tenant).await?;
    problems.extend(context.operations()?.taken_routes(tenant).await?);
    Ok(problems)
}

/// Prints a draft of the opening hours.
pub async fn print_hours(file: &Path) -> Result<(), CommandError> {
    let tenant = read(file)?;
    let context = CommandContext::from_env().await?;
    let account = context.calcom_account(&tenant).await?;
    let catalog = account.catalog().await?;
    let window = SlotsWindow { start: Utc::now(), end: Utc::now() + DRAFT_WINDOW };
    let of_service = tenant.services.iter().flat_map(|service| {
        service.event_types.round_robin.iter().chain(service.event_types.per_staff.values()).copied()
    });
    let event_types: BTreeSet<EventTypeId> = of_service.collect();
    let mut bookable = Vec::new();
    for (at, id) in event_types.iter().enumerate() {
        eprintln!("reading what can be booked: event type {} of {}", at + 1, event_types.len());
        let slots = account.calcom.slots(&account.key, *id, window, None).await;
        let slots = slots.map_err(|error| account.failed("read the free slots", &error))?.value;
        let minutes = catalog.event_type(*id).map_or(0, |event_type| event_type.minutes);
        bookable.extend(slots.into_iter().map(|at| (at.with_timezone(&tenant.time_zone).naive_local(), minutes)));
    }
    let hours = OpeningHours::covering(bookable);
    if hours.is_empty() {
        return Err(CommandError::Refused(
            "failed to draft the hours: Cal.com shows nothing that can be booked in the next four weeks".to_owned(),
        ));
    }
    print_json(&json!({"hours": hours}))
}
