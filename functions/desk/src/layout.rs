//! The frame of every page: menu, notes, icons, and the parts that several pages share.

use chrono::NaiveDate;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use scheduling::{
    appointment::{Appointment, State},
    personal::Personal,
};

use crate::{
    assets::{ICON_URL, SCRIPT_URL, STYLE_URL},
    view::{TenantView, View, national},
};

/// The drawings of icons, by their names.
const ICONS: [(&str, &str); 24] = [
    (
        "ask",
        r#"<circle cx="12" cy="12" r="8.5"/><path d="M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .9-1 1.7M12 16.5v.1"/>"#,
    ),
    ("back", r#"<path d="M15 5l-7 7 7 7"/>"#),
    ("cal", r#"<path d="M4 6h16v14H4zM4 10h16M8 3v4M16 3v4"/>"#),
    ("chart", r#"<path d="M4 20h17M7 20v-6M12 20V6M17 20v-9"/>"#),
    ("clock", r#"<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5l3.5 2"/>"#),
    ("done", r#"<circle cx="12" cy="12" r="8.5"/><path d="M8 12.5l3 3 5-6.500"/>"#),
    ("find", r#"<circle cx="11" cy="11" r="6.5"/><path d="M16 16l5 5"/>"#),
    ("fwd", r#"<path d="M9 5l7 7-7 7"/>"#),
    ("home", r#"<path d="M4 11l8-7 8 7v9h-5v-6H9v6H4z"/>"#),
    ("key", r#"<circle cx="8" cy="15" r="4"/><path d="M11 12l8-8M16 7l2.500 2.500"/>"#),
    ("mail", r#"<path d="M3 6h18v12H3zM3 7l9 7 9-7"/>"#),
    ("move", r#"<path d="M4 12h15M14 7l5 5-5 5"/>"#),
    ("new", r#"<path d="M12 5v14M5 12h14"/>"#),
    ("note", r#"<path d="M5 4h14v11l-5 5H5zM14 20v-5h5M8 9h8M8 13h4"/>"#),
    ("ok", r#"<path d="M5 12.500l4.500 4.500L19 7"/>"#),
    (
        "phone",
        r#"<path d="M6 3h3l2 5-2.5 1.5a11 11 0 0 0 6 6L16 13l5 2v3a2 2 0 0 1-2 2A15 15 0 0 1 4 5a2 2 0 0 1 2-2z"/>"#,
    ),
    ("play", r#"<path d="M8 5l11 7-11 7z"/>"#),
    ("talk", r#"<path d="M4 5h16v11H10l-4 4v-4H4z"/>"#),
    (
        "team",
        r#"<circle cx="9" cy="8" r="3.5"/><path d="M2.5 20a6.5 6.5 0 0 1 13 0M16 5a3.5 3.5 0 0 1 0 6.5M18 14a6.5 6.5 0 0 1 3.5 6"/>"#,
    ),
    ("todo", r#"<path d="M4 6l1.5 1.5L8 5M4 12l1.5 1.5L8 11M4 18l1.5 1.5L8 17M12 6h8M12 12h8M12 18h8"/>"#),
    (
        "tool",
        r#"<path d="M14.5 6.5a4 4 0 0 1 5-1l-2.5 2.5 1.5 1.5L21 7a4 4 0 0 1-5.5 5L8 19.5 5 16.5 12.5 9a4 4 0 0 1 2-2.5z"/>"#,
    ),
    ("user", r#"<circle cx="12" cy="8" r="4"/><path d="M4 21a8 8 0 0 1 16 0"/>"#),
    ("warn", r#"<path d="M12 4l9.5 16.5h-19zM12 10v4.5M12 17.5v.1"/>"#),
    ("x", r#"<path d="M6 6l12 12M18 6L6 18"/>"#),
];

/// An icon. A word always stands beside it.
pub fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" { use href={ "#i-" (name) } {} } }
}

/// A state: an icon and a word.
pub fn tag(kind: &str, icon_name: &str, words: &str) -> Markup {
    html! { span class={ "tag " (kind) } { (icon(icon_name)) (words) } }
}

/// The entry of the menu that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// What waits.
    ToDo,
    /// Day and week.
    Calendar,
    /// Search.
    Search,
    /// Hosts and people.
    Team,
    /// Quality.
    Quality,
}

/// What was done, or why not, at the top of the next page.
pub struct Note {
    /// `ok`, `warn` or `bad`.
    pub kind: &'static str,
    /// The icon.
    pub icon: &'static str,
    /// The sentence in bold.
    pub title: String,
    /// More.
    pub more: Option<Markup>,
}

impl Note {
    /// Something was done.
    pub fn done(title: impl Into<String>) -> Self {
        Self { kind: "ok", icon: "done", title: title.into(), more: None }
    }

    /// Something was not done.
    pub fn failed(title: impl Into<String>) -> Self {
        Self { kind: "warn", icon: "warn", title: title.into(), more: None }
    }

    /// With more words.
    #[must_use]
    pub fn with(self, more: Markup) -> Self {
        Self { more: Some(more), ..self }
    }

    /// As a part of a page.
    pub fn show(&self) -> Markup {
        let role = if self.kind == "ok" { "status" } else { "alert" };
        html! {
            div class={ "note " (self.kind) } role=(role) {
                (icon(self.icon))
                div { p { b { (self.title) } @if let Some(more) = &self.more { br; (more) } } }
            }
        }
    }
}

/// A page of a tenant. `open` is how many to-dos there are.
pub fn page(view: &TenantView<'_>, menu: Menu, title: &str, open: usize, content: &Markup) -> Markup {
    let path = |rest: &str| view.path(rest);
    let entries = [
        (Menu::ToDo, path("todo"), "todo", view.t("Zu erledigen", "To do")),
        (Menu::Calendar, path("day"), "cal", view.t("Termine", "Calendar")),
        (Menu::Search, path("search"), "find", view.t("Suche", "Search")),
        (Menu::Team, path("team"), "team", view.t("Team", "Team")),
        (Menu::Quality, path("quality"), "chart", view.t("Qualität", "Quality")),
    ];
    let nav = html! {
        @for (entry, href, icon_name, words) in &entries {
            li {
                a href=(href) aria-current=[(*entry == menu).then_some("page")] {
                    (icon(icon_name)) span { (words) }
                    @if *entry == Menu::ToDo && open > 0 {
                        " " span.count { (open) span.hide { " " (view.t("offen", "open")) } }
                    }
                }
            }
        }
    };
    frame(view, &view.tenant.name, title, &nav, &view.path("people"), content)
}

/// A page of the agency.
pub fn system_page(view: &View<'_>, title: &str, content: &Markup) -> Markup {
    let nav = html! {
        li { a href="/system" aria-current="page" { (icon("home")) span { (view.t("Alle Salons", "All salons")) } } }
    };
    frame(view, view.t("Agentur", "Agency"), title, &nav, "/system/people", content)
}

fn frame(view: &View<'_>, name: &str, title: &str, nav: &Markup, people: &str, content: &Markup) -> Markup {
    let lang = view.t("de", "en");
    let body = html! {
        a.skip href="#main" { (view.t("Zum Inhalt", "Skip to content")) }
        header.top {
            p.brand { (name) small { "Frontdesk" } }
            nav.nav aria-label=(view.t("Hauptmenü", "Main menu")) { ul { (nav) } }
            details.menu {
                summary { span.hide { (view.t("Angemeldet: ", "Signed in: ")) } (view.who.session.name.reveal()) }
                ul {
                    @if view.who.is_agency() { li { a href="/system" { (view.t("Alle Salons", "All salons")) } } }
                    li { a href=(people) { (view.t("Wer sich anmelden darf", "Who may sign in")) } }
                    li { (menu_form(view, "/language", view.t("English", "Deutsch"))) }
                    li { (menu_form(view, "/sign-out", view.t("Abmelden", "Sign out"))) }
                    li { (menu_form(view, "/sign-out-everywhere", view.t("Überall abmelden", "Sign out everywhere"))) }
                }
            }
        }
        main #main tabindex="-1" { (content) }
    };
    document(lang, &format!("{title} – {name}"), false, &body)
}

fn menu_form(view: &View<'_>, action: &str, words: &str) -> Markup {
    html! { form method="post" action=(action) { (csrf(view)) button.btn.plain { (words) } } }
}

/// What proves that a form is one of this session's.
pub fn csrf(view: &View<'_>) -> Markup {
    html! { input type="hidden" name="csrf" value=(view.who.session.csrf); }
}

/// A page without a menu: signed out, or not found.
pub fn bare(title: &str, content: &Markup) -> Markup {
    let body = html! { header.top { p.brand { "Frontdesk" } } main #main { (content) } };
    document("de", title, true, &body)
}

fn document(lang: &str, title: &str, is_bare: bool, body: &Markup) -> Markup {
    let body = html! { (body) };
    let used = ICONS.iter().filter(|(name, _)| body.0.contains(&format!("#i-{name}\"")));
    html! {
        (DOCTYPE)
        html lang=(lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="theme-color" content="#f3f4f1" media="(prefers-color-scheme: light)";
                meta name="theme-color" content="#101516" media="(prefers-color-scheme: dark)";
                title { (title) }
                link rel="icon" type="image/svg+xml" href=(ICON_URL.as_str());
                link rel="stylesheet" href=(STYLE_URL.as_str());
                script src=(SCRIPT_URL.as_str()) defer {}
            }
            body.solo[is_bare] {
                div hidden {
                    svg { @for (name, drawing) in used { symbol id={ "i-" (name) } viewBox="0 0 24 24" { (PreEscaped(drawing)) } } }
                }
                (body)
            }
        }
    }
}

/// A number that dials.
pub fn dial(view: &TenantView<'_>, name: &str, number: &Personal<String>, is_main: bool) -> Markup {
    let class = if is_main { "btn go" } else { "btn call" };
    html! {
        a class=(class) href={ "tel:" (number.reveal()) } {
            (icon("phone"))
            span.num { span.hide { (name) " " (view.t("anrufen", "call")) ", " } (national(number, &view.tenant.country)) }
        }
    }
}

/// The way back.
pub fn back(href: &str, words: &str) -> Markup {
    html! { p.back { a.btn.plain href=(href) { (icon("back")) (words) } } }
}

/// Which days are shown, and the ways to the week before and, if there is one, the week after.
pub fn week_steps(
    view: &TenantView<'_>,
    first: NaiveDate,
    last: NaiveDate,
    before: &str,
    after: Option<&str>,
) -> Markup {
    html! {
        div.head.row.apart {
            p.soft { (view.date_text(first)) " " (view.t("bis", "to")) " " (view.date_text(last)) }
            div.row {
                a.btn href=(before) { (icon("back")) (view.t("Woche davor", "Week before")) }
                @if let Some(after) = after { a.btn href=(after) { (view.t("Woche danach", "Week after")) (icon("fwd")) } }
            }
        }
    }
}

/// The state of an appointment at a glance.
pub fn state_tag(view: &TenantView<'_>, appointment: &Appointment) -> Markup {
    if appointment.change().is_some() {
        return tag("go", "clock", view.t("Änderung läuft", "Changing"));
    }
    match appointment.state() {
        State::Requested { .. } | State::Booking { .. } => {
            tag("go", "clock", view.t("Wird eingetragen", "Being booked"))
        }
        State::Booked { .. } if appointment.awaits_host() => {
            tag("warn", "clock", view.t("Bei Cal.com zu bestätigen", "To be confirmed at Cal.com"))
        }
        State::Booked { .. } | State::Assigned { .. } => tag("ok", "ok", view.t("Eingetragen", "Booked")),
        State::NeedsReview { .. } => tag("bad", "warn", view.t("Zu erledigen", "To do")),
        State::Cancelled { reason, .. } => tag("", "x", view.language.closed(*reason)),
        State::Completed { .. } => tag("", "ok", view.t("War da", "Came")),
        State::NoShow { .. } => tag("warn", "x", view.t("Nicht erschienen", "Did not come")),
    }
}
