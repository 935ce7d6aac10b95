//! The quality report as a page: one self-contained file, for phones and desktops, in light and dark.
//!
//! Every value is also in a data attribute of its element, and the whole report is JSON at the end, so that a program can
//! read what a person sees.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    counters::Party,
    rate::{Rate, Target},
    report::{Part, Report},
    rules::{Evaluation, Verdict},
    summary::{Cluster, Ratio},
    text::{duration, percent},
};

const STYLE: &str = include_str!("report.css");
/// The height of a chart and the width of a day, in units of its view box.
const CHART_HEIGHT: f64 = 100.0;
const DAY_WIDTH: f64 = 20.0;
/// Further clusters are only in the JSON.
const CLUSTERS_SHOWN: usize = 50;

/// The page.
pub fn page(report: &Report) -> String {
    let made_at = report.made_at.format("%Y-%m-%d %H:%M UTC");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Frontdesk quality report, " (report.from) " to " (report.to) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Quality report" }
                    p.muted {
                        (report.from) " to " (report.to) " · created " (made_at) " · "
                        strong data-value="appointments" { (report.overall.appointments) } " appointments"
                    }
                }
                main {
                    @if report.active_alerts().next().is_some() {
                        section.alerts {
                            h2 { "Active alerts" }
                            @for evaluation in report.active_alerts() { (alert(evaluation)) }
                        }
                    }
                    section.tiles { @for rate in Rate::ALL { (tile(report, rate)) } (time_tile(report)) (in_progress_tile(report)) }
                    section {
                        h2 { "Daily rates" }
                        div.charts { @for rate in Rate::ALL { (chart(report, rate)) } }
                    }
                    section {
                        h2 { "Where and why appointments stopped" }
                        (steps(report))
                        (clusters(&report.clusters))
                    }
                    (failures(report))
                    (in_progress(report))
                    (parts("By version, oldest first", &report.versions, &report.regressed_versions().into_iter().collect::<Vec<_>>()))
                    (parts("By tenant", &report.tenants, &[]))
                    (parts("By service", &report.services, &[]))
                    (parts("By source", &report.sources, &[]))
                }
                script #report type="application/json" { (PreEscaped(as_json(report))) }
            }
        }
    };
    page.into_string()
}

/// JSON for a script element: nothing in it can end the element.
fn as_json(report: &Report) -> String {
    serde_json::to_string(report).unwrap_or_default().replace('<', "\\u003c")
}

fn alert(evaluation: &Evaluation) -> Markup {
    let measurement = match &evaluation.verdict {
        Verdict::Bad(measured) | Verdict::Good(measured) => measured.to_string(),
        Verdict::TooFew => String::new(),
    };
    html! {
        article.alert data-alert=(evaluation.rule) data-scope=(evaluation.scope) {
            h3 { (evaluation.rule) " · " (evaluation.scope) }
            p { (measurement) }
        }
    }
}

fn tile(report: &Report, rate: Rate) -> Markup {
    let ratio = report.overall.rate(rate);
    let (class, word) = match report.is_on_target(rate) {
        Some(true) => ("tile good", "on target"),
        Some(false) => ("tile bad", "missed"),
        None => ("tile", "no data"),
    };
    html! {
        article class=(class) data-value=(rate) data-met=(ratio.met) data-of=(ratio.of) {
            h3 { (rate.title()) }
            p.large { (ratio.value().map_or_else(|| "–".to_owned(), percent)) }
            p.muted { (ratio.met) " of " (ratio.of) " · target " (rate.target()) " · " (word) }
        }
    }
}

fn time_tile(report: &Report) -> Markup {
    html! {
        article.tile data-value="seconds_to_assigned" {
            h3 { "Call to assigned" }
            @match report.overall.seconds_to_assigned {
                Some(times) => {
                    p.large { (duration(times.p95)) }
                    p.muted { "95th percentile · median " (duration(times.p50)) " · 99th " (duration(times.p99)) }
                }
                None => { p.large { "–" } p.muted { "none assigned" } }
            }
        }
    }
}

