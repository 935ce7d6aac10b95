//! All that is stored about a customer: to hand it out, or to erase it.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use platform::{
    aws, settings,
    store::{Along, Appointments, Calls, StoreError, Tenants},
};
use scheduling::{
    appointment::{Appointment, StateName},
    contact,
    exchange::Exchange,
    ids::{AppointmentId, CallId, CustomerId, TenantId},
};
use serde_json::{Value, json};

use crate::{
    appointment::{by_operator, stored},
    error::CommandError,
};

/// What can be done with a customer's data.
#[derive(Subcommand)]
pub enum Command {
    /// Prints all of it as JSON: appointments, Cal.com's answers, calls.
    Export(Customer),
    /// Takes it out of every table. What is not booked yet is cancelled; figures stay as they are.
    Erase {
        /// Whose.
        #[command(flatten)]
        customer: Customer,
        /// Only says what would be erased.
        #[arg(long)]
        dry_run: bool,
    },
}

/// A customer of a tenant.
#[derive(Args)]
pub struct Customer {
    /// The tenant's id.
    #[arg(long)]
    tenant: String,
    #[command(flatten)]
    contact: Contact,
}

/// How the customer is reached.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Contact {
    /// Their phone number, in national or international form.
    #[arg(long)]
    phone: Option<String>,
    /// Their email.
    #[arg(long)]
    email: Option<String>,
}

/// The stores that hold something about customers.
struct Stores {
    appointments: Appointments,
    calls: Calls,
    tenant: TenantId,
}

/// All that is found of one customer.
struct Found {
    /// Every way to reach them that is known.
    customers: BTreeSet<CustomerId>,
    appointments: Vec<Appointment>,
    calls: BTreeSet<CallId>,
}

/// Does what is asked for.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let (Command::Export(customer) | Command::Erase { customer, .. }) = &command;
    let (config, timing) = (aws::config().await, settings::timing()?);
    let table = settings::required("APPOINTMENTS_TABLE")?;
    let tenant = TenantId::new(&customer.tenant);
    let tenants = Tenants::new(&config, settings::required("TENANTS_TABLE")?);
    let known = tenants.load(&tenant).await?;
    let known = known.ok_or_else(|| CommandError::NotFound(format!("tenant {tenant}")))?;
    let calls_table = settings::required("CALLS_TABLE")?;
    let stores = Stores {
        calls: Calls::new(&config, calls_table, table.clone(), TimeDelta::zero(), timing),
        appointments: Appointments::new(&config, table, timing),
        tenant,
    };
    let id = customer.contact.id(&stores.tenant, &known.country)?;
    let found = stores.find(id).await?;
    match command {
        Command::Export(_) => {
            println!("{:#}", stores.exported(&found).await?);
            Ok(())
        }
        Command::Erase { dry_run: true, .. } => {
            found.tell("would be erased");
            Ok(())
        }
        Command::Erase { .. } => stores.erase(found).await,
    }
}

impl Contact {
    fn id(&self, tenant: &TenantId, country: &str) -> Result<CustomerId, CommandError> {
        let phone = self.phone.as_deref().and_then(|text| contact::phone_number(text, country));
        let email = self.email.as_deref().and_then(contact::email);
        match (phone, email) {
            (Some(phone), _) => Ok(CustomerId::of_phone(tenant, phone.reveal())),
            (_, Some(email)) => Ok(CustomerId::of_email(tenant, email.reveal())),
            _ => Err(CommandError::Refused("that is no phone number or email that a customer can have".to_owned())),
        }
    }
}

impl Found {
    fn tell(&self, what: &str) {
        let appointments = self.appointments.iter().map(|appointment| appointment.id.as_str());
        println!("{} appointments {what}: {}", self.appointments.len(), appointments.collect::<Vec<_>>().join(", "));
        let calls = self.calls.iter().map(CallId::as_str);
        println!("{} calls {what}: {}", self.calls.len(), calls.collect::<Vec<_>>().join(", "));
    }
}

