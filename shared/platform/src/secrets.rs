//! The keys of Retell and Cal.com, from Secrets Manager. They are cached, and never printed.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_secretsmanager::Client;
use scheduling::ids::AccountName;
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use crate::{
    aws::{SdkConfig, error_code},
    env::{self, EnvError},
};

/// A key that was put into the secret is used everywhere after this time.
const TTL: Duration = Duration::from_secs(5 * 60);
/// The minimum age of cached keys before a rejected key refreshes them: wrong signatures cost one request in this time.
const MIN_REFRESH: Duration = Duration::from_secs(20);

/// A secret that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager does not respond, or refuses.
    #[error("failed to read the secret: {0}")]
    Unavailable(String),
    /// It has another form.
    #[error("failed to decode the secret: it is not JSON in the form that infra/README.md describes")]
    Unreadable,
}

/// The keys in a secret.
pub trait Keys: DeserializeOwned {
    /// The environment variable that names the secret.
    const VARIABLE: &'static str;
}

/// One secret, with its keys in the form `T`.
pub struct Secret<T> {
    client: Client,
    id: String,
    cached: Mutex<Option<Cached<T>>>,
}

struct Cached<T> {
    keys: Arc<T>,
    /// Secrets Manager's id of this version of the secret.
    version: Option<String>,
    read_at: Instant,
}

/// The keys of the Retell accounts: `{"main": {"current": "key_...", "previous": "key_..."}}`.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct RetellKeys(BTreeMap<AccountName, RetellAccount>);

/// The keys of one Retell account.
#[derive(Deserialize)]
struct RetellAccount {
    current: SecretString,
    #[serde(default)]
    previous: Option<SecretString>,
}

impl Keys for RetellKeys {
    const VARIABLE: &'static str = "RETELL_KEYS_SECRET";
}

impl RetellKeys {
    /// Each account with its keys, the current one first.
    pub fn accounts(&self) -> impl Iterator<Item = (&AccountName, Vec<&SecretString>)> {
        self.0
            .iter()
            .map(|(name, account)| (name, std::iter::once(&account.current).chain(&account.previous).collect()))
    }

    /// Each key with its account: the current ones, and the previous ones that are still accepted.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountName, &SecretString)> {
        self.accounts().flat_map(|(name, keys)| keys.into_iter().map(move |key| (name, key)))
    }
}

/// The keys of the Cal.com accounts: `{"salon-sommer": "cal_live_..."}`.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct CalcomKeys(BTreeMap<AccountName, SecretString>);

impl Keys for CalcomKeys {
    const VARIABLE: &'static str = "CALCOM_KEYS_SECRET";
}

impl CalcomKeys {
    /// The key of this account.
    pub fn of(&self, account: &AccountName) -> Option<&SecretString> {
        self.0.get(account)
    }
}

impl<T: Keys> Secret<T> {
    /// The secret that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { client: Client::new(config), id: env::required(T::VARIABLE)?, cached: Mutex::new(None) })
    }

    /// Reads the keys before they are needed. If that fails, the first [`Self::read`] returns the error.
    pub async fn prefetch(&self) {
        if let Err(error) = self.read().await {
            tracing::warn!(%error, "failed to prefetch the keys");
        }
    }

    /// The keys, read again when the cached ones have expired. If that fails, the cached ones stay in use.
    ///
    /// # Errors
    /// [`SecretError`], with nothing of the secret in it.
    pub async fn read(&self) -> Result<Arc<T>, SecretError> {
        self.no_older_than(TTL).await
    }

    /// Refreshes the keys after one of `rejected` failed. `None` if the secret still holds the same ones, or was
    /// read just now.
    pub async fn refresh_after(&self, rejected: &Arc<T>) -> Option<Arc<T>> {
        let keys = self.no_older_than(MIN_REFRESH).await.ok()?;
        (!Arc::ptr_eq(&keys, rejected)).then_some(keys)
    }

    /// Concurrent callers wait for one request, so that a batch reads the keys once.
    async fn no_older_than(&self, age: Duration) -> Result<Arc<T>, SecretError> {
        let mut cached = self.cached.lock().await;
        if let Some(fresh) = cached.as_ref().filter(|cached| cached.read_at.elapsed() < age) {
            return Ok(Arc::clone(&fresh.keys));
        }
        let next = match (self.fetch().await, cached.take()) {
            (Ok(read), Some(old)) if read.version.is_some() && read.version == old.version => {
                Cached { read_at: read.read_at, ..old }
            }
            (Ok(read), _) => read,
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "failed to refresh the keys; the cached ones are used");
                Cached { read_at: Instant::now(), ..old }
            }
            (Err(error), None) => return Err(error),
        };
        Ok(Arc::clone(&cached.insert(next).keys))
    }

    async fn fetch(&self) -> Result<Cached<T>, SecretError> {
        let response = self.client.get_secret_value().secret_id(&self.id).send().await;
        let response = response.map_err(|error| SecretError::Unavailable(error_code(&error)))?;
        let text = response.secret_string().ok_or(SecretError::Unreadable)?;
        let keys = serde_json::from_str(text).map_err(|_| SecretError::Unreadable)?;
        Ok(Cached { keys: Arc::new(keys), version: response.version_id, read_at: Instant::now() })
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
