//! Processes a message: complete the booking's hosts, find the staff member, store the assignment or why there is none.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use calcom::{Calcom, CalcomConfig};
use chrono::{DateTime, Utc};
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    batch::Batches,
    env,
    queues::{AppointmentMessage, Queue},
    secrets::Secret,
    telemetry::{LogContext, Metrics, Unit},
};
use scheduling::{
    appointment::{Actor, Appointment, Cause, State, Transition},
    assignment::{Assignment, Case, HostMapping, Unassigned, assign, mapping_from},
    booking::{Booking, HostEvidence},
    ids::HostId,
    tenant::Tenant,
    timing::Timing,
};
use store::{
    Appointments, StoreError, Tenants, Version, Versioned,
    step::{self, StepError},
};

use crate::hosts::{HostLookup, HostLookups};

const FUNCTION: &str = "staff-assignment";
/// How often an appointment is loaded again because another writer changed it meanwhile.
const TRIES: u32 = 4;

/// Everything that the assignment needs, created once per process.
pub struct Assignments {
    appointments: Appointments,
    tenants: Tenants,
    hosts: HostLookups,
    assignments: Queue,
    batches: Batches,
    metrics: Metrics,
    timing: Timing,
    version: String,
}

impl Assignments {
    /// Reads the environment, creates the clients and opens their connections.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let metrics = Metrics::new(FUNCTION);
        let queue = Queue::assignments_from_env(&config)?;
        let assignments = Self {
            appointments: Appointments::from_env(&config, timing)?,
            tenants: Tenants::from_env(&config)?,
            hosts: HostLookups {
                keys: Secret::from_env(&config)?,
                calcom: Calcom::new(CalcomConfig::from_env(&timing)?)?,
                timing,
            },
            batches: Batches::from_env(&config, queue.clone(), timing, metrics.clone())?,
            assignments: queue,
            metrics,
            timing,
            version: env::deployed_version(),
        };
        assignments.tenants.connect().await;
        Ok(assignments)
    }

    /// Processes a batch of messages.
    pub async fn handle(&self, event: SqsEvent, context: Context) -> Result<SqsBatchResponse, Error> {
        let stall = |id, reason| step::stall(&self.appointments, FUNCTION, id, reason);
        Ok(self.batches.process(event, &context, |message, log| self.process(message, log), stall).await)
    }

    /// Assigns the appointment, again from the start if another writer changed it meanwhile: an operator, perhaps.
    async fn process(&self, message: AppointmentMessage, log: LogContext) -> Result<(), StepError> {
        for _ in 1..TRIES {
            match self.assign(&message, &log).await {
                Err(StepError::Store(StoreError::Conflict)) => {}
                processed => return processed,
            }
        }
        self.assign(&message, &log).await
    }

    /// Reads the hosts from the stored booking, finds the staff member, and stores the assignment or why there is none.
    async fn assign(&self, message: &AppointmentMessage, log: &LogContext) -> Result<(), StepError> {
        let (stored, tenant) = step::load(&self.appointments, &self.tenants, message).await?;
        let Versioned { value: mut appointment, version } = stored;
        let State::Booked { booking, not_before } = appointment.state() else {
            tracing::info!(state = appointment.state().name().as_str(), "appointment needs no assignment");
            return Ok(());
        };
        if let Some(time) = not_before.filter(|time| *time > Utc::now()) {
            return Ok(self.assignments.return_until(message, time, &self.timing).await?);
        }
        let mut booking = booking.clone();
        let lookup = self.hosts.complete(&mut appointment, &mut booking, &tenant, self.actor()).await?;
        let exchanges = match &lookup {
            HostLookup::Complete(exchanges) => exchanges.as_slice(),
            HostLookup::Failed(_) => &[],
            HostLookup::Closed(exchanges) => {
                self.appointments.update(&appointment, version).exchanges(exchanges).commit().await?;
                tracing::info!("appointment closed: its booking was cancelled or rejected at Cal.com");
                return Ok(());
            }
            HostLookup::AwaitingHost => {
                let at = self.hosts.await_host(&mut appointment, self.actor())?;
                return self.postpone(&appointment, version, message, at).await;
            }
        };
        let mappings = self.mappings_of(&booking, &tenant).await?;
        let wish = tenant.wish(appointment.raw_staff());
        let found = assign(&Case { booking: &booking, tenant: &tenant, mappings: &mappings, wish });
        if let (HostLookup::Failed(failure), Err(_)) = (&lookup, &found)
            && let Some(at) = self.hosts.defer(&mut appointment, &booking, failure, self.actor())?
        {
            return self.postpone(&appointment, version, message, at).await;
        }
        let mapping = self.conclude(&mut appointment, found, log)?;
        let update = self.appointments.update(&appointment, version).exchanges(exchanges);
        update.mapping(&self.tenants, mapping.as_ref()).commit().await?;
        Ok(())
    }

    /// Stores an appointment that waits, and returns its message at `at`.
    async fn postpone(
        &self,
        appointment: &Appointment,
        version: Version,
        message: &AppointmentMessage,
        at: DateTime<Utc>,
    ) -> Result<(), StepError> {
        self.appointments.update(appointment, version).commit().await?;
        Ok(self.assignments.send_at(message, at, &self.timing).await?)
    }

    /// Assigns the appointment, or escalates it. Returns the host mapping that was found.
    fn conclude(
        &self,
        appointment: &mut Appointment,
        found: Result<Assignment, Unassigned>,
        log: &LogContext,
    ) -> Result<Option<HostMapping>, StepError> {
        match found {
            Ok(assignment) => {
                let strategy = assignment.strategy.as_str();
                let mapping = mapping_from(&assignment, &appointment.tenant, Utc::now());
                appointment.assign(assignment, self.actor())?;
                let waited_for_host = |it: &Transition| it.cause == Cause::AwaitingHost;
                if !appointment.since_requested().iter().any(waited_for_host) {
                    let duration = Unit::Seconds((Utc::now() - appointment.requested_at()).as_seconds_f64());
                    self.metrics.record("TimeToAssigned", duration, None, log);
                }
                self.metrics.count("Assigned", Some(strategy), log);
                tracing::info!(strategy, mapping_found = mapping.is_some(), "appointment assigned");
                Ok(mapping)
            }
            Err(reason) => {
                appointment.escalate_unassigned(reason, self.actor())?;
                self.metrics.count("Unassigned", Some(reason.as_str()), log);
                tracing::warn!(reason = reason.as_str(), "appointment needs review: no staff member found");
                Ok(None)
            }
        }
    }

    async fn mappings_of(&self, booking: &Booking, tenant: &Tenant) -> Result<Vec<HostMapping>, StoreError> {
        let HostEvidence::Named(hosts) = &booking.hosts else { return Ok(Vec::new()) };
        let hosts: Vec<HostId> = hosts.iter().map(|host| host.id).collect();
        self.tenants.mappings(&tenant.id, &hosts).await
    }

    fn actor(&self) -> Actor<'_> {
        Actor { function: FUNCTION, version: &self.version, now: Utc::now(), person: None }
    }
}
