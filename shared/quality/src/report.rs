//! The report: how well Frontdesk does, since when, and where what failed has stopped.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    figures::{Cell, Figures},
    rate::Rate,
    rules::{Scope, Standing, Verdict},
    summary::{Cluster, Summary, clusters_of},
    versions::Sighting,
};

/// The report, in the form of JSON as other programs read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
    /// All of it.
    pub overall: Summary,
    /// What still waits without a person, when it was made.
    pub under_way: UnderWay,
    /// Day by day, those without appointments included.
    pub days: Vec<Part>,
    /// By tenant.
    pub tenants: Vec<Part>,
    /// By the way appointments came.
    pub sources: Vec<Part>,
    /// By service.
    pub services: Vec<Part>,
    /// By deployed version, the oldest first.
    pub versions: Vec<Part>,
    /// Where and why appointments stopped, the largest groups first.
    pub clusters: Vec<Cluster>,
    /// What the rules found, alarms first.
    pub standings: Vec<Standing>,
}

/// A part of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What it adds up to.
    pub summary: Summary,
}

/// What waits without a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// How many appointments.
    pub appointments: u64,
    /// For how long the oldest of them.
    pub oldest_seconds: u64,
}

impl Report {
    /// Puts a report together of the last `days` days up to `to`.
    pub fn of(
        figures: &Figures,
        sightings: &[Sighting],
        (to, days): (NaiveDate, u8),
        (standings, under_way): (Vec<Standing>, UnderWay),
        made_at: DateTime<Utc>,
    ) -> Self {
        let from = to - Days::new(u64::from(days.saturating_sub(1)));
        let figures = figures.only(|cell| (from..=to).contains(&cell.day));
        let nameless = || "not understood".to_owned();
        let mut versions = parts(&figures, |cell| cell.version.clone());
        versions.sort_by_key(|part| sightings.iter().find(|seen| seen.version == part.name).map(|seen| seen.first));
        let mut standings = standings;
        standings.sort_by_key(|standing| (!matches!(standing.verdict, Verdict::Bad(_)), standing.scope.clone()));
        Self {
            made_at,
            from,
            to,
            overall: Summary::of(&figures),
            under_way,
            days: from
                .iter_days()
                .take_while(|day| *day <= to)
                .map(|day| part(day.to_string(), &figures, |cell| cell.day == day))
                .collect(),
            tenants: parts(&figures, |cell| cell.tenant.to_string()),
            sources: parts(&figures, |cell| cell.source.to_string()),
            services: parts(&figures, |cell| cell.service.as_ref().map_or_else(nameless, ToString::to_string)),
            versions,
            clusters: clusters_of(&figures),
            standings,
        }
    }

    /// What there is cause for alarm about.
    pub fn alarms(&self) -> impl Iterator<Item = &Standing> {
        self.standings.iter().filter(|standing| matches!(standing.verdict, Verdict::Bad(_)))
    }

    /// The versions that were found to have made things worse.
    pub fn worse_versions(&self) -> BTreeSet<&str> {
        let versions = self.alarms().filter_map(|standing| match &standing.scope {
            Scope::Version(version) => Some(version.as_str()),
            Scope::All | Scope::Tenant(_) => None,
        });
        versions.collect()
    }

    /// The appointments that did not get past each step.
    pub fn stopped_by_step(&self) -> BTreeMap<crate::figures::Step, u64> {
        let mut stopped = BTreeMap::new();
        for cluster in &self.clusters {
            *stopped.entry(cluster.step).or_default() += cluster.appointments;
        }
        stopped
    }

    /// Whether a rate is where it is aimed at; `None` where there is nothing to say.
    pub fn is_on_target(&self, rate: Rate) -> Option<bool> {
        self.overall.rate(rate).value().map(|value| rate.target().is_met_by(value))
    }
}

fn parts(figures: &Figures, name: impl Fn(&Cell) -> String) -> Vec<Part> {
    let names: BTreeSet<String> = figures.iter().map(|(cell, _, _)| name(cell)).collect();
    names.into_iter().map(|wanted| part(wanted.clone(), figures, |cell| name(cell) == wanted)).collect()
}

fn part(name: String, figures: &Figures, keep: impl Fn(&Cell) -> bool) -> Part {
    Part { name, summary: Summary::of(&figures.only(keep)) }
}
