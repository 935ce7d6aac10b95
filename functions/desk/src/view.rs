//! What every page of a tenant needs: who looks at it, in which language, at which time.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeZone, Utc};
use scheduling::{
    appointment::{Action, Appointment, ToDoKind},
    contact::Customer,
    ids::AppointmentId,
    personal::Personal,
    request::AppointmentRequest,
    tenant::{Service, Tenant},
};
use wording::Language;

use crate::{
    desk::Desk,
    session::{Permitted, SignedIn},
};

/// What every page needs.
pub struct View<'a> {
    /// The desk.
    pub desk: &'a Desk,
    /// Who looks.
    pub who: &'a SignedIn,
    /// The language.
    pub language: Language,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What every page of a tenant needs.
pub struct TenantView<'a> {
    /// What every page needs.
    pub view: View<'a>,
    /// The tenant, which this person may see.
    pub permitted: Permitted,
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The kind of to-do that the list is limited to. It stays while the person works them off.
    pub only: Option<ToDoKind>,
}

impl<'a> std::ops::Deref for TenantView<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

impl<'a> View<'a> {
    /// What somebody looks at now.
    pub fn of(desk: &'a Desk, who: &'a SignedIn) -> Self {
        let language = if who.session.is_english { Language::English } else { Language::German };
        Self { desk, who, language, now: Utc::now() }
    }

    /// The text of the page's language.
    pub fn t<'t>(&self, german: &'t str, english: &'t str) -> &'t str {
        self.language.choose(german, english)
    }

    /// A number with its noun.
    pub fn count(&self, n: usize, one: (&str, &str), many: (&str, &str)) -> String {
        let (german, english) = if n == 1 { one } else { many };
        format!("{n} {}", self.t(german, english))
    }
}

impl TenantView<'_> {
    /// A path of this tenant.
    pub fn path(&self, rest: &str) -> String {
        format!("/s/{}/{rest}", self.tenant.id)
    }

    /// When a day begins, and when the day begins that is so many later.
    pub fn span(&self, from: NaiveDate, days: u64) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.midnight(from), self.midnight(from + Days::new(days)))
    }

    /// The path of the list of to-dos, as it was limited.
    pub fn list(&self) -> String {
        self.limited(self.path("todo"))
    }

    /// The path of a to-do alone.
    pub fn alone(&self, id: &AppointmentId) -> String {
        self.limited(self.path(&format!("todo/{id}")))
    }

    /// A path of an appointment.
    pub fn path_of(&self, appointment: &Appointment, rest: &str) -> String {
        let slash = if rest.is_empty() { "" } else { "/" };
        self.limited(self.path(&format!("appointments/{}{slash}{rest}", appointment.id)))
    }

    /// A path that comes back to the list as it was limited.
    pub fn limited(&self, path: String) -> String {
        match self.only {
            Some(kind) => with(path, "only", kind.as_str()),
            None => path,
        }
    }

    /// The day on the tenant's clock.
    pub fn date(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.tenant.time_zone).date_naive()
    }

    /// Today.
    pub fn today(&self) -> NaiveDate {
        self.date(self.now)
    }

    /// The day that an address names: today if it names none, or one that is more than ten years away.
    pub fn day_asked(&self, text: Option<&str>) -> NaiveDate {
        text.and_then(|day| day.parse().ok()).filter(|day| self.is_near(*day)).unwrap_or(self.today())
    }

    /// Whether a day is at most ten years away, so that days can be added to it.
    pub fn is_near(&self, day: NaiveDate) -> bool {
        (day - self.today()).num_days().abs() <= 3660
    }

    /// When a day begins.
    pub fn midnight(&self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.and_hms_opt(0, 0, 0).unwrap_or_default();
        let local = self.tenant.time_zone.from_local_datetime(&midnight).earliest();
        local.map_or_else(|| midnight.and_utc(), |local| local.to_utc())
    }

    /// What starts before then is for today or tomorrow.
    pub fn soon(&self) -> DateTime<Utc> {
        self.midnight(self.today() + Days::new(2))
    }

    /// A time of day: `9:30`.
    pub fn clock(&self, at: DateTime<Utc>) -> String {
        let local = at.with_timezone(&self.tenant.time_zone);
        let text = local.format("%H:%M").to_string();
        text.strip_prefix('0').map_or(text.clone(), str::to_owned)
    }

    /// A day, as short as it is clear: `heute`, `morgen`, `Mi 25.11.`.
    pub fn day(&self, day: NaiveDate) -> String {
        let ahead = (day - self.today()).num_days();
        match ahead {
            -1 => self.t("gestern", "yesterday").to_owned(),
            0 => self.t("heute", "today").to_owned(),
            1 => self.t("morgen", "tomorrow").to_owned(),
            _ => self.date_text(day),
        }
    }

    /// `Mi 25.11.`, with the year where it is another one.
    pub fn date_text(&self, day: NaiveDate) -> String {
        let weekday = self.language.short_weekday(day);
        let is_this_year = day.year() == self.today().year();
        match self.language {
            Language::German if is_this_year => format!("{weekday} {}.{}.", day.day(), day.month()),
            Language::German => format!("{weekday} {}.{}.{}", day.day(), day.month(), day.year()),
            Language::English if is_this_year => format!("{weekday} {}", day.format("%-d %b")),
            Language::English => format!("{weekday} {}", day.format("%-d %b %Y")),
        }
    }

    /// `Dienstag, 24.`, where the month is clear.
    pub fn weekday_and_day(&self, day: NaiveDate) -> String {
        let weekday = self.language.weekday(day);
        match self.language {
            Language::German => format!("{weekday}, {}.", day.day()),
            Language::English => format!("{weekday} {}", day.day()),
        }
    }

    /// A moment: `heute 15:00`, `Mi 25.11. 9:30`.
    pub fn moment(&self, at: DateTime<Utc>) -> String {
        format!("{} {}", self.day(self.date(at)), self.clock(at))
    }

    /// The name of a customer, or that it is not known.
    pub fn name(&self, customer: &Customer) -> String {
        let name = customer.name.as_ref().map(|name| name.reveal().clone());
        name.unwrap_or_else(|| self.t("Name unbekannt", "Name not known").to_owned())
    }

    /// The name of a staff member.
    pub fn staff_name(&self, id: &scheduling::ids::StaffId) -> String {
        let member = self.tenant.staff_member(id);
        member.map_or_else(|| id.to_string(), |member| member.name.reveal().clone())
    }

    /// Who does an appointment, as far as that is decided.
    pub fn staff_of(&self, appointment: &Appointment) -> Option<String> {
        appointment.assignment().map(|assignment| self.staff_name(&assignment.staff))
    }

    /// The service that is requested.
    pub fn service_of(&self, request: &AppointmentRequest) -> Option<&Service> {
        self.tenant.service_called(request.service.as_deref()?)
    }

    /// The service of an appointment in words: the tenant's own name for it, else the caller's words.
    pub fn service_name(&self, appointment: &Appointment) -> Option<String> {
        let known = self.service_of(&appointment.request).map(|service| service.name.clone());
        known.or_else(|| appointment.request.service.as_ref().map(|raw| self.quoted(raw)))
    }

    /// What and with whom: `Farbe bei Anna`.
    pub fn what(&self, appointment: &Appointment) -> String {
        let staff = self.staff_of(appointment).or_else(|| {
            let raw = appointment.raw_staff()?;
            let known = self.tenant.staff_called(raw).map(|member| member.name.reveal().clone());
            Some(known.unwrap_or_else(|| self.quoted(raw)))
        });
        let service = self.service_name(appointment);
        match (service, staff) {
            (Some(service), Some(staff)) => format!("{service} {} {staff}", self.t("bei", "with")),
            (Some(service), None) => service,
            (None, Some(staff)) => format!("{} {staff}", self.t("bei", "with")),
            (None, None) => self.t("Leistung nicht genannt", "No service was said").to_owned(),
        }
    }

    /// Somebody's words.
    pub fn quoted(&self, words: &str) -> String {
        match self.language {
            Language::German => format!("„{words}“"),
            Language::English => format!("“{words}”"),
        }
    }
}

