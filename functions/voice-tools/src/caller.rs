//! The appointments of the caller, and of nobody else.

use chrono::{DateTime, Utc};
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
    /// The caller's coming appointments, or the question who the caller is.
    pub async fn appointments(&self) -> Result<Vec<Versioned<Appointment>>, Interrupted> {
        let name = self.args.text("name");
        let caller = caller_of(self.call, self.tenant);
        let stored = match &caller {
            Some(caller) => self.load_all(self.bookings.appointments.of_customer(caller).await?).await?,
            None => match self.named_time("date").and_then(|time| bounds_of(&time)).filter(|_| name.is_some()) {
                Some((from, to)) => self.starting(from, to).await?,
                None => return Err(self.ask(Missing::NameAndDay).into()),
            },
        };
        let kept: Vec<&Appointment> =
            stored.iter().map(|stored| &stored.value).filter(|appointment| !appointment.is_erased()).collect();
        match identify(&kept, caller.is_some(), name.as_deref(), self.now) {
            Identified::As(theirs) => {
                let ids: Vec<AppointmentId> = theirs.iter().map(|appointment| appointment.id.clone()).collect();
                Ok(stored.into_iter().filter(|stored| ids.contains(&stored.value.id)).collect())
            }
            Identified::AskName => Err(self.ask(Missing::NameOfShared).into()),
        }
    }

    /// The appointment that the arguments mean, or the question which one.
    pub async fn appointment(&self) -> Result<Option<Versioned<Appointment>>, Interrupted> {
        let mut coming = self.appointments().await?;
        let (id, service) = (self.args.text("appointment_id"), self.args.text("service"));
        let service = service.and_then(|raw| self.tenant.service_called(&raw)).map(|service| &service.id);
        let which = Which { id: id.as_deref(), time: self.named_time("date"), service };
        coming.retain(|stored| which.fits(&stored.value, self.tenant));
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

    async fn starting(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Versioned<Appointment>>, ToolError> {
        let midnight = |at: DateTime<Utc>, days: i64| {
            let day = at.with_timezone(&self.tenant.time_zone).date_naive() + chrono::TimeDelta::days(days);
            day.and_hms_opt(0, 0, 0)?.and_local_timezone(self.tenant.time_zone).earliest()
        };
        let (Some(from), Some(to)) = (midnight(from, 0), midnight(to, 1)) else { return Ok(Vec::new()) };
        let (from, to) = (from.to_utc(), to.to_utc());
        let mut ids = self.bookings.appointments.starting(&self.tenant.id, from, Some(to)).await?;
        ids.truncate(10 * MOST);
        let loads = ids.iter().map(|id| self.bookings.load(id));
        Ok(try_join_all(loads)
            .await
            .map_err(|error: StoreError| ToolError::from(error))?
            .into_iter()
            .flatten()
            .collect())
    }

    /// The time under a key, if it names one.
    fn named_time(&self, key: &str) -> Option<TimeReading> {
        self.args.text(key).map(|text| self.read_time(&text)).filter(|time| !time.spans().is_empty())
    }
}

/// From the first to the last moment that was named: a day, or the days of a week.
fn bounds_of(time: &TimeReading) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let spans = time.spans();
    let from = spans.iter().map(|(from, _)| *from).min()?;
    let to = spans.iter().map(|(_, to)| *to).max()?;
    (to - from < chrono::TimeDelta::days(8)).then_some((from, to))
}
