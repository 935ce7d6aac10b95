//! `frontdesk calls`: the calls that belong to no tenant yet.

use clap::Subcommand;
use platform::secrets::{RetellKeys, Secret};
use scheduling::ids::AgentId;
use serde_json::{Value, json};

use crate::{
    context::CommandContext,
    error::CommandError,
    output::{Output, print_json, print_text, table},
};

/// Commands for calls.
#[derive(Subcommand)]
pub enum Command {
    /// List the agents and numbers whose calls are kept because no tenant has them. Load a tenant that has one: its calls
    /// are taken up then.
    Unrouted {
        /// The form of the list.
        #[arg(long, default_value = "text")]
        output: Output,
    },
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), CommandError> {
    let Command::Unrouted { output } = command;
    let context = CommandContext::from_env().await?;
    let unrouted = context.intake()?.unrouted;
    let secret: Secret<RetellKeys> = Secret::from_env(&context.config)?;
    let keys = secret.read().await.map_err(|error| CommandError::Refused(error.to_string()))?;
    let mut found = Vec::new();
    for (account, _) in keys.accounts() {
        for route in unrouted.routes(account).await? {
            let calls = unrouted.calls(&route).await?.len();
            found.push((route, calls));
        }
    }
    match output {
        Output::Json => {
            let shown = found.iter().map(|(route, calls)| {
                json!({"account": route.account, "agent_id": route.agent, "number": route.number, "calls": calls,
                       "since": route.since})
            });
            print_json(&Value::Array(shown.collect()))
        }
        Output::Text if found.is_empty() => print_text("no unrouted calls are stored"),
        Output::Text => {
            let rows = found.into_iter().map(|(route, calls)| {
                let agent = route.agent.as_ref().map_or("-", AgentId::as_str).to_owned();
                let since = route.since.format("%d %b %Y %H:%M UTC").to_string();
                [
                    route.account.to_string(),
                    agent,
                    route.number.unwrap_or_else(|| "-".to_owned()),
                    calls.to_string(),
                    since,
                ]
            });
            print_text(&table(["account", "agent", "number", "calls", "since"], rows))
        }
    }
}
