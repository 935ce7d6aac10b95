//! What commands print. A reader that goes away early, such as `head`, is no error.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::ValueEnum;
use serde_json::Value;

use crate::error::CommandError;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// A moment on the tenant's clock.
pub fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%a %d %b %Y %H:%M").to_string()
}

/// Prints a text.
pub fn print_text(text: &str) -> Result<(), CommandError> {
    finished(writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n')))
}

/// Prints a value.
pub fn print_json(value: &Value) -> Result<(), CommandError> {
    finished(writeln!(io::stdout().lock(), "{value:#}"))
}

fn finished(written: io::Result<()>) -> Result<(), CommandError> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Terminal(error)),
        _ => Ok(()),
    }
}
