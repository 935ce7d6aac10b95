#![doc = include_str!("../README.md")]

mod alerts;
mod counting;
mod handler;

use handler::QualityMonitor;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let monitor = QualityMonitor::from_env()?;
    run(service_fn(|event: LambdaEvent<_>| monitor.handle(event.payload, event.context))).await
}
