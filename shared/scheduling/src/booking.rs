//! A booking: what Cal.com made of an appointment.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{BookingUid, EventTypeId, HostId},
    personal::Personal,
};

/// A booking as Cal.com returned it. It always has its uid and its host evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// Cal.com's id.
    pub uid: BookingUid,
    /// Cal.com's status.
    pub status: BookingStatus,
    /// The event type that was booked.
    pub event_type: EventTypeId,
    /// When it starts.
    pub start: DateTime<Utc>,
    /// Its hosts, or the reason why there are none.
    pub hosts: HostEvidence,
}

/// Why Cal.com may hold a booking that is not stored here. Cal.com is queried for it before anything else is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnconfirmedBooking {
    /// A request to book was sent, or may have been, and no response was read. Cal.com may still be processing it.
    NoResponse,
    /// Cal.com has finished with an error, which does not say whether it booked.
    ErrorResponse,
    /// Cal.com confirmed in a form that could not be read. It is never sent another request to book.
    UnreadableResponse,
    /// A tool of the voice agent says that it booked while the caller was on the line.
    MadeInCall,
}

/// Bookings that tools of the voice agent say they made in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBookings {
    /// Cal.com's ids, the most likely one first.
    pub uids: Vec<BookingUid>,
    /// When the call began: a booking that is older was only shown in it.
    pub began_at: DateTime<Utc>,
    /// Whether the call requests this appointment alone.
    #[serde(default)]
    pub is_only_request: bool,
}

/// Cal.com's status of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingStatus {
    /// It takes place.
    Accepted,
    /// The host still has to confirm it.
    Pending,
    /// The host refused it.
    Rejected,
    /// It was cancelled.
    Cancelled,
    /// A status that Cal.com did not have when this was written.
    #[serde(other)]
    Other,
}

impl BookingStatus {
    /// Whether the booking holds its time for the customer.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Accepted | Self::Pending | Self::Other)
    }
}

/// A person at Cal.com.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Cal.com's id.
    pub id: HostId,
    /// The address as Cal.com gives it, which carries `+` and 25 characters for a managed user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal<String>>,
    /// The address without that, in newer versions of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_email: Option<Personal<String>>,
}

/// The hosts of a booking, or the reason why there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostEvidence {
    /// The hosts that Cal.com named.
    Named(Hosts),
    /// Cal.com named none.
    None {
        /// Why.
        reason: NoHost,
        /// Whether Cal.com was queried a second time.
        looked_up_again: bool,
    },
}

impl HostEvidence {
    /// Whether both name a host, and not the same one.
    pub fn has_other_host_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named(ours), Self::Named(theirs)) => ours.first().id != theirs.first().id,
            (Self::None { .. }, _) | (_, Self::None { .. }) => false,
        }
    }
}

/// Why a booking has no hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoHost {
    /// Cal.com's list of hosts was empty.
    Empty,
    /// The host with the id `"unknown"`, which Cal.com gives for a booking without a user.
    Unknown,
}

/// At least one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Host>", into = "Vec<Host>")]
pub struct Hosts {
    first: Host,
    others: Vec<Host>,
}

impl Hosts {
    /// All of them, in Cal.com's order.
    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The one that Cal.com names first.
    pub fn first(&self) -> &Host {
        &self.first
    }
}

/// A list without a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a list of hosts has no host")]
pub struct EmptyHosts;

impl TryFrom<Vec<Host>> for Hosts {
    type Error = EmptyHosts;

    fn try_from(hosts: Vec<Host>) -> Result<Self, EmptyHosts> {
        let mut hosts = hosts.into_iter();
        let first = hosts.next().ok_or(EmptyHosts)?;
        Ok(Self { first, others: hosts.collect() })
    }
}

impl From<Hosts> for Vec<Host> {
    fn from(hosts: Hosts) -> Self {
        let mut all = vec![hosts.first];
        all.extend(hosts.others);
        all
    }
}
