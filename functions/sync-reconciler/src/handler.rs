//! From a schedule to messages for whatever is due.
//!
//! Stored is sent: an appointment is found here when its message was never sent or got lost, when its worker died, and
//! when its next attempt lies further ahead than a message can wait.

use std::collections::BTreeMap;

use chrono::Utc;
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    queues::{AppointmentMessage, Queue, QueueError},
    settings,
    store::{Appointments, Cursor, Overdue, Pauses, StoreError, Tenants},
    sweep::{self, Order, sweep},
    telemetry::{Metrics, LogContext},
};
use scheduling::{
    appointment::{Actor, Appointment, DueCause, StateName},
    ids::AppointmentId,
    timing::Timing,
};
use serde::Serialize;
use tracing::Instrument;

const FUNCTION: &str = "sync-reconciler";
/// An appointment whose workers died so often is set aside: it may be what kills them.
const MOST_WORKERS_LOST: u32 = 5;
/// While more messages than this wait in a queue, what is overdue most likely timing there, too, and sending it once more
/// would only make the queue longer.
const BACKLOG: u32 = 200;
/// What was sent once more so often without moving is worth an alarm.
const STUCK_AFTER: u32 = 3;

/// What was done.
#[derive(Debug, PartialEq, Serialize)]
pub struct Report {
    /// Whether it was counted only.
    pub dry_run: bool,
    /// How many appointments were sent again, by cause.
    pub sent: BTreeMap<DueCause, u32>,
    /// How many wait for their tenant's key.
    pub paused: u32,
    /// How many were not sent because the queue that they most likely wait in is long.
    pub held_back: u32,
    /// How many were set aside because their workers died time after time.
    pub set_aside: u32,
    /// How many had moved by the time they were read.
    pub left_alone: u32,
    /// How many could not be seen to. The next run finds them again.
    pub failed: u32,
    /// What reading the index cost, in DynamoDB's read units.
    pub read_units: f64,
    /// Where to go on, where the time did not suffice. The next scheduled run goes on by itself.
    pub resume_after: Option<Cursor>,
}

/// What became of one appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Sent(DueCause),
    Paused,
    HeldBack,
    Stalled,
    LeftAlone,
}

/// One run over what is due.
struct Run {
    dry_run: bool,
    request: LogContext,
    bookings_are_long: bool,
    assignments_are_long: bool,
}

/// Why an appointment could not be seen to.
#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// All that the reconciler needs, made once per process.
pub struct SyncReconciler {
    appointments: Appointments,
    tenants: Tenants,
    pauses: Pauses,
    bookings: Queue,
    assignments: Queue,
    metrics: Metrics,
    timing: Timing,
    version: String,
}

