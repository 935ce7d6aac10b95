//! Going through an index, page by page, as long as there is time.

use std::{
    collections::BTreeMap,
    fmt::Display,
    future::Future,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use lambda_runtime::Context;
use scheduling::ids::AppointmentId;
use serde::Deserialize;

use crate::{
    deadline::time_left,
    store::{Cursor, Page, StoreError},
};

/// How many appointments a page holds at the most.
pub const PAGE: i32 = 100;
/// How many appointments of a page are worked on at once.
const CONCURRENCY: usize = 10;
/// No page is begun with less time than this left.
const LEAST_TIME: Duration = Duration::from_secs(15);

/// What the schedule, or an operator, sends to a sweep.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// Whether to count only.
    pub dry_run: bool,
    /// Where an earlier run stopped, as its answer said.
    pub resume_after: Option<Cursor>,
}

/// What came of going through an index.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepResult<T> {
    /// What became of the appointments, and of how many.
    pub outcomes: BTreeMap<T, u32>,
    /// How many could not be seen to. They are found again.
    pub failed: u32,
    /// What reading the index cost, in DynamoDB's read units.
    pub read_units: f64,
    /// Where to go on, where the time did not suffice.
    pub resume_after: Option<Cursor>,
}

/// Hands each appointment that `page` finds to `work`, several at once, as long as the invocation has time.
///
/// One that fails is told in the log and counted, and keeps no other waiting.
///
/// # Errors
/// When a page can't be read.
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
    let mut swept = SweepResult { outcomes: BTreeMap::new(), failed: 0, read_units: 0.0, resume_after: None };
    loop {
        let found = page(from.take()).await?;
        swept.read_units += found.read_units;
        let worked_on = found.appointments.into_iter().map(|id| {
            let done = work(id.clone());
            async move { (id, done.await) }
        });
        let mut worked_on = stream::iter(worked_on).buffer_unordered(CONCURRENCY);
        while let Some((id, outcome)) = worked_on.next().await {
            match outcome {
                Ok(outcome) => *swept.outcomes.entry(outcome).or_default() += 1,
                Err(error) => {
                    tracing::error!(appointment_id = id.as_str(), %error, "an appointment can't be seen to");
                    swept.failed += 1;
                }
            }
        }
        let is_time_left = deadline.saturating_duration_since(Instant::now()) >= LEAST_TIME;
        match found.next {
            None => return Ok(swept),
            Some(next) if is_time_left => from = Some(next),
            resume_after => return Ok(SweepResult { resume_after, ..swept }),
        }
    }
}
