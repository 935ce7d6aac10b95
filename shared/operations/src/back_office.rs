//! What the desk requests from `functions/back-office`, which has the keys that the desk can't read.

use chrono::{DateTime, Utc};
use scheduling::{
    ids::{AppointmentId, StaffId, TenantId},
    offer::FreeSlot,
    personal::Personal,
};
use serde::{Deserialize, Serialize};
use store::Version;

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// List the free slots of a service.
    FreeSlots {
        /// The tenant.
        tenant: TenantId,
        /// The service's id, or words for it.
        service: String,
        /// The staff member, if one is wished.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        staff: Option<StaffId>,
        /// From then on.
        from: DateTime<Utc>,
        /// Before then.
        to: DateTime<Utc>,
    },
    /// Assign an appointment to a staff member, at Cal.com, too.
    Assign {
        /// The appointment.
        appointment: AppointmentId,
        /// The version that the desk read.
        version: Version,
        /// The staff member.
        staff: StaffId,
        /// Who has it done.
        person: Personal<String>,
    },
    /// Ask Cal.com now whether it accepts the key of a tenant's account, and end the account's pause if it does.
    Resume {
        /// The tenant.
        tenant: TenantId,
    },
    /// Check a tenant file, and load it if `apply`.
    Tenant {
        /// The text of the file.
        text: String,
        /// Whether to load it.
        apply: bool,
        /// Who has it done.
        person: Personal<String>,
    },
}

/// The response.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The free slots, in order.
    Slots(Vec<FreeSlot>),
    /// It was done.
    Done,
    /// Somebody else was first: nothing was done.
    Changed,
    /// It was not done, for this reason.
    Refused(String),
    /// It could not be found out now.
    NotKnown,
    /// What is wrong with a tenant file; nothing if it can be loaded.
    Problems(Vec<String>),
}
