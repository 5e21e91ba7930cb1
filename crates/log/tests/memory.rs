//! The log in memory keeps what it should, forgets what it must, and says so.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use tidings_log::{
    AppendError, Batch, Budget, Cursor, Level, Log, MemoryLimits, MemoryLog, ReadEnd, Retention,
    Scan,
};
use tidings_model::{
    EventType, GapReason, Headers, LogKind, Manner, Mark, Message, Record, Selection, Time, Topic,
    TopicFilter,
};

const ALL: Budget = Budget { records: 1000, bytes: 1 << 20 };

fn log(retention: Retention, limits: MemoryLimits) -> MemoryLog {
    MemoryLog::new(LogKind::Volatile, 7, limits, Box::new(move |_| retention))
}

fn keeping(messages_max: u64) -> MemoryLog {
    log(Retention { messages_max, ..Retention::default() }, MemoryLimits::default())
}

fn message(topic: &str, payload: &str, time: u64) -> Message {
    Message {
        topic: Topic::new(topic).unwrap(),
        payload: Bytes::from(payload.to_owned()),
        content_type: "".into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: Time::from_millis(time),
        expires: None,
        manner: Manner::default(),
    }
}

fn append(log: &MemoryLog, messages: Vec<Message>) -> Result<Mark, AppendError> {
    let (sender, receiver) = channel();
    let batch = Batch { messages, token: None, level: Level::Os };
    log.append(batch, Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap()
}

fn put(log: &MemoryLog, topic: &str, payload: &str) -> u64 {
    append(log, vec![message(topic, payload, 0)]).unwrap().offset
}

fn wanted(filters: &[&str]) -> Selection {
    Selection::new(filters.iter().map(|text| TopicFilter::new(text).unwrap()))
}

fn read(log: &MemoryLog, filters: &[&str], from: Cursor, budget: Budget) -> (Vec<u64>, ReadEnd) {
    let mut records: Vec<Arc<Record>> = Vec::new();
    let now = Time::from_millis(0);
    let end = log.read(&wanted(filters), from, now, budget, &mut records);
    (records.iter().map(|record| record.mark.offset).collect(), end)
}

fn records(log: &MemoryLog, topic: &str) -> Vec<Arc<Record>> {
    let found = log.find(&wanted(&[topic]), after(0), ALL);
    assert!(found.is_hot());
    let mut records = Vec::new();
    found.load(Time::default(), &mut records);
    records
}

fn after(offset: u64) -> Cursor {
    Cursor { offset, told: 0 }
}

#[test]
fn topics_and_wildcards_are_read_in_the_order_of_the_log() {
    let log = keeping(100);
    for topic in ["a", "b/1", "a", "b/2", "c"] {
        put(&log, topic, "x");
    }
    for (filters, offsets) in [
        (&["a"][..], &[1, 3][..]),
        (&["a", "b/2"], &[1, 3, 4]),
        (&["b/*"], &[2, 4]),
        (&["a", "b/**"], &[1, 2, 3, 4]),
        (&["**"], &[1, 2, 3, 4, 5]),
        (&["none"], &[]),
    ] {
        let (read, end) = read(&log, filters, after(0), ALL);
        assert_eq!(read, offsets, "{filters:?}");
        assert_eq!((end.through, end.lost, end.caught_up), (5, None, true), "{filters:?}");
    }
}

#[test]
fn a_read_goes_on_where_its_budget_ended() {
    let log = keeping(100);
    for _ in 0..10 {
        put(&log, "a", "xxxx");
        put(&log, "b", "xxxx");
    }
    for filters in [&["a", "b"][..], &["**"]] {
        let (mut from, mut seen) = (after(0), Vec::new());
        loop {
            let budget = Budget { records: 3, bytes: 1 << 20 };
            let (read, end) = read(&log, filters, from, budget);
            assert!(read.len() <= 3);
            seen.extend(read);
            from.offset = end.through;
            if end.caught_up {
                break;
            }
        }
        assert_eq!(seen, (1..=20).collect::<Vec<_>>());
    }
    let (read, end) = read(&log, &["a"], after(0), Budget { records: 100, bytes: 5 });
    assert_eq!((read.len(), end.caught_up), (2, false), "bytes are a budget too");
}

#[test]
fn what_was_trimmed_is_told_to_those_who_had_not_seen_it() {
    let log = keeping(2);
    for _ in 0..5 {
        put(&log, "a", "x");
    }
    put(&log, "b", "x");
    for filters in [&["a"][..], &["a", "b"], &["*"]] {
        let lost = |offset| read(&log, filters, after(offset), ALL).1.lost.map(|(to, _)| to);
        assert_eq!((lost(0), lost(2), lost(3), lost(4)), (Some(3), Some(3), None, None));
    }
    let (offsets, end) = read(&log, &["a"], after(0), ALL);
    assert_eq!(offsets, [4, 5]);
    let (_, again) = read(&log, &["a"], Cursor { offset: 0, told: end.told }, ALL);
    assert_eq!(again.lost, None, "told once");
    assert_eq!(read(&log, &["b"], after(0), ALL).1.lost, None, "only of its own topics");
}

/// Seed 60 of the simulator: a message that is trimmed later may lie before one trimmed earlier.
#[test]
fn a_later_loss_at_an_earlier_offset_is_told_too() {
    let log = keeping(1);
    put(&log, "b", "x");
    put(&log, "a", "x");
    put(&log, "a", "x");
    let (_, end) = read(&log, &["a", "b"], after(0), Budget { records: 0, bytes: 0 });
    assert_eq!(end.lost, Some((2, GapReason::Trimmed)));
    put(&log, "b", "x");
    let (_, end) = read(&log, &["a", "b"], Cursor { offset: 0, told: end.told }, ALL);
    assert_eq!(end.lost, Some((1, GapReason::Trimmed)));
}

#[test]
fn bytes_age_and_the_whole_are_bounded() {
    let bytes = log(Retention { bytes_max: 25, ..Retention::default() }, MemoryLimits::default());
    for _ in 0..10 {
        put(&bytes, "t", "123456789");
    }
    let kept = bytes.bytes();
    assert!(kept <= 25, "{kept} bytes of one topic are kept");
    put(&bytes, "t", &"x".repeat(100));
    assert_eq!(read(&bytes, &["t"], after(0), ALL).0, [11], "the newest is kept whatever its size");

    let age_max = Duration::from_millis(100);
    let aging = log(Retention { age_max, ..Retention::default() }, MemoryLimits::default());
    for time in [0, 50, 90] {
        append(&aging, vec![message("t", "x", time), message("u", "x", time)]).unwrap();
    }
    aging.tick(Time::from_millis(160));
    assert_eq!(read(&aging, &["**"], after(0), ALL).0, [5, 6]);

    let limits = MemoryLimits { bytes_max: 200, topics_max: 10 };
    let whole = log(Retention::default(), limits);
    for n in 0..100 {
        put(&whole, &format!("t/{}", n % 5), "1234567890");
        assert!(whole.bytes() <= 200);
    }
    let (offsets, end) = read(&whole, &["**"], after(0), ALL);
    assert_eq!(offsets.last(), Some(&100), "the newest are kept");
    let lost = end.lost.map(|(to, _)| to);
    assert_eq!(lost, offsets.first().map(|first| first - 1), "the loss is told");
}

#[test]
fn the_newest_of_a_topic_may_be_kept_whatever_its_age() {
    let retention =
        Retention { age_max: Duration::from_millis(100), keep_last: true, ..Retention::default() };
    let aging = log(retention, MemoryLimits::default());
    for time in [0, 50] {
        let mut expiring = message("u", "x", time);
        expiring.expires = Some(Time::from_millis(500));
        append(&aging, vec![message("t", "x", time), expiring]).unwrap();
    }
    let left = |now| {
        aging.tick(Time::from_millis(now));
        read(&aging, &["**"], after(0), ALL).0
    };
    assert_eq!((left(120), left(400), left(500)), (vec![3, 4], vec![3, 4], vec![3]));
}

#[test]
fn no_more_topics_than_allowed_and_a_refused_batch_leaves_nothing() {
    let log = log(Retention::default(), MemoryLimits { bytes_max: 1 << 20, topics_max: 2 });
    put(&log, "a", "x");
    let batch = ["a", "b", "c"].map(|topic| message(topic, "x", 0)).to_vec();
    assert_eq!(append(&log, batch), Err(AppendError::TooManyTopics(1)));
    assert_eq!(read(&log, &["**"], after(0), ALL).0, [1]);
    put(&log, "b", "x");
    put(&log, "a", "x");
}

#[test]
fn expired_messages_are_not_delivered_and_are_no_loss() {
    let log = keeping(2);
    let mut expiring = message("t", "x", 0);
    expiring.expires = Some(Time::from_millis(10));
    append(&log, vec![expiring, message("t", "y", 0)]).unwrap();
    let at = |now, log: &MemoryLog| {
        let mut records = Vec::new();
        let now = Time::from_millis(now);
        let end = log.read(&wanted(&["t"]), after(0), now, ALL, &mut records);
        (records.len(), end.lost)
    };
    assert_eq!(at(9, &log), (2, None));
    assert_eq!(at(10, &log), (1, None));
    append(&log, vec![message("t", "z", 20)]).unwrap();
    assert_eq!(at(20, &log), (2, None), "retention removed what had expired anyway");
}

#[test]
fn the_newest_of_a_selection() {
    let log = keeping(100);
    for topic in ["a", "b", "a", "a", "b"] {
        put(&log, topic, "x");
    }
    let last = |filters: &[&str], count| -> Vec<u64> {
        let places = log.last(&wanted(filters), count, Time::from_millis(0));
        places.iter().map(|(mark, _)| mark.offset).collect()
    };
    assert_eq!(last(&["a"], 2), [3, 4]);
    assert_eq!(last(&["a", "b"], 3), [3, 4, 5]);
    assert_eq!(last(&["*"], 3), [3, 4, 5]);
    assert_eq!(last(&["a"], 10), [1, 3, 4]);
}

#[test]
fn each_message_knows_the_one_before_it() {
    let log = keeping(1);
    for topic in ["a", "b", "a", "a"] {
        put(&log, topic, "x");
    }
    let record = records(&log, "a").pop().unwrap();
    assert_eq!((record.mark.offset, record.previous), (4, 3));
}

#[test]
fn a_scan_sees_every_record_and_every_topic_that_lost_something() {
    let log = keeping(1);
    for topic in ["a", "a", "b", "a"] {
        put(&log, topic, "x");
    }
    let mut seen = Scan::default();
    let came_to = log.scan(Cursor::default(), 1, &mut seen);
    assert_eq!(came_to.offset, 3);
    let [a, b] = ["a", "b"].map(|name| Topic::new(name).unwrap());
    assert_eq!((&seen.topics, &seen.trimmed), (&vec![b], &vec![a]));
    let mut seen = Scan::default();
    let came_to = log.scan(came_to, 10, &mut seen);
    assert_eq!((came_to.offset, seen.topics.len(), seen.trimmed.len()), (4, 1, 0));
}

#[test]
fn old_records_keep_no_encodings() {
    static ENCODING: tidings_model::Encoding = tidings_model::Encoding { name: "test" };
    let log = keeping(10_000);
    put(&log, "t", "x");
    let first = |log: &MemoryLog| Arc::clone(&records(log, "t")[0]);
    first(&log).encoded(&ENCODING, |_| Bytes::from_static(b"encoded"));
    assert!(first(&log).has_encodings());
    for _ in 0..2000 {
        put(&log, "t", "x");
    }
    assert!(!first(&log).has_encodings());
}
