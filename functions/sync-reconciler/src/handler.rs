//! Handles a scheduled run: resend what is due and has not moved.

use std::{collections::BTreeMap, time::Duration};

use chrono::Utc;
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    deadline::time_left,
    env,
    queues::{AppointmentMessage, MessageKind, Queue, QueueError},
    telemetry::{LogContext, Metrics, Unit},
};
use scheduling::{
    appointment::{Actor, Appointment, DueCause, StateName},
    ids::AppointmentId,
    timing::Timing,
};
use serde::Serialize;
use store::{
    AccountPauses, Appointments, Cursor, Overdue, SetupFaults, StoreError, Tenants, Versioned,
    sweep::{SweepRequest, SweepResult, sweep},
};
use tracing::Instrument;

const FUNCTION: &str = "sync-reconciler";
/// An appointment with this many expired leases is moved to review: it may be what kills its workers.
const MAX_EXPIRED_LEASES: u32 = 5;
/// While more messages than this wait in a queue, an overdue appointment most likely waits there, and resending it would
/// only make the queue longer.
const MAX_QUEUE_LENGTH: u32 = 200;
/// Appointments that waited for an event type are only resumed while the invocation has this much time left.
const MIN_TIME_TO_RESUME: Duration = Duration::from_secs(20);
/// An appointment that was resent this often without moving raises an alarm.
const STUCK_AFTER: u32 = 3;

/// The response of a run.
#[derive(Debug, PartialEq, Serialize)]
pub struct Response {
    /// Whether it only counted.
    pub dry_run: bool,
    /// The appointments that were resent, by cause.
    pub resent: BTreeMap<DueCause, u32>,
    /// Those whose account is paused.
    pub paused: u32,
    /// Those that were resumed because their event type can be booked again, or to find out whether it can.
    pub resumed: u32,
    /// Those that were not resent because the queue in which they most likely wait is long.
    pub held_back: u32,
    /// Those that were moved to review because their workers died repeatedly.
    pub stalled: u32,
    /// Those that had moved by the time they were loaded.
    pub skipped: u32,
    /// Those that failed. The next run finds them again.
    pub failed: u32,
    /// The cost of reading the index, in DynamoDB's read units.
    pub read_units: f64,
    /// Where to continue, if the time was too short. The next scheduled run continues on its own.
    pub resume_after: Option<Cursor>,
}

/// What became of one appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Resent(DueCause),
    Paused,
    HeldBack,
    Stalled,
    Skipped,
}

/// One run.
struct Run {
    dry_run: bool,
    log: LogContext,
    bookings_are_long: bool,
    assignments_are_long: bool,
}

/// Why an appointment could not be resent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResendError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Everything that the reconciler needs, created once per process.
pub struct SyncReconciler {
    pub(crate) appointments: Appointments,
    pub(crate) tenants: Tenants,
    pub(crate) setup_faults: SetupFaults,
    pauses: AccountPauses,
    pub(crate) bookings: Queue,
    assignments: Queue,
    pub(crate) metrics: Metrics,
    pub(crate) timing: Timing,
    version: String,
}

