//! A day with a column for each staff member, and a week as load per person and day.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use maud::{Markup, html};
use scheduling::{
    appointment::{Appointment, ChangeKind, Outline, State, StateName},
    event_type::Catalog,
    hours::MinuteSpan,
    ids::{AppointmentId, StaffId},
};
use store::{AccountCatalog, Listed, StoreError};

use crate::{
    http::{Reply, Request},
    layout::{Menu, icon, page, tag},
    pages::to_do::count_open,
    view::TenantView,
};

/// How long an appointment lasts whose event type is not known.
const USUAL: i64 = 30;
const QUARTER: u32 = 15;

/// How long appointments last: as their event type at Cal.com says, if it is known.
struct Durations {
    catalog: Option<Arc<AccountCatalog>>,
}

impl Durations {
    async fn load(view: &TenantView<'_>) -> Result<Self, StoreError> {
        Ok(Self { catalog: view.desk.catalogs.of(&view.tenant.calcom.account).await? })
    }

    fn minutes(&self, view: &TenantView<'_>, outline: &Outline) -> i64 {
        let catalog: Option<&Catalog> = self.catalog.as_deref().map(|stored| &stored.catalog);
        let service = || view.tenant.service_called(outline.service.as_deref()?);
        let by_service = || service().and_then(|service| service.event_types.all().next());
        let event_type = outline.event_type.or_else(by_service).and_then(|id| catalog?.event_type(id));
        event_type.map_or(USUAL, |event_type| event_type.minutes.into())
    }
}

/// Whether it belongs on a calendar: what was closed without a booking does not.
fn is_shown(outline: &Outline) -> bool {
    outline.state.is_open() || outline.event_type.is_some()
}

/// What changed since yesterday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Cancelled,
    Moved,
    New,
}

impl News {
    fn of(view: &TenantView<'_>, outline: &Outline, created_at: DateTime<Utc>) -> Option<Self> {
        let since = view.midnight(view.today() - Days::new(1));
        let changed = outline.last_change.filter(|change| change.at >= since).map(|change| change.kind);
        match (outline.state, changed) {
            (StateName::Cancelled, Some(ChangeKind::Cancel)) => Some(Self::Cancelled),
            (StateName::Cancelled, _) => None,
            (_, Some(ChangeKind::Move)) => Some(Self::Moved),
            _ => (created_at >= since).then_some(Self::New),
        }
    }
}

/// The appointments of a day.
async fn of_day(view: &TenantView<'_>, day: NaiveDate) -> Result<Vec<Appointment>, StoreError> {
    let appointments = &view.desk.operations.appointments;
    let (start, end) = view.span(day, 1);
    let ids = appointments.starting(&view.tenant.id, start, Some(end)).await?;
    let mut found: Vec<Appointment> =
        appointments.load_all(&ids).await?.into_iter().map(|stored| stored.value).collect();
    // What has no start is no appointment yet.
    found.retain(|it| it.start().is_some_and(|at| at >= start && at < end) && is_shown(&it.outline()));
    found.sort_by_key(Appointment::start);
    Ok(found)
}

/// A day.
pub async fn day(view: &TenantView<'_>, request: &Request) -> Result<Reply, StoreError> {
    let day = view.day_asked(request.query.get("date"));
    let (appointments, durations, open) = tokio::try_join!(of_day(view, day), Durations::load(view), count_open(view))?;
    let mut columns: BTreeMap<Option<StaffId>, Vec<&Appointment>> = BTreeMap::new();
    for appointment in &appointments {
        let staff = appointment.assignment().map(|assignment| assignment.staff.clone());
        columns.entry(staff).or_default().push(appointment);
    }
    let staff =
        view.tenant.staff.iter().filter(|member| member.active || columns.contains_key(&Some(member.id.clone())));
    let none: Vec<&Appointment> = Vec::new();
    let opening = view.tenant.hours.as_ref().map(|hours| hours.on(day).to_vec());
    let opening = opening.unwrap_or_default();
    let content = html! {
        div.head.row.apart data-follow="1" {
            div { h1 { (view.language.long_day(day)) } p.soft { (summary(view, appointments.iter().map(|it| (it.is_open(), News::of(view, &it.outline(), it.created_at))))) } }
            (steps(view, day, 1, true))
        }
        div.board {
            @for member in staff {
                @let of = columns.get(&Some(member.id.clone())).unwrap_or(&none);
                (column(view, &durations, member.name.reveal(), member.id.as_str(), of, &opening, day))
            }
            @if let Some(of) = columns.get(&None) { (column(view, &durations, view.t("Noch offen", "Not decided"), "nobody", of, &[], day)) }
        }
    };
    Ok(Reply::Page(200, page(view, Menu::Calendar, &view.language.long_day(day), open, &content)))
}

