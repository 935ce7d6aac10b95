//! The appointments of which people are to be told now.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use scheduling::{
    appointment::{Appointment, Notice, SOON},
    ids::AppointmentId,
};
use store::{Appointments, Cursor, Page, Phase, StoreError, Version, Versioned};

const PAGE: i32 = 500;
/// The most appointments that a run looks at. The next run goes on.
const MAX_APPOINTMENTS: usize = 5000;
/// How many appointments are loaded concurrently.
const CONCURRENCY: usize = 16;

/// An appointment of which people are to be told.
pub struct Entry {
    pub notice: Notice,
    pub appointment: Appointment,
    pub version: Version,
}

/// What people are to be told of now.
pub async fn waiting(appointments: &Appointments, now: DateTime<Utc>) -> Result<Vec<Entry>, StoreError> {
    let due = async |after: Option<Cursor>| appointments.awaiting_notice(now, after.as_ref(), PAGE).await;
    let soon = async |after: Option<Cursor>| appointments.past(Phase::Unbooked, now + SOON, after.as_ref(), PAGE).await;
    let (due, soon) = tokio::try_join!(all(due), all(soon))?;
    let ids: BTreeSet<AppointmentId> = due.into_iter().chain(soon).collect();
    let entry = async |id: AppointmentId| {
        let Some(Versioned { value: appointment, version }) = appointments.load(&id).await? else {
            return Ok(None);
        };
        Ok(appointment.notice(now).map(|notice| Entry { notice, appointment, version }))
    };
    let entries = stream::iter(ids).map(entry).buffer_unordered(CONCURRENCY);
    entries.try_filter_map(async |entry| Ok(entry)).try_collect().await
}

/// The appointments of every page, up to a limit: one tenant's many must not keep another from being told.
async fn all(page: impl AsyncFn(Option<Cursor>) -> Result<Page, StoreError>) -> Result<Vec<AppointmentId>, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let Page { appointments, next, .. } = page(after).await?;
        found.extend(appointments);
        after = next;
        if after.is_none() || found.len() >= MAX_APPOINTMENTS {
            return Ok(found);
        }
    }
}
