//! What keeps a command from being done, and what to do then.

use std::path::PathBuf;

use platform::{queues::QueueError, settings::SettingsError, store::StoreError};

/// What kept a command from being done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file can't be read.
    #[error("{}: {error}", path.display())]
    NoFile {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A tenant file has another form.
    #[error("{}, line {line}, at {at}: {what}", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// In which line.
        line: usize,
        /// Where inside the file.
        at: String,
        /// What is wrong.
        what: String,
    },
    /// A tenant file has the right form and makes no sense.
    #[error("{} is not loaded:\n{}", path.display(), problems.join("\n"))]
    Problems {
        /// Which file.
        path: PathBuf,
        /// Each with its path inside the file.
        problems: Vec<String>,
    },
    /// Lines of a file make no sense.
    #[error("{}: {} of its lines can't be imported, and nothing is:\n{}", path.display(), lines.len(), lines.join("\n"))]
    Lines {
        /// Which file.
        path: PathBuf,
        /// What is wrong, each with the number of its line.
        lines: Vec<String>,
    },
    /// There is no such tenant or appointment.
    #[error("there is no {0}")]
    NotFound(String),
    /// What was asked for can't be done.
    #[error("{0}")]
    Refused(String),
    /// Something was left undone that running the command again can do.
    #[error("{0}")]
    Unfinished(String),
    /// A queue failed.
    #[error("{0}; is AWS_ENDPOINT_URL or your AWS profile set, and are the queues' URLs right?")]
    Queue(#[from] QueueError),
    /// The environment lacks something.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store failed.
    #[error("{0}; is AWS_ENDPOINT_URL or your AWS profile set, and are the tables' names right?")]
    Store(#[from] StoreError),
}
