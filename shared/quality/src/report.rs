//! The quality report: rates, alerts, and where and why appointments stopped.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use scheduling::{
    appointment::Appointment,
    ids::{ServiceId, Source, TenantId},
    tenant::Tenant,
};
use serde::{Deserialize, Serialize};

use crate::{
    counters::{Counters, Dimensions},
    rate::Rate,
    regression::VersionActivity,
    rules::{Evaluation, Scope, Verdict},
    summary::{Cluster, Summary, clusters_of},
};

/// The quality report, as other programs read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it was created.
    pub made_at: DateTime<Utc>,
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
    /// All appointments.
    pub overall: Summary,
    /// What was in progress when it was created.
    pub in_progress: InProgress,
    /// The same by tenant, source, service and version, oldest first.
    pub in_progress_groups: Vec<InProgressGroup>,
    /// By day, including days without appointments.
    pub days: Vec<Part>,
    /// By tenant.
    pub tenants: Vec<Part>,
    /// By channel.
    pub sources: Vec<Part>,
    /// By service.
    pub services: Vec<Part>,
    /// By deployed version, oldest first.
    pub versions: Vec<Part>,
    /// Where and why appointments stopped, largest clusters first.
    pub clusters: Vec<Cluster>,
    /// The evaluations of the rules, active alerts first.
    pub evaluations: Vec<Evaluation>,
}

/// A part of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The name.
    pub name: String,
    /// Its summary.
    pub summary: Summary,
}

/// Appointments in progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InProgress {
    /// How many appointments.
    pub appointments: u64,
    /// How long the oldest has been in progress.
    pub oldest_seconds: u64,
}

/// Appointments in progress with the same dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InProgressGroup {
    /// The tenant.
    pub tenant: TenantId,
    /// The channel.
    pub source: Source,
    /// The service, if it is known.
    pub service: Option<ServiceId>,
    /// The deployed version of the last transition.
    pub version: String,
    /// How many, and how long.
    pub in_progress: InProgress,
}

/// Appointments in progress, grouped by their dimensions.
#[derive(Debug, Default)]
pub struct InProgressTally {
    all: InProgress,
    groups: BTreeMap<(TenantId, Source, Option<ServiceId>, String), InProgress>,
}

/// So many groups in progress are shown, those that wait longest.
const GROUPS: usize = 100;

impl InProgressTally {
    /// Adds an appointment, if it is in progress.
    pub fn add(&mut self, appointment: &Appointment, tenant: Option<&Tenant>, now: DateTime<Utc>) {
        // One that waits for its host's confirmation does not wait for us.
        let is_ours = appointment.is_in_progress() && !appointment.awaits_host();
        let Some(last) = appointment.history().last().filter(|_| is_ours) else { return };
        let service = tenant.and_then(|tenant| appointment.service(tenant)).cloned();
        let kind = (appointment.tenant.clone(), appointment.source.clone(), service, last.version.clone());
        let waited = (now - appointment.requested_at()).num_seconds().try_into().unwrap_or_default();
        let one = InProgress { appointments: 1, oldest_seconds: waited };
        self.all = self.all.and(one);
        let in_progress = self.groups.entry(kind).or_default();
        *in_progress = in_progress.and(one);
        // The groups that have waited longest stay. One that was dropped and appears again starts at zero; `all` counts every appointment.
        if self.groups.len() > 2 * GROUPS {
            let mut groups: Vec<_> = std::mem::take(&mut self.groups).into_iter().collect();
            groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.oldest_seconds));
            groups.truncate(GROUPS);
            self.groups.extend(groups);
        }
    }

    fn into_parts(self) -> (InProgress, Vec<InProgressGroup>) {
        let all = self.all;
        let kinds = self.groups.into_iter().map(|((tenant, source, service, version), in_progress)| InProgressGroup {
            tenant,
            source,
            service,
            version,
            in_progress,
        });
        let mut in_progress_groups: Vec<InProgressGroup> = kinds.collect();
        in_progress_groups.sort_by_key(|kind| std::cmp::Reverse(kind.in_progress.oldest_seconds));
        in_progress_groups.truncate(GROUPS);
        (all, in_progress_groups)
    }
}

