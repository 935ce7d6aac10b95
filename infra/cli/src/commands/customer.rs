//! `frontdesk customer`: export or erase everything that is stored about a customer.

use clap::{Args, Subcommand};
use operations::{
    OperationError,
    customer::{CustomerStores, Found, Shared, Whose},
};
use scheduling::{
    contact,
    ids::{AppointmentId, CallId, CustomerId, TenantId},
};

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

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let (Command::Export(customer) | Command::Erase { customer, .. }) = &command;
    let context = CommandContext::from_env().await?;
    let tenant = TenantId::new(&customer.tenant);
    // What is stored of a customer outlives the tenant.
    let stored = context.tenants()?.load(&tenant).await?;
    let id = customer.contact.id(&tenant, stored.as_ref().map_or("DE", |stored| &stored.country))?;
    let stores = CustomerStores::from_env(&context.config, context.timing)?;
    let whose = match &customer.name {
        _ if customer.everyone => Whose::Everyones,
        Some(name) => Whose::Of(name),
        None => Whose::Only,
    };
    let found = stores.find(&tenant, id).await?.of(whose).map_err(|Shared(people)| {
        CommandError::Refused(format!(
            "failed to choose: {} people share this contact: {}. Give --name, or --everyone",
            people.len(),
            people.join(", ")
        ))
    })?;
    if stored.is_none() && found.appointments.is_empty() && found.calls.is_empty() {
        return Err(CommandError::NotFound(format!("anything of this customer at tenant {}", customer.tenant)));
    }
    match command {
        Command::Export(_) => say!("{:#}", stores.export(&found).await?),
        Command::Erase { apply: false, .. } => {
            print(&found, "to erase");
            say!("{DRY_RUN}");
        }
        Command::Erase { .. } => {
            stores.erase(&found, context.actor()).await.map_err(|error| match error {
                OperationError::Incomplete(id) => busy(&AppointmentId::new(id)),
                error => error.into(),
            })?;
            print(&found, "erased");
            for uid in found.bookings() {
                say!("Cal.com still stores the booking {uid}: erase it there");
            }
        }
    }
    Ok(())
}

fn print(found: &Found, verb: &str) {
    let appointments = found.appointments.iter().map(|appointment| appointment.id.as_str());
    say!("{} appointments {verb}: {}", found.appointments.len(), appointments.collect::<Vec<_>>().join(", "));
    let calls = found.calls.iter().map(CallId::as_str);
    say!("{} calls {verb}: {}", found.calls.len(), calls.collect::<Vec<_>>().join(", "));
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

fn busy(id: &AppointmentId) -> CommandError {
    CommandError::Incomplete(format!(
        "failed to erase {id}: it is being booked, or Cal.com may hold its booking. Run the command again in three \
         minutes. If it needs review and Cal.com holds no booking, run `frontdesk appointment not-booked {id} --apply` \
         first"
    ))
}
