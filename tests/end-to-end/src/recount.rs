//! Counting everything anew, to see whether the counters say the same.

use chrono::{DateTime, Days, Utc};
use quality::{counting::counters_of, figures::Counters};
use scheduling::{appointment::Appointment, ids::TenantId};

use crate::Stack;

/// The figures of these appointments, counted from their records as they stand.
pub async fn recount(stack: &Stack, appointments: impl IntoIterator<Item = &Appointment>) -> Counters {
    let (mut figures, now) = (Counters::default(), Utc::now());
    for appointment in appointments {
        let tenant = stack.tenants.load(&appointment.tenant).await.unwrap();
        figures.add_all(&counters_of(appointment, tenant.as_deref(), now));
    }
    figures
}

/// The counters of these tenants since `since`.
pub async fn counters(stack: &Stack, tenants: &[&TenantId], since: DateTime<Utc>) -> Counters {
    let mut figures = Counters::default();
    let until = Utc::now().date_naive() + Days::new(1);
    for day in since.date_naive().iter_days().take_while(|day| *day <= until) {
        let of_day = stack.figures.of_day(day).await.unwrap();
        figures.add_all(&of_day.only(|cell| tenants.contains(&&cell.tenant)));
    }
    figures
}

/// What differs between the two, for people to read. Empty where nothing does.
pub fn differences(counters: &Counters, recounted: &Counters) -> Vec<String> {
    let since = counters.since(recounted);
    since.iter().map(|(cell, counter, n)| format!("{cell:?} {counter}: {n:+}")).collect()
}
