#![doc = include_str!("../README.md")]

mod closing;
mod handler;
mod retention;

use handler::PastCleanup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let cleanup = PastCleanup::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| cleanup.handle(event.payload, event.context))).await
}