impl Stores {
    /// What is stored under one way to reach the customer, and the other ways that this names.
    async fn find(&self, by: CustomerId) -> Result<Found, CommandError> {
        let mut found = Found { customers: BTreeSet::new(), appointments: Vec::new(), calls: BTreeSet::new() };
        let mut to_look_under = vec![by];
        while let Some(customer) = to_look_under.pop() {
            if !found.customers.insert(customer.clone()) {
                continue;
            }
            let calls = self.calls.of_customer(&customer).await?;
            // Party called from this number may have named another.
            let asked_for = calls.iter().map(|call| AppointmentId::of_call(&self.tenant, call));
            let ids: Vec<_> = self.appointments.of_customer(&customer).await?.into_iter().chain(asked_for).collect();
            found.calls.extend(calls);
            for id in ids {
                let is_known = found.appointments.iter().any(|known| known.id == id);
                let Some((appointment, _)) = self.appointments.load(&id).await?.filter(|_| !is_known) else { continue };
                to_look_under.extend(appointment.request.customer.ids(&self.tenant));
                found.calls.insert(appointment.call.clone());
                found.calls.extend(self.appointments.linked_calls(&id).await?);
                found.appointments.push(appointment);
            }
        }
        Ok(found)
    }

    async fn exported(&self, found: &Found) -> Result<Value, CommandError> {
        let mut appointments = Vec::new();
        for appointment in &found.appointments {
            let answers = self.appointments.answers(&appointment.id).await?.into_iter().map(|answer| {
                let Exchange { request, status, body } = answer.exchange;
                json!({"name": answer.name, "request": request, "status": status,
                       "body": String::from_utf8_lossy(&body)})
            });
            appointments.push(json!({"appointment": appointment, "answers": answers.collect::<Vec<_>>()}));
        }
        let mut calls = Vec::new();
        for call in &found.calls {
            let events = self.calls.events(&self.tenant, call).await?.into_iter();
            let events = events.map(|(name, body)| json!({"event": name, "body": String::from_utf8_lossy(&body)}));
            calls.push(json!({"call": call, "events": events.collect::<Vec<_>>()}));
        }
        Ok(json!({"tenant": self.tenant, "appointments": appointments, "calls": calls}))
    }

    /// Erases all that was found, the ways to find it last, so that an interrupted run can be run again.
    async fn erase(&self, found: Found) -> Result<(), CommandError> {
        let is_in_doubt = |found: &&Appointment| found.unconfirmed().is_some() || found.state().name() == StateName::Booking;
        if let Some(doubtful) = found.appointments.iter().find(is_in_doubt) {
            return Err(unfinished(doubtful));
        }
        for appointment in &found.appointments {
            if !self.erase_from(appointment).await? {
                return Err(unfinished(appointment));
            }
        }
        for call in &found.calls {
            self.calls.forget(&self.tenant, call).await?;
        }
        for customer in &found.customers {
            self.appointments.forget_customer(customer).await?;
            self.calls.forget_customer(customer).await?;
        }
        found.tell("erased");
        for booking in found.appointments.iter().filter_map(Appointment::booking) {
            println!("Cal.com keeps its own data of the booking {}", booking.uid);
        }
        Ok(())
    }

    /// `false` where a worker is at it.
    async fn erase_from(&self, found: &Appointment) -> Result<bool, CommandError> {
        let version_of_ours = settings::deployed_version();
        loop {
            let (mut appointment, version) = stored(&self.appointments, &found.id).await?;
            let by = by_operator(&version_of_ours);
            if appointment.erase_customer(by).is_err() {
                return Ok(false);
            }
            match self.appointments.save(&appointment, version, Along::default()).await {
                Ok(_) => break,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.appointments.forget_what_is_beside(&found.id).await?;
        Ok(true)
    }
}

fn unfinished(appointment: &Appointment) -> CommandError {
    let id = &appointment.id;
    CommandError::Unfinished(format!(
        "{id} is being booked now, or Cal.com may hold its booking; run the same command again in three minutes. Where it \
         needs review, see whether it is booked, and say so with `frontdesk appointment not-booked {id}` if it is not"
    ))
}
