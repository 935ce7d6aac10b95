#![doc = include_str!("../README.md")]

mod agency;
mod handler;
mod pending;

use handler::ReviewNotifier;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let notifier = ReviewNotifier::from_env()?;
    run(service_fn(|event: LambdaEvent<_>| notifier.handle(event.payload, event.context))).await
}
