//! The agency's overview: what needs it, then every tenant, worst first.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use futures_util::{StreamExt, TryStreamExt, stream};
use maud::{Markup, html};
use operations::tenant_file::as_file;
use quality::{rate::Rate, report::Report};
use scheduling::{
    appointment::{ToDoKind, Urgency},
    ids::{AccountName, TenantId},
    tenant::KeyExpiry,
};
use store::{Pause, StoreError, UnroutedRoute};

use crate::{
    desk::Desk,
    http::{Reply, Request},
    layout::{Note, back, csrf, icon, system_page, tag},
    pages::quality::percent,
    view::View,
};

/// How many tenants are read at once.
const CONCURRENCY: usize = 16;
/// How many days before it expires a key is shown.
const EXPIRY_WARNING: Days = Days::new(7);

/// A tenant at a glance.
struct Row {
    id: TenantId,
    name: String,
    open: usize,
    urgent: usize,
    /// Calls of which nobody knows what they wanted.
    not_analyzed: usize,
    pause: Option<Pause>,
    /// The day on which its key expires, if that is soon.
    key_expires: Option<NaiveDate>,
    rates: Vec<(Rate, Option<f64>)>,
}

impl Row {
    fn needs_the_agency(&self) -> bool {
        self.pause.is_some() || self.key_expires.is_some()
    }

    fn misses_a_target(&self) -> bool {
        self.rates.iter().any(|(rate, value)| value.is_some_and(|value| !rate.target().is_met_by(value)))
    }

    fn rank(&self) -> (bool, bool, std::cmp::Reverse<usize>, String) {
        (
            self.pause.is_none(),
            !(self.needs_the_agency() || self.misses_a_target()),
            std::cmp::Reverse(self.urgent),
            self.name.clone(),
        )
    }
}

async fn rows(view: &View<'_>, report: Option<&Report>) -> Result<Vec<Row>, StoreError> {
    let desk = view.desk;
    let (tenants, pauses) = tokio::try_join!(desk.operations.tenants.list(), desk.pauses.all())?;
    let rows = stream::iter(tenants).map(async |(id, name)| row(view, id, name, &pauses, report).await);
    let mut rows: Vec<Row> = rows.buffer_unordered(CONCURRENCY).try_collect().await?;
    rows.sort_by_key(Row::rank);
    Ok(rows)
}

async fn row(
    view: &View<'_>,
    id: TenantId,
    name: String,
    pauses: &BTreeMap<AccountName, Pause>,
    report: Option<&Report>,
) -> Result<Row, StoreError> {
    let desk: &Desk = view.desk;
    let (tenant, ids) =
        tokio::try_join!(desk.operations.tenants.load(&id), desk.operations.appointments.in_review(&id))?;
    let waiting = desk.operations.appointments.load_all(&ids).await?;
    let soon = view.now + chrono::TimeDelta::days(1);
    let to_dos = waiting.iter().filter_map(|stored| stored.value.to_do(view.now, soon));
    let (mut urgent, mut not_analyzed) = (0, 0);
    for to_do in to_dos {
        urgent += usize::from(to_do.urgency == Urgency::Now);
        not_analyzed += usize::from(to_do.kind == ToDoKind::NotAnalyzed);
    }
    let (mut pause, mut key_expires) = (None, None);
    if let Some(tenant) = &tenant {
        let account = &tenant.calcom.account;
        pause = pauses.get(account).cloned();
        let catalog = desk.catalogs.of(account).await?;
        let day = catalog.and_then(|stored| KeyExpiry::day(tenant.calcom.key_expires, stored.key_since));
        key_expires = day.filter(|day| *day <= view.now.date_naive() + EXPIRY_WARNING);
    }
    let summary = report.and_then(|report| report.tenants.iter().find(|part| part.name == id.as_str()));
    let shown = [Rate::BookingIntegration, Rate::StaffAssignment, Rate::ManualIntervention];
    let rates = shown.map(|rate| (rate, summary.and_then(|part| part.summary.rate(rate).value()))).to_vec();
    Ok(Row { open: ids.len(), id, name, urgent, not_analyzed, pause, key_expires, rates })
}

/// How many messages are dead letters, if their queues say so.
async fn count_dead_letters(desk: &Desk) -> Option<u64> {
    let [bookings, assignments] = &desk.dead_letters;
    let (bookings, assignments) = tokio::join!(bookings.waiting(), assignments.waiting());
    Some(bookings.ok()? + assignments.ok()?)
}

