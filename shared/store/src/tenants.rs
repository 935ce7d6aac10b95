//! The tenants table: tenants, the agents and numbers of their calls, and their host mappings.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aws_sdk_dynamodb::types::{Delete, Put, Update};
use chrono::{DateTime, Utc};
use platform::{aws::SdkConfig, env::EnvError, ttl_cache::TtlCache};
use scheduling::{
    assignment::{HostMapping, MappingSource},
    ids::{AgentId, HostId, TenantId},
    tenant::Tenant,
};
use serde::Deserialize;

use crate::{
    error::{StoreError, applied},
    item::{Item, decode, encode, take_text, text, timestamp},
    schema,
    table::Table,
    transaction::{Transaction, build_put, put, write_one},
};

/// The sort keys of a tenant and of a route.
const TENANT: &str = "tenant";
const ROUTE: &str = "route";
/// The partition in which every tenant is listed.
const REGISTRY: &str = "tenants";
/// A change to a tenant is used everywhere after this time.
const TTL: Duration = Duration::from_secs(60);

/// The tenants table. Tenants and routes are cached for a minute.
pub struct Tenants {
    table: Table,
    tenants: TtlCache<TenantId, Arc<Tenant>>,
    /// The tenant of each agent and number, or that none has it.
    routes: TtlCache<String, Option<TenantId>>,
}

/// A tenant with its host mappings, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRecord {
    /// The tenant.
    pub tenant: Tenant,
    /// Its host mappings.
    pub mappings: Vec<HostMapping>,
}

/// The tenant to which an agent or a number belongs.
#[derive(Deserialize)]
struct Route {
    key: String,
    tenant: TenantId,
}

impl Tenants {
    /// The table of this name.
    pub fn new(config: &SdkConfig, name: String) -> Self {
        Self::of_table(Table::new(config, name, schema::TENANTS))
    }

