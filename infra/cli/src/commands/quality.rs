//! The latest quality report.

use std::{fs, path::PathBuf};

use clap::{Subcommand, ValueEnum};
use platform::{aws, settings};
use notify::{ReportBucket, NotifyError};
use quality::{page::page, report::Report, words};

use crate::error::CommandError;

/// What can be asked of quality.
#[derive(Subcommand)]
pub enum Command {
    /// Prints the report that quality-monitor made last; it makes one each hour.
    Report {
        /// In which form.
        #[arg(long, value_enum, default_value = "text")]
        form: Form,
        /// Writes it to this file.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Form {
    /// For a terminal.
    Text,
    /// For other programs.
    Json,
    /// For a browser.
    Page,
}

/// Does what is asked for.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let Command::Report { form, out } = command;
    let bucket = settings::required("REPORTS_BUCKET")?;
    let not_found = |error: NotifyError| {
        CommandError::Refused(format!("{error}; has quality-monitor run yet, and is REPORTS_BUCKET right?"))
    };
    let pages = ReportBucket::new(&aws::config().await, &bucket).map_err(not_found)?;
    let latest = pages.get("latest.json").await.map_err(not_found)?;
    let unreadable = |_| CommandError::Refused("the latest report is of another version of Frontdesk".to_owned());
    let report: Report = serde_json::from_slice(&latest).map_err(unreadable)?;
    let shown = match form {
        Form::Text => words::report(&report),
        Form::Json => format!("{:#}\n", serde_json::json!(report)),
        Form::Page => page(&report),
    };
    match out {
        Some(path) => fs::write(&path, shown).map_err(|error| CommandError::NoFile { path, error }),
        None => {
            print!("{shown}");
            Ok(())
        }
    }
}
