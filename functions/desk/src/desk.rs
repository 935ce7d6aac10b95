//! What the desk needs, created once per process.

use lambda_runtime::Error;
use notify::Mailer;
use operations::{
    Operations,
    back_office::{Request as OfficeRequest, Response as OfficeResponse},
    customer::CustomerStores,
    people::People,
};
use platform::{
    aws,
    bucket::Bucket,
    env,
    queues::Queue,
    signed::{Service, ServiceError},
    telemetry::Metrics,
};
use store::{AccountPauses, Catalogs, CounterStore, Sessions, UnroutedCalls};

use crate::user_pool::UserPool;

const FUNCTION: &str = "desk";

/// Everything that the desk needs, created once per process.
pub struct Desk {
    /// The sessions.
    pub sessions: Sessions,
    /// Where people sign in.
    pub pool: UserPool,
    /// Who may sign in.
    pub people: People,
    /// What people do.
    pub operations: Operations,
    /// What is stored of customers.
    pub customers: CustomerStores,
    /// What the accounts see.
    pub catalogs: Catalogs,
    /// The accounts at rest.
    pub pauses: AccountPauses,
    /// The calls that belong to no tenant yet.
    pub unrouted: UnroutedCalls,
    /// The counters.
    pub counters: CounterStore,
    /// The quality reports.
    pub reports: Bucket,
    /// The dead-letter queues.
    pub dead_letters: [Queue; 2],
    /// Sends invitations, if the stack sends mail.
    pub mailer: Option<Mailer>,
    lambda: Service,
    office: String,
    /// The metrics.
    pub metrics: Metrics,
}

impl Desk {
    /// Reads the environment, creates the clients and opens their connections.
    pub async fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let desk = Self {
            sessions: Sessions::from_env(&config)?,
            pool: UserPool::from_env()?,
            people: People::from_env(&config)?,
            operations: Operations::from_env(&config, timing)?,
            customers: CustomerStores::from_env(&config, timing)?,
            catalogs: Catalogs::from_env(&config)?,
            pauses: AccountPauses::from_env(&config)?,
            unrouted: UnroutedCalls::from_env(&config)?,
            counters: CounterStore::from_env(&config)?,
            reports: Bucket::reports_from_env(&config)?,
            dead_letters: Queue::all_dead_letters_from_env(&config)?,
            mailer: Mailer::from_env(&config),
            lambda: Service::new(&config, "lambda")?,
            office: env::required("BACK_OFFICE_FUNCTION")?,
            metrics: Metrics::new(FUNCTION),
        };
        tokio::join!(desk.sessions.connect(), desk.operations.tenants.connect());
        Ok(desk)
    }

    /// Has the back office do something.
    pub async fn ask_office(&self, request: &OfficeRequest) -> Result<OfficeResponse, ServiceError> {
        let unreadable = |_| ServiceError { service: "lambda", code: "unreadable".to_owned() };
        let sent = serde_json::to_value(request).map_err(unreadable)?;
        serde_json::from_value(self.lambda.invoke(&self.office, &sent).await?).map_err(unreadable)
    }
}