/// How many are open, and what changed.
fn summary(view: &TenantView<'_>, of: impl Iterator<Item = (bool, Option<News>)>) -> String {
    let (is_open, news): (Vec<bool>, Vec<Option<News>>) = of.unzip();
    let count = is_open.into_iter().filter(|is_open| *is_open).count();
    let mut text = view.count(count, ("Termin", "appointment"), ("Termine", "appointments"));
    let of = |kind| news.iter().filter(|it| **it == Some(kind)).count();
    let words = [
        (of(News::New), view.t("neu", "new")),
        (of(News::Moved), view.t("verschoben", "moved")),
        (of(News::Cancelled), view.t("abgesagt", "cancelled")),
    ];
    let parts: Vec<String> = words.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if !parts.is_empty() {
        text += &format!(". {} {}", view.t("Seit gestern", "Since yesterday"), parts.join(", "));
    }
    text
}

fn steps(view: &TenantView<'_>, day: NaiveDate, by: u64, is_day: bool) -> Markup {
    let page = if is_day { "day" } else { "week" };
    let link = |to: NaiveDate| view.path(&format!("{page}?date={to}"));
    let (before, after) = (day - Days::new(by), day + Days::new(by));
    html! {
        div.row {
            nav.seg aria-label=(view.t("Zeitraum", "Span")) {
                a href=(view.path("day")) aria-current=[is_day.then_some("page")] { (view.t("Tag", "Day")) }
                a href=(view.path("week")) aria-current=[(!is_day).then_some("page")] { (view.t("Woche", "Week")) }
            }
            a.btn href=(link(before)) { (icon("back")) span.hide { (view.t("Davor: ", "Before: ")) (view.language.long_day(before)) } }
            a.btn href=(link(after)) { (icon("fwd")) span.hide { (view.t("Danach: ", "After: ")) (view.language.long_day(after)) } }
        }
    }
}

/// A column: what is booked, as high as it is long, and what is free between.
fn column(
    view: &TenantView<'_>,
    durations: &Durations,
    name: &str,
    id: &str,
    appointments: &[&Appointment],
    opening: &[MinuteSpan],
    day: NaiveDate,
) -> Markup {
    let minute = |at: DateTime<Utc>| {
        let minutes = (at - view.midnight(day)).num_minutes();
        u32::try_from(minutes).unwrap_or_default()
    };
    let mut shown: Vec<Markup> = Vec::new();
    let closes = opening.last().map(|span| span.to);
    let mut free_from = opening.first().map(|span| span.from);
    for appointment in appointments {
        let Some(start) = appointment.start() else { continue };
        let minutes = durations.minutes(view, &appointment.outline());
        shown.extend(free_from.and_then(|from| gap(view, from, minute(start))));
        shown.push(slot(view, appointment, start, minutes));
        // What was cancelled takes no time.
        if appointment.is_open() {
            let ends = minute(start) + u32::try_from(minutes).unwrap_or_default();
            free_from = free_from.map(|from| from.max(ends));
        }
    }
    shown.extend(free_from.zip(closes).and_then(|(from, to)| gap(view, from, to)));
    let count = appointments.iter().filter(|it| it.is_open()).count();
    html! {
        section.col aria-labelledby={ "c-" (id) } {
            h2 id={ "c-" (id) } { (name) " " small { (view.count(count, ("Termin", "appointment"), ("Termine", "appointments"))) } }
            ol.day.tall {
                @if shown.is_empty() { li.gap { (view.t("Nichts eingetragen", "Nothing booked")) } }
                @for entry in &shown { (entry) }
            }
        }
    }
}

fn gap(view: &TenantView<'_>, from: u32, to: u32) -> Option<Markup> {
    let clock = |minute: u32| format!("{}:{:02}", minute / 60, minute % 60);
    (to >= from + QUARTER).then(|| {
        html! { li class={ "gap " (quarters(i64::from(to - from))) } { (view.t("frei", "free")) " " (clock(from)) " " (view.t("bis", "to")) " " (clock(to)) } }
    })
}

