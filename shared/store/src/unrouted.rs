//! Events of calls that belong to no tenant yet, in the calls table.
//!
//! A route is what would have led to a tenant: the account with the agent and the number. The routes of an account are one
//! partition, and the events of a route another, so that looking for routes reads no bodies.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use platform::{
    aws::SdkConfig,
    env::{self, EnvError},
};
use scheduling::ids::{AccountName, AgentId, CallId};
use serde::{Deserialize, Serialize};

use crate::{
    blob,
    error::StoreError,
    item::{Item, bytes, decode, encode, fingerprint, number, take_bytes, take_text, text},
    schema,
    table::Table,
    transaction::{Transaction, build_put, put},
};

/// Calls that belong to no tenant yet.
#[derive(Debug, Clone)]
pub struct UnroutedCalls {
    table: Table,
    retention: TimeDelta,
}

/// The account, agent and number of calls that belong to no tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnroutedRoute {
    /// The Retell account.
    pub account: AccountName,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The business's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When the first of the calls was received.
    pub since: DateTime<Utc>,
}

/// Names an event of a route: its call, its name and its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnroutedKey(String);

/// An event without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnroutedEvent {
    /// The call.
    pub call: CallId,
    /// Retell's name for the event.
    pub name: String,
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

impl UnroutedRoute {
    /// A route whose first call was received now.
    pub fn new(account: &AccountName, agent: Option<&AgentId>, number: Option<&str>, now: DateTime<Utc>) -> Self {
        Self { account: account.clone(), agent: agent.cloned(), number: number.map(str::to_owned), since: now }
    }

    /// What tells it from the account's other routes. A stranger may have written agent and number of any length.
    fn name(&self) -> String {
        let agent = self.agent.as_ref().map(AgentId::as_str).unwrap_or_default();
        fingerprint(format!("{agent}\n{}", self.number.as_deref().unwrap_or_default()).as_bytes())
    }

    fn partition(&self) -> String {
        format!("{}#{}", routes_of(&self.account), self.name())
    }
}

impl UnroutedEvent {
    fn prefix(&self) -> String {
        format!("{}#{}#", self.call, self.name)
    }
}

