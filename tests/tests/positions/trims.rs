//! Retention: what is gone is told of once, at its place, and what is left follows.

use serde_json::{Value, json};
use tidings_tests::{Folder, Reader, Server, Socket, Stream, Via, until};

const KEEP: &str = "[{match=\"short/**\", max_messages=10}]";

/// The same on disk, for all topics.
const KEEP_ON_DISK: &str = r#"[{match="short/**", max_messages=10, durability="fsync"}, {match="**", durability="fsync"}]"#;

/// A server that keeps ten messages of `short/a`, has had the numbers 0 to 29, and the position
/// after the number 4.
fn trimmed() -> (Server, String) {
    fill(Server::with(&[("NAMESPACE", KEEP)]))
}

fn fill(server: Server) -> (Server, String) {
    let position = server.publish_numbers("short/a", 0..5);
    server.publish_numbers("short/a", 5..30);
    (server, position)
}

#[track_caller]
fn expect_trim(gap: &Value, from: &str, how: &str) {
    assert_eq!((&gap["type"], &gap["reason"]), (&json!("gap"), &json!("trimmed")), "{how}: {gap}");
    assert_eq!(gap["from"], from, "{how}: {gap}");
    assert!(gap["to"].is_string() && gap["to"] != from, "{how}: {gap}");
    assert!(gap["position"].is_string() && gap.get("topic").is_none(), "{how}: {gap}");
}

#[test]
fn every_transport_tells_once_and_goes_on() {
    for topic in ["short/a", "short/**", "**"] {
        tells_once_and_goes_on(topic, trimmed());
    }
}

#[test]
fn it_is_the_same_on_disk() {
    for topic in ["short/a", "short/**", "**"] {
        let folder = Folder::new();
        let settings = [("NAMESPACE", KEEP_ON_DISK), ("DATA", &folder.text())];
        tells_once_and_goes_on(topic, fill(Server::with(&settings)));
    }
}

#[track_caller]
fn tells_once_and_goes_on(topic: &str, (server, position): (Server, String)) {
    for (count, via) in (30..).zip(Via::ALL) {
        let how = format!("{via:?} of {topic}");
        let mut reader = Reader::open(&server, via, &[topic], &position);
        expect_trim(&reader.read(), &position, &how);
        for expected in count - 10..count {
            assert_eq!(reader.read()["data"], expected, "{how}");
        }
        server.publish_numbers("short/a", count..count + 1);
        assert_eq!(reader.read()["data"], count, "{how}");
    }
}

#[test]
fn whoever_lost_nothing_is_told_nothing() {
    let (server, _) = trimmed();
    let last_lost = server.get("/t/short/a?since=start&limit=1").events().remove(0);
    assert_eq!(last_lost["data"], 20);
    let first_kept = last_lost["position"].as_str().unwrap();
    for via in Via::ALL {
        // From the start is: what there is. Nobody who asks so has missed anything.
        for (since, first) in [("start", 20), (first_kept, 21)] {
            let mut reader = Reader::open(&server, via, &["short/a"], since);
            assert_eq!(reader.read()["data"], first, "{via:?} since {since}");
        }
    }
    // Others' losses are not one's own.
    let elsewhere = server.publish("b", "1");
    server.publish_numbers("short/a", 30..60);
    server.publish("b", "2");
    for via in Via::ALL {
        let mut reader = Reader::open(&server, via, &["b"], &elsewhere);
        assert_eq!(reader.read()["data"], "2", "{via:?}");
    }
}

#[test]
fn a_wildcard_reader_gets_what_the_others_keep() {
    let server = Server::with(&[("NAMESPACE", KEEP)]);
    let position = server.publish("long", "first");
    server.publish_numbers("short/a", 0..15);
    server.publish("long", "middle");
    server.publish_numbers("short/a", 15..40);
    server.publish("long", "last");
    for via in Via::ALL {
        let mut reader = Reader::open(&server, via, &["**"], &position);
        expect_trim(&reader.read(), &position, &format!("{via:?}"));
        assert_eq!(reader.read()["data"], "middle", "{via:?}");
        for expected in 30..40 {
            assert_eq!(reader.read()["data"], expected, "{via:?}");
        }
        assert_eq!(reader.read()["data"], "last", "{via:?}");
    }
}

