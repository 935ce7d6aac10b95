//! Measures how well Frontdesk does, says why, and raises the alarm.

mod counts;
mod handler;
mod telling;

use handler::QualityMonitor;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let monitor = QualityMonitor::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| monitor.watch(event.payload, event.context))).await
}
