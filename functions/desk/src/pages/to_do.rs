//! What waits for a person: cards that hold all that is needed to settle them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use maud::{Markup, html};
use scheduling::{
    appointment::{Action, Appointment, SharedCause, State, ToDo, ToDoKind, Urgency},
    contact::Customer,
    ids::{AppointmentId, StaffId},
    request::Intent,
    spoken_time::Candidate,
    start_time::RequestedStart,
    tenant::Service,
};
use store::{StoreError, Versioned};
use wording::capital;

use crate::{
    http::{Reply, Request},
    layout::{Menu, Note, back, csrf, dial, icon, page, tag},
    pages::evidence,
    view::{TenantView, can, with},
};

/// So many free slots are offered on a card.
const PROPOSALS: usize = 4;
/// From so many on the list can be limited to one kind.
const MANY: usize = 8;

/// What waits, with what is needed besides to show it.
pub struct Waiting {
    /// The most urgent first.
    entries: Vec<Entry>,
    /// Booked appointments of customers who want to cancel or move one, by their wish.
    booked: BTreeMap<AppointmentId, Vec<Versioned<Appointment>>>,
}

struct Entry {
    to_do: ToDo,
    stored: Versioned<Appointment>,
}

impl Entry {
    /// What it shares a card for. One that was promised to its caller stands alone, so that nobody overlooks it.
    fn shared_cause(&self) -> Option<SharedCause> {
        self.stored.value.shared_cause().filter(|_| !self.stored.value.is_live())
    }
}

impl Waiting {
    /// Everything that waits.
    pub async fn load(view: &TenantView<'_>) -> Result<Self, StoreError> {
        let appointments = &view.desk.operations.appointments;
        let ids = appointments.in_review(&view.tenant.id).await?;
        Self::of(view, appointments.load_all(&ids).await?).await
    }