/// What was lost lies far ahead of what is read first: it is told once for a connection. Polls
/// are connections of their own, and may be told in each until they have come so far.
#[test]
fn a_loss_far_ahead_is_told_once() {
    let server = Server::with(&[("NAMESPACE", KEEP)]);
    let position = server.publish("long", "first");
    for round in 0..8 {
        server.publish_numbers("long", round * 100..round * 100 + 100);
        server.publish_numbers("short/a", round * 100..round * 100 + 100);
    }
    for via in Via::ALL {
        let mut reader = Reader::open(&server, via, &["**"], &position);
        let (mut gaps, mut seen) = (0, Vec::new());
        while seen.len() < 810 {
            let event = reader.read();
            match event["type"] == "gap" {
                true => gaps += 1,
                false => seen.push(event["data"].as_u64().unwrap()),
            }
        }
        let expected: Vec<u64> = (0..800).chain(790..800).collect();
        assert_eq!(seen, expected, "{via:?}");
        let polls = matches!(via, Via::Poll | Via::LongPoll);
        assert!(gaps == 1 || polls && gaps > 0, "{via:?}: told {gaps} times");
    }
}

#[test]
fn raw_answers_tell_in_their_header() {
    let (server, position) = trimmed();
    let numbers: Vec<u32> = (20..30).collect();
    for via in ["poll", "longpoll"] {
        let response = server.get(&format!("/t/short/a?data=raw&since={position}&via={via}"));
        assert_eq!(response.json(), json!(numbers), "{via}");
        let gap = response.header("tidings-gap").unwrap_or_default().to_owned();
        let words: Vec<&str> = gap.split(' ').collect();
        assert_eq!((words.len(), &words[..2]), (3, &["trimmed", position.as_str()][..]), "{via}");
        let next = response.header("tidings-position").unwrap();
        let response = server.get(&format!("/t/short/a?data=raw&since={next}&via={via}&wait=0"));
        assert_eq!((response.json(), response.header("tidings-gap")), (json!([]), None), "{via}");
    }
}

#[test]
fn raw_streams_tell_in_band() {
    let (server, position) = trimmed();
    let target = |via: &str| format!("/t/short/a?data=raw&since={position}&limit=10&via={via}");
    let (mut sse, _) = Stream::sse(&server, &target("sse"));
    let mut ndjson = Stream::open(&server, &target("ndjson"), &[]);
    let mut socket = Socket::open(&server, &target("ws"));
    let gap = sse.next_sse();
    assert_eq!(gap.event.as_deref(), Some("gap"));
    assert_eq!(gap.id.as_deref(), gap.json()["position"].as_str());
    expect_trim(&gap.json(), &position, "sse");
    expect_trim(&ndjson.next_json(), &position, "ndjson");
    expect_trim(&socket.json(), &position, "ws");
    for expected in 20..30 {
        assert_eq!(sse.next_sse().json(), expected);
        assert_eq!(ndjson.next_json(), expected);
        assert_eq!(socket.json(), expected);
    }
    sse.expect_end();
    ndjson.expect_end();
    assert_eq!(socket.close_code(), 1000);
}

#[test]
fn a_gaps_own_position_loses_nothing() {
    let (server, position) = trimmed();
    for via in Via::ALL {
        let mut reader = Reader::open(&server, via, &["short/a"], &position);
        expect_trim(&reader.read(), &position, "first");
        // Nothing behind the gap was seen, so all of it comes; told again or not.
        let mut again = Reader::open(&server, via, &["short/a"], reader.position());
        let mut next = again.read();
        if next["type"] == "gap" {
            next = again.read();
        }
        assert_eq!(next["data"], 20, "{via:?}");
    }
}

