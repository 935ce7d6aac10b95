//! Calls that belong to no tenant yet: they are kept, and taken up once a tenant has their agent or number.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use platform::telemetry::LogContext;
use retell::event::Event;
use scheduling::{appointment::Actor, ids::AccountName, tenant::Tenant};
use store::{StoreError, UnroutedEvent, UnroutedKey, UnroutedRoute};

use crate::{CallIntake, IntakeError, NOT_ANALYZED, Received, body};

/// What was taken up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct TakenUp {
    /// Events of calls.
    pub events: usize,
    /// The appointments that they request.
    pub appointments: usize,
}

impl CallIntake {
    /// Keeps an event of a call that no tenant of this account has. Returns whether it is the first one of its agent and
    /// number: then people are to be notified.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn keep_unrouted(
        &self,
        event: &Event,
        body: &[u8],
        account: &AccountName,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let route = UnroutedRoute::new(account, event.call.agent_id.as_ref(), event.call.business_number(), now);
        let body = body::fit_into_transaction(body);
        let kept =
            UnroutedEvent { call: event.call.id.clone(), name: event.kind.as_str().to_owned(), received_at: now };
        self.unrouted.keep(&route, &kept, &body).await
    }

    /// Takes up every call that was kept for the agents and numbers of this tenant.
    ///
    /// # Errors
    /// [`IntakeError`]. What was not taken up stays kept.
    pub async fn take_up_unrouted(
        &self,
        tenant: &Tenant,
        by: Actor<'_>,
        log: &LogContext,
    ) -> Result<TakenUp, IntakeError> {
        let mut taken_up = TakenUp::default();
        for route in self.unrouted.routes(&tenant.retell.account).await? {
            let found = self.tenants.of_call(route.agent.as_ref(), route.number.as_deref()).await?;
            if found.is_some_and(|found| found.id == tenant.id) {
                let of_route = self.take_up_route(&route, tenant, by, log).await?;
                taken_up.events += of_route.events;
                taken_up.appointments += of_route.appointments;
            }
        }
        Ok(taken_up)
    }

    /// Takes up what was kept of one route, and what is kept while that happens. An event that can't be taken up stays, and
    /// keeps no other from it.
    ///
    /// # Errors
    /// [`IntakeError`], the last one. What was not taken up stays kept.
    pub async fn take_up_route(
        &self,
        route: &UnroutedRoute,
        tenant: &Tenant,
        by: Actor<'_>,
        log: &LogContext,
    ) -> Result<TakenUp, IntakeError> {
        let mut taken_up = TakenUp::default();
        let (mut seen, mut failed, mut is_closed) = (BTreeSet::new(), None, false);
        loop {
            let mut keys = self.unrouted.keys(route).await?;
            keys.retain(|key| seen.insert(key.clone()));
            if keys.is_empty() && (is_closed || failed.is_some()) {
                return failed.map_or(Ok(taken_up), Err);
            }
            for key in &keys {
                match self.take_up_one(route, key, tenant, by, log).await {
                    Ok(appointments) => {
                        taken_up.appointments += appointments;
                        taken_up.events += 1;
                    }
                    Err(error) => {
                        tracing::error!(%error, "failed to take up a stored event of an unrouted call");
                        failed = Some(error);
                    }
                }
            }
            if failed.is_none() {
                self.unrouted.close(route).await?;
                is_closed = true;
            }
        }
    }

    async fn take_up_one(
        &self,
        route: &UnroutedRoute,
        key: &UnroutedKey,
        tenant: &Tenant,
        by: Actor<'_>,
        log: &LogContext,
    ) -> Result<usize, IntakeError> {
        let Some((kept, body)) = self.unrouted.load(route, key).await? else { return Ok(0) };
        let mut appointments = 0;
        // It was parsed before it was kept.
        if let Ok(event) = Event::parse(&body) {
            let received = Received { event: &event, body: &body, received_at: kept.received_at };
            let taken_in = match event.kind.as_str() {
                NOT_ANALYZED => self.take_in_unanalyzed(received, tenant, by, log).await?,
                _ => self.take_in(received, tenant, by, log).await?,
            };
            appointments = taken_in.len();
        }
        self.unrouted.forget(route, key).await?;
        Ok(appointments)
    }
}
