//! The appointments of the caller, and of nobody else.

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::try_join_all;
use intake::caller_of;
use scheduling::{
    appointment::Appointment,
    identity::{Identified, identify},
    ids::AppointmentId,
    spoken_time::{Candidate, TimeReading},
};
use store::{StoreError, Versioned};
use wording::spoken::Missing;

use crate::{answer::Answer, conversation::Conversation, error::ToolError, tools::Interrupted};

/// So many appointments of one number are looked at, those that start last.
const MOST: usize = 20;

impl Conversation<'_> {
    /// The caller's coming appointments, or the question who the caller is.
    pub async fn appointments(&self) -> Result<Vec<Versioned<Appointment>>, Interrupted> {
        let name = self.args.text("name");
        let days = self.days_of("date");
        let caller = caller_of(self.call, self.tenant);
        let stored = match &caller {
            Some(caller) => self.load_all(self.bookings.appointments.of_customer(caller).await?).await?,
            None => match days.first() {
                Some(day) if name.is_some() => self.starting_on(*day).await?,
                _ => return Err(self.ask(Missing::NameAndDay).into()),
            },
        };
        let coming: Vec<Versioned<Appointment>> =
            stored.into_iter().filter(|stored| is_coming(&stored.value, self.now)).collect();
        let all: Vec<&Appointment> = coming.iter().map(|stored| &stored.value).collect();
        match identify(&all, caller.is_some(), name.as_deref()) {
            Identified::As(theirs) => {
                let ids: Vec<AppointmentId> = theirs.iter().map(|appointment| appointment.id.clone()).collect();
                Ok(coming.into_iter().filter(|stored| ids.contains(&stored.value.id)).collect())
            }
            Identified::AskName => Err(self.ask(Missing::NameOfShared).into()),
        }
    }

    /// The appointment that the arguments mean, or the question which one.
    pub async fn appointment(&self) -> Result<Option<Versioned<Appointment>>, Interrupted> {
        let mut coming = self.appointments().await?;
        if let Some(id) = self.args.text("appointment_id")
            && coming.iter().any(|stored| stored.value.id.as_str() == id)
        {
            coming.retain(|stored| stored.value.id.as_str() == id);
        }
        let (days, service) = (self.days_of("date"), self.args.text("service"));
        let service = service.and_then(|raw| self.tenant.service_called(&raw)).map(|service| &service.id);
        if coming.len() > 1 && !days.is_empty() {
            coming.retain(|stored| start_of(&stored.value).is_some_and(|at| days.contains(&self.day(at))));
        }
        if coming.len() > 1 && service.is_some() {
            coming.retain(|stored| stored.value.service(self.tenant) == service);
        }
        if coming.len() > 1 {
            let described = try_join_all(coming.iter().map(|stored| self.described(&stored.value))).await?;
            let (sentences, data): (Vec<_>, Vec<_>) = described.into_iter().unzip();
            return Err(Answer::ask(self.voice().ask_which(&sentences)).with("appointments", data).into());
        }
        Ok(coming.pop())
    }

    async fn load_all(&self, ids: Vec<AppointmentId>) -> Result<Vec<Versioned<Appointment>>, ToolError> {
        let latest = ids.len().saturating_sub(MOST);
        let loads = ids[latest..].iter().map(|id| self.bookings.load(id));
        Ok(try_join_all(loads).await?.into_iter().flatten().collect())
    }

    async fn starting_on(&self, day: NaiveDate) -> Result<Vec<Versioned<Appointment>>, ToolError> {
        let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0)?.and_local_timezone(self.tenant.time_zone).earliest();
        let (Some(from), Some(to)) = (midnight(day), day.succ_opt().and_then(midnight)) else { return Ok(Vec::new()) };
        let (from, to) = (from.with_timezone(&Utc), to.with_timezone(&Utc));
        let ids = self.bookings.appointments.starting(&self.tenant.id, from, Some(to)).await?;
        let loads = ids.iter().map(|id| self.bookings.load(id));
        Ok(try_join_all(loads)
            .await
            .map_err(|error: StoreError| ToolError::from(error))?
            .into_iter()
            .flatten()
            .collect())
    }

    /// The days that the words under a key may mean.
    fn days_of(&self, key: &str) -> Vec<NaiveDate> {
        let Some(text) = self.args.text(key) else { return Vec::new() };
        let mut days: Vec<NaiveDate> = match self.read_time(&text) {
            TimeReading::Moment { at, .. } => vec![self.day(at)],
            TimeReading::Window(windows) => windows.iter().map(|window| self.day(window.from)).collect(),
            TimeReading::Question { readings, .. } => readings
                .iter()
                .map(|reading| match reading {
                    Candidate::At { at } => self.day(*at),
                    Candidate::Window(window) => self.day(window.from),
                })
                .collect(),
            TimeReading::None(_) => Vec::new(),
        };
        days.dedup();
        days
    }

    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.tenant.time_zone).date_naive()
    }
}

/// When it starts: as it is booked, else as it was requested.
pub fn start_of(appointment: &Appointment) -> Option<DateTime<Utc>> {
    appointment.booking().map(|booking| booking.start).or(appointment.request.start.at())
}

/// Whether it is still to take place.
pub fn is_coming(appointment: &Appointment, now: DateTime<Utc>) -> bool {
    appointment.is_open() && !appointment.is_erased() && start_of(appointment).is_some_and(|start| start > now)
}
