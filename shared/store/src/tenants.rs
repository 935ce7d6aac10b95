//! The table of tenants: who they are, whose calls are theirs, and which hosts are their staff.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem},
};
use chrono::{DateTime, Utc};
use scheduling::{
    assignment::{HostMapping, MappingSource},
    ids::{AgentId, HostId, TenantId},
    tenant::Tenant,
};
use serde::Deserialize;

use super::{Item, StoreError, appointments, happened, read, text, written};
use crate::expiring::TtlCache;

const TENANT: &str = "tenant";
const ROUTE: &str = "route";
/// A change to a tenant is seen everywhere after this time.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// DynamoDB's limit for one transaction.
const LARGEST_TRANSACTION: usize = 100;
/// DynamoDB's limit for one batch of reads.
const LARGEST_BATCH_GET: usize = 100;

/// The table of tenants. What was read is kept for a minute.
pub struct Tenants {
    client: Client,
    table: String,
    tenants: TtlCache<TenantId, Arc<Tenant>>,
    routes: TtlCache<String, TenantId>,
}

/// A tenant with its host mappings, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRecord {
    /// The tenant.
    pub tenant: Tenant,
    /// Its host mappings, by host.
    pub mappings: Vec<HostMapping>,
}

impl Tenants {
    /// The table of this name.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table, tenants: TtlCache::new(KEPT_FOR), routes: TtlCache::new(KEPT_FOR) }
    }

    /// Opens a connection, by asking for what no tenant has: whatever is asked for next comes sooner.
    pub async fn connect(&self) {
        let request = self.client.get_item().table_name(&self.table);
        let asked = request.key("key", text("none")).key("item", text("none")).send().await;
        if let Err(error) = asked {
            tracing::warn!(error = super::code_of(&error), "DynamoDB can't be reached yet");
        }
    }

    /// The tenant of a call: by the agent that answered, else by the number that was called.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn of_call(
        &self,
        agent: Option<&AgentId>,
        number: Option<&str>,
    ) -> Result<Option<Arc<Tenant>>, StoreError> {
        let keys: Vec<String> = agent.map(agent_key).into_iter().chain(number.map(number_key)).collect();
        // Only the first may be known from before: one that comes later counts where the first is nobody's.
        let tenant = match keys.first().and_then(|key| self.routes.get(key)) {
            Some(tenant) => Some(tenant),
            None => self.read_routes(&keys).await?,
        };
        match tenant {
            Some(id) => self.load(&id).await,
            None => Ok(None),
        }
    }

    /// The tenant of this id.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn load(&self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        if let Some(tenant) = self.tenants.get(id) {
            return Ok(Some(tenant));
        }
        let request = self.client.get_item().table_name(&self.table);
        let found = request.key("key", text(tenant_key(id))).key("item", text(TENANT)).send().await?;
        let Some(item) = found.item else { return Ok(None) };
        let tenant = Arc::new(read::<Tenant>(without_keys(item))?);
        self.tenants.keep(id.clone(), Arc::clone(&tenant));
        Ok(Some(tenant))
    }

    /// The mappings of these hosts.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn mappings(&self, tenant: &TenantId, hosts: &[HostId]) -> Result<Vec<HostMapping>, StoreError> {
        let hosts: BTreeSet<&HostId> = hosts.iter().collect();
        let keys: Vec<Item> = hosts.into_iter().map(|host| key(&tenant_key(tenant), &host_item(*host))).collect();
        let items = self.get_all(keys).await?;
        items.into_iter().map(|item| read(without_keys(item))).collect()
    }

    /// Keeps a mapping that Frontdesk found out. Answers whether it did: an operator's mapping of the host stays.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn learn(&self, mapping: &HostMapping) -> Result<bool, StoreError> {
        let put = put_learned(mapping, &self.table)?;
        let request = self.client.put_item().table_name(put.table_name).set_item(Some(put.item));
        let request = request
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values);
        happened(request.send().await.map_err(StoreError::from))
    }

    /// A tenant as it is stored, with every host mapping.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn record(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#key = :key")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":key", text(tenant_key(id)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let (mut tenant, mut mappings) = (None, Vec::new());
        while let Some(item) = pages.next().await {
            let item = item?;
            match item.get("item") {
                Some(AttributeValue::S(name)) if name == TENANT => tenant = Some(read(without_keys(item))?),
                _ => mappings.push(read(without_keys(item))?),
            }
        }
        Ok(tenant.map(|tenant| TenantRecord { tenant, mappings }))
    }

    /// Which of the tenant's agents and numbers are another tenant's already.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn taken_routes(&self, tenant: &Tenant) -> Result<Vec<(String, TenantId)>, StoreError> {
        let keys: Vec<Item> = routes_of(tenant).iter().map(|route| key(route, ROUTE)).collect();
        let routes = self.get_all(keys).await?.into_iter().map(read::<Route>);
        let others = routes.filter(|route| !matches!(route, Ok(route) if route.tenant == tenant.id));
        others.map(|route| route.map(|route| (route.key, route.tenant))).collect()
    }

    /// Writes a tenant with the mappings from its file over what was `before`. Routes and operator's mappings that are
    /// gone from the file are taken away; mappings that Frontdesk found out by itself stay.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where one of its agents or numbers became another tenant's meanwhile.
    pub async fn write(
        &self,
        tenant: &Tenant,
        before: Option<&TenantRecord>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut stripped = tenant.clone();
        let mapped = std::mem::take(&mut stripped.host_mappings);
        let mut changes = Vec::new();
        for route in routes_of(tenant) {
            let mut item = key(&route, ROUTE);
            item.insert("tenant".to_owned(), text(tenant.id.as_str()));
            changes.push(self.put(item, Some(("attribute_not_exists(#key) OR #tenant = :tenant", &tenant.id)))?);
        }
        for mapping in &mapped {
            let mapping = HostMapping {
                tenant: tenant.id.clone(),
                host: mapping.host,
                staff: mapping.staff.clone(),
                source: MappingSource::Operator,
                since: now,
            };
            changes.push(self.put(mapping_item(&mapping)?, None)?);
        }
        if let Some(before) = before {
            let kept_routes = routes_of(tenant);
            for route in routes_of(&before.tenant).iter().filter(|route| !kept_routes.contains(route)) {
                changes.push(self.delete(key(route, ROUTE))?);
            }
            let is_gone = |mapping: &&HostMapping| {
                mapping.source == MappingSource::Operator && mapped.iter().all(|kept| kept.host != mapping.host)
            };
            for mapping in before.mappings.iter().filter(is_gone) {
                changes.push(self.delete(key(&tenant_key(&tenant.id), &host_item(mapping.host)))?);
            }
        }
        let mut item = written(&stripped)?;
        item.extend(key(&tenant_key(&tenant.id), TENANT));
        changes.push(self.put(item, None)?);
        self.apply(changes).await
    }

    /// Takes a tenant out: its routes first, so that no call finds half of it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn remove(&self, record: &TenantRecord) -> Result<(), StoreError> {
        let own_key = tenant_key(&record.tenant.id);
        let routes = routes_of(&record.tenant).into_iter().map(|route| key(&route, ROUTE));
        let mappings = record.mappings.iter().map(|mapping| key(&own_key, &host_item(mapping.host)));
        let all = routes.chain(mappings).chain([key(&own_key, TENANT)]);
        self.apply(all.map(|key| self.delete(key)).collect::<Result<_, _>>()?).await
    }

    async fn read_routes(&self, keys: &[String]) -> Result<Option<TenantId>, StoreError> {
        let wanted = keys.iter().map(|route| key(route, ROUTE)).collect();
        let found = self.get_all(wanted).await?.into_iter().map(read::<Route>).collect::<Result<Vec<_>, _>>()?;
        // The order of the keys decides, not that of the answer.
        let Some(route) = keys.iter().find_map(|key| found.iter().find(|route| route.key == *key)) else {
            return Ok(None);
        };
        self.routes.keep(route.key.clone(), route.tenant.clone());
        Ok(Some(route.tenant.clone()))
    }

    /// Reads several items at once. `keys` names each of them once: DynamoDB refuses to be asked twice.
    async fn get_all(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for chunk in keys.chunks(LARGEST_BATCH_GET) {
            let mut wanted = chunk.to_vec();
            while !wanted.is_empty() {
                let wanted_here = KeysAndAttributes::builder().set_keys(Some(wanted)).build();
                let wanted_here = wanted_here.map_err(|_| StoreError::Unreadable)?;
                let answer = self.client.batch_get_item().request_items(&self.table, wanted_here).send().await?;
                found.extend(answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default());
                let left = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
                wanted = left.map(|left| left.keys).unwrap_or_default();
            }
        }
        Ok(found)
    }

    fn put(&self, item: Item, condition: Option<(&str, &TenantId)>) -> Result<TransactWriteItem, StoreError> {
        let mut put = Put::builder().table_name(&self.table).set_item(Some(item));
        if let Some((condition, tenant)) = condition {
            put = put
                .condition_expression(condition)
                .expression_attribute_names("#key", "key")
                .expression_attribute_names("#tenant", "tenant")
                .expression_attribute_values(":tenant", text(tenant.as_str()));
        }
        Ok(TransactWriteItem::builder().put(appointments::built(put)?).build())
    }

    fn delete(&self, key: Item) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(key)).build();
        Ok(TransactWriteItem::builder().delete(delete.map_err(|_| StoreError::Unreadable)?).build())
    }

    /// In one transaction, or in several where it is too large for one.
    async fn apply(&self, changes: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        for chunk in changes.chunks(LARGEST_TRANSACTION) {
            let sent = self.client.transact_write_items().set_transact_items(Some(chunk.to_vec())).send().await;
            sent.map_err(appointments::refused)?;
        }
        Ok(())
    }
}