fn in_progress_tile(report: &Report) -> Markup {
    let in_progress = report.in_progress;
    html! {
        article.tile data-value="in_progress" data-of=(in_progress.appointments) {
            h3 { "In progress" }
            p.large { (in_progress.appointments) }
            p.muted {
                @if in_progress.appointments == 0 { "none in progress" }
                @else { "oldest: " (duration(in_progress.oldest_seconds as f64)) }
            }
        }
    }
}

/// One bar a day, as high as the rate; the line is the target.
fn chart(report: &Report, rate: Rate) -> Markup {
    let width = DAY_WIDTH * report.days.len() as f64;
    let (Target::Above(aim) | Target::Below(aim)) = rate.target();
    let line = CHART_HEIGHT * (1.0 - aim);
    html! {
        figure.chart {
            figcaption { (rate.title()) }
            svg viewBox={ "0 0 " (width) " " (CHART_HEIGHT) } preserveAspectRatio="none" role="img"
                aria-label={ (rate.title()) ", daily" } {
                @for (at, day) in report.days.iter().enumerate() {
                    @let ratio = day.summary.rate(rate);
                    (bar(rate, day, ratio, DAY_WIDTH * at as f64))
                }
                line.aim x1="0" x2=(width) y1=(line) y2=(line) {}
            }
            p.axis.muted { span { (report.from) } span { (report.to) } }
        }
    }
}

fn bar(rate: Rate, day: &Part, ratio: Ratio, x: f64) -> Markup {
    let value = ratio.value();
    // A day at 0 must be visible.
    let height = CHART_HEIGHT * value.unwrap_or_default().max(0.02);
    let class = match value {
        Some(value) if rate.target().is_met_by(value) => "bar good",
        _ => "bar bad",
    };
    html! {
        @if value.is_some() {
            rect class=(class) x=(x + 2.0) y=(CHART_HEIGHT - height) width=(DAY_WIDTH - 4.0) height=(height)
                data-rate=(rate) data-day=(day.name) data-met=(ratio.met) data-of=(ratio.of) {
                title { (day.name) ": " (ratio) }
            }
        }
    }
}

fn steps(report: &Report) -> Markup {
    let stopped = report.stopped_by_step();
    let most = stopped.values().copied().max().unwrap_or_default();
    html! {
        @if stopped.is_empty() { p { "None." } }
        @else {
            dl.bars {
                @for (step, n) in &stopped {
                    dt { (step) }
                    dd data-step=(step) data-of=(n) { span.fill style={ "width:" (share_of(*n, most)) "%" } {} (n) }
                }
            }
        }
    }
}

fn clusters(clusters: &[Cluster]) -> Markup {
    html! {
        @if !clusters.is_empty() {
            div.wide {
                table {
                    thead { tr {
                        th.number { "Appointments" } th { "Step" } th { "Reason" } th { "Service" } th { "Concerns" } th { "Source" }
                        th { "Version" } th { "Tenant" }
                    } }
                    tbody {
                        @for cluster in clusters.iter().take(CLUSTERS_SHOWN) {
                            tr data-cluster=(cluster.reason) data-of=(cluster.appointments) {
                                td.number { (cluster.appointments) }
                                td { (cluster.step) }
                                td { (cluster.reason) }
                                td { (cluster.service.as_ref().map_or("–", |service| service.as_str())) }
                                td { (party_of(cluster)) }
                                td { (cluster.source) }
                                td { (cluster.version) }
                                td { (cluster.tenant) }
                            }
                        }
                    }
                }
            }
            @if clusters.len() > CLUSTERS_SHOWN {
                p.muted { (clusters.len() - CLUSTERS_SHOWN) " smaller groups are in the JSON only" }
            }
        }
    }
}

fn party_of(cluster: &Cluster) -> String {
    match &cluster.party {
        Some(Party::Staff(id)) => format!("staff member {id}"),
        Some(Party::Host(id)) => format!("host {id}"),
        None => "–".to_owned(),
    }
}

