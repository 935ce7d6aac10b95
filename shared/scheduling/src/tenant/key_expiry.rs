//! When a tenant's Cal.com key expires.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// When a key expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyExpiry {
    /// Never.
    Never,
    /// On this day.
    On(NaiveDate),
}

impl TryFrom<String> for KeyExpiry {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "never" => Ok(Self::Never),
            day => day.parse().map(Self::On).map_err(|_| "give a day in the form 2026-12-24, or \"never\""),
        }
    }
}

impl From<KeyExpiry> for String {
    fn from(expiry: KeyExpiry) -> Self {
        match expiry {
            KeyExpiry::Never => "never".to_owned(),
            KeyExpiry::On(day) => day.to_string(),
        }
    }
}

impl KeyExpiry {
    /// How long a key is valid for which no other choice was made, in days.
    const USUAL_DAYS: u64 = 30;

    /// The day on which a key expires that was first used on `first_used`; `None` for never.
    pub fn day(given: Option<Self>, first_used: NaiveDate) -> Option<NaiveDate> {
        match given {
            Some(Self::Never) => None,
            Some(Self::On(day)) => Some(day),
            None => first_used.checked_add_days(Days::new(Self::USUAL_DAYS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_as_one_that_expires_after_thirty_days_unless_the_file_says_otherwise() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let expires = |given: &str| {
            let given = (!given.is_empty()).then(|| KeyExpiry::try_from(given.to_owned()).unwrap());
            KeyExpiry::day(given, day("2026-12-01"))
        };
        assert_eq!(expires(""), Some(day("2026-12-31")));
        assert_eq!(expires("2027-03-01"), Some(day("2027-03-01")));
        assert_eq!(expires("never"), None);
        assert!(KeyExpiry::try_from("soon".to_owned()).is_err());
    }
}
