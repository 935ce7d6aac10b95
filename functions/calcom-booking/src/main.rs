#![doc = include_str!("../README.md")]

mod accounts;
mod adoption;
mod attempt;
mod booker;
mod breaker;
mod earlier;
mod handler;
mod verification;
mod wish;

use handler::Bookings;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let bookings = Bookings::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| bookings.handle(event.payload, event.context))).await
}
