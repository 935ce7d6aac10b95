//! Counters by tenant, day, source, service and deployed version.

use std::{collections::BTreeMap, fmt};

use chrono::NaiveDate;
use scheduling::{
    failure::Category,
    ids::{HostId, ServiceId, Source, StaffId, TenantId},
};
use serde::{Deserialize, Serialize, de::IntoDeserializer};

use crate::rate::Rate;

/// The dimensions of a counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dimensions {
    /// The day on which the appointment was requested, in the tenant's time zone.
    pub day: NaiveDate,
    /// The tenant.
    pub tenant: TenantId,
    /// The channel.
    pub source: Source,
    /// The service, if it is known.
    pub service: Option<ServiceId>,
    /// The deployed version that did, or failed to do, what is counted.
    pub version: String,
}

/// What is counted. Written as words between `#`, for instance `stopped#booking#host_conflict#staff:anna`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Counter {
    /// All appointments.
    Appointments,
    /// Those for which a rate is decided.
    Judged(Rate),
    /// Those of them that meet it.
    Met(Rate),
    /// Those that failed with this category, now or in an earlier attempt.
    Failed(Category),
    /// Those that stopped.
    Stopped(StopReason),
    /// Those booked without a host, by the hour of the tenant's day in which they were requested.
    WithoutHost {
        /// From 0 to 23.
        hour: u8,
    },
    /// Those assigned within this time after they were requested.
    AssignedIn(TimeBucket),
}

/// Where an appointment stopped, why, and whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StopReason {
    /// The step that it did not pass.
    pub step: Step,
    /// The detail of the cause in the appointment's history.
    pub reason: String,
    /// Whom it concerns, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
}

/// A step of an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Reading the request.
    Intake,
    /// Booking it with Cal.com.
    Booking,
    /// Learning the hosts of the booking.
    HostExtraction,
    /// Finding the staff member of the host.
    Assignment,
}

/// The staff member or host involved in a stop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The staff member whom the caller requested.
    Staff(StaffId),
    /// The host that Cal.com named.
    Host(HostId),
}

/// A range of durations, each a fifth wider than the one below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeBucket(u8);

/// The upper end of the first [`TimeBucket`].
const FIRST_BUCKET_SECONDS: f64 = 0.1;
/// How many buckets double the duration.
const BUCKETS_PER_DOUBLING: f64 = 4.0;

impl TimeBucket {
    /// The bucket of a duration.
    pub fn of_seconds(seconds: f64) -> Self {
        let doublings = (seconds.max(FIRST_BUCKET_SECONDS) / FIRST_BUCKET_SECONDS).log2();
        Self((doublings * BUCKETS_PER_DOUBLING).ceil() as u8)
    }

    /// The longest duration in it.
    pub fn up_to_seconds(self) -> f64 {
        FIRST_BUCKET_SECONDS * 2.0_f64.powf(f64::from(self.0) / BUCKETS_PER_DOUBLING)
    }
}

impl Step {
    /// The word for it in tables, logs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Booking => "booking",
            Self::HostExtraction => "host_extraction",
            Self::Assignment => "assignment",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Staff(id) => write!(f, "staff:{id}"),
            Self::Host(id) => write!(f, "host:{id}"),
        }
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appointments => f.write_str("appointments"),
            Self::Judged(rate) => write!(f, "judged#{rate}"),
            Self::Met(rate) => write!(f, "met#{rate}"),
            Self::Failed(category) => write!(f, "failed#{}", category.as_str()),
            Self::Stopped(StopReason { step, reason, party: None }) => write!(f, "stopped#{step}#{reason}"),
            Self::Stopped(StopReason { step, reason, party: Some(party) }) => {
                write!(f, "stopped#{step}#{reason}#{party}")
            }
            Self::WithoutHost { hour } => write!(f, "without_host#{hour:02}"),
            Self::AssignedIn(TimeBucket(bucket)) => write!(f, "assigned_in#{bucket:03}"),
        }
    }
}

impl From<Counter> for String {
    fn from(counter: Counter) -> Self {
        counter.to_string()
    }
}

/// A name that no counter has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no counter {0}")]
pub struct NoSuchCounter(String);

impl TryFrom<String> for Counter {
    type Error = NoSuchCounter;

    fn try_from(name: String) -> Result<Self, NoSuchCounter> {
        counter_named(&name).ok_or(NoSuchCounter(name))
    }
}

