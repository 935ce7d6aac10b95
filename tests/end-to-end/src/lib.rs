//! What the end-to-end tests share: the deployed stack, a salon for each test, and Retell's part.
//!
//! `tests/run` starts the stack and names it in the environment. Every test has a tenant and event types of its own, so
//! that all can run at once. Customers carry [`MARK`] in every personal field, which no log line may hold.

mod alerts;
mod command;
mod conversation;
mod desk;
mod mailbox;
mod recount;
mod salon;
mod stack;

pub use alerts::{Alerts, Notification};
pub use command::frontdesk;
pub use conversation::Conversation;
pub use desk::{Page, Visitor};
pub use mailbox::{Mail, mails_to};
pub use recount::{counters, differences, recount};
pub use salon::{Call, Salon, SalonForm, claimed, clock_change, soon};
pub use stack::{Stack, WebhookAnswer, eventually, sqs_event, variable};

/// Stands in every name, email, note and transcript that the tests send.
pub const MARK: &str = "Zwiebelkuchen";
/// How the phone numbers of the tests' customers begin.
pub const MARKED_PHONE: &str = "+4930901877";
