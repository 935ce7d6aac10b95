//! Handles a scheduled run: cancel unbooked appointments whose start has passed, close booked ones, and delete what is no
//! longer kept.

use calcom::{Calcom, CalcomConfig};
use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::{Context, Error};
use platform::{
    aws, env,
    secrets::{CalcomKeys, Secret},
    telemetry::{LogContext, Metrics},
};
use scheduling::{
    appointment::{Actor, Appointment, CancelReason, State},
    ids::AppointmentId,
};
use serde::Serialize;
use store::{
    Appointments, Cursor, ExchangeRecord, Phase, StoreError, Tenants, Version, Versioned,
    sweep::{SweepRequest, SweepResult, sweep},
};
use tracing::Instrument;

use crate::retention::{Retention, RetentionResult};

const FUNCTION: &str = "past-cleanup";
/// A booked appointment is closed this long after its start: by then people have noted no-shows at Cal.com.
const CLOSE_AFTER: TimeDelta = TimeDelta::days(1);

/// The response of a run.
#[derive(Debug, PartialEq, Serialize)]
pub struct Response {
    /// Whether it only counted.
    pub dry_run: bool,
    /// The appointments whose start has passed.
    pub found: u32,
    /// Those that were cancelled, unbooked or as cancelled at Cal.com, or would be.
    pub cancelled: u32,
    /// Those that were closed as completed, or would be.
    pub completed: u32,
    /// Those that were closed as no-shows.
    pub no_show: u32,
    /// Closed ones that their tenant no longer keeps, which were deleted, or would be.
    pub deleted: u32,
    /// Those that were skipped: a worker holds them, they changed since, or Cal.com could not be queried.
    pub skipped: u32,
    /// Those that failed. The next run finds them again.
    pub failed: u32,
    /// The cost of reading the index, in DynamoDB's read units.
    pub read_units: f64,
    /// Where to continue among the unbooked, if the time was too short. The next scheduled run continues on its own.
    pub resume_after: Option<Cursor>,
}

/// What became of one appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Cancelled,
    Completed,
    NoShow,
    Skipped,
}

/// Everything that the cleanup needs, created once per process.
pub struct PastCleanup {
    pub(crate) appointments: Appointments,
    pub(crate) tenants: Tenants,
    pub(crate) keys: Secret<CalcomKeys>,
    pub(crate) calcom: Calcom,
    metrics: Metrics,
    version: String,
}

impl PastCleanup {
    /// Reads the environment and creates the clients.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        Ok(Self {
            appointments: Appointments::from_env(&config, timing)?,
            tenants: Tenants::from_env(&config)?,
            keys: Secret::from_env(&config)?,
            calcom: Calcom::new(CalcomConfig::from_env(&timing)?)?,
            metrics: Metrics::new(FUNCTION),
            version: env::deployed_version(),
        })
    }

    /// Closes past appointments, first the unbooked and then the booked ones, while the invocation has time.
    pub async fn handle(&self, request: SweepRequest, context: Context) -> Result<Response, Error> {
        let (log, dry_run) = (LogContext::for_request(&context), request.dry_run);
        async {
            let unbooked = self.sweep(Phase::Unbooked, &request, &context, &log).await?;
            let booked = match unbooked.resume_after {
                None => {
                    let request = SweepRequest { resume_after: None, ..request };
                    Some(self.sweep(Phase::Booked, &request, &context, &log).await?)
                }
                Some(_) => None,
            };
            let expired = match &booked {
                Some(booked) if booked.resume_after.is_none() => {
                    let (appointments, tenants, metrics) = (&self.appointments, &self.tenants, &self.metrics);
                    Retention { appointments, tenants, metrics, dry_run, context: &context, log: &log }.apply().await?
                }
                _ => RetentionResult::default(),
            };
            let closed = response_of(dry_run, &unbooked, booked.as_ref());
            let response = Response { deleted: expired.deleted, failed: closed.failed + expired.failed, ..closed };
            tracing::info!(result = %serde_json::to_string(&response)?, "past appointments closed");
            Ok(response)
        }
        .instrument(log.span())
        .await
    }

    async fn sweep(
        &self,
        phase: Phase,
        request: &SweepRequest,
        context: &Context,
        log: &LogContext,
    ) -> Result<SweepResult<Outcome>, StoreError> {
        let now = Utc::now();
        let before = if phase == Phase::Booked { now - CLOSE_AFTER } else { now };
        let page = async |from: Option<Cursor>| self.appointments.past(phase, before, from.as_ref()).await;
        let work = async |id: AppointmentId| self.process(&id, before, request.dry_run, log).await;
        sweep(context, request.resume_after.clone(), page, work).await
    }

    /// Closes one appointment, if its start has still passed when it is loaded.
    async fn process(
        &self,
        id: &AppointmentId,
        before: DateTime<Utc>,
        dry_run: bool,
        log: &LogContext,
    ) -> Result<Outcome, StoreError> {
        let Some(stored) = self.appointments.load(id).await? else { return Ok(Outcome::Skipped) };
        let log = log.for_appointment(&stored.value);
        match (stored.value.is_past(before), stored.value.has_ended(before)) {
            (true, _) if dry_run => Ok(Outcome::Cancelled),
            (_, true) if dry_run => Ok(Outcome::Completed),
            (true, _) => self.cancel(stored, &log).await,
            (_, true) => self.close(stored, &log).await,
            (false, false) => Ok(Outcome::Skipped),
        }
    }

    async fn cancel(&self, stored: Versioned<Appointment>, log: &LogContext) -> Result<Outcome, StoreError> {
        let Versioned { value: mut appointment, version } = stored;
        if appointment.cancel_past(self.actor()).is_err() {
            return Ok(Outcome::Skipped);
        }
        self.write(&appointment, version, &[], log).await
    }

    pub(crate) async fn write(
        &self,
        appointment: &Appointment,
        version: Version,
        exchanges: &[ExchangeRecord],
        log: &LogContext,
    ) -> Result<Outcome, StoreError> {
        match self.appointments.update(appointment, version).exchanges(exchanges).commit().await {
            Ok(_) => {}
            Err(StoreError::Conflict) => return Ok(Outcome::Skipped),
            Err(error) => return Err(error),
        }
        let (metric, kind, outcome) = match appointment.state() {
            State::Completed { .. } => ("Closed", "completed", Outcome::Completed),
            State::NoShow { .. } => ("Closed", "no_show", Outcome::NoShow),
            State::Cancelled { reason, .. } => ("Cancelled", reason.as_str(), Outcome::Cancelled),
            _ => ("Cancelled", CancelReason::Past.as_str(), Outcome::Cancelled),
        };
        self.metrics.count(metric, Some(kind), log);
        log.span().in_scope(|| tracing::info!(outcome = kind, "past appointment closed"));
        Ok(outcome)
    }

    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now(), person: None }
    }
}

fn response_of(dry_run: bool, unbooked: &SweepResult<Outcome>, booked: Option<&SweepResult<Outcome>>) -> Response {
    let results = || std::iter::once(unbooked).chain(booked);
    let count = |outcome| results().filter_map(|result| result.outcomes.get(&outcome)).sum();
    Response {
        dry_run,
        found: results().map(|result| result.outcomes.values().sum::<u32>() + result.failed).sum(),
        cancelled: count(Outcome::Cancelled),
        completed: count(Outcome::Completed),
        no_show: count(Outcome::NoShow),
        deleted: 0,
        skipped: count(Outcome::Skipped),
        failed: results().map(|result| result.failed).sum(),
        read_units: results().map(|result| result.read_units).sum(),
        resume_after: unbooked.resume_after.clone(),
    }
}
