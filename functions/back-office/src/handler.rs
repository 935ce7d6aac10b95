//! Handles a request of the desk.

use booking::Bookings;
use calcom::SlotsWindow;
use intake::CallIntake;
use lambda_runtime::{Context, Error};
use operations::{
    OperationError, Operations, assigning,
    back_office::{Request, Response},
    calcom_account::CalcomAccount,
    tenant_file::{self, FileProblem, Keys},
};
use platform::{
    aws::{self, SdkConfig},
    env,
    secrets::Secret,
    telemetry::LogContext,
};
use scheduling::{
    ids::{AppointmentId, StaffId, TenantId},
    timing::Timing,
};
use store::{Catalogs, Version, Versioned};
use tracing::Instrument;

const FUNCTION: &str = "back-office";

/// Everything that the function needs, created once per process.
pub struct BackOffice {
    config: SdkConfig,
    timing: Timing,
    bookings: Bookings,
    operations: Operations,
    intake: CallIntake,
    catalogs: Catalogs,
    keys: Keys,
}

impl BackOffice {
    /// Reads the environment and creates the clients.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let office = Self {
            bookings: Bookings::from_env(&config, timing, FUNCTION, env::deployed_version())?,
            operations: Operations::from_env(&config, timing)?,
            intake: CallIntake::from_env(&config, timing)?,
            catalogs: Catalogs::from_env(&config)?,
            keys: Keys { retell: Secret::from_env(&config)?, calcom: Secret::from_env(&config)? },
            config,
            timing,
        };
        office.bookings.connect().await;
        Ok(office)
    }

    /// Responds to one request.
    pub async fn handle(&self, request: Request, context: Context) -> Result<Response, Error> {
        let log = LogContext::for_request(&context);
        let answered = async {
            match request {
                Request::FreeSlots { tenant, service, staff, from, to } => {
                    let window = SlotsWindow { start: from, end: to };
                    self.free_slots(&tenant, &service, staff.as_ref(), window, &log).await
                }
                Request::Assign { appointment, version, staff, person } => {
                    self.assign(&appointment, version, &staff, person.reveal()).await
                }
                Request::Resume { tenant } => self.resume(&tenant, &log).await,
                Request::Tenant { text, apply, person } => self.load_tenant(&text, apply, person.reveal()).await,
            }
        };
        let answered = answered.instrument(log.span()).await;
        match answered {
            Ok(response) => Ok(response),
            Err(OperationError::Changed) => Ok(Response::Changed),
            Err(
                refused @ (OperationError::NotFound(_)
                | OperationError::Refused(_)
                | OperationError::Calcom(_)
                | OperationError::Incomplete(_)),
            ) => Ok(Response::Refused(refused.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    async fn free_slots(
        &self,
        tenant: &TenantId,
        service: &str,
        staff: Option<&StaffId>,
        window: SlotsWindow,
        log: &LogContext,
    ) -> Result<Response, OperationError> {
        let tenant = self.operations.tenant(tenant).await?;
        let job = self.bookings.job(&tenant, log);
        let slots = self.bookings.free_slots(service, staff.map(StaffId::as_str), window, &job).await;
        let slots = slots.map_err(|error| OperationError::Incomplete(error.to_string()))?;
        Ok(match slots {
            Ok(slots) => Response::Slots(slots),
            Err(failure) => Response::Refused(failure.category().as_str().to_owned()),
        })
    }

    async fn resume(&self, tenant: &TenantId, log: &LogContext) -> Result<Response, OperationError> {
        let tenant = self.operations.tenant(tenant).await?;
        Ok(match self.bookings.resume_account(&self.bookings.job(&tenant, log)).await? {
            Some(true) => Response::Done,
            Some(false) => Response::Refused("Cal.com refuses the key".to_owned()),
            None => Response::NotKnown,
        })
    }

    async fn assign(
        &self,
        id: &AppointmentId,
        version: Version,
        staff: &StaffId,
        person: &str,
    ) -> Result<Response, OperationError> {
        let Versioned { value, version: stored } = self.operations.appointment(id, None).await?;
        if stored != version {
            return Err(OperationError::Changed);
        }
        let record = self.operations.tenants.record(&value.tenant).await?;
        let record = record.ok_or_else(|| OperationError::NotFound(format!("tenant {}", value.tenant)))?;
        let by = self.operations.actor(Some(person));
        let planned = assigning::plan(&self.catalogs, &record, Versioned { value, version }, staff, by).await?;
        let calcom = (&self.keys.calcom, self.bookings.accounts.calcom.clone());
        self.operations.assign(planned, &record, calcom, by).await?;
        Ok(Response::Done)
    }

    async fn load_tenant(&self, text: &str, apply: bool, person: &str) -> Result<Response, OperationError> {
        let tenant = match tenant_file::parse(text.as_bytes()) {
            Ok(tenant) => tenant,
            Err(FileProblem::Form { line, at, problem }) => {
                return Ok(Response::Problems(vec![format!("line {line}, at {at}: {problem}")]));
            }
            Err(FileProblem::Values(problems)) => return Ok(Response::Problems(problems)),
        };
        let mut problems = self.keys.missing(&tenant).await?;
        problems.extend(self.operations.taken_routes(&tenant).await?);
        if !problems.is_empty() {
            return Ok(Response::Problems(problems));
        }
        let account = CalcomAccount::of(&self.config, &self.timing, &tenant).await?;
        problems.extend(account.catalog().await?.problems(&tenant).iter().map(ToString::to_string));
        if problems.is_empty() && apply {
            let by = self.operations.actor(Some(person));
            self.operations.load_tenant(&tenant, &account, &self.catalogs, &self.intake, by).await?;
            return Ok(Response::Done);
        }
        Ok(Response::Problems(problems))
    }
}
