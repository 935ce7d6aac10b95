//! The update of an appointment with everything that must be written in the same step.

use aws_sdk_dynamodb::types::Put;
use chrono::{DateTime, Utc};
use scheduling::{appointment::Appointment, assignment::HostMapping, ids::BookingUid, timing::Timing};

use crate::{
    error::StoreError,
    exchanges::{self, ExchangeRecord},
    item::{number, text},
    record::{UNCHANGED, Version, item_of},
    slot_leases::SlotLease,
    table::Table,
    tenants::{Tenants, put_found_mapping},
    transaction::{RETRY_DELAY, Transaction, build_put, put, write_one},
};

/// How often the leases of an account are read while others are taken.
const MAX_LEASE_READS: u32 = 12;

/// DynamoDB accepts 4 MB and 100 items in one transaction. Exchanges beyond this are written before it.
const MAX_EXCHANGES_SIZE: usize = 2 * 1024 * 1024;
const MAX_EXCHANGES: usize = 90;

/// What happens to the slot lease.
#[derive(Debug, Clone, Copy)]
enum LeaseChange<'a> {
    Take { lease: &'a SlotLease, now: DateTime<Utc>, until: DateTime<Utc> },
    Release(&'a SlotLease),
}

/// The update of an appointment. All of it is applied together or not at all, unless exchanges are too large for one
/// transaction: those are written before.
#[must_use = "an update is written by `commit`"]
pub struct Update<'a> {
    table: &'a Table,
    timing: Timing,
    appointment: &'a Appointment,
    version: Version,
    exchanges: &'a [ExchangeRecord],
    mapping: Option<(&'a Tenants, &'a HostMapping)>,
    lease: Option<LeaseChange<'a>>,
    adopted: Option<&'a BookingUid>,
}

impl<'a> Update<'a> {
    pub(crate) fn new(table: &'a Table, timing: Timing, appointment: &'a Appointment, version: Version) -> Self {
        Self { table, timing, appointment, version, exchanges: &[], mapping: None, lease: None, adopted: None }
    }

    /// Stores exchanges with Cal.com. Nothing is stored of a customer who was erased: a response names the customer.
    pub fn exchanges(self, exchanges: &'a [ExchangeRecord]) -> Self {
        Self { exchanges, ..self }
    }

    /// Stores a host mapping that was found, if there is one.
    pub fn mapping(self, tenants: &'a Tenants, mapping: Option<&'a HostMapping>) -> Self {
        Self { mapping: mapping.map(|mapping| (tenants, mapping)), ..self }
    }

    /// Marks a booking that was not made by Frontdesk as this appointment's: no other appointment can adopt it.
    pub fn adopt(self, uid: Option<&'a BookingUid>) -> Self {
        Self { adopted: uid, ..self }
    }

    /// Takes the lease until a time, unless another holder has it.
    pub fn take(self, lease: Option<&'a SlotLease>, now: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        Self { lease: lease.map(|lease| LeaseChange::Take { lease, now, until }), ..self }
    }

    /// Releases the lease.
    pub fn release(self, lease: Option<&'a SlotLease>) -> Self {
        Self { lease: lease.map(LeaseChange::Release), ..self }
    }

    /// Writes it if the appointment is still at its version, and returns the new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another writer was first, [`StoreError::SlotTaken`] if another worker holds the
    /// lease.
    pub async fn commit(self) -> Result<Version, StoreError> {
        let (table, Version(version)) = (self.table, self.version);
        let next = Version(version + 1);
        let record = build_put(
            put(&table.name, item_of(self.appointment, next, &self.timing)?)
                .condition_expression(UNCHANGED)
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
        )?;
        let exchanges = if self.appointment.is_erased() { &[] } else { self.exchanges };
        let mut puts = exchanges::puts_of(&table.name, &self.appointment.id, version, exchanges)?;
        if puts.len() > MAX_EXCHANGES || puts.iter().map(exchanges::size_of).sum::<usize>() > MAX_EXCHANGES_SIZE {
            for put in puts.drain(..) {
                write_one(&table.client, put).await?;
            }
        }
        if let Some((tenants, mapping)) = self.mapping {
            puts.push(put_found_mapping(mapping, tenants)?);
        }
        if let Some(uid) = self.adopted {
            puts.push(put_adopted(table, uid, self.appointment)?);
        }
        if puts.is_empty() && self.lease.is_none() {
            write_one(&table.client, record).await?;
            return Ok(next);
        }
        let mut transaction = Transaction::default();
        transaction.put(record);
        puts.into_iter().for_each(|put| transaction.put(put));
        match self.lease {
            None => transaction.commit_with_retries(&table.client).await?,
            Some(LeaseChange::Take { lease, now, until }) => take(table, transaction, lease, now, until).await?,
            Some(LeaseChange::Release(lease)) => {
                let _turn = lease.turn().await;
                transaction.update(lease.release(table))?;
                match transaction.commit_with_retries(&table.client).await {
                    // Others write the leases all the time: the result comes first. What can't be released expires.
                    Err(error) if error.is_only_the_last() => {
                        transaction.without_last().commit_with_retries(&table.client).await?;
                        lease.release_alone(table).await;
                    }
                    committed => committed?,
                }
            }
        }
        Ok(next)
    }
}

/// The put that marks a booking as the appointment's.
fn put_adopted(table: &Table, uid: &BookingUid, appointment: &Appointment) -> Result<Put, StoreError> {
    let mut item = table.key(&format!("adopted#{uid}"), "adopted");
    item.insert("appointment".to_owned(), text(appointment.id.as_str()));
    build_put(
        put(&table.name, item)
            .condition_expression("attribute_not_exists(id) OR appointment = :own")
            .expression_attribute_values(":own", text(appointment.id.as_str())),
    )
}

/// Commits with the lease, if no other lease overlaps. Another one that was taken meanwhile is looked at again.
async fn take(
    table: &Table,
    transaction: Transaction,
    lease: &SlotLease,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), StoreError> {
    let _turn = lease.turn().await;
    for tries in 1..=MAX_LEASE_READS {
        let held = lease.held(table).await?;
        if held.as_ref().is_some_and(|held| lease.is_blocked_by(held, now)) {
            return Err(StoreError::SlotTaken);
        }
        let mut transaction = transaction.clone();
        transaction.update(lease.take(table, held.as_ref(), now, until)?)?;
        match transaction.commit_with_retries(&table.client).await {
            Err(error) if error.is_only_the_last() => tokio::time::sleep(RETRY_DELAY * tries).await,
            committed => return Ok(committed?),
        }
    }
    Err(StoreError::SlotTaken)
}
