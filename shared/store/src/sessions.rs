//! The sessions of people who signed in to the desk. A session's secret is stored as its hash alone.

use chrono::{DateTime, Utc};
use platform::{aws::SdkConfig, env::EnvError};
use scheduling::{ids::TenantId, personal::Personal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    error::{StoreError, applied},
    item::{decode, encode, number},
    schema,
    table::Table,
    transaction::{build_put, put, write_one},
};

/// The sessions table.
#[derive(Debug, Clone)]
pub struct Sessions {
    table: Table,
}

/// What a cookie holds: whose session it is, and the secret that proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// The person's id at the user pool.
    pub person: String,
    /// The secret.
    pub secret: String,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// The name that is shown and recorded.
    pub name: Personal<String>,
    /// The tenants to which it has access; `None` for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<TenantId>>,
    /// What each of its forms carries.
    pub csrf: String,
    /// Proves to the user pool that the person may still sign in.
    pub refresh_token: Personal<String>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when it is used without asking the user pool again.
    pub trusted_until: DateTime<Utc>,
    /// When it ends.
    pub ends_at: DateTime<Utc>,
    /// Whether its pages are in English.
    #[serde(default)]
    pub is_english: bool,
}

impl SessionKey {
    fn item(&self) -> String {
        Sha256::digest(self.secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Sessions {
    /// The table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { table: Table::from_env(config, schema::SESSIONS)? })
    }

    /// Opens a connection, so that the first request is sent sooner.
    pub async fn connect(&self) {
        self.table.connect().await;
    }

    /// The session of a key, unless it has ended.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn load(&self, key: &SessionKey, now: DateTime<Utc>) -> Result<Option<StoredSession>, StoreError> {
        let item = self.table.get_consistent(&key.person, &key.item()).await?;
        let session: Option<StoredSession> = item.map(decode).transpose()?;
        Ok(session.filter(|session| session.ends_at > now))
    }

    /// Stores a new session.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn begin(&self, key: &SessionKey, session: &StoredSession) -> Result<(), StoreError> {
        let put = put(&self.table.name, self.item_of(key, session)?);
        write_one(&self.table.client, build_put(put)?).await
    }

    /// Stores a changed session, unless it was ended meanwhile. Returns whether it did.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn update(&self, key: &SessionKey, session: &StoredSession) -> Result<bool, StoreError> {
        let put = put(&self.table.name, self.item_of(key, session)?)
            .condition_expression("attribute_exists(#person)")
            .expression_attribute_names("#person", schema::SESSIONS.partition);
        applied(write_one(&self.table.client, build_put(put)?).await)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn end(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.table.delete_all(vec![self.table.key(&key.person, &key.item())]).await.map(drop)
    }

    /// Ends every session of a person, and returns how many there were.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn end_all(&self, person: &str) -> Result<usize, StoreError> {
        self.table.delete_all(self.table.query(person, "").await?).await
    }

    fn item_of(&self, key: &SessionKey, session: &StoredSession) -> Result<crate::item::Item, StoreError> {
        let mut item = encode(session)?;
        item.extend(self.table.key(&key.person, &key.item()));
        item.insert("expires_at".to_owned(), number(session.ends_at.timestamp()));
        Ok(item)
    }
}
