//! Compares the calls of one Retell account with what is stored.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use intake::{CallIntake, IntakeError};
use lambda_runtime::Context;
use platform::{
    deadline::time_left,
    telemetry::{LogContext, Metrics},
};
use retell::{
    client::{CallPage, FetchedCall, Retell, RetellError},
    event::{Call, CallProgress, EventKind},
};
use scheduling::{appointment::Actor, ids::AccountName, tenant::Tenant, timing::Timing};
use secrecy::SecretString;
use serde::Serialize;
use store::{RecoveryCursors, StoreError, UnroutedRoute};

use crate::verdict::{self, ANALYZED, Verdict};

/// The function's name.
pub const FUNCTION: &str = "call-recovery";

const ENDED: &str = "call_ended";
/// Our own event: a call was fetched long after its end, and Retell had not analyzed it.
const NOT_ANALYZED: &str = "call_not_analyzed";
/// How far the first run looks back.
const FIRST_LOOK: TimeDelta = TimeDelta::days(1);
/// No run looks back further, whatever is still missing.
const MAX_LOOK: TimeDelta = TimeDelta::days(7);
/// Retell may list a call only a while after it began.
const OVERLAP: TimeDelta = TimeDelta::hours(1);
/// How many calls are compared concurrently.
const CONCURRENCY: usize = 8;
/// A page is only begun while the invocation has this much time left.
const MIN_TIME: Duration = Duration::from_secs(20);

/// What was done for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was missing.
    Complete,
    /// It may still become complete. The next run looks again.
    Underway,
    /// It was taken in.
    Recovered,
    /// It was kept for a person, since it was never analyzed.
    NotAnalyzed,
    /// It was kept, since it belongs to no tenant.
    Unrouted,
    /// Retell has deleted it.
    Deleted,
    /// It could not be compared. The next run tries again.
    Failed,
}

/// What became of an account's calls.
pub struct AccountResult {
    /// The number of calls by what was done.
    pub calls: BTreeMap<Outcome, u32>,
    /// Whether every call was looked at.
    pub is_complete: bool,
}

/// What comparing an account needs, created once per process.
pub struct Recovery {
    pub retell: Retell,
    pub intake: CallIntake,
    pub cursors: RecoveryCursors,
    pub metrics: Metrics,
    pub timing: Timing,
    pub version: String,
}

/// One account within a run.
pub struct AccountRun<'a> {
    pub recovery: &'a Recovery,
    pub account: &'a AccountName,
    pub keys: Vec<&'a SecretString>,
    pub context: &'a Context,
    pub log: &'a LogContext,
}

