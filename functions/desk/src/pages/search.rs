//! Search: people and appointments by name, number, day, uid or state; and past ones to close.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use maud::{Markup, html};
use scheduling::{
    appointment::Appointment,
    contact,
    ids::{AppointmentId, BookingUid, CustomerId},
};
use store::StoreError;

use crate::{
    http::{Reply, Request},
    layout::{Menu, Note, csrf, dial, page, week_steps},
    pages::{customer::entry, to_do::count_open},
    view::TenantView,
};

/// Past appointments that wait to be closed are listed for so many days.
const DAYS: u64 = 7;
/// So many past appointments are closed at once.
const MOST_AT_ONCE: usize = 20;
/// So many appointments are listed.
const MOST: usize = 50;

/// Which appointments are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    All,
    Coming,
    Past,
    Open,
}

impl Filter {
    fn parse(word: Option<&str>) -> Self {
        match word {
            Some("coming") => Self::Coming,
            Some("past") => Self::Past,
            Some("open") => Self::Open,
            _ => Self::All,
        }
    }

    fn includes(self, view: &TenantView<'_>, appointment: &Appointment) -> bool {
        let is_to_come = appointment.start().is_none_or(|start| start >= view.now);
        match self {
            Self::All => true,
            Self::Coming => is_to_come && appointment.is_open(),
            Self::Past => !is_to_come,
            Self::Open => appointment.review_reason().is_some(),
        }
    }
}

/// The empty form, and the past appointments that wait.
pub async fn form(view: &TenantView<'_>, request: &Request, note: Option<Note>) -> Result<Reply, StoreError> {
    let today = view.today();
    let last = view.day_asked(request.query.get("until")).min(today);
    let (past, open) = tokio::try_join!(Past::load(view, last), count_open(view))?;
    let content = html! {
        div.head { h1 { (view.t("Suche", "Search")) } }
        @if let Some(note) = &note { (note.show()) }
        (search_form(view, "", Filter::All))
        (clean_up(view, &past))
    };
    Ok(Reply::Page(200, page(view, Menu::Search, view.t("Suche", "Search"), open, &content)))
}

/// What was found. It is posted, so that no name or number is in a URL.
pub async fn found(view: &TenantView<'_>, query: &str, filter: Option<&str>) -> Result<Reply, StoreError> {
    let filter = Filter::parse(filter);
    let (mut found, open) = tokio::try_join!(find(view, query), count_open(view))?;
    found.retain(|it| filter.includes(view, it));
    found.sort_by_key(|it| std::cmp::Reverse(it.start().unwrap_or(it.created_at)));
    let all = found.len();
    found.truncate(MOST);
    let people = people(view, &found);
    let content = html! {
        div.head { h1 { (view.t("Suche", "Search")) } }
        (search_form(view, query, filter))
        @if found.is_empty() {
            div.card { div.pad { p role="status" { (view.t("Nichts gefunden. Namen werden von vorn gesucht, am besten der Nachname.", "Nothing was found. Names are searched from their beginning; the last name works best.")) } } }
        } @else {
            h2.group { (view.t("Menschen", "People")) " " small { (people.len()) } }
            ul.card.list { @for (id, appointment) in &people {
                @let name = view.name(&appointment.request.customer);
                li {
                    span { a href=(view.path(&format!("customers/{id}"))) { b { (name) } } small { (view.what(appointment)) @if let Some(at) = appointment.start() { ", " (view.moment(at)) } } }
                    @if let Some(phone) = &appointment.request.customer.phone { (dial(view, &name, phone, false)) }
                }
            } }
            h2.group { (view.t("Termine", "Appointments")) " " small { (found.len()) @if all > found.len() { " " (view.t("von", "of")) " " (all) } } }
            ul.card.list { @for it in &found { (entry(view, it, true)) } }
        }
    };
    Ok(Reply::Page(200, page(view, Menu::Search, view.t("Suche", "Search"), open, &content)))
}

fn search_form(view: &TenantView<'_>, query: &str, filter: Filter) -> Markup {
    let option =
        |value: &str, words: &str, of: Filter| html! { option value=(value) selected[filter == of] { (words) } };
    html! {
        form.card role="search" method="post" action=(view.path("search")) { div.pad {
            (csrf(view))
            div.field { label for="q" { (view.t("Name, Nummer, Tag oder Buchungsnummer", "Name, number, day or booking uid")) } input #q type="search" name="q" value=(query) required maxlength="100"; }
            div.field { label for="show" { (view.t("Welche Termine", "Which appointments")) }
                select #show name="show" {
                    (option("all", view.t("Alle", "All"), Filter::All))
                    (option("coming", view.t("Kommende", "Coming"), Filter::Coming))
                    (option("past", view.t("Vergangene", "Past"), Filter::Past))
                    (option("open", view.t("Zu erledigen", "To do"), Filter::Open))
                }
            }
            div.acts { button.btn.go { (view.t("Suchen", "Search")) } }
        } }
    }
}