#[test]
fn age_and_bytes_trim_too() {
    let namespace = r#"[{match="old/**", max_age="1s"}, {match="fat/**", max_bytes="1KiB"}]"#;
    let server = Server::with(&[("NAMESPACE", namespace)]);
    let old = server.publish("old/a", "1");
    server.publish("old/a", "2");
    until("it is too old", || server.get("/t/old/a").events().is_empty().then_some(()));
    let fat = server.publish("fat/a", "x".repeat(100));
    for _ in 0..20 {
        server.publish("fat/a", "x".repeat(100));
    }
    for via in Via::ALL {
        let mut reader = Reader::open(&server, via, &["old/a"], &old);
        expect_trim(&reader.read(), &old, &format!("{via:?}, by age"));
        let mut reader = Reader::open(&server, via, &["fat/a"], &fat);
        expect_trim(&reader.read(), &fat, &format!("{via:?}, by bytes"));
        assert_eq!(reader.read()["topic"], "fat/a");
    }
    // The newest is kept even when it alone is too much.
    server.publish("fat/a", "y".repeat(5000));
    assert_eq!(server.get("/t/fat/a").data(), ["y".repeat(5000)]);
}

#[test]
fn a_full_memory_trims_the_oldest_of_all() {
    let memory = [("LIMITS_MEMORY", "1MiB"), ("LIMITS_BATCH_BYTES", "1MiB")];
    let server = Server::with(&[memory[0], memory[1], ("LIMITS_MESSAGE_BYTES", "256KiB")]);
    let first = server.publish("a", "first");
    let begin = server.publish("b", "begin");
    for number in 0..10 {
        server.publish("b", format!("{number} {}", "x".repeat(200 << 10)));
    }
    for via in Via::ALL {
        let mut reader = Reader::open(&server, via, &["b"], &begin);
        expect_trim(&reader.read(), &begin, &format!("{via:?}"));
        let data = reader.read()["data"].as_str().unwrap().to_owned();
        assert!(data.starts_with("5 "), "{via:?}: {data:.10}");
        let mut reader = Reader::open(&server, via, &["a"], &first);
        server.publish("a", "next");
        assert_eq!(reader.read()["data"], "next", "{via:?}: it had seen what is gone");
    }
}

#[test]
fn a_live_reader_that_is_trimmed_under_is_told() {
    let settings =
        [("NAMESPACE", "[{match=\"**\", max_messages=4}]"), ("LIMITS_MESSAGE_BYTES", "4MiB")];
    let server = Server::with(&settings);
    for via in [Via::Sse, Via::Ndjson, Via::Ws, Via::V1] {
        let mut reader = Reader::open(&server, via, &["a"], "now");
        // Far more than sockets hold, so that the reader, which does not read, falls behind.
        let large = "x".repeat(1 << 20);
        for number in 0..40 {
            server.publish("a", format!("{number} {large}"));
        }
        server.publish("a", "last");
        let (mut expected, mut gaps, mut told) = (0, 0, 0);
        loop {
            let event = reader.read();
            if event["type"] == "gap" {
                assert_eq!(event["reason"], "trimmed", "{via:?}");
                (gaps, told) = (gaps + 1, told + 1);
                continue;
            }
            let data = event["data"].as_str().unwrap();
            if data == "last" {
                break;
            }
            let number: u32 = data.split(' ').next().unwrap().parse().unwrap();
            assert!(number >= expected, "{via:?}: {number} after {expected}");
            assert!(number == expected || gaps > 0, "{via:?}: {expected} is lost without a word");
            (expected, gaps) = (number + 1, 0);
        }
        assert!(told > 0, "{via:?}: nothing was lost, so this test showed nothing");
    }
}

/// What a topic says now is kept until it says otherwise, in either log and over a restart.
#[test]
fn the_last_value_of_a_topic_stays_whatever_its_age() {
    let folder = Folder::new();
    let namespace = r#"[{match="state/**", max_age="1s", retain="last"},
        {match="mem/**", max_age="1s", retain="last", durability="volatile"},
        {match="**", max_age="1s"}]"#;
    let settings = [("NAMESPACE", namespace), ("DATA", &folder.text())];
    let mut server = Server::with(&settings);
    for topic in ["state/door", "mem/door", "log/door"] {
        for text in ["open", "shut"] {
            server.publish(topic, text);
        }
    }
    let data = |server: &Server, topic: &str| server.get(&format!("/t/{topic}?since=start")).data();
    until("what is too old is gone", || data(&server, "log/door").is_empty().then_some(()));
    for topic in ["state/door", "mem/door"] {
        until(topic, || (data(&server, topic) == ["shut"]).then_some(()));
    }
    server.kill();
    let server = Server::with(&settings);
    assert_eq!(data(&server, "state/door"), ["shut"]);
}
