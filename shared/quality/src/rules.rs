//! The alert rules.

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Timelike, Utc};
use scheduling::ids::TenantId;
use serde::{Deserialize, Serialize};

use crate::{
    counters::{Counter, Counters},
    rate::Rate,
    regression::{self, Regression, VersionActivity},
    summary::{Ratio, Summary},
};

/// An alert rule. Rules are configuration; [`Rule::defaults`] as JSON is a starting point. A person
/// writes them, so unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, by which alerts are raised and cleared.
    pub name: String,
    /// The condition that raises an alert.
    pub condition: Condition,
    /// The smallest sample that is evaluated.
    pub minimum: u64,
}

/// The condition of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// A rate over the last days, today included.
    RateBelow {
        /// The rate.
        rate: Rate,
        /// The threshold, from 0 to 1.
        ratio: f64,
        /// How many days.
        days: u8,
    },
    /// A day, today or yesterday, on which a rate is 0.
    DayAtZero {
        /// The rate.
        rate: Rate,
    },
    /// Bookings without a host in the last 24 hours, by the hour.
    WithoutHost {
        /// The largest number without an alert.
        more_than: u64,
    },
    /// The newest version compared with those before it, over all tenants.
    Regression {
        /// The highest probability of such a difference by chance, from 0 to 1.
        significance: f64,
        /// Over how many days.
        days: u8,
    },
}

/// The scope of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All tenants together.
    All,
    /// One tenant.
    Tenant(TenantId),
    /// A version.
    Version(String),
}

/// The evaluation of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The rule's name.
    pub rule: String,
    /// All tenants, one tenant or one version.
    pub scope: Scope,
    /// The result.
    pub verdict: Verdict,
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No alert.
    Good(Measurement),
    /// An alert.
    Bad(Measurement),
    /// The sample is too small.
    TooFew,
}

/// A measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measurement {
    /// A rate over some days.
    Rate {
        /// The rate.
        rate: Rate,
        /// Its value.
        ratio: Ratio,
        /// Over how many days.
        days: u8,
        /// The threshold.
        minimum: f64,
    },
    /// A rate on one day.
    Day {
        /// The rate.
        rate: Rate,
        /// The day.
        day: NaiveDate,
        /// Its value.
        ratio: Ratio,
    },
    /// Bookings without a host in 24 hours.
    WithoutHost {
        /// How many.
        appointments: u64,
        /// Of how many bookings today and yesterday.
        of: u64,
        /// The largest number without an alert.
        maximum: u64,
    },
    /// A version compared with those before it.
    Version(Regression),
}

impl Measurement {
    /// Whether it is good enough to clear an alert. That takes more than not raising one, or a value at the threshold would
    /// raise and clear an alert with each appointment.
    pub fn is_recovered(&self) -> bool {
        match self {
            Self::Rate { ratio, minimum, .. } => {
                let margin = ((1.0 - minimum) / 3.0).min(MAX_MARGIN);
                ratio.value().is_some_and(|value| value >= minimum + margin)
            }
            Self::WithoutHost { appointments, maximum, .. } => *appointments <= maximum * 2 / 3,
            Self::Day { .. } | Self::Version(_) => true,
        }
    }
}

/// Invalid rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not JSON of this form.
    #[error("failed to parse the alert rules: {0}; shared/quality/README.md has an example")]
    Form(String),
    /// Two rules have one name.
    #[error("failed to parse the alert rules: two are named {0}")]
    NameTwice(String),
    /// A ratio or probability is out of range.
    #[error("failed to parse the alert rule {0}: a ratio must be from 0 to 1, and days from 1 to 31")]
    OutOfRange(String),
}

/// How far above its threshold a rate has to be to clear an alert, at most.
const MAX_MARGIN: f64 = 0.05;
/// The largest number of days that a rule can look back.
pub const MAX_DAYS: u8 = 31;

impl Rule {
    /// The alerts that the report of the October incident asks for, and the comparison of versions.
    pub fn defaults() -> Vec<Self> {
        let rule = |name: &str, condition, minimum| Self { name: name.to_owned(), condition, minimum };
        vec![
            rule("staff_assignment_low", Condition::RateBelow { rate: Rate::StaffAssignment, ratio: 0.70, days: 2 }, 5),
            rule("host_extraction_low", Condition::RateBelow { rate: Rate::HostExtraction, ratio: 0.95, days: 2 }, 5),
            rule("day_without_booking", Condition::DayAtZero { rate: Rate::BookingIntegration }, 3),
            rule("day_without_staff", Condition::DayAtZero { rate: Rate::StaffAssignment }, 3),
            rule("bookings_without_host", Condition::WithoutHost { more_than: 5 }, 1),
            rule("version_regression", Condition::Regression { significance: 0.005, days: 14 }, 3),
        ]
    }

