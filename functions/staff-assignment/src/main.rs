//! Finds out which member of the staff a booking is for.

mod handler;

use handler::Assignments;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let assignments = Assignments::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| assignments.process(event.payload, event.context))).await
}
