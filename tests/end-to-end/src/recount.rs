//! Counting everything anew, to see whether the counters say the same.

use chrono::{DateTime, Utc};
use quality::{attribution::counters_of, counters::Counters};
use scheduling::{appointment::Appointment, ids::TenantId};

use crate::Stack;

/// The counters of these appointments, counted from their records as they stand.
pub async fn recount(stack: &Stack, appointments: impl IntoIterator<Item = &Appointment>) -> Counters {
    let (mut counters, now) = (Counters::default(), Utc::now());
    for appointment in appointments {
        let tenant = stack.tenants.load(&appointment.tenant).await.unwrap();
        counters.add_all(&counters_of(appointment, tenant.as_deref(), now));
    }
    counters
}

/// The counters of these tenants since `since`.
pub async fn counters(stack: &Stack, tenants: &[&TenantId], since: DateTime<Utc>) -> Counters {
    let mut counters = Counters::default();
    for tenant in tenants {
        counters.add_all(&stack.counters.of_tenant(tenant, since.date_naive()).await.unwrap());
    }
    counters
}

/// What differs between the two, for people to read. Empty where nothing does.
pub fn differences(counters: &Counters, recounted: &Counters) -> Vec<String> {
    let since = counters.since(recounted);
    since.iter().map(|(dimensions, counter, n)| format!("{dimensions:?} {counter}: {n:+}")).collect()
}
