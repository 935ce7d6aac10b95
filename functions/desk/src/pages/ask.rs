//! What is asked before an action: when, who, why, and whether really.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use maud::{Markup, html};
use operations::back_office::{Request as OfficeRequest, Response as OfficeResponse};
use scheduling::{
    appointment::{Action, Appointment, CancelReason},
    ids::{ServiceId, StaffId},
    offer::FreeSlot,
};
use store::{StoreError, Versioned};

use crate::{
    http::{Reply, Request},
    layout::{Menu, Note, back, csrf, dial, icon, page},
    pages::to_do::{count_open, staff_chips},
    view::{TenantView, can, with},
};

/// So many days of free slots are shown at once.
const DAYS: u64 = 7;

/// The fields that every question's form carries: the session's proof, the version that was seen, and the wish that it settles.
fn carried(view: &TenantView<'_>, stored: &Versioned<Appointment>, request: &Request) -> Markup {
    html! {
        (csrf(view))
        input type="hidden" name="seen" value=(stored.value.seen());
        @if let Some(wish) = request.query.get("wish") { input type="hidden" name="wish" value=(wish); }
    }
}

fn head(view: &TenantView<'_>, appointment: &Appointment, title: &str) -> Markup {
    let customer = &appointment.request.customer;
    let name = view.name(customer);
    let wished = appointment.start().map(|at| view.moment(at));
    let raw = appointment.request.start.raw().map(|raw| view.quoted(raw));
    html! {
        (back(&view.list(), view.t("Zu erledigen", "To do")))
        div.head.who {
            div { h1 { (title) } p.soft { (view.what(appointment)) @if let Some(wished) = wished.or(raw) { ", " (wished) } } }
            @if let Some(phone) = &customer.phone { (dial(view, &name, phone, false)) }
        }
    }
}

/// The free slots, to book or to move.
pub async fn time(
    view: &TenantView<'_>,
    stored: Versioned<Appointment>,
    request: &Request,
    note: Option<Note>,
) -> Result<Reply, StoreError> {
    let appointment = &stored.value;
    let is_move = appointment.is_booked();
    let known = view.service_of(&appointment.request).map(|service| service.id.clone());
    let service = request.query.get("service").map(ServiceId::new).or(known);
    let service = service.filter(|id| view.tenant.services.iter().any(|known| known.id == *id));
    let wished = appointment.raw_staff().and_then(|raw| view.tenant.staff_called(raw)).map(|member| member.id.clone());
    let staff = match request.query.get("staff") {
        Some("anybody") => None,
        Some(id) => view.tenant.staff_member(&StaffId::new(id)).map(|member| member.id.clone()),
        None => appointment.assignment().map(|it| it.staff.clone()).or(wished),
    };
    let from = request.query.get("from").and_then(|day| day.parse::<NaiveDate>().ok());
    let near = appointment.earliest_start().map(|at| view.date(at)).filter(|day| *day > view.today());
    let from = from.or(near).unwrap_or(view.today()).max(view.today());
    let slots = match &service {
        Some(service) => Some(free_slots(view, service, staff.as_ref(), from).await),
        None => None,
    };
    let link = |service: Option<&ServiceId>, staff: &str, from: NaiveDate| {
        let mut link = with(with(view.path_of(appointment, "time"), "from", &from.to_string()), "staff", staff);
        for (name, value) in [("service", service.map(ServiceId::as_str)), ("wish", request.query.get("wish"))] {
            if let Some(value) = value {
                link = with(link, name, value);
            }
        }
        link
    };
    let staff_word = staff.as_ref().map_or("anybody", StaffId::as_str);
    let title =
        if is_move { view.t("Neue Zeit für", "New time for") } else { view.t("Andere Zeit für", "Another time for") };
    let title = format!("{title} {}", view.name(&appointment.request.customer));
    let current = service.as_ref().and_then(|id| view.tenant.services.iter().find(|known| known.id == *id));
    let content = html! {
        (head(view, appointment, &title))
        @if let Some(note) = &note { (note.show()) }
        @if !is_move {
            div.head { nav.seg.wrap aria-label=(view.t("Leistung", "Service")) {
                @for known in &view.tenant.services {
                    a href=(link(Some(&known.id), staff_word, from)) aria-current=[(service.as_ref() == Some(&known.id)).then_some("page")] { (known.name) }
                }
            } }
        }
        @if let Some(current) = current {
            div.head { nav.seg.wrap aria-label=(view.t("Wer", "Who")) {
                a href=(link(service.as_ref(), "anybody", from)) aria-current=[staff.is_none().then_some("page")] { (view.t("Alle", "Anybody")) }
                @for member in view.tenant.staff_for(current) {
                    a href=(link(service.as_ref(), member.id.as_str(), from)) aria-current=[(staff.as_ref() == Some(&member.id)).then_some("page")] { (member.name.reveal()) }
                }
            } }
        }
        @match slots {
            None => div.card { div.pad { p { (view.t("Welche Leistung? Danach erscheinen die freien Zeiten.", "Which service? Then the free times show.")) } } },
            Some(Err(why)) => {
                (Note::failed(view.t("Die freien Zeiten können gerade nicht gelesen werden.", "The free times can't be read now.")).with(html! { (why) }).show())
                p.back { a.btn href=(link(service.as_ref(), staff_word, from)) { (view.t("Noch einmal", "Try again")) } }
            },
            Some(Ok(slots)) => {
                form method="post" action=(view.path_of(appointment, if is_move { "move" } else { "book" })) {
                    (carried(view, &stored, request))
                    @if let Some(service) = service.as_ref().filter(|_| !is_move) { input type="hidden" name="service" value=(service); }
                    @if let Some(staff) = staff.as_ref().filter(|_| !is_move) { input type="hidden" name="staff" value=(staff); }
                    (days(view, &slots))
                    p.back { a.btn.plain href=(link(service.as_ref(), staff_word, from + Days::new(DAYS))) { (view.t("Spätere Tage", "Later days")) (icon("fwd")) } }
                    @if !slots.is_empty() {
                        div.stick.acts { button.btn.go { @if is_move { (view.t("Verschieben", "Move")) } @else { (view.t("Eintragen", "Book")) } } }
                    }
                }
            }
        }
    };
    let open = count_open(view).await?;
    Ok(Reply::Page(if note.is_some() { 409 } else { 200 }, page(view, Menu::ToDo, &title, open, &content)))
}

