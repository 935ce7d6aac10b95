#![doc = include_str!("../README.md")]

mod error;
mod handler;
mod rejections;

use handler::Intake;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let intake = Intake::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| intake.handle(event.payload, event.context))).await
}
