//! The report, and what alerts say, as text.

use std::fmt::{self, Write};

use crate::{
    counters::Party,
    rate::Rate,
    report::Report,
    rules::{Measurement, Scope, Evaluation, Verdict},
    summary::{Cluster, Ratio},
    regression::RateRegression,
};

/// How many clusters a text tells.
const TOLD: usize = 10;

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            Some(value) => write!(f, "{} ({} of {})", percent(value), self.met, self.of),
            None => f.write_str("none yet"),
        }
    }
}

/// A ratio as people read it: one decimal, and none where it is whole.
pub fn percent(value: f64) -> String {
    let tenths = (value * 1000.0).round() / 10.0;
    if tenths.fract() == 0.0 { format!("{tenths:.0} %") } else { format!("{tenths:.1} %") }
}

/// A time as people read it.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { rate, ratio, days, least } => {
                write!(f, "{rate} is {ratio} over {days} days; {} is the least", percent(*least))
            }
            Self::Day { rate, day, ratio } => write!(f, "{rate} is {ratio} on {day}"),
            Self::WithoutHost { appointments, of, most } => {
                write!(
                    f,
                    "{appointments} bookings without a host in 24 hours (bookings since yesterday: {of}); {most} are no alarm"
                )
            }
            Self::Version(worse) => {
                write!(f, "version {} made things worse:", worse.version)?;
                for RateRegression { rate, with, before, chance } in &worse.rates {
                    let once_in = (1.0 / chance).max(1.0);
                    write!(f, "\n  {rate} is {with} and was {before} before; by chance, once in {once_in:.0} times")?;
                }
                f.write_str("\nWhere its appointments stopped:")?;
                for cluster in &worse.stopped {
                    write!(f, "\n  {cluster}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.service.as_ref().map_or("not understood", |service| service.as_str());
        write!(f, "{} stopped at {}: {}", self.appointments, self.step, self.reason)?;
        write!(f, " (tenant {}, source {}, service {service}", self.tenant, self.source)?;
        match &self.party {
            Some(Party::Staff(id)) => write!(f, ", staff member {id}")?,
            Some(Party::Host(id)) => write!(f, ", host {id}")?,
            None => {}
        }
        write!(f, ", version {})", self.version)
    }
}

/// The subject of an alert: at most 100 characters of ASCII, as SNS wants it.
pub fn subject(evaluation: &Evaluation, raised: bool) -> String {
    let word = if raised { "ALARM" } else { "cleared" };
    let subject = format!("Frontdesk {word}: {} ({})", evaluation.rule, evaluation.scope);
    subject.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(100).collect()
}

/// What an alert says: what was measured, why, and what to do next.
pub fn alert(evaluation: &Evaluation, raised: bool, report: &Report) -> String {
    let mut text = String::new();
    let word = if raised { "raised" } else { "cleared" };
    // Writing to a String can't fail.
    let _ = writeln!(text, "{} is {word} for {}.\n", evaluation.rule, evaluation.scope);
    match &evaluation.verdict {
        Verdict::Good(measured) | Verdict::Bad(measured) => {
            let _ = writeln!(text, "{measured}");
        }
        Verdict::TooFew => {
            let _ = writeln!(text, "Since then there are too few appointments to tell, or nobody asks any more.");
        }
    }
    if !raised {
        return text;
    }
    let concerned = report.clusters.iter().filter(|cluster| concerns(&evaluation.scope, cluster));
    let concerned: Vec<&Cluster> = concerned.take(TOLD).collect();
    if !concerned.is_empty() && !matches!(evaluation.scope, Scope::Version(_)) {
        let _ = writeln!(text, "\nWhere appointments stopped, {} to {}:", report.from, report.to);
        for cluster in concerned {
            let _ = writeln!(text, "  {cluster}");
        }
    }
    let next = match &evaluation.scope {
        Scope::Version(version) => format!(
            "Take version {version} back: deploy the one before it, with GradualDeployment=false, since its alarm keeps CodeDeploy from beginning. Then `frontdesk appointment review TENANT` lists what timing for a person."
        ),
        Scope::Tenant(tenant) => {
            format!("`frontdesk appointment review {tenant}` lists what timing for a person, each with its reason.")
        }
        Scope::All => "`frontdesk quality report --form page --out report.html` shows all of it.".to_owned(),
    };
    let _ = writeln!(text, "\nNext: {next}");
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
    writeln!(text, "Frontdesk, {} to {}: {} appointments", report.from, report.to, overall.appointments)?;
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
    if let Some(took) = overall.seconds_to_assigned {
        let [p50, p95, p99] = [took.p50, took.p95, took.p99].map(duration);
        writeln!(text, "  from call to assigned: half within {p50}, 95 % within {p95}, 99 % within {p99}")?;
    }
    let oldest = duration(report.in_progress.oldest_seconds as f64);
    match report.in_progress.appointments {
        0 => writeln!(text, "  nothing is under way")?,
        n => writeln!(text, "  {n} under way, the oldest for {oldest}")?,
    }
    for evaluation in report.alarms() {
        if let Verdict::Bad(measured) = &evaluation.verdict {
            writeln!(text, "\nALARM {} ({}): {measured}", evaluation.rule, evaluation.scope)?;
        }
    }
    if !report.clusters.is_empty() {
        writeln!(text, "\nWhere appointments stopped:")?;
        for cluster in report.clusters.iter().take(TOLD) {
            writeln!(text, "  {cluster}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_times_are_told_as_people_read_them() {
        assert_eq!(Ratio { met: 19, of: 20 }.to_string(), "95 % (19 of 20)");
        assert_eq!(Ratio { met: 3, of: 17 }.to_string(), "17.6 % (3 of 17)");
        assert_eq!(Ratio::default().to_string(), "none yet");
        let told = [0.54, 42.0, 600.0, 9000.0, 200_000.0].map(duration);
        assert_eq!(told, ["0.5 s", "42 s", "10 min", "2.5 h", "2.3 days"]);
    }

    #[test]
    fn a_subject_is_one_that_sns_takes() {
        let scope = Scope::Version("v\u{fc}\n".repeat(60));
        let evaluation = Evaluation { rule: "version_worse".to_owned(), scope, verdict: Verdict::TooFew };
        let subject = subject(&evaluation, true);
        assert!(subject.len() <= 100 && subject.is_ascii() && !subject.contains('\n'), "{subject}");
    }
}
