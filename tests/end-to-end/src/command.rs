//! The operator's command, as it is run.

use std::process::Command;

use crate::variable;

/// Runs `frontdesk` and answers whether it succeeded, and what it printed.
pub fn frontdesk(arguments: &[&str]) -> (bool, String) {
    let done = Command::new(variable("FRONTDESK_COMMAND")).args(arguments).output().unwrap();
    let printed = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(printed).unwrap())
}
