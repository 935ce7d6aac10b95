//! Handles a scheduled run: compare each account's calls with what is stored, and take in what is missing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::future;
use intake::CallIntake;
use lambda_runtime::{Context, Error};
use platform::{
    aws, env,
    secrets::{RetellKeys, Secret},
    telemetry::{LogContext, Metrics},
};
use retell::client::{BASE_URL, Retell};
use serde::{Deserialize, Serialize};
use store::RecoveryCursors;
use tracing::Instrument;

use crate::account::{AccountRun, FUNCTION, Outcome, Recovery};

/// The request, from the schedule or a person.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// Compare the calls that began at this time or later. From where the last run ended, if it is missing.
    pub since: Option<DateTime<Utc>>,
}

/// The response of a run.
#[derive(Debug, Serialize)]
pub struct Response {
    /// The number of calls by what was done.
    pub calls: BTreeMap<Outcome, u32>,
    /// The accounts that could not be compared to their end. The next run goes on.
    pub incomplete_accounts: u32,
}

/// Everything that the recovery needs, created once per process.
pub struct CallRecovery {
    keys: Secret<RetellKeys>,
    recovery: Recovery,
}

impl CallRecovery {
    /// Reads the environment and creates the clients.
    pub fn from_env() -> Result<Self, Error> {
        let (config, timing) = (aws::function_config()?, env::timing()?);
        let recovery = Recovery {
            retell: Retell::new(env::optional("RETELL_BASE_URL").unwrap_or_else(|| BASE_URL.to_owned()))?,
            intake: CallIntake::from_env(&config, timing)?,
            cursors: RecoveryCursors::from_env(&config)?,
            metrics: Metrics::new(FUNCTION),
            timing,
            version: env::deployed_version(),
        };
        Ok(Self { keys: Secret::from_env(&config)?, recovery })
    }

    /// Compares the accounts concurrently, each while the invocation has time.
    pub async fn handle(&self, request: Request, context: Context) -> Result<Response, Error> {
        let log = LogContext::for_request(&context);
        async {
            let keys = self.keys.read().await?;
            let runs = keys.accounts().map(|(account, keys)| {
                AccountRun { recovery: &self.recovery, account, keys, context: &context, log: &log }.run(request.since)
            });
            let mut response = Response { calls: BTreeMap::new(), incomplete_accounts: 0 };
            for result in future::join_all(runs).await {
                response.incomplete_accounts += u32::from(!result.is_complete);
                for (outcome, count) in result.calls {
                    *response.calls.entry(outcome).or_default() += count;
                }
            }
            tracing::info!(result = %serde_json::to_string(&response)?, "stored calls compared with Retell");
            Ok(response)
        }
        .instrument(log.span())
        .await
    }
}
