//! How well it works for this tenant: the rates by day, why people were needed, and what differs from Cal.com.

use chrono::{Days, NaiveDate};
use maud::{Markup, html};
use quality::{
    rate::{Rate, Target},
    report::{InProgressTally, Report},
};
use scheduling::{appointment::Appointment, ids::AppointmentId};
use store::StoreError;

use crate::{
    http::{Reply, Request},
    layout::{Menu, icon, page, tag, week_steps},
    pages::{customer::entry, to_do::count_open},
    view::TenantView,
};

/// So many that were changed at Cal.com are listed.
const MOST_CHANGED: usize = 50;

/// The page.
pub async fn show(view: &TenantView<'_>, request: &Request) -> Result<Reply, StoreError> {
    let days: u8 = request.query.get("days").and_then(|days| days.parse().ok()).unwrap_or(14).clamp(1, 90);
    let today = view.today();
    let from = today - Days::new(u64::from(days) - 1);
    let (counters, drift, open) = tokio::try_join!(
        view.desk.counters.of_tenant(&view.tenant.id, from),
        Drift::load(view, request),
        count_open(view)
    )?;
    let report = Report::new(&counters, &[], (today, days), (Vec::new(), InProgressTally::default()), view.now);
    let measured: Vec<Rate> = Rate::ALL.into_iter().filter(|rate| report.is_on_target(*rate).is_some()).collect();
    let met = measured.iter().filter(|rate| report.is_on_target(**rate) == Some(true)).count();
    let manual = report.overall.rate(Rate::ManualIntervention);
    let span = |of: u8, words: &str| {
        html! { a href=(view.path(&format!("quality?days={of}"))) aria-current=[(days == of).then_some("page")] { (of) " " (words) } }
    };
    let content = html! {
        div.head.row.apart {
            div { h1 { (view.t("Wie gut es läuft", "How well it works")) } p.soft { (view.language.day_and_month(from)) " " (view.t("bis", "to")) " " (view.language.day_and_month(today)) ", " (view.count(usize::try_from(report.overall.appointments).unwrap_or_default(), ("Terminwunsch", "appointment wished"), ("Terminwünsche", "appointments wished"))) } }
            nav.seg aria-label=(view.t("Zeitraum", "Span")) { (span(7, view.t("Tage", "days"))) (span(14, view.t("Tage", "days"))) (span(90, view.t("Tage", "days"))) }
        }
        @if measured.is_empty() {
            div.card { div.pad { p { (view.t("Noch nichts gezählt: Frontdesk zählt jede Stunde.", "Nothing was counted yet: Frontdesk counts every hour.")) } } }
        } @else {
            div.note.{ (if met == measured.len() { "ok" } else { "warn" }) } role="status" { (icon(if met == measured.len() { "done" } else { "warn" })) div { p {
                b { (met) " " (view.t("von", "of")) " " (measured.len()) " " (view.t("Zielen erreicht.", "targets are met.")) }
                @if manual.met > 0 { " " (view.t("So oft war ein Mensch nötig: ", "A person was needed this often: ")) (manual.met) "." }
            } } }
            h2.hide { (view.t("Ziele", "Targets")) }
            ul.tiles { @for rate in &measured { (tile(view, &report, *rate)) } }
        }
        div.two {
            section aria-labelledby="why" {
                h2.group #why { (view.t("Woran es lag", "What it was")) " " small { (report.clusters.iter().map(|it| it.appointments).sum::<u64>()) } }
                div.card { table {
                    thead { tr { th scope="col" { (view.t("Grund", "Reason")) } th.r scope="col" { (view.t("Termine", "Appointments")) } } }
                    tbody {
                        @for cluster in report.clusters.iter().take(12) { tr { th scope="row" { (cluster.reason.replace('_', " ")) @if let Some(service) = &cluster.service { ", " (service) } } td.r { (cluster.appointments) } } }
                        @if report.clusters.is_empty() { tr { td colspan="2" { (view.t("Nichts blieb stehen.", "Nothing stopped.")) } } }
                    }
                } }
            }
        }
        h2.group #drift { (view.t("Bei Cal.com geändert", "Changed at Cal.com")) " " small { (drift.changed.len()) @if drift.all > drift.changed.len() { " " (view.t("von", "of")) " " (drift.all) } } }
        p.soft.small { (view.t("Termine, die jemand direkt bei Cal.com verschoben oder abgesagt hat.", "Appointments that somebody moved or cancelled at Cal.com itself.")) }
        @let step = |first: NaiveDate| format!("{}?days={days}&from={first}#drift", view.path("quality"));
        (week_steps(view, drift.first, drift.first + Days::new(6), &step(drift.first - Days::new(7)), Some(&step(drift.first + Days::new(7)))))
        ul.card.list {
            @for it in &drift.changed { (entry(view, it, true)) }
            @if drift.changed.is_empty() { li { span { (view.t("Alles wie hier eingetragen.", "All is as it was booked here.")) } } }
        }
    };
    Ok(Reply::Page(200, page(view, Menu::Quality, view.t("Qualität", "Quality"), open, &content)))
}

