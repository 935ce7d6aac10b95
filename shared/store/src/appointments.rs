//! The appointments table.

use std::{collections::BTreeMap, iter};

use aws_sdk_dynamodb::types::Put;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use platform::{aws::SdkConfig, env::EnvError};
use scheduling::{
    appointment::{Actor, Appointment},
    ids::{AccountName, AppointmentId, BookingUid, CallId, TenantId},
    slot::SlotSpan,
    timing::Timing,
};
use serde::Deserialize;

use crate::{
    error::{StoreError, applied},
    exchanges::{self, StoredExchange},
    indexes::{self, Cursor, DUE, NOTICE, Page, Phase, UNCOUNTED},
    item::{Item, decode, number, text, timestamp},
    record::{Listed, UNCHANGED, Version, Versioned, listed, versioned},
    schema::{self, BY_CALCOM_UID, BY_DUE, BY_PHASE, BY_REVIEW, BY_TENANT, BY_UNCOUNTED, RECORD},
    slot_leases::{self, SlotLease},
    table::{MAX_BATCH, Table},
    transaction::{build_put, put},
    update::Update,
};

/// The prefix of the sort key of a further call that requested the same appointment.
const LINKED_CALL: &str = "call#";

/// The appointments table.
#[derive(Debug, Clone)]
pub struct Appointments {
    pub(crate) table: Table,
    pub(crate) timing: Timing,
}

/// An appointment that may not have moved on when it should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The appointment.
    pub appointment: Versioned<Appointment>,
    /// How often it was resent since it last moved.
    pub resends: u32,
}

impl Appointments {
    /// The table of this name. `timing` decides when an appointment is due.
    pub fn new(config: &SdkConfig, name: String, timing: Timing) -> Self {
        Self { table: Table::new(config, name, schema::APPOINTMENTS), timing }
    }

