//! `frontdesk restore`: copies what is missing in a table back from a restored one.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use store::{RestorableTable, Restore as Copying, RestoreCursor};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
};

/// How often the progress is printed.
const PROGRESS: Duration = Duration::from_secs(2);

/// Copy what is missing in a table back from one that was restored to an earlier moment. What the table has is left as it is.
/// infra/RUNBOOK.md has the steps around it.
#[derive(Args)]
pub struct Restore {
    /// The table.
    table: Table,
    /// The name of the restored table.
    #[arg(long, value_name = "RESTORED_TABLE")]
    from: String,
    /// Where an interrupted run stopped, as it printed.
    #[arg(long, value_name = "KEY")]
    resume_after: Option<String>,
    /// Copy the items.
    #[arg(long)]
    apply: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Table {
    Appointments,
    Calls,
    Tenants,
    Counters,
}

impl From<Table> for RestorableTable {
    fn from(table: Table) -> Self {
        match table {
            Table::Appointments => Self::Appointments,
            Table::Calls => Self::Calls,
            Table::Tenants => Self::Tenants,
            Table::Counters => Self::Counters,
        }
    }
}

/// Runs the command.
pub async fn run(Restore { table, from, resume_after, apply }: Restore) -> Result<(), CommandError> {
    let context = CommandContext::from_env().await?;
    let copying = Copying::from_env(&context.config, table.into(), from, context.timing)?;
    let unreadable =
        |_| CommandError::Refused("failed to read --resume-after: pass the key as it was printed".to_owned());
    let mut after: Option<RestoreCursor> =
        resume_after.map(|key| serde_json::from_str(&key)).transpose().map_err(unreadable)?;
    let (mut read, mut missing, mut erased, mut printed) = (0, 0, 0, Instant::now());
    loop {
        let page = match copying.copy_page(after.as_ref(), apply.then(|| context.actor())).await {
            Ok(page) => page,
            Err(error) => return Err(interrupted(&error.into(), after.as_ref())),
        };
        (read, missing, erased) = (read + page.read, missing + page.missing, erased + page.erased);
        after = page.next;
        if after.is_none() {
            break;
        }
        if printed.elapsed() >= PROGRESS {
            printed = Instant::now();
            eprintln!("{read} items read, {missing} missing; resume with --resume-after '{}'", shown(after.as_ref()));
        }
    }
    let what = if apply { "copied" } else { "missing" };
    say!("{read} items read, {missing} {what}");
    if erased > 0 {
        say!("{erased} items were erased, or belong to a removed tenant, and stay away");
    }
    if !apply {
        say!("{DRY_RUN}");
    }
    Ok(())
}

fn interrupted(error: &CommandError, after: Option<&RestoreCursor>) -> CommandError {
    let again = match after {
        Some(_) => format!("--resume-after '{}'", shown(after)),
        None => "the same options".to_owned(),
    };
    CommandError::Incomplete(format!("failed to restore the table: {error}. Run the command again with {again}"))
}

fn shown(after: Option<&RestoreCursor>) -> String {
    after.map(|after| serde_json::json!(after).to_string()).unwrap_or_default()
}
