//! Set-up faults: event types that nobody can be booked for until somebody changes something at Cal.com.
//!
//! All of them are one partition, since there are few. A fault is opened once, however many appointments meet it, and
//! closed when one of them is booked.

use std::{sync::Arc, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Utc};
use platform::{aws::SdkConfig, env::EnvError, ttl_cache::TtlCache};
use scheduling::{
    event_type::SetupFault,
    ids::{EventTypeId, TenantId},
};
use serde::{Deserialize, Serialize};

use crate::{
    error::{StoreError, applied},
    item::{decode, encode},
    schema,
    table::Table,
};

/// The partition of the faults.
const FAULTS: &str = "setup-faults";
/// A fault that another process opened is noticed after this time: faster than anyone can fix it, so that the first
/// booking after that always counts.
const TTL: Duration = Duration::from_secs(5);

/// The set-up faults, in the appointments table.
#[derive(Clone)]
pub struct SetupFaults {
    table: Table,
    cache: Arc<TtlCache<(), Arc<Vec<OpenFault>>>>,
}

/// An event type of a tenant that nobody can be booked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFault {
    /// The tenant.
    pub tenant: TenantId,
    /// The event type.
    pub event_type: EventTypeId,
    /// What to change, and where.
    pub problem: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When one of the waiting appointments was last tried again.
    pub tried_at: DateTime<Utc>,
    /// Whether an appointment was booked since: all others go on.
    #[serde(default)]
    pub is_mended: bool,
}

impl OpenFault {
    fn name(&self) -> String {
        name_of(&self.tenant, self.event_type)
    }
}

fn name_of(tenant: &TenantId, event_type: EventTypeId) -> String {
    format!("{tenant}#{event_type}")
}

impl SetupFaults {
    /// The faults in the table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self { table: Table::from_env(config, schema::APPOINTMENTS)?, cache: Arc::new(TtlCache::new(TTL)) })
    }

    /// Every fault. One that this deployed version can't read is left out.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn all(&self) -> Result<Arc<Vec<OpenFault>>, StoreError> {
        let items = self.table.query(FAULTS, "").await?;
        let faults: Arc<Vec<OpenFault>> = Arc::new(items.into_iter().filter_map(|item| decode(item).ok()).collect());
        self.cache.insert((), Arc::clone(&faults));
        Ok(faults)
    }

    /// Opens a fault. Returns `false` if it is open, so that people are notified once for each event type.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn open(
        &self,
        tenant: &TenantId,
        event_type: EventTypeId,
        fault: &SetupFault,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let fault = OpenFault {
            tenant: tenant.clone(),
            event_type,
            problem: fault.to_string(),
            since: now,
            tried_at: now,
            is_mended: false,
        };
        let mut item = encode(&fault)?;
        item.extend(self.table.key(FAULTS, &fault.name()));
        let put = self.table.client.put_item().table_name(&self.table.name).set_item(Some(item));
        self.cache.remove(&());
        applied(put.condition_expression("attribute_not_exists(id)").send().await.map_err(StoreError::from))
    }

    /// Notes that an appointment was booked, if the event type had a fault. Returns whether it had one.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn mend(&self, tenant: &TenantId, event_type: EventTypeId) -> Result<bool, StoreError> {
        let known = match self.cache.get(&()) {
            Some(known) => known,
            None => self.all().await?,
        };
        if !known.iter().any(|fault| fault.tenant == *tenant && fault.event_type == event_type) {
            return Ok(false);
        }
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(self.table.key(FAULTS, &name_of(tenant, event_type))))
            .update_expression("SET is_mended = :yes")
            .condition_expression("attribute_exists(id)")
            .expression_attribute_values(":yes", AttributeValue::Bool(true));
        self.cache.remove(&());
        applied(update.send().await.map_err(StoreError::from))
    }

    /// Takes the right to try one appointment again. Returns `false` if another run was first.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn take_trial(&self, fault: &OpenFault, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(self.table.key(FAULTS, &fault.name())))
            .update_expression("SET tried_at = :now")
            .condition_expression("tried_at = :seen")
            .expression_attribute_values(":now", encode_instant(now)?)
            .expression_attribute_values(":seen", encode_instant(fault.tried_at)?);
        applied(update.send().await.map_err(StoreError::from))
    }

    /// Closes a fault, once all that waited for it go on.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn close(&self, fault: &OpenFault) -> Result<(), StoreError> {
        let delete = self.table.client.delete_item().table_name(&self.table.name);
        delete.set_key(Some(self.table.key(FAULTS, &fault.name()))).send().await?;
        self.cache.remove(&());
        Ok(())
    }
}

/// An instant in the form in which it is stored inside a value.
fn encode_instant(at: DateTime<Utc>) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(at).map_err(|_| StoreError::Unencodable)
}
