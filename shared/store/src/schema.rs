//! The keys of every table and index. `infra/template.yaml` creates them, and a test of the template compares the two.

/// The keys of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema {
    /// The environment variable that names the table.
    pub(crate) variable: &'static str,
    /// Its partition key.
    pub(crate) partition: &'static str,
    /// Its sort key.
    pub(crate) sort: &'static str,
}

/// An index of the appointments table. Its sort key is an instant, but for [`BY_NAME`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Index {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its partition key.
    pub(crate) partition: &'static str,
    /// Its sort key.
    pub(crate) sort: &'static str,
}

pub(crate) const APPOINTMENTS: Schema = Schema { variable: "APPOINTMENTS_TABLE", partition: "id", sort: "item" };
pub(crate) const CALLS: Schema = Schema { variable: "CALLS_TABLE", partition: "call", sort: "event" };
pub(crate) const TENANTS: Schema = Schema { variable: "TENANTS_TABLE", partition: "key", sort: "item" };
pub(crate) const SESSIONS: Schema = Schema { variable: "SESSIONS_TABLE", partition: "person", sort: "session" };
pub(crate) const COUNTERS: Schema = Schema { variable: "COUNTERS_TABLE", partition: "kind", sort: "item" };

/// Open appointments by whether they are booked, and by start.
pub(crate) const BY_PHASE: Index = Index { name: "by-phase-and-start", partition: "phase", sort: "start_at" };
/// Appointments that move on without a person, by when they should have.
pub(crate) const BY_DUE: Index = Index { name: "by-due", partition: "due", sort: "due_at" };
/// Appointments that changed since they were counted or are in progress, by when they were requested: a key that never
/// changes, so that a further change costs no write to the index.
pub(crate) const BY_UNCOUNTED: Index = Index { name: "by-uncounted", partition: "uncounted", sort: "uncounted_since" };
/// Appointments that need review, by tenant, longest waiting first.
pub(crate) const BY_REVIEW: Index = Index { name: "by-review", partition: "review_tenant", sort: "review_since" };
/// Every appointment by tenant, and by start or, without one, by when it was requested.
pub(crate) const BY_TENANT: Index = Index { name: "by-tenant-and-start", partition: "tenant", sort: "tenant_start" };
/// Every appointment by tenant, and by its customer's name; one without a name is not in it.
pub(crate) const BY_NAME: Index = Index { name: "by-tenant-and-name", partition: "tenant", sort: "sort_name" };
/// Appointments by the uid of their booking; it has no sort key.
pub(crate) const BY_CALCOM_UID: Index = Index { name: "by-calcom-uid", partition: "calcom_uid", sort: "" };

/// The sort key of an appointment's own item.
pub(crate) const RECORD: &str = "appointment";
/// The sort key of what was counted of an appointment.
pub(crate) const COUNTED: &str = "counted";
