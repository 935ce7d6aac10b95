#![doc = include_str!("../README.md")]

mod handler;
mod hosts;

use handler::Assignments;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let assignments = Assignments::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| assignments.handle(event.payload, event.context))).await
}
