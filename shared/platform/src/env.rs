//! What the template hands to a function through its environment.

use std::{env, str::FromStr};

use scheduling::timing::Timing;

/// A variable of the environment that is missing or can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It isn't set.
    #[error("the environment variable {0} is not set; infra/template.yaml sets it")]
    Missing(&'static str),
    /// It has another form.
    #[error("the environment variable {0} can't be read")]
    Unreadable(&'static str),
}

/// The value of `name`.
///
/// # Errors
/// [`SettingsError::Missing`], also where it is empty.
pub fn required(name: &'static str) -> Result<String, SettingsError> {
    env::var(name).ok().filter(|value| !value.is_empty()).ok_or(SettingsError::Missing(name))
}

/// The value of `name`, or `default` where it isn't set.
///
/// # Errors
/// [`SettingsError::Unreadable`].
pub fn parsed_or<T: FromStr>(name: &'static str, default: T) -> Result<T, SettingsError> {
    match required(name) {
        Ok(value) => value.parse().map_err(|_| SettingsError::Unreadable(name)),
        Err(_) => Ok(default),
    }
}

/// The version of Frontdesk that is deployed, as it stands in every appointment's history.
pub fn deployed_version() -> String {
    required("FRONTDESK_VERSION").unwrap_or_else(|_| env!("CARGO_PKG_VERSION").to_owned())
}

/// How long things wait. `TIMING_DIVISOR` makes all of it shorter, for tests.
///
/// # Errors
/// [`SettingsError::Unreadable`].
pub fn timing() -> Result<Timing, SettingsError> {
    Ok(Timing::default().divided_by(parsed_or("TIMING_DIVISOR", 1)?))
}
