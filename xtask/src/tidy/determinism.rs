//! Rule: no clock, no threads, no unseeded randomness and no runtime outside the rooms that own
//! them, so that the whole house can be simulated from one seed.

use super::Finding;
use super::code::{bare, tests_begin, uses};
use super::tree::{File, Tree, line_of};

/// The rooms that must be pure; every transport is, too.
pub(super) const PURE: &[&str] = &[
    "crates/model",
    "crates/access",
    "crates/protocol",
    "crates/broker",
    "crates/log",
    "crates/host",
    "crates/websocket",
    "crates/mqtt",
];

/// What must not be used, and what to do instead.
const CLOCKS_AND_CHANCE: &[(&str, &str)] = &[
    ("Instant::now", "take the time as an argument"),
    ("SystemTime::now", "take the time as an argument"),
    ("rand::", "take the bytes or the seed as an argument"),
    ("tokio::", "leave I/O and tasks to net"),
];

/// Tests may use threads, to prove that what is shared can be shared.
const THREADS: &[(&str, &str)] =
    &[("std::thread", "leave threads to net"), ("thread::", "leave threads to net")];

/// The disk log syncs on a thread of its own; what it does there is simulated with it.
const MAY_HAVE_THREADS: &str = "crates/log/src/disk/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().filter(|file| is_pure(file.room())).flat_map(check_file).collect()
}

/// Whether a room must be pure.
pub(super) fn is_pure(room: &str) -> bool {
    PURE.contains(&room) || room.starts_with("transports/")
}

fn check_file(file: &File) -> Vec<Finding> {
    let bare = bare(&file.text);
    let code = &bare[..tests_begin(file, &bare)];
    let mut findings = Vec::new();
    let threads = if file.path.starts_with(MAY_HAVE_THREADS) { &[] } else { THREADS };
    for (text, forbidden) in [(bare.as_str(), CLOCKS_AND_CHANCE), (code, threads)] {
        for (name, instead) in forbidden {
            findings.extend(uses(text, name).map(|offset| {
                let text = format!("{name} does not belong in {}; {instead}", file.room());
                Finding::new(&file.path, line_of(&bare, offset), text)
            }));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn clocks_threads_and_chance_are_found_in_pure_rooms() {
        let code = "//! Instant::now is only spoken of.\nlet now = Instant::now();\n\
            use std::thread;\nlet x = rand::rng();\nlet s = \"tokio::spawn\";\nstrand::x();\n\
            #[cfg(test)]\nmod tests {\n    std::thread::scope(|_| ());\n    tokio::spawn(x);\n}\n";
        let files = [("crates/broker/src/a.rs", code), ("crates/net/src/a.rs", code)];
        let expected = ["2", "4", "10", "3"].map(|line| format!("crates/broker/src/a.rs:{line}"));
        assert_eq!(found(check, &files), expected);
        assert_eq!(found(check, &[("transports/sse/src/a.rs", code)]).len(), 4);
    }
}
