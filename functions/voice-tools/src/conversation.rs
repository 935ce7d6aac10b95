//! One call of a tool, with all that belongs to it.

use std::{cell::RefCell, time::Instant};

use booking::{Bookings, Job};
use chrono::{DateTime, Utc};
use intake::CallIntake;
use platform::telemetry::LogContext;
use retell::{event::Call, live::Args};
use scheduling::{
    appointment::Appointment,
    assignment::{Case, assign},
    booking::HostEvidence,
    contact::Customer,
    ids::{AppointmentId, ServiceId, StaffId},
    offer::FreeSlot,
    personal::Personal,
    request::CallFields,
    spoken_contact,
    spoken_name::NameReading,
    spoken_time::{Hearing, TimeReading},
    tenant::{Service, StaffMember, StaffWish, Tenant},
};
use serde_json::{Value, json};
use wording::spoken::{Doing, Missing, Voice};

use crate::{
    answer::{Answer, Status},
    error::ToolError,
};

/// Longer words of a caller are cut.
pub const MAX_FIELD: usize = 300;

/// One call of a tool.
pub struct Conversation<'a> {
    /// Books, moves and cancels.
    pub bookings: &'a Bookings,
    /// Stores what is requested.
    pub intake: &'a CallIntake,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The call.
    pub call: &'a Call,
    /// What the model filled in.
    pub args: &'a Args,
    /// What log lines are about.
    pub log: &'a LogContext,
    /// When it came.
    pub now: DateTime<Utc>,
    /// Until when Cal.com is waited for.
    pub until: Instant,
    /// What is stored of it already, so that a failure after that is not told as if nothing had been done.
    pub stored: RefCell<Option<Stored>>,
}

/// What a tool has stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The appointment.
    pub appointment: AppointmentId,
    /// What is done for it.
    pub doing: Doing,
    /// Whether its customer can be reached.
    pub is_reachable: bool,
}

