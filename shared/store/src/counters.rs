//! The table of figures: counters, when versions were seen, and alerts.
//!
//! What was counted of an appointment lies beside it. Counting it again writes the difference, in one transaction with
//! what was counted and the condition that nobody counted it meanwhile: however often it is counted, it counts once.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ConditionCheck, KeysAndAttributes, Put, TransactWriteItem, Update},
};
use chrono::{DateTime, NaiveDate, Utc};
use quality::{
    figures::{Dimensions, Counter, Counters},
    rules::{Scope, Evaluation},
    versions::VersionActivity,
};
use scheduling::{
    appointment::Appointment,
    ids::{AppointmentId, ServiceId, Source, TenantId},
};
use serde::{Deserialize, Serialize};

use super::{
    Item, StoreError, Version,
    appointments::{RECORD, UNCHANGED, built, refused, stored},
    happened,
    index::BY_UNCOUNTED,
    number, read, text, written,
};

const COUNTED: &str = "counted";
const VERSIONS: &str = "versions";
const ALERTS: &str = "alerts";
/// Before what DynamoDB did not read at once is asked for again.
const BETWEEN_READS: Duration = Duration::from_millis(50);
/// DynamoDB's limit for one transaction.
const LARGEST_TRANSACTION: usize = 100;

/// The table of figures, and that of appointments, from which they are counted.
#[derive(Debug, Clone)]
pub struct CounterStore {
    client: Client,
    table: String,
    appointments: String,
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
    figures: Vec<CountedFigure>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CountedFigure {
    #[serde(flatten)]
    cell: Dimensions,
    counter: Counter,
    n: i64,
}

/// An alert that is raised, or was and is cleared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// What was found when it was raised or cleared.
    pub standing: Evaluation,
    /// Whether there is cause for alarm.
    pub raised: bool,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether people were told.
    pub told: bool,
}

/// The counting of one appointment: the items that are written together.
struct Counting {
    items: Vec<TransactWriteItem>,
    added: Counters,
}

impl Countable {
    fn counted(&self) -> Counters {
        let mut figures = Counters::default();
        for figure in self.counted.iter().flat_map(|counted| &counted.figures) {
            figures.add(figure.cell.clone(), figure.counter.clone(), figure.n);
        }
        figures
    }
}

impl CounterStore {
    /// The tables of these names.
    pub fn new(config: &SdkConfig, table: String, appointments: String) -> Self {
        Self { client: Client::new(config), table, appointments }
    }

    /// These appointments, with what was counted of them; none that are gone. Those that another version of Frontdesk
    /// has written in a form of its own are left out, and told in the log.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn countable(&self, ids: &[AppointmentId]) -> Result<Vec<Countable>, StoreError> {
        let mut found = Vec::new();
        // Two items each, of the 100 that DynamoDB reads at once.
        for ids in ids.chunks(50) {
            let keys = ids.iter().flat_map(|id| [(id, RECORD), (id, COUNTED)]);
            let keys = keys.map(|(id, item)| key("id", id.as_str(), item)).collect();
            let (mut records, mut counted): (Vec<Item>, HashMap<String, Item>) = Default::default();
            for item in self.read_all(keys).await? {
                match (item.get("item"), item.get("id")) {
                    (Some(AttributeValue::S(name)), Some(AttributeValue::S(id))) if name == COUNTED => {
                        counted.insert(id.clone(), item);
                    }
                    _ => records.push(item),
                }
            }
            for record in records {
                let id = record.get("id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
                match read_countable(record, counted.remove(&id)) {
                    Ok(countable) => found.push(countable),
                    Err(error) => tracing::error!(appointment_id = id, %error, "an appointment can't be counted"),
                }
            }
        }
        Ok(found)
    }

    async fn read_all(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        while !keys.is_empty() {
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let wanted = wanted.map_err(|_| StoreError::Unreadable)?;
            let answer = self.client.batch_get_item().request_items(&self.appointments, wanted).send().await?;
            found.extend(answer.responses.unwrap_or_default().remove(&self.appointments).unwrap_or_default());
            let left = answer.unprocessed_keys.unwrap_or_default().remove(&self.appointments);
            keys = left.map(|left| left.keys).unwrap_or_default();
            if !keys.is_empty() {
                tokio::time::sleep(BETWEEN_READS).await;
            }
        }
        Ok(found)
    }