fn failures(report: &Report) -> Markup {
    let failures = &report.overall.failures;
    let most = failures.values().copied().max().unwrap_or_default();
    html! {
        @if !failures.is_empty() {
            section {
                h2 { "Failures by category, including those that a retry resolved" }
                dl.bars {
                    @for (category, n) in failures {
                        dt { (category.as_str()) }
                        dd data-category=(category.as_str()) data-of=(n) {
                            span.fill style={ "width:" (share_of(*n, most)) "%" } {} (n)
                        }
                    }
                }
            }
        }
    }
}

fn in_progress(report: &Report) -> Markup {
    html! {
        @if !report.in_progress_groups.is_empty() {
            section {
                h2 { "In progress, oldest first" }
                div.wide {
                    table {
                        thead { tr {
                            th.number { "Appointments" } th.number { "Oldest" } th { "Tenant" } th { "Source" } th { "Service" }
                            th { "Version" }
                        } }
                        tbody {
                            @for kind in report.in_progress_groups.iter().take(CLUSTERS_SHOWN) {
                                tr {
                                    td.number { (kind.in_progress.appointments) }
                                    td.number { (duration(kind.in_progress.oldest_seconds as f64)) }
                                    td { (kind.tenant) }
                                    td { (kind.source) }
                                    td { (kind.service.as_ref().map_or("–", |service| service.as_str())) }
                                    td { (kind.version) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn parts(title: &str, parts: &[Part], marked: &[&str]) -> Markup {
    html! {
        @if !parts.is_empty() {
            section {
                h2 { (title) }
                div.wide {
                    table {
                        thead { tr { th { "" } th.number { "Appointments" } @for rate in Rate::ALL { th.number { (rate.title()) } } } }
                        tbody {
                            @for part in parts {
                                tr.marked[marked.contains(&part.name.as_str())] data-part=(part.name) {
                                    td { (part.name) }
                                    td.number { (part.summary.appointments) }
                                    @for rate in Rate::ALL { (dimensions(rate, part.summary.rate(rate))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn dimensions(rate: Rate, ratio: Ratio) -> Markup {
    let class = match ratio.value() {
        Some(value) if !rate.target().is_met_by(value) => "number missed",
        _ => "number",
    };
    html! {
        td class=(class) data-rate=(rate) data-met=(ratio.met) data-of=(ratio.of) {
            (ratio.value().map_or_else(|| "–".to_owned(), percent))
        }
    }
}

fn share_of(n: u64, most: u64) -> u64 {
    n * 100 / most.max(1)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use scheduling::ids::{Source, TenantId};

    use super::*;
    use crate::{
        counters::{Counter, Counters, Dimensions, Step, StopReason},
        report::InProgressTally,
    };

    fn report(reason: &str) -> Report {
        let day = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
        let (tenant, version) = (TenantId::new("salon"), "1".to_owned());
        let dimensions = Dimensions { day, tenant, source: Source::phone(), service: None, version };
        let mut counters = Counters::default();
        for (counter, n) in [
            (Counter::Appointments, 4),
            (Counter::Judged(Rate::StaffAssignment), 4),
            (Counter::Met(Rate::StaffAssignment), 3),
            (Counter::Stopped(StopReason { step: Step::Assignment, reason: reason.to_owned(), party: None }), 1),
        ] {
            counters.add(dimensions.clone(), counter, n);
        }
        let made_at = "2026-12-01T12:00:00Z".parse().unwrap();
        Report::new(&counters, &[], (day, 14), (Vec::new(), InProgressTally::default()), made_at)
    }

    #[test]
    fn a_page_is_self_contained_and_holds_the_report() {
        let (report, page) = (report("host_unknown_to_us"), page(&report("host_unknown_to_us")));
        for elsewhere in ["src=", "href=", "http://", "https://", "@import", "url("] {
            assert!(!page.contains(elsewhere), "{elsewhere}");
        }
        let json = page.split_once("type=\"application/json\">").unwrap().1.split_once("</script>").unwrap().0;
        assert_eq!(serde_json::from_str::<Report>(json).unwrap(), report);
        assert!(page.contains("data-met=\"3\" data-of=\"4\""));
    }

    #[test]
    fn no_word_from_outside_can_end_an_element() {
        let page = page(&report("</script><script>alert(1)</script>"));
        assert!(!page.contains("<script>alert"));
    }
}