impl UnroutedCalls {
    /// The calls table and the retention that the environment names.
    ///
    /// # Errors
    /// If a variable is missing or unreadable.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        let retention = TimeDelta::days(env::parsed_or("CALL_RETENTION_DAYS", 30)?);
        Ok(Self { table: Table::from_env(config, schema::CALLS)?, retention })
    }

    /// Keeps an event, and returns whether nothing of its route was kept before.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn keep(&self, route: &UnroutedRoute, event: &UnroutedEvent, body: &[u8]) -> Result<bool, StoreError> {
        let expires_at = number((event.received_at + self.retention).timestamp());
        let digest = fingerprint(body);
        let mut parts = Transaction::default();
        for (at, part) in blob::pack(body)?.into_iter().enumerate() {
            let mut item = self.table.key(&route.partition(), &format!("{}{digest}#{at:03}", event.prefix()));
            item.insert("part".to_owned(), bytes(part));
            item.insert("call_id".to_owned(), text(event.call.as_str()));
            item.insert("name".to_owned(), text(&event.name));
            item.insert("received_at".to_owned(), text(event.received_at.to_rfc3339()));
            item.insert("expires_at".to_owned(), expires_at.clone());
            parts.put(build_put(put(&self.table.name, item))?);
        }
        parts.commit_with_retries(&self.table.client).await?;
        self.open(route, expires_at).await
    }

    /// Notes the route, or that it is still needed: it expires with its last event. Returns whether it is new.
    async fn open(&self, route: &UnroutedRoute, expires_at: AttributeValue) -> Result<bool, StoreError> {
        let mut fields = encode(route)?;
        let since = fields.remove("since").ok_or(StoreError::Unencodable)?;
        let update = self.table.client.update_item().table_name(&self.table.name);
        let mut update = update
            .set_key(Some(self.table.key(&routes_of(&route.account), &route.name())))
            .expression_attribute_values(":since", since)
            .expression_attribute_values(":expires_at", expires_at)
            .return_values(ReturnValue::UpdatedOld);
        let mut assignments =
            vec!["since = if_not_exists(since, :since)".to_owned(), "expires_at = :expires_at".to_owned()];
        for (name, value) in fields {
            assignments.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), &name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        let update = update.update_expression(format!("SET {}", assignments.join(", ")));
        // Which accounts have routes is noted each time: a call that is kept must be seen, whatever failed before.
        let account = self.table.client.put_item().table_name(&self.table.name);
        let account = account.set_item(Some(self.table.key(ACCOUNTS, route.account.as_str())));
        let (updated, _) = tokio::try_join!(async { update.send().await.map_err(StoreError::from) }, async {
            account.send().await.map_err(StoreError::from)
        })?;
        Ok(updated.attributes.is_none_or(|before| before.is_empty()))
    }

    /// The routes of an account under which something is kept.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn routes(&self, account: &AccountName) -> Result<Vec<UnroutedRoute>, StoreError> {
        let items = self.table.query(&routes_of(account), "").await?;
        items.into_iter().map(|item| decode(self.table.without_key(item))).collect()
    }

    /// The routes of all accounts under which something is kept.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn all_routes(&self) -> Result<Vec<UnroutedRoute>, StoreError> {
        let accounts = self.table.query_sort_keys(ACCOUNTS, "").await?;
        let accounts: Vec<AccountName> = accounts.into_iter().map(AccountName::new).collect();
        Ok(try_join_all(accounts.iter().map(|account| self.routes(account))).await?.into_iter().flatten().collect())
    }

    /// Whether something is kept under a route.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn is_open(&self, route: &UnroutedRoute) -> Result<bool, StoreError> {
        Ok(self.table.get(&routes_of(&route.account), &route.name()).await?.is_some())
    }

    /// Whether an event of this name of the call is kept under the route.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn has(&self, route: &UnroutedRoute, call: &CallId, name: &str) -> Result<bool, StoreError> {
        let sorts = self.table.query_sort_keys(&route.partition(), &format!("{call}#{name}#")).await?;
        Ok(!sorts.is_empty())
    }

    /// The calls that are kept under the route.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn calls(&self, route: &UnroutedRoute) -> Result<Vec<CallId>, StoreError> {
        let sorts = self.table.query_sort_keys(&route.partition(), "").await?;
        let mut calls: Vec<CallId> = sorts.iter().filter_map(|sort| sort.split('#').next()).map(CallId::new).collect();
        calls.dedup();
        Ok(calls)
    }

    /// The keys of the events of a route.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn keys(&self, route: &UnroutedRoute) -> Result<Vec<UnroutedKey>, StoreError> {
        let sorts = self.table.query_sort_keys(&route.partition(), "").await?;
        let parts = sorts.iter().filter_map(|sort| sort.rsplit_once('#'));
        let mut keys: Vec<UnroutedKey> = parts.map(|(event, _)| UnroutedKey(event.to_owned())).collect();
        keys.dedup();
        Ok(keys)
    }

    /// An event with its body. `None` if it was taken up meanwhile.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn load(
        &self,
        route: &UnroutedRoute,
        UnroutedKey(key): &UnroutedKey,
    ) -> Result<Option<(UnroutedEvent, Vec<u8>)>, StoreError> {
        let mut parts = Vec::new();
        let mut event = None;
        for mut item in self.table.query(&route.partition(), &format!("{key}#")).await? {
            parts.push(take_bytes(&mut item, "part")?);
            if event.is_none() {
                event = Some(event_in(&mut item)?);
            }
        }
        event.map(|event| Ok((event, blob::unpack(&parts)?))).transpose()
    }

    /// Deletes an event that was taken up.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn forget(&self, route: &UnroutedRoute, UnroutedKey(key): &UnroutedKey) -> Result<(), StoreError> {
        let sorts = self.table.query_sort_keys(&route.partition(), &format!("{key}#")).await?;
        let items = sorts.iter().map(|sort| self.table.key(&route.partition(), sort)).collect();
        self.table.delete_all(items).await.map(drop)
    }

    /// Deletes a route whose events were taken up.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn close(&self, route: &UnroutedRoute) -> Result<(), StoreError> {
        let key = self.table.key(&routes_of(&route.account), &route.name());
        self.table.delete_all(vec![key]).await.map(drop)
    }
}

/// The partition that names the accounts with routes. They stay: there are few.
const ACCOUNTS: &str = "unrouted";

fn routes_of(account: &AccountName) -> String {
    format!("unrouted#{account}")
}

fn event_in(item: &mut Item) -> Result<UnroutedEvent, StoreError> {
    let received_at = take_text(item, "received_at")?;
    Ok(UnroutedEvent {
        call: CallId::new(take_text(item, "call_id")?),
        name: take_text(item, "name")?,
        received_at: received_at.parse().map_err(|_| StoreError::Undecodable)?,
    })
}
