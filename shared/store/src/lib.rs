#![doc = include_str!("../README.md")]

mod account_pauses;
mod alerts;
mod appointments;
mod blob;
mod calls;
mod counters;
mod customer_index;
mod error;
mod exchanges;
mod indexes;
mod item;
mod record;
mod schema;
mod slot_leases;
pub mod step;
pub mod sweep;
mod table;
mod tenants;
mod transaction;
mod update;
mod versions;

pub use account_pauses::{AccountPauses, Pause};
pub use alerts::Alert;
pub use appointments::{Appointments, Overdue};
pub use calls::{CallEvent, Calls, Recorded};
pub use counters::{Countable, CounterStore};
pub use customer_index::{NewAppointment, SlotClaim};
pub use error::StoreError;
pub use exchanges::{ExchangeRecord, StoredExchange};
pub use indexes::{Cursor, Page, Phase};
pub use record::{Version, Versioned};
pub use slot_leases::SlotLease;
pub use tenants::{TenantRecord, Tenants};
pub use update::Update;
