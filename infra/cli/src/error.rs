//! The errors of commands, each with what to do next.

use std::path::PathBuf;

use intake::IntakeError;
use operations::{OperationError, Refusal, people::PeopleError};
use platform::{bucket::BucketSetupError, env::EnvError, queues::QueueError, signed::ServiceError};
use scheduling::appointment::InvalidTransition;
use store::StoreError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file can't be read or written.
    #[error("failed to open {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A tenant file has another form.
    #[error("failed to read {}, line {line}, at {at}: {problem}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The path inside the file.
        at: String,
        /// What is wrong.
        problem: String,
    },
    /// A tenant file is invalid.
    #[error("failed to load {}, which is invalid:\n{}", path.display(), problems.join("\n"))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Each problem with its path inside the file.
        problems: Vec<String>,
    },
    /// Lines of a file are invalid.
    #[error("failed to import {}: {} lines are invalid, and nothing was written:\n{}", path.display(), lines.len(), lines.join("\n"))]
    InvalidLines {
        /// The file.
        path: PathBuf,
        /// Each problem with the number of its line.
        lines: Vec<String>,
    },
    /// Standard input or output failed.
    #[error("failed to use the terminal: {0}")]
    Terminal(std::io::Error),
    /// There is no such tenant or appointment.
    #[error("failed to find {0}")]
    NotFound(String),
    /// The command is not possible in this state.
    #[error("{0}")]
    Refused(String),
    /// Something is left that running the command again can do.
    #[error("{0}")]
    Incomplete(String),
    /// The appointment is in another state.
    #[error("failed to change the appointment: {0}")]
    Transition(#[from] InvalidTransition),
    /// A queue failed.
    #[error("{0}; check AWS_ENDPOINT_URL or your AWS profile, and the URLs of the queues")]
    Queue(#[from] QueueError),
    /// The user pool failed.
    #[error("{0}; check your AWS profile and `USER_POOL`, and compare your rights with infra/deployer-policy.json")]
    UserPool(#[from] ServiceError),
    /// The environment lacks something.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A bucket can't be used.
    #[error(transparent)]
    Bucket(#[from] BucketSetupError),
    /// The store failed.
    #[error("{0}; check AWS_ENDPOINT_URL or your AWS profile, and the names of the tables")]
    Store(#[from] StoreError),
}

impl From<OperationError> for CommandError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::NotFound(what) => Self::NotFound(what),
            OperationError::Refused(Refusal::OtherState(from)) => {
                Self::Refused(format!("failed to change the appointment: it is {from}"))
            }
            OperationError::Refused(refusal) => Self::Refused(format!("failed to change the appointment: {refusal}")),
            OperationError::Changed => Self::Store(StoreError::Conflict),
            OperationError::Calcom(text) => Self::Refused(text),
            OperationError::Incomplete(text) => Self::Incomplete(text),
            OperationError::Store(error) => Self::Store(error),
            OperationError::Queue(error) => Self::Queue(error),
            OperationError::Env(error) => Self::Env(error),
            OperationError::Bucket(error) => Self::Bucket(error),
        }
    }
}

impl From<PeopleError> for CommandError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Pool(error) => Self::UserPool(error),
            PeopleError::Store(error) => Self::Store(error),
            PeopleError::Env(error) => Self::Env(error),
        }
    }
}

impl From<IntakeError> for CommandError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Store(error) => Self::Store(error),
            IntakeError::Queue(error) => Self::Queue(error),
        }
    }
}