/// The page.
pub async fn show(view: &View<'_>, request: &Request) -> Result<Reply, StoreError> {
    let desk = view.desk;
    let latest = desk.reports.get("latest.json").await.ok().flatten();
    let report: Option<Report> = latest.and_then(|json| serde_json::from_slice(&json).ok());
    let dead = async { Ok(count_dead_letters(desk).await) };
    let (rows, versions, dead, unrouted) = tokio::try_join!(
        rows(view, report.as_ref()),
        desk.counters.version_activity(),
        dead,
        desk.unrouted.all_routes()
    )?;
    let note = note(view, request, &rows);
    let acting: Vec<&Row> = rows.iter().filter(|row| row.needs_the_agency()).collect();
    let waiting: usize = rows.iter().map(|row| row.open).sum();
    let content = html! {
        @let needing = acting.len() + usize::from(dead != Some(0)) + unrouted.len();
        div.head data-follow="1" {
            h1 { @if needing == 0 { (view.t("Nichts braucht Sie", "Nothing needs you")) } @else { (view.count(needing, ("Sache braucht Sie", "thing needs you"), ("Sachen brauchen Sie", "things need you"))) } }
            p.soft { (view.count(rows.len(), ("Salon", "salon"), ("Salons", "salons"))) ". " (view.count(waiting, ("Termin ist zu erledigen", "to-do"), ("Termine sind zu erledigen", "to-dos"))) }
        }
        @if let Some(note) = &note { (note.show()) }
        @if needing > 0 { h2.hide { (view.t("Was Sie braucht", "What needs you")) } }
        @match dead {
            None => (Note::failed(view.t("Die liegen gebliebenen Nachrichten ließen sich nicht zählen.", "The dead letters could not be counted.")).with(html! { (view.t("Bitte neu laden.", "Please load the page again.")) }).show()),
            Some(0) => {},
            Some(dead) => (dead_letters(view, dead)),
        }
        @for route in &unrouted { (unrouted_card(view, route)) }
        @for row in &acting { (account_card(view, row)) }
        h2.group { (view.t("Alle Salons", "All salons")) " " small { (rows.len()) } }
        p.head { a.btn href="/system/tenants" { (icon("new")) (view.t("Salon anlegen", "Add a salon")) } }
        (table(view, &rows))
        h2.group { (view.t("Versionen", "Versions")) " " small { (versions.len()) } }
        @let regressed = report.as_ref().map(Report::regressed_versions).unwrap_or_default();
        ul.card.list {
            @for version in versions.iter().rev().take(8) {
                li { span { b { (version.version) } small { (version.first.format("%Y-%m-%d %H:%M")) " – " (version.last.format("%Y-%m-%d %H:%M")) " UTC" } }
                    @if regressed.contains(version.version.as_str()) { (tag("bad", "warn", view.t("schlechter", "worse"))) } @else { (tag("ok", "ok", view.t("in Ordnung", "all right"))) } }
            }
            @if versions.is_empty() { li { span { (view.t("Noch keine gezählt.", "None was counted yet.")) } } }
        }
    };
    Ok(Reply::Page(200, system_page(view, view.t("Alle Salons", "All salons"), &content)))
}

