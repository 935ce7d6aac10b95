//! Compares the calls of one Retell account with what is stored.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use intake::{CallIntake, IntakeError, NOT_ANALYZED, Received};
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
/// How far the first run looks back.
const INITIAL_LOOKBACK: TimeDelta = TimeDelta::days(1);
/// No run looks back further, whatever is still missing.
const MAX_LOOKBACK: TimeDelta = TimeDelta::days(7);
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
    /// It was kept, since it belongs to no tenant yet.
    Unrouted,
    /// It is none of Frontdesk's: of an agent that sends it no webhooks, or from before its tenant was loaded.
    Foreign,
    /// Retell has no such call any more.
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
        let account = self.account.as_str();
        let taken_up = self.take_up_unrouted().await;
        if let Err(error) = &taken_up {
            tracing::error!(account, %error, "failed to take up the unrouted calls of an account");
        }
        match self.compare_all(since, &mut result.calls).await {
            Ok(is_complete) => result.is_complete = is_complete,
            Err(error) => tracing::error!(account, %error, "failed to compare the calls of an account"),
        }
        if taken_up.is_err() || !result.is_complete {
            self.recovery.metrics.count("RecoveryFailed", None, self.log);
        }
        result
    }

    /// Normally `tenant load` has done so. A call that arrived at the same moment is taken up here.
    async fn take_up_unrouted(&self) -> Result<(), CompareError> {
        let intake = &self.recovery.intake;
        for route in intake.unrouted.routes(self.account).await? {
            let tenant = intake.tenants.of_call(route.agent.as_ref(), route.number.as_deref()).await?;
            if let Some(tenant) = tenant.filter(|tenant| tenant.retell.account == *self.account) {
                let taken_up = intake.take_up_route(&route, &tenant, self.actor(), self.log).await?;
                tracing::info!(
                    tenant = tenant.id.as_str(),
                    events = taken_up.events,
                    "unrouted calls assigned to their tenant"
                );
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
        let cursor = self.recovery.cursors.load(self.account).await?;
        let from = since.or(cursor.map(|at| at - OVERLAP)).unwrap_or(now - INITIAL_LOOKBACK).max(now - MAX_LOOKBACK);
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
            self.recovery.cursors.save(self.account, complete_until.max(cursor.unwrap_or(complete_until))).await?;
        }
        Ok(is_complete)
    }

    /// Compares one call. What fails is left to the next run.
    async fn compare(&self, listed: &Call) -> Outcome {
        let log = LogContext { call: Some(listed.id.clone()), ..self.log.clone() };
        match self.try_to_compare(listed, &log).await {
            Ok(outcome) => outcome,
            Err(CompareError::Retell(RetellError::NotFound)) => {
                log.span().in_scope(|| tracing::warn!("call not recovered: Retell has no such call"));
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
        match verdict::judge_listed(listed, &recovery.timing, now) {
            Some(Verdict::Complete) => return Ok(Outcome::Complete),
            Some(_) => return Ok(Outcome::Underway),
            None => {}
        }
        let Some(tenant) = recovery.intake.tenant_of(listed, self.account).await? else {
            return self.keep_unrouted(listed).await;
        };
        let stored = recovery.intake.calls.event_names(&tenant.id, &listed.id).await?;
        if verdict::judge_ended(listed, &stored) == Verdict::Complete {
            return Ok(Outcome::Complete);
        }
        // What the business did with its calls before is not known here: another system may have booked them.
        let loaded_at = recovery.intake.tenants.loaded_at(&tenant.id).await?;
        if loaded_at.is_some_and(|loaded_at| listed.began_at().is_none_or(|began_at| began_at < loaded_at)) {
            return Ok(Outcome::Foreign);
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
        let awaits_analysis = verdict::is_analysis_due(listed, &recovery.timing, now);
        Ok(if awaits_analysis { Outcome::Underway } else { Outcome::Recovered })
    }

    async fn take_in(
        &self,
        fetched: FetchedCall,
        kind: EventKind,
        tenant: &Tenant,
        log: &LogContext,
    ) -> Result<Outcome, CompareError> {
        let (event, body) = fetched.into_event(kind);
        let received = Received { event: &event, body: &body, received_at: Utc::now() };
        let appointments = self.recovery.intake.take_in(received, tenant, self.actor(), log).await?;
        self.recovery.metrics.count("CallRecovered", Some(event.kind.as_str()), log);
        let (event, appointments) = (event.kind.as_str(), appointments.len());
        log.span().in_scope(|| {
            tracing::warn!(event, appointments, "call recovered from Retell: this event's webhook never arrived")
        });
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
        let received = Received { event: &event, body: &body, received_at: Utc::now() };
        self.recovery.intake.take_in_unanalyzed(received, tenant, self.actor(), log).await?;
        if is_new {
            self.recovery.metrics.count("CallNotAnalyzed", None, log);
            log.span().in_scope(|| tracing::error!("call needs a person: Retell did not analyze it"));
        }
        Ok(Outcome::NotAnalyzed)
    }

    /// Keeps a call that belongs to no tenant yet, if webhooks of its agent have come: other agents of the account have
    /// nothing to do with Frontdesk.
    async fn keep_unrouted(&self, listed: &Call) -> Result<Outcome, CompareError> {
        let intake = &self.recovery.intake;
        let (agent, number) = (listed.agent_id.as_ref(), listed.business_number());
        let route = UnroutedRoute::new(self.account, agent, number, Utc::now());
        if !intake.unrouted.is_open(&route).await? {
            return Ok(Outcome::Foreign);
        }
        for name in [ANALYZED, NOT_ANALYZED] {
            if intake.unrouted.has(&route, &listed.id, name).await? {
                return Ok(Outcome::Complete);
            }
        }
        let fetched = self.fetch(listed).await?;
        let kind = match fetched.call().is_analyzed() {
            true => EventKind::CallAnalyzed,
            false if verdict::is_analysis_due(listed, &self.recovery.timing, Utc::now()) => {
                return Ok(Outcome::Underway);
            }
            false if listed.progress() == CallProgress::Connected => EventKind::Other(NOT_ANALYZED.to_owned()),
            false => return Ok(Outcome::Complete),
        };
        let (event, body) = fetched.into_event(kind);
        intake.keep_unrouted(&event, &body, self.account, Utc::now()).await?;
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
        Actor { function: FUNCTION, version: &self.recovery.version, now: Utc::now(), person: None }
    }
}