/// The free slots of a week, or why they can't be read.
async fn free_slots(
    view: &TenantView<'_>,
    service: &ServiceId,
    staff: Option<&StaffId>,
    from: NaiveDate,
) -> Result<Vec<FreeSlot>, String> {
    let request = OfficeRequest::FreeSlots {
        tenant: view.tenant.id.clone(),
        service: service.to_string(),
        staff: staff.cloned(),
        from: view.midnight(from).max(view.now),
        to: view.midnight(from + Days::new(DAYS)),
    };
    match view.desk.ask_office(&request).await {
        Ok(OfficeResponse::Slots(slots)) => Ok(slots),
        Ok(OfficeResponse::Refused(why)) => Err(why),
        Ok(_) => Err(view.t("Bitte noch einmal versuchen.", "Please try again.").to_owned()),
        Err(error) => {
            tracing::error!(%error, "failed to read the free slots");
            Err(view.t("Bitte in einer Minute noch einmal versuchen.", "Please try again in a minute.").to_owned())
        }
    }
}

fn days(view: &TenantView<'_>, slots: &[FreeSlot]) -> Markup {
    let mut by_day: BTreeMap<NaiveDate, Vec<&FreeSlot>> = BTreeMap::new();
    slots.iter().for_each(|slot| by_day.entry(view.date(slot.start)).or_default().push(slot));
    let who = |slot: &FreeSlot| slot.staff.iter().map(|id| view.staff_name(id)).collect::<Vec<_>>().join(", ");
    html! {
        @if by_day.is_empty() { div.card { div.pad { p { (view.t("In diesen sieben Tagen ist nichts frei.", "Nothing is free in these seven days.")) } } } }
        div.days {
            @for (day, slots) in &by_day {
                fieldset.card.pad {
                    legend.hide { (view.language.long_day(*day)) }
                    h2 aria-hidden="true" { (view.language.long_day(*day)) }
                    div.chips {
                        @for slot in slots {
                            label.chip { input type="radio" name="at" value=(slot.start.to_rfc3339()) required; span { b { (view.clock(slot.start)) } small { (who(slot)) } } }
                        }
                    }
                }
            }
        }
    }
}

/// Whether to cancel: it can't be taken back.
pub async fn cancel(
    view: &TenantView<'_>,
    stored: Versioned<Appointment>,
    request: &Request,
) -> Result<Reply, StoreError> {
    let appointment = &stored.value;
    let name = view.name(&appointment.request.customer);
    let start = appointment.start().map(|at| view.moment(at)).unwrap_or_default();
    let has_mail = appointment.request.customer.email.is_some();
    let content = html! {
        form.narrow.stack method="post" action=(view.path_of(appointment, "cancel")) {
            (carried(view, &stored, request))
            (back(&view.path_of(appointment, ""), &name))
            div.head { h1 { (view.t("Diesen Termin absagen?", "Cancel this appointment?")) } }
            div.card { div.pad {
                div { h2 { (name) } p { (start) ", " (view.what(appointment)) } }
                ul.dots {
                    @if has_mail { li { (view.t("Cal.com sagt ab und schreibt eine E-Mail.", "Cal.com cancels it and sends an email.")) } }
                    @else { li { (view.t("Cal.com sagt ab. Eine E-Mail-Adresse ist nicht bekannt: sagen Sie Bescheid.", "Cal.com cancels it. No email is known: tell them.")) } }
                    li { (view.t("Der Platz ist sofort wieder frei.", "The slot is free again at once.")) }
                    li { (view.t("Es lässt sich nicht zurücknehmen, nur neu eintragen.", "This can't be undone. The appointment can be booked again.")) }
                }
            } }
            div.acts {
                button.btn.bad.go { (icon("x")) (view.t("Ja, absagen", "Yes, cancel")) }
                a.btn.wide href=(view.path_of(appointment, "")) { (view.t("Nein, Termin behalten", "No, keep it")) }
            }
        }
    };
    question(view, view.t("Absagen", "Cancel"), &content).await
}

