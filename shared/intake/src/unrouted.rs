//! Calls that belong to no tenant yet: they are kept, and taken up once a tenant has their agent or number.

use chrono::{DateTime, Utc};
use platform::telemetry::LogContext;
use retell::event::Event;
use scheduling::{appointment::Actor, ids::AccountName, tenant::Tenant};
use store::{StoreError, UnroutedEvent, UnroutedRoute};

use crate::{CallIntake, IntakeError, body};

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
        let body = body::stored(body);
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
                self.take_up(&route, tenant, by, log, &mut taken_up).await?;
            }
        }
        Ok(taken_up)
    }

    /// Takes up what was kept of one route, and what is kept while that happens.
    async fn take_up(
        &self,
        route: &UnroutedRoute,
        tenant: &Tenant,
        by: Actor<'_>,
        log: &LogContext,
        taken_up: &mut TakenUp,
    ) -> Result<(), IntakeError> {
        let mut is_closed = false;
        loop {
            let kept = self.unrouted.events(route).await?;
            if kept.is_empty() && is_closed {
                return Ok(());
            }
            for (kept, body) in kept {
                // It was parsed before it was kept.
                if let Ok(event) = Event::parse(&body) {
                    taken_up.appointments += self.take_in(&event, &body, tenant, by, log).await?.len();
                }
                self.unrouted.forget(route, &kept).await?;
                taken_up.events += 1;
            }
            self.unrouted.close(route).await?;
            is_closed = true;
        }
    }
}