fn dead_letters(view: &View<'_>, count: u64) -> Markup {
    html! {
        article.card.do aria-labelledby="dead" {
            div.body {
                p.row { (tag("bad", "warn", &format!("{count} {}", view.t("liegen geblieben", "dead letters")))) }
                div { h3 #dead { (view.t("Nachrichten, die niemand verarbeiten konnte", "Messages that nobody could process")) } }
                p.why { (view.t("Ihre Termine stehen unter „Zu erledigen“. Nichts wird doppelt gebucht: Cal.com wird vorher gefragt.", "Their appointments are under “To do”. Nothing is booked twice: Cal.com is asked first.")) }
            }
            form.settle method="post" action="/system/redrive" {
                (csrf(view))
                div.acts {
                    button.btn.go name="first" value="1" { (view.t("Eine zur Probe", "Try one")) }
                    button.btn.wide { (view.t("Alle noch einmal", "All once more")) }
                }
            }
        }
    }
}

/// Calls that no tenant's agents and numbers fit.
fn unrouted_card(view: &View<'_>, route: &UnroutedRoute) -> Markup {
    let known = [
        (view.t("Konto bei Retell", "Account at Retell"), Some(route.account.to_string())),
        (view.t("Agent", "Agent"), route.agent.as_ref().map(ToString::to_string)),
        (view.t("Nummer", "Number"), route.number.clone()),
        (view.t("Seit", "Since"), Some(route.since.format("%Y-%m-%d %H:%M UTC").to_string())),
    ];
    html! {
        article.card.do aria-label=(view.t("Anrufe ohne Salon", "Calls without a salon")) {
            div.body {
                p.row { (tag("bad", "phone", view.t("Anrufe ohne Salon", "calls without a salon"))) }
                p.why { (view.t("Kein Salon hat diesen Agenten oder diese Nummer. Die Anrufe sind aufbewahrt, gebucht ist nichts.", "No salon has this agent or number. The calls are kept; nothing is booked.")) }
                dl.facts {
                    @for (label, value) in known { @if let Some(value) = value { div { dt { (label) } dd { (value) } } } }
                    div { dt { (view.t("Lösung", "Remedy")) } dd { (view.t("Agent oder Nummer in die Datei des Salons eintragen und sie laden. Dann werden die Anrufe nachgeholt.", "Add the agent or number to the salon's file and load it. The calls are taken up then.")) } }
                }
            }
            div.settle { div.acts { a.btn.wide href="/system/tenants" { (view.t("Salon anlegen", "Add a salon")) } } }
        }
    }
}

fn account_card(view: &View<'_>, row: &Row) -> Markup {
    let (words, why, remedy) = match (&row.pause, row.key_expires) {
        (Some(pause), _) => (
            format!("{} {}", view.t("Schlüssel ruht seit", "The key rests since"), pause.since.format("%Y-%m-%d %H:%M UTC")),
            view.t("Cal.com lehnt den Schlüssel ab. Buchungen warten, verloren ist keine.", "Cal.com refuses the key. Bookings wait; none is lost."),
            view.t("Neuen Schlüssel bei Cal.com anlegen und im Geheimnis der Cal.com-Schlüssel hinterlegen. Danach geht alles innerhalb von fünf Minuten von allein weiter.", "Create a new key at Cal.com and put it into the secret of Cal.com keys. All goes on by itself within five minutes after that."),
        ),
        (None, expires) => (
            format!("{} {}", view.t("Schlüssel läuft ab am", "The key expires on"), expires.map(|day| day.to_string()).unwrap_or_default()),
            view.t("Danach nimmt Cal.com keine Buchung mehr an.", "After that Cal.com accepts no booking."),
            view.t("Rechtzeitig einen neuen Schlüssel hinterlegen.", "Put a new key into the secret in time."),
        ),
    };
    html! {
        article.card.do aria-labelledby={ "t-" (row.id) } {
            div.body {
                p.row { (tag("bad", "key", &words)) }
                div { h3 id={ "t-" (row.id) } { a href={ "/s/" (row.id) "/todo" } { (row.name) } } }
                p.why { (why) }
                dl.facts { div { dt { (view.t("Lösung", "Remedy")) } dd { (remedy) } } }
            }
            div.settle {
                @if row.pause.is_some() {
                    form.acts method="post" action={ "/system/tenants/" (row.id) "/resume" } {
                        (csrf(view))
                        button.btn.go { (view.t("Schlüssel jetzt prüfen", "Check the key now")) }
                    }
                }
                div.acts { a.btn.wide href={ "/s/" (row.id) "/todo" } { (view.t("Salon öffnen", "Open the salon")) } }
            }
        }
    }
}

fn table(view: &View<'_>, rows: &[Row]) -> Markup {
    let state = |row: &Row| match (row.needs_the_agency(), row.misses_a_target()) {
        (true, _) => tag("bad", "warn", view.t("handeln", "act")),
        (false, true) => tag("warn", "clock", view.t("beobachten", "watch")),
        (false, false) => tag("ok", "ok", view.t("in Ordnung", "all right")),
    };
    html! {
        div.card { table {
            caption.hide { (view.t("Alle Salons, die dringenden zuerst", "All salons, the urgent ones first")) }
            thead { tr {
                th scope="col" { "Salon" }
                th scope="col" { (view.t("Zustand", "State")) }
                th.r scope="col" { (view.t("Offen", "Open")) }
                th.r.big scope="col" { (view.t("Ohne Auswertung", "Not analyzed")) }
                th.r.big scope="col" { (view.t("Gebucht", "Booked")) }
                th.r.big scope="col" { (view.t("Zugeordnet", "Assigned")) }
                th.r.big scope="col" { (view.t("Von Hand", "By hand")) }
                th.r scope="col" { span.hide { (view.t("Bearbeiten", "Edit")) } }
            } }
            tbody { @for row in rows { tr {
                th scope="row" { a href={ "/s/" (row.id) "/todo" } { (row.name) } }
                td { (state(row)) }
                td.r { @if row.open > 0 { b { (row.open) } } @else { span.soft { "0" } } }
                td.r.big { (row.not_analyzed) }
                @for (rate, value) in &row.rates {
                    td.r.big { span.miss[value.is_some_and(|value| !rate.target().is_met_by(value))] { (percent(*value)) } }
                }
                td.r { a href={ "/system/tenants/" (row.id) } { (view.t("Datei", "File")) span.hide { ": " (row.name) } } }
            } } }
        } }
    }
}

/// What the page says after an action, as long as it is so.
fn note(view: &View<'_>, request: &Request, rows: &[Row]) -> Option<Note> {
    let asked = request.query.get("tenant");
    let row = rows.iter().find(|row| asked == Some(row.id.as_str()));
    let (word, is_paused) = (request.query.get("done")?, row.is_some_and(|row| row.pause.is_some()));
    let name = row.map(|row| row.name.as_str()).unwrap_or_default();
    let of_salon =
        |note: fn(String) -> Note, title: &str, more: &str| note(format!("{name}: {title}")).with(html! { (more) });
    Some(match (word, is_paused) {
        ("loaded", _) => Note::done(view.t("Die Datei ist geladen.", "The file is loaded.")),
        ("redriven", _) => Note::done(view.t("Wird noch einmal versucht.", "Being tried once more.")),
        ("resumed", false) => {
            let title = view.t("Cal.com nimmt den Schlüssel an.", "Cal.com accepts the key.");
            let more = view
                .t("Was wartet, wird in den nächsten Minuten gebucht.", "What waits is booked in the next minutes.");
            of_salon(Note::done, title, more)
        }
        ("refused", true) => {
            let title = view.t("Cal.com lehnt den Schlüssel weiter ab.", "Cal.com still refuses the key.");
            let more = view.t("Steht der neue schon im Geheimnis der Cal.com-Schlüssel? Nach zwanzig Sekunden können Sie noch einmal prüfen.", "Is the new one in the secret of Cal.com keys already? You can check again after twenty seconds.");
            of_salon(Note::failed, title, more)
        }
        ("not-known", true) => {
            let title = view.t("Das ließ sich gerade nicht herausfinden.", "That could not be found out now.");
            let more = view.t(
                "Cal.com antwortet nicht, wie es soll. Bitte in einer Minute noch einmal prüfen.",
                "Cal.com does not answer as it should. Please check again in a minute.",
            );
            of_salon(Note::failed, title, more)
        }
        _ => return None,
    })
}

/// What is known of a tenant's file.
pub enum Checked {
    /// Nothing yet.
    Not,
    /// It can be loaded.
    Good,
    /// It can't, for these reasons.
    Bad(Vec<String>),
}

/// The form with a tenant's file, and what is known of it.
pub async fn tenant(
    view: &View<'_>,
    id: Option<&TenantId>,
    text: Option<&str>,
    checked: Checked,
) -> Result<Option<Reply>, StoreError> {
    let stored = match (id, text) {
        (Some(id), None) => {
            let Some(record) = view.desk.operations.tenants.record(id).await? else { return Ok(None) };
            Some(format!("{:#}", as_file(&record)))
        }
        _ => None,
    };
    let text = text.map(str::to_owned).or(stored).unwrap_or_else(|| TEMPLATE.to_owned());
    let title = match id {
        Some(id) => format!("{} {id}", view.t("Salon", "Salon")),
        None => view.t("Salon anlegen", "Add a salon").to_owned(),
    };
    let content = html! {
        (back("/system", view.t("Alle Salons", "All salons")))
        div.head { h1 { (title) } p.soft { (view.t("Die Datei des Salons. Sie wird geprüft wie mit dem Befehl: Form, Schlüssel, Agenten und Nummern, und was Cal.com von den Terminarten zeigt.", "The salon's file. It is checked as by the command: form, keys, agents and numbers, and what Cal.com shows of its event types.")) } }
        @if matches!(checked, Checked::Good) { (Note::done(view.t("Die Datei ist in Ordnung. Geladen wurde nichts.", "The file is all right. Nothing was loaded.")).show()) }
        @if let Checked::Bad(problems) = &checked {
            div.note.warn role="alert" { (icon("warn")) div { p { b { (view.t("Nicht geladen.", "Not loaded.")) } } ul.dots { @for problem in problems { li { (problem) } } } } }
        }
        form.card method="post" action="/system/tenants" { div.pad {
            (csrf(view))
            div.field { label for="file" { (view.t("Datei (JSON)", "File (JSON)")) } textarea.code-file #file name="file" rows="28" spellcheck="false" required { (text) } }
            div.acts { button.btn.go { (view.t("Prüfen und laden", "Check and load")) } button.btn.wide name="check" value="1" { (view.t("Nur prüfen", "Only check")) } }
        } }
    };
    let status = if matches!(checked, Checked::Bad(_)) { 422 } else { 200 };
    Ok(Some(Reply::Page(status, system_page(view, &title, &content))))
}

/// What a new tenant's file begins with.
const TEMPLATE: &str = r#"{
  "id": "salon-beispiel",
  "name": "Salon Beispiel",
  "time_zone": "Europe/Berlin",
  "language": "de",
  "hours": {"tue-fri": "09:00-18:00", "sat": "09:00-14:00"},
  "retell": {"account": "main", "agent_ids": [], "numbers": []},
  "calcom": {"account": "", "placeholder_email_domain": ""},
  "staff": [],
  "services": []
}"#;
