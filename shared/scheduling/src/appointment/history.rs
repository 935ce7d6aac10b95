//! The history of an appointment: every transition with its cause.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::IntoDeserializer};

use super::state::{CancelReason, ChangeKind, StateName};
use crate::{
    assignment::{StrategyName, Unassigned},
    failure::Category,
    personal::Personal,
    request::Intent,
    start_time::StartProblem,
};

/// The name in [`Transition::by`] of a person, who used the command or the desk.
pub const OPERATOR: &str = "operator";

/// One transition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at: DateTime<Utc>,
    /// From which state; `None` for the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StateName>,
    /// To which state.
    pub to: StateName,
    /// Why.
    pub cause: Cause,
    /// By which function, or [`OPERATOR`].
    pub by: String,
    /// By which deployed version.
    pub version: String,
    /// Which person, if one who had signed in made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Personal<String>>,
    /// What that person noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Personal<String>>,
    /// How often it was repeated, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Repetition>,
}

/// A transition that happened several times with nothing else in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repetition {
    /// How often, the first time included.
    pub times: u32,
    /// When it last happened.
    pub last_at: DateTime<Utc>,
}

impl Transition {
    /// How often it happened.
    pub fn times(&self) -> u32 {
        self.repeated.map_or(1, |repeated| repeated.times)
    }

    /// When it last happened.
    pub fn last_at(&self) -> DateTime<Utc> {
        self.repeated.map_or(self.at, |repeated| repeated.last_at)
    }

    /// Whether a person made it.
    pub fn is_manual(&self) -> bool {
        self.by == OPERATOR
    }
}

/// Why a transition was made. Stored as a word, some with a detail: `claimed`, `failed:host_conflict`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Cause {
    /// A caller requested the appointment.
    Requested {
        /// Whether the clock shows the requested time twice on that day; the earlier one was taken.
        ambiguous_time: bool,
    },
    /// A caller requested it with a start that can't be used.
    UnusableStart(StartProblem),
    /// A caller requested it in a way that a person has to settle.
    RequestedFromPerson(Intent),
    /// A later analysis of the call says otherwise.
    Corrected,
    /// A later analysis of the call says otherwise, and it is booked or being booked: a person compares.
    CorrectionNoted,
    /// A person settled it: with another start, service or staff member.
    Settled,
    /// A person called the customer back.
    CalledBack,
    /// A person called the customer, and nobody answered.
    NotReached,
    /// A person added a note for the team.
    Noted,
    /// Free slots were proposed.
    Proposed,
    /// The people of the tenant were told.
    Notified,
    /// It came from another system.
    Imported,
    /// A worker claimed it.
    Claimed,
    /// A worker claimed it after the lease of another had expired.
    LeaseExpired,
    /// Cal.com booked it.
    Booked,
    /// An earlier attempt had booked it, and the booking was found.
    Recovered,
    /// A tool of the voice agent had booked it in the call, and the booking was found.
    Adopted,
    /// No tool of the voice agent booked it in the call.
    NotBookedInCall,
    /// Further bookings that earlier attempts had made were cancelled.
    DuplicateCancelled,
    /// An attempt to book it, or to look up its hosts, failed.
    Failed(Category),
    /// It was assigned to a staff member.
    Assigned(StrategyName),
    /// No staff member could be found.
    Unassigned(Unassigned),
    /// Cal.com was queried for its hosts again.
    HostsRefreshed,
    /// Its booking was moved at Cal.com.
    Rescheduled,
    /// Its message became a dead letter, or its workers died repeatedly.
    Stalled,
    /// A person resumed it. Earlier retries no longer count.
    Resumed,
    /// The customer requested it again after its booking was cancelled at Cal.com.
    Reopened,
    /// A person confirmed that Cal.com holds no booking of it.
    NotBooked,
    /// It waits because its account is paused.
    AccountPaused,
    /// It was copied back from an earlier moment: Cal.com may hold a booking that was made since.
    Restored,
    /// Cal.com gave the booking to another host, because the customer or a person wished that.
    HostReassigned,
    /// It waits for its host, who must confirm the booking at Cal.com.
    AwaitingHost,
    /// The host confirmed the booking at Cal.com.
    ConfirmedByHost,
    /// The customer requested it again, so that its booking is to be verified at Cal.com.
    RequestedAgain,
    /// Its booking could not be verified.
    NotVerified(Category),
    /// Its booking was verified: it is as the customer requests it.
    Verified,
    /// Its start passed, and it took place.
    Completed,
    /// Its start passed, and the customer did not come.
    NoShow,
    /// It was cancelled.
    Cancelled(CancelReason),
    /// Its customer requested that its booking is moved or cancelled.
    ChangeRequested(ChangeKind),
    /// A worker claimed the requested change.
    ChangeClaimed,
    /// The requested change could not be made yet.
    ChangeFailed(Category),
    /// The requested change was dropped: the new start is not free, and its customer heard that while on the line.
    ChangeDeclined,
    /// Its booking was moved as its customer requested.
    Moved,
    /// The customer left another message.
    MessageAdded,
    /// The customer's data was erased.
    Erased,
    /// A cause that another deployed version knows. It is kept as it was written.
    Other(String),
}

