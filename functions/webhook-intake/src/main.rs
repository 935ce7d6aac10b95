//! Takes Retell's webhooks: verifies, stores, queues, answers.

mod delivery;
mod handler;
mod refusal;

use handler::Intake;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let intake = Intake::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| intake.answer(event.payload, event.context))).await
}
