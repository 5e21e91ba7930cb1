//! What /proc says of some processes: processor time, memory; and of the sockets of the machine.

use std::fs;
use std::ops::Sub;

use super::facts::kilobytes;

/// A process and all that descend from it.
#[derive(Clone, Debug)]
pub(crate) struct Processes(Vec<u32>);

/// Processor time, in seconds (proc_pid_stat(5), fields 14 and 15).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// In the program itself.
    pub(crate) user: f64,
    /// In the kernel, on the program's account.
    pub(crate) system: f64,
}

/// Memory, in bytes (proc_pid_smaps_rollup(5)).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Pages that are there.
    pub(crate) resident: u64,
    /// The same, shared ones by their share.
    pub(crate) proportional: u64,
    /// Pages that belong to no file.
    pub(crate) anonymous: u64,
}

impl Processes {
    /// This process alone.
    pub(crate) fn own() -> Processes {
        Processes(vec![std::process::id()])
    }

    /// The process with this number and its descendants as they are now.
    pub(crate) fn below(root: u32) -> Processes {
        let mut all = vec![root];
        let mut next = 0;
        while let Some(process) = all.get(next) {
            all.extend(children(*process));
            next += 1;
        }
        Processes(all)
    }

    /// The processor time they used since they began. A process that has ended counts no more.
    pub(crate) fn cpu(&self) -> Cpu {
        let mut total = Cpu::default();
        for process in &self.0 {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let Some((user, system)) = ticks(&stat) else { continue };
            let second = rustix::param::clock_ticks_per_second() as f64;
            total.user += user as f64 / second;
            total.system += system as f64 / second;
        }
        total
    }

    /// The memory they use.
    pub(crate) fn memory(&self) -> Memory {
        let mut total = Memory::default();
        for process in &self.0 {
            let path = format!("/proc/{process}/smaps_rollup");
            let bytes = |name| kilobytes(&path, name).unwrap_or(0) * 1024;
            total.resident += bytes("Rss:");
            total.proportional += bytes("Pss:");
            total.anonymous += bytes("Anonymous:");
        }
        total
    }
}

/// Bytes in the buffers of all TCP sockets of this machine (proc(5), /proc/net/sockstat).
pub(crate) fn socket_bytes() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:")).unwrap_or_default();
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem");
    let pages: u64 = words.nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// How many files and sockets a process may have open.
pub(crate) fn open_files_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let lists = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers: Vec<u32> = lists
        .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|number| number.parse().ok())
        .collect();
    numbers
}

/// Fields 14 and 15, counted from behind the program's name, which may hold anything.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

impl Cpu {
    /// Both together.
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Sub for Cpu {
    type Output = Cpu;

    fn sub(self, earlier: Cpu) -> Cpu {
        Cpu { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_moves_no_field() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 31 12 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some((31, 12)));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn our_own_process_is_seen() {
        let own = Processes::own();
        let memory = own.memory();
        assert!(memory.resident > 0 && memory.anonymous > 0, "{memory:?}");
        assert!(memory.resident >= memory.proportional, "{memory:?}");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let below = Processes::below(std::process::id());
        assert!(below.0.contains(&child.id()), "{below:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
