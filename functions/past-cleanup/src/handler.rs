//! From a schedule to settled appointments: what is past and unbooked is cancelled, what is past and booked is closed.

use calcom::{Calcom, FoundBooking};
use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    secrets::{CalcomKeys, Secret},
    settings,
    store::{Along, Appointments, Cursor, ExchangeRecord, Phase, StoreError, Tenants, Version},
    sweep::{self, Order, SweepResult, sweep},
    telemetry::{Metrics, LogContext},
};
use scheduling::{
    appointment::{Actor, Appointment, CancelReason, Outcome as Closed, State},
    failure::Category,
    ids::{AppointmentId, BookingUid},
};
use serde::Serialize;
use tracing::Instrument;

const FUNCTION: &str = "past-cleanup";
/// A booked appointment is closed so long after its start: by then people have noted at Cal.com who did not come.
const CLOSED_AFTER: TimeDelta = TimeDelta::days(1);
/// For so long Cal.com is asked what became of a booking. Then it is taken for completed.
const ASKED_FOR: TimeDelta = TimeDelta::days(8);

/// What was done.
#[derive(Debug, PartialEq, Serialize)]
pub struct Report {
    /// Whether it was counted only.
    pub dry_run: bool,
    /// How many appointments were found whose time is past.
    pub found: u32,
    /// How many were cancelled, unbooked or cancelled at Cal.com, or would be.
    pub cancelled: u32,
    /// How many were closed as completed, or would be.
    pub completed: u32,
    /// How many were closed because the customer did not come.
    pub no_show: u32,
    /// How many were left alone: a worker is at them, they have changed since, or Cal.com could not be asked.
    pub left_alone: u32,
    /// How many could not be seen to. The next run finds them again.
    pub failed: u32,
    /// What reading the index cost, in DynamoDB's read units.
    pub read_units: f64,
    /// Where to go on among the unbooked, where the time did not suffice. The next scheduled run goes on by itself.
    pub resume_after: Option<Cursor>,
}

/// What became of one appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Cancelled,
    Completed,
    NoShow,
    LeftAlone,
}

/// All that the cleanup needs, made once per process.
pub struct PastCleanup {
    appointments: Appointments,
    tenants: Tenants,
    keys: Secret<CalcomKeys>,
    calcom: Calcom,
    metrics: Metrics,
    version: String,
}

