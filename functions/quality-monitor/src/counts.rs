//! From changed appointments to figures.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use lambda_runtime::Context;
use platform::{
    deadline::time_left,
    store::{Appointments, Countable, FiguresTable, StoreError, Tenants},
    sweep::PAGE,
};
use quality::{counting::figures_of, figures::Figures, report::UnderWay, versions::Sighting};
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
    /// What still waits without a person.
    pub under_way: UnderWay,
}

/// Counts what has changed since it was counted, the oldest first.
pub struct Counts<'a> {
    /// The appointments.
    pub appointments: &'a Appointments,
    /// Their tenants.
    pub tenants: &'a Tenants,
    /// The figures.
    pub figures: &'a FiguresTable,
    /// Now.
    pub now: DateTime<Utc>,
}

impl Counts<'_> {
    /// Counts page by page, as long as there is time.
    pub async fn count(&self, context: &Context) -> Result<Counted, StoreError> {
        let deadline = Instant::now() + time_left(context).saturating_sub(LEFT_TO_EVALUATE);
        let mut counted = Counted::default();
        let mut seen: BTreeMap<String, Sighting> =
            self.figures.sightings().await?.into_iter().map(|seen| (seen.version.clone(), seen)).collect();
        let known = seen.clone();
        let mut from = None;
        loop {
            let page = self.appointments.to_count(self.now, from.as_ref(), PAGE).await?;
            let found = self.figures.countable(&page.appointments).await?;
            for countable in &found {
                see(&mut seen, &countable.appointment);
                counted.under_way = with(counted.under_way, &countable.appointment, self.now);
            }
            counted.appointments += self.figures.count(&self.judged(found).await?).await?;
            from = page.next;
            counted.is_unfinished = from.is_some() && Instant::now() >= deadline;
            if from.is_none() || counted.is_unfinished {
                break;
            }
        }
        for (_, sighting) in seen.iter().filter(|(version, sighting)| known.get(*version) != Some(*sighting)) {
            self.figures.see(sighting).await?;
        }
        Ok(counted)
    }

    async fn judged(&self, found: Vec<Countable>) -> Result<Vec<(Countable, Figures)>, StoreError> {
        let mut judged = Vec::with_capacity(found.len());
        for countable in found {
            let tenant = self.tenants.load(&countable.appointment.tenant).await?;
            let figures = figures_of(&countable.appointment, tenant.as_deref(), self.now);
            judged.push((countable, figures));
        }
        Ok(judged)
    }
}

/// Notes when the versions in an appointment's history were seen. A person's command is no deployed version.
fn see(seen: &mut BTreeMap<String, Sighting>, appointment: &Appointment) {
    let ours = appointment.history().iter().filter(|line| !line.is_by_hand() && !line.is_imported());
    for line in ours {
        let last = line.again_at.unwrap_or(line.at);
        let sighting = Sighting { version: line.version.clone(), first: line.at, last };
        let known = seen.entry(line.version.clone()).or_insert(sighting);
        known.first = known.first.min(line.at);
        known.last = known.last.max(last);
    }
}

fn with(under_way: UnderWay, appointment: &Appointment, now: DateTime<Utc>) -> UnderWay {
    if !appointment.is_under_way() {
        return under_way;
    }
    let waited = (now - appointment.asked_at()).num_seconds().try_into().unwrap_or_default();
    UnderWay { appointments: under_way.appointments + 1, oldest_seconds: under_way.oldest_seconds.max(waited) }
}
