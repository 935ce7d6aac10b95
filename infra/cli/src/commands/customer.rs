//! `frontdesk customer`: export or erase everything that is stored about a customer.

use std::collections::BTreeSet;

use chrono::Utc;
use clap::{Args, Subcommand};
use scheduling::{
    appointment::{Appointment, StateName},
    contact,
    exchange::Exchange,
    ids::{AppointmentId, CallId, CustomerId, TenantId},
    personal::Personal,
};
use serde_json::{Value, json};
use store::{Appointments, Calls, StoreError, Versioned};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
};

/// Commands for a customer's data.
#[derive(Subcommand)]
pub enum Command {
    /// Print everything as JSON: appointments, exchanges with Cal.com, calls.
    Export(Customer),
    /// Erase everything. Unbooked appointments are cancelled; counters stay as they are.
    Erase {
        #[command(flatten)]
        customer: Customer,
        /// Erase it.
        #[arg(long)]
        apply: bool,
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
    /// The name, if several people share the contact: only what was requested under it, or under no name.
    #[arg(long, conflicts_with = "everyone")]
    name: Option<String>,
    /// Everything of everybody who shares the contact.
    #[arg(long)]
    everyone: bool,
}

/// The customer's contact.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Contact {
    /// The phone number, in national or international form.
    #[arg(long)]
    phone: Option<String>,
    /// The email.
    #[arg(long)]
    email: Option<String>,
}

/// The stores that hold data about customers.
struct Stores {
    context: CommandContext,
    appointments: Appointments,
    calls: Calls,
    tenant: TenantId,
}

/// Everything that is stored about one customer.
struct Found {
    /// Every id of the customer.
    customers: BTreeSet<CustomerId>,
    appointments: Vec<Appointment>,
    calls: BTreeSet<CallId>,
    /// Further calls that requested one of the appointments.
    linked: Vec<(AppointmentId, CallId)>,
    /// Whether others keep what is stored under the same contact.
    shares_contact: bool,
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let (Command::Export(customer) | Command::Erase { customer, .. }) = &command;
    let context = CommandContext::from_env().await?;
    let tenant = TenantId::new(&customer.tenant);
    // What is stored of a customer outlives the tenant.
    let stored = context.tenants()?.load(&tenant).await?;
    let id = customer.contact.id(&tenant, stored.as_ref().map_or("DE", |stored| &stored.country))?;
    let stores = Stores {
        calls: Calls::from_env(&context.config, context.timing)?,
        appointments: context.appointments()?,
        tenant,
        context,
    };
    let found = stores.find(id).await?.of_one_person(customer)?;
    if stored.is_none() && found.appointments.is_empty() && found.calls.is_empty() {
        return Err(CommandError::NotFound(format!("anything of this customer at tenant {}", customer.tenant)));
    }
    match command {
        Command::Export(_) => say!("{:#}", stores.export(&found).await?),
        Command::Erase { apply: false, .. } => {
            found.print("to erase");
            say!("{DRY_RUN}");
        }
        Command::Erase { .. } => stores.erase(found).await?,
    }
    Ok(())
}

impl Contact {
    fn id(&self, tenant: &TenantId, country: &str) -> Result<CustomerId, CommandError> {
        let phone = self.phone.as_deref().and_then(|text| contact::phone_number(text, country));
        let email = self.email.as_deref().and_then(contact::email);
        match (phone, email) {
            (Some(phone), _) => Ok(CustomerId::of_phone(tenant, phone.reveal())),
            (_, Some(email)) => Ok(CustomerId::of_email(tenant, email.reveal())),
            _ => Err(CommandError::Refused(
                "failed to read the contact: it is neither a phone number nor an email".to_owned(),
            )),
        }
    }
}

impl Found {
    /// What belongs to the person of the given name. Without a name, several people must not share the contact.
    fn of_one_person(mut self, wanted: &Customer) -> Result<Self, CommandError> {
        if wanted.everyone {
            return Ok(self);
        }
        let people = self.people();
        let Some(name) = wanted.name.as_ref() else {
            return match people.as_slice() {
                [] | [_] => Ok(self),
                several => Err(CommandError::Refused(format!(
                    "failed to choose: {} people share this contact: {}. Give --name, or --everyone",
                    several.len(),
                    several.join(", ")
                ))),
            };
        };
        let named = contact::Customer { name: Some(Personal::new(name.clone())), ..contact::Customer::default() };
        self.appointments.retain(|appointment| appointment.request.customer.may_be(&named));
        if people.len() > 1 {
            // A call from the number that requested nothing may be anybody's.
            let calls = self.appointments.iter().flat_map(|it| [it.call.clone(), it.call.whole()]);
            self.calls = calls
                .chain(
                    self.linked
                        .iter()
                        .filter(|(id, _)| self.appointments.iter().any(|it| it.id == *id))
                        .map(|(_, call)| call.clone()),
                )
                .collect();
            self.shares_contact = true;
        }
        Ok(self)
    }

    /// A name of each person who has an appointment: the longest of those that may be one person's.
    fn people(&self) -> Vec<String> {
        let mut people: Vec<&contact::Customer> = Vec::new();
        let mut customers: Vec<&contact::Customer> = self.appointments.iter().map(|it| &it.request.customer).collect();
        let length = |customer: &contact::Customer| customer.name.as_ref().map_or(0, |name| name.reveal().len());
        customers.sort_by_key(|customer| std::cmp::Reverse(length(customer)));
        for customer in customers.into_iter().filter(|customer| customer.name.is_some()) {
            if !people.iter().any(|known| known.may_be(customer)) {
                people.push(customer);
            }
        }
        people.iter().filter_map(|customer| Some(customer.name.as_ref()?.reveal().clone())).collect()
    }

