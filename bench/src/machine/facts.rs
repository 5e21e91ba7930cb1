//! What has to be known of a machine to judge a figure that was measured on it.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Facts in the order they are told, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts(Vec<(String, Value)>);

impl Facts {
    /// Those of this machine.
    pub(crate) fn of_this_machine() -> Facts {
        let mut facts = Facts::default();
        facts.put("processor", processor());
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        facts.put("cores", cores);
        facts.put("memory MB", kilobytes("/proc/meminfo", "MemTotal:").unwrap_or(0) / 1024);
        facts.put("kernel", line_of("/proc/sys/kernel/osrelease"));
        // Both decide when a packet arrives, and whether: the system drops what its queue of the
        // loopback has no room for, and sends it again a second later.
        facts.put("packets queued at most", line_of("/proc/sys/net/core/netdev_max_backlog"));
        let control = line_of("/proc/sys/net/ipv4/tcp_congestion_control");
        facts.put("congestion control", control);
        facts.put("load before", line_of("/proc/loadavg"));
        facts
    }

    /// Adds what happened since `before` that makes figures worthless.
    pub(crate) fn put_drops(&mut self, before: u64) {
        self.put("packets dropped", packets_dropped() - before);
    }

    /// Adds one, in place of one with this name.
    pub(crate) fn put(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// All of them.
    pub(crate) fn pairs(&self) -> &[(String, Value)] {
        &self.0
    }
}

/// Packets that the system had no room for since it started, on any core.
pub(crate) fn packets_dropped() -> u64 {
    // The second of each line's hexadecimal numbers.
    let dropped = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    line_of("/proc/net/softnet_stat").lines().filter_map(dropped).sum()
}

/// The number behind a name in one of the kernel's tables, which are in kilobytes.
pub(super) fn kilobytes(path: impl AsRef<Path>, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The first line that a program says of its version, on whichever of its two outputs.
pub(crate) fn version_of(command: &[String]) -> String {
    let Some((program, arguments)) = command.split_first() else { return "unknown".to_owned() };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = output else { return "unknown".to_owned() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().next().unwrap_or("unknown").trim().to_owned()
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("unknown", |(_, name)| name).to_owned()
}

fn line_of(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}
