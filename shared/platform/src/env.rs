//! The environment variables that the template sets.

use std::{env, str::FromStr};

use scheduling::timing::Timing;

/// An environment variable that is missing or unreadable.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// It isn't set.
    #[error(
        "failed to read the environment variable {0}: it is not set; the stack's outputs and infra/template.yaml name it"
    )]
    Missing(&'static str),
    /// It has another form.
    #[error("failed to read the environment variable {0}: it is not a number in range")]
    Unreadable(&'static str),
}

/// The value of `name`.
///
/// # Errors
/// [`EnvError::Missing`], also if it is empty.
pub fn required(name: &'static str) -> Result<String, EnvError> {
    optional(name).ok_or(EnvError::Missing(name))
}

/// The value of `name`, unless it is missing or empty.
pub fn optional(name: &'static str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The value of `name`, or `default` if it isn't set.
///
/// # Errors
/// [`EnvError::Unreadable`].
pub fn parsed_or<T: FromStr>(name: &'static str, default: T) -> Result<T, EnvError> {
    match optional(name) {
        Some(value) => value.parse().map_err(|_| EnvError::Unreadable(name)),
        None => Ok(default),
    }
}

/// The deployed version of Frontdesk, which every transition records.
pub fn deployed_version() -> String {
    optional("FRONTDESK_VERSION").unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}

/// Leases, timeouts and delays. `TIMING_DIVISOR` shortens them for tests.
///
/// # Errors
/// [`EnvError::Unreadable`].
pub fn timing() -> Result<Timing, EnvError> {
    Ok(Timing::default().divided_by(parsed_or("TIMING_DIVISOR", 1)?))
}
