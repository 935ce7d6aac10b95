//! From a booked appointment to its staff member.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use calcom::Calcom;
use chrono::Utc;
use lambda_runtime::{Context, Error};
use platform::{
    aws,
    batch::Batches,
    queues::{AppointmentMessage, Queue},
    secrets::{CalcomKeys, Secret, SecretError},
    settings,
    store::{Appointments, Evidence, StoreError, Tenants},
    telemetry::{Metrics, Subject},
};
use scheduling::{
    appointment::{Actor, Appointment, NoSuchTransition, State},
    assignment::{Case, HostMapping, assign, mapping_learned},
    booking::{Booking, HostEvidence},
    failure::Category,
    ids::HostId,
    tenant::Tenant,
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
    batches: Batches,
    metrics: Metrics,
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
    /// Cal.com could not be asked for the hosts.
    #[error("Cal.com can't be asked for the hosts now: {}", .0.as_str())]
    HostsNotToBeHad(Category),
    /// The store failed, or somebody else was first each time.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys can't be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A transition was tried that does not exist: a fault in this function.
    #[error(transparent)]
    Transition(#[from] NoSuchTransition),
}

impl Assignments {
    /// Reads the settings and makes the clients.
    pub async fn from_environment() -> Result<Self, Error> {
        let config = aws::config().await;
        let metrics = Metrics::new(FUNCTION);
        let dead_letters = Queue::new(&config, settings::required("DEAD_LETTER_QUEUE_URL")?);
        let tenants_table = settings::required("TENANTS_TABLE")?;
        Ok(Self {
            appointments: Appointments::new(&config, settings::required("APPOINTMENTS_TABLE")?)
                .with_tenants(tenants_table.clone()),
            tenants: Tenants::new(&config, tenants_table),
            keys: Secret::new(&config, settings::required("CALCOM_KEYS_SECRET")?),
            calcom: Calcom::new(calcom::Settings::from_environment()?)?,
            batches: Batches::new(dead_letters, metrics.clone())?,
            metrics,
            version: settings::deployed_version(),
        })
    }

    /// Works off a batch of messages.
    pub async fn work_off(&self, event: SqsEvent, context: Context) -> Result<SqsBatchResponse, Error> {
        Ok(self.batches.work_off(event, &context, |order, subject| self.settle(order, subject)).await)
    }

    /// Assigns the appointment, again from the start where somebody else changed it meanwhile: an operator, perhaps.
    async fn settle(&self, order: AppointmentMessage, subject: Subject) -> Result<(), AssignmentError> {
        for _ in 1..TRIES {
            match self.assign(&order, &subject).await {
                Err(AssignmentError::Store(StoreError::Conflict)) => {}
                settled => return settled,
            }
        }
        self.assign(&order, &subject).await
    }

    /// Reads the hosts from the stored booking, finds the staff member, and stores who it is or why nobody knows.
    async fn assign(&self, order: &AppointmentMessage, subject: &Subject) -> Result<(), AssignmentError> {
        let (stored, tenant) =
            tokio::try_join!(self.appointments.load(&order.appointment), self.tenants.load(&order.tenant))?;
        let (mut appointment, version) =
            stored.filter(|(appointment, _)| appointment.tenant == order.tenant).ok_or(AssignmentError::NotStored)?;
        let tenant = tenant.ok_or(AssignmentError::NoTenant)?;
        let State::Booked { booking } = appointment.state() else {
            tracing::info!(state = appointment.state().name().as_str(), "nothing is left to assign");
            return Ok(());
        };
        let mut booking = booking.clone();
        let evidence = self.ask_again(&mut appointment, &mut booking, &tenant).await?;
        let mappings = self.mappings_of(&booking, &tenant).await?;
        let mut learned = None;
        match assign(&Case { booking: &booking, tenant: &tenant, mappings: &mappings }) {
            Ok(assignment) => {
                let strategy = assignment.strategy.as_str();
                learned = mapping_learned(&assignment, &tenant.id, Utc::now());
                appointment.assign(assignment, self.actor())?;
                self.metrics.count("Assigned", Some(strategy), subject);
                tracing::info!(strategy, learned = learned.is_some(), "assigned");
            }
            Err(reason) => {
                appointment.leave_unassigned(reason, self.actor())?;
                self.metrics.count("Unassigned", Some(reason.as_str()), subject);
                tracing::warn!(reason = reason.as_str(), "no staff member is found");
            }
        }
        self.appointments.save(&appointment, version, evidence.as_slice(), learned.as_ref()).await?;
        Ok(())
    }

    /// Where the booking has no host, asks Cal.com for it once.
    async fn ask_again(
        &self,
        appointment: &mut Appointment,
        booking: &mut Booking,
        tenant: &Tenant,
    ) -> Result<Vec<Evidence>, AssignmentError> {
        let HostEvidence::None { because, asked_again: false } = booking.hosts else { return Ok(Vec::new()) };
        let keys = self.keys.read().await?;
        let key = keys.of(&tenant.calcom.account);
        let key = key.ok_or(AssignmentError::HostsNotToBeHad(Category::Credentials))?;
        let answer = match self.calcom.get(key, &booking.uid).await {
            Ok(found) => {
                booking.hosts = match found.value.booking.hosts {
                    HostEvidence::None { because, .. } => HostEvidence::None { because, asked_again: true },
                    named => named,
                };
                found.answer
            }
            Err(failed) => match failed.answer {
                // Cal.com has said all that it will say.
                Some(answer) if failed.category == Category::Unknown => {
                    booking.hosts = HostEvidence::None { because, asked_again: true };
                    answer
                }
                _ => return Err(AssignmentError::HostsNotToBeHad(failed.category)),
            },
        };
        appointment.learn_hosts(booking.hosts.clone(), self.actor())?;
        Ok(vec![Evidence { request: "get", status: Some(answer.status), body: answer.body }])
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