/// The class by which an entry is as high as it is long.
fn quarters(minutes: i64) -> String {
    const HEIGHTS: [i64; 11] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24];
    let quarters = (minutes + 14) / 15;
    let height = HEIGHTS.into_iter().rfind(|height| *height <= quarters).unwrap_or(1);
    format!("q{}", height.max(if minutes > 15 { 2 } else { 1 }))
}

fn slot(view: &TenantView<'_>, appointment: &Appointment, start: DateTime<Utc>, minutes: i64) -> Markup {
    let ends = start + TimeDelta::minutes(minutes);
    let (is_over, is_now) = (ends < view.now, start <= view.now && view.now < ends);
    let is_off =
        !appointment.is_open() && matches!(appointment.state(), State::Cancelled { .. } | State::NoShow { .. });
    let service = view.service_name(appointment).unwrap_or_default();
    let label = match (appointment.state(), News::of(view, &appointment.outline(), appointment.created_at)) {
        (State::NeedsReview { .. }, _) => Some(("bad", "warn", view.t("zu erledigen", "to do"))),
        (State::Requested { .. } | State::Booking { .. }, _) => {
            Some(("warn", "clock", view.t("nicht eingetragen", "not booked")))
        }
        (State::NoShow { .. }, _) => Some(("warn", "x", view.t("nicht erschienen", "did not come"))),
        (_, Some(News::Cancelled)) => Some(("", "x", view.t("abgesagt", "cancelled"))),
        (State::Cancelled { .. }, _) => Some(("", "x", view.t("abgesagt", "cancelled"))),
        (_, Some(News::Moved)) => Some(("warn", "move", view.t("verschoben", "moved"))),
        (_, Some(News::New)) => Some(("go", "new", view.t("neu", "new"))),
        _ => None,
    };
    let how = appointment.assignment().map(|assignment| assignment.strategy);
    html! {
        li.{ (quarters(minutes.max(30))) }.over[is_over].off[is_off].is[is_now && !is_off] data-how=[how.map(|how| how.as_str())] {
            a.slot href=(view.path_of(appointment, "")) {
                span.at { (view.clock(start)) }
                b { (view.name(&appointment.request.customer)) }
                small { (service) @if is_now && !is_off { ", " (view.t("läuft", "now")) } }
                @if let Some((kind, icon_name, words)) = label { (tag(kind, icon_name, words)) }
            }
        }
    }
}

/// So many of a week's changes are listed, and all that were moved or cancelled.
const MOST_CHANGES: usize = 20;

/// A week: its appointments, and those that changed.
struct Week {
    appointments: Vec<Listed>,
    durations: Durations,
    changed: Vec<(Appointment, News)>,
    unlisted: usize,
}

impl Week {
    async fn load(view: &TenantView<'_>, monday: NaiveDate) -> Result<Self, StoreError> {
        let appointments = &view.desk.operations.appointments;
        let (start, end) = view.span(monday, 7);
        let listed = appointments.listed(&view.tenant.id, start, end);
        let (mut listed, durations) = tokio::try_join!(listed, Durations::load(view))?;
        listed.retain(|it| it.start.is_some_and(|at| at >= start && at < end) && is_shown(&it.outline));
        listed.sort_by_key(|it| it.start);
        let mut news: Vec<(News, &Listed)> =
            listed.iter().filter_map(|it| Some((News::of(view, &it.outline, it.created_at)?, it))).collect();
        // What people did not expect comes first.
        news.sort_by_key(|(news, _)| *news);
        let unexpected = news.iter().filter(|(news, _)| *news != News::New).count();
        let all = news.len();
        news.truncate(MOST_CHANGES.max(unexpected));
        let unlisted = all - news.len();
        let ids: Vec<AppointmentId> = news.iter().map(|(_, it)| it.id.clone()).collect();
        let changed = appointments.load_all(&ids).await?.into_iter().map(|stored| stored.value);
        let changed = changed.filter_map(|it| News::of(view, &it.outline(), it.created_at).map(|news| (it, news)));
        Ok(Self { changed: changed.collect(), unlisted, appointments: listed, durations })
    }

    fn of_day<'a>(&'a self, view: &'a TenantView<'_>, day: NaiveDate) -> impl Iterator<Item = &'a Listed> {
        self.appointments.iter().filter(move |it| it.start.is_some_and(|at| view.date(at) == day))
    }
}

