//! Who is at the other end of a connection.

use std::{fs, net::SocketAddr};

use rustix::process::{Pid, Signal, kill_process};

/// The file name that every function's binary has.
const FUNCTION: &str = "bootstrap";

/// Kills the function at the other end with SIGKILL, if it is one, and answers its process id.
pub fn kill_function(peer: SocketAddr) -> Option<u32> {
    let inode = inode_of(peer.port())?;
    let process = processes().find(|process| is_function(*process) && has_socket(*process, inode))?;
    let pid = Pid::from_raw(process.try_into().ok()?)?;
    kill_process(pid, Signal::KILL).ok()?;
    Some(process)
}

/// The kernel's number for the socket that is bound to a port of loopback.
fn inode_of(port: u16) -> Option<u64> {
    let local = format!("0100007F:{port:04X}");
    let sockets = fs::read_to_string("/proc/net/tcp").ok()?;
    let mut lines = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.find(|fields| fields.get(1) == Some(&local.as_str()))?.get(9)?.parse().ok()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn is_function(process: u32) -> bool {
    fs::read_link(format!("/proc/{process}/exe"))
        .is_ok_and(|path| path.file_name().is_some_and(|name| name == FUNCTION))
}

fn has_socket(process: u32, inode: u64) -> bool {
    let wanted = format!("socket:[{inode}]");
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
        .any(|link| link.as_os_str() == wanted.as_str())
}