/// What a query means is tried in order: a day, a number, an email, a booking or appointment, a name.
async fn find(view: &TenantView<'_>, query: &str) -> Result<Vec<Appointment>, StoreError> {
    let (appointments, tenant) = (&view.desk.operations.appointments, &view.tenant);
    let ids: Vec<AppointmentId> = if let Some(day) = read_day(view, query) {
        appointments.starting(&tenant.id, view.midnight(day), Some(view.midnight(day + Days::new(1)))).await?
    } else if let Some(phone) = contact::phone_number(query, &tenant.country) {
        appointments.of_customer(&CustomerId::of_phone(&tenant.id, phone.reveal())).await?
    } else if let Some(email) = contact::email(query) {
        appointments.of_customer(&CustomerId::of_email(&tenant.id, email.reveal())).await?
    } else {
        let booking = appointments.of_booking(&BookingUid::new(query)).await?;
        match (booking, contact::sort_name(query)) {
            (Some(id), _) => vec![id],
            (None, Some(beginning)) => {
                let mut ids = appointments.by_name(&tenant.id, &beginning).await?;
                ids.push(AppointmentId::new(query));
                ids
            }
            (None, None) => Vec::new(),
        }
    };
    let found = appointments.load_all(&ids).await?.into_iter().map(|stored| stored.value);
    // By a uid or an id, somebody else's could be found.
    Ok(found.filter(|it| it.tenant == tenant.id && !it.is_erased()).collect())
}

/// A day as people write it: `24.12.`, `24.12.2026`, `2026-12-24`, heute, morgen.
fn read_day(view: &TenantView<'_>, query: &str) -> Option<NaiveDate> {
    let today = view.today();
    match query.to_lowercase().as_str() {
        "heute" | "today" => return Some(today),
        "morgen" | "tomorrow" => return Some(today + Days::new(1)),
        "gestern" | "yesterday" => return Some(today - Days::new(1)),
        _ => {}
    }
    let written = query.trim_end_matches('.');
    let with_year = written.parse().ok().or_else(|| NaiveDate::parse_from_str(written, "%d.%m.%Y").ok());
    let of_this_year = || NaiveDate::parse_from_str(&format!("{written}.{}", today.year()), "%d.%m.%Y").ok();
    with_year.or_else(of_this_year).filter(|day| view.is_near(*day))
}

/// Each person once, with their latest appointment.
fn people<'a>(view: &TenantView<'_>, found: &'a [Appointment]) -> Vec<(CustomerId, &'a Appointment)> {
    let mut people: BTreeMap<(CustomerId, Option<String>), &Appointment> = BTreeMap::new();
    for appointment in found {
        let customer = &appointment.request.customer;
        if let Some(id) = customer.ids(&view.tenant.id).into_iter().next() {
            people.entry((id, customer.sort_name())).or_insert(appointment);
        }
    }
    people.into_iter().map(|((id, _), appointment)| (id, appointment)).collect()
}

/// Past appointments of some days that nobody closed.
struct Past {
    last: NaiveDate,
    open: Vec<Appointment>,
    unlisted: usize,
}

impl Past {
    async fn load(view: &TenantView<'_>, last: NaiveDate) -> Result<Self, StoreError> {
        let appointments = &view.desk.operations.appointments;
        let (from, to) = view.span(last - Days::new(DAYS - 1), DAYS);
        let mut past = appointments.listed(&view.tenant.id, from, to.min(view.now)).await?;
        past.retain(|it| it.start.is_some_and(|start| it.outline.can_be_cleaned_up(start, view.now)));
        past.sort_by_key(|it| it.start);
        let mut ids = past.into_iter().map(|it| it.id);
        let mut open: Vec<Appointment> = Vec::new();
        // What was just closed may still be listed.
        while open.len() < MOST_AT_ONCE && ids.len() > 0 {
            let next: Vec<AppointmentId> = ids.by_ref().take(MOST_AT_ONCE - open.len()).collect();
            let found = appointments.load_all(&next).await?.into_iter().map(|stored| stored.value);
            open.extend(found.filter(|it| it.can_be_cleaned_up(view.now)));
        }
        Ok(Self { last, open, unlisted: ids.len() })
    }
}

fn clean_up(view: &TenantView<'_>, past: &Past) -> Markup {
    let what = |it: &Appointment| match it.is_past(view.now) {
        true => view.t("nie eingetragen: verfällt", "never booked: expires"),
        false => view.t("stand bei Cal.com: war da", "was booked: came"),
    };
    let first = past.last - Days::new(DAYS - 1);
    let step = |until: NaiveDate| format!("{}?until={until}#past", view.path("search"));
    let before = step(past.last - Days::new(DAYS));
    let after = (past.last < view.today()).then(|| step((past.last + Days::new(DAYS)).min(view.today())));
    html! {
        h2.group #past { (view.t("Vergangene aufräumen", "Clean up past ones")) " " small { (past.open.len() + past.unlisted) } }
        (week_steps(view, first, past.last, &before, after.as_deref()))
        @if past.open.is_empty() {
            div.card { div.pad { p { (view.t("In diesen Tagen ist nichts offen geblieben.", "Nothing was left open in these days.")) } } }
        } @else {
            form.card method="post" action=(view.path("clean-up")) { div.pad {
                (csrf(view))
                input type="hidden" name="until" value=(past.last);
                p { (view.t("Diese vergangenen Termine sind noch offen. Frontdesk fragt einen Tag danach bei Cal.com nach und schließt sie ab. Hier können Sie das schon jetzt tun, und zwar so:", "These past appointments are still open. A day after them, Frontdesk asks Cal.com and closes them. You can do that now, like this:")) }
                fieldset {
                    legend.hide { (view.t("Vergangene Termine", "Past appointments")) }
                    @for it in &past.open {
                        label.chip.line {
                            input type="checkbox" name="v" value={ (it.id) " " (it.seen()) } checked data-checked="1";
                            span { (it.start().map(|at| view.moment(at)).unwrap_or_default()) ", " (view.name(&it.request.customer)) small { (what(it)) } }
                        }
                    }
                }
                @if past.unlisted > 0 { p.soft { (view.t("Danach folgen noch ", "After these there are ")) (past.unlisted) (view.t(".", " more.")) } }
                div.acts { button.btn.wide { (view.t("Ausgewählte abschließen", "Close the selected ones")) } }
            } }
        }
    }
}