impl Cause {
    /// The word that says most: the detail where there is one, for instance `host_conflict`.
    pub fn detail(&self) -> String {
        let word = self.to_string();
        word.split_once(':').map_or_else(|| word.clone(), |(_, detail)| detail.to_owned())
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word.split_once(':').unwrap_or((word, "")) {
            ("requested", "") => Self::Requested { ambiguous_time: false },
            ("requested", "ambiguous_time") => Self::Requested { ambiguous_time: true },
            ("unusable_start", problem) => Self::UnusableStart(named(problem)?),
            ("requested", intent) => Self::RequestedFromPerson(named(intent)?),
            ("corrected", "") => Self::Corrected,
            ("correction_noted", "") => Self::CorrectionNoted,
            ("settled", "") => Self::Settled,
            ("called_back", "") => Self::CalledBack,
            ("not_reached", "") => Self::NotReached,
            ("noted", "") => Self::Noted,
            ("proposed", "") => Self::Proposed,
            ("notified", "") => Self::Notified,
            ("imported", "") => Self::Imported,
            ("claimed", "") => Self::Claimed,
            ("lease_expired", "") => Self::LeaseExpired,
            ("booked", "") => Self::Booked,
            ("recovered", "") => Self::Recovered,
            ("adopted", "") => Self::Adopted,
            ("not_booked_in_call", "") => Self::NotBookedInCall,
            ("duplicate_cancelled", "") => Self::DuplicateCancelled,
            ("failed", category) => Self::Failed(named(category)?),
            ("assigned", strategy) => Self::Assigned(named(strategy)?),
            ("unassigned", reason) => Self::Unassigned(named(reason)?),
            ("hosts_refreshed", "") => Self::HostsRefreshed,
            ("rescheduled", "") => Self::Rescheduled,
            ("stalled", "") => Self::Stalled,
            ("resumed", "") => Self::Resumed,
            ("reopened", "") => Self::Reopened,
            ("not_booked", "") => Self::NotBooked,
            ("account_paused", "") => Self::AccountPaused,
            ("restored", "") => Self::Restored,
            ("host_reassigned", "") => Self::HostReassigned,
            ("awaiting_host", "") => Self::AwaitingHost,
            ("confirmed_by_host", "") => Self::ConfirmedByHost,
            ("requested_again", "") => Self::RequestedAgain,
            ("not_verified", category) => Self::NotVerified(named(category)?),
            ("verified", "") => Self::Verified,
            ("completed", "") => Self::Completed,
            ("no_show", "") => Self::NoShow,
            ("cancelled", reason) => Self::Cancelled(named(reason)?),
            ("change_requested", kind) => Self::ChangeRequested(named(kind)?),
            ("change_claimed", "") => Self::ChangeClaimed,
            ("change_failed", category) => Self::ChangeFailed(named(category)?),
            ("change_declined", "") => Self::ChangeDeclined,
            ("moved", "") => Self::Moved,
            ("message_added", "") => Self::MessageAdded,
            ("erased", "") => Self::Erased,
            _ => return None,
        })
    }
}

