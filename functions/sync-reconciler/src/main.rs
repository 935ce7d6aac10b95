//! Sends again what should have moved and has not.

mod handler;

use handler::SyncReconciler;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let reconciler = SyncReconciler::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| reconciler.reconcile(event.payload, event.context))).await
}
