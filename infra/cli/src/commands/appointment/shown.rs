//! An appointment as people read it, and as JSON without personal data.

use chrono_tz::Tz;
use retell::event::Summary;
use scheduling::{
    appointment::{Appointment, State},
    booking::{BookingStatus, HostEvidence},
    ids::CallId,
    personal::Personal,
    spoken_name::NameReading,
    start_time::RequestedStart,
    tenant::Tenant,
};
use serde_json::{Value, json};
use store::{Calls, StoredExchange};
use wording::Language;

use crate::{
    error::CommandError,
    output::{local, table},
};

/// An appointment with what is known besides. People who act on it see everything that they need.
pub struct Shown<'a> {
    appointment: &'a Appointment,
    tenant: Option<&'a Tenant>,
    zone: Tz,
    call: Option<Summary>,
    /// What Cal.com said last, if it refused.
    refused: Option<String>,
}

impl<'a> Shown<'a> {
    /// An appointment of a tenant, which may have been removed.
    pub fn new(appointment: &'a Appointment, tenant: Option<&'a Tenant>) -> Self {
        let zone = tenant.map_or(Tz::UTC, |tenant| tenant.time_zone);
        Self { appointment, tenant, zone, call: None, refused: None }
    }

    /// With the call's summary and recording, while the call is kept.
    pub async fn with_call(self, calls: &Calls) -> Result<Self, CommandError> {
        let events = calls.events(&self.appointment.tenant, &self.appointment.call.whole()).await?;
        let call = events.iter().rev().find_map(|(_, body)| Summary::of(body));
        Ok(Self { call, ..self })
    }

    /// With what Cal.com said last, if it refused.
    pub fn with_exchanges(self, exchanges: &[StoredExchange]) -> Self {
        let is_refusal = |stored: &&StoredExchange| stored.exchange.status.is_some_and(|status| status >= 400);
        let refused = exchanges.last().filter(is_refusal).map(|stored| {
            let body = String::from_utf8_lossy(&stored.exchange.body);
            let message = serde_json::from_str::<Value>(&body).ok();
            let message = message.as_ref().and_then(|json| json.pointer("/error/message")?.as_str());
            message.unwrap_or(&body).chars().take(300).collect()
        });
        Self { refused, ..self }
    }

    /// Everything that is needed to settle it, in a few lines.
    pub fn in_brief(&self) -> String {
        let mut lines = vec![format!("{}  {}", self.appointment.id, self.headline())];
        lines.extend(self.facts().into_iter().map(|(name, value)| format!("  {name:<10} {value}")));
        lines.join("\n") + "\n"
    }

    /// Everything that is known.
    pub fn in_full(&self, linked: &[CallId]) -> String {
        let mut text = self.in_brief();
        let line = |name: &str, value: &str| format!("  {name:<10} {value}\n");
        if let Some(booking) = self.appointment.booking() {
            text += &line(
                "booking",
                &format!("{} ({}) at {}", booking.uid, status(booking.status), local(booking.start, self.zone)),
            );
        }
        if let Some(assignment) = self.appointment.assignment() {
            text += &line("assigned", &format!("{} ({})", assignment.staff, assignment.strategy.as_str()));
        }
        if !linked.is_empty() {
            let calls: Vec<&str> = linked.iter().map(CallId::as_str).collect();
            text += &line("calls", &format!("{} and {}", self.appointment.call, calls.join(", ")));
        } else {
            text += &line("call", self.appointment.call.as_str());
        }
        text += "  history\n";
        for entry in self.appointment.history() {
            text += &format!(
                "    {}  {:<12} {}, by {} {}\n",
                local(entry.at, self.zone),
                entry.to,
                entry.cause,
                entry.by,
                entry.version
            );
        }
        text
    }

