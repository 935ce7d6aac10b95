//! From standings to alerts: each is raised once and cleared once.

use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    store::{Alert, CounterStore, StoreError},
    telemetry::{Metrics, LogContext},
};
use notify::AlertTopic;
use quality::{
    report::Report,
    rules::{Rule, Scope, Evaluation, Verdict},
    words,
};
use scheduling::timing::Timing;

/// What came of telling.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct AlertChanges {
    /// Alerts that were raised.
    pub raised: u32,
    /// Alerts that were cleared.
    pub cleared: u32,
}

/// Raises and clears alerts, and tells people.
pub struct AlertNotifier<'a> {
    /// Where alerts stand.
    pub figures: &'a CounterStore,
    /// To whom they are told.
    pub topic: &'a AlertTopic,
    /// Where they are counted.
    pub metrics: &'a Metrics,
    /// What is looked at.
    pub rules: &'a [Rule],
    /// How long whoever turned an alert has for telling it.
    pub timing: &'a Timing,
    /// When the figures were read.
    pub now: DateTime<Utc>,
}

impl AlertNotifier<'_> {
    /// Turns each alert that has to be, and tells people of it. The alert is stored before anyone is told, so that it is
    /// told once; where telling fails, a later run does it.
    pub async fn tell(&self, report: &Report, subject: &LogContext) -> Result<AlertChanges, StoreError> {
        let known = self.figures.alerts().await?;
        let mut told = AlertChanges::default();
        for untold in known.iter().filter(|alert| !alert.told && alert.since + self.timing.grace <= self.now) {
            if let Some(taken) = self.figures.take_on(untold, self.now).await? {
                self.publish(&taken, report).await?;
            }
        }
        for standing in &report.standings {
            let raised = match standing.verdict {
                Verdict::Bad(_) => true,
                Verdict::Good(_) => false,
                Verdict::TooFew => continue,
            };
            let before = known.iter().find(|alert| is_same(&alert.standing, standing));
            if before.is_some_and(|alert| alert.raised) != raised {
                self.turn(standing, raised, report, subject, &mut told).await?;
            }
        }
        for over in known.iter().filter(|alert| alert.raised && self.has_ended(alert, report)) {
            let standing = Evaluation { verdict: Verdict::TooFew, ..over.standing.clone() };
            self.turn(&standing, false, report, subject, &mut told).await?;
        }
        Ok(told)
    }

    /// Whether an alert no longer holds although no figure says so: the version does better, or another one has taken its
    /// place; the rule is gone; or for as long as the rule looks back there was too little to tell. Were it left raised,
    /// the next incident would be told to nobody.
    fn has_ended(&self, alert: &Alert, report: &Report) -> bool {
        let Some(rule) = self.rules.iter().find(|rule| rule.name == alert.standing.rule) else { return true };
        let now = report.standings.iter().find(|standing| is_same(standing, &alert.standing));
        match now.map(|standing| &standing.verdict) {
            Some(Verdict::Good(_) | Verdict::Bad(_)) => false,
            _ if matches!(alert.standing.scope, Scope::Version(_)) => true,
            _ => alert.since + TimeDelta::days(rule.looks_back().into()) < self.now,
        }
    }

    async fn turn(
        &self,
        standing: &Evaluation,
        raised: bool,
        report: &Report,
        subject: &LogContext,
        told: &mut AlertChanges,
    ) -> Result<(), StoreError> {
        let alert = Alert { standing: standing.clone(), raised, since: self.now, told: false };
        if !self.figures.turn(&alert).await? {
            return Ok(());
        }
        let (rule, scope) = (standing.rule.as_str(), standing.scope.to_string());
        if raised {
            told.raised += 1;
            self.metrics.count("AlertRaised", Some(rule), subject);
            tracing::error!(rule, scope, "an alert is raised");
        } else {
            told.cleared += 1;
            tracing::info!(rule, scope, "an alert is cleared");
        }
        self.publish(&alert, report).await
    }

    async fn publish(&self, alert: &Alert, report: &Report) -> Result<(), StoreError> {
        let subject = words::subject(&alert.standing, alert.raised);
        let text = words::alert(&alert.standing, alert.raised, report);
        if let Err(error) = self.topic.publish("alert", &subject, &text).await {
            tracing::error!(%error, "nobody was told of an alert; the next run tries again");
            return Ok(());
        }
        self.figures.told(alert).await
    }
}

fn is_same(one: &Evaluation, other: &Evaluation) -> bool {
    (&one.rule, &one.scope) == (&other.rule, &other.scope)
}
