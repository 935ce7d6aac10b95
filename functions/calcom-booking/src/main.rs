//! Books appointments with Cal.com.

mod attempt;
mod gate;
mod handler;
mod quiet;

use handler::Bookings;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let bookings = Bookings::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| bookings.process(event.payload, event.context))).await
}