/// The put of a mapping that Frontdesk found out: it replaces its like and never an operator's.
///
/// An operator's mapping decides before an email is looked at, so the one that was learned can only meet an operator's
/// that was written meanwhile; then nothing is written and the assignment is looked for once more.
pub(super) fn put_learned(mapping: &HostMapping, table: &str) -> Result<Put, StoreError> {
    appointments::built(
        Put::builder()
            .table_name(table)
            .set_item(Some(mapping_item(mapping)?))
            .condition_expression("attribute_not_exists(#key) OR #source <> :operator")
            .expression_attribute_names("#key", "key")
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":operator", text("operator")),
    )
}

#[derive(Deserialize)]
struct Route {
    key: String,
    tenant: TenantId,
}

fn mapping_item(mapping: &HostMapping) -> Result<Item, StoreError> {
    let mut item = written(mapping)?;
    item.extend(key(&tenant_key(&mapping.tenant), &host_item(mapping.host)));
    Ok(item)
}

fn routes_of(tenant: &Tenant) -> Vec<String> {
    let agents = tenant.retell.agent_ids.iter().map(agent_key);
    agents.chain(tenant.retell.numbers.iter().map(|number| number_key(number))).collect()
}

fn tenant_key(id: &TenantId) -> String {
    format!("tenant#{id}")
}

fn agent_key(id: &AgentId) -> String {
    format!("agent#{id}")
}

fn number_key(number: &str) -> String {
    format!("number#{number}")
}

fn host_item(host: HostId) -> String {
    format!("host#{host}")
}

fn key(partition: &str, item: &str) -> Item {
    HashMap::from([("key".to_owned(), text(partition)), ("item".to_owned(), text(item))])
}

fn without_keys(mut item: Item) -> Item {
    item.remove("key");
    item.remove("item");
    item
}