/// Why to close it.
pub async fn close(
    view: &TenantView<'_>,
    stored: Versioned<Appointment>,
    request: &Request,
) -> Result<Reply, StoreError> {
    let appointment = &stored.value;
    let name = view.name(&appointment.request.customer);
    let reasons = [
        (
            CancelReason::SettledOtherwise,
            view.t("Selbst eingetragen oder anders erledigt", "Booked by hand or settled in another way"),
        ),
        (CancelReason::NotWanted, view.t("Kommt nicht mehr in Frage", "No longer wanted")),
        (CancelReason::NotReached, view.t("Nicht erreicht", "Not reached")),
        (CancelReason::Mistaken, view.t("Doppelt, oder kein Terminwunsch", "A duplicate, or nothing was wished")),
    ];
    let content = html! {
        form.narrow.stack method="post" action=(view.path_of(appointment, "close")) {
            (carried(view, &stored, request))
            (back(&view.list(), view.t("Zu erledigen", "To do")))
            div.head { h1 { (name) " " (view.t("schließen", "close")) } p.soft { (view.what(appointment)) ". " (view.t("Es wird nichts eingetragen.", "Nothing is booked.")) } }
            @if appointment.is_live() {
                div.note.warn role="alert" { (icon("warn")) div { p { b { (view.t("Wurde am Telefon zugesagt.", "It was promised on the phone.")) } br; (view.t("Weiß der Kunde Bescheid?", "Has the customer been told?")) } } }
                label.chip.line { input type="checkbox" name="told" value="1" required; span { (view.t("Ja, der Kunde weiß Bescheid", "Yes, the customer knows")) } }
            }
            fieldset.card.pad {
                legend.hide { (view.t("Warum", "Why")) }
                @for (reason, words) in reasons {
                    label.chip { input type="radio" name="reason" value=(reason.as_str()) required; span { (words) } }
                }
                div.field { label for="note" { (view.t("Notiz ", "Note ")) span.soft { (view.t("(freiwillig)", "(optional)")) } } input #note name="note" maxlength="500"; }
            }
            div.acts { button.btn.go { (view.t("Schließen", "Close")) } a.btn.wide href=(view.list()) { (view.t("Abbrechen", "Back")) } }
        }
    };
    question(view, view.t("Schließen", "Close"), &content).await
}

/// Who does it.
pub async fn staff(
    view: &TenantView<'_>,
    stored: Versioned<Appointment>,
    request: &Request,
) -> Result<Reply, StoreError> {
    let appointment = &stored.value;
    let now = appointment.assignment().map(|assignment| assignment.staff.clone());
    let is_possible = can(appointment, Action::Assign, view.now);
    let content = html! {
        form.narrow.stack method="post" action=(view.path_of(appointment, "assign")) {
            (carried(view, &stored, request))
            (head(view, appointment, view.t("Wer macht es?", "Who does it?")))
            @if is_possible {
                fieldset.card.pad { legend.hide { (view.t("Wer", "Who")) } (staff_chips(view, now.as_ref())) }
                p.soft.small { (view.t("Cal.com gibt den Termin weiter, prüft aber nicht, ob die Person frei ist.", "Cal.com hands it over, and does not check whether they are free.")) }
                div.acts { button.btn.go { (view.t("Zuordnen", "Assign")) } a.btn.wide href=(view.path_of(appointment, "")) { (view.t("Abbrechen", "Back")) } }
            } @else { p { (view.t("Dieser Termin steht nicht.", "This is not booked.")) } }
        }
    };
    question(view, view.t("Wer macht es?", "Who does it?"), &content).await
}

async fn question(view: &TenantView<'_>, title: &str, content: &Markup) -> Result<Reply, StoreError> {
    Ok(Reply::Page(200, page(view, Menu::ToDo, title, count_open(view).await?, content)))
}

/// The moment that a form carries.
pub fn read_moment(text: Option<&str>) -> Option<DateTime<Utc>> {
    text.and_then(|text| DateTime::parse_from_rfc3339(text).ok()).map(|at| at.to_utc())
}
