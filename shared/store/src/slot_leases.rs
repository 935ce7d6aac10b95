//! Slot leases: which appointments alone may book at an account, and for what time.
//!
//! Cal.com checks whether a host is free and then books, without a lock in between: of several requests at the same
//! moment it takes all that overlap without being identical. A lease keeps Frontdesk from sending two. It is taken in
//! the transaction that claims the appointment and released in the one that stores the result; the lease of a dead worker
//! expires with its claim.
//!
//! The leases of an account are one item, so that overlaps can be seen: any two bookings of the account may share a host.
//! `taken` counts how often one was taken, and each taker requires the count at which it saw no overlap.

use aws_sdk_dynamodb::types::{Update, builders::UpdateBuilder};
use chrono::{DateTime, TimeDelta, Utc};
use scheduling::{
    ids::{AccountName, AppointmentId},
    slot::SlotSpan,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    error::StoreError,
    item::{Item, decode, group_of, number, text, timestamp},
    table::Table,
    transaction::RETRY_DELAY,
};

/// How long the item is kept after its last lease.
const KEPT_AFTER_EXPIRY: TimeDelta = TimeDelta::days(1);
/// How often a lease is released while others are taken.
const MAX_RELEASES: u32 = 5;
/// The sort key of the item.
const LEASES: &str = "leases";

/// Whose turn it is among the workers of this process; an account has one of them.
static TURNS: [Mutex<()>; 16] = [const { Mutex::const_new(()) }; 16];

/// The right to book alone at an account for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLease {
    /// The Cal.com account.
    pub account: AccountName,
    /// The time, and whose.
    pub span: SlotSpan,
    /// The appointment that holds it.
    pub holder: AppointmentId,
}

/// The leases of an account.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Leases {
    #[serde(default)]
    taken: u64,
    #[serde(default)]
    leases: BTreeMap<String, Held>,
}

#[derive(Debug, Deserialize)]
struct Held {
    until: DateTime<Utc>,
    span: String,
}

impl Leases {
    /// The spans of the leases that are valid now. One that can't be read is left out.
    pub(crate) fn spans(&self, now: DateTime<Utc>) -> Vec<SlotSpan> {
        let valid = self.leases.values().filter(|held| held.until > now);
        valid.filter_map(|held| serde_json::from_str(&held.span).ok()).collect()
    }
}

/// The leases of an account.
pub(crate) async fn held_at(account: &AccountName, table: &Table) -> Result<Option<Leases>, StoreError> {
    table.get_consistent(&partition_of(account), LEASES).await?.map(decode).transpose()
}

fn partition_of(account: &AccountName) -> String {
    format!("leases#{account}")
}

