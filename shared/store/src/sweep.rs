//! Sweeps through an index, page by page, while the invocation has time.

use std::{
    collections::BTreeMap,
    fmt::Display,
    future::Future,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use lambda_runtime::Context;
use platform::deadline::time_left;
use scheduling::ids::AppointmentId;
use serde::Deserialize;

use crate::{Cursor, Page, StoreError};

/// The largest number of appointments on a page.
pub const PAGE: i32 = 100;
/// How many appointments of a page are processed concurrently.
const CONCURRENCY: usize = 10;
/// No page is begun with less time than this left.
const MIN_TIME_TO_START: Duration = Duration::from_secs(15);

/// The request of a sweep, from the schedule or a person. A typing error must not turn a dry run into a real one, so
/// unknown fields are refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SweepRequest {
    /// Whether to count only.
    pub dry_run: bool,
    /// Where an earlier run stopped, as its response says.
    pub resume_after: Option<Cursor>,
}

/// The result of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepResult<T> {
    /// The number of appointments by outcome.
    pub outcomes: BTreeMap<T, u32>,
    /// How many failed. The next sweep finds them again.
    pub failed: u32,
    /// The cost of reading the index, in DynamoDB's read units.
    pub read_units: f64,
    /// Where to continue, if the time was too short.
    pub resume_after: Option<Cursor>,
}

/// Passes each appointment that `page` finds to `work`, several concurrently, while the invocation has time.
///
/// A failure is logged and counted, and does not stop the others.
///
/// # Errors
/// If a page can't be read.
pub async fn sweep<P, PF, W, WF, T, E>(
    context: &Context,
    mut from: Option<Cursor>,
    page: P,
    work: W,
) -> Result<SweepResult<T>, StoreError>
where
    P: Fn(Option<Cursor>) -> PF,
    PF: Future<Output = Result<Page, StoreError>>,
    W: Fn(AppointmentId) -> WF,
    WF: Future<Output = Result<T, E>>,
    T: Ord,
    E: Display,
{
    let deadline = Instant::now() + time_left(context);
    let mut result = SweepResult { outcomes: BTreeMap::new(), failed: 0, read_units: 0.0, resume_after: None };
    loop {
        let found = page(from.take()).await?;
        result.read_units += found.read_units;
        let processed = found.appointments.into_iter().map(|id| {
            let outcome = work(id.clone());
            async move { (id, outcome.await) }
        });
        let mut processed = stream::iter(processed).buffer_unordered(CONCURRENCY);
        while let Some((id, outcome)) = processed.next().await {
            match outcome {
                Ok(outcome) => *result.outcomes.entry(outcome).or_default() += 1,
                Err(error) => {
                    tracing::error!(appointment_id = id.as_str(), %error, "failed to process an appointment");
                    result.failed += 1;
                }
            }
        }
        let has_time = deadline.saturating_duration_since(Instant::now()) >= MIN_TIME_TO_START;
        match found.next {
            None => return Ok(result),
            Some(next) if has_time => from = Some(next),
            resume_after => return Ok(SweepResult { resume_after, ..result }),
        }
    }
}