    fn headline(&self) -> String {
        match self.appointment.state() {
            State::NeedsReview { reason, .. } => {
                format!("needs a person: {}", Language::English.reason(*reason, self.appointment))
            }
            State::Cancelled { reason, .. } => format!("cancelled: {}", reason.as_str().replace('_', " ")),
            state => state.name().as_str().replace('_', " "),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let request = &self.appointment.request;
        let reveal = |text: &Option<Personal<String>>| text.as_ref().map(|text| text.reveal().clone());
        let customer = &request.customer;
        let phone =
            reveal(&customer.phone).or_else(|| reveal(&customer.raw_phone).map(|said| format!("said {said:?}")));
        let email =
            reveal(&customer.email).or_else(|| reveal(&customer.raw_email).map(|said| format!("said {said:?}")));
        let reach = if customer.is_reachable() { None } else { Some("nobody can reach this customer".to_owned()) };
        let start = request.start.at().map(|at| local(at, self.zone));
        let said = request.start.raw().map(|raw| format!("{raw:?}"));
        let start = match (start, said) {
            (Some(start), Some(said)) => Some(format!("{start}, said as {said}")),
            (start, said) => start.or(said),
        };
        let (detail, proposals) = match self.appointment.state() {
            State::NeedsReview { detail, proposals, .. } => (detail.clone(), proposals.as_slice()),
            _ => (None, [].as_slice()),
        };
        let readings = match &request.start {
            RequestedStart::Unusable { readings, .. } => readings.as_slice(),
            RequestedStart::At { .. } => &[],
        };
        let meant: Vec<String> =
            readings.iter().take(6).map(|reading| Language::English.candidate(reading, self.zone)).collect();
        let numbered: Vec<String> =
            (1..).zip(proposals).map(|(number, at)| format!("{number}: {}", local(*at, self.zone))).collect();
        let correction = self.appointment.correction().map(|correction| {
            let start = correction.start.at().map(|at| local(at, self.zone));
            format!(
                "a later analysis of the call says: {} {}",
                correction.service.as_deref().unwrap_or_default(),
                start.as_deref().or(correction.start.raw()).unwrap_or_default()
            )
        });
        let list = |values: Vec<String>| (!values.is_empty()).then(|| values.join("; "));
        [
            ("customer", reveal(&customer.name)),
            ("phone", phone),
            ("email", email),
            ("reach", reach),
            ("wish", start),
            ("may mean", list(meant)),
            ("service", request.service.clone()),
            ("staff", reveal(&request.staff)),
            ("nearly", self.near_miss()),
            ("told", Language::English.told(self.appointment).map(str::to_owned)),
            ("notes", reveal(&request.notes)),
            ("detail", detail),
            ("Cal.com", self.refused.clone()),
            ("slots", list(numbered)),
            ("correction", correction),
            ("summary", self.call.as_ref().and_then(|call| reveal(&call.summary))),
            ("recording", self.call.as_ref().and_then(|call| reveal(&call.recording_url))),
            ("tenant", self.tenant.is_none().then(|| format!("{} was removed", self.appointment.tenant))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// A word that is nearly the name of a staff member, and how to make it one.
    fn near_miss(&self) -> Option<String> {
        let tenant = self.tenant?;
        let NameReading::Unknown { near } = tenant.staff_wish(self.appointment.raw_staff()) else { return None };
        let miss = near.first()?;
        Some(format!(
            "{:?} is nearly {}; if that is meant: frontdesk tenant alias {} {} {:?} --apply",
            miss.said, miss.nearly, tenant.id, miss.nearly, miss.said
        ))
    }
}

fn status(status: BookingStatus) -> &'static str {
    match status {
        BookingStatus::Accepted => "accepted",
        BookingStatus::Pending => "waits for its host to confirm it",
        BookingStatus::Rejected => "rejected by its host",
        BookingStatus::Cancelled => "cancelled",
        BookingStatus::Other => "in a state that this version does not know",
    }
}

/// Appointments as a table, a line each.
pub fn list(appointments: &[Appointment], tenant: &Tenant) -> String {
    let row = |appointment: &Appointment| {
        let request = &appointment.request;
        let staff = appointment.assignment().map(|assignment| assignment.staff.to_string());
        [
            request.start.at().map(|at| local(at, tenant.time_zone)).unwrap_or_default(),
            request.customer.name.as_ref().map(|name| name.reveal().clone()).unwrap_or_default(),
            request.service.clone().unwrap_or_default(),
            staff.unwrap_or_default(),
            appointment.state().name().as_str().replace('_', " "),
            appointment.id.to_string(),
        ]
    };
    table(["start", "customer", "service", "staff", "state", "appointment"], appointments.iter().map(row))
}

/// An appointment without personal data.
pub fn without_personal_data(appointment: &Appointment) -> Value {
    let booking = appointment.booking();
    let hosts = booking.map(|booking| match &booking.hosts {
        HostEvidence::Named(hosts) => json!(hosts.iter().map(|host| host.id).collect::<Vec<_>>()),
        HostEvidence::None { reason, .. } => json!({"none": reason}),
    });
    let assignment = appointment.assignment();
    let (reason, proposals, detail) = match appointment.state() {
        State::NeedsReview { reason, proposals, detail, .. } => {
            (Some(reason.to_string()), json!(proposals), detail.as_deref())
        }
        State::Cancelled { reason, .. } => (Some(reason.as_str().to_owned()), Value::Null, None),
        _ => (None, Value::Null, None),
    };
    json!({
        "appointment": appointment.id,
        "tenant": appointment.tenant,
        "call": appointment.call,
        "source": appointment.source,
        "state": appointment.state().name(),
        "reason": reason,
        "detail": detail,
        "unconfirmed_booking": appointment.unconfirmed_booking(),
        "start": appointment.request.start.at(),
        "calcom_uid": booking.map(|booking| &booking.uid),
        "calcom_status": booking.map(|booking| booking.status),
        "verification": appointment.verification(),
        "hosts": hosts,
        "staff": assignment.map(|assignment| &assignment.staff),
        "strategy": assignment.map(|assignment| assignment.strategy),
        "proposals": proposals,
        "email_unreadable": appointment.request.customer.raw_email.is_some(),
        "attempts": appointment.attempts(),
        "history": appointment.history(),
    })
}
