//! What the machine says of itself and of processes. Must never change anything but where our own
//! process runs.

mod cores;
mod facts;
mod process;

pub(crate) use cores::Cores;
pub(crate) use facts::{Facts, packets_dropped, version_of};
pub(crate) use process::{Cpu, Memory, Processes, open_files_max, socket_bytes};
