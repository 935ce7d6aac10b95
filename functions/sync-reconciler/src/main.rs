#![doc = include_str!("../README.md")]

mod handler;
mod setup_faults;

use handler::SyncReconciler;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let reconciler = SyncReconciler::from_env()?;
    run(service_fn(|event: LambdaEvent<_>| reconciler.handle(event.payload, event.context))).await
}
