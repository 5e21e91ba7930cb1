//! The data directory: where in it things lie, opening it for the server, and what to do when that
//! is not possible. Must never blame the operator without saying what to do.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidings_log::{Damage, Directory, DiskLog, DiskOptions, Log, Policy, Threads};
use tidings_model::{LogKind, Time};

use crate::config::Config;

/// Where in a data directory the log lies.
pub(crate) fn log_folder(directory: &Path) -> PathBuf {
    directory.join("log")
}

/// The directory as messages name it: whole, since who reads them may stand elsewhere.
pub(crate) fn shown(directory: &Path) -> String {
    let whole = std::path::absolute(directory);
    whole.as_deref().unwrap_or(directory).display().to_string()
}

/// Opens the durable log in a data directory, or makes one there.
pub(crate) fn open(
    directory: &Path,
    policy: Policy,
    config: &Config,
    now: Time,
) -> anyhow::Result<Arc<dyn Log>> {
    let options = DiskOptions {
        kind: LogKind::Durable,
        fresh_epoch: rand::random(),
        topics_max: config.limits.topics,
        policy,
        remember: config.times.idempotency,
        salt: Box::new(rand::random),
        segment_bytes: None,
        flush_within: config.times.flush,
        threads: Threads::Own,
    };
    let (log, damages) = Directory::lock(&log_folder(directory))
        .and_then(|disk| DiskLog::open(Box::new(disk), options, now))
        .map_err(|error| {
            let (shown, advice) = (shown(directory), advice(&error));
            anyhow::anyhow!("cannot use the data directory {shown}: {error}; {advice}")
        })?;
    for Damage { file, at, from, to } in damages {
        tracing::error!(
            "the log is damaged: messages {from} to {to} are lost (log/{file} at byte {at}); \
             readers are told by a gap, and the rest is served"
        );
    }
    Ok(Arc::new(log))
}

/// What to do about a directory that a server cannot use.
fn advice(error: &io::Error) -> String {
    const ELSEWHERE: &str = "choose another directory with --data DIR, TIDINGS_DATA or the key \
                             `data`; --data none keeps messages in memory only";
    let here = match error.kind() {
        ErrorKind::ResourceBusy => "stop that process",
        ErrorKind::PermissionDenied => {
            "let the user that runs tidings read, write and list it and all in it"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "mount it for writing (systems stop writing to a disk that has errors: see their log)"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room for 100 MB at least: nothing that is stored is lost meanwhile"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file stands in its place or above it: move that away"
        }
        ErrorKind::Unsupported => "use the newer tidings that wrote it",
        ErrorKind::InvalidData => {
            "keep a copy of it and restore a backup, or move it away to begin anew"
        }
        _ => "see that it is a folder on a disk that works",
    };
    format!("{here}, or {ELSEWHERE}")
}
