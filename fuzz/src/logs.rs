//! Logs on a disk in memory, for the targets that damage them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tidings_log::{
    Batch, Budget, Cursor, Damage, DiskLog, DiskOptions, Level, Log, ReadEnd, Retention, Threads,
    Token,
};
use tidings_model::{
    EventType, Headers, IdempotencyKey, LogKind, Manner, Message, Record, Selection, Time, Topic,
    TopicFilter,
};
use tidings_testkit::FakeDisk;

/// Small, so that a log of a few messages has several segments.
pub(crate) const SEGMENT_BYTES: u64 = 700;

/// How many messages [`good`] has.
pub(crate) const MESSAGES: u64 = 30;

const NOW: Time = Time::from_millis(1_700_000_000_000);

/// Opens whatever is there.
pub(crate) fn open(disk: &FakeDisk) -> std::io::Result<(DiskLog, Vec<Damage>)> {
    let retention = Retention { messages_max: 20, ..Retention::default() };
    let everything = Retention { messages_max: u64::MAX, bytes_max: u64::MAX, ..retention };
    let salt = AtomicU32::new(0x5eed);
    let options = DiskOptions {
        kind: LogKind::Durable,
        fresh_epoch: 7,
        topics_max: 1000,
        // One topic is short of room, so that something is trimmed.
        policy: Box::new(move |topic| if topic.as_str() == "few" { retention } else { everything }),
        remember: Duration::from_secs(600),
        salt: Box::new(move || salt.fetch_add(1, Ordering::Relaxed)),
        segment_bytes: Some(SEGMENT_BYTES),
        flush_within: Duration::from_secs(60),
        threads: Threads::Own,
    };
    DiskLog::open(Box::new(disk.clone()), options, NOW)
}

/// Stores one batch and waits until it is.
pub(crate) fn append(log: &DiskLog, topic: &str, payloads: &[&str], token: Option<u64>) {
    let message = |payload: &&str| Message {
        topic: Topic::new(topic).unwrap(),
        payload: Bytes::from((*payload).to_owned()),
        content_type: "text/plain".into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: Some("k".into()),
        time: NOW,
        expires: None,
        manner: Manner::default(),
    };
    let token = token.map(|number| Token {
        key: IdempotencyKey::new(&number.to_string()).unwrap(),
        fingerprint: number,
    });
    let messages = payloads.iter().map(message).collect();
    let (sender, receiver) = channel();
    let done = Box::new(move |result| sender.send(result).unwrap());
    log.append(Batch { messages, token, level: Level::Fsync }, done);
    receiver.recv().unwrap().expect("a disk in memory has room");
}

/// A log with nothing wrong: message N says `message N`, and has offset N.
pub(crate) fn good() -> FakeDisk {
    static GOOD: OnceLock<FakeDisk> = OnceLock::new();
    let make = || {
        let disk = FakeDisk::default();
        let (log, _) = open(&disk).unwrap();
        for pair in 0..MESSAGES / 2 {
            let texts = [2 * pair + 1, 2 * pair + 2].map(|number| format!("message {number}"));
            let topic = if pair % 3 == 0 { "few" } else { "many/a" };
            append(&log, topic, &[&texts[0], &texts[1]], (pair % 4 == 0).then_some(pair));
        }
        drop(log);
        disk
    };
    GOOD.get_or_init(make).after_kill()
}

/// Everything that can be read, by wildcard.
pub(crate) fn read_by_wildcard(log: &DiskLog) -> (Vec<Arc<Record>>, ReadEnd) {
    read_all(log, &Selection::new(TopicFilter::new("**")))
}

/// Everything that can be read, by wildcard; and by topic it is the same.
pub(crate) fn read(log: &DiskLog) -> (Vec<Arc<Record>>, ReadEnd) {
    let (records, end) = read_by_wildcard(log);
    for window in records.windows(2) {
        assert!(window[0].mark.offset < window[1].mark.offset, "out of order");
    }
    let topics = records.iter().map(|record| TopicFilter::from(&record.message.topic));
    let by_topic = read_all(log, &Selection::new(topics)).0;
    let offsets = |records: &[Arc<Record>]| -> Vec<u64> {
        records.iter().map(|record| record.mark.offset).collect()
    };
    assert_eq!(offsets(&by_topic), offsets(&records), "topics and wildcards differ");
    (records, end)
}

fn read_all(log: &DiskLog, wanted: &Selection) -> (Vec<Arc<Record>>, ReadEnd) {
    let (mut records, mut from) = (Vec::new(), Cursor::default());
    let mut lost = None;
    let budget = Budget { records: 1_000_000, bytes: usize::MAX };
    // Each look goes on by some thousand offsets; a log that claims more than that is not read to
    // its end here.
    for _ in 0..64 {
        let end = log.read(wanted, from, NOW, budget, &mut records);
        // The highest that was told.
        lost = [lost, end.lost].into_iter().flatten().max_by_key(|(offset, _)| *offset);
        from = Cursor { offset: end.through, told: end.told };
        if end.caught_up {
            return (records, ReadEnd { lost, ..end });
        }
    }
    (records, ReadEnd { through: from.offset, lost, told: from.told, caught_up: false })
}

/// Whatever was opened can be written to and opened again, and has what it had.
pub(crate) fn check_goes_on(log: DiskLog, disk: &FakeDisk) {
    let before = read(&log);
    if !before.1.caught_up {
        return;
    }
    append(&log, "new", &["after"], None);
    let with_new = payloads(&read(&log).0);
    drop(log);
    let (again, _) = open(&disk.after_kill()).expect("it was opened before");
    assert_eq!(payloads(&read(&again).0), with_new, "not the same after another start");
}

pub(crate) fn payloads(records: &[Arc<Record>]) -> Vec<Bytes> {
    records.iter().map(|record| record.message.payload.clone()).collect()
}
