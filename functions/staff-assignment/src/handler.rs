//! From a booked appointment to its staff member.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use calcom::Calcom;
use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    batch::Batches,
    queues::{AppointmentMessage, Queue, QueueError},
    secrets::{CalcomKeys, Secret},
    settings,
    store::{Along, Appointments, ExchangeRecord, StoreError, Tenants},
    telemetry::{Metrics, LogContext, Unit},
};
use scheduling::{
    appointment::{Actor, Appointment, InvalidTransition, State},
    assignment::{Assignment, Case, HostMapping, Unassigned, assign, mapping_learned},
    booking::{Booking, HostEvidence},
    failure::{Category, RetryContext, Decision, decide},
    ids::HostId,
    tenant::Tenant,
    timing::Timing,
};

const FUNCTION: &str = "staff-assignment";
/// How often an appointment is read again that somebody else changed meanwhile.
const TRIES: u32 = 4;

/// All that assignment needs, made once per process.
pub struct Assignments {
    appointments: Appointments,
    tenants: Tenants,
    keys: Secret<CalcomKeys>,
    calcom: Calcom,
    assignments: Queue,
    batches: Batches,
    metrics: Metrics,
    timing: Timing,
    version: String,
}

/// Why a message could not be worked off.
#[derive(Debug, thiserror::Error)]
pub enum AssignmentError {
    /// There is no such appointment.
    #[error("the appointment is not stored")]
    NotStored,
    /// There is no such tenant.
    #[error("the tenant is not stored")]
    NoTenant,
    /// The store failed, or somebody else was first each time.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A transition was tried that does not exist: a fault in this function.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
}

/// What is known of a booking's hosts now.
enum Asked {
    /// All that Cal.com will say, with what it said if it was asked again.
    Known(Vec<ExchangeRecord>),
    /// Cal.com could not be asked.
    NotToBeHad {
        /// Why not.
        category: Category,
        /// How long Cal.com asked to wait.
        retry_after: Option<TimeDelta>,
    },
}

