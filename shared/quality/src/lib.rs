//! How well Frontdesk does: figures counted from appointments, what they add up to, when they are cause for alarm, and
//! the report that says why.
//!
//! Like the domain, nothing here knows AWS, HTTP or a clock.
//!
//! ```text
//! appointment -- counting --> figures -- summary --> rates, clusters, times --> report --> JSON, page, text
//!                                |
//!                                +------ rules, versions --> standings --> alerts
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`figures`] | counters by tenant, day, source, service and version |
//! | [`counting`] | what one appointment adds to them |
//! | [`rate`] | the six rates and their targets |
//! | [`summary`] | what figures add up to |
//! | [`versions`] | whether the newest version does worse than those before it |
//! | [`rules`] | when figures are cause for alarm |
//! | [`report`] | all of it, to be read |
//! | [`page`] | the report as a page |
//! | [`words`] | the report, and an alert, as text |

pub mod counting;
pub mod figures;
pub mod page;
pub mod rate;
pub mod report;
pub mod rules;
pub mod summary;
pub mod versions;
pub mod words;
