//! The end of the last segment, as the loss of power may leave it.

use std::path::{Path, PathBuf};

use tidings_tests::{Folder, Random, Reader, Server, Via};

use super::server;

const MESSAGES: u32 = 50;

/// A folder with a log of [`MESSAGES`] that was killed, its only segment, and how many bytes of
/// that were written.
fn killed() -> (Folder, PathBuf, Vec<u8>) {
    let folder = Folder::new();
    let mut killed = server(&folder);
    for number in 0..MESSAGES {
        killed.publish("t", format!("message {number}"));
    }
    killed.kill();
    let log = folder.path().join("log");
    let files = std::fs::read_dir(&log).unwrap_or_else(|error| panic!("{error}"));
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let mut segments = paths.filter(|path| path.extension().is_some_and(|e| e == "segment"));
    let segment = segments.next().unwrap_or_else(|| panic!("no segment"));
    let mut bytes = std::fs::read(&segment).unwrap_or_else(|error| panic!("{error}"));
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap_or_default() + 1;
    bytes.truncate(end);
    (folder, segment, bytes)
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap_or_else(|error| panic!("{error}"));
}

/// Expects the first messages and no others, nothing damaged, and a log that goes on behind them.
#[track_caller]
fn expect_whole(mut server: Server, what: &str) -> u32 {
    server.publish("t", "after");
    let mut reader = Reader::open(&server, Via::Sse, &["t"], "start");
    let mut number = 0;
    loop {
        let event = reader.read();
        if event["data"] == "after" {
            break;
        }
        assert_eq!(event["data"], format!("message {number}"), "{what}");
        number += 1;
    }
    server.kill();
    let complained = server.complained().join("\n");
    assert!(!complained.contains("damaged"), "{what}: {complained}");
    number
}

#[test]
fn what_is_cut_was_never_acknowledged() {
    let (folder, segment, bytes) = killed();
    let mut random = Random::new(1);
    for cut in [0, 1, 2, 20, 30].into_iter().chain((0..5).map(|_| random.below(1000) as usize)) {
        write(&segment, &bytes[..bytes.len() - cut]);
        let there = expect_whole(server(&folder), &format!("{cut} bytes are missing"));
        assert!(there >= MESSAGES - cut as u32 / 60 - 1, "{cut}: {there}");
        assert_eq!(there == MESSAGES, cut == 0, "{cut}: {there}");
    }
}

#[test]
fn noise_behind_the_end_is_nothing() {
    let (folder, segment, bytes) = killed();
    let mut random = Random::new(2);
    for (cut, noise) in [(0, 1), (0, 100), (0, 5000), (7, 3000), (40, 64), (0, 1 << 20)] {
        let mut spoiled = bytes[..bytes.len() - cut].to_vec();
        spoiled.extend((0..noise).map(|_| random.bits() as u8));
        write(&segment, &spoiled);
        let what = format!("{noise} bytes of noise after {cut} are cut");
        let there = expect_whole(server(&folder), &what);
        assert!(there >= MESSAGES - 1, "{what}: {there}");
        assert_eq!(there == MESSAGES, cut == 0, "{what}: {there}");
    }
}

/// A piece of an earlier record, as a file system may show it where something was not yet written.
#[test]
fn old_bytes_behind_the_end_are_nothing() {
    let (folder, segment, bytes) = killed();
    for from in [64, 100, 700, 1500] {
        let spoiled = [&bytes[..], &bytes[from..from + 600]].concat();
        write(&segment, &spoiled);
        let what = format!("old bytes from {from} again");
        assert_eq!(expect_whole(server(&folder), &what), MESSAGES);
    }
}