impl Assignments {
    /// Reads the settings and makes the clients.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::config_of_function()?, settings::timing()?);
        let metrics = Metrics::new(FUNCTION);
        let dead_letters = Queue::new(&config, settings::required("DEAD_LETTER_QUEUE_URL")?);
        let tenants_table = settings::required("TENANTS_TABLE")?;
        let appointments = Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?, timing);
        let assignments = Self {
            tenants: Tenants::new(&config, tenants_table.clone()),
            keys: Secret::new(&config, settings::required("CALCOM_KEYS_SECRET")?),
            calcom: Calcom::new(calcom::Settings::from_env(&timing))?,
            assignments: Queue::new(&config, settings::required("ASSIGNMENTS_QUEUE_URL")?),
            batches: Batches::new(dead_letters, appointments.clone(), metrics.clone())?,
            appointments: appointments.with_tenants(tenants_table),
            metrics,
            timing,
            version: settings::deployed_version(),
        };
        // While Lambda gives whole cores: the first appointment would wait for it.
        assignments.tenants.connect().await;
        Ok(assignments)
    }

    /// Works off a batch of messages.
    pub async fn process(&self, event: SqsEvent, context: Context) -> Result<SqsBatchResponse, Error> {
        Ok(self.batches.process(event, &context, |order, subject| self.settle(order, subject)).await)
    }

    /// Assigns the appointment, again from the start where somebody else changed it meanwhile: an operator, perhaps.
    async fn settle(&self, order: AppointmentMessage, subject: LogContext) -> Result<(), AssignmentError> {
        for _ in 1..TRIES {
            match self.assign(&order, &subject).await {
                Err(AssignmentError::Store(StoreError::Conflict)) => {}
                settled => return settled,
            }
        }
        self.assign(&order, &subject).await
    }

    /// Reads the hosts from the stored booking, finds the staff member, and stores who it is or why nobody knows.
    async fn assign(&self, order: &AppointmentMessage, subject: &LogContext) -> Result<(), AssignmentError> {
        let (stored, tenant) =
            tokio::try_join!(self.appointments.load(&order.appointment), self.tenants.load(&order.tenant))?;
        let (mut appointment, version) =
            stored.filter(|(appointment, _)| appointment.tenant == order.tenant).ok_or(AssignmentError::NotStored)?;
        let tenant = tenant.ok_or(AssignmentError::NoTenant)?;
        let State::Booked { booking, not_before } = appointment.state() else {
            tracing::info!(state = appointment.state().name().as_str(), "nothing is left to assign");
            return Ok(());
        };
        if let Some(time) = not_before.filter(|time| *time > Utc::now()) {
            return Ok(self.assignments.send_on(order, time, &self.timing).await?);
        }
        let mut booking = booking.clone();
        let asked = self.reopen(&mut appointment, &mut booking, &tenant).await?;
        let mappings = self.mappings_of(&booking, &tenant).await?;
        let found = assign(&Case { booking: &booking, tenant: &tenant, mappings: &mappings });
        let evidence = match (asked, &found) {
            (Asked::NotToBeHad { category, retry_after }, Err(_)) => {
                let wait = self.defer_host_lookup(&mut appointment, &booking, category, retry_after)?;
                if let Some(at) = wait {
                    self.appointments.save(&appointment, version, Along::default()).await?;
                    return Ok(self.assignments.send_at(order, at, &self.timing).await?);
                }
                Vec::new()
            }
            (Asked::NotToBeHad { .. }, Ok(_)) => Vec::new(),
            (Asked::Known(evidence), _) => evidence,
        };
        let learned = self.settle_as(&mut appointment, found, subject)?;
        let along = Along { evidence: &evidence, learned: learned.as_ref(), slot: None };
        self.appointments.save(&appointment, version, along).await?;
        Ok(())
    }

    /// Moves the appointment on to whoever was found, or to review. Answers what was learned of the host.
    fn settle_as(
        &self,
        appointment: &mut Appointment,
        found: Result<Assignment, Unassigned>,
        subject: &LogContext,
    ) -> Result<Option<HostMapping>, AssignmentError> {
        match found {
            Ok(assignment) => {
                let strategy = assignment.strategy.as_str();
                let learned = mapping_learned(&assignment, &appointment.tenant, Utc::now());
                appointment.assign(assignment, self.actor())?;
                let took = Unit::Seconds((Utc::now() - appointment.requested_at()).as_seconds_f64());
                self.metrics.record("TimeToAssigned", took, None, subject);
                self.metrics.count("Assigned", Some(strategy), subject);
                tracing::info!(strategy, learned = learned.is_some(), "assigned");
                Ok(learned)
            }
            Err(reason) => {
                appointment.escalate_unassigned(reason, self.actor())?;
                self.metrics.count("Unassigned", Some(reason.as_str()), subject);
                tracing::warn!(reason = reason.as_str(), "no staff member is found");
                Ok(None)
            }
        }
    }

    /// Where the booking has no host, asks Cal.com for it once more.
    async fn reopen(
        &self,
        appointment: &mut Appointment,
        booking: &mut Booking,
        tenant: &Tenant,
    ) -> Result<Asked, AssignmentError> {
        let HostEvidence::None { because, looked_up_again: false } = booking.hosts else {
            return Ok(Asked::Known(Vec::new()));
        };
        let not_to_be_had = |category| Ok(Asked::NotToBeHad { category, retry_after: None });
        let Ok(keys) = self.keys.read().await else { return not_to_be_had(Category::CalcomUnavailable) };
        let Some(key) = keys.of(&tenant.calcom.account) else { return not_to_be_had(Category::Credentials) };
        let exchange = match self.calcom.get(key, &booking.uid).await {
            Ok(found) => {
                booking.hosts = match found.value.booking.hosts {
                    HostEvidence::None { because, .. } => HostEvidence::None { because, looked_up_again: true },
                    named => named,
                };
                found.exchange
            }
            // Cal.com has said all that it will say.
            Err(failed) if failed.category == Category::Unknown => {
                booking.hosts = HostEvidence::None { because, looked_up_again: true };
                failed.exchange
            }
            Err(failed) => {
                return Ok(Asked::NotToBeHad { category: failed.category, retry_after: failed.retry_after });
            }
        };
        appointment.record_hosts(booking.hosts.clone(), self.actor())?;
        Ok(Asked::Known(vec![ExchangeRecord { asked: "get", exchange }]))
    }

    /// When Cal.com is to be asked for the hosts again. `None` where it has been asked for long enough.
    fn defer_host_lookup(
        &self,
        appointment: &mut Appointment,
        booking: &Booking,
        category: Category,
        retry_after: Option<TimeDelta>,
    ) -> Result<Option<DateTime<Utc>>, AssignmentError> {
        let now = Utc::now();
        let retries = appointment.retries(category);
        let booked_at = appointment.booked_at().unwrap_or(now);
        let asked_until = booking.start.min(booked_at + self.timing.retry_window);
        let context_of_retry = RetryContext {
            timing: &self.timing,
            now,
            start: booking.start,
            first_attempt: booked_at,
            retries,
            contact_omitted: true,
            may_be_booked: false,
            retry_after,
            spread: appointment.id.spread(retries),
        };
        match decide(category, &context_of_retry) {
            Decision::Again { at } | Decision::Pause { until: at } if at < asked_until => {
                tracing::warn!(category = category.as_str(), %at, "Cal.com can't be asked for the hosts now");
                appointment.defer_host_lookup(at, category, self.actor())?;
                Ok(Some(at))
            }
            _ => Ok(None),
        }
    }

    async fn mappings_of(&self, booking: &Booking, tenant: &Tenant) -> Result<Vec<HostMapping>, StoreError> {
        let HostEvidence::Named(hosts) = &booking.hosts else { return Ok(Vec::new()) };
        let hosts: Vec<HostId> = hosts.iter().map(|host| host.id).collect();
        self.tenants.mappings(&tenant.id, &hosts).await
    }

    fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now() }
    }
}
