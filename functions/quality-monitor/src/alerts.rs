//! Raises and clears alerts. People are notified of each once.

use chrono::{DateTime, TimeDelta, Utc};
use notify::AlertTopic;
use platform::telemetry::{LogContext, Metrics};
use quality::{
    report::Report,
    rules::{Evaluation, Rule, Scope, Verdict},
    text,
};
use scheduling::timing::Timing;
use store::{Alert, CounterStore, StoreError};

/// The alerts that changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct AlertChanges {
    /// Those that were raised.
    pub raised: u32,
    /// Those that were cleared.
    pub cleared: u32,
}

/// Raises and clears alerts, and notifies people.
pub struct AlertNotifier<'a> {
    /// The stored alerts.
    pub counters: &'a CounterStore,
    /// The people who are notified.
    pub topic: &'a AlertTopic,
    /// The metrics.
    pub metrics: &'a Metrics,
    /// The rules.
    pub rules: &'a [Rule],
    /// How long the monitor that changed an alert has to notify people.
    pub timing: &'a Timing,
    /// When the counters were read.
    pub now: DateTime<Utc>,
}

impl AlertNotifier<'_> {
    /// Raises and clears alerts by the report. An alert is stored before people are notified, so that they are notified
    /// once; if that fails, a later run notifies them.
    pub async fn apply(&self, report: &Report, log: &LogContext) -> Result<AlertChanges, StoreError> {
        let known = self.counters.alerts().await?;
        let mut changes = AlertChanges::default();
        for pending in known.iter().filter(|it| !it.notified && it.since + self.timing.grace <= self.now) {
            if let Some(claimed) = self.counters.claim_notification(pending, self.now).await? {
                self.notify(&claimed, report).await?;
            }
        }
        for evaluation in &report.evaluations {
            let before = known.iter().find(|alert| is_same(&alert.evaluation, evaluation));
            let raised = match &evaluation.verdict {
                Verdict::Bad(_) => true,
                Verdict::Good(measured) => before.is_some_and(|alert| alert.raised) && !measured.is_recovered(),
                Verdict::TooFew => continue,
            };
            if before.is_some_and(|alert| alert.raised) != raised {
                self.transition(evaluation, raised, report, log, &mut changes).await?;
            }
        }
        for obsolete in known.iter().filter(|alert| alert.raised && self.is_obsolete(alert, report)) {
            let evaluation = Evaluation { verdict: Verdict::TooFew, ..obsolete.evaluation.clone() };
            self.transition(&evaluation, false, report, log, &mut changes).await?;
        }
        Ok(changes)
    }

    /// Whether to clear a raised alert for which there is no evaluation: the version has recovered or was replaced,
    /// the rule was removed, or there were too few appointments for as long as the rule looks back. If it stayed raised,
    /// nobody would be notified of the next incident.
    fn is_obsolete(&self, alert: &Alert, report: &Report) -> bool {
        let Some(rule) = self.rules.iter().find(|rule| rule.name == alert.evaluation.rule) else { return true };
        let current = report.evaluations.iter().find(|evaluation| is_same(evaluation, &alert.evaluation));
        match current.map(|evaluation| &evaluation.verdict) {
            Some(Verdict::Good(_) | Verdict::Bad(_)) => false,
            _ if matches!(alert.evaluation.scope, Scope::Version(_)) => true,
            _ => alert.since + TimeDelta::days(rule.looks_back().into()) < self.now,
        }
    }

    async fn transition(
        &self,
        evaluation: &Evaluation,
        raised: bool,
        report: &Report,
        log: &LogContext,
        changes: &mut AlertChanges,
    ) -> Result<(), StoreError> {
        let alert = Alert { evaluation: evaluation.clone(), raised, since: self.now, notified: false };
        if !self.counters.transition_alert(&alert).await? {
            return Ok(());
        }
        let (rule, scope) = (evaluation.rule.as_str(), evaluation.scope.to_string());
        if raised {
            changes.raised += 1;
            self.metrics.count("AlertRaised", Some(rule), log);
            tracing::error!(rule, scope, "alert raised");
        } else {
            changes.cleared += 1;
            tracing::info!(rule, scope, "alert cleared");
        }
        self.notify(&alert, report).await
    }

    async fn notify(&self, alert: &Alert, report: &Report) -> Result<(), StoreError> {
        let subject = text::subject(&alert.evaluation, alert.raised);
        let body = text::alert(&alert.evaluation, alert.raised, report);
        if let Err(error) = self.topic.publish("alert", &subject, &body).await {
            tracing::error!(%error, "failed to notify people of an alert; the next run retries");
            return Ok(());
        }
        self.counters.mark_notified(alert).await
    }
}

fn is_same(one: &Evaluation, other: &Evaluation) -> bool {
    (&one.rule, &one.scope) == (&other.rule, &other.scope)
}