/// The value of an enum by the word that serde writes for it.
fn named<T: for<'de> Deserialize<'de>>(word: &str) -> Option<T> {
    let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested { ambiguous_time: false } => f.write_str("requested"),
            Self::Requested { ambiguous_time: true } => f.write_str("requested:ambiguous_time"),
            Self::UnusableStart(problem) => write!(f, "unusable_start:{}", problem.as_str()),
            Self::RequestedFromPerson(intent) => write!(f, "requested:{}", intent.as_str()),
            Self::Corrected => f.write_str("corrected"),
            Self::CorrectionNoted => f.write_str("correction_noted"),
            Self::Settled => f.write_str("settled"),
            Self::CalledBack => f.write_str("called_back"),
            Self::NotReached => f.write_str("not_reached"),
            Self::Noted => f.write_str("noted"),
            Self::Proposed => f.write_str("proposed"),
            Self::Notified => f.write_str("notified"),
            Self::Imported => f.write_str("imported"),
            Self::Claimed => f.write_str("claimed"),
            Self::LeaseExpired => f.write_str("lease_expired"),
            Self::Booked => f.write_str("booked"),
            Self::Recovered => f.write_str("recovered"),
            Self::Adopted => f.write_str("adopted"),
            Self::NotBookedInCall => f.write_str("not_booked_in_call"),
            Self::DuplicateCancelled => f.write_str("duplicate_cancelled"),
            Self::Failed(category) => write!(f, "failed:{}", category.as_str()),
            Self::Assigned(strategy) => write!(f, "assigned:{}", strategy.as_str()),
            Self::Unassigned(reason) => write!(f, "unassigned:{}", reason.as_str()),
            Self::HostsRefreshed => f.write_str("hosts_refreshed"),
            Self::Rescheduled => f.write_str("rescheduled"),
            Self::Stalled => f.write_str("stalled"),
            Self::Resumed => f.write_str("resumed"),
            Self::Reopened => f.write_str("reopened"),
            Self::NotBooked => f.write_str("not_booked"),
            Self::AccountPaused => f.write_str("account_paused"),
            Self::Restored => f.write_str("restored"),
            Self::HostReassigned => f.write_str("host_reassigned"),
            Self::AwaitingHost => f.write_str("awaiting_host"),
            Self::ConfirmedByHost => f.write_str("confirmed_by_host"),
            Self::RequestedAgain => f.write_str("requested_again"),
            Self::NotVerified(category) => write!(f, "not_verified:{}", category.as_str()),
            Self::Verified => f.write_str("verified"),
            Self::Completed => f.write_str("completed"),
            Self::NoShow => f.write_str("no_show"),
            Self::Cancelled(reason) => write!(f, "cancelled:{}", reason.as_str()),
            Self::ChangeRequested(kind) => write!(f, "change_requested:{}", kind.as_str()),
            Self::ChangeClaimed => f.write_str("change_claimed"),
            Self::ChangeFailed(category) => write!(f, "change_failed:{}", category.as_str()),
            Self::ChangeDeclined => f.write_str("change_declined"),
            Self::Moved => f.write_str("moved"),
            Self::MessageAdded => f.write_str("message_added"),
            Self::Erased => f.write_str("erased"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

impl From<Cause> for String {
    fn from(cause: Cause) -> Self {
        cause.to_string()
    }
}

impl From<String> for Cause {
    fn from(word: String) -> Self {
        Self::parse(&word).unwrap_or(Self::Other(word))
    }
}

/// Who makes a transition, and when.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The function, for instance `calcom-booking`, or [`OPERATOR`].
    pub function: &'a str,
    /// Its deployed version.
    pub version: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
    /// The person who has it done, if one has signed in.
    pub person: Option<&'a str>,
}
