#![doc = include_str!("../README.md")]

mod account;
mod handler;
mod verdict;

use handler::CallRecovery;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let recovery = CallRecovery::from_env()?;
    run(service_fn(|event: LambdaEvent<_>| recovery.handle(event.payload, event.context))).await
}
