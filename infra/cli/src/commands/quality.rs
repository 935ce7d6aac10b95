//! `frontdesk quality`: the latest quality report.

use std::{fs, path::PathBuf};

use clap::{Subcommand, ValueEnum};
use platform::{
    aws,
    bucket::{Bucket, BucketError},
};
use quality::{html, report::Report, text};

use crate::{error::CommandError, output::print_text};

/// Commands for quality.
#[derive(Subcommand)]
pub enum Command {
    /// Print the latest report. quality-monitor creates one every hour.
    Report {
        /// The output format.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
        /// Write it to this file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// The formats of a report.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For other programs.
    Json,
    /// For a browser.
    Html,
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let Command::Report { format, out } = command;
    let not_found = |error: BucketError| {
        CommandError::Refused(format!("{error}; check REPORTS_BUCKET, and that quality-monitor has run"))
    };
    let reports = Bucket::reports_from_env(&aws::user_config().await)?;
    let Some(latest) = reports.get("latest.json").await.map_err(not_found)? else {
        say!("There is no report yet: quality-monitor writes the first one within an hour.");
        return Ok(());
    };
    let report: Report = serde_json::from_slice(&latest).map_err(|_| {
        CommandError::Refused("failed to read the latest report: another version of Frontdesk wrote it".to_owned())
    })?;
    let shown = match format {
        Format::Text => text::report(&report),
        Format::Json => format!("{:#}\n", serde_json::json!(report)),
        Format::Html => html::page(&report),
    };
    match out {
        Some(path) => fs::write(&path, shown).map_err(|error| CommandError::File { path, error }),
        None => print_text(&shown),
    }
}
