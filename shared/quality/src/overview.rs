//! All tenants in one report, whose size does not grow with their number.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use scheduling::ids::TenantId;

use crate::{
    counters::{Counter, Counters, Dimensions, StopReason},
    rules::{self, Evaluation, Rule, Verdict},
};

/// So many tenants are shown by name. The others are counted together.
pub const SHOWN: usize = 200;
/// The name under which the others are counted. No tenant's id holds a space.
const OTHERS: &str = "all others";

/// The counters and evaluations of all tenants, which are added one by one.
pub struct Overview<'r> {
    rules: &'r [Rule],
    shown: BTreeMap<Rank, (TenantId, Counters)>,
    others: Counters,
    tenants: usize,
    latest: Option<NaiveDateTime>,
    evaluations: Vec<Evaluation>,
}

/// What decides who is shown: those with an alert, then those with most appointments.
type Rank = (bool, i64, TenantId);

/// All tenants together.
pub struct Overviewed {
    /// The counters: those of the shown tenants by tenant, service and party, those of all others without.
    pub counters: Counters,
    /// The evaluations of the rules for each tenant, as far as they matter.
    pub evaluations: Vec<Evaluation>,
    /// How many tenants there are.
    pub tenants: usize,
    /// The latest local time of any of them.
    pub latest: Option<NaiveDateTime>,
}

impl<'r> Overview<'r> {
    /// An overview without tenants.
    pub fn new(rules: &'r [Rule]) -> Self {
        let (shown, others, evaluations) = Default::default();
        Self { rules, shown, others, tenants: 0, latest: None, evaluations }
    }

    /// Adds a tenant with its local time. `is_raised` says whether an alert is raised: such a one may have to be cleared.
    pub fn add(
        &mut self,
        tenant: &TenantId,
        counters: Counters,
        local: NaiveDateTime,
        is_raised: impl Fn(&Evaluation) -> bool,
    ) {
        self.latest = self.latest.max(Some(local));
        if counters.is_empty() {
            return;
        }
        self.tenants += 1;
        let evaluations = rules::evaluate_tenant(self.rules, tenant, &counters, local);
        let matters = |evaluation: &Evaluation| matches!(evaluation.verdict, Verdict::Bad(_)) || is_raised(evaluation);
        let has_alert = evaluations.iter().any(&matters);
        self.evaluations.extend(evaluations.into_iter().filter(|it| self.tenants <= SHOWN || matters(it)));
        let appointments =
            counters.iter().filter(|(_, counter, _)| **counter == Counter::Appointments).map(|(.., n)| n).sum();
        self.shown.insert((has_alert, appointments, tenant.clone()), (tenant.clone(), counters));
        if self.shown.len() > SHOWN
            && let Some((_, (_, least))) = self.shown.pop_first()
        {
            self.others.add_all(&without_names(&least));
        }
    }

    /// All of them together.
    pub fn finish(self) -> Overviewed {
        let mut counters = self.others;
        for (_, shown) in self.shown.into_values() {
            counters.add_all(&shown);
        }
        Overviewed { counters, evaluations: self.evaluations, tenants: self.tenants, latest: self.latest }
    }
}

/// The same counters without what every tenant has its own names for.
fn without_names(counters: &Counters) -> Counters {
    let mut folded = Counters::default();
    for (dimensions, counter, n) in counters.iter() {
        let dimensions = Dimensions { tenant: TenantId::new(OTHERS), service: None, ..dimensions.clone() };
        let counter = match counter {
            Counter::Stopped(stop) => Counter::Stopped(StopReason { party: None, ..stop.clone() }),
            other => other.clone(),
        };
        folded.add(dimensions, counter, n);
    }
    folded
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use scheduling::ids::{ServiceId, Source};

    use super::*;
    use crate::{rate::Rate, summary::Summary};

    fn noon() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 12, 10).unwrap().and_hms_opt(12, 0, 0).unwrap()
    }

    /// A tenant with a service of its own, and so many appointments, of which so many have a staff member.
    fn counters(tenant: &TenantId, appointments: i64, assigned: i64) -> Counters {
        let mut counters = Counters::default();
        let dimensions = Dimensions {
            day: noon().date(),
            tenant: tenant.clone(),
            source: Source::phone(),
            service: Some(ServiceId::new(format!("service-of-{tenant}"))),
            version: "1".to_owned(),
        };
        let judged = [(Counter::Appointments, appointments), (Counter::Judged(Rate::StaffAssignment), appointments)];
        for (counter, n) in judged.into_iter().chain([(Counter::Met(Rate::StaffAssignment), assigned)]) {
            counters.add(dimensions.clone(), counter, n);
        }
        counters
    }

    fn overview(tenants: usize, bad: usize) -> Overviewed {
        let rules = Rule::defaults();
        let mut overview = Overview::new(&rules);
        for nth in 0..tenants {
            let tenant = TenantId::new(format!("salon-{nth}"));
            let assigned = if nth == bad { 0 } else { 10 };
            overview.add(&tenant, counters(&tenant, 10, assigned), noon(), |_| false);
        }
        overview.finish()
    }

    #[test]
    fn what_is_kept_of_ten_times_as_many_tenants_is_hardly_more() {
        let size = |tenants| overview(tenants, 0).counters.iter().count();
        assert!(size(10 * SHOWN) <= size(2 * SHOWN), "{} and {}", size(10 * SHOWN), size(2 * SHOWN));
        assert!(
            overview(10 * SHOWN, 0).evaluations.len() <= overview(SHOWN, 0).evaluations.len() + Rule::defaults().len()
        );
    }

    #[test]
    fn every_appointment_of_every_tenant_counts_and_the_one_with_an_alert_is_named() {
        let bad = 7;
        let all = overview(5 * SHOWN, bad);
        let summary = Summary::of(&all.counters);
        assert_eq!((summary.appointments, all.tenants), (50 * SHOWN as u64, 5 * SHOWN));
        let named = |(dimensions, ..): (&Dimensions, _, _)| dimensions.tenant.as_str() == format!("salon-{bad}");
        assert!(all.counters.iter().any(named));
        let alerts = all.evaluations.iter().filter(|it| matches!(it.verdict, Verdict::Bad(_)));
        assert!(alerts.count() > 0);
    }
}
