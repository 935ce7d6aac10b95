#![doc = include_str!("../README.md")]

mod answer;
mod caller;
mod conversation;
mod error;
mod handler;
mod inbound;
mod tools;

use handler::VoiceTools;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    platform::telemetry::init();
    let tools = VoiceTools::from_env().await?;
    run(service_fn(|event: LambdaEvent<_>| tools.handle(event.payload, event.context))).await
}
