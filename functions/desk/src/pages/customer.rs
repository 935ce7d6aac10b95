//! One customer: appointments, calls, and what is stored.

use maud::{Markup, html};
use operations::customer::{Found, Shared, Whose};
use scheduling::{appointment::Appointment, contact::Customer, ids::CustomerId};
use store::StoreError;

use crate::{
    http::{Reply, Request},
    layout::{Menu, Note, back, csrf, dial, icon, page, state_tag},
    pages::to_do::count_open,
    view::{TenantView, national},
};

/// What is stored under a contact.
pub async fn find(view: &TenantView<'_>, id: &CustomerId) -> Result<Option<Found>, StoreError> {
    let found = view.desk.customers.find(&view.tenant.id, id.clone()).await?;
    Ok((!found.appointments.is_empty()).then_some(found))
}

/// Whose data a form means: one person's by the name, or everybody's.
pub fn chosen<'a>(request: &'a Request) -> Whose<'a> {
    match request.form.get("whose") {
        Some("everyone") => Whose::Everyones,
        Some(name) => Whose::Of(name),
        None => Whose::Only,
    }
}

/// The page.
pub async fn show(
    view: &TenantView<'_>,
    id: &CustomerId,
    found: Found,
    note: Option<Note>,
) -> Result<Reply, StoreError> {
    let open = count_open(view).await?;
    let people = found.people();
    let title = match people.as_slice() {
        [] => view.t("Name unbekannt", "Name not known").to_owned(),
        people => people.join(", "),
    };
    let mut appointments: Vec<&Appointment> = found.appointments.iter().filter(|it| !it.is_erased()).collect();
    appointments.sort_by_key(|it| std::cmp::Reverse(it.start().unwrap_or(it.created_at)));
    let contact = appointments.iter().map(|it| &it.request.customer).find(|it| it.is_reachable());
    let content = html! {
        (back(&view.path("search"), view.t("Suche", "Search")))
        div.head {
            h1 { (title) }
            @if people.len() > 1 { p.soft { (view.count(people.len(), ("Mensch", "person"), ("Menschen benutzen diesen Kontakt.", "people share this contact."))) } }
        }
        @if let Some(note) = &note { (note.show()) }
        div.two {
            div.stack.side {
                @if let Some(contact) = contact { (contact_card(view, &title, contact)) }
                section.card aria-labelledby="data" { div.pad {
                    h2 #data { (view.t("Gespeicherte Daten", "Stored data")) }
                    form method="post" action=(view.path(&format!("customers/{id}/export"))) {
                        (csrf(view))
                        input type="hidden" name="whose" value="everyone";
                        div.acts {
                            button.btn { (view.t("Auskunft", "Export")) }
                            a.btn.bad href=(view.path(&format!("customers/{id}/erase"))) { (view.t("Daten löschen", "Erase")) }
                        }
                    }
                } }
            }
            div.stack {
                section aria-labelledby="appointments" {
                    h2.group #appointments { (view.t("Termine", "Appointments")) " " small { (appointments.len()) } }
                    ul.card.list { @for it in &appointments { (entry(view, it, people.len() > 1)) } }
                }
                @let calls = calls(&appointments);
                section aria-labelledby="calls" {
                    h2.group #calls { (view.t("Anrufe", "Calls")) " " small { (calls.len()) } }
                    ul.card.list { @for it in &calls {
                        li { span { a href=(view.path_of(it, "")) { b { (view.moment(it.created_at)) } } small { (view.what(it)) } } }
                    } }
                }
            }
        }
    };
    Ok(Reply::Page(200, page(view, Menu::Search, &title, open, &content)))
}

fn calls<'a>(appointments: &[&'a Appointment]) -> Vec<&'a Appointment> {
    let mut calls: Vec<&Appointment> = Vec::new();
    for it in appointments {
        if !calls.iter().any(|known| known.call.whole() == it.call.whole()) {
            calls.push(it);
        }
    }
    calls
}

fn contact_card(view: &TenantView<'_>, name: &str, contact: &Customer) -> Markup {
    html! {
        section.card aria-labelledby="contact" { div.pad {
            h2 #contact.hide { (view.t("Kontakt", "Contact")) }
            @if let Some(phone) = &contact.phone { (dial(view, name, phone, false)) }
            @if let Some(email) = &contact.email { dl.facts { div { dt { (view.t("E-Mail", "Email")) } dd { (email.reveal()) } } } }
        } }
    }
}

/// An appointment in a list.
pub fn entry(view: &TenantView<'_>, appointment: &Appointment, with_name: bool) -> Markup {
    let start = appointment.start().map(|at| view.moment(at));
    let start = start.unwrap_or_else(|| format!("{} {}", view.t("Anruf", "Call"), view.moment(appointment.created_at)));
    html! {
        li {
            span {
                a href=(view.path_of(appointment, "")) { b { (start) @if with_name { ", " (view.name(&appointment.request.customer)) } } }
                small { (view.what(appointment)) }
            }
            (state_tag(view, appointment))
        }
    }
}