    /// The table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Table::from_env(config, schema::TENANTS).map(Self::of_table)
    }

    fn of_table(table: Table) -> Self {
        Self { table, tenants: TtlCache::new(TTL), routes: TtlCache::new(TTL) }
    }

    /// Opens a connection, so that the first request is sent sooner.
    pub async fn connect(&self) {
        self.table.connect().await;
    }

    /// The tenant of a call: by the number that was called, else by the agent that answered. An agent may answer the
    /// numbers of several tenants.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn of_call(
        &self,
        agent: Option<&AgentId>,
        number: Option<&str>,
    ) -> Result<Option<Arc<Tenant>>, StoreError> {
        let keys: Vec<String> = number.map(number_key).into_iter().chain(agent.map(agent_key)).collect();
        for id in self.read_routes(keys).await? {
            // A route may outlive its tenant for a moment.
            if let Some(tenant) = self.load(&id).await? {
                return Ok(Some(tenant));
            }
        }
        Ok(None)
    }

    /// The tenant of this id.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn load(&self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        if let Some(tenant) = self.tenants.get(id) {
            return Ok(Some(tenant));
        }
        let Some(tenant) = self.read(id).await?.map(Arc::new) else { return Ok(None) };
        self.tenants.insert(id.clone(), Arc::clone(&tenant));
        Ok(Some(tenant))
    }

    /// The tenant of this id, past the cache, for a caller that reads every tenant once.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn read(&self, id: &TenantId) -> Result<Option<Tenant>, StoreError> {
        let item = self.table.get(&tenant_key(id), TENANT).await?;
        item.map(|item| decode(self.table.without_key(item))).transpose()
    }

    /// The mappings of these hosts.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn mappings(&self, tenant: &TenantId, hosts: &[HostId]) -> Result<Vec<HostMapping>, StoreError> {
        let hosts: BTreeSet<&HostId> = hosts.iter().collect();
        let keys = hosts.into_iter().map(|host| self.table.key(&tenant_key(tenant), &host_item(*host))).collect();
        let items = self.table.batch_get(keys, false).await?;
        items.into_iter().map(|item| decode(self.table.without_key(item))).collect()
    }

    /// Stores a mapping that Frontdesk found. Returns whether it did: an operator's mapping of the host stays.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn add_mapping(&self, mapping: &HostMapping) -> Result<bool, StoreError> {
        applied(write_one(&self.table.client, put_found_mapping(mapping, self)?).await)
    }

    /// Stores a mapping that a person made at the desk. Returns whether it did: one of the tenant file stays.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn map_host(&self, mapping: &HostMapping) -> Result<bool, StoreError> {
        let put = put(&self.table.name, self.mapping_item(mapping)?)
            .condition_expression("attribute_not_exists(#key) OR #source <> :operator")
            .expression_attribute_names("#key", schema::TENANTS.partition)
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":operator", text("operator"));
        applied(write_one(&self.table.client, build_put(put)?).await)
    }

    /// Deletes a mapping that Frontdesk found. Returns whether it did: an operator's mapping stays.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn forget_mapping(&self, tenant: &TenantId, host: HostId) -> Result<bool, StoreError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name);
        let delete = delete
            .set_key(Some(self.table.key(&tenant_key(tenant), &host_item(host))))
            .condition_expression("attribute_exists(#key) AND #source <> :operator")
            .expression_attribute_names("#key", schema::TENANTS.partition)
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":operator", text("operator"));
        applied(delete.send().await.map_err(StoreError::from))
    }

    /// A page of the tenants' ids after one of them, and whether there are more.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn page(&self, after: Option<&TenantId>) -> Result<(Vec<TenantId>, bool), StoreError> {
        const PAGE: i32 = 200;
        let (ids, has_more) = self.table.sort_keys_after(REGISTRY, after.map(TenantId::as_str), PAGE).await?;
        Ok((ids.into_iter().map(TenantId::new).collect(), has_more))
    }

    /// Every tenant by its id, with its name.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn list(&self) -> Result<Vec<(TenantId, String)>, StoreError> {
        let mut tenants = Vec::new();
        for mut item in self.table.query(REGISTRY, "").await? {
            let id = TenantId::new(self.table.sort_key(&item).unwrap_or_default());
            tenants.push((id, take_text(&mut item, "name")?));
        }
        Ok(tenants)
    }

    /// Since when a tenant is loaded. `None` if that is not known.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn loaded_at(&self, id: &TenantId) -> Result<Option<DateTime<Utc>>, StoreError> {
        #[derive(Deserialize)]
        struct Entry {
            #[serde(default)]
            loaded_at: Option<DateTime<Utc>>,
        }
        let item = self.table.get(REGISTRY, id.as_str()).await?;
        Ok(item.map(decode::<Entry>).transpose()?.and_then(|entry| entry.loaded_at))
    }

    /// A stored tenant with every host mapping.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn record(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
        let (mut tenant, mut mappings) = (None, Vec::new());
        for item in self.table.query(&tenant_key(id), "").await? {
            if self.table.sort_key(&item) == Some(TENANT) {
                tenant = Some(decode(self.table.without_key(item))?);
            } else {
                mappings.push(decode(self.table.without_key(item))?);
            }
        }
        Ok(tenant.map(|tenant| TenantRecord { tenant, mappings }))
    }

    /// The tenant's agents and numbers that belong to another tenant.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn taken_routes(&self, tenant: &Tenant) -> Result<Vec<(String, TenantId)>, StoreError> {
        let routes = self.get_routes(&routes_of(tenant)).await?;
        let others = routes.into_iter().filter(|route| route.tenant != tenant.id);
        Ok(others.map(|route| (route.key, route.tenant)).collect())
    }

    /// Writes a tenant with the mappings from its file over what was `before`. Routes and operator's mappings that are
    /// no longer in the file are deleted; mappings that Frontdesk found stay.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if one of its agents or numbers became another tenant's meanwhile.
    pub async fn write(
        &self,
        tenant: &Tenant,
        before: Option<&TenantRecord>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut stripped = tenant.clone();
        let mapped = std::mem::take(&mut stripped.host_mappings);
        let mut changes = Transaction::default();
        for route in routes_of(tenant) {
            let mut item = self.table.key(&route, ROUTE);
            item.insert("tenant".to_owned(), text(tenant.id.as_str()));
            changes.put(build_put(
                put(&self.table.name, item)
                    .condition_expression("attribute_not_exists(#key) OR #tenant = :tenant")
                    .expression_attribute_names("#key", schema::TENANTS.partition)
                    .expression_attribute_names("#tenant", "tenant")
                    .expression_attribute_values(":tenant", text(tenant.id.as_str())),
            )?);
        }
        changes.update(
            Update::builder()
                .table_name(&self.table.name)
                .set_key(Some(self.table.key(REGISTRY, tenant.id.as_str())))
                .update_expression("SET #name = :name, loaded_at = if_not_exists(loaded_at, :since)")
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":name", text(&tenant.name))
                // Since when a tenant is loaded that another version loaded is not known.
                .expression_attribute_values(":since", timestamp(before.map_or(now, |_| DateTime::UNIX_EPOCH))),
        )?;
        for mapping in &mapped {
            let mapping = HostMapping {
                tenant: tenant.id.clone(),
                host: mapping.host,
                staff: mapping.staff.clone(),
                source: MappingSource::Operator,
                since: now,
            };
            changes.put(build_put(put(&self.table.name, self.mapping_item(&mapping)?))?);
        }
        if let Some(before) = before {
            let kept_routes = routes_of(tenant);
            for route in routes_of(&before.tenant).iter().filter(|route| !kept_routes.contains(route)) {
                self.delete(&mut changes, self.table.key(route, ROUTE))?;
            }
            let is_gone = |mapping: &&HostMapping| {
                mapping.source == MappingSource::Operator && mapped.iter().all(|kept| kept.host != mapping.host)
            };
            for mapping in before.mappings.iter().filter(is_gone) {
                self.delete(&mut changes, self.table.key(&tenant_key(&tenant.id), &host_item(mapping.host)))?;
            }
        }
        let mut item = encode(&stripped)?;
        item.extend(self.table.key(&tenant_key(&tenant.id), TENANT));
        changes.put(build_put(put(&self.table.name, item))?);
        changes.commit_in_chunks(&self.table.client).await
    }

    /// Deletes a tenant: its routes first, so that no call finds half of it.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn remove(&self, record: &TenantRecord) -> Result<(), StoreError> {
        let own_key = tenant_key(&record.tenant.id);
        let routes = routes_of(&record.tenant).into_iter().map(|route| self.table.key(&route, ROUTE));
        let mappings = record.mappings.iter().map(|mapping| self.table.key(&own_key, &host_item(mapping.host)));
        let mut changes = Transaction::default();
        let entry = self.table.key(REGISTRY, record.tenant.id.as_str());
        for key in routes.chain(mappings).chain([entry, self.table.key(&own_key, TENANT)]) {
            self.delete(&mut changes, key)?;
        }
        changes.commit_in_chunks(&self.table.client).await
    }

    /// The tenants that these routes lead to, in the order of the routes.
    async fn read_routes(&self, keys: Vec<String>) -> Result<Vec<TenantId>, StoreError> {
        let mut known: BTreeMap<String, Option<TenantId>> =
            keys.iter().filter_map(|key| Some((key.clone(), self.routes.get(key)?))).collect();
        let unknown: Vec<String> = keys.iter().filter(|key| !known.contains_key(*key)).cloned().collect();
        if !unknown.is_empty() {
            let mut found = self.get_routes(&unknown).await?;
            for key in unknown {
                let at = found.iter().position(|route| route.key == key);
                let tenant = at.map(|at| found.swap_remove(at).tenant);
                self.routes.insert(key.clone(), tenant.clone());
                known.insert(key, tenant);
            }
        }
        Ok(keys.iter().filter_map(|key| known.remove(key).flatten()).collect())
    }

    async fn get_routes(&self, keys: &[String]) -> Result<Vec<Route>, StoreError> {
        let keys = keys.iter().map(|route| self.table.key(route, ROUTE)).collect();
        self.table.batch_get(keys, false).await?.into_iter().map(decode).collect()
    }

    fn mapping_item(&self, mapping: &HostMapping) -> Result<Item, StoreError> {
        let mut item = encode(mapping)?;
        item.extend(self.table.key(&tenant_key(&mapping.tenant), &host_item(mapping.host)));
        Ok(item)
    }

    fn delete(&self, changes: &mut Transaction, key: Item) -> Result<(), StoreError> {
        changes.delete(Delete::builder().table_name(&self.table.name).set_key(Some(key)))
    }
}

/// The put of a mapping that Frontdesk found. It may replace another automatic mapping, never a person's.
///
/// An operator's mapping takes precedence over an email match, so a found mapping can only meet an operator's that was
/// written meanwhile; then nothing is written, and the assignment is retried.
pub(crate) fn put_found_mapping(mapping: &HostMapping, tenants: &Tenants) -> Result<Put, StoreError> {
    build_put(
        put(&tenants.table.name, tenants.mapping_item(mapping)?)
            .condition_expression("attribute_not_exists(#key) OR NOT #source IN (:operator, :desk)")
            .expression_attribute_names("#key", schema::TENANTS.partition)
            .expression_attribute_names("#source", "source")
            .expression_attribute_values(":operator", text("operator"))
            .expression_attribute_values(":desk", text("desk")),
    )
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