impl SyncReconciler {
    /// Reads the settings and makes the clients.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::config_of_function()?, settings::timing()?);
        let table = settings::required("APPOINTMENTS_TABLE")?;
        Ok(Self {
            appointments: Appointments::new(&config, table.clone(), timing),
            tenants: Tenants::new(&config, settings::required("TENANTS_TABLE")?),
            pauses: Pauses::new(&config, table),
            bookings: Queue::new(&config, settings::required("BOOKINGS_QUEUE_URL")?),
            assignments: Queue::new(&config, settings::required("ASSIGNMENTS_QUEUE_URL")?),
            metrics: Metrics::new(FUNCTION),
            timing,
            version: settings::deployed_version(),
        })
    }

    /// Sends what is due, the longest waiting first, as long as there is time.
    pub async fn reconcile(&self, order: Order, context: Context) -> Result<Report, Error> {
        let request = LogContext::of_request(&context);
        let now = Utc::now();
        let (bookings, assignments) = tokio::try_join!(self.bookings.waiting(), self.assignments.waiting())?;
        let run = Run {
            dry_run: order.dry_run,
            request: request.clone(),
            bookings_are_long: bookings > BACKLOG,
            assignments_are_long: assignments > BACKLOG,
        };
        async {
            let page = async |from: Option<Cursor>| self.appointments.due(now, from.as_ref(), sweep::PAGE).await;
            let work = async |id: AppointmentId| self.send_again(&id, &run).await;
            let swept = sweep(&context, order.resume_after.clone(), page, work).await?;
            let count = |outcome| swept.outcomes.get(&outcome).copied().unwrap_or_default();
            let sent = swept.outcomes.iter().filter_map(|(outcome, count)| match outcome {
                Outcome::Sent(cause) => Some((*cause, *count)),
                _ => None,
            });
            let report = Report {
                dry_run: order.dry_run,
                sent: sent.collect(),
                paused: count(Outcome::Paused),
                held_back: count(Outcome::HeldBack),
                set_aside: count(Outcome::Stalled),
                left_alone: count(Outcome::LeftAlone),
                failed: swept.failed,
                read_units: swept.read_units,
                resume_after: swept.resume_after.clone(),
            };
            tracing::info!(report = %serde_json::to_string(&report)?, "what was due is seen to");
            Ok(report)
        }
        .instrument(request.span())
        .await
    }

    /// Sends an appointment again, if it is still due when it is read, and looks at it again later.
    async fn send_again(&self, id: &AppointmentId, run: &Run) -> Result<Outcome, ReconcileError> {
        let now = Utc::now();
        let Some(Overdue { appointment, version, resends }) = self.appointments.load_overdue(id).await? else {
            return Ok(Outcome::LeftAlone);
        };
        let Some(due) = appointment.due(&self.timing).filter(|due| due.at <= now) else {
            return Ok(Outcome::LeftAlone);
        };
        let (dry_run, subject) = (run.dry_run, run.request.about(&appointment));
        if appointment.workers_lost() >= MOST_WORKERS_LOST && due.cause == DueCause::LeaseExpired {
            return if dry_run { Ok(Outcome::Stalled) } else { self.set_aside(&appointment, &subject).await };
        }
        if appointment.state().name() != StateName::Booked
            && let Some(tenant) = self.tenants.load(&appointment.tenant).await?
            && let Some(pause) = self.pauses.of(&tenant.calcom.account).await?
            && pause.until > now
        {
            if !dry_run {
                self.appointments.postpone(id, version, pause.until, false).await?;
            }
            return Ok(Outcome::Paused);
        }
        let (queue, is_long) = match appointment.booking() {
            Some(_) => (&self.assignments, run.assignments_are_long),
            None => (&self.bookings, run.bookings_are_long),
        };
        // A dead worker's message is certainly no longer there.
        if is_long && due.cause != DueCause::LeaseExpired {
            return Ok(Outcome::HeldBack);
        }
        if dry_run {
            return Ok(Outcome::Sent(due.cause));
        }
        queue.send(&AppointmentMessage::about(&appointment)).await?;
        self.appointments.postpone(id, version, now + self.timing.resend_delay(resends), true).await?;
        self.metrics.count("SentAgain", Some(due.cause.as_str()), &subject);
        if resends >= STUCK_AFTER {
            self.metrics.count("Stuck", Some(due.cause.as_str()), &subject);
        }
        subject.span().in_scope(|| tracing::warn!(cause = due.cause.as_str(), resends, "sent again"));
        Ok(Outcome::Sent(due.cause))
    }

    async fn set_aside(&self, appointment: &Appointment, subject: &LogContext) -> Result<Outcome, ReconcileError> {
        let by = Actor { function: FUNCTION, version: &self.version, now: Utc::now() };
        let why = "its workers died time after time; Cal.com may hold its booking";
        if !self.appointments.set_aside(&appointment.id, why, by).await? {
            return Ok(Outcome::LeftAlone);
        }
        self.metrics.count("AppointmentSetAside", None, subject);
        subject.span().in_scope(|| tracing::error!("set aside: its workers died time after time"));
        Ok(Outcome::Stalled)
    }
}
