#![doc = include_str!("../README.md")]

mod actions;
mod assets;
mod desk;
mod error;
mod handler;
mod http;
mod layout;
mod pages;
pub mod route;
mod session;
mod sign_in;
mod user_pool;
mod view;

use desk::Desk;
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// Handles requests until the process ends.
///
/// # Errors
/// If the environment lacks something, or Lambda's runtime fails.
pub async fn run() -> Result<(), Error> {
    let desk = Desk::from_env().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| desk.handle(event.payload, event.context))).await
}
