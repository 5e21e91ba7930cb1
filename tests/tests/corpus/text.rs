//! Real text, as much as the machine has: dictionaries, licences, logs, manuals, sources.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many lines a corpus has at least; repeated with numbers when the machine has fewer.
const LINES_MIN: usize = 200_000;

/// Where enough is enough.
const LINES_MAX: usize = 300_000;

/// Longest line that is taken, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 8;

/// Where text lies on a Debian, real prose first.
const PLACES: [&str; 8] = [
    "/usr/share/dict",
    "/usr/share/common-licenses",
    "/var/log/dpkg.log",
    "/usr/share/doc",
    "/usr/share/perl",
    "/usr/share/perl5",
    "/usr/share/zoneinfo/tzdata.zi",
    "/usr/include",
];

/// What of it is text by its name; so is whatever has no extension.
const EXTENSIONS: [&str; 8] = ["txt", "pod", "pm", "h", "hpp", "log", "md", "zi"];

/// The corpus: lines that are not empty and are UTF-8.
pub(crate) fn lines() -> Arc<Vec<String>> {
    let mut lines = Vec::new();
    for place in PLACES {
        collect(Path::new(place), 0, &mut lines);
    }
    assert!(!lines.is_empty(), "there is no text on this machine");
    let count = lines.len();
    for number in 0.. {
        if lines.len() >= LINES_MIN {
            break;
        }
        lines.push(format!("{number}: {}", lines[number % count]));
    }
    Arc::new(lines)
}

/// Adds the lines of a file, or of all files of a folder, in the order of their names.
fn collect(path: &Path, depth: usize, lines: &mut Vec<String>) {
    // Links are left out: they lead to what is here already, or in circles.
    let Ok(kind) = path.symlink_metadata().map(|data| data.file_type()) else { return };
    if lines.len() >= LINES_MAX || depth > DEPTH_MAX {
        return;
    }
    if kind.is_dir() {
        let entries = path.read_dir().into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            collect(&path, depth + 1, lines);
        }
    } else if kind.is_file() && is_text(path) {
        let Ok(bytes) = std::fs::read(path) else { return };
        let fresh = bytes.split(|&byte| byte == b'\n').filter_map(line);
        lines.extend(fresh.take(LINES_MAX - lines.len()));
    }
}

fn is_text(path: &Path) -> bool {
    path.extension().is_none_or(|name| EXTENSIONS.iter().any(|known| name == *known))
}

/// A line as it can be published alone: the end of a line is no part of it.
fn line(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes.strip_suffix(b"\r").unwrap_or(bytes)).ok()?;
    let fits = !text.is_empty() && text.len() <= LINE_BYTES_MAX && !text.ends_with('\r');
    fits.then(|| text.to_owned())
}
