//! Values about a person. They are stored, but no log line, error or debug output shows them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value about a person, such as a name, a number or an email.
///
/// It serializes as the value itself, as the store needs, and prints as `[personal]`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Marks `value` as personal.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. Each call is a place to check where the value goes.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_value_is_stored_and_not_printed() {
        let name = Personal::new("Erika Muster".to_owned());
        assert_eq!(format!("{name:?}"), "[personal]");
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"Erika Muster\"");
    }
}