impl PastCleanup {
    /// Reads the settings and makes the clients.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::config_of_function()?, settings::timing()?);
        Ok(Self {
            appointments: Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?, timing),
            tenants: Tenants::new(&config, settings::required("TENANTS_TABLE")?),
            keys: Secret::new(&config, settings::required("CALCOM_KEYS_SECRET")?),
            calcom: Calcom::new(calcom::Settings::from_env(&timing))?,
            metrics: Metrics::new(FUNCTION),
            version: settings::deployed_version(),
        })
    }

    /// Settles what is past, first the unbooked and then the booked, page by page, as long as there is time.
    pub async fn clean_up(&self, order: Order, context: Context) -> Result<Report, Error> {
        let request = LogContext::of_request(&context);
        async {
            let unbooked = self.sweep(Phase::Unbooked, &order, &context, &request).await?;
            let booked = match unbooked.resume_after {
                None => {
                    Some(self.sweep(Phase::Booked, &Order { resume_after: None, ..order }, &context, &request).await?)
                }
                Some(_) => None,
            };
            let report = report_of(order.dry_run, &unbooked, booked.as_ref());
            tracing::info!(report = %serde_json::to_string(&report)?, "past appointments are cleaned up");
            Ok(report)
        }
        .instrument(request.span())
        .await
    }

    async fn sweep(
        &self,
        phase: Phase,
        order: &Order,
        context: &Context,
        request: &LogContext,
    ) -> Result<SweepResult<Outcome>, StoreError> {
        let now = Utc::now();
        let before = if phase == Phase::Booked { now - CLOSED_AFTER } else { now };
        let page = async |from: Option<Cursor>| self.appointments.past(phase, before, from.as_ref(), sweep::PAGE).await;
        let work = async |id: AppointmentId| self.settle(&id, before, order.dry_run, request).await;
        sweep(context, order.resume_after.clone(), page, work).await
    }

    /// Settles one appointment, if its time is still past when it is read.
    async fn settle(
        &self,
        id: &AppointmentId,
        before: DateTime<Utc>,
        dry_run: bool,
        request: &LogContext,
    ) -> Result<Outcome, StoreError> {
        let Some((appointment, version)) = self.appointments.load(id).await? else { return Ok(Outcome::LeftAlone) };
        let subject = request.about(&appointment);
        match (appointment.is_past(before), appointment.has_ended(before)) {
            (true, _) if dry_run => Ok(Outcome::Cancelled),
            (_, true) if dry_run => Ok(Outcome::Completed),
            (true, _) => self.cancel(appointment, version, &subject).await,
            (_, true) => self.close(appointment, version, &subject).await,
            (false, false) => Ok(Outcome::LeftAlone),
        }
    }

    async fn cancel(
        &self,
        mut appointment: Appointment,
        version: Version,
        subject: &LogContext,
    ) -> Result<Outcome, StoreError> {
        if appointment.cancel_past(self.actor()).is_err() {
            return Ok(Outcome::LeftAlone);
        }
        self.write(&appointment, version, &[], subject).await
    }

    /// Closes a booked appointment as what Cal.com says became of it.
    async fn close(
        &self,
        mut appointment: Appointment,
        version: Version,
        subject: &LogContext,
    ) -> Result<Outcome, StoreError> {
        let (found, evidence) = self.ask(&appointment).await?;
        if let Some(moved) = found.as_ref().and_then(|found| found.rescheduled_to.clone()) {
            return self.reschedule(appointment, version, moved).await;
        }
        let is_long_ago = appointment.booking().is_some_and(|booking| booking.start + ASKED_FOR < Utc::now());
        let outcome = match found {
            Some(found) if !found.booking.status.is_active() => Closed::CancelledAtCalcom,
            Some(found) if found.attendee_absent => Closed::NoShow,
            Some(_) => Closed::Completed,
            None if is_long_ago => Closed::Completed,
            None => return Ok(Outcome::LeftAlone),
        };
        if appointment.close(outcome, self.actor()).is_err() {
            return Ok(Outcome::LeftAlone);
        }
        self.write(&appointment, version, &evidence, subject).await
    }

    /// Keeps the booking that took the place of a moved one. A later run closes it, once its own time has gone by.
    async fn reschedule(
        &self,
        mut appointment: Appointment,
        version: Version,
        moved: BookingUid,
    ) -> Result<Outcome, StoreError> {
        let (found, evidence) = self.ask_for(&appointment, &moved).await?;
        let Some(found) = found else { return Ok(Outcome::LeftAlone) };
        if appointment.reschedule(found.booking, self.actor()).is_ok() {
            let along = Along { evidence: &evidence, ..Along::default() };
            match self.appointments.save(&appointment, version, along).await {
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Outcome::LeftAlone)
    }

    /// What Cal.com says of the appointment's booking; nothing where it can't be asked, or doesn't know.
    async fn ask(&self, appointment: &Appointment) -> Result<(Option<FoundBooking>, Vec<ExchangeRecord>), StoreError> {
        let Some(booking) = appointment.booking() else { return Ok((None, Vec::new())) };
        self.ask_for(appointment, &booking.uid).await
    }

    async fn ask_for(
        &self,
        appointment: &Appointment,
        uid: &BookingUid,
    ) -> Result<(Option<FoundBooking>, Vec<ExchangeRecord>), StoreError> {
        let nothing = Ok((None, Vec::new()));
        let Some(tenant) = self.tenants.load(&appointment.tenant).await? else { return nothing };
        let Ok(keys) = self.keys.read().await else { return nothing };
        let Some(key) = keys.of(&tenant.calcom.account) else { return nothing };
        match self.calcom.get(key, uid).await {
            Ok(found) => Ok((Some(found.value), vec![ExchangeRecord { asked: "get", exchange: found.exchange }])),
            Err(failed) => {
                if failed.category != Category::CalcomUnavailable {
                    tracing::warn!(category = failed.category.as_str(), "Cal.com does not say what became of it");
                }
                nothing
            }
        }
    }

    async fn write(
        &self,
        appointment: &Appointment,
        version: Version,
        evidence: &[ExchangeRecord],
        subject: &LogContext,
    ) -> Result<Outcome, StoreError> {
        match self.appointments.save(appointment, version, Along { evidence, ..Along::default() }).await {
            Ok(_) => {}
            Err(StoreError::Conflict) => return Ok(Outcome::LeftAlone),
            Err(error) => return Err(error),
        }
        let (name, reason, outcome) = match appointment.state() {
            State::Completed { .. } => ("Closed", "completed", Outcome::Completed),
            State::NoShow { .. } => ("Closed", "no_show", Outcome::NoShow),
            State::Cancelled { reason, .. } => ("Cancelled", reason.as_str(), Outcome::Cancelled),
            _ => ("Cancelled", CancelReason::Past.as_str(), Outcome::Cancelled),
        };
        self.metrics.count(name, Some(reason), subject);
        subject.span().in_scope(|| tracing::info!(reason, "settled"));
        Ok(outcome)
    }

    fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now() }
    }
}

fn report_of(dry_run: bool, unbooked: &SweepResult<Outcome>, booked: Option<&SweepResult<Outcome>>) -> Report {
    let swept = || std::iter::once(unbooked).chain(booked);
    let count = |outcome| swept().filter_map(|swept| swept.outcomes.get(&outcome)).sum();
    Report {
        dry_run,
        found: swept().map(|swept| swept.outcomes.values().sum::<u32>() + swept.failed).sum(),
        cancelled: count(Outcome::Cancelled),
        completed: count(Outcome::Completed),
        no_show: count(Outcome::NoShow),
        left_alone: count(Outcome::LeftAlone),
        failed: swept().map(|swept| swept.failed).sum(),
        read_units: swept().map(|swept| swept.read_units).sum(),
        resume_after: unbooked.resume_after.clone(),
    }
}