    /// How many days it looks back.
    pub fn looks_back(&self) -> u8 {
        match self.condition {
            Condition::RateBelow { days, .. } | Condition::Regression { days, .. } => days,
            Condition::DayAtZero { .. } | Condition::WithoutHost { .. } => 2,
        }
    }

    /// Parses rules from JSON; the defaults if there is none.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn parse(json: &str) -> Result<Vec<Self>, RuleError> {
        if json.trim().is_empty() {
            return Ok(Self::defaults());
        }
        let rules: Vec<Self> = serde_json::from_str(json).map_err(|error| RuleError::Form(error.to_string()))?;
        let mut names = BTreeSet::new();
        for rule in &rules {
            if !names.insert(rule.name.as_str()) {
                return Err(RuleError::NameTwice(rule.name.clone()));
            }
            if !rule.condition.is_in_range() {
                return Err(RuleError::OutOfRange(rule.name.clone()));
            }
        }
        Ok(rules)
    }
}

impl Condition {
    fn is_in_range(&self) -> bool {
        let (ratio, days) = match self {
            Self::RateBelow { ratio, days, .. } | Self::Regression { significance: ratio, days } => (*ratio, *days),
            Self::DayAtZero { .. } | Self::WithoutHost { .. } => (0.0, 1),
        };
        (0.0..=1.0).contains(&ratio) && (1..=MAX_DAYS).contains(&days)
    }
}

/// The evaluation of each rule for one tenant. `local` is its local time.
pub fn evaluate_tenant(
    rules: &[Rule],
    tenant: &TenantId,
    counters: &Counters,
    local: NaiveDateTime,
) -> Vec<Evaluation> {
    evaluate(rules, &Scope::Tenant(tenant.clone()), counters, local)
}

/// The evaluation of each rule for all tenants together, and of the newest version. `latest` is the latest local time of any
/// of them.
pub fn evaluate_all(rules: &[Rule], counters: &Counters, latest: NaiveDateTime) -> Vec<Evaluation> {
    evaluate(rules, &Scope::All, counters, latest)
}

/// The newest version, by each rule that it violates.
pub fn evaluate_versions(
    rules: &[Rule],
    counters: &Counters,
    version_activity: &[VersionActivity],
    now: DateTime<Utc>,
) -> Vec<Evaluation> {
    let worse = rules.iter().filter_map(|rule| {
        let Condition::Regression { significance, days } = &rule.condition else { return None };
        let recent = since(counters, now.date_naive(), *days);
        let found = regression::regression(&recent, version_activity, *significance, rule.minimum)?;
        Some(rule.of_version(found))
    });
    worse.collect()
}

fn evaluate(rules: &[Rule], scope: &Scope, counters: &Counters, now: NaiveDateTime) -> Vec<Evaluation> {
    let of_rates = rules.iter().filter(|rule| !matches!(rule.condition, Condition::Regression { .. }));
    let evaluations = of_rates.map(|rule| Evaluation {
        rule: rule.name.clone(),
        scope: scope.clone(),
        verdict: rule.condition.verdict(counters, now, rule.minimum),
    });
    evaluations.collect()
}

impl Rule {
    fn of_version(&self, found: Regression) -> Evaluation {
        let scope = Scope::Version(found.version.clone());
        Evaluation { rule: self.name.clone(), scope, verdict: Verdict::Bad(Measurement::Version(found)) }
    }
}