    /// Counts appointments as `figures` has them, and answers how many were counted. One that somebody changes or counts
    /// at the same moment is left for the next time.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn count(&self, counted: &[(Countable, Counters)]) -> Result<usize, StoreError> {
        let mut done = 0;
        let mut batch: Vec<Counting> = Vec::new();
        for (countable, figures) in counted {
            let next = self.counting(countable, figures)?;
            if next.items.is_empty() {
                continue;
            }
            if self.transaction(batch.iter().chain([&next]))?.len() > LARGEST_TRANSACTION {
                done += self.count_together(std::mem::take(&mut batch)).await?;
            }
            batch.push(next);
        }
        Ok(done + self.count_together(batch).await?)
    }

    /// In one transaction, or where one of them can't be counted now, each in its own.
    async fn count_together(&self, batch: Vec<Counting>) -> Result<usize, StoreError> {
        if batch.is_empty() {
            return Ok(0);
        }
        match self.write(self.transaction(&batch)?).await {
            Ok(()) => return Ok(batch.len()),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        let mut done = 0;
        for counting in &batch {
            match self.write(self.transaction([counting])?).await {
                Ok(()) => done += 1,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn counting(&self, countable: &Countable, figures: &Counters) -> Result<Counting, StoreError> {
        let appointment = &countable.appointment;
        let added = figures.since(&countable.counted());
        let mut items = Vec::new();
        if !added.is_empty() {
            items.push(TransactWriteItem::builder().put(self.put_counted(countable, figures)?).build());
        }
        let record = key("id", appointment.id.as_str(), RECORD);
        if appointment.is_in_progress() {
            // Or a monitor that has read an older record would undo what another one has counted of a newer one.
            if !items.is_empty() {
                items.push(TransactWriteItem::builder().condition_check(self.unchanged(record, countable)?).build());
            }
        } else {
            let update = Update::builder()
                .table_name(&self.appointments)
                .set_key(Some(record))
                .update_expression("REMOVE #hash, #range")
                .condition_expression(UNCHANGED)
                .expression_attribute_names("#hash", BY_UNCOUNTED.hash)
                .expression_attribute_names("#range", BY_UNCOUNTED.range)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", countable.version.as_number())
                .build()
                .map_err(|_| StoreError::Unreadable)?;
            items.push(TransactWriteItem::builder().update(update).build());
        }
        Ok(Counting { items, added })
    }

    fn unchanged(&self, record: Item, countable: &Countable) -> Result<ConditionCheck, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.appointments)
            .set_key(Some(record))
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", countable.version.as_number());
        check.build().map_err(|_| StoreError::Unreadable)
    }

    fn put_counted(&self, countable: &Countable, figures: &Counters) -> Result<Put, StoreError> {
        let times = countable.counted.as_ref().map_or(0, |counted| counted.times);
        let figures =
            figures.iter().map(|(cell, counter, n)| CountedFigure { cell: cell.clone(), counter: counter.clone(), n });
        let counted = Counted { id: countable.appointment.id.clone(), times: times + 1, figures: figures.collect() };
        let mut item = written(&counted)?;
        item.insert("item".to_owned(), text(COUNTED));
        let put = Put::builder().table_name(&self.appointments).set_item(Some(item));
        built(match times {
            0 => put.condition_expression("attribute_not_exists(id)"),
            _ => put
                .condition_expression("#times = :times")
                .expression_attribute_names("#times", "times")
                .expression_attribute_values(":times", number(times)),
        })
    }

    /// All that is written when these are counted together. Each cell of the figures is changed once.
    fn transaction<'a>(
        &self,
        countings: impl IntoIterator<Item = &'a Counting>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let (mut items, mut added) = (Vec::new(), Counters::default());
        for counting in countings {
            items.extend(counting.items.iter().cloned());
            added.add_all(&counting.added);
        }
        let mut cells: BTreeMap<&Dimensions, Vec<(&Counter, i64)>> = BTreeMap::new();
        for (cell, counter, n) in added.iter() {
            cells.entry(cell).or_default().push((counter, n));
        }
        for (cell, counters) in cells {
            items.push(TransactWriteItem::builder().update(self.addition(cell, &counters)?).build());
        }
        Ok(items)
    }

    fn addition(&self, cell: &Dimensions, counters: &[(&Counter, i64)]) -> Result<Update, StoreError> {
        let mut update =
            Update::builder().table_name(&self.table).set_key(Some(key("about", &about(cell.day), &name_of(cell)?)));
        let mut terms = Vec::new();
        for (at, (counter, n)) in counters.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#c{at}"), counter.to_string())
                .expression_attribute_values(format!(":n{at}"), number(*n));
            terms.push(format!("#c{at} :n{at}"));
        }
        update.update_expression(format!("ADD {}", terms.join(", "))).build().map_err(|_| StoreError::Unreadable)
    }

    async fn write(&self, items: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        sent.map(drop).map_err(refused)
    }

    /// The figures of one day.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn of_day(&self, day: NaiveDate) -> Result<Counters, StoreError> {
        let mut figures = Counters::default();
        for item in self.all_about(&about(day)).await? {
            let Some(AttributeValue::S(name)) = item.get("item") else { return Err(StoreError::Unreadable) };
            let cell = cell_of(day, name)?;
            for (name, value) in &item {
                // A counter of another version of Frontdesk is none of this one's.
                let (Ok(counter), AttributeValue::N(n)) = (Counter::try_from(name.clone()), value) else { continue };
                figures.add(cell.clone(), counter, n.parse().map_err(|_| StoreError::Unreadable)?);
            }
        }
        Ok(figures)
    }

    /// When each version was seen.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn version_activity(&self) -> Result<Vec<VersionActivity>, StoreError> {
        self.all_about(VERSIONS).await?.into_iter().map(read).collect()
    }

    /// Writes down when a version was seen, over what is written there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn see(&self, sighting: &VersionActivity) -> Result<(), StoreError> {
        let mut item = written(sighting)?;
        item.extend(key("about", VERSIONS, &sighting.version));
        self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await?;
        Ok(())
    }

    /// Every alert that is raised or was.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.all_about(ALERTS).await?.into_iter().map(read).collect()
    }

    /// Raises or clears an alert by figures that were read at its `since`. Answers whether it was not so before: of two who
    /// do it at once, one is told yes, and whoever has read older figures than the one before him is told no.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn turn(&self, alert: &Alert) -> Result<bool, StoreError> {
        const TURNS: &str = "#raised <> :raised AND #since < :since";
        let mut item = written(alert)?;
        item.extend(alert_key(&alert.standing));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = put
            .expression_attribute_names("#raised", "raised")
            .expression_attribute_names("#since", "since")
            .expression_attribute_values(":raised", AttributeValue::Bool(alert.raised))
            .expression_attribute_values(":since", since(alert)?);
        let condition = if alert.raised { format!("attribute_not_exists(about) OR {TURNS}") } else { TURNS.to_owned() };
        happened(put.condition_expression(condition).send().await.map_err(StoreError::from))
    }

    /// Takes it on to tell people of an alert that nobody was told of. Answers whether nobody else has.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn take_on(&self, alert: &Alert, now: DateTime<Utc>) -> Result<Option<Alert>, StoreError> {
        let taken = Alert { since: now, ..alert.clone() };
        Ok(self.replace(alert, &taken).await?.then_some(taken))
    }

    /// Notes that people were told of an alert, unless it has turned since.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn told(&self, alert: &Alert) -> Result<(), StoreError> {
        self.replace(alert, &Alert { told: true, ..alert.clone() }).await.map(drop)
    }

    async fn replace(&self, before: &Alert, after: &Alert) -> Result<bool, StoreError> {
        let mut item = written(after)?;
        item.extend(alert_key(&after.standing));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = put
            .condition_expression("#since = :since")
            .expression_attribute_names("#since", "since")
            .expression_attribute_values(":since", since(before)?);
        happened(put.send().await.map_err(StoreError::from))
    }

    async fn all_about(&self, about: &str) -> Result<Vec<Item>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("about = :about")
            .expression_attribute_values(":about", text(about))
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item?);
        }
        Ok(items)
    }
}

