//! Retell's and Cal.com's keys, from Secrets Manager. Read once and kept for five minutes, read again when one does not
//! fit, and never printed.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use scheduling::ids::AccountName;
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;

/// A key that was put into the secret is used everywhere after this time.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);
/// How old keys must be to be read again because one does not fit: whoever sends wrong signatures costs one request in
/// this time.
const MIN_REFRESH: Duration = Duration::from_secs(20);

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
    kept: Mutex<Option<Kept<T>>>,
}

struct Kept<T> {
    keys: Arc<T>,
    /// What Secrets Manager calls this version of the secret.
    version: Option<String>,
    read_at: Instant,
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
        Self { client: Client::new(config), id, kept: Mutex::new(None) }
    }

    /// Reads the keys before somebody timing for them. Where they can't be read, the first who needs them is told.
    pub async fn prepare(&self) {
        if let Err(error) = self.read().await {
            tracing::warn!(%error, "the keys can't be read yet");
        }
    }

    /// The keys, read again when they have been kept for five minutes. Where they can't be read then, the kept ones are
    /// used on.
    ///
    /// # Errors
    /// [`SecretError`], with nothing of the secret in it.
    pub async fn read(&self) -> Result<Arc<T>, SecretError> {
        self.younger_than(KEPT_FOR).await
    }

    /// Other keys than those of which one did not fit: read again, unless that was done just now. Nothing where the secret
    /// still holds the same.
    pub async fn refresh_after(&self, unfit: &Arc<T>) -> Option<Arc<T>> {
        let keys = self.younger_than(MIN_REFRESH).await.ok()?;
        (!Arc::ptr_eq(&keys, unfit)).then_some(keys)
    }

    /// Whoever comes while the keys are being read timing for that, so that a batch reads them once.
    async fn younger_than(&self, age: Duration) -> Result<Arc<T>, SecretError> {
        let mut kept = self.kept.lock().await;
        if let Some(known) = kept.as_ref().filter(|known| known.read_at.elapsed() < age) {
            return Ok(Arc::clone(&known.keys));
        }
        let now = match (self.fetch().await, kept.take()) {
            (Ok(read), Some(old)) if read.version.is_some() && read.version == old.version => {
                Kept { read_at: read.read_at, ..old }
            }
            (Ok(read), _) => read,
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "the keys that are known are used on");
                Kept { read_at: Instant::now(), ..old }
            }
            (Err(error), None) => return Err(error),
        };
        Ok(Arc::clone(&kept.insert(now).keys))
    }

    async fn fetch(&self) -> Result<Kept<T>, SecretError> {
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let answer = answer.map_err(|error| SecretError::Unavailable(crate::store::code_of(&error)))?;
        let text = answer.secret_string().ok_or(SecretError::Unreadable)?;
        let keys = serde_json::from_str(text).map_err(|_| SecretError::Unreadable)?;
        Ok(Kept { keys: Arc::new(keys), version: answer.version_id, read_at: Instant::now() })
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
