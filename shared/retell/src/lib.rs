//! Retell AI: who signed a webhook, and what a call holds.
//!
//! [`signature`] decides over the raw bytes whether they come from Retell; only then does [`event`] read them.

pub mod event;
pub mod signature;
