#![doc = include_str!("../README.md")]

#[macro_use]
mod output;

mod analysis_fields;
mod commands;
mod context;
mod error;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    appointment, calls, customer, dead_letters, hosts, import, people, quality, restore, tenant, understand,
};

/// Operates Frontdesk: tenants, appointments, calls, hosts, dead letters, customers and reports.
///
/// Tables, queues and secrets are those that the environment names (`APPOINTMENTS_TABLE` and so on), as in the stack's
/// outputs; locally `source .frontdesk/local.env` sets them. Commands that change something print a plan and change
/// nothing without --apply.
#[derive(Parser)]
#[command(name = "frontdesk", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check, load, show and remove tenants.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Show appointments, list those that need review, and resolve them.
    #[command(subcommand)]
    Appointment(appointment::Command),
    /// List the calls that belong to no tenant yet.
    #[command(subcommand)]
    Calls(calls::Command),
    /// List dead letters and redrive them.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Map the hosts of past bookings to staff members.
    #[command(subcommand)]
    Hosts(hosts::Command),
    /// List the people who may sign in to the desk, invite somebody and withdraw access.
    #[command(subcommand)]
    People(people::Command),
    /// Import the appointments of another system.
    Import(import::Import),
    /// Print the quality report.
    #[command(subcommand)]
    Quality(quality::Command),
    /// Export or erase everything that is stored about a customer.
    #[command(subcommand)]
    Customer(customer::Command),
    Restore(restore::Restore),
    Understand(understand::Understand),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Tenant(command) => tenant::run(command).await,
        Command::Appointment(command) => appointment::run(command).await,
        Command::Calls(command) => calls::run(command).await,
        Command::DeadLetters(command) => dead_letters::run(command).await,
        Command::Hosts(command) => hosts::run(command).await,
        Command::People(command) => people::run(command).await,
        Command::Import(import) => import::run(import).await,
        Command::Quality(command) => quality::run(command).await,
        Command::Customer(command) => customer::run(command).await,
        Command::Restore(command) => restore::run(command).await,
        Command::Understand(command) => understand::run(command).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frontdesk: {error}");
            ExitCode::FAILURE
        }
    }
}