impl InProgress {
    fn and(self, other: Self) -> Self {
        Self {
            appointments: self.appointments + other.appointments,
            oldest_seconds: self.oldest_seconds.max(other.oldest_seconds),
        }
    }
}

impl Report {
    /// The report on the `days` days up to `to`.
    pub fn new(
        counters: &Counters,
        version_activity: &[VersionActivity],
        (to, days): (NaiveDate, u8),
        (evaluations, tally): (Vec<Evaluation>, InProgressTally),
        made_at: DateTime<Utc>,
    ) -> Self {
        let (in_progress, in_progress_groups) = tally.into_parts();
        let from = to - Days::new(u64::from(days.saturating_sub(1)));
        let counters = counters.only(|dimensions| (from..=to).contains(&dimensions.day));
        let unknown = || "unknown".to_owned();
        let mut versions = parts(&counters, |dimensions| dimensions.version.clone());
        versions
            .sort_by_key(|part| version_activity.iter().find(|seen| seen.version == part.name).map(|seen| seen.first));
        let mut evaluations = evaluations;
        evaluations
            .sort_by_key(|evaluation| (!matches!(evaluation.verdict, Verdict::Bad(_)), evaluation.scope.clone()));
        Self {
            made_at,
            from,
            to,
            overall: Summary::of(&counters),
            in_progress,
            in_progress_groups,
            days: from
                .iter_days()
                .take_while(|day| *day <= to)
                .map(|day| part(day.to_string(), &counters, |dimensions| dimensions.day == day))
                .collect(),
            tenants: parts(&counters, |dimensions| dimensions.tenant.to_string()),
            sources: parts(&counters, |dimensions| dimensions.source.to_string()),
            services: parts(&counters, |dimensions| {
                dimensions.service.as_ref().map_or_else(unknown, ToString::to_string)
            }),
            versions,
            clusters: clusters_of(&counters),
            evaluations,
        }
    }

    /// The active alerts.
    pub fn active_alerts(&self) -> impl Iterator<Item = &Evaluation> {
        self.evaluations.iter().filter(|evaluation| matches!(evaluation.verdict, Verdict::Bad(_)))
    }

    /// The versions with a regression.
    pub fn regressed_versions(&self) -> BTreeSet<&str> {
        let versions = self.active_alerts().filter_map(|evaluation| match &evaluation.scope {
            Scope::Version(version) => Some(version.as_str()),
            Scope::All | Scope::Tenant(_) => None,
        });
        versions.collect()
    }

    /// The number of appointments that did not pass each step.
    pub fn stopped_by_step(&self) -> BTreeMap<crate::counters::Step, u64> {
        let mut stopped = BTreeMap::new();
        for cluster in &self.clusters {
            *stopped.entry(cluster.step).or_default() += cluster.appointments;
        }
        stopped
    }

    /// Whether a rate meets its target; `None` without data.
    pub fn is_on_target(&self, rate: Rate) -> Option<bool> {
        self.overall.rate(rate).value().map(|value| rate.target().is_met_by(value))
    }
}

fn parts(counters: &Counters, name: impl Fn(&Dimensions) -> String) -> Vec<Part> {
    let mut by_name: BTreeMap<String, Counters> = BTreeMap::new();
    for (dimensions, counter, n) in counters.iter() {
        by_name.entry(name(dimensions)).or_default().add(dimensions.clone(), counter.clone(), n);
    }
    by_name.into_iter().map(|(name, counters)| Part { name, summary: Summary::of(&counters) }).collect()
}

fn part(name: String, counters: &Counters, keep: impl Fn(&Dimensions) -> bool) -> Part {
    Part { name, summary: Summary::of(&counters.only(keep)) }
}
