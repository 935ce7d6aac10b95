//! `frontdesk`: what an operator does by hand.
//!
//! It lies among the shared crates because it is one more user of the same tenant type and the same store as the
//! functions: a field that is added to a tenant can't be forgotten here. It is no function (nothing invokes it), no
//! infrastructure, and no test.

mod appointment;
mod customer;
mod dead_letters;
mod error;
mod hosts;
mod import;
mod quality;
mod tenant;
mod waiting;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What an operator of Frontdesk does by hand.
///
/// Tables and queues are those that the environment names, `TENANTS_TABLE`, `APPOINTMENTS_TABLE` and so on, as in the
/// stack's outputs.
#[derive(Parser)]
#[command(name = "frontdesk", version)]
struct Arguments {
    #[command(subcommand)]
    about: About,
}

#[derive(Subcommand)]
enum About {
    /// Businesses: check, load, show, remove.
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Appointments: show, list what needs a person, assign by hand, try again.
    #[command(subcommand)]
    Appointment(appointment::Command),
    /// Messages that could not be worked off: list, send again.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Hosts: who those of past bookings are.
    #[command(subcommand)]
    Hosts(hosts::Command),
    /// Appointments of a system that was there before.
    Import(import::Import),
    /// How well Frontdesk does.
    #[command(subcommand)]
    Quality(quality::Command),
    /// Customers: all that is stored about one, to hand out or to erase.
    #[command(subcommand)]
    Customer(customer::Command),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().about {
        About::Tenant(command) => tenant::run(command).await,
        About::Appointment(command) => appointment::run(command).await,
        About::DeadLetters(command) => dead_letters::run(command).await,
        About::Hosts(command) => hosts::run(command).await,
        About::Import(import) => import::run(import).await,
        About::Quality(command) => quality::run(command).await,
        About::Customer(command) => customer::run(command).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frontdesk: {error}");
            ExitCode::FAILURE
        }
    }
}