fn read_countable(record: Item, counted: Option<Item>) -> Result<Countable, StoreError> {
    let (appointment, version) = stored(record)?;
    Ok(Countable { appointment, version, counted: counted.map(read).transpose()? })
}

/// An alert's `since` as it is stored.
fn since(alert: &Alert) -> Result<AttributeValue, StoreError> {
    written(alert)?.remove("since").ok_or(StoreError::Unreadable)
}

fn about(day: NaiveDate) -> String {
    format!("day#{day}")
}

fn alert_key(standing: &Evaluation) -> Item {
    let Evaluation { rule, scope, .. } = standing;
    let scope = match scope {
        Scope::All => "all".to_owned(),
        Scope::Tenant(tenant) => format!("tenant#{tenant}"),
        Scope::Version(version) => format!("version#{version}"),
    };
    key("about", ALERTS, &format!("{rule}#{scope}"))
}

/// A cell's name within its day: whatever its words hold, no two cells share one.
fn name_of(cell: &Dimensions) -> Result<String, StoreError> {
    let words = (&cell.tenant, &cell.source, &cell.service, &cell.version);
    serde_json::to_string(&words).map_err(|_| StoreError::Unreadable)
}

fn cell_of(day: NaiveDate, name: &str) -> Result<Dimensions, StoreError> {
    let words: (TenantId, Source, Option<ServiceId>, String) =
        serde_json::from_str(name).map_err(|_| StoreError::Unreadable)?;
    let (tenant, source, service, version) = words;
    Ok(Dimensions { day, tenant, source, service, version })
}

fn key(hash: &str, value: &str, item: &str) -> Item {
    Item::from([(hash.to_owned(), text(value)), ("item".to_owned(), text(item))])
}