/// A week.
pub async fn week(view: &TenantView<'_>, request: &Request) -> Result<Reply, StoreError> {
    let day = view.day_asked(request.query.get("date"));
    let monday = day - Days::new(day.weekday().num_days_from_monday().into());
    let (week, open) = tokio::try_join!(Week::load(view, monday), count_open(view))?;
    let is_open = |day: NaiveDate| view.tenant.hours.as_ref().is_none_or(|hours| !hours.on(day).is_empty());
    let days = (0..7).map(|nth| monday + Days::new(nth));
    let days = days.filter(|day| is_open(*day) || week.of_day(view, *day).next().is_some());
    let sunday = monday + Days::new(6);
    let title = format!(
        "{} {} {}",
        view.language.day_and_month(monday),
        view.t("bis", "to"),
        view.language.day_and_month(sunday)
    );
    let all = week.appointments.iter();
    let all = all.map(|it| (it.outline.state.is_open(), News::of(view, &it.outline, it.created_at)));
    let content = html! {
        div.head.row.apart data-follow="1" { div { h1 { (title) } p.soft { (summary(view, all)) } } (steps(view, monday, 7, false)) }
        div.board.week { @for day in days { (day_of_week(view, &week, day)) } }
        @if !week.changed.is_empty() {
            h2.group { (view.t("Seit gestern geändert", "Changed since yesterday")) " " small { (week.changed.len() + week.unlisted) } }
            ul.card.list {
                @for (appointment, news) in &week.changed {
                    li {
                        span { a href=(view.path_of(appointment, "")) { b { (appointment.start().map(|at| view.moment(at)).unwrap_or_default()) ", " (view.name(&appointment.request.customer)) } } small { (view.what(appointment)) } }
                        @match news {
                            News::New => (tag("go", "new", view.t("neu", "new"))),
                            News::Moved => (tag("warn", "move", view.t("verschoben", "moved"))),
                            News::Cancelled => (tag("", "x", view.t("abgesagt", "cancelled"))),
                        }
                    }
                }
                @if week.unlisted > 0 { li { span.soft { (view.t("und ", "and ")) (week.unlisted) (view.t(" weitere neue: siehe die einzelnen Tage", " more new ones: see their days")) } } }
            }
        }
    };
    Ok(Reply::Page(200, page(view, Menu::Calendar, &title, open, &content)))
}

/// A day of a week, with a line for each staff member.
fn day_of_week(view: &TenantView<'_>, week: &Week, day: NaiveDate) -> Markup {
    let open: Vec<&Listed> = week.of_day(view, day).filter(|it| it.outline.state.is_open()).collect();
    let of = |staff: Option<&StaffId>| -> Vec<&Listed> {
        let is_theirs = |it: &&Listed| it.outline.staff.as_ref() == staff;
        open.iter().copied().filter(is_theirs).collect()
    };
    let undecided = of(None);
    html! {
        section.col aria-labelledby={ "w-" (day) } {
            h2 id={ "w-" (day) } { (view.weekday_and_day(day)) @if day == view.today() { " " small { (view.t("heute", "today")) } } }
            ul.day {
                @for member in &view.tenant.staff {
                    @let theirs = of(Some(&member.id));
                    @if member.active || !theirs.is_empty() { li { (strip(view, week, day, member.name.reveal(), &theirs)) } }
                }
                @if !undecided.is_empty() { li { (strip(view, week, day, view.t("Noch offen", "Not decided"), &undecided)) } }
            }
        }
    }
}

/// A person's day as a bar from eight to twenty.
fn strip(view: &TenantView<'_>, week: &Week, day: NaiveDate, name: &str, of: &[&Listed]) -> Markup {
    const FROM: i64 = 8 * 60;
    const LENGTH: i64 = 12 * 60;
    let bars = of.iter().filter_map(|it| {
        let start = (it.start? - view.midnight(day)).num_minutes() - FROM;
        let minutes = week.durations.minutes(view, &it.outline);
        Some((start.clamp(0, LENGTH), minutes.min(LENGTH)))
    });
    html! {
        a.strip href=(view.path(&format!("day?date={day}"))) {
            b { (name) }
            small { (view.count(of.len(), ("Termin", "appointment"), ("Termine", "appointments"))) }
            svg viewBox={ "0 0 " (LENGTH) " 12" } preserveAspectRatio="none" aria-hidden="true" {
                @for (x, width) in bars { rect x=(x) y="0" width=(width) height="12" {} }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_never_higher_than_it_is_long_but_can_be_read() {
        assert_eq!([15, 30, 45, 60, 105, 600].map(quarters), ["q1", "q2", "q3", "q4", "q6", "q24"]);
    }
}