    fn print(&self, verb: &str) {
        let appointments = self.appointments.iter().map(|appointment| appointment.id.as_str());
        say!("{} appointments {verb}: {}", self.appointments.len(), appointments.collect::<Vec<_>>().join(", "));
        let calls = self.calls.iter().map(CallId::as_str);
        say!("{} calls {verb}: {}", self.calls.len(), calls.collect::<Vec<_>>().join(", "));
    }
}

impl Stores {
    /// Everything that is stored under one id of the customer, and under the further ids that it names.
    async fn find(&self, by: CustomerId) -> Result<Found, CommandError> {
        let mut found = Found {
            customers: BTreeSet::new(),
            appointments: Vec::new(),
            calls: BTreeSet::new(),
            linked: Vec::new(),
            shares_contact: false,
        };
        let mut pending = vec![by];
        while let Some(customer) = pending.pop() {
            if !found.customers.insert(customer.clone()) {
                continue;
            }
            let calls = self.calls.of_customer(&customer).await?;
            // The caller may have given another number.
            let requested = calls.iter().map(|found| match &found.appointment {
                Some(appointment) => appointment.clone(),
                None => AppointmentId::of_call(&self.tenant, &found.call),
            });
            let ids: Vec<_> = self.appointments.of_customer(&customer).await?.into_iter().chain(requested).collect();
            found.calls.extend(calls.into_iter().map(|found| found.call));
            for id in ids {
                let is_known = found.appointments.iter().any(|known| known.id == id);
                let stored = self.appointments.load(&id).await?.filter(|_| !is_known);
                let Some(Versioned { value: appointment, .. }) = stored else { continue };
                pending.extend(appointment.request.customer.ids(&self.tenant));
                found.calls.extend([appointment.call.clone(), appointment.call.whole()]);
                let linked = self.appointments.linked_calls(&id).await?;
                found.calls.extend(linked.iter().flat_map(|call| [call.clone(), call.whole()]));
                found.linked.extend(linked.into_iter().map(|call| (id.clone(), call)));
                found.appointments.push(appointment);
            }
        }
        Ok(found)
    }

    async fn export(&self, found: &Found) -> Result<Value, CommandError> {
        let mut appointments = Vec::new();
        for appointment in &found.appointments {
            let exchanges = self.appointments.exchanges(&appointment.id).await?.into_iter().map(|stored| {
                let Exchange { request, status, body } = stored.exchange;
                json!({"name": stored.name, "request": request, "status": status,
                       "body": String::from_utf8_lossy(&body)})
            });
            appointments.push(json!({"appointment": appointment, "exchanges": exchanges.collect::<Vec<_>>()}));
        }
        let mut calls = Vec::new();
        for call in &found.calls {
            let events = self.calls.events(&self.tenant, call).await?.into_iter();
            let events = events.map(|(name, body)| json!({"event": name, "body": String::from_utf8_lossy(&body)}));
            calls.push(json!({"call": call, "events": events.collect::<Vec<_>>()}));
        }
        Ok(json!({"tenant": self.tenant, "appointments": appointments, "calls": calls}))
    }

    /// Erases everything that was found, the customer index last, so that an interrupted run can be repeated.
    async fn erase(&self, found: Found) -> Result<(), CommandError> {
        let may_be_booked =
            |found: &&Appointment| found.unconfirmed_booking().is_some() || found.state().name() == StateName::Booking;
        if let Some(unfinished) = found.appointments.iter().find(may_be_booked) {
            return Err(busy(unfinished));
        }
        for appointment in &found.appointments {
            if !self.erase_from(appointment).await? {
                return Err(busy(appointment));
            }
        }
        for call in &found.calls {
            self.calls.erase_content(&self.tenant, call, Utc::now()).await?;
        }
        let ids: Vec<&AppointmentId> = found.appointments.iter().map(|appointment| &appointment.id).collect();
        for customer in &found.customers {
            if found.shares_contact {
                self.appointments.erase_customer_entries(customer, &ids).await?;
            } else {
                self.appointments.erase_customer_index(customer).await?;
                self.calls.erase_customer_index(customer).await?;
            }
        }
        found.print("erased");
        for booking in found.appointments.iter().filter_map(Appointment::booking) {
            say!("Cal.com still stores the booking {}: erase it there", booking.uid);
        }
        Ok(())
    }

    /// `false` if a worker holds it.
    async fn erase_from(&self, found: &Appointment) -> Result<bool, CommandError> {
        loop {
            let stored = self.context.appointment(&self.appointments, &found.id).await?;
            let Versioned { value: mut appointment, version } = stored;
            if appointment.erase_customer(self.context.actor()).is_err() {
                return Ok(false);
            }
            match self.appointments.update(&appointment, version).commit().await {
                Ok(_) => break,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.appointments.erase_related(&found.id).await?;
        Ok(true)
    }
}

fn busy(appointment: &Appointment) -> CommandError {
    let id = &appointment.id;
    CommandError::Incomplete(format!(
        "failed to erase {id}: it is being booked, or Cal.com may hold its booking. Run the command again in three \
         minutes. If it needs review and Cal.com holds no booking, run `frontdesk appointment not-booked {id} --apply` \
         first"
    ))
}
