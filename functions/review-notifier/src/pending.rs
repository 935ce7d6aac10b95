//! The appointments of which their tenants are to be notified now.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use scheduling::{
    appointment::{Appointment, DELAY_NOTICE_WINDOW, Notice},
    ids::AppointmentId,
};
use store::{Appointments, Cursor, Page, Phase, StoreError, Version, Versioned};

/// The most appointments that a run looks at. The next run goes on.
const MAX_APPOINTMENTS: usize = 5000;
/// How many appointments are loaded concurrently.
const CONCURRENCY: usize = 16;

/// An appointment of which its tenant is to be notified.
pub struct PendingNotice {
    pub notice: Notice,
    pub appointment: Appointment,
    pub version: Version,
}

/// Finds every appointment of which its tenant is to be notified now.
pub async fn find_pending(appointments: &Appointments, now: DateTime<Utc>) -> Result<Vec<PendingNotice>, StoreError> {
    let due = async |after: Option<Cursor>| appointments.awaiting_notice(now, after.as_ref()).await;
    let soon = async |after: Option<Cursor>| {
        appointments.past(Phase::Unbooked, now + DELAY_NOTICE_WINDOW, after.as_ref()).await
    };
    let (due, soon) = tokio::try_join!(collect_pages(due), collect_pages(soon))?;
    let ids: BTreeSet<AppointmentId> = due.into_iter().chain(soon).collect();
    let entry = async |id: AppointmentId| {
        match appointments.load(&id).await {
            Ok(Some(Versioned { value: appointment, version })) => {
                appointment.notice(now).map(|notice| PendingNotice { notice, appointment, version })
            }
            Ok(None) => None,
            Err(error) => {
                // Another version may have written it: the others are not kept from their notices.
                tracing::error!(appointment_id = id.as_str(), %error, "failed to load an appointment");
                None
            }
        }
    };
    let found = stream::iter(ids).map(entry).buffer_unordered(CONCURRENCY);
    Ok(found.filter_map(std::future::ready).collect().await)
}

/// The appointments of every page, up to a limit: one tenant's many must not keep another from being notified.
async fn collect_pages(
    page: impl AsyncFn(Option<Cursor>) -> Result<Page, StoreError>,
) -> Result<Vec<AppointmentId>, StoreError> {
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
