//! What commands print. A reader that goes away early, such as `head`, is no error.

use std::{
    fmt,
    io::{self, Write},
};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde_json::Value;
use wording::Language;

use crate::error::CommandError;

/// Prints a line. If nobody reads on, the command goes on in silence: it may be changing something.
#[macro_export]
macro_rules! say {
    ($($argument:tt)*) => { $crate::output::line(format_args!($($argument)*)) };
}

/// Prints a line; see [`say!`].
pub fn line(text: fmt::Arguments<'_>) {
    // Nothing that is printed is worth more than what is being done.
    drop(writeln!(io::stdout().lock(), "{text}"));
}

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
    Language::English.moment(at, zone)
}

/// Rows under a header, in columns.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header).add_rows(rows);
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    table.trim_fmt()
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
