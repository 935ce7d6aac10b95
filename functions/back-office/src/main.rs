#![doc = include_str!("../README.md")]

mod handler;

use handler::BackOffice;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let office = BackOffice::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| office.handle(event.payload, event.context))).await
}
