//! Retell's and Cal.com's keys, from Secrets Manager. Read once, kept for five minutes, never printed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use scheduling::ids::AccountName;
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};

use crate::expiring::Expiring;

const KEPT_FOR: Duration = Duration::from_secs(5 * 60);

/// A secret that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager does not answer, or refuses.
    #[error("the secret can't be read: {0}")]
    Unavailable(String),
    /// It has another form than the README describes.
    #[error("the secret does not have the form that the README describes")]
    Unreadable,
}

/// One secret, in the form `T`.
pub struct Secret<T> {
    client: Client,
    id: String,
    kept: Expiring<(), Arc<T>>,
}

/// The keys of the Retell accounts: `{"main": {"current": "key_...", "previous": "key_..."}}`.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct RetellKeys(BTreeMap<AccountName, RetellAccount>);

/// The keys of one Retell account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetellAccount {
    current: SecretString,
    #[serde(default)]
    previous: Option<SecretString>,
}

impl RetellKeys {
    /// Each key with its account, the current ones and those that are being replaced.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountName, &SecretString)> {
        self.0.iter().flat_map(|(name, account)| {
            std::iter::once(&account.current).chain(&account.previous).map(move |key| (name, key))
        })
    }
}

/// The keys of the Cal.com accounts: `{"salon-sommer": "cal_live_..."}`.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct CalcomKeys(BTreeMap<AccountName, SecretString>);

impl CalcomKeys {
    /// The key of this account.
    pub fn of(&self, account: &AccountName) -> Option<&SecretString> {
        self.0.get(account)
    }
}

impl<T: DeserializeOwned> Secret<T> {
    /// The secret with this name or ARN.
    pub fn new(config: &SdkConfig, id: String) -> Self {
        Self { client: Client::new(config), id, kept: Expiring::new(KEPT_FOR) }
    }

    /// The keys, read again when they have been kept for five minutes.
    ///
    /// # Errors
    /// [`SecretError`], with nothing of the secret in it.
    pub async fn read(&self) -> Result<Arc<T>, SecretError> {
        if let Some(keys) = self.kept.get(&()) {
            return Ok(keys);
        }
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let answer = answer.map_err(|error| SecretError::Unavailable(crate::store::code_of(&error)))?;
        let text = answer.secret_string().ok_or(SecretError::Unreadable)?;
        let keys: Arc<T> = Arc::new(serde_json::from_str(text).map_err(|_| SecretError::Unreadable)?);
        self.kept.keep((), Arc::clone(&keys));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_may_have_a_previous_key() {
        let keys: RetellKeys =
            serde_json::from_str(r#"{"a": {"current": "1", "previous": "2"}, "b": {"current": "3"}}"#).unwrap();
        assert_eq!(keys.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "a", "b"]);
    }
}
