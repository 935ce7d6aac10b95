//! A tenant's Cal.com account: its key, and what that sees.

use calcom::{Calcom, CalcomConfig, CalcomError};
use chrono::Utc;
use platform::secrets::{CalcomKeys, Secret};
use scheduling::{event_type::Catalog, failure::Category, ids::EventTypeId, tenant::Tenant};
use secrecy::{ExposeSecret, SecretString};
use store::{AccountCatalog, Catalogs};

use crate::{context::CommandContext, error::CommandError};

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
    pub async fn of(context: &CommandContext, tenant: &'a Tenant) -> Result<Self, CommandError> {
        let keys: Secret<CalcomKeys> = Secret::from_env(&context.config)?;
        let keys = keys.read().await.map_err(|error| CommandError::Refused(error.to_string()))?;
        let account = &tenant.calcom.account;
        let no_key = || {
            CommandError::Refused(format!(
                "failed to find the key of the Cal.com account {account}: add it to the secret of Cal.com keys"
            ))
        };
        let key = keys.of(account).ok_or_else(no_key)?.clone();
        let config =
            CalcomConfig::from_env(&context.timing).map_err(|error| CommandError::Refused(error.to_string()))?;
        let calcom = Calcom::new(config);
        let calcom = calcom.map_err(|error| CommandError::Refused(format!("failed to set up TLS: {error}")))?;
        Ok(Self { calcom, key, tenant })
    }

    /// What the key sees.
    pub async fn catalog(&self) -> Result<Catalog, CommandError> {
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
    pub async fn allow_host_selection(&self, event_types: &[(u64, EventTypeId)]) -> Result<(), CommandError> {
        for (team, id) in event_types {
            let changed = self.calcom.allow_host_selection(&self.key, *team, *id).await;
            changed.map_err(|error| self.failed("turn on rrHostSubsetEnabled in an event type", &error))?;
        }
        Ok(())
    }

    /// Stores what the key sees, for the functions.
    pub async fn save(&self, context: &CommandContext, catalog: Catalog) -> Result<(), CommandError> {
        let (catalogs, account) = (Catalogs::from_env(&context.config)?, &self.tenant.calcom.account);
        let stored = catalogs.of(account).await?;
        catalogs.save(account, AccountCatalog::new(catalog, self.key.expose_secret(), stored.as_deref())).await?;
        Ok(())
    }

    /// The error of a request, with what to do next.
    pub fn failed(&self, what: &str, error: &CalcomError) -> CommandError {
        let account = &self.tenant.calcom.account;
        let advice = match error.category() {
            Category::Credentials => "Cal.com refuses its key: create a new one and put it into the secret",
            Category::RateLimited | Category::CalcomUnavailable => "try again in a minute",
            _ => "look at its settings in Cal.com",
        };
        CommandError::Refused(format!(
            "failed to {what} of Cal.com account {account}: {}; {advice}",
            error.category().as_str()
        ))
    }
}