/// Whether to erase, and whose, with the names of those who share the contact.
pub async fn ask_erase(view: &TenantView<'_>, id: &CustomerId, found: Found) -> Result<Reply, StoreError> {
    let people = found.people();
    let is_shared = matches!(found.clone().of(Whose::Only), Err(Shared(_)));
    let count = |found: &Found| {
        let appointments = view.count(found.appointments.len(), ("Termin", "appointment"), ("Termine", "appointments"));
        format!("{appointments}, {}", view.count(found.calls.len(), ("Anruf", "call"), ("Anrufe", "calls")))
    };
    let of = |name: &str| found.clone().of(Whose::Of(name)).map(|found| count(&found)).unwrap_or_default();
    let coming: Vec<&Appointment> =
        found.appointments.iter().filter(|it| it.is_booked() && it.is_coming(view.now)).collect();
    let number = found.appointments.iter().find_map(|it| it.request.customer.phone.as_ref());
    let content = html! {
        form.narrow.stack method="post" action=(view.path(&format!("customers/{id}/erase"))) {
            (csrf(view))
            (back(&view.path(&format!("customers/{id}")), &people.join(", ")))
            div.head { h1 { (view.t("Daten löschen?", "Erase the data?")) } }
            @if is_shared {
                div.note.warn role="status" { (icon("team")) div { p { b { (view.t("Diesen Kontakt benutzen mehrere: ", "Several people share this contact: ")) (people.join(", ")) } @if let Some(number) = number { br; span.num { (national(number, &view.tenant.country)) } } } } }
            }
            fieldset.card.pad {
                legend.hide { (view.t("Was soll gelöscht werden?", "What is to be erased?")) }
                @if is_shared {
                    @for name in &people {
                        label.chip { input type="radio" name="whose" value=(name) required; span { b { (view.t("Nur ", "Only ")) (name) } small { (of(name)) } } }
                    }
                }
                label.chip { input type="radio" name="whose" value="everyone" required; span { b { (view.t("Alles unter diesem Kontakt", "Everything of this contact")) } small { (count(&found)) } } }
            }
            section.card aria-labelledby="stays" { div.pad {
                h2 #stays { (view.t("Was bleibt", "What stays")) }
                ul.dots {
                    @for it in &coming { li { b { (view.t("Der Termin ", "The appointment ")) (it.start().map(|at| view.moment(at)).unwrap_or_default()) (view.t(" bei Cal.com.", " at Cal.com.")) } " " a href=(view.path_of(it, "cancel")) { (view.t("Vorher absagen", "Cancel it first")) } } }
                    li { (view.t("Was Cal.com und Retell selbst speichern.", "What Cal.com and Retell store themselves.")) }
                    li { (view.t("Zahlen im Bericht, ohne Namen.", "Figures in the report, without names.")) }
                }
            } }
            label.chip.line { input type="checkbox" name="sure" value="1" required; span { (view.t("Ich weiß: Das lässt sich nicht rückgängig machen.", "I know that this can't be undone.")) } }
            div.acts { button.btn.bad.go { (view.t("Endgültig löschen", "Erase for good")) } a.btn.wide href=(view.path(&format!("customers/{id}"))) { (view.t("Nichts löschen", "Erase nothing")) } }
        }
    };
    let open = count_open(view).await?;
    Ok(Reply::Page(200, page(view, Menu::Search, view.t("Daten löschen", "Erase"), open, &content)))
}

/// What was erased, and what is left to do.
pub async fn erased(view: &TenantView<'_>, found: &Found) -> Result<Reply, StoreError> {
    let bookings: Vec<_> = found.bookings().collect();
    let content = html! {
        (Note::done(view.t("Gelöscht.", "Erased.")).with(html! {
            (view.count(found.appointments.len(), ("Termin", "appointment"), ("Termine", "appointments"))) ", "
            (view.count(found.calls.len(), ("Anruf", "call"), ("Anrufe", "calls")))
        }).show())
        @if !bookings.is_empty() {
            div.card { div.pad {
                h1 { (view.t("Bei Cal.com noch gespeichert", "Still stored at Cal.com")) }
                p { (view.t("Löschen Sie diese Buchungen dort:", "Erase these bookings there:")) }
                ul.dots { @for uid in bookings { li.small { (uid) } } }
            } }
        }
        p.back { a.btn href=(view.path("search")) { (view.t("Weiter", "Continue")) } }
    };
    let open = count_open(view).await?;
    Ok(Reply::Page(200, page(view, Menu::Search, view.t("Gelöscht", "Erased"), open, &content)))
}
