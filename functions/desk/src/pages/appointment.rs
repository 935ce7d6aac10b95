//! One appointment: what can be done, its whole history in words, the call, and what Cal.com answered.

use maud::{Markup, html};
use scheduling::appointment::{Action, Appointment, Cause, Transition};
use store::{StoreError, Versioned};

use crate::{
    http::Reply,
    layout::{Menu, Note, back, csrf, dial, icon, page, state_tag},
    pages::{
        evidence,
        to_do::{count_open, said},
    },
    view::{TenantView, can},
};

/// The page.
pub async fn show(
    view: &TenantView<'_>,
    stored: Versioned<Appointment>,
    note: Option<Note>,
) -> Result<Reply, StoreError> {
    let (evidence, open) = tokio::try_join!(evidence::load(view, &stored.value), count_open(view))?;
    let appointment = &stored.value;
    let name = view.name(&appointment.request.customer);
    let start = appointment.start();
    let day = start.map(|at| view.date(at));
    let content = html! {
        @match day.filter(|_| view.only.is_none()) {
            Some(day) => (back(&view.path(&format!("day?date={day}")), &view.language.long_day(day))),
            None => (back(&view.list(), view.t("Zu erledigen", "To do"))),
        }
        div.head data-follow="1" {
            div.row { h1 { (name) } (state_tag(view, appointment)) }
            p.soft { (view.what(appointment)) @if let Some(start) = start { ", " (view.moment(start)) } }
        }
        @if let Some(note) = &note { (note.show()) }
        div.two {
            div.stack.side {
                section.card aria-labelledby="acts" { div.pad {
                    h2 #acts.hide { (view.t("Was möchten Sie tun?", "What do you want to do?")) }
                    (acts(view, &stored))
                } }
                section.card aria-labelledby="details" { div.pad { h2 #details { (view.t("Angaben", "Details")) } (details(view, appointment)) } }
            }
            div.stack {
                section.card aria-labelledby="history" { div.pad {
                    h2 #history { (view.t("Verlauf", "History")) }
                    ol.way { @for entry in appointment.history().iter().rev() { (step(view, appointment, entry)) } }
                    form.field method="post" action=(view.path_of(appointment, "note")) {
                        (csrf(view))
                        input type="hidden" name="seen" value=(stored.value.seen());
                        label for="note" { (view.t("Notiz für das Team", "Note for the team")) }
                        div.row.nowrap { input #note name="note" maxlength="500" required; button.btn { (view.t("Speichern", "Save")) } }
                    }
                } }
                section.card aria-labelledby="call" { div.pad { h2 #call { (view.t("Gespräch", "The call")) } (evidence) } }
            }
        }
    };
    Ok(Reply::Page(
        if note.is_some_and(|note| note.kind != "ok") { 409 } else { 200 },
        page(view, Menu::Calendar, &name, open, &content),
    ))
}

fn acts(view: &TenantView<'_>, stored: &Versioned<Appointment>) -> Markup {
    let appointment = &stored.value;
    let to = |rest: &str| view.path_of(appointment, rest);
    let can = |action| can(appointment, action, view.now);
    let name = view.name(&appointment.request.customer);
    let is_waiting = appointment.review_reason().is_some();
    html! {
        @if let Some(phone) = &appointment.request.customer.phone { (dial(view, &name, phone, false)) }
        div.acts {
            @if is_waiting { a.btn.go href=(view.alone(&appointment.id)) { (view.t("Erledigen", "Settle it")) } }
            @if can(Action::Move) { a.btn href=(to("time")) { (view.t("Verschieben", "Move")) } }
            @if can(Action::Assign) { a.btn href=(to("staff")) { (view.t("Jemand anders", "Somebody else")) } }
            @if can(Action::Cancel) { a.btn.bad.wide href=(to("cancel")) { (view.t("Absagen", "Cancel")) } }
            @if can(Action::Book) { a.btn href=(to("time")) { (view.t("Andere Zeit", "Another time")) } }
            @if can(Action::Close) { a.btn href=(to("close")) { (view.t("Schließen", "Close")) } }
        }
    }
}

fn details(view: &TenantView<'_>, appointment: &Appointment) -> Markup {
    let customer = &appointment.request.customer;
    let page_of = customer.ids(&view.tenant.id).into_iter().next();
    html! {
        dl.facts {
            div { dt { (view.t("Kontakt", "Contact")) } dd {
                @match page_of {
                    Some(id) => a href=(view.path(&format!("customers/{id}"))) { (view.name(customer)) },
                    None => (view.name(customer)),
                }
            } }
            @if let Some(email) = &customer.email { div { dt { (view.t("E-Mail", "Email")) } dd { (email.reveal()) } } }
            @if let Some(raw) = &customer.raw_email { div { dt { (view.t("E-Mail", "Email")) } dd { (view.quoted(raw.reveal())) } } }
            @let said = said(view, appointment);
            @if !said.is_empty() { div { dt { (view.t("Wunsch", "Wish")) } dd { (view.quoted(&said.join(", "))) } } }
            @if let Some(notes) = &appointment.request.notes { div { dt { (view.t("Notiz", "Note")) } dd { (view.quoted(notes.reveal())) } } }
            @if let Some(told) = view.language.told(appointment) { div { dt { (view.t("Gesagt", "Told")) } dd { (told) } } }
            @if let Some(booking) = appointment.booking() { div { dt { "Cal.com" } dd.small { (booking.uid) } } }
            div { dt { (view.t("Anruf", "Call")) } dd { (view.moment(appointment.created_at)) } }
        }
    }
}

/// A transition in words: a full dot is a person's, a square a wait.
fn step(view: &TenantView<'_>, appointment: &Appointment, entry: &Transition) -> Markup {
    let staff = view.staff_of(appointment);
    let is_wait = matches!(entry.cause, Cause::Failed(_) | Cause::AccountPaused | Cause::AwaitingHost | Cause::Stalled);
    let at = match entry.times() {
        1 => view.moment(entry.at),
        times => {
            format!("{} {} {}, {times}×", view.moment(entry.at), view.t("bis", "to"), view.moment(entry.last_at()))
        }
    };
    html! {
        li.hand[entry.is_manual()].wait[is_wait] {
            span.small.soft { (at) }
            p {
                @if let Some(person) = &entry.person { b { (person.reveal()) } ": " }
                (view.language.happened(entry, staff.as_deref()))
                @if let Some(note) = &entry.note { br; span.soft { (icon("note")) " " (view.quoted(note.reveal())) } }
            }
        }
    }
}
