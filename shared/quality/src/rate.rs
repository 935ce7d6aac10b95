//! The rates by which quality is measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A ratio of appointments. [`crate::attribution`] decides which appointments count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Of the decided ones: booked with Cal.com.
    BookingIntegration,
    /// Of those that we booked: the host is known.
    HostExtraction,
    /// Of the decided ones, booked or not: a staff member is known.
    StaffAssignment,
    /// Of those with a host: assigned without a person.
    AutomaticMapping,
    /// Of the decided ones: a person had to act, or still has.
    ManualIntervention,
    /// Of the decided ones, or a day old: booked within a day.
    #[serde(rename = "sync_in_24h")]
    SyncIn24h,
}

impl Rate {
    /// All of them, in the order of an appointment's steps.
    pub const ALL: [Self; 6] = [
        Self::BookingIntegration,
        Self::SyncIn24h,
        Self::HostExtraction,
        Self::StaffAssignment,
        Self::AutomaticMapping,
        Self::ManualIntervention,
    ];

    /// The word for it in tables, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BookingIntegration => "booking_integration",
            Self::HostExtraction => "host_extraction",
            Self::StaffAssignment => "staff_assignment",
            Self::AutomaticMapping => "automatic_mapping",
            Self::ManualIntervention => "manual_intervention",
            Self::SyncIn24h => "sync_in_24h",
        }
    }

    /// The title in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::BookingIntegration => "Booked with Cal.com",
            Self::HostExtraction => "Host known",
            Self::StaffAssignment => "Has a staff member",
            Self::AutomaticMapping => "Mapped automatically",
            Self::ManualIntervention => "Needed a person",
            Self::SyncIn24h => "Booked within a day",
        }
    }

    /// Whether a smaller ratio is the better one.
    pub fn is_better_low(self) -> bool {
        self == Self::ManualIntervention
    }

    /// The target, from the report of the October incident. Booking within a day was not part of it and has the target of
    /// booking.
    pub fn target(self) -> Target {
        match self {
            Self::BookingIntegration | Self::SyncIn24h => Target::Above(0.90),
            Self::HostExtraction => Target::Above(0.99),
            Self::StaffAssignment => Target::Above(0.80),
            Self::AutomaticMapping => Target::Above(0.50),
            Self::ManualIntervention => Target::Below(0.10),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// More than this.
    Above(f64),
    /// Less than this.
    Below(f64),
}

impl Target {
    /// Whether a ratio meets it.
    pub fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Self::Above(least) => ratio > least,
            Self::Below(most) => ratio < most,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Above(least) => write!(f, "> {:.0} %", least * 100.0),
            Self::Below(most) => write!(f, "< {:.0} %", most * 100.0),
        }
    }
}