impl SlotLease {
    /// Waits until no other worker of this process writes the account's leases. Of those who write at once DynamoDB cancels
    /// all but one, and each of the others would wait and try again.
    pub(crate) async fn turn(&self) -> MutexGuard<'static, ()> {
        TURNS[group_of(self.account.as_str(), TURNS.len() as u32) as usize].lock().await
    }

    fn partition(&self) -> String {
        partition_of(&self.account)
    }

    /// The leases of the account.
    pub(crate) async fn held(&self, table: &Table) -> Result<Option<Leases>, StoreError> {
        held_at(&self.account, table).await
    }

    /// Whether another holder has a lease that overlaps. One that can't be read may overlap.
    pub(crate) fn is_blocked_by(&self, held: &Leases, now: DateTime<Utc>) -> bool {
        held.leases.iter().any(|(holder, held)| {
            let is_others = holder != self.holder.as_str() && held.until > now;
            is_others && serde_json::from_str::<SlotSpan>(&held.span).map_or(true, |span| span.overlaps(&self.span))
        })
    }

    /// The update that takes the lease until a time, if no other was taken since `held` was read. Those that have
    /// expired are removed.
    pub(crate) fn take(
        &self,
        table: &Table,
        held: Option<&Leases>,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<UpdateBuilder, StoreError> {
        let span = serde_json::to_string(&self.span).map_err(|_| StoreError::Unencodable)?;
        let entry = Item::from([("until".to_owned(), timestamp(until)), ("span".to_owned(), text(span))]);
        let update =
            self.update(table).expression_attribute_values(":expires", number((until + KEPT_AFTER_EXPIRY).timestamp()));
        let Some(held) = held else {
            let all = Item::from([(self.holder.to_string(), aws_sdk_dynamodb::types::AttributeValue::M(entry))]);
            return Ok(update
                .update_expression("SET leases = :all, taken = :next, expires_at = :expires")
                .condition_expression("attribute_not_exists(taken)")
                .expression_attribute_values(":all", aws_sdk_dynamodb::types::AttributeValue::M(all))
                .expression_attribute_values(":next", number(1)));
        };
        let mut expression = "SET leases.#holder = :entry, taken = :next, expires_at = :expires".to_owned();
        let mut update = update
            .condition_expression("taken = :seen")
            .expression_attribute_names("#holder", self.holder.as_str())
            .expression_attribute_values(":entry", aws_sdk_dynamodb::types::AttributeValue::M(entry))
            .expression_attribute_values(":seen", number(held.taken))
            .expression_attribute_values(":next", number(held.taken + 1));
        let expired = held.leases.iter().filter(|(holder, held)| held.until <= now && *holder != self.holder.as_str());
        for (nth, (holder, _)) in expired.enumerate() {
            expression += if nth == 0 { " REMOVE " } else { ", " };
            expression += &format!("leases.#expired{nth}");
            update = update.expression_attribute_names(format!("#expired{nth}"), holder);
        }
        Ok(update.update_expression(expression))
    }

    /// The update that releases the lease.
    pub(crate) fn release(&self, table: &Table) -> UpdateBuilder {
        self.update(table)
            .update_expression("REMOVE leases.#holder")
            .condition_expression("attribute_exists(leases)")
            .expression_attribute_names("#holder", self.holder.as_str())
    }

    /// Releases the lease in a write of its own. If that fails, it expires.
    pub(crate) async fn release_alone(&self, table: &Table) {
        for tries in 1..=MAX_RELEASES {
            let update = table.client.update_item().table_name(&table.name);
            let update = update
                .set_key(Some(table.key(&self.partition(), LEASES)))
                .update_expression("REMOVE leases.#holder")
                .condition_expression("attribute_exists(leases)")
                .expression_attribute_names("#holder", self.holder.as_str());
            match update.send().await.map_err(StoreError::from) {
                Err(StoreError::Unavailable(_)) => tokio::time::sleep(RETRY_DELAY * tries).await,
                _ => return,
            }
        }
    }

    fn update(&self, table: &Table) -> UpdateBuilder {
        Update::builder().table_name(&table.name).set_key(Some(table.key(&self.partition(), LEASES)))
    }
}

#[cfg(test)]
mod tests {
    use scheduling::{ids::HostId, slot::SlotHosts};

    use super::*;

    fn lease(holder: &str, minutes: (i64, i64), host: u64) -> SlotLease {
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let hosts = SlotHosts::Named([HostId(host)].into());
        let span = SlotSpan { from: at(minutes.0), to: at(minutes.1), hosts };
        SlotLease { account: AccountName::new("a"), span, holder: AppointmentId::new(holder) }
    }

    fn held(lease: &SlotLease, until: DateTime<Utc>) -> Leases {
        let entry = Held { until, span: serde_json::to_string(&lease.span).unwrap() };
        Leases { taken: 1, leases: BTreeMap::from([(lease.holder.to_string(), entry)]) }
    }

    #[test]
    fn only_a_valid_lease_of_another_that_overlaps_blocks() {
        let (now, ours) = (DateTime::UNIX_EPOCH, lease("ours", (10, 40), 1));
        let (valid, expired) = (now + TimeDelta::seconds(1), now);
        assert!(ours.is_blocked_by(&held(&lease("other", (30, 60), 1), valid), now));
        assert!(!ours.is_blocked_by(&held(&lease("other", (30, 60), 1), expired), now));
        assert!(!ours.is_blocked_by(&held(&lease("other", (40, 60), 1), valid), now));
        assert!(!ours.is_blocked_by(&held(&lease("other", (30, 60), 2), valid), now));
        assert!(!ours.is_blocked_by(&held(&lease("ours", (30, 60), 1), valid), now), "its own");
        let unreadable = Leases {
            taken: 1,
            leases: BTreeMap::from([("other".to_owned(), Held { until: valid, span: "{\"v\":2}".to_owned() })]),
        };
        assert!(ours.is_blocked_by(&unreadable, now), "of another deployed version, so that it may overlap");
    }
}
