//! The counters table, and what was counted of each appointment.
//!
//! What was counted of an appointment is stored beside it. Counting it again writes the difference, in one transaction
//! with the new counts, under the condition that nobody else counted it meanwhile: however often an appointment is
//! counted, it counts once.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, Update, builders::UpdateBuilder};
use chrono::NaiveDate;
use platform::{aws::SdkConfig, env::EnvError};
use quality::counters::{Counter, Counters, Dimensions};
use scheduling::{
    appointment::Appointment,
    ids::{AppointmentId, ServiceId, Source, TenantId},
};
use serde::{Deserialize, Serialize};

use crate::{
    error::StoreError,
    item::{Item, decode, encode, number, text},
    record::{UNCHANGED, Version, Versioned, versioned},
    schema::{self, BY_UNCOUNTED, COUNTED, RECORD},
    table::Table,
    transaction::{self, MAX_ITEMS, Transaction, build_put},
};

/// How many appointments are read at once: two items each, of the 100 that DynamoDB allows.
const BATCH: usize = 50;

/// The counters table, and the appointments table whose items are counted.
#[derive(Debug, Clone)]
pub struct CounterStore {
    pub(crate) table: Table,
    appointments: Table,
}

/// An appointment, with what was counted of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Countable {
    /// The appointment.
    pub appointment: Appointment,
    version: Version,
    counted: Option<Counted>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counted {
    id: AppointmentId,
    /// How often.
    times: u64,
    groups: Vec<CountedGroup>,
}

/// The counters with the same dimensions. An appointment has one or two groups, which fit into a kilobyte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CountedGroup {
    #[serde(flatten)]
    dimensions: Dimensions,
    counters: BTreeMap<Counter, i64>,
}

/// The counting of one appointment: what is written to the appointments table, and what is added to the counters.
struct Counting {
    transaction: Transaction,
    added: Counters,
}

impl Countable {
    fn counted(&self) -> Counters {
        let mut counters = Counters::default();
        for group in self.counted.iter().flat_map(|counted| &counted.groups) {
            for (counter, n) in &group.counters {
                counters.add(group.dimensions.clone(), counter.clone(), *n);
            }
        }
        counters
    }
}

impl CounterStore {
    /// The tables of these names.
    pub fn new(config: &SdkConfig, counters: String, appointments: String) -> Self {
        Self {
            table: Table::new(config, counters, schema::COUNTERS),
            appointments: Table::new(config, appointments, schema::APPOINTMENTS),
        }
    }

    /// The tables that the environment names.
    ///
    /// # Errors
    /// If a variable is missing.
    pub fn from_env(config: &SdkConfig) -> Result<Self, EnvError> {
        Ok(Self {
            table: Table::from_env(config, schema::COUNTERS)?,
            appointments: Table::from_env(config, schema::APPOINTMENTS)?,
        })
    }

    /// The appointments of these ids that exist, with what was counted of them. One that can't be decoded is logged and
    /// left out: another deployed version counts it.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn countable(&self, ids: &[AppointmentId]) -> Result<Vec<Countable>, StoreError> {
        let mut found = Vec::new();
        for ids in ids.chunks(BATCH) {
            let keys = ids.iter().flat_map(|id| [(id, RECORD), (id, COUNTED)]);
            let keys = keys.map(|(id, item)| self.appointments.key(id.as_str(), item)).collect();
            let (mut records, mut counted): (Vec<(String, Item)>, HashMap<String, Item>) = Default::default();
            for item in self.appointments.batch_get(keys, true).await? {
                let id = item.get("id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
                if self.appointments.sort_key(&item) == Some(COUNTED) {
                    counted.insert(id, item);
                } else {
                    records.push((id, item));
                }
            }
            for (id, record) in records {
                match decode_countable(record, counted.remove(&id)) {
                    Ok(countable) => found.push(countable),
                    Err(error) => tracing::error!(appointment_id = id, %error, "failed to count an appointment"),
                }
            }
        }
        Ok(found)
    }

