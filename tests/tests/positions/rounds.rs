//! A reader that changes its transport in mid-stream, while others publish without a pause.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tidings_tests::{Folder, Reader, Server, Via};

/// Messages that each test publishes; enough for every transport to be left many times.
const MESSAGES: u32 = 1500;

/// How many events are read over one transport before it is dropped: also none at all.
const STAYS: [usize; 7] = [3, 0, 17, 1, 40, 8, 25];

/// Goes round all transports, and gives what came: each event's topic and data.
fn go_round(
    server: &Server,
    topics: &[&str],
    mut position: String,
    enough: impl Fn(&[(String, Value)]) -> bool,
) -> Vec<(String, Value)> {
    let mut seen = Vec::new();
    let mut stays = STAYS.into_iter().cycle();
    for via in Via::ALL.into_iter().cycle() {
        let mut reader = Reader::open(server, via, topics, &position);
        let stay = stays.next().unwrap_or_default();
        for _ in 0..stay {
            let mut event = reader.read();
            assert_ne!(event["type"], "gap", "{via:?}: {event}");
            let topic = event["topic"].as_str().unwrap_or_default().to_owned();
            seen.push((topic, event["data"].take()));
            if enough(&seen) {
                return seen;
            }
        }
        reader.position().clone_into(&mut position);
    }
    seen
}

/// Publishes the numbers one by one, over several connections in turn.
fn publish_all(server: &Server, topics: &[&str], stop: &AtomicBool) {
    let mut wires = [server.wire(), server.wire()];
    for number in 0..MESSAGES {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let topic = topics[number as usize % topics.len()];
        let headers = [("Content-Type", "application/json")];
        let target = format!("/t/{topic}");
        let body = number.to_string();
        let response = wires[number as usize % 2].ask("POST", &target, &headers, body.as_bytes());
        assert_eq!(response.status, 201, "{response:?}");
    }
}

/// Stops the publisher when the reader is done, also when it fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Publishes to `topics` while a reader of `filters` goes round; checks that every number came
/// once, and those of one topic in order. `order` says whether all of them must be.
#[track_caller]
fn nothing_lost_nothing_doubled(server: &Server, topics: &[&str], filters: &[&str], order: bool) {
    let stop = AtomicBool::new(false);
    let begin = server.get(&format!("/t?topic={}&since=now", filters.join("&topic="))).position();
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| publish_all(server, topics, &stop));
        let _stop = StopOnDrop(&stop);
        go_round(server, filters, begin, |seen| seen.len() == MESSAGES as usize)
    });
    let mut last: HashMap<&str, u64> = HashMap::new();
    for (at, (topic, data)) in seen.iter().enumerate() {
        let number = data.as_u64().unwrap_or(u64::MAX);
        assert_eq!(topics[number as usize % topics.len()], topic, "at {at}");
        let before = last.insert(topic, number);
        let expected = before.map_or(number % topics.len() as u64, |n| n + topics.len() as u64);
        assert_eq!(number, expected, "on {topic} at {at}, after {before:?}");
        assert!(!order || number == at as u64, "{number} at {at}");
    }
}

#[test]
fn one_topic() {
    let server = Server::start();
    nothing_lost_nothing_doubled(&server, &["a"], &["a"], true);
}

#[test]
fn one_topic_on_one_thread() {
    let server = Server::with(&[("THREADS", "1")]);
    nothing_lost_nothing_doubled(&server, &["a"], &["a"], true);
}

#[test]
fn wildcards_among_other_topics() {
    let server = Server::start();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| publish_all(&server, &["other/a", "other"], &stop));
        let _stop = StopOnDrop(&stop);
        let topics = ["a/b", "a/b/c", "b/x"];
        nothing_lost_nothing_doubled(&server, &topics, &["a/**", "*/x"], true);
    });
}

/// A position over both logs: within each, everything in order; between them, none is promised.
#[test]
fn topics_of_both_logs() {
    let folder = Folder::new();
    let namespace =
        r#"[{match="kept/**", durability="fsync"}, {match="**", durability="volatile"}]"#;
    let server = Server::with(&[("NAMESPACE", namespace), ("DATA", &folder.text())]);
    let topics = ["kept/a", "a", "kept/b"];
    nothing_lost_nothing_doubled(&server, &topics, &["kept/**", "a"], false);
}

#[test]
fn the_publishers_position_is_a_readers_too() {
    let server = Server::start();
    server.publish("a", "before");
    let position = server.publish("a", "own");
    for (number, via) in Via::ALL.into_iter().enumerate() {
        let mut reader = Reader::open(&server, via, &["a"], &position);
        if number == 0 {
            server.publish("a", "after");
        }
        assert_eq!(reader.read()["data"], "after", "{via:?}");
    }
}
