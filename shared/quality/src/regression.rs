//! Whether the newest version is worse than those before it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use statrs::stats_tests::{Alternative, fisher::fishers_exact};

use crate::{
    counters::Counters,
    rate::Rate,
    summary::{Cluster, Ratio, Summary, clusters_of},
};

/// When a deployed version was active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionActivity {
    /// The version.
    pub version: String,
    /// First.
    pub first: DateTime<Utc>,
    /// Last.
    pub last: DateTime<Utc>,
}

/// A version with a regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    /// The version.
    pub version: String,
    /// The rates that got worse: at least one, in the order of an appointment's steps.
    pub rates: Vec<RateRegression>,
    /// Where its appointments stopped, most frequent first.
    pub stopped: Vec<Cluster>,
}

/// A rate that got worse with a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateRegression {
    /// The rate.
    pub rate: Rate,
    /// With this version.
    pub with: Ratio,
    /// With the versions before it.
    pub before: Ratio,
    /// The probability of such a difference if the versions do not differ.
    pub p_value: f64,
}

/// A version that did nothing for this long while another one did is out of use.
const OUT_OF_USE_AFTER: TimeDelta = TimeDelta::hours(6);
/// A smaller difference is no reason to roll back, however certain it is.
const MIN_DIFFERENCE: f64 = 0.10;
/// How many clusters of a version are listed.
const MAX_CLUSTERS: usize = 5;

/// The version that was deployed last, if it is still in use.
pub fn newest(version_activity: &[VersionActivity]) -> Option<&VersionActivity> {
    let last = version_activity.iter().map(|seen| seen.last).max()?;
    version_activity.iter().max_by_key(|seen| seen.first).filter(|seen| last - seen.last <= OUT_OF_USE_AFTER)
}

/// The newest version, if it made any rate worse, by Fisher's exact test against all versions before it.
///
/// `significance` is the highest probability of such a difference by chance; `minimum` is the smallest sample on either
/// side.
pub fn regression(
    counters: &Counters,
    version_activity: &[VersionActivity],
    significance: f64,
    minimum: u64,
) -> Option<Regression> {
    let newest = newest(version_activity)?;
    let its_counters = counters.only(|dimensions| dimensions.version == newest.version);
    let its = Summary::of(&its_counters);
    let before = Summary::of(&counters.only(|dimensions| dimensions.version != newest.version));
    let worse = |rate: Rate| {
        let (with, before) = (its.rate(rate), before.rate(rate));
        let (now, then) = (with.value()?, before.value()?);
        let loss = if rate.is_better_low() { now - then } else { then - now };
        if with.of < minimum || before.of < minimum || loss < MIN_DIFFERENCE {
            return None;
        }
        let p_value = p_value_of(rate, with, before);
        (p_value <= significance).then_some(RateRegression { rate, with, before, p_value })
    };
    let rates: Vec<RateRegression> = Rate::ALL.into_iter().filter_map(worse).collect();
    let stopped = clusters_of(&its_counters).into_iter().take(MAX_CLUSTERS).collect();
    (!rates.is_empty()).then(|| Regression { version: newest.version.clone(), rates, stopped })
}

/// The probability of so bad a rate, or a worse one, if the versions do not differ.
fn p_value_of(rate: Rate, with: Ratio, before: Ratio) -> f64 {
    let table = [with.met, with.of - with.met, before.met, before.of - before.met];
    let alternative = if rate.is_better_low() { Alternative::Greater } else { Alternative::Less };
    // Inconsistent counters prove nothing.
    fishers_exact(&table, alternative).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use scheduling::ids::{Source, TenantId};

    use super::*;
    use crate::counters::{Counter, Dimensions};

    fn at(hours: i64) -> DateTime<Utc> {
        "2026-12-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours)
    }

    fn seen(version: &str, first: i64, last: i64) -> VersionActivity {
        VersionActivity { version: version.to_owned(), first: at(first), last: at(last) }
    }

    fn counters(versions: &[(&str, Rate, i64, i64)]) -> Counters {
        let mut counters = Counters::default();
        for (version, rate, met, of) in versions {
            let dimensions = Dimensions {
                day: NaiveDate::from_ymd_opt(2026, 12, 1).unwrap(),
                tenant: TenantId::new("salon"),
                source: Source::phone(),
                service: None,
                version: (*version).to_owned(),
            };
            counters.add(dimensions.clone(), Counter::Judged(*rate), *of);
            counters.add(dimensions, Counter::Met(*rate), *met);
        }
        counters
    }

    fn worse(counters: &Counters) -> Option<Regression> {
        regression(counters, &[seen("1", 0, 5), seen("2", 5, 6)], 0.005, 3)
    }

    #[test]
    fn three_failures_after_seventeen_successes_are_no_chance() {
        let counters = counters(&[("1", Rate::HostExtraction, 17, 17), ("2", Rate::HostExtraction, 0, 3)]);
        let worse = worse(&counters).unwrap();
        assert_eq!((worse.version.as_str(), worse.rates.len(), worse.rates[0].rate), ("2", 1, Rate::HostExtraction));
        // One of all C(20, 3) ways to choose three of twenty.
        assert!((worse.rates[0].p_value - 1.0 / 1140.0).abs() < 1e-9, "{}", worse.rates[0].p_value);
    }

    #[test]
    fn the_incidents_own_counters_are_too_few_to_show_a_regression() {
        assert_eq!(worse(&counters(&[("1", Rate::StaffAssignment, 3, 17), ("2", Rate::StaffAssignment, 0, 3)])), None);
    }

    #[test]
    fn small_samples_and_small_differences_name_nobody() {
        let two = counters(&[("1", Rate::HostExtraction, 1000, 1000), ("2", Rate::HostExtraction, 0, 2)]);
        let slight =
            counters(&[("1", Rate::HostExtraction, 10_000, 10_000), ("2", Rate::HostExtraction, 9_500, 10_000)]);
        assert_eq!((worse(&two), worse(&slight)), (None, None));
    }

    #[test]
    fn more_work_for_people_is_worse_and_less_is_not() {
        let counters = counters(&[("1", Rate::ManualIntervention, 1, 50), ("2", Rate::ManualIntervention, 20, 50)]);
        assert!(worse(&counters).is_some());
        assert_eq!(regression(&counters, &[seen("2", 0, 5), seen("1", 5, 6)], 0.005, 3), None);
    }

    #[test]
    fn a_version_that_was_taken_back_is_no_longer_the_newest() {
        let version_activity = [seen("1", 0, 20), seen("2", 5, 6)];
        assert_eq!(newest(&version_activity), None);
        assert_eq!(newest(&version_activity[1..]).map(|seen| seen.version.as_str()), Some("2"));
    }
}
