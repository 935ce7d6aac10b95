//! What the agent knows before it says hello: the date, whether the business is open, and who is calling.

use std::{collections::BTreeMap, time::Instant};

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;
use futures_util::future::try_join_all;
use intake::{Delivery, Verified};
use platform::telemetry::LogContext;
use retell::live::InboundCall;
use scheduling::{
    appointment::Appointment,
    contact,
    identity::is_shared,
    ids::{AccountName, CustomerId, StaffId},
    tenant::Tenant,
};
use serde_json::{Value, json};
use store::StoreError;
use tokio::time::timeout;
use wording::spoken::Voice;

use crate::{
    error::RequestError,
    handler::{VoiceTools, waiting},
};

/// The variables that the agent gets. One that is missing would be read out as it stands in the prompt.
pub const VARIABLES: [&str; 7] =
    ["today", "weekday", "time", "business_open", "caller_name", "next_appointment", "usual_staff_member"];
/// So many appointments of a caller are looked at, those that start last.
const MOST: usize = 12;

impl VoiceTools {
    /// Answers with what the agent should know. Whatever goes wrong, it gets the date.
    pub(crate) async fn greet(
        &self,
        delivery: &Delivery<'_>,
        began: Instant,
        log: &mut LogContext,
    ) -> Result<Value, RequestError> {
        // The caller hears ringing: whatever is not known by then is left out.
        let (now, patience) = (Utc::now(), waiting(self.bookings.timing.greeting_limit));
        let left = patience.saturating_sub(began.elapsed());
        let Ok(Verified { body, account }) = (match timeout(left, self.verify(delivery)).await {
            Ok(verified) => match verified {
                Err(error) if error.status() == 401 => return Err(error),
                verified => verified.map_err(drop),
            },
            Err(_) => Err(()),
        }) else {
            return Ok(response(&date_of(None, now)));
        };
        let inbound = InboundCall::parse(body)?;
        let left = patience.saturating_sub(began.elapsed());
        let tenant = timeout(left, self.tenant_of(&inbound, &account)).await.ok().flatten();
        let mut variables = date_of(tenant.as_deref(), now);
        if let Some(tenant) = tenant.as_deref() {
            log.tenant = Some(tenant.id.clone());
            let left = patience.saturating_sub(began.elapsed());
            match timeout(left, self.caller(&inbound, tenant, now)).await {
                Ok(Ok(known)) => variables.extend(known),
                _ => log.span().in_scope(|| tracing::warn!("caller not looked up in time")),
            }
        }
        let milliseconds = began.elapsed().as_millis() as u64;
        log.span().in_scope(|| tracing::info!(milliseconds, "inbound call answered"));
        Ok(response(&variables))
    }

    async fn tenant_of(&self, inbound: &InboundCall, account: &AccountName) -> Option<std::sync::Arc<Tenant>> {
        let found = self.intake.tenants.of_call(inbound.agent_id.as_ref(), inbound.to_number.as_deref()).await;
        found.ok().flatten().filter(|tenant| tenant.retell.account == *account)
    }

    /// What is known of the caller: nothing, if several people share the number.
    async fn caller(
        &self,
        inbound: &InboundCall,
        tenant: &Tenant,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<&'static str, String>, StoreError> {
        let mut variables = BTreeMap::new();
        let number = inbound.from_number.as_deref().and_then(|text| contact::phone_number(text, &tenant.country));
        let Some(number) = number else { return Ok(variables) };
        let ids = self.bookings.appointments.of_customer(&CustomerId::of_phone(&tenant.id, number.reveal())).await?;
        let latest = ids.len().saturating_sub(MOST);
        let stored = try_join_all(ids[latest..].iter().map(|id| self.bookings.load(id))).await?;
        let stored: Vec<Appointment> =
            stored.into_iter().flatten().map(|stored| stored.value).filter(|it| !it.is_erased()).collect();
        let all: Vec<&Appointment> = stored.iter().collect();
        if all.is_empty() || is_shared(&all) {
            return Ok(variables);
        }
        let longest = all.iter().filter_map(|it| it.request.customer.name.as_ref()).max_by_key(|it| it.reveal().len());
        variables.extend(longest.map(|name| ("caller_name", name.reveal().clone())));
        let voice = Voice { tenant, now };
        let next = all.iter().filter(|it| it.is_booked() && it.is_coming(now)).min_by_key(|it| it.start());
        if let Some((appointment, start)) = next.and_then(|next| Some((*next, next.start()?))) {
            let service = appointment.service(tenant);
            let service = tenant.services.iter().find(|it| Some(&it.id) == service).map(|it| it.name.as_str());
            let staff = appointment.assignment().and_then(|it| tenant.staff_member(&it.staff));
            let staff = staff.map(|member| member.name.reveal().as_str());
            variables.insert("next_appointment", voice.appointment(service, start, staff));
        }
        let usual = usual_staff(&all).and_then(|id| tenant.staff_member(id));
        variables.extend(usual.map(|member| ("usual_staff_member", member.name.reveal().clone())));
        Ok(variables)
    }
}

/// The staff member who did most of the appointments; of several the one who did the latest.
fn usual_staff<'a>(appointments: &[&'a Appointment]) -> Option<&'a StaffId> {
    let assigned = || appointments.iter().filter_map(|it| it.assignment()).map(|assignment| &assignment.staff);
    assigned().max_by_key(|id| assigned().filter(|other| other == id).count())
}

/// Date, weekday and time on the tenant's clock, and whether it is open. The variables of a caller are empty.
fn date_of(tenant: Option<&Tenant>, now: DateTime<Utc>) -> BTreeMap<&'static str, String> {
    let zone = tenant.map_or(Tz::Europe__Berlin, |tenant| tenant.time_zone);
    let local = now.with_timezone(&zone);
    let mut variables: BTreeMap<&str, String> = VARIABLES.into_iter().map(|name| (name, String::new())).collect();
    variables.insert("today", local.format("%Y-%m-%d").to_string());
    variables.insert("weekday", local.format("%A").to_string());
    variables.insert("time", local.format("%H:%M").to_string());
    if let Some(tenant) = tenant {
        variables.insert("weekday", Voice { tenant, now }.weekday(local.date_naive()));
        if let Some(hours) = &tenant.hours {
            let is_open = hours.is_open(local.date_naive(), local.hour() * 60 + local.minute());
            variables.insert("business_open", if is_open { "yes" } else { "no" }.to_owned());
        }
    }
    variables
}

fn response(variables: &BTreeMap<&'static str, String>) -> Value {
    json!({"call_inbound": {"dynamic_variables": variables}})
}