    /// The table that the environment names.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_env(config: &SdkConfig, timing: Timing) -> Result<Self, EnvError> {
        Ok(Self { table: Table::from_env(config, schema::APPOINTMENTS)?, timing })
    }

    /// The appointment of this id.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn load(&self, id: &AppointmentId) -> Result<Option<Versioned<Appointment>>, StoreError> {
        self.table.get_consistent(id.as_str(), RECORD).await?.map(versioned).transpose()
    }

    /// The appointments of these ids, in their order. One that does not exist is left out.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn load_all(&self, ids: &[AppointmentId]) -> Result<Vec<Versioned<Appointment>>, StoreError> {
        let mut found = BTreeMap::new();
        for item in self.in_batches(ids, async |keys| self.table.batch_get(keys, true).await).await? {
            let stored = versioned(item)?;
            found.insert(stored.value.id.clone(), stored);
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// A tenant's appointments that start from `from` on and before `to`, as a list shows them, in no particular order. One
    /// without a start is listed as in [`Self::starting`].
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn listed(
        &self,
        tenant: &TenantId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Listed>, StoreError> {
        // A page of an index names the next one only when it is read, so that spans are read at the same time. One of two days
        // is mostly one batch.
        const SPAN: TimeDelta = TimeDelta::days(2);
        let spans = iter::successors(Some(from), |first| Some(*first + SPAN)).take_while(|first| *first < to);
        let spans = spans.map(async |first| {
            let ids = self.starting(tenant, first, Some((first + SPAN).min(to))).await?;
            let read = async |keys| self.table.batch_get_attributes(keys, &Listed::ATTRIBUTES).await;
            self.in_batches(&ids, read).await
        });
        let found = try_join_all(spans).await?.into_iter().flatten().map(listed);
        let (mut listed, mut others) = (Vec::new(), Vec::new());
        for item in found {
            match item? {
                Ok(item) => listed.push(item),
                Err(id) => others.push(id),
            }
        }
        listed.extend(self.load_all(&others).await?.into_iter().map(|stored| stored.value.into()));
        Ok(listed)
    }

    /// The records of these appointments, a batch for each request, all at once.
    async fn in_batches(
        &self,
        ids: &[AppointmentId],
        read: impl AsyncFn(Vec<Item>) -> Result<Vec<Item>, StoreError>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut unique: Vec<&AppointmentId> = ids.iter().collect();
        unique.sort_unstable();
        unique.dedup();
        let batches = unique.chunks(MAX_BATCH).map(|batch| {
            let keys = batch.iter().map(|id| self.table.key(id.as_str(), RECORD)).collect();
            read(keys)
        });
        Ok(try_join_all(batches).await?.into_iter().flatten().collect())
    }

    /// The appointments of a tenant whose customer's name begins so, as [`scheduling::contact::sort_name`] writes it.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn by_name(&self, tenant: &TenantId, beginning: &str) -> Result<Vec<AppointmentId>, StoreError> {
        const MOST: i32 = 50;
        indexes::ids_by_name(&self.table, tenant.as_str(), beginning, MOST).await
    }

    /// The appointment of this id, with how often it was resent.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn load_overdue(&self, id: &AppointmentId) -> Result<Option<Overdue>, StoreError> {
        #[derive(Deserialize)]
        struct Resent {
            #[serde(default)]
            resends: u32,
        }
        let Some(item) = self.table.get_consistent(id.as_str(), RECORD).await? else { return Ok(None) };
        let Resent { resends } = decode(item.clone())?;
        Ok(Some(Overdue { appointment: versioned(item)?, resends }))
    }

    /// Begins the update of an appointment that was loaded at `version`.
    pub fn update<'a>(&'a self, appointment: &'a Appointment, version: Version) -> Update<'a> {
        Update::new(&self.table, self.timing, appointment, version)
    }

    /// Whether no other appointment holds a lease that overlaps this one.
    ///
    /// # Errors
    /// If DynamoDB fails, or the leases can't be decoded.
    pub async fn is_slot_free(&self, lease: &SlotLease, now: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(lease.held(&self.table).await?.is_none_or(|held| !lease.is_blocked_by(&held, now)))
    }

    /// The times for which appointments hold a slot lease now: what is being booked, and not to be offered.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn leased_spans(&self, account: &AccountName, now: DateTime<Utc>) -> Result<Vec<SlotSpan>, StoreError> {
        Ok(slot_leases::held_at(account, &self.table).await?.map(|held| held.spans(now)).unwrap_or_default())
    }

    /// Makes the reconciler check an appointment again at `until` if it is still at `version`, and counts a resend if
    /// one was sent.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn postpone(
        &self,
        id: &AppointmentId,
        Version(version): Version,
        until: DateTime<Utc>,
        was_resent: bool,
    ) -> Result<(), StoreError> {
        let update = self.table.client.update_item().table_name(&self.table.name);
        let update = update
            .set_key(Some(self.table.key(id.as_str(), RECORD)))
            .update_expression("SET #due_at = :until ADD resends :more")
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#due_at", BY_DUE.sort)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":more", number(u8::from(was_resent)))
            .expression_attribute_values(":until", timestamp(until));
        applied(update.send().await.map_err(StoreError::from)).map(drop)
    }

    /// Moves an appointment that does not move on to `needs_review`. Returns `false` if it is settled, or another
    /// writer was first.
    ///
    /// # Errors
    /// If DynamoDB fails, or the item can't be decoded.
    pub async fn stall(&self, id: &AppointmentId, detail: &str, by: Actor<'_>) -> Result<bool, StoreError> {
        let Some(Versioned { value: mut appointment, version }) = self.load(id).await? else { return Ok(false) };
        if appointment.stall(detail.to_owned(), by).is_err() {
            return Ok(false);
        }
        applied(self.update(&appointment, version).commit().await)
    }

    /// A page of the appointments in `phase` that start before `before`, oldest first.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn past(&self, phase: Phase, before: DateTime<Utc>, after: Option<&Cursor>) -> Result<Page, StoreError> {
        indexes::page(&self.table, BY_PHASE, phase.as_str(), before, after).await
    }

    /// A tenant's appointments, closed ones included, that start from `from` on and before `to`. One without a start is
    /// listed at its call.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn starting(
        &self,
        tenant: &TenantId,
        from: DateTime<Utc>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Vec<AppointmentId>, StoreError> {
        const PAGE: i32 = 500;
        /// No start is further away.
        const DAYS_AHEAD: i64 = 3 * 365;
        let before = to.unwrap_or(from + TimeDelta::days(DAYS_AHEAD));
        let mut found = Vec::new();
        let mut after = Some(Cursor::from(tenant.as_str(), from));
        while let Some(cursor) = after {
            let page = self.of_tenant(tenant, before, Some(&cursor), PAGE).await?;
            found.extend(page.appointments);
            after = page.next;
        }
        Ok(found)
    }

    /// A page of the appointments that should have moved on before `before`, longest waiting first.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn due(&self, before: DateTime<Utc>, after: Option<&Cursor>) -> Result<Page, StoreError> {
        indexes::page(&self.table, BY_DUE, DUE, before, after).await
    }

    /// A page of a tenant's appointments, closed ones included, by start or, without one, by their call.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn of_tenant(
        &self,
        tenant: &TenantId,
        before: DateTime<Utc>,
        after: Option<&Cursor>,
        limit: i32,
    ) -> Result<Page, StoreError> {
        indexes::page_of_one_key(&self.table, BY_TENANT, tenant.as_str(), before, after, limit).await
    }

    /// Deletes an appointment with all that is stored of it: its customer's entries, exchanges, linked calls and the record,
    /// in this order, so that an interrupted deletion can be repeated.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn delete(&self, appointment: &Appointment) -> Result<(), StoreError> {
        for customer in appointment.request.customer.ids(&appointment.tenant) {
            self.erase_customer_entries(&customer, &[&appointment.id]).await?;
        }
        let mut items = self.table.query(appointment.id.as_str(), "").await?;
        items.sort_by_key(|item| self.table.sort_key(item) == Some(RECORD));
        self.table.delete_all(items).await.map(drop)
    }

    /// A page of the appointments of which people are to be told, longest waiting first.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn awaiting_notice(&self, before: DateTime<Utc>, after: Option<&Cursor>) -> Result<Page, StoreError> {
        indexes::page(&self.table, BY_DUE, NOTICE, before, after).await
    }

    /// A page of the appointments that changed since they were counted or are in progress, oldest first.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn uncounted(&self, before: DateTime<Utc>, after: Option<&Cursor>) -> Result<Page, StoreError> {
        indexes::page(&self.table, BY_UNCOUNTED, UNCOUNTED, before, after).await
    }

    /// The tenant's appointments that need review, longest waiting first.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn in_review(&self, tenant: &TenantId) -> Result<Vec<AppointmentId>, StoreError> {
        indexes::ids_in(&self.table, BY_REVIEW, tenant.as_str()).await
    }

    /// The appointment of a booking.
    ///
    /// # Errors
    /// If DynamoDB fails, or a key can't be decoded.
    pub async fn of_booking(&self, uid: &BookingUid) -> Result<Option<AppointmentId>, StoreError> {
        Ok(indexes::ids_in(&self.table, BY_CALCOM_UID, uid.as_str()).await?.into_iter().next())
    }

    /// Further calls that requested this appointment, besides the one that it came from.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn linked_calls(&self, id: &AppointmentId) -> Result<Vec<CallId>, StoreError> {
        #[derive(Deserialize)]
        struct Linked {
            call: CallId,
        }
        let items = self.table.query(id.as_str(), LINKED_CALL).await?;
        items.into_iter().map(|item| decode::<Linked>(item).map(|linked| linked.call)).collect()
    }

    /// Every exchange that is stored with an appointment, in order.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn exchanges(&self, id: &AppointmentId) -> Result<Vec<StoredExchange>, StoreError> {
        exchanges::load(&self.table, id).await
    }

    /// Deletes the exchanges and the linked calls of an appointment, and returns how many items there were.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn erase_related(&self, id: &AppointmentId) -> Result<usize, StoreError> {
        let mut items = self.table.query(id.as_str(), exchanges::PREFIX).await?;
        items.extend(self.table.query(id.as_str(), LINKED_CALL).await?);
        self.table.delete_all(items).await
    }

    /// The put that links a further call to an appointment.
    pub(crate) fn put_link(
        appointment: &AppointmentId,
        call: &CallId,
        at: DateTime<Utc>,
        table: &str,
    ) -> Result<Put, StoreError> {
        let item = Item::from([
            ("id".to_owned(), text(appointment.as_str())),
            ("item".to_owned(), text(format!("{LINKED_CALL}{call}"))),
            ("call".to_owned(), text(call.as_str())),
            ("linked_at".to_owned(), timestamp(at)),
        ]);
        build_put(put(table, item))
    }
}
