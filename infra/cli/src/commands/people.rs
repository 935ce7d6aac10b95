//! `frontdesk people`: who may sign in to the desk.

use std::env;

use clap::{Args, Subcommand};
use operations::people::{Access, People, Person};
use scheduling::{contact, ids::TenantId};
use serde_json::{Value, json};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
    output::{Output, print_json, print_text, table},
};

/// Commands for people.
#[derive(Subcommand)]
pub enum Command {
    /// List who may sign in.
    List {
        #[command(flatten)]
        access: AccessArguments,
        /// The form of the list.
        #[arg(long, default_value = "text")]
        output: Output,
    },
    /// Let somebody sign in. No mail is sent: pass on the desk's address, which is printed.
    Invite {
        /// The email address, to which a code is mailed at each sign-in.
        email: String,
        /// The name, as the history of appointments shows it.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        access: AccessArguments,
        /// Invite.
        #[arg(long)]
        apply: bool,
    },
    /// Withdraw somebody's access, and end every session.
    Withdraw {
        /// The email address.
        email: String,
        #[command(flatten)]
        access: AccessArguments,
        /// Withdraw.
        #[arg(long)]
        apply: bool,
    },
}

/// What people see.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct AccessArguments {
    /// One tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Every tenant, and the system.
    #[arg(long)]
    agency: bool,
}

impl AccessArguments {
    /// The access. A tenant must exist.
    async fn of(self, context: &CommandContext) -> Result<Access, CommandError> {
        let Some(tenant) = self.tenant.map(TenantId::new) else { return Ok(Access::Agency) };
        context.tenant(&context.tenants()?, &tenant).await?;
        Ok(Access::Tenant(tenant))
    }
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let context = CommandContext::from_env().await?;
    let people = People::from_env(&context.config)?;
    match command {
        Command::List { access, output } => list(&people.with(&access.of(&context).await?).await?, output),
        Command::Invite { email, name, access, apply } => {
            let access = access.of(&context).await?;
            let valid =
                contact::email(&email).ok_or_else(|| CommandError::Refused(format!("{email} is no email address")))?;
            say!("{} {} can sign in and see {}", name, valid.reveal(), seen(&access));
            if !apply {
                return print_text(DRY_RUN);
            }
            people.invite(&access, &name, valid.reveal()).await?;
            let desk = env::var("DESK_URL").unwrap_or_else(|_| "the stack's output DeskUrl".to_owned());
            print_text(&format!("invited; tell them to sign in at {desk} with this email address"))
        }
        Command::Withdraw { email, access, apply } => {
            let access = access.of(&context).await?;
            let is_meant = |person: &Person| person.email.reveal().eq_ignore_ascii_case(email.trim());
            let found = people.with(&access).await?.into_iter().find(is_meant);
            let person = found
                .ok_or_else(|| CommandError::NotFound(format!("{email} among those who see {}", seen(&access))))?;
            say!("{} {} can no longer see {}", person.name.reveal(), person.email.reveal(), seen(&access));
            if !apply {
                return print_text(DRY_RUN);
            }
            people.withdraw(&access, &person.id).await?;
            print_text("withdrawn; every session of theirs has ended")
        }
    }
}

fn seen(access: &Access) -> String {
    match access {
        Access::Agency => "every tenant, and the system".to_owned(),
        Access::Tenant(tenant) => format!("the tenant {tenant}"),
    }
}

fn list(people: &[Person], output: Output) -> Result<(), CommandError> {
    if output == Output::Json {
        let shown = people.iter().map(|person| json!({"name": person.name.reveal(), "email": person.email.reveal()}));
        return print_json(&Value::Array(shown.collect()));
    }
    if people.is_empty() {
        return print_text("Nobody is invited. Invite somebody with `frontdesk people invite`.");
    }
    let rows = people.iter().map(|person| [person.name.reveal().clone(), person.email.reveal().clone()]);
    print_text(&table(["name", "email"], rows))
}
