//! From changed appointments to figures.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use lambda_runtime::Context;
use platform::{
    deadline::time_left,
    store::{Appointments, Countable, CounterStore, StoreError, Tenants},
    sweep::PAGE,
};
use quality::{counting::counters_of, figures::Counters, report::InProgressTally, versions::VersionActivity};
use scheduling::appointment::Appointment;

/// What is left of the time goes to the evaluation.
const LEFT_TO_EVALUATE: Duration = Duration::from_secs(60);

/// What came of counting.
#[derive(Debug, Default)]
pub struct Counted {
    /// How many appointments were counted, anew or again.
    pub appointments: usize,
    /// Whether the time did not suffice for all. The next run goes on by itself.
    pub is_unfinished: bool,
    /// What still timing without a person.
    pub waiting: InProgressTally,
}

/// Counts what has changed since it was counted, the oldest first.
pub struct Counts<'a> {
    /// The appointments.
    pub appointments: &'a Appointments,
    /// Their tenants.
    pub tenants: &'a Tenants,
    /// The figures.
    pub figures: &'a CounterStore,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Counts<'_> {
    /// Counts page by page, as long as there is time.
    pub async fn count(&self, context: &Context) -> Result<Counted, StoreError> {
        let deadline = Instant::now() + time_left(context).saturating_sub(LEFT_TO_EVALUATE);
        let mut counted = Counted::default();
        let mut seen: BTreeMap<String, VersionActivity> =
            self.figures.version_activity().await?.into_iter().map(|seen| (seen.version.clone(), seen)).collect();
        let mut from = None;
        loop {
            let page = self.appointments.uncounted(self.now, from.as_ref(), PAGE).await?;
            let found = self.figures.countable(&page.appointments).await?;
            // Before they are counted: those that are settled do not come again.
            self.note_versions(&mut seen, &found).await?;
            let judged = self.judged(found, &mut counted.waiting).await?;
            counted.appointments += self.figures.count(&judged).await?;
            from = page.next;
            counted.is_unfinished = from.is_some() && Instant::now() >= deadline;
            if from.is_none() || counted.is_unfinished {
                return Ok(counted);
            }
        }
    }

    async fn judged(
        &self,
        found: Vec<Countable>,
        waiting: &mut InProgressTally,
    ) -> Result<Vec<(Countable, Counters)>, StoreError> {
        let mut judged = Vec::with_capacity(found.len());
        for countable in found {
            let tenant = self.tenants.load(&countable.appointment.tenant).await?;
            waiting.see(&countable.appointment, tenant.as_deref(), self.now);
            let figures = counters_of(&countable.appointment, tenant.as_deref(), self.now);
            judged.push((countable, figures));
        }
        Ok(judged)
    }

    /// Notes when the versions in the appointments' histories were seen.
    async fn note_versions(
        &self,
        seen: &mut BTreeMap<String, VersionActivity>,
        found: &[Countable],
    ) -> Result<(), StoreError> {
        let known = seen.clone();
        found.iter().for_each(|countable| see(seen, &countable.appointment));
        for (_, sighting) in seen.iter().filter(|(version, sighting)| known.get(*version) != Some(*sighting)) {
            self.figures.see(sighting).await?;
        }
        Ok(())
    }
}

/// Takes the versions in an appointment's history into account. A person's command is no deployed version.
fn see(seen: &mut BTreeMap<String, VersionActivity>, appointment: &Appointment) {
    let ours = appointment.history().iter().filter(|line| !line.is_manual() && !line.is_imported());
    for line in ours {
        let last = line.again_at.unwrap_or(line.at);
        let sighting = VersionActivity { version: line.version.clone(), first: line.at, last };
        let known = seen.entry(line.version.clone()).or_insert(sighting);
        known.first = known.first.min(line.at);
        known.last = known.last.max(last);
    }
}