/// A path with one more field in its query.
pub fn with(path: String, name: &str, value: &str) -> String {
    let query = path.find('?').unwrap_or(path.len());
    let mut link = path;
    if query == link.len() {
        link.push('?');
    }
    form_urlencoded::Serializer::for_suffix(link, query + 1).append_pair(name, value).finish()
}

/// A number as people of its country write it: `0152 2889 5456` for `+4915228895456`.
pub fn national(number: &Personal<String>, country: &str) -> String {
    let number = number.reveal();
    let digits = match (country, number.strip_prefix("+49")) {
        ("DE", Some(rest)) => format!("0{rest}"),
        _ => number.clone(),
    };
    // The area or network, then groups of four.
    let (head, rest) = digits.split_at(digits.len().min(4));
    let groups: Vec<&[u8]> = rest.as_bytes().chunks(4).collect();
    let mut groups: Vec<String> = groups.into_iter().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    // No single digit alone at the end.
    if groups.len() > 1 && groups.last().is_some_and(|last| last.len() == 1) {
        let last = groups.pop().unwrap_or_default();
        groups.last_mut().into_iter().for_each(|group| group.push_str(&last));
    }
    std::iter::once(head.to_owned()).chain(groups).collect::<Vec<_>>().join(" ")
}

/// Whether an action is possible.
pub fn can(appointment: &Appointment, action: Action, now: DateTime<Utc>) -> bool {
    appointment.actions(now).contains(&action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_query_is_data() {
        let link = with(with("/s/salon/todo".to_owned(), "only", "stopped"), "wish", "a&b=c");
        assert_eq!(link, "/s/salon/todo?only=stopped&wish=a%26b%3Dc");
    }

    #[test]
    fn a_number_is_written_as_people_say_it() {
        let shown = |number: &str| national(&Personal::new(number.to_owned()), "DE");
        assert_eq!(shown("+4915228895456"), "0152 2889 5456");
        assert_eq!(shown("+4930901821"), "0309 01821");
        assert_eq!(shown("+4315880"), "+431 5880");
    }
}
