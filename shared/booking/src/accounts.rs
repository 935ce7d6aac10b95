//! Cal.com accounts: their keys, and what those see.

use std::{sync::Arc, time::Duration};

use calcom::Calcom;
use chrono::{DateTime, Days, TimeDelta, Utc};
use platform::{
    secrets::{CalcomKeys, Secret},
    telemetry::{LogContext, Metrics},
};
use scheduling::{
    event_type::Catalog,
    failure::Category,
    ids::AccountName,
    tenant::{KeyExpiry, Tenant},
};
use secrecy::{ExposeSecret, SecretString};
use store::{AccountCatalog, Catalogs};
use tokio::time::timeout;

use crate::{attempt::Target, job::Job};

/// A catalog is refreshed after this time: roles and event types change at Cal.com without notice.
const MAX_AGE: TimeDelta = TimeDelta::hours(4);
/// How long reading a catalog may take.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(8);
/// How many days before it expires a key is reported.
const EXPIRY_WARNING: Days = Days::new(7);

/// How fresh a catalog has to be.
#[derive(Debug, Clone, Copy)]
pub enum Freshness {
    /// As it is stored.
    AsStored,
    /// Whether a list shows a booking that may exist depends on the key's role as it is now.
    Recent,
    /// Read since then, when a person mended what it shows.
    ReadSince(DateTime<Utc>),
}

/// The accounts.
pub struct Accounts {
    /// The keys.
    pub keys: Secret<CalcomKeys>,
    /// The client.
    pub calcom: Calcom,
    /// What they see.
    pub catalogs: Catalogs,
    /// The metrics.
    pub metrics: Metrics,
    /// A catalog that does not fit is refreshed at most so often.
    pub min_age: TimeDelta,
}

impl Accounts {
    /// The account's key.
    pub async fn key_of(&self, account: &AccountName) -> Option<SecretString> {
        self.keys.read().await.ok()?.of(account).cloned()
    }

    /// Whether Cal.com accepts the account's key, or the one by which it has been replaced. `None` if that can't be
    /// found out now.
    pub async fn is_key_accepted(&self, account: &AccountName, calcom: &Calcom) -> Option<bool> {
        let mut keys = self.keys.read().await.ok()?;
        loop {
            let accepted = match keys.of(account) {
                Some(key) => !is_refused(calcom, key).await?,
                None => false,
            };
            if accepted {
                return Some(true);
            }
            keys = match self.keys.refresh_after(&keys).await {
                Some(refreshed) => refreshed,
                None => return Some(false),
            };
        }
    }

    /// What the account's key sees. It is queried if nothing is stored for this key, if one of the event types is missing
    /// or can't be booked (that may have been mended since), and if it is to be fresher; what is stored counts if Cal.com
    /// can't be queried now.
    pub async fn catalog_for(
        &self,
        targets: &[Target],
        freshness: Freshness,
        job: &Job<'_>,
    ) -> Option<Arc<AccountCatalog>> {
        let account = &job.tenant.calcom.account;
        let key = self.key_of(account).await?;
        let stored = self.catalogs.of(account).await.unwrap_or_default();
        let stored = stored.filter(|stored| stored.is_of(key.expose_secret()));
        let is_bookable = |catalog: &Catalog, target: &Target| {
            catalog.event_type(target.event_type).is_some_and(|it| it.faults.is_empty() && it.is_visible)
        };
        // A person who mended something is not told by what was read before.
        let is_outdated =
            |catalog: &Catalog| matches!(freshness, Freshness::ReadSince(time) if catalog.checked_at < time);
        let is_too_soon = |catalog: &Catalog| Utc::now() - catalog.checked_at < self.min_age && !is_outdated(catalog);
        let fits = |catalog: &Catalog| {
            let is_fresh = !matches!(freshness, Freshness::Recent) && !is_outdated(catalog);
            is_fresh && targets.iter().all(|target| is_bookable(catalog, target))
        };
        match stored {
            Some(stored) if fits(&stored.catalog) => Some(stored),
            Some(stored) if is_too_soon(&stored.catalog) => Some(stored),
            stored => self.refresh(job.tenant, stored.as_deref(), &job.calcom, job.log).await.or(stored),
        }
    }

    /// Refreshes a catalog that is some hours old.
    pub async fn refresh_if_old(&self, tenant: &Tenant, log: &LogContext) {
        let stored = self.catalogs.of(&tenant.calcom.account).await.unwrap_or_default();
        if let Some(stored) = stored.filter(|stored| stored.catalog.checked_at + MAX_AGE < Utc::now()) {
            self.refresh(tenant, Some(&stored), &self.calcom, log).await;
        }
    }

    async fn refresh(
        &self,
        tenant: &Tenant,
        stored: Option<&AccountCatalog>,
        calcom: &Calcom,
        log: &LogContext,
    ) -> Option<Arc<AccountCatalog>> {
        let (account, now) = (&tenant.calcom.account, Utc::now());
        let key = self.key_of(account).await?;
        // Bookings wait for it: a slow Cal.com must not cost them their invocation.
        let catalog = match timeout(CATALOG_TIMEOUT, calcom.catalog(&key, now)).await {
            Ok(Ok(catalog)) => catalog,
            Ok(Err(error)) => {
                tracing::warn!(%error, "failed to read the event types of an account");
                return None;
            }
            Err(_) => {
                tracing::warn!("failed to read the event types of an account: it took too long");
                return None;
            }
        };
        let found = AccountCatalog::new(catalog, key.expose_secret(), stored);
        let is_first_today = |stored: &AccountCatalog| {
            stored.key != found.key || stored.catalog.checked_at.date_naive() != now.date_naive()
        };
        if stored.is_none_or(is_first_today) {
            self.report(tenant, &found, now, log);
        }
        match self.catalogs.save(account, found.clone()).await {
            Ok(saved) => Some(saved),
            Err(error) => {
                tracing::warn!(%error, "failed to store the event types of an account");
                Some(Arc::new(found))
            }
        }
    }

    /// Reports what will hurt later: a key that can't see what it books, and one that is about to expire.
    fn report(&self, tenant: &Tenant, found: &AccountCatalog, now: DateTime<Utc>, log: &LogContext) {
        let account = tenant.calcom.account.as_str();
        let of_tenant = tenant.services.iter().flat_map(|service| service.event_types.all());
        let mut seen = of_tenant.filter_map(|id| found.catalog.event_type(id));
        if seen.any(|event_type| !event_type.is_visible) {
            self.metrics.count("BookingsNotVisible", None, log);
            tracing::error!(
                account,
                "the account's key can't see the bookings of all hosts; use the key of a team admin"
            );
        }
        let expires = KeyExpiry::day(tenant.calcom.key_expires, found.key_since);
        if let Some(day) = expires.filter(|day| *day <= now.date_naive() + EXPIRY_WARNING) {
            self.metrics.count("KeyExpiring", None, log);
            tracing::error!(account, %day, "the account's key expires soon; create a new one and put it into the secret");
        }
    }
}

/// Whether Cal.com refuses the key itself. `None` if that can't be found out now.
pub(crate) async fn is_refused(calcom: &Calcom, key: &SecretString) -> Option<bool> {
    match calcom.me(key).await {
        Ok(()) => Some(false),
        Err(error) if error.category() == Category::Credentials => Some(true),
        Err(_) => None,
    }
}
