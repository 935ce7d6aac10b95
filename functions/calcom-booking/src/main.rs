#![doc = include_str!("../README.md")]

mod handler;
mod verification;

use handler::BookingMessages;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let messages = BookingMessages::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| messages.handle(event.payload, event.context))).await
}
