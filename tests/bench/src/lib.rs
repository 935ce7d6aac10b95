//! Runs one function's release binary against the Lambda Runtime API, AWS and Cal.com on loopback. Each answers
//! after a set delay, and counts what the function asks for.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | what is to be measured, as `tests/run bench` hands it over |
//! | [`runtime_api`] | Lambda's side of a function: events in, answers out |
//! | [`harness`] | AWS and Cal.com behind TLS; DynamoDB is a real implementation of it (`dynoxide`) |
//! | [`tls`] | the certificate that the harness shows |
//! | [`process`] | a function's process: its CPU and memory |
//! | [`calls`] | as many different calls as are wanted, signed |
//! | [`measurements`] | what was measured |
//! | [`cost`] | what that costs on AWS |

pub mod calls;
pub mod cost;
pub mod harness;
pub mod measurements;
pub mod plan;
pub mod process;
pub mod runtime_api;
pub mod tls;

use std::io::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use tokio::process::Command;

/// Loads the plan's tenant with the operator's command.
pub async fn load_tenant(plan: &plan::Plan, harness: &harness::Harness) {
    let tenant = plan.tenant.to_str().expect("a readable path");
    operate(plan, harness, &["tenant", "load", "--apply", tenant]).await;
}

/// Runs the operator's command.
pub async fn operate(plan: &plan::Plan, harness: &harness::Harness, arguments: &[&str]) {
    let done = Command::new(&plan.operator).args(arguments).envs(harness.environment()).output().await;
    let done = done.expect("the operator's command runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// As API Gateway writes what is no text.
pub fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Compressed, as a sender may do.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes it")
}