impl SyncReconciler {
    /// Reads the environment and creates the clients.
    pub fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        Ok(Self {
            appointments: Appointments::from_env(&config, timing)?,
            tenants: Tenants::from_env(&config)?,
            setup_faults: SetupFaults::from_env(&config)?,
            pauses: AccountPauses::from_env(&config)?,
            bookings: Queue::bookings_from_env(&config)?,
            assignments: Queue::assignments_from_env(&config)?,
            metrics: Metrics::new(FUNCTION),
            timing,
            version: env::deployed_version(),
        })
    }

    /// Resends what is due, longest waiting first, while the invocation has time.
    pub async fn handle(&self, request: SweepRequest, context: Context) -> Result<Response, Error> {
        let (log, now) = (LogContext::for_request(&context), Utc::now());
        let lengths = tokio::try_join!(self.bookings.approximate_length(), self.assignments.approximate_length())?;
        let run = Run {
            dry_run: request.dry_run,
            log: log.clone(),
            bookings_are_long: lengths.0 > MAX_QUEUE_LENGTH,
            assignments_are_long: lengths.1 > MAX_QUEUE_LENGTH,
        };
        async {
            let page = async |from: Option<Cursor>| self.appointments.due(now, from.as_ref()).await;
            let work = async |id: AppointmentId| self.resend(&id, &run).await;
            let result = sweep(&context, request.resume_after.clone(), page, work).await?;
            self.count_paused_accounts(&log).await?;
            let has_time = time_left(&context) > MIN_TIME_TO_RESUME && result.resume_after.is_none();
            let resumed = if has_time && !request.dry_run { self.resume_after_setup_faults(&log).await } else { 0 };
            let response = Response { resumed, ..response_of(request.dry_run, &result) };
            tracing::info!(result = %serde_json::to_string(&response)?, "due appointments resent");
            Ok(response)
        }
        .instrument(log.span())
        .await
    }

    /// Counts the paused accounts on each run, so that their alarm rings until there are none.
    async fn count_paused_accounts(&self, log: &LogContext) -> Result<(), StoreError> {
        let paused = self.pauses.all().await?.len() as u64;
        if paused > 0 {
            self.metrics.record("AccountsPaused", Unit::Count(paused), None, log);
        }
        Ok(())
    }

    /// Resends an appointment, if it is still due when it is loaded, and postpones the next check.
    async fn resend(&self, id: &AppointmentId, run: &Run) -> Result<Outcome, ResendError> {
        let now = Utc::now();
        let Some(Overdue { appointment, resends }) = self.appointments.load_overdue(id).await? else {
            return Ok(Outcome::Skipped);
        };
        let Versioned { value: appointment, version } = appointment;
        let Some(due) = appointment.due(&self.timing).filter(|due| due.at <= now) else {
            return Ok(Outcome::Skipped);
        };
        let log = run.log.for_appointment(&appointment);
        if appointment.expired_leases() >= MAX_EXPIRED_LEASES && due.cause == DueCause::LeaseExpired {
            return if run.dry_run { Ok(Outcome::Stalled) } else { self.stall(&appointment, &log).await };
        }
        if appointment.state().name() != StateName::Booked
            && let Some(tenant) = self.tenants.load(&appointment.tenant).await?
            && let Some(pause) = self.pauses.of(&tenant.calcom.account).await?
            && pause.until > now
        {
            if !run.dry_run {
                self.appointments.postpone(id, version, pause.until, false).await?;
            }
            return Ok(Outcome::Paused);
        }
        let message = AppointmentMessage::process(&appointment);
        let (queue, is_long, message) = match (due.cause, appointment.booking()) {
            (DueCause::NotVerified, _) => {
                (&self.bookings, run.bookings_are_long, message.with_kind(MessageKind::Verify))
            }
            (DueCause::NotChanged, _) => {
                (&self.bookings, run.bookings_are_long, message.with_kind(MessageKind::Change))
            }
            (_, Some(_)) => (&self.assignments, run.assignments_are_long, message),
            (_, None) => (&self.bookings, run.bookings_are_long, message),
        };
        // The message of a dead worker is certainly not in the queue, and none was sent for an attempt far ahead.
        let is_sent = match due.cause {
            DueCause::LeaseExpired => false,
            DueCause::AttemptDue => resends > 0,
            _ => true,
        };
        if is_long && is_sent {
            return Ok(Outcome::HeldBack);
        }
        if run.dry_run {
            return Ok(Outcome::Resent(due.cause));
        }
        queue.send(&message).await?;
        self.appointments.postpone(id, version, now + self.timing.resend_delay(resends), true).await?;
        self.metrics.count("Resent", Some(due.cause.as_str()), &log);
        if resends >= STUCK_AFTER {
            self.metrics.count("Stuck", Some(due.cause.as_str()), &log);
        }
        log.span().in_scope(|| tracing::warn!(cause = due.cause.as_str(), resends, "appointment resent"));
        Ok(Outcome::Resent(due.cause))
    }

    async fn stall(&self, appointment: &Appointment, log: &LogContext) -> Result<Outcome, ResendError> {
        let by = self.actor();
        let detail = "its workers died repeatedly; Cal.com may hold its booking";
        if !self.appointments.stall(&appointment.id, detail, by).await? {
            return Ok(Outcome::Skipped);
        }
        self.metrics.count("AppointmentStalled", None, log);
        log.span().in_scope(|| tracing::error!("appointment moved to review: its workers died repeatedly"));
        Ok(Outcome::Stalled)
    }
}

impl SyncReconciler {
    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now(), person: None }
    }
}

fn response_of(dry_run: bool, result: &SweepResult<Outcome>) -> Response {
    let count = |outcome| result.outcomes.get(&outcome).copied().unwrap_or_default();
    let resent = result.outcomes.iter().filter_map(|(outcome, count)| match outcome {
        Outcome::Resent(cause) => Some((*cause, *count)),
        _ => None,
    });
    Response {
        dry_run,
        resent: resent.collect(),
        paused: count(Outcome::Paused),
        resumed: 0,
        held_back: count(Outcome::HeldBack),
        stalled: count(Outcome::Stalled),
        skipped: count(Outcome::Skipped),
        failed: result.failed,
        read_units: result.read_units,
        resume_after: result.resume_after.clone(),
    }
}