impl<'a> Conversation<'a> {
    /// The agent's voice.
    pub fn voice(&self) -> Voice<'a> {
        Voice { tenant: self.tenant, now: self.now }
    }

    /// Asks for what is missing.
    pub fn ask(&self, missing: Missing) -> Answer {
        let word = match missing {
            Missing::Service => "service",
            Missing::Start => "start",
            Missing::Name | Missing::NameOfShared => "name",
            Missing::Phone => "phone",
            Missing::Message => "text",
            Missing::NameAndDay => "name_and_date",
        };
        Answer::ask(self.voice().ask(missing)).with("missing", word)
    }

    /// Reads a time. It counts from now: the caller says it in this moment.
    pub fn read_time(&self, text: &str) -> TimeReading {
        let (zone, hours) = (self.tenant.time_zone, self.tenant.hours.as_ref());
        Hearing { said_at: self.now, zone, hours, is_english: self.tenant.language == "en" }.read(text)
    }

    /// The service of the arguments, or the question for it. A business with one service is not asked.
    pub fn service(&self) -> Result<&'a Service, Answer> {
        let Some(raw) = self.args.text("service") else {
            return match self.tenant.services.as_slice() {
                [only] => Ok(only),
                _ => Err(self.ask(Missing::Service)),
            };
        };
        let of = |id: &ServiceId| self.tenant.services.iter().find(|service| service.id == *id);
        let fitting = match self.tenant.service_wish(&raw) {
            NameReading::Known(id) => return of(&id).ok_or_else(|| self.ask(Missing::Service)),
            NameReading::Several(ids) | NameReading::Ambiguous(ids) => ids,
            NameReading::Unknown { near } => near.into_iter().map(|miss| miss.nearly).collect(),
            NameReading::Anyone => Vec::new(),
        };
        let names: Vec<String> = fitting.iter().filter_map(of).map(|service| service.name.clone()).collect();
        Err(match names.is_empty() {
            true => self.ask(Missing::Service),
            false => {
                Answer::ask(self.voice().ask_which_service(&names)).with("missing", "service").with("services", names)
            }
        })
    }

    /// The staff member of the arguments, if one is named; or the question whom the caller means.
    pub fn staff(&self) -> Result<Option<&'a StaffMember>, Answer> {
        let raw = self.args.text("staff");
        match self.tenant.staff_wish(raw.as_deref()) {
            NameReading::Anyone => Ok(None),
            NameReading::Known(id) => Ok(self.tenant.staff_member(&id)),
            _ => {
                let names = self.staff_names();
                Err(Answer::ask(self.voice().ask_staff(&names)).with("missing", "staff").with("staff", names))
            }
        }
    }

    /// The names of those who take appointments.
    pub fn staff_names(&self) -> Vec<String> {
        let active = self.tenant.staff.iter().filter(|member| member.active);
        active.map(|member| member.name.reveal().clone()).collect()
    }

    /// The customer: what the arguments say, and the caller's number where they name none.
    pub fn customer(&self) -> Customer {
        let read_phone = |text: &str| spoken_contact::phone_number(text, &self.tenant.country);
        let cut = |text: String| Personal::new(spoken_contact::shortened(&text, MAX_FIELD));
        let (raw_phone, raw_email) = (self.args.text("phone"), self.args.text("email"));
        let phone = raw_phone.as_deref().and_then(read_phone);
        let email = raw_email.as_deref().and_then(spoken_contact::email);
        Customer {
            name: self.args.text("name").as_deref().and_then(spoken_contact::name),
            raw_phone: raw_phone.filter(|_| phone.is_none()).map(cut),
            phone: phone.or_else(|| self.call.caller_number().and_then(read_phone)),
            raw_email: raw_email.filter(|_| email.is_none()).map(cut),
            email,
        }
    }

    /// The job of this caller, who waits.
    pub fn job(&self) -> Job<'a> {
        self.bookings.job_of_caller(self.tenant, self.log, self.until)
    }

    /// Whether the caller still waits.
    pub fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    /// Who does the appointment, as far as that is known now.
    pub async fn staff_of(&self, appointment: &Appointment) -> Result<Option<&'a StaffMember>, ToolError> {
        if let Some(assignment) = appointment.assignment() {
            return Ok(self.tenant.staff_member(&assignment.staff));
        }
        let Some(booking) = appointment.booking() else { return Ok(None) };
        let hosts = match &booking.hosts {
            HostEvidence::Named(hosts) => hosts.iter().map(|host| host.id).collect(),
            HostEvidence::None { .. } => Vec::new(),
        };
        let mappings = self.bookings.tenants.mappings(&self.tenant.id, &hosts).await?;
        // Who does it is named, also if the caller wanted somebody else.
        let wish = StaffWish::Anybody;
        let found = assign(&Case { booking, tenant: self.tenant, mappings: &mappings, wish });
        Ok(found.ok().and_then(|assignment| self.tenant.staff_member(&assignment.staff)))
    }

    /// An appointment in a sentence, and as data.
    pub async fn described(&self, appointment: &Appointment) -> Result<(String, Value), ToolError> {
        let staff = self.staff_of(appointment).await?;
        let service = appointment.service(self.tenant);
        let service = self.tenant.services.iter().find(|it| Some(&it.id) == service).map(|it| it.name.as_str());
        let start = appointment.start().unwrap_or(self.now);
        let name = staff.map(|member| member.name.reveal().as_str());
        let data = json!({
            "appointment_id": appointment.id, "service": service, "staff": name,
            "start": start.with_timezone(&self.tenant.time_zone).to_rfc3339(),
        });
        Ok((self.voice().appointment(service, start, name), data))
    }

    /// Slots as data.
    pub fn listed(&self, slots: &[FreeSlot]) -> Vec<Value> {
        let name = |id: &StaffId| self.tenant.staff_member(id).map(|member| member.name.reveal().clone());
        let listed = slots.iter().map(|slot| {
            let start = slot.start.with_timezone(&self.tenant.time_zone).to_rfc3339();
            let mut listed = json!({"start": start, "spoken": self.voice().moment(slot.start)});
            let staff: Vec<String> = slot.staff.iter().filter_map(name).collect();
            if !staff.is_empty() {
                listed["staff"] = json!(staff);
            }
            listed
        });
        listed.collect()
    }

    /// Notes that a wish is stored: from now on it is done, whatever fails.
    pub fn note_stored(&self, appointment: &AppointmentId, doing: Doing, customer: &Customer) {
        let (appointment, is_reachable) = (appointment.clone(), customer.is_reachable());
        *self.stored.borrow_mut() = Some(Stored { appointment, doing, is_reachable });
    }

    /// Notes that a wish is settled otherwise: nothing goes on for it.
    pub fn note_dropped(&self) {
        *self.stored.borrow_mut() = None;
    }

    /// That a wish is stored and not confirmed.
    pub fn being_entered(&self, stored: &Stored) -> Answer {
        let say = self.voice().being_entered(stored.doing, stored.is_reachable);
        Answer::new(Status::BeingEntered, say).with("appointment_id", stored.appointment.to_string())
    }

    /// That a person of the business does it.
    pub fn callback(&self, customer: &Customer) -> Answer {
        Answer::new(Status::Callback, self.voice().callback(customer.is_reachable()))
    }

    /// The answer if something failed: what is stored goes on, and else nothing was done.
    pub fn failed(&self) -> Answer {
        let stored = self.stored.borrow().clone();
        stored.map_or_else(|| self.unavailable(), |stored| self.being_entered(&stored))
    }

    /// That the calendar can't be read.
    pub fn unavailable(&self) -> Answer {
        Answer::new(Status::Unavailable, self.voice().unavailable())
    }
}