/// Why a call could not be compared.
#[derive(Debug, thiserror::Error)]
enum CompareError {
    #[error(transparent)]
    Retell(#[from] RetellError),
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

impl From<StoreError> for CompareError {
    fn from(error: StoreError) -> Self {
        Self::Intake(error.into())
    }
}

impl AccountRun<'_> {
    /// Takes up what tenants have got an agent or number for, and compares the calls since the last run.
    pub async fn run(self, since: Option<DateTime<Utc>>) -> AccountResult {
        let mut result = AccountResult { calls: BTreeMap::new(), is_complete: false };
        let compared = async {
            self.take_up_unrouted().await?;
            self.compare_all(since, &mut result.calls).await
        };
        match compared.await {
            Ok(is_complete) => result.is_complete = is_complete,
            Err(error) => {
                self.recovery.metrics.count("RecoveryFailed", None, self.log);
                tracing::error!(account = self.account.as_str(), %error, "failed to compare the calls of an account");
            }
        }
        result
    }

    /// Normally `tenant load` has done so. A call that arrived at the same moment is taken up here.
    async fn take_up_unrouted(&self) -> Result<(), CompareError> {
        let intake = &self.recovery.intake;
        for route in intake.unrouted.routes(self.account).await? {
            let tenant = intake.tenants.of_call(route.agent.as_ref(), route.number.as_deref()).await?;
            if let Some(tenant) = tenant.filter(|tenant| tenant.retell.account == *self.account) {
                let taken_up = intake.take_up_unrouted(&tenant, self.actor(), self.log).await?;
                tracing::info!(tenant = tenant.id.as_str(), events = taken_up.events, "unrouted calls taken up");
            }
        }
        Ok(())
    }

    async fn compare_all(
        &self,
        since: Option<DateTime<Utc>>,
        counts: &mut BTreeMap<Outcome, u32>,
    ) -> Result<bool, CompareError> {
        let now = Utc::now();
        let cursor = self.recovery.cursors.of(self.account).await?;
        let from = since.or(cursor.map(|at| at - OVERLAP)).unwrap_or(now - FIRST_LOOK).max(now - MAX_LOOK);
        let (mut page, mut complete_until, mut is_complete) = (None, now, true);
        loop {
            let list = async |key: &SecretString| self.recovery.retell.list_calls(key, from, page.as_deref()).await;
            let CallPage { calls, next } = self.with_each_key(list).await?;
            let last = calls.last().and_then(Call::began_at);
            let compared = stream::iter(&calls).map(async |call| (call, self.compare(call).await));
            for (call, outcome) in compared.buffer_unordered(CONCURRENCY).collect::<Vec<_>>().await {
                *counts.entry(outcome).or_default() += 1;
                if matches!(outcome, Outcome::Underway | Outcome::Failed) {
                    complete_until = complete_until.min(call.began_at().unwrap_or(complete_until));
                }
            }
            page = next;
            if page.is_none() {
                break;
            }
            if time_left(self.context) < MIN_TIME {
                is_complete = false;
                complete_until = complete_until.min(last.unwrap_or(from));
                break;
            }
        }
        // A run that a person began further back leaves the schedule's own cursor where it is.
        if since.is_none() {
            self.recovery.cursors.set(self.account, complete_until.max(cursor.unwrap_or(complete_until))).await?;
        }
        Ok(is_complete)
    }

    /// Compares one call. What fails is left to the next run.
    async fn compare(&self, listed: &Call) -> Outcome {
        let log = LogContext { call: Some(listed.id.clone()), ..self.log.clone() };
        match self.try_to_compare(listed, &log).await {
            Ok(outcome) => outcome,
            Err(CompareError::Retell(RetellError::NotFound)) => {
                log.span().in_scope(|| tracing::warn!("call not recovered: Retell has deleted it"));
                Outcome::Deleted
            }
            Err(error) => {
                self.recovery.metrics.count("RecoveryFailed", None, &log);
                log.span().in_scope(|| tracing::error!(%error, "failed to recover a call"));
                Outcome::Failed
            }
        }
    }

    async fn try_to_compare(&self, listed: &Call, log: &LogContext) -> Result<Outcome, CompareError> {
        let (recovery, now) = (self.recovery, Utc::now());
        match verdict::before_lookup(listed, &recovery.timing, now) {
            Some(Verdict::Complete) => return Ok(Outcome::Complete),
            Some(_) => return Ok(Outcome::Underway),
            None => {}
        }
        let Some(tenant) = recovery.intake.tenant_of(listed, self.account).await? else {
            return self.keep_unrouted(listed, log).await;
        };
        let stored = recovery.intake.calls.event_names(&tenant.id, &listed.id).await?;
        if verdict::of_ended(listed, &stored) == Verdict::Complete {
            return Ok(Outcome::Complete);
        }
        let log = LogContext { tenant: Some(tenant.id.clone()), ..log.clone() };
        let fetched = self.fetch(listed).await?;
        if fetched.call().is_analyzed() {
            return self.take_in(fetched, EventKind::CallAnalyzed, &tenant, &log).await;
        }
        if verdict::is_analysis_overdue(listed, &recovery.timing, now) {
            let is_new = !stored.contains(NOT_ANALYZED);
            return self.take_in_unanalyzed(fetched, is_new, &tenant, &log).await;
        }
        if stored.is_empty() {
            self.take_in(fetched, EventKind::Other(ENDED.to_owned()), &tenant, &log).await?;
        }
        let is_waited_for = listed.progress() == CallProgress::Ended;
        Ok(if is_waited_for { Outcome::Underway } else { Outcome::Recovered })
    }

    async fn take_in(
        &self,
        fetched: FetchedCall,
        kind: EventKind,
        tenant: &Tenant,
        log: &LogContext,
    ) -> Result<Outcome, CompareError> {
        let (event, body) = fetched.into_event(kind);
        let appointments = self.recovery.intake.take_in(&event, &body, tenant, self.actor(), log).await?;
        self.recovery.metrics.count("CallRecovered", Some(event.kind.as_str()), log);
        let (event, appointments) = (event.kind.as_str(), appointments.len());
        log.span().in_scope(|| tracing::warn!(event, appointments, "call recovered: its webhook never arrived"));
        Ok(Outcome::Recovered)
    }

    async fn take_in_unanalyzed(
        &self,
        fetched: FetchedCall,
        is_new: bool,
        tenant: &Tenant,
        log: &LogContext,
    ) -> Result<Outcome, CompareError> {
        let (event, body) = fetched.into_event(EventKind::Other(NOT_ANALYZED.to_owned()));
        self.recovery.intake.take_in_unanalyzed(&event, &body, tenant, self.actor(), log).await?;
        if is_new {
            self.recovery.metrics.count("CallNotAnalyzed", None, log);
            log.span().in_scope(|| tracing::error!("call kept for a person: Retell never analyzed it"));
        }
        Ok(Outcome::NotAnalyzed)
    }

    async fn keep_unrouted(&self, listed: &Call, log: &LogContext) -> Result<Outcome, CompareError> {
        let intake = &self.recovery.intake;
        let route = UnroutedRoute::new(self.account, listed.agent_id.as_ref(), listed.business_number(), Utc::now());
        if intake.unrouted.has(&route, &listed.id, ANALYZED).await? {
            return Ok(Outcome::Complete);
        }
        let fetched = self.fetch(listed).await?;
        if !fetched.call().is_analyzed() {
            let is_overdue = verdict::is_analysis_overdue(listed, &self.recovery.timing, Utc::now());
            return Ok(if is_overdue { Outcome::Complete } else { Outcome::Underway });
        }
        let (event, body) = fetched.into_event(EventKind::CallAnalyzed);
        if intake.keep_unrouted(&event, &body, self.account, Utc::now()).await? {
            self.recovery.metrics.count("CallUnrouted", None, log);
            log.span().in_scope(|| tracing::error!("call kept: no tenant has its agent or number; load one that does"));
        }
        Ok(Outcome::Unrouted)
    }

    async fn fetch(&self, call: &Call) -> Result<FetchedCall, RetellError> {
        self.with_each_key(async |key| self.recovery.retell.get_call(key, &call.id).await).await
    }

    /// Sends a request with the account's keys in turn, until Retell accepts one: one may be about to be replaced.
    async fn with_each_key<T>(
        &self,
        request: impl AsyncFn(&SecretString) -> Result<T, RetellError>,
    ) -> Result<T, RetellError> {
        let mut answer = Err(RetellError::KeyRefused);
        for key in &self.keys {
            answer = request(key).await;
            if !matches!(answer, Err(RetellError::KeyRefused)) {
                break;
            }
        }
        answer
    }

    fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.recovery.version, now: Utc::now() }
    }
}
