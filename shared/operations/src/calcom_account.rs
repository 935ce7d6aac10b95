//! A tenant's Cal.com account: its key, and what that sees.

use calcom::{Calcom, CalcomConfig, CalcomError};
use chrono::Utc;
use platform::{
    aws::SdkConfig,
    secrets::{CalcomKeys, Secret},
};
use scheduling::{event_type::Catalog, failure::Category, ids::EventTypeId, tenant::Tenant, timing::Timing};
use secrecy::{ExposeSecret, SecretString};
use store::{AccountCatalog, Catalogs};

use crate::error::OperationError;

/// A tenant's Cal.com account.
pub struct CalcomAccount<'a> {
    /// The client.
    pub calcom: Calcom,
    /// The key.
    pub key: SecretString,
    tenant: &'a Tenant,
}

impl<'a> CalcomAccount<'a> {
    /// Reads the account's key.
    ///
    /// # Errors
    /// If the secret can't be read, or holds no key of the account.
    pub async fn of(config: &SdkConfig, timing: &Timing, tenant: &'a Tenant) -> Result<Self, OperationError> {
        let keys: Secret<CalcomKeys> = Secret::from_env(config)?;
        let calcom = CalcomConfig::from_env(timing).map_err(|error| OperationError::Calcom(error.to_string()))?;
        let calcom = Calcom::new(calcom);
        let calcom = calcom.map_err(|error| OperationError::Calcom(format!("failed to set up TLS: {error}")))?;
        Self::with(&keys, calcom, tenant).await
    }

    /// As [`Self::of`], with clients that exist already.
    ///
    /// # Errors
    /// If the secret can't be read, or holds no key of the account.
    pub async fn with(keys: &Secret<CalcomKeys>, calcom: Calcom, tenant: &'a Tenant) -> Result<Self, OperationError> {
        let keys = keys.read().await.map_err(|error| OperationError::Calcom(error.to_string()))?;
        let account = &tenant.calcom.account;
        let no_key = || {
            OperationError::Calcom(format!(
                "failed to find the key of the Cal.com account {account}: add it to the secret of Cal.com keys"
            ))
        };
        let key = keys.of(account).ok_or_else(no_key)?.clone();
        Ok(Self { calcom, key, tenant })
    }

    /// What the key sees.
    ///
    /// # Errors
    /// If Cal.com can't be used.
    pub async fn catalog(&self) -> Result<Catalog, OperationError> {
        self.calcom.catalog(&self.key, Utc::now()).await.map_err(|error| self.failed("read the event types", &error))
    }

    /// The round-robin event types at which a booking can't name its host, with their team.
    pub fn unselectable(&self, catalog: &Catalog) -> Vec<(u64, EventTypeId)> {
        let round_robins = self.tenant.services.iter().filter_map(|service| service.event_types.round_robin);
        let is_unselectable = |id: EventTypeId| {
            let event_type = catalog.event_type(id)?;
            let applies = event_type.is_visible
                && event_type.is_round_robin
                && event_type.hosts.len() > 1
                && !event_type.is_host_selectable;
            event_type.team.filter(|_| applies).map(|team| (team, id))
        };
        round_robins.filter_map(is_unselectable).collect()
    }

    /// Lets bookings of these event types name their host.
    ///
    /// # Errors
    /// If Cal.com can't be used.
    pub async fn allow_host_selection(&self, event_types: &[(u64, EventTypeId)]) -> Result<(), OperationError> {
        for (team, id) in event_types {
            let changed = self.calcom.allow_host_selection(&self.key, *team, *id).await;
            changed.map_err(|error| self.failed("turn on rrHostSubsetEnabled in an event type", &error))?;
        }
        Ok(())
    }

    /// Stores what the key sees, for the functions.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn save(&self, catalogs: &Catalogs, catalog: Catalog) -> Result<(), OperationError> {
        let account = &self.tenant.calcom.account;
        let stored = catalogs.of(account).await?;
        catalogs.save(account, AccountCatalog::new(catalog, self.key.expose_secret(), stored.as_deref())).await?;
        Ok(())
    }

    /// The error of a request, with what to do next.
    pub fn failed(&self, what: &str, error: &CalcomError) -> OperationError {
        let account = &self.tenant.calcom.account;
        let advice = match error.category() {
            Category::Credentials => "Cal.com refuses its key: create a new one and put it into the secret",
            Category::RateLimited | Category::CalcomUnavailable => "try again in a minute",
            _ => "look at its settings in Cal.com",
        };
        OperationError::Calcom(format!(
            "failed to {what} of Cal.com account {account}: {}; {advice}",
            error.category().as_str()
        ))
    }
}
