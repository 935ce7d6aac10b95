//! Counts the appointments that changed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use lambda_runtime::Context;
use platform::deadline::time_left;
use quality::{attribution::counters_of, counters::Counters, regression::VersionActivity, report::InProgressTally};
use scheduling::appointment::{Appointment, Cause};
use store::{Appointments, Countable, CounterStore, StoreError, Tenants};

/// The time that is left for the evaluation.
const TIME_TO_EVALUATE: Duration = Duration::from_secs(60);

/// The result of counting.
#[derive(Debug, Default)]
pub struct Counted {
    /// How many appointments were counted.
    pub appointments: usize,
    /// Whether the time was too short for all. The next run continues on its own.
    pub is_incomplete: bool,
    /// The appointments in progress.
    pub in_progress: InProgressTally,
}

/// Counts the appointments that changed since they were counted, oldest first.
pub struct Counting<'a> {
    /// The appointments.
    pub appointments: &'a Appointments,
    /// The tenants.
    pub tenants: &'a Tenants,
    /// The counters.
    pub counters: &'a CounterStore,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Counting<'_> {
    /// Counts page by page, while the invocation has time.
    pub async fn count(&self, context: &Context) -> Result<Counted, StoreError> {
        let deadline = Instant::now() + time_left(context).saturating_sub(TIME_TO_EVALUATE);
        let mut counted = Counted::default();
        let known = self.counters.version_activity().await?.into_iter();
        let mut activity: BTreeMap<String, VersionActivity> = known.map(|it| (it.version.clone(), it)).collect();
        let mut from = None;
        loop {
            let page = self.appointments.uncounted(self.now, from.as_ref()).await?;
            let found = self.counters.countable(&page.appointments).await?;
            // Before they are counted: settled ones are not found again.
            self.record_activity(&mut activity, &found).await?;
            let attributed = self.attribute(found, &mut counted.in_progress).await?;
            counted.appointments += self.counters.count(&attributed).await?;
            from = page.next;
            counted.is_incomplete = from.is_some() && Instant::now() >= deadline;
            if from.is_none() || counted.is_incomplete {
                return Ok(counted);
            }
        }
    }

    async fn attribute(
        &self,
        found: Vec<Countable>,
        in_progress: &mut InProgressTally,
    ) -> Result<Vec<(Countable, Counters)>, StoreError> {
        let mut attributed = Vec::with_capacity(found.len());
        for countable in found {
            let tenant = self.tenants.load(&countable.appointment.tenant).await?;
            in_progress.add(&countable.appointment, tenant.as_deref(), self.now);
            let counters = counters_of(&countable.appointment, tenant.as_deref(), self.now);
            attributed.push((countable, counters));
        }
        Ok(attributed)
    }

    /// Records when the versions in the appointments' histories were active.
    async fn record_activity(
        &self,
        activity: &mut BTreeMap<String, VersionActivity>,
        found: &[Countable],
    ) -> Result<(), StoreError> {
        let known = activity.clone();
        found.iter().for_each(|countable| add_activity(activity, &countable.appointment));
        for (_, changed) in activity.iter().filter(|(version, it)| known.get(*version) != Some(*it)) {
            self.counters.record_activity(changed).await?;
        }
        Ok(())
    }
}

/// Adds the versions in an appointment's history. A person's command is no deployed version.
fn add_activity(activity: &mut BTreeMap<String, VersionActivity>, appointment: &Appointment) {
    let deployed = appointment.history().iter().filter(|it| !it.is_manual() && it.cause != Cause::Imported);
    for transition in deployed {
        let (version, first, last) = (transition.version.clone(), transition.at, transition.last_at());
        let known = activity.entry(version.clone()).or_insert(VersionActivity { version, first, last });
        known.first = known.first.min(first);
        known.last = known.last.max(last);
    }
}
