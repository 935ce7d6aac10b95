//! The appointments of the caller, and of nobody else.

use std::collections::BTreeSet;

use booking::Standing;
use chrono::NaiveDate;
use chrono_tz::Tz;
use futures_util::future::try_join_all;
use intake::caller_of;
use scheduling::{
    appointment::Appointment,
    identity::{Identified, Which, identify},
    ids::AppointmentId,
    live::LiveKind,
    spoken_time::TimeReading,
};
use store::{StoreError, Versioned};
use wording::spoken::Missing;

use crate::{answer::Answer, conversation::Conversation, error::ToolError, tools::Interrupted};

/// So many appointments of one number are looked at, those that start last.
const MOST: usize = 20;

impl Conversation<'_> {
    /// The caller's coming appointments, or the question who the caller is. What was stored in this call is the caller's.
    pub async fn appointments(&self) -> Result<Vec<Versioned<Appointment>>, Interrupted> {
        let name = self.args.text("name");
        let caller = caller_of(self.call, self.tenant);
        let (of_call, stored) = tokio::try_join!(self.of_call(), async {
            match &caller {
                Some(caller) => self.load_all(self.bookings.appointments.of_customer(caller).await?).await,
                None => match self.named_time("date").and_then(|time| day_of(&time, self.tenant.time_zone)) {
                    Some(day) if name.is_some() => self.starting_on(day).await,
                    _ => Ok(Vec::new()),
                },
            }
        })?;
        let is_named = name.is_some() && self.args.text("date").is_some();
        if caller.is_none() && of_call.is_empty() && !is_named {
            return Err(self.ask(Missing::NameAndDay).into());
        }
        let kept: Vec<&Appointment> =
            stored.iter().map(|stored| &stored.value).filter(|appointment| !appointment.is_erased()).collect();
        let theirs: Vec<AppointmentId> = match identify(&kept, caller.is_some(), name.as_deref(), self.now) {
            Identified::As(theirs) => theirs.iter().map(|appointment| appointment.id.clone()).collect(),
            Identified::AskName if of_call.is_empty() => return Err(self.ask(Missing::NameOfShared).into()),
            Identified::AskName => Vec::new(),
        };
        let mut found: Vec<Versioned<Appointment>> =
            stored.into_iter().filter(|stored| theirs.contains(&stored.value.id)).collect();
        for stored in of_call {
            if stored.value.is_coming(self.now) && !found.iter().any(|other| other.value.id == stored.value.id) {
                found.push(stored);
            }
        }
        Ok(found)
    }

    /// What tools stored in this call.
    async fn of_call(&self) -> Result<Vec<Versioned<Appointment>>, ToolError> {
        let actions = self.intake.live_actions(self.call, self.tenant).await?;
        let booked = actions.into_iter().filter(|action| action.kind != LiveKind::Message);
        let ids: BTreeSet<AppointmentId> = booked.map(|action| action.appointment).collect();
        self.load_all(ids.into_iter().collect()).await
    }

    /// The appointment that the arguments mean, as it is at Cal.com now, or the question which one.
    pub async fn appointment(&self) -> Result<Option<Versioned<Appointment>>, Interrupted> {
        let job = self.job();
        let found = self.appointments().await?.into_iter().map(|stored| self.bookings.check(stored, &job));
        let standing = try_join_all(found).await?;
        let mut coming: Vec<Versioned<Appointment>> = standing.into_iter().map(Standing::into_stored).collect();
        let (id, service) = (self.args.text("appointment_id"), self.args.text("service"));
        let service = service.and_then(|raw| self.tenant.service_called(&raw)).map(|service| &service.id);
        let which = Which { id: id.as_deref(), time: self.named_time("date"), service };
        coming.retain(|stored| stored.value.is_coming(self.now) && which.fits(&stored.value, self.tenant));
        if coming.len() > 1 {
            let described = try_join_all(coming.iter().map(|stored| self.described(&stored.value))).await?;
            let (sentences, data): (Vec<_>, Vec<_>) = described.into_iter().unzip();
            return Err(Answer::ask(self.voice().ask_which(&sentences)).with("appointments", data).into());
        }
        Ok(coming.pop())
    }

    /// The appointment that was changed so in this call before: Retell and the model repeat themselves.
    pub async fn changed_before(
        &self,
        kind: LiveKind,
        is_made: impl Fn(&Appointment) -> bool,
    ) -> Result<Option<Appointment>, Interrupted> {
        let id = self.args.text("appointment_id");
        let actions = self.intake.live_actions(self.call, self.tenant).await?;
        for action in actions.into_iter().filter(|action| action.kind == kind) {
            if id.as_deref().is_some_and(|id| action.appointment.as_str() != id) {
                continue;
            }
            let stored = self.bookings.load(&action.appointment).await?.map(|stored| stored.value);
            if let Some(appointment) = stored.filter(&is_made) {
                return Ok(Some(appointment));
            }
        }
        Ok(None)
    }

    async fn load_all(&self, ids: Vec<AppointmentId>) -> Result<Vec<Versioned<Appointment>>, ToolError> {
        let latest = ids.len().saturating_sub(MOST);
        let loads = ids[latest..].iter().map(|id| self.bookings.load(id));
        Ok(try_join_all(loads).await?.into_iter().flatten().collect())
    }

    async fn starting_on(&self, day: NaiveDate) -> Result<Vec<Versioned<Appointment>>, ToolError> {
        let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0)?.and_local_timezone(self.tenant.time_zone).earliest();
        let (Some(from), Some(to)) = (midnight(day), day.succ_opt().and_then(midnight)) else { return Ok(Vec::new()) };
        let ids = self.bookings.appointments.starting(&self.tenant.id, from.to_utc(), Some(to.to_utc())).await?;
        let loads = ids.iter().map(|id| self.bookings.load(id));
        let loaded = try_join_all(loads).await.map_err(|error: StoreError| ToolError::from(error))?;
        Ok(loaded.into_iter().flatten().collect())
    }

    /// The time under a key, if it names one.
    fn named_time(&self, key: &str) -> Option<TimeReading> {
        self.args.text(key).map(|text| self.read_time(&text)).filter(|time| !time.spans().is_empty())
    }
}

/// The day that was named, if it is a single one: a caller who does not know the day hears nothing.
fn day_of(time: &TimeReading, zone: Tz) -> Option<NaiveDate> {
    let days: BTreeSet<NaiveDate> = time
        .spans()
        .into_iter()
        .flat_map(|(from, to)| [from, to])
        .map(|at| at.with_timezone(&zone).date_naive())
        .collect();
    days.first().copied().filter(|_| days.len() == 1)
}
