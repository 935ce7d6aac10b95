//! A function's process: what it takes of CPU and memory, as the kernel counts it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

use crate::{plan::Contender, runtime_api::RuntimeApi};

/// A running function. It ends when this is dropped.
pub struct Process {
    /// Its Runtime API.
    pub api: RuntimeApi,
    /// When it was started.
    pub started: Instant,
    child: Child,
}

impl Process {
    /// Starts a contender, with its output in `log`.
    pub async fn start(name: &str, contender: &Contender, environment: &BTreeMap<String, String>, log: &Path) -> Self {
        let api = RuntimeApi::listen(name).await;
        let (program, arguments) = contender.command.split_first().expect("a command has a program");
        let log = File::create(log).expect("the log can be written");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(environment)
            .envs(&contender.environment)
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a second handle"))
            .stdout(log);
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{program} can't be started: {error}"));
        Self { api, started, child }
    }

    /// All the CPU that it has taken so far, user's and system's.
    pub fn cpu(&self) -> Duration {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id"));
        clock_getcpuclockid(pid).and_then(clock_gettime).expect("it runs").into()
    }

    /// The user's share of it, to a hundredth of a second.
    pub fn user_cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        // The second field is the program's name in brackets, and the fourteenth the user's time in hundredths.
        let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
        let hundredths: u64 =
            after_name.split_whitespace().nth(11).and_then(|field| field.parse().ok()).expect("a number");
        Duration::from_millis(hundredths * 10)
    }

    /// What it holds in memory now, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it holds memory");
        let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|field| field.parse().ok()).expect("a number");
        kilobytes * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