impl Condition {
    fn verdict(&self, counters: &Counters, now: NaiveDateTime, minimum: u64) -> Verdict {
        match self {
            Self::RateBelow { rate, ratio: lowest, days } => {
                let ratio = Summary::of(&since(counters, now.date(), *days)).rate(*rate);
                let measured = Measurement::Rate { rate: *rate, ratio, days: *days, minimum: *lowest };
                Verdict::of(measured, ratio, minimum, |value| value < *lowest)
            }
            Self::DayAtZero { rate } => {
                let on = |day: NaiveDate| {
                    let ratio = Summary::of(&counters.only(|dimensions| dimensions.day == day)).rate(*rate);
                    Verdict::of(Measurement::Day { rate: *rate, day, ratio }, ratio, minimum, |value| value == 0.0)
                };
                match on(now.date()) {
                    Verdict::TooFew => on(now.date() - Days::new(1)),
                    today => today,
                }
            }
            Self::WithoutHost { more_than } => {
                let hostless = without_host_in_24h(counters, now);
                let bookings = Summary::of(&since(counters, now.date(), 2)).rate(Rate::HostExtraction).of;
                let measured = Measurement::WithoutHost { appointments: hostless, of: bookings, maximum: *more_than };
                match hostless > *more_than {
                    _ if bookings < minimum => Verdict::TooFew,
                    true => Verdict::Bad(measured),
                    false => Verdict::Good(measured),
                }
            }
            // It compares versions, not tenants.
            Self::Regression { .. } => Verdict::TooFew,
        }
    }
}

impl Verdict {
    fn of(measured: Measurement, ratio: Ratio, minimum: u64, is_bad: impl Fn(f64) -> bool) -> Self {
        match ratio.value() {
            Some(value) if ratio.of >= minimum && is_bad(value) => Self::Bad(measured),
            Some(_) if ratio.of >= minimum => Self::Good(measured),
            _ => Self::TooFew,
        }
    }
}

fn since(counters: &Counters, today: NaiveDate, days: u8) -> Counters {
    let first = today - Days::new(u64::from(days.saturating_sub(1)));
    counters.only(|dimensions| dimensions.day >= first)
}