    /// Writes what was counted of appointments, and returns how many were written. One that another writer changes or
    /// counts at the same moment is left for the next run.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn count(&self, counted: &[(Countable, Counters)]) -> Result<usize, StoreError> {
        let mut written = 0;
        let mut batch: Vec<Counting> = Vec::new();
        for (countable, counters) in counted {
            let next = self.counting(countable, counters)?;
            if next.transaction.is_empty() {
                continue;
            }
            if self.combined(batch.iter().chain([&next]))?.len() > MAX_ITEMS {
                written += self.write_batch(std::mem::take(&mut batch)).await?;
            }
            batch.push(next);
        }
        Ok(written + self.write_batch(batch).await?)
    }

    /// In one transaction, or if one of them can't be counted now, in one transaction each.
    async fn write_batch(&self, batch: Vec<Counting>) -> Result<usize, StoreError> {
        if batch.is_empty() {
            return Ok(0);
        }
        match self.combined(&batch)?.commit(&self.table.client).await.map_err(StoreError::from) {
            Ok(()) => return Ok(batch.len()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        let mut written = 0;
        for counting in &batch {
            match self.combined([counting])?.commit(&self.table.client).await.map_err(StoreError::from) {
                Ok(()) => written += 1,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn counting(&self, countable: &Countable, counters: &Counters) -> Result<Counting, StoreError> {
        let appointment = &countable.appointment;
        let added = counters.since(&countable.counted());
        let mut transaction = Transaction::default();
        if !added.is_empty() {
            transaction.put(self.put_counted(countable, counters)?);
        }
        let record = self.appointments.key(appointment.id.as_str(), RECORD);
        if !appointment.is_in_progress() {
            let update = Update::builder()
                .table_name(&self.appointments.name)
                .set_key(Some(record))
                .update_expression("REMOVE #partition, #sort")
                .condition_expression(UNCHANGED)
                .expression_attribute_names("#partition", BY_UNCOUNTED.partition)
                .expression_attribute_names("#sort", BY_UNCOUNTED.sort)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(countable.version.0));
            transaction.update(update)?;
        } else if !transaction.is_empty() {
            // A monitor that read an older record must not undo what another one counted of a newer one.
            let check = ConditionCheck::builder()
                .table_name(&self.appointments.name)
                .set_key(Some(record))
                .condition_expression(UNCHANGED)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(countable.version.0));
            transaction.check(check)?;
        }
        Ok(Counting { transaction, added })
    }

    fn put_counted(&self, countable: &Countable, counters: &Counters) -> Result<Put, StoreError> {
        let times = countable.counted.as_ref().map_or(0, |counted| counted.times);
        let groups = counters.by_dimensions().into_iter().map(|(dimensions, counters)| CountedGroup {
            dimensions: dimensions.clone(),
            counters: counters.into_iter().map(|(counter, n)| (counter.clone(), n)).collect(),
        });
        let id = countable.appointment.id.clone();
        let mut item = encode(&Counted { id, times: times + 1, groups: groups.collect() })?;
        item.insert("item".to_owned(), text(COUNTED));
        let put = transaction::put(&self.appointments.name, item);
        build_put(match times {
            0 => put.condition_expression("attribute_not_exists(id)"),
            _ => put
                .condition_expression("#times = :times")
                .expression_attribute_names("#times", "times")
                .expression_attribute_values(":times", number(times)),
        })
    }

    /// Everything that is written when these are counted together. Each item of the counters is updated once.
    fn combined<'a>(&self, countings: impl IntoIterator<Item = &'a Counting>) -> Result<Transaction, StoreError> {
        let (mut transaction, mut added) = (Transaction::default(), Counters::default());
        for counting in countings {
            transaction.append(&counting.transaction);
            added.add_all(&counting.added);
        }
        for (dimensions, counters) in added.by_dimensions() {
            transaction.update(self.addition(dimensions, &counters)?)?;
        }
        Ok(transaction)
    }

    fn addition(&self, dimensions: &Dimensions, counters: &[(&Counter, i64)]) -> Result<UpdateBuilder, StoreError> {
        let key = self.table.key(&partition_of(&dimensions.tenant), &name_of(dimensions)?);
        let mut update = Update::builder().table_name(&self.table.name).set_key(Some(key));
        let mut terms = Vec::new();
        for (at, (counter, n)) in counters.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#c{at}"), counter.to_string())
                .expression_attribute_values(format!(":n{at}"), number(*n));
            terms.push(format!("#c{at} :n{at}"));
        }
        Ok(update.update_expression(format!("ADD {}", terms.join(", "))))
    }

    /// The counters of a tenant, from a day on.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn of_tenant(&self, tenant: &TenantId, from: NaiveDate) -> Result<Counters, StoreError> {
        let mut counters = Counters::default();
        for item in self.table.query_from(&partition_of(tenant), &format!("[\"{from}")).await? {
            let name = self.table.sort_key(&item).ok_or(StoreError::Undecodable)?;
            let dimensions = dimensions_of(tenant, name)?;
            for (name, value) in &item {
                // A counter that another deployed version added is not one of ours.
                let (Ok(counter), AttributeValue::N(n)) = (Counter::try_from(name.clone()), value) else { continue };
                counters.add(dimensions.clone(), counter, n.parse().map_err(|_| StoreError::Undecodable)?);
            }
        }
        Ok(counters)
    }
}

fn decode_countable(record: Item, counted: Option<Item>) -> Result<Countable, StoreError> {
    let Versioned { value: appointment, version } = versioned(record)?;
    Ok(Countable { appointment, version, counted: counted.map(decode).transpose()? })
}

/// A tenant's own partition: all tenants' counters of a day in one would bound how many can be counted in a second.
fn partition_of(tenant: &TenantId) -> String {
    format!("tenant#{tenant}")
}

/// The name of an item within its partition, its day first: whatever the words hold, no two items share one.
fn name_of(dimensions: &Dimensions) -> Result<String, StoreError> {
    let words = (&dimensions.day, &dimensions.source, &dimensions.service, &dimensions.version);
    serde_json::to_string(&words).map_err(|_| StoreError::Unencodable)
}

fn dimensions_of(tenant: &TenantId, name: &str) -> Result<Dimensions, StoreError> {
    let words: (NaiveDate, Source, Option<ServiceId>, String) =
        serde_json::from_str(name).map_err(|_| StoreError::Undecodable)?;
    let (day, source, service, version) = words;
    Ok(Dimensions { day, tenant: tenant.clone(), source, service, version })
}