    /// These, as far as they wait.
    async fn of(view: &TenantView<'_>, stored: Vec<Versioned<Appointment>>) -> Result<Self, StoreError> {
        let soon = view.soon();
        let entries =
            stored.into_iter().filter_map(|stored| Some(Entry { to_do: stored.value.to_do(view.now, soon)?, stored }));
        let mut entries: Vec<Entry> = entries.collect();
        let start = |it: &Appointment| it.earliest_start().unwrap_or(it.created_at);
        entries.sort_by_key(|it| {
            let appointment = &it.stored.value;
            let waits = it.to_do.call_again_at.is_some();
            (it.to_do.urgency, waits, !appointment.is_live(), start(appointment), appointment.id.clone())
        });
        let wishes = entries
            .iter()
            .map(|entry| &entry.stored.value)
            .filter(|it| it.booking().is_none() && matches!(it.request.intent, Intent::Cancel | Intent::Reschedule));
        let booked = wishes.map(async |wish| Ok::<_, StoreError>((wish.id.clone(), coming_of(view, wish).await?)));
        let booked = try_join_all(booked).await?.into_iter().collect();
        Ok(Self { entries, booked })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many of a kind.
    fn count(&self, kind: ToDoKind) -> usize {
        self.entries.iter().filter(|entry| entry.to_do.kind == kind).count()
    }
}

/// The appointments of a customer that are booked and to come, and that may be the person's own.
async fn coming_of(view: &TenantView<'_>, wish: &Appointment) -> Result<Vec<Versioned<Appointment>>, StoreError> {
    let appointments = &view.desk.operations.appointments;
    let customer = &wish.request.customer;
    let of_customer = customer.ids(&view.tenant.id).into_iter();
    let ids = try_join_all(of_customer.map(async |id| appointments.of_customer(&id).await)).await?;
    let mut ids: Vec<AppointmentId> = ids.into_iter().flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found = appointments.load_all(&ids).await?;
    found.retain(|it| {
        it.value.is_booked() && it.value.is_coming(view.now) && it.value.request.customer.may_be(customer)
    });
    found.sort_by_key(|it| it.value.start());
    Ok(found)
}

/// How many to-dos there are, for the menu.
pub async fn count_open(view: &TenantView<'_>) -> Result<usize, StoreError> {
    Ok(view.desk.operations.appointments.in_review(&view.tenant.id).await?.len())
}

/// The kind of to-do that a request limits the list to.
pub fn only(request: &Request) -> Option<ToDoKind> {
    let asked = request.query.get("only")?;
    ToDoKind::ALL.iter().copied().find(|kind| kind.as_str() == asked)
}

/// The page, with a note of what was just done.
pub async fn show(view: &TenantView<'_>, request: &Request, note: Option<Note>) -> Result<Reply, StoreError> {
    let waiting = Waiting::load(view).await?;
    if view.only.is_some_and(|kind| waiting.count(kind) == 0) {
        // For good: what comes later must not hide the rest again.
        let all = view.path("todo");
        let done = request.query.get("done");
        return Ok(Reply::SeeOther(done.map_or(all.clone(), |done| with(all, "done", done))));
    }
    let urgent = waiting.entries.iter().filter(|entry| entry.to_do.urgency == Urgency::Now).count();
    let status = if note.as_ref().is_some_and(|note| note.kind != "ok") { 409 } else { 200 };
    let content = html! {
        div.head data-follow="1" {
            h1 { (view.t("Zu erledigen", "To do")) }
            p.row.apart {
                span.soft {
                    (view.count(waiting.len(), ("offen", "open"), ("offen", "open")))
                    @if urgent > 0 { ", " (urgent) " " (view.t("sofort", "at once")) }
                }
                span.small.soft { a.btn.plain href=(view.list()) { (view.t("Neu laden", "Reload")) } }
            }
        }
        @if let Some(note) = &note { (note.show()) }
        (kinds(view, &waiting))
        @if waiting.entries.is_empty() {
            div.card { div.calm { (icon("done")) h2 { (view.t("Alles erledigt", "All done")) } p.soft { (view.t("Neues erscheint hier von allein.", "New things show here by themselves.")) } } }
        }
        @for (urgency, words) in [
            (Urgency::Now, view.t("Sofort", "At once")),
            (Urgency::Soon, view.t("Heute und morgen", "Today and tomorrow")),
            (Urgency::Later, view.t("Später", "Later")),
        ] {
            (group(view, &waiting, urgency, words))
        }
    };
    Ok(Reply::Page(status, page(view, Menu::ToDo, view.t("Zu erledigen", "To do"), waiting.len(), &content)))
}

/// What the list is limited to, and the choice of kinds where there is much to do.
fn kinds(view: &TenantView<'_>, waiting: &Waiting) -> Markup {
    let counted = ToDoKind::ALL.iter().map(|kind| (*kind, waiting.count(*kind)));
    let offered: Vec<(ToDoKind, usize)> = counted.filter(|(_, count)| *count > 0).collect();
    let all = view.path("todo");
    html! {
        @if let Some(kind) = view.only {
            p.head.row.apart {
                b { (view.language.tag(kind)) ": " (waiting.count(kind)) " " (view.t("von", "of")) " " (waiting.len()) }
                a.btn href=(all) { (view.t("Alles zeigen", "Show everything")) }
            }
        } @else if waiting.len() >= MANY && offered.len() > 1 {
            details.card.fold.head.choice {
                summary { (view.t("Nur eine Art zeigen", "Show one kind only")) }
                div { nav.row aria-label=(view.t("Arten", "Kinds")) {
                    @for (kind, count) in offered {
                        a.btn href=(with(all.clone(), "only", kind.as_str())) { (view.language.tag(kind)) " " (count) }
                    }
                } }
            }
        }
    }
}

/// The cards of one urgency: those that wait for the same stand on one card, where the first of them would.
fn group(view: &TenantView<'_>, waiting: &Waiting, urgency: Urgency, words: &str) -> Markup {
    let stacks = stacked(&waiting.entries, Entry::shared_cause);
    // What was promised to a caller is never hidden.
    let is_shown = |it: &&Stack<'_, Entry, _>| {
        view.only.is_none_or(|kind| it.first.to_do.kind == kind || it.first.stored.value.is_live())
    };
    let cards = stacks.iter().filter(is_shown).filter(|stack| stack.first.to_do.urgency == urgency).map(|stack| {
        match &stack.cause {
            Some(cause) => {
                let all = std::iter::once(stack.first)
                    .chain(stack.others.iter().copied())
                    .map(|entry| &entry.stored)
                    .collect::<Vec<_>>();
                shared_card(view, cause, &all)
            }
            None => {
                let booked = waiting.booked.get(&stack.first.stored.value.id).map(Vec::as_slice).unwrap_or_default();
                card(view, stack.first, booked, false)
            }
        }
    });
    let cards: Vec<Markup> = cards.collect();
    html! {
        @if !cards.is_empty() {
            h2.group { (words) " " small { (cards.len()) } }
            @for card in &cards { (card) }
        }
    }
}