/// Today up to this hour, and yesterday after it: 23 to 24 hours.
fn without_host_in_24h(counters: &Counters, now: NaiveDateTime) -> u64 {
    let (today, yesterday) = (now.date(), now.date() - Days::new(1));
    let counts = counters.iter().filter_map(|(dimensions, counter, n)| match counter {
        Counter::WithoutHost { hour } => {
            let is_recent = dimensions.day == today || (dimensions.day == yesterday && u32::from(*hour) > now.hour());
            is_recent.then(|| u64::try_from(n).unwrap_or_default())
        }
        _ => None,
    });
    counts.sum()
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all tenants"),
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
            Self::Version(version) => write!(f, "version {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use scheduling::ids::Source;

    use super::*;
    use crate::counters::Dimensions;

    fn noon(day: u32) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 12, day).unwrap().and_hms_opt(12, 30, 0).unwrap()
    }

    fn on(day: u32, tenant: &str, counter: Counter, n: i64) -> Counters {
        let mut counters = Counters::default();
        let dimensions = Dimensions {
            day: noon(day).date(),
            tenant: TenantId::new(tenant),
            source: Source::phone(),
            service: None,
            version: "1".to_owned(),
        };
        counters.add(dimensions, counter, n);
        counters
    }

    fn rate_on(day: u32, tenant: &str, rate: Rate, met: i64, of: i64) -> Counters {
        let mut counters = on(day, tenant, Counter::Judged(rate), of);
        counters.add_all(&on(day, tenant, Counter::Met(rate), met));
        counters
    }

    fn verdicts(counters: &[Counters], rule: &str) -> Vec<(String, &'static str)> {
        let mut all = Counters::default();
        counters.iter().for_each(|part| all.add_all(part));
        let tenants: BTreeSet<&TenantId> = all.iter().map(|(dimensions, ..)| &dimensions.tenant).collect();
        let rules = Rule::defaults();
        let of_tenant = |tenant: &&TenantId| {
            evaluate_tenant(&rules, tenant, &all.only(|dimensions| dimensions.tenant == **tenant), noon(10))
        };
        let mut evaluations: Vec<Evaluation> = tenants.iter().flat_map(of_tenant).collect();
        evaluations.extend(evaluate_all(&rules, &all, noon(10)));
        let word = |verdict: &Verdict| match verdict {
            Verdict::Good(_) => "good",
            Verdict::Bad(_) => "bad",
            Verdict::TooFew => "too few",
        };
        let of_rule = evaluations.iter().filter(|evaluation| evaluation.rule == rule);
        of_rule.map(|evaluation| (evaluation.scope.to_string(), word(&evaluation.verdict))).collect()
    }

    /// That of the one tenant.
    fn salon_verdict(counters: &[Counters], rule: &str) -> &'static str {
        verdicts(counters, rule)[0].1
    }

    #[test]
    fn one_of_two_is_no_alarm_and_three_of_ten_are_one() {
        let rate = |met, of| rate_on(10, "salon", Rate::StaffAssignment, met, of);
        assert_eq!(salon_verdict(&[rate(1, 2)], "staff_assignment_low"), "too few");
        assert_eq!(salon_verdict(&[rate(3, 10)], "staff_assignment_low"), "bad");
        assert_eq!(salon_verdict(&[rate(7, 10)], "staff_assignment_low"), "good");
    }

    #[test]
    fn a_rate_looks_at_its_own_days_only() {
        let long_ago = rate_on(1, "salon", Rate::HostExtraction, 0, 100);
        assert_eq!(
            salon_verdict(&[long_ago, rate_on(9, "salon", Rate::HostExtraction, 5, 5)], "host_extraction_low"),
            "good"
        );
    }

    #[test]
    fn a_day_at_nothing_is_an_alarm_until_a_better_one_begins() {
        let day = |day, met| rate_on(day, "salon", Rate::BookingIntegration, met, 3);
        assert_eq!(salon_verdict(&[day(10, 0)], "day_without_booking"), "bad");
        assert_eq!(salon_verdict(&[day(9, 0)], "day_without_booking"), "bad");
        assert_eq!(salon_verdict(&[day(9, 0), day(10, 1)], "day_without_booking"), "good");
        assert_eq!(salon_verdict(&[day(8, 0)], "day_without_booking"), "too few");
    }

    #[test]
    fn six_bookings_without_a_host_in_24_hours_are_an_alarm_and_five_are_none() {
        let hostless = |day, hour, n| {
            let mut counters = on(day, "salon", Counter::WithoutHost { hour }, n);
            counters.add_all(&rate_on(day, "salon", Rate::HostExtraction, 0, n));
            counters
        };
        assert_eq!(salon_verdict(&[hostless(9, 13, 3), hostless(10, 12, 3)], "bookings_without_host"), "bad");
        assert_eq!(salon_verdict(&[hostless(9, 12, 3), hostless(10, 12, 3)], "bookings_without_host"), "good");
    }

    #[test]
    fn an_alert_is_cleared_by_more_than_its_threshold() {
        let rate = |met, of, minimum| Measurement::Rate {
            rate: Rate::StaffAssignment,
            ratio: Ratio { met, of },
            days: 2,
            minimum,
        };
        assert!(!rate(71, 100, 0.70).is_recovered() && rate(75, 100, 0.70).is_recovered());
        assert!(!rate(96, 100, 0.95).is_recovered() && rate(97, 100, 0.95).is_recovered());
        let hostless = |appointments| Measurement::WithoutHost { appointments, of: 20, maximum: 5 };
        assert!(!hostless(4).is_recovered() && hostless(3).is_recovered());
    }

    #[test]
    fn a_tenant_is_told_apart_from_all_of_them() {
        let counters =
            [rate_on(10, "garage", Rate::StaffAssignment, 0, 10), rate_on(10, "salon", Rate::StaffAssignment, 90, 90)];
        assert_eq!(
            verdicts(&counters, "staff_assignment_low"),
            [
                ("tenant garage".to_owned(), "bad"),
                ("tenant salon".to_owned(), "good"),
                ("all tenants".to_owned(), "good")
            ]
        );
    }

    #[test]
    fn rules_are_read_as_they_are_written_and_nonsense_is_named() {
        let written = serde_json::to_string(&Rule::defaults()).unwrap();
        assert_eq!(Rule::parse(&written), Ok(Rule::defaults()));
        assert_eq!(Rule::parse(" "), Ok(Rule::defaults()));
        let rule = |name: &str, days: u8| {
            format!(
                r#"{{"name":"{name}","condition":{{"rate_below":{{"rate":"staff_assignment","ratio":0.5,"days":{days}}}}},"minimum":1}}"#
            )
        };
        assert_eq!(
            Rule::parse(&format!("[{},{}]", rule("x", 1), rule("x", 1))),
            Err(RuleError::NameTwice("x".to_owned()))
        );
        assert_eq!(Rule::parse(&format!("[{}]", rule("x", 90))), Err(RuleError::OutOfRange("x".to_owned())));
        assert!(matches!(Rule::parse("[{}]"), Err(RuleError::Form(_))));
    }
}
