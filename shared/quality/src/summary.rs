//! What counters add up to.

use std::collections::BTreeMap;

use scheduling::{
    failure::Category,
    ids::{ServiceId, Source, TenantId},
};
use serde::{Deserialize, Serialize};

use crate::{
    counters::{Counter, Counters, Party, Step, TimeBucket},
    rate::Rate,
};

/// A ratio of appointments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// How many meet it.
    pub met: u64,
    /// Of how many.
    pub of: u64,
}

impl Ratio {
    /// From 0 to 1; `None` without appointments.
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.met as f64 / self.of as f64)
    }
}

/// A summary of counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Requested appointments.
    pub appointments: u64,
    /// Every rate with data.
    pub rates: BTreeMap<Rate, Ratio>,
    /// Appointments that failed with this category, now or in an earlier attempt.
    pub failures: BTreeMap<Category, u64>,
    /// Seconds from request to assignment, in steps of a fifth. `None` if nothing was assigned.
    pub seconds_to_assigned: Option<Percentiles>,
}

/// Percentiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// Appointments that stopped for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cluster {
    /// How many.
    pub appointments: u64,
    /// The step that they did not pass.
    pub step: Step,
    /// Why.
    pub reason: String,
    /// The tenant.
    pub tenant: TenantId,
    /// The channel.
    pub source: Source,
    /// The service, if it is known.
    pub service: Option<ServiceId>,
    /// Whom it concerns, if known.
    pub party: Option<Party>,
    /// The deployed version of the step.
    pub version: String,
}

impl Summary {
    /// The summary of counters.
    pub fn of(counters: &Counters) -> Self {
        let mut summary = Self::default();
        let mut times: BTreeMap<TimeBucket, u64> = BTreeMap::new();
        for (_, counter, n) in counters.iter() {
            let n = u64::try_from(n).unwrap_or_default();
            match counter {
                Counter::Appointments => summary.appointments += n,
                Counter::Judged(rate) => summary.rates.entry(*rate).or_default().of += n,
                Counter::Met(rate) => summary.rates.entry(*rate).or_default().met += n,
                Counter::Failed(category) => *summary.failures.entry(*category).or_default() += n,
                Counter::AssignedIn(bucket) => *times.entry(*bucket).or_default() += n,
                Counter::Stopped(_) | Counter::WithoutHost { .. } => {}
            }
        }
        summary.seconds_to_assigned = Percentiles::of(&times);
        summary
    }

    /// A rate; empty without data.
    pub fn rate(&self, rate: Rate) -> Ratio {
        self.rates.get(&rate).copied().unwrap_or_default()
    }
}

impl Percentiles {
    fn of(times: &BTreeMap<TimeBucket, u64>) -> Option<Self> {
        let all: u64 = times.values().sum();
        let up_to = |ratio: f64| {
            let rank = (all as f64 * ratio).ceil() as u64;
            let mut seen = 0;
            let bucket = times.iter().find(|(_, n)| {
                seen += **n;
                seen >= rank
            });
            bucket.map(|(bucket, _)| bucket.up_to_seconds())
        };
        Some(Self { p50: up_to(0.50)?, p95: up_to(0.95)?, p99: up_to(0.99)? })
    }
}

/// Stopped appointments, grouped by everything that may explain them, largest clusters first.
pub fn clusters_of(counters: &Counters) -> Vec<Cluster> {
    let stopped = counters.iter().filter_map(|(dimensions, counter, n)| match counter {
        Counter::Stopped(stop) => Some((dimensions, stop, n)),
        _ => None,
    });
    let mut clusters: BTreeMap<Cluster, u64> = BTreeMap::new();
    for (dimensions, stop, n) in stopped {
        let cluster = Cluster {
            appointments: 0,
            step: stop.step,
            reason: stop.reason.clone(),
            tenant: dimensions.tenant.clone(),
            source: dimensions.source.clone(),
            service: dimensions.service.clone(),
            party: stop.party.clone(),
            version: dimensions.version.clone(),
        };
        // The same cluster over several days.
        *clusters.entry(cluster).or_default() += u64::try_from(n).unwrap_or_default();
    }
    let counted = clusters.into_iter().map(|(cluster, appointments)| Cluster { appointments, ..cluster });
    let mut counted: Vec<Cluster> = counted.collect();
    counted.sort_by(|one, other| other.appointments.cmp(&one.appointments).then_with(|| one.cmp(other)));
    counted
}
