//! The quality report and alerts as text.

use std::fmt::{self, Write};

use crate::{
    counters::Party,
    rate::Rate,
    regression::RateRegression,
    report::Report,
    rules::{Evaluation, Measurement, Scope, Verdict},
    summary::{Cluster, Ratio},
};

/// How many clusters a text lists.
const MAX_CLUSTERS: usize = 10;

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            Some(value) => write!(f, "{} ({} of {})", percent(value), self.met, self.of),
            None => f.write_str("no data"),
        }
    }
}

/// A ratio in per cent, with one decimal unless it is whole.
pub fn percent(value: f64) -> String {
    let tenths = (value * 1000.0).round() / 10.0;
    if tenths.fract() == 0.0 { format!("{tenths:.0} %") } else { format!("{tenths:.1} %") }
}

/// A duration in the unit that fits.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

/// A probability with two significant digits.
pub fn p_value(p: f64) -> String {
    let digits = if p > 0.0 { (1.0 - p.log10().floor()).clamp(2.0, 9.0) as usize } else { 2 };
    format!("p = {p:.digits$}")
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { rate, ratio, days, minimum } => {
                write!(f, "{rate} is {ratio} over {days} days; the minimum is {}", percent(*minimum))
            }
            Self::Day { rate, day, ratio } => write!(f, "{rate} is {ratio} on {day}"),
            Self::WithoutHost { appointments, of, maximum } => {
                write!(
                    f,
                    "{appointments} bookings without a host within 24 hours, of {of} bookings since yesterday; the maximum is {maximum}"
                )
            }
            Self::Version(regression) => {
                write!(f, "version {} regressed:", regression.version)?;
                for RateRegression { rate, with, before, p_value: p } in &regression.rates {
                    write!(f, "\n  {rate} is {with}; before it was {before}; {}", p_value(*p))?;
                }
                f.write_str("\nWhere its appointments stopped:")?;
                for cluster in &regression.stopped {
                    write!(f, "\n  {cluster}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.service.as_ref().map_or("unknown", |service| service.as_str());
        write!(f, "{} at {}: {}", self.appointments, self.step, self.reason)?;
        write!(f, " (tenant {}, source {}, service {service}", self.tenant, self.source)?;
        match &self.party {
            Some(Party::Staff(id)) => write!(f, ", staff member {id}")?,
            Some(Party::Host(id)) => write!(f, ", host {id}")?,
            None => {}
        }
        write!(f, ", version {})", self.version)
    }
}

/// The subject of an alert: at most 100 characters of ASCII, the limit of SNS.
pub fn subject(evaluation: &Evaluation, raised: bool) -> String {
    let word = if raised { "ALERT" } else { "cleared" };
    let subject = format!("Frontdesk {word}: {} ({})", evaluation.rule, evaluation.scope);
    subject.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(100).collect()
}

/// The body of an alert: what was measured, where appointments stopped, and what to do next.
pub fn alert(evaluation: &Evaluation, raised: bool, report: &Report) -> String {
    let mut text = String::new();
    let word = if raised { "raised" } else { "cleared" };
    // Writing to a String can't fail.
    let _ = writeln!(text, "Alert {} for {} is {word}.\n", evaluation.rule, evaluation.scope);
    match &evaluation.verdict {
        Verdict::Good(measurement) | Verdict::Bad(measurement) => {
            let _ = writeln!(text, "{measurement}");
        }
        Verdict::TooFew => {
            let _ = writeln!(text, "Its condition no longer holds, or there are too few appointments to evaluate it.");
        }
    }
    if !raised {
        return text;
    }
    let concerned = report.clusters.iter().filter(|cluster| concerns(&evaluation.scope, cluster));
    let concerned: Vec<&Cluster> = concerned.take(MAX_CLUSTERS).collect();
    if !concerned.is_empty() && !matches!(evaluation.scope, Scope::Version(_)) {
        let _ = writeln!(text, "\nWhere appointments stopped, {} to {}:", report.from, report.to);
        for cluster in concerned {
            let _ = writeln!(text, "  {cluster}");
        }
    }
    let next = match &evaluation.scope {
        Scope::Version(version) => format!(
            "Roll back version {version}: deploy the version before it with GradualDeployment=false, since CodeDeploy starts no gradual deployment while its alarm is active. Then list what needs a person with `frontdesk appointment review TENANT`."
        ),
        Scope::Tenant(tenant) => {
            format!("List what needs a person, each with its reason, with `frontdesk appointment review {tenant}`.")
        }
        Scope::All => "Read the whole report: `frontdesk quality report --format html --out report.html`.".to_owned(),
    };
    let _ = writeln!(text, "\nNext step: {next}");
    text
}

fn concerns(scope: &Scope, cluster: &Cluster) -> bool {
    match scope {
        Scope::All => true,
        Scope::Tenant(tenant) => cluster.tenant == *tenant,
        Scope::Version(version) => cluster.version == *version,
    }
}

/// The report as text.
pub fn report(report: &Report) -> String {
    let mut text = String::new();
    let _ = write_report(&mut text, report);
    text
}

fn write_report(text: &mut String, report: &Report) -> fmt::Result {
    let overall = &report.overall;
    writeln!(text, "Quality report, {} to {}: {} appointments", report.from, report.to, overall.appointments)?;
    for rate in Rate::ALL {
        let mark = match report.is_on_target(rate) {
            Some(true) => "ok    ",
            Some(false) => "MISSED",
            None => "-     ",
        };
        writeln!(
            text,
            "  {mark} {:<22} {:<24} target {}",
            rate.title(),
            overall.rate(rate).to_string(),
            rate.target()
        )?;
    }
    if let Some(times) = overall.seconds_to_assigned {
        let [p50, p95, p99] = [times.p50, times.p95, times.p99].map(duration);
        writeln!(text, "  call to assigned: median {p50}, 95th percentile {p95}, 99th percentile {p99}")?;
    }
    let oldest = duration(report.in_progress.oldest_seconds as f64);
    match report.in_progress.appointments {
        0 => writeln!(text, "  in progress: none")?,
        n => writeln!(text, "  in progress: {n}, the oldest for {oldest}")?,
    }
    for evaluation in report.active_alerts() {
        if let Verdict::Bad(measurement) = &evaluation.verdict {
            writeln!(text, "\nALERT {} ({}): {measurement}", evaluation.rule, evaluation.scope)?;
        }
    }
    if !report.clusters.is_empty() {
        writeln!(text, "\nWhere appointments stopped:")?;
        for cluster in report.clusters.iter().take(MAX_CLUSTERS) {
            writeln!(text, "  {cluster}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_durations_and_probabilities_are_readable() {
        assert_eq!(Ratio { met: 19, of: 20 }.to_string(), "95 % (19 of 20)");
        assert_eq!(Ratio { met: 3, of: 17 }.to_string(), "17.6 % (3 of 17)");
        assert_eq!(Ratio::default().to_string(), "no data");
        let durations = [0.54, 42.0, 600.0, 9000.0, 200_000.0].map(duration);
        assert_eq!(durations, ["0.5 s", "42 s", "10 min", "2.5 h", "2.3 days"]);
        assert_eq!([0.000_649, 0.0312, 1.0].map(p_value), ["p = 0.00065", "p = 0.031", "p = 1.00"]);
    }

    #[test]
    fn a_subject_is_one_that_sns_accepts() {
        let scope = Scope::Version("v\u{fc}\n".repeat(60));
        let evaluation = Evaluation { rule: "version_regression".to_owned(), scope, verdict: Verdict::TooFew };
        let subject = subject(&evaluation, true);
        assert!(subject.len() <= 100 && subject.is_ascii() && !subject.contains('\n'), "{subject}");
    }
}