fn counter_named(name: &str) -> Option<Counter> {
    let (kind, rest) = name.split_once('#').unwrap_or((name, ""));
    Some(match kind {
        "appointments" => Counter::Appointments,
        "judged" => Counter::Judged(word(rest)?),
        "met" => Counter::Met(word(rest)?),
        "failed" => Counter::Failed(word(rest)?),
        "without_host" => Counter::WithoutHost { hour: rest.parse().ok()? },
        "assigned_in" => Counter::AssignedIn(TimeBucket(rest.parse().ok()?)),
        "stopped" => {
            let mut words = rest.splitn(3, '#');
            let (step, reason) = (word(words.next()?)?, words.next()?.to_owned());
            let party = match words.next().map(|party| party.split_once(':')) {
                None => None,
                Some(Some(("staff", id))) => Some(Party::Staff(StaffId::new(id))),
                Some(Some(("host", id))) => Some(Party::Host(HostId(id.parse().ok()?))),
                Some(_) => return None,
            };
            Counter::Stopped(StopReason { step, reason, party })
        }
        _ => return None,
    })
}

fn word<T: for<'de> Deserialize<'de>>(word: &str) -> Option<T> {
    let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

/// Counters with their values. A missing counter is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<(Dimensions, Counter), i64>);

impl Counters {
    /// Adds to a counter.
    pub fn add(&mut self, dimensions: Dimensions, counter: Counter, n: i64) {
        let key = (dimensions, counter);
        let sum = self.0.get(&key).copied().unwrap_or_default() + n;
        if sum == 0 {
            self.0.remove(&key);
        } else {
            self.0.insert(key, sum);
        }
    }

    /// Adds all of `others`.
    pub fn add_all(&mut self, others: &Self) {
        for ((dimensions, counter), n) in &others.0 {
            self.add(dimensions.clone(), counter.clone(), *n);
        }
    }

    /// What must be added to `before` to get these.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut difference = self.clone();
        for ((dimensions, counter), n) in &before.0 {
            difference.add(dimensions.clone(), counter.clone(), -n);
        }
        difference
    }

    /// Each counter with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&Dimensions, &Counter, i64)> {
        self.0.iter().map(|((dimensions, counter), n)| (dimensions, counter, *n))
    }

    /// The counters with the same dimensions together.
    pub fn by_dimensions(&self) -> BTreeMap<&Dimensions, Vec<(&Counter, i64)>> {
        let mut groups: BTreeMap<&Dimensions, Vec<(&Counter, i64)>> = BTreeMap::new();
        for (dimensions, counter, n) in self.iter() {
            groups.entry(dimensions).or_default().push((counter, n));
        }
        groups
    }

    /// Whether every counter is 0.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those whose dimensions satisfy `keep`.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Dimensions) -> bool) -> Self {
        Self(self.0.iter().filter(|((dimensions, _), _)| keep(dimensions)).map(|(key, n)| (key.clone(), *n)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_counter_is_read_as_it_was_written() {
        let stop = |party| {
            Counter::Stopped(StopReason { step: Step::Assignment, reason: "host_unknown_to_us".to_owned(), party })
        };
        let mut all = vec![
            Counter::Appointments,
            Counter::WithoutHost { hour: 7 },
            Counter::AssignedIn(TimeBucket::of_seconds(3.0)),
            stop(None),
            stop(Some(Party::Staff(StaffId::new("anna")))),
            stop(Some(Party::Host(HostId(7)))),
        ];
        all.extend(Rate::ALL.into_iter().flat_map(|rate| [Counter::Judged(rate), Counter::Met(rate)]));
        all.extend(Category::ALL.map(Counter::Failed));
        for counter in all {
            assert_eq!(Counter::try_from(counter.to_string()), Ok(counter));
        }
        for wrong in ["", "met", "met#luck", "stopped#booking", "stopped#booking#x#them:1", "without_host#x"] {
            assert!(Counter::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_time_lies_in_its_bucket_and_the_bucket_is_narrow(seconds in 0.1..2_000_000.0_f64) {
            let end = TimeBucket::of_seconds(seconds).up_to_seconds();
            prop_assert!(seconds <= end * 1.000_001, "{seconds} {end}");
            prop_assert!(end < seconds * 1.2, "{seconds} {end}");
        }

        #[test]
        fn what_was_added_since_leads_from_the_one_to_the_other(
            before in proptest::collection::vec((0_u8..5, 1_i64..3), 0..8),
            after in proptest::collection::vec((0_u8..5, 1_i64..3), 0..8),
        ) {
            let counters = |added: Vec<(u8, i64)>| {
                let mut counters = Counters::default();
                for (hour, n) in added {
                    let dimensions = Dimensions {
                        day: NaiveDate::default(), tenant: TenantId::new("a"), source: Source::phone(),
                        service: None, version: "1".to_owned(),
                    };
                    counters.add(dimensions, Counter::WithoutHost { hour }, n);
                }
                counters
            };
            let (before, after) = (counters(before), counters(after));
            let mut sum = before.clone();
            sum.add_all(&after.since(&before));
            prop_assert_eq!(sum, after);
        }
    }
}