/// What differs from what was booked here, because it was changed at Cal.com: of seven days, from today on or as asked.
struct Drift {
    first: NaiveDate,
    changed: Vec<Appointment>,
    /// How many there are, the unlisted ones included.
    all: usize,
}

impl Drift {
    async fn load(view: &TenantView<'_>, request: &Request) -> Result<Self, StoreError> {
        let appointments = &view.desk.operations.appointments;
        let first = view.day_asked(request.query.get("from"));
        let (from, to) = view.span(first, 7);
        let mut listed = appointments.listed(&view.tenant.id, from, to).await?;
        listed.retain(|it| it.outline.last_change.is_some_and(|change| change.at_calcom));
        listed.sort_by_key(|it| it.start);
        let all = listed.len();
        let ids: Vec<AppointmentId> = listed.into_iter().map(|it| it.id).take(MOST_CHANGED).collect();
        let changed = appointments.load_all(&ids).await?.into_iter().map(|stored| stored.value).collect();
        Ok(Self { first, changed, all })
    }
}

fn tile(view: &TenantView<'_>, report: &Report, rate: Rate) -> Markup {
    let ratio = report.overall.rate(rate);
    let is_met = report.is_on_target(rate) == Some(true);
    let title = match rate {
        Rate::BookingIntegration => view.t("Bei Cal.com gebucht", "Booked at Cal.com"),
        Rate::SyncIn24h => view.t("Binnen 24 Stunden", "Within 24 hours"),
        Rate::HostExtraction => view.t("Person bei Cal.com bekannt", "Host known"),
        Rate::StaffAssignment => view.t("Jemandem zugeordnet", "Has a staff member"),
        Rate::AutomaticMapping => view.t("Von allein zugeordnet", "Assigned by itself"),
        Rate::ManualIntervention => view.t("Von Hand", "By hand"),
    };
    let target = match rate.target() {
        Target::Above(least) => format!("{} {:.0} %", view.t("Ziel über", "target above"), least * 100.0),
        Target::Below(most) => format!("{} {:.0} %", view.t("Ziel unter", "target below"), most * 100.0),
    };
    let width = 10 * report.days.len();
    html! {
        li.tile {
            h3 { (title) }
            p.row.apart {
                b { (percent(ratio.value())) }
                @if is_met { (tag("ok", "ok", view.t("Ziel erreicht", "met"))) } @else { (tag("bad", "warn", view.t("Ziel verfehlt", "missed"))) }
            }
            p.small.soft { (ratio.met) " " (view.t("von", "of")) " " (ratio.of) ", " (target) }
            svg.bars viewBox={ "0 0 " (width) " 40" } preserveAspectRatio="none" aria-hidden="true" {
                @for (nth, day) in report.days.iter().enumerate() {
                    @if let Some(value) = day.summary.rate(rate).value() {
                        @let height = (value * 40.0).round().max(1.0);
                        rect.low[!rate.target().is_met_by(value)] x=(nth * 10 + 1) y=(40.0 - height) width="8" height=(height) {}
                    }
                }
            }
        }
    }
}

/// A share as people read it.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}