/// What stands on one card: one alone, or those that share a cause.
struct Stack<'a, T, C> {
    cause: Option<C>,
    first: &'a T,
    others: Vec<&'a T>,
}

/// Stacks items by their cause, in their order. What has none stands alone.
fn stacked<'a, T, C: PartialEq>(items: &'a [T], cause_of: impl Fn(&T) -> Option<C>) -> Vec<Stack<'a, T, C>> {
    let mut stacks: Vec<Stack<'a, T, C>> = Vec::new();
    for item in items {
        let cause = cause_of(item);
        match stacks.iter_mut().find(|stack| cause.is_some() && stack.cause == cause) {
            Some(stack) => stack.others.push(item),
            None => stacks.push(Stack { cause, first: item, others: Vec::new() }),
        }
    }
    stacks
}

/// One to-do alone, with its evidence: for the link in the mail, and while it is being done.
pub async fn show_one(
    view: &TenantView<'_>,
    stored: Versioned<Appointment>,
    note: Option<Note>,
) -> Result<Reply, StoreError> {
    let (evidence, open) = tokio::try_join!(evidence::load(view, &stored.value), count_open(view))?;
    let appointment = stored.value.clone();
    let waiting = Waiting::of(view, vec![stored]).await?;
    let content = html! {
        (back(&view.list(), view.t("Zu erledigen", "To do")))
        div.head data-follow="1" { h1 { (view.name(&appointment.request.customer)) } }
        @if let Some(note) = &note { (note.show()) }
        h2.hide { (view.what(&appointment)) }
        @match waiting.entries.first() {
            Some(entry) => {
                @let booked = waiting.booked.get(&appointment.id).map(Vec::as_slice).unwrap_or_default();
                (card(view, entry, booked, true))
                section.card aria-labelledby="evidence" { div.pad { h2 #evidence { (view.t("Gespräch", "The call")) } (evidence) } }
            }
            None => (settled_card(view, &appointment)),
        }
    };
    Ok(Reply::Page(200, page(view, Menu::ToDo, &view.name(&appointment.request.customer), open, &content)))
}

/// A card of what needs nobody any more, or is being done.
pub fn settled_card(view: &TenantView<'_>, appointment: &Appointment) -> Markup {
    let start = appointment.start().map(|at| view.moment(at));
    let is_running = appointment.is_in_progress() || appointment.change().is_some();
    html! {
        article.card.do data-live=(appointment.id) aria-busy=[is_running.then_some("true")] {
            div.body {
                p.row.apart { (crate::layout::state_tag(view, appointment)) span.soft.small { @if let Some(start) = &start { (view.t("Termin", "Appointment")) " " (start) } } }
                (who(view, appointment, false))
                @if is_running {
                    p { (view.t("Das dauert meist unter fünf Sekunden. Sie können weiterarbeiten. Geht es nicht, steht der Termin wieder unter „Zu erledigen“.", "This mostly takes less than five seconds. You can go on working. If it fails, it is back under “To do”.")) }
                }
            }
            div.settle { div.acts {
                a.btn.wide href=(view.path_of(appointment, "")) { (view.t("Termin ansehen", "Show the appointment")) }
                a.btn.wide href=(view.list()) { (view.t("Weiter", "Continue")) }
            } }
        }
    }
}

/// Who, with the number that dials.
pub fn who(view: &TenantView<'_>, appointment: &Appointment, is_call_main: bool) -> Markup {
    let customer = &appointment.request.customer;
    let name = view.name(customer);
    html! {
        div.who {
            div { h3 { a href=(view.path_of(appointment, "")) { (name) } } p.soft { (view.what(appointment)) } }
            @match &customer.phone {
                Some(phone) => (dial(view, &name, phone, is_call_main)),
                None => p.soft.small { (unreachable_words(view, customer)) },
            }
        }
    }
}

fn unreachable_words(view: &TenantView<'_>, customer: &Customer) -> String {
    match (&customer.raw_phone, &customer.email) {
        (Some(raw), _) => format!("{} {}", view.t("Nummer unklar:", "Number unclear:"), view.quoted(raw.reveal())),
        (None, Some(email)) => email.reveal().clone(),
        (None, None) => view.t("Keine Nummer bekannt", "No number is known").to_owned(),
    }
}

fn card(view: &TenantView<'_>, entry: &Entry, booked: &[Versioned<Appointment>], is_alone: bool) -> Markup {
    let (ToDo { kind, call_again_at, .. }, appointment) = (entry.to_do, &entry.stored.value);
    let is_promised = appointment.is_live() && kind != ToDoKind::CallBack;
    let (tag_kind, tag_icon) = face(kind, is_promised);
    let tag_words = if is_promised && matches!(kind, ToDoKind::TimeTaken | ToDoKind::Stopped) {
        view.t("Eintrag misslungen", "Booking failed")
    } else {
        view.language.tag(kind)
    };
    let is_call = matches!(kind, ToDoKind::CallBack | ToDoKind::NotAnalyzed);
    let tried = appointment.not_reached().count();
    html! {
        article.card.do data-live=(appointment.id) aria-label=(view.name(&appointment.request.customer)) {
            div.body {
                p.row.apart { (tag(tag_kind, tag_icon, tag_words)) span.soft.small { (when(view, appointment)) } }
                (who(view, appointment, is_call))
                @if let Some(sentence) = view.language.sentence(appointment) { p.why { (sentence) } }
                @if tried > 0 {
                    p.small.soft {
                        (view.count(tried, ("Mal angerufen, nicht erreicht", "call, not reached"), ("Mal angerufen, nicht erreicht", "calls, not reached")))
                        @if let Some(at) = call_again_at { (view.t(", um ", ", again at ")) (view.clock(at)) (view.t(" wieder oben", "")) }
                    }
                }
                (facts(view, appointment, booked))
            }
            (settle(view, entry, booked))
            @if !is_alone {
                details.fold.more data-load=(view.path_of(appointment, "evidence")) {
                    summary { (view.t("Gespräch und Antwort von Cal.com", "The call, and Cal.com's answer")) }
                    div { p { a href=(view.alone(&appointment.id)) { (view.t("Auf eigener Seite zeigen", "Show on a page of its own")) } } }
                }
            }
        }
    }
}

fn face(kind: ToDoKind, is_promised: bool) -> (&'static str, &'static str) {
    let icon = match kind {
        ToDoKind::CallBack | ToDoKind::ContactRefused => "phone",
        ToDoKind::TimeTaken | ToDoKind::MoveWish | ToDoKind::MovedAtCalcom => "clock",
        ToDoKind::TimeUnclear | ToDoKind::ServiceUnclear | ToDoKind::HasItAlready | ToDoKind::TooMany => "ask",
        ToDoKind::StaffUnclear | ToDoKind::SeveralPeople => "team",
        ToDoKind::CancelWish => "x",
        ToDoKind::NotAnalyzed => "play",
        ToDoKind::Setup | ToDoKind::NoAccess => "tool",
        ToDoKind::MaybeBooked => "find",
        ToDoKind::Stopped => "warn",
    };
    let kind = match kind {
        _ if is_promised => "bad",
        ToDoKind::CallBack | ToDoKind::Stopped => "bad",
        ToDoKind::TimeUnclear | ToDoKind::ServiceUnclear | ToDoKind::Setup | ToDoKind::HasItAlready => "",
        _ => "warn",
    };
    (kind, icon)
}

fn when(view: &TenantView<'_>, appointment: &Appointment) -> String {
    let called = || format!("{} {}", view.t("Anruf", "Call"), view.moment(appointment.created_at));
    let start = appointment.start().map(|at| format!("{} {}", view.t("Termin", "Appointment"), view.moment(at)));
    start.unwrap_or_else(called)
}

/// What was wished, what the caller was told, and what is known besides.
fn facts(view: &TenantView<'_>, appointment: &Appointment, booked: &[Versioned<Appointment>]) -> Markup {
    let request = &appointment.request;
    let said = said(view, appointment);
    let told = view.language.told(appointment);
    let notes = request.notes.as_ref().map(|notes| notes.reveal().clone());
    let team_notes = appointment.history().iter().filter_map(|it| it.note.as_ref().map(|note| (it, note)));
    let correction = appointment.correction().map(|correction| {
        let start = correction.start.at().map(|at| view.moment(at));
        let raw = correction.start.raw().map(|raw| view.quoted(raw));
        let parts = [correction.service.clone(), start.or(raw)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    });
    html! {
        dl.facts {
            @if !said.is_empty() {
                div { dt { (view.t("Wunsch", "Wish")) } dd { @for (nth, words) in said.iter().enumerate() { @if nth > 0 { ", " } (view.quoted(words)) } } }
            }
            @if let Some(notes) = notes { div { dt { (view.t("Notiz", "Note")) } dd { (view.quoted(&notes)) } } }
            div {
                dt { (view.t("Gesagt", "Told")) }
                dd {
                    @match told {
                        Some(told) => (told),
                        None => span.soft { (view.t("nicht bekannt, im Gespräch nachlesen", "not known: read it in the call")) },
                    }
                }
            }
            @if let Some(correction) = correction { div { dt { (view.t("Später", "Later")) } dd { (view.t("Eine spätere Auswertung sagt: ", "A later analysis says: ")) (correction) } } }
            @for it in booked { div { dt { (view.t("Termin", "Booked")) } dd { (coming(view, &it.value)) } } }
            @for (entry, note) in team_notes {
                div { dt { (entry.person.as_ref().map_or(view.t("Team", "Team"), |person| person.reveal().as_str())) } dd { (view.quoted(note.reveal())) } }
            }
        }
    }
}

/// The caller's own words, as far as they say more than what was understood.
pub fn said<'a>(view: &TenantView<'_>, appointment: &'a Appointment) -> Vec<&'a str> {
    let request = &appointment.request;
    // A model wrote this date; the caller did not say it so.
    let is_spoken = |words: &&str| !words.chars().all(|c| c.is_ascii_digit() || "-:T+.Z ".contains(c));
    let service = request.service.as_deref().filter(|_| view.service_of(&appointment.request).is_none());
    let is_known = |raw: &&str| view.tenant.staff_called(raw).is_some();
    let staff = appointment.raw_staff().filter(|raw| !is_known(raw));
    request.start.raw().filter(is_spoken).into_iter().chain(service).chain(staff).collect()
}

fn coming(view: &TenantView<'_>, appointment: &Appointment) -> String {
    let start = appointment.start().map(|at| view.moment(at)).unwrap_or_default();
    format!("{start}, {}", view.what(appointment))
}

/// The form that settles a card, with what it carries always.
pub fn form(view: &TenantView<'_>, stored: &Versioned<Appointment>, deed: &str, content: &Markup) -> Markup {
    html! {
        form.settle method="post" action=(view.path_of(&stored.value, deed)) {
            (csrf(view))
            input type="hidden" name="seen" value=(stored.value.seen());
            (content)
        }
    }
}

/// What settles it. One filled button.
fn settle(view: &TenantView<'_>, entry: &Entry, booked: &[Versioned<Appointment>]) -> Markup {
    let (stored, appointment) = (&entry.stored, &entry.stored.value);
    let to = |rest: &str| view.path_of(appointment, rest);
    let other_time = html! { a.btn href=(to("time")) { (view.t("Andere Zeit", "Another time")) } };
    let close = html! { a.btn href=(to("close")) { (view.t("Schließen", "Close")) } };
    let book = |choices: Markup, words: &str| {
        let content = html! {
            (choices)
            div.acts { button.btn.go { (words) } (other_time) (close) }
        };
        form(view, stored, "book", &content)
    };
    let enter = view.t("Eintragen", "Book");
    match entry.to_do.kind {
        ToDoKind::CallBack | ToDoKind::NotAnalyzed | ToDoKind::SeveralPeople => {
            let content = html! {
                p { (view.t("Nach Ihrem Anruf:", "After your call:")) }
                div.acts {
                    button.btn.wide { (view.t("Habe zurückgerufen", "I called back")) }
                    a.btn href=(to("time")) { (view.t("Mit Termin", "With an appointment")) }
                    button.btn formaction=(to("not-reached")) { (view.t("Nicht erreicht", "Not reached")) }
                }
            };
            form(view, stored, "called-back", &content)
        }
        ToDoKind::CancelWish | ToDoKind::MoveWish => wish(view, entry, booked, &close),
        ToDoKind::StaffUnclear => {
            let content = html! {
                fieldset { legend { (view.t("Wer macht es?", "Who does it?")) } (staff_chips(view, None)) }
                div.acts {
                    button.btn.go { (view.t("Zuordnen", "Assign")) }
                    a.btn href=(to("time")) { (view.t("Verschieben", "Move")) }
                    a.btn href=(to("cancel")) { (view.t("Absagen", "Cancel")) }
                }
            };
            form(view, stored, "assign", &content)
        }
        ToDoKind::MaybeBooked => {
            let content = html! {
                p { (view.t("Ein neuer Versuch fragt zuerst Cal.com, ob der Termin schon steht.", "A new attempt first asks Cal.com whether it is booked already.")) }
                div.acts {
                    button.btn.go { (view.t("Bei Cal.com suchen lassen", "Look for it at Cal.com")) }
                    button.btn.wide formaction=(to("not-booked")) { (view.t("Steht dort nicht", "It isn't there")) }
                }
            };
            form(view, stored, "retry", &content)
        }
        ToDoKind::ServiceUnclear => book(service_choices(view, appointment), enter),
        ToDoKind::MovedAtCalcom | ToDoKind::HasItAlready if appointment.booking().is_some() => {
            let content = html! {
                div.acts {
                    button.btn.go { (view.t("So lassen", "Leave it so")) }
                    a.btn href=(to("time")) { (view.t("Verschieben", "Move")) }
                    a.btn href=(to("cancel")) { (view.t("Absagen", "Cancel")) }
                }
            };
            form(view, stored, "retry", &content)
        }
        _ => {
            let choices = time_choices(view, appointment);
            if !choices.is_empty() {
                return book(chips(&choices), enter);
            }
            if can(appointment, Action::Retry, view.now) {
                let at = appointment.request.start.at().map(|at| view.clock(at)).unwrap_or_default();
                let content = html! {
                    div.acts { button.btn.go { (at) " " (view.t("noch einmal eintragen", "try again")) } (other_time) (close) }
                };
                return form(view, stored, "retry", &content);
            }
            html! { div.settle { div.acts { a.btn.go href=(to("time")) { (view.t("Zeit wählen", "Choose a time")) } span.wide { (close) } } } }
        }
    }
}

/// A customer wants to cancel or to move an appointment: which one is known, or chosen.
fn wish(view: &TenantView<'_>, entry: &Entry, booked: &[Versioned<Appointment>], close: &Markup) -> Markup {
    let (stored, appointment) = (&entry.stored, &entry.stored.value);
    let is_move = entry.to_do.kind == ToDoKind::MoveWish;
    // An escalated change has its booking itself.
    let own = appointment.booking().map(|_| stored);
    let targets: Vec<&Versioned<Appointment>> = own.into_iter().chain(booked).collect();
    let link = |target: &Versioned<Appointment>, asked: &str| {
        with(view.path_of(&target.value, asked), "wish", appointment.id.as_str())
    };
    html! {
        div.settle {
            @if targets.is_empty() { p { (view.t("Zu dieser Nummer steht kein kommender Termin.", "No coming appointment belongs to this number.")) } }
            @for (nth, target) in targets.iter().enumerate() {
                @if targets.len() > 1 { p { (coming(view, &target.value)) } }
                div.acts {
                    @if is_move {
                        a.btn.go[nth == 0].wide[nth > 0] href=(link(target, "time")) { (view.t("Neue Zeit wählen", "Choose a new time")) }
                        a.btn href=(link(target, "cancel")) { (view.t("Absagen", "Cancel")) }
                    } @else {
                        a.btn.go[nth == 0].wide[nth > 0] href=(link(target, "cancel")) { (view.t("Termin absagen", "Cancel it")) }
                        a.btn href=(link(target, "time")) { (view.t("Verschieben", "Move")) }
                    }
                    @if nth == 0 && own.is_none() { (close) }
                    @if nth == 0 && own.is_some() {
                        button.btn form={ "keep-" (appointment.id) } { (view.t("Termin bleibt", "It stays")) }
                    }
                }
            }
            @if targets.is_empty() { div.acts { span.wide { (close) } } }
            @if own.is_some() {
                form id={ "keep-" (appointment.id) } method="post" action=(view.path_of(appointment, "retry")) {
                    (csrf(view)) input type="hidden" name="seen" value=(stored.value.seen());
                }
            }
        }
    }
}

/// A choice: what the form carries, and what is shown in bold and below.
pub struct Choice {
    name: &'static str,
    value: String,
    title: String,
    below: String,
}

/// Choices, none of which is chosen beforehand.
pub fn chips(choices: &[Choice]) -> Markup {
    html! {
        fieldset {
            legend.hide { "…" }
            div.chips {
                @for choice in choices {
                    label.chip { input type="radio" name=(choice.name) value=(choice.value) required; span { b { (choice.title) } small { (choice.below) } } }
                }
            }
        }
    }
}

/// The readings of an unclear time, or the free slots that were proposed.
fn time_choices(view: &TenantView<'_>, appointment: &Appointment) -> Vec<Choice> {
    let proposals = match appointment.state() {
        State::NeedsReview { proposals, .. } => proposals.as_slice(),
        _ => &[],
    };
    let readings = match &appointment.request.start {
        RequestedStart::Unusable { readings, .. } => readings.as_slice(),
        RequestedStart::At { .. } => &[],
    };
    let moments = readings.iter().filter_map(|reading| match reading {
        Candidate::At { at } => Some(*at),
        // A span is no time: its free slots are on the next page.
        Candidate::Window(_) => None,
    });
    let free: Vec<DateTime<Utc>> = proposals.iter().copied().chain(moments).filter(|at| *at > view.now).collect();
    let staff = appointment.raw_staff().and_then(|raw| view.tenant.staff_called(raw));
    let below = staff.map(|member| member.name.reveal().clone()).unwrap_or_default();
    free.into_iter()
        .take(PROPOSALS)
        .map(|at| Choice { name: "at", value: at.to_rfc3339(), title: view.moment(at), below: below.clone() })
        .collect()
}

/// The services, and that the caller's word is to be understood so from now on.
fn service_choices(view: &TenantView<'_>, appointment: &Appointment) -> Markup {
    let who = |service: &Service| {
        let staff: Vec<&str> = view.tenant.staff_for(service).map(|member| member.name.reveal().as_str()).collect();
        staff.join(", ")
    };
    let choices: Vec<Choice> = view
        .tenant
        .services
        .iter()
        .map(|service| Choice {
            name: "service",
            value: service.id.to_string(),
            title: service.name.clone(),
            below: who(service),
        })
        .collect();
    let word = appointment.request.service.as_deref();
    html! {
        p { (view.t("Eintragen als", "Book as")) @if let Some(at) = appointment.request.start.at() { ", " (view.moment(at)) } }
        (chips(&choices))
        @if let Some(word) = word {
            label.chip.line { input type="checkbox" name="learn" value=(word) checked data-checked="1"; span { (view.quoted(word)) " " (view.t("künftig so verstehen", "means that from now on")) } }
        }
    }
}

/// The active staff members, as choices.
pub fn staff_chips(view: &TenantView<'_>, chosen: Option<&StaffId>) -> Markup {
    html! {
        div.chips {
            @for member in view.tenant.staff.iter().filter(|member| member.active) {
                label.chip { input type="radio" name="staff" value=(member.id) required checked[chosen == Some(&member.id)]; span { b { (member.name.reveal()) } } }
            }
        }
    }
}

/// A card of several appointments that one decision settles.
fn shared_card(view: &TenantView<'_>, cause: &SharedCause, all: &[&Versioned<Appointment>]) -> Markup {
    let named = |it: &Appointment| {
        let start = it.start().map(|at| view.moment(at)).unwrap_or_default();
        html! { (start) " " a href=(view.path_of(it, "")) { (view.name(&it.request.customer)) } }
    };
    let first = all.iter().filter_map(|it| it.value.start()).min();
    let from = first.map(|at| format!("{} {}", view.t("ab", "from"), view.moment(at))).unwrap_or_default();
    let (tag_words, tag_icon, title, why, fields) = match cause {
        SharedCause::Host(host) => (
            view.t("Wer macht es?", "Who does it?"),
            "team",
            format!("{} {host} {}", view.t("Person", "Person"), view.t("bei Cal.com", "at Cal.com")),
            view.t(
                "Diese Termine stehen, aber diese Person gehört hier noch zu niemandem.",
                "These are booked, but nobody here is known to be this person.",
            ),
            html! { fieldset { legend { (view.t("Wer ist das?", "Who is it?")) } (staff_chips(view, None)) } },
        ),
        SharedCause::Setup(_) => (
            view.t("Einstellung bei Cal.com", "Setting at Cal.com"),
            "tool",
            view.what(&all[0].value),
            view.t(
                "Wegen einer Einstellung bei Cal.com wird nichts eingetragen.",
                "A setting at Cal.com prevents every booking.",
            ),
            html! {},
        ),
    };
    let (action, button) = match cause {
        SharedCause::Host(host) => (view.limited(view.path(&format!("hosts/{host}"))), view.t("zuordnen", "assign")),
        SharedCause::Setup(_) => (view.limited(view.path("retry")), view.t("neu eintragen", "book again")),
    };
    let id = all.first().map(|it| it.value.id.to_string()).unwrap_or_default();
    html! {
        article.card.do data-live=(id) aria-label=(title) {
            div.body {
                p.row.apart { (tag("warn", tag_icon, tag_words)) span.soft.small { (from) } }
                div.who { div { h3 { (title) } } }
                p.why { (why) }
                dl.facts {
                    div { dt { (view.t("Termine", "Which")) } dd { @for (nth, it) in all.iter().enumerate() { @if nth > 0 { br; } (named(&it.value)) } } }
                    @if let SharedCause::Setup(what) = cause { div { dt { (view.t("Lösung", "Remedy")) } dd { (what) } } }
                }
            }
            form.settle method="post" action=(action) {
                (csrf(view))
                @for it in all { input type="hidden" name="id" value=(it.value.id); input type="hidden" name="seen" value=(it.value.seen()); }
                (fields)
                div.acts {
                    button.btn.go {
                        @if matches!(cause, SharedCause::Setup(_)) { (view.t("Behoben. ", "Mended. ")) }
                        @if all.len() == 1 { (capital(button)) } @else { (view.t("Alle ", "All ")) (all.len()) " " (button) }
                    }
                    @if matches!(cause, SharedCause::Setup(_)) {
                        a.btn.wide href="https://app.cal.com/event-types" rel="noreferrer" { (view.t("Cal.com öffnen", "Open Cal.com")) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_a_cause_is_one_card_and_nothing_that_stands_alone_hides_it() {
        let items = [("alone", None), ("a", Some(1)), ("b", Some(2)), ("also alone", None), ("c", Some(1))];
        let stacks = stacked(&items, |item| item.1);
        let shown = stacks.iter().map(|stack| (stack.first.0, stack.others.iter().map(|it| it.0).collect::<Vec<_>>()));
        let none = Vec::new;
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [("alone", none()), ("a", vec!["c"]), ("b", none()), ("also alone", none())]
        );
    }
}
