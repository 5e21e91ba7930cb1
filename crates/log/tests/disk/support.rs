//! What the log's tests share: messages, and reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use tidings_log::{
    AppendError, Batch, Budget, Cursor, DiskLog, DiskOptions, Level, Log, ReadEnd, Retention,
    Threads, Token,
};
use tidings_model::{
    EventType, Headers, IdempotencyKey, LogKind, Manner, Mark, Message, Record, Selection, Time,
    Topic, TopicFilter,
};

pub(crate) use tidings_testkit::FakeDisk;

pub(crate) const ALL: Budget = Budget { records: 1_000_000, bytes: usize::MAX };

pub(crate) fn message(topic: &str, payload: &str) -> Message {
    let mut headers = Headers::default();
    headers.set("trace", payload).unwrap();
    Message {
        topic: Topic::new(topic).unwrap(),
        payload: Bytes::from(payload.to_owned()),
        content_type: "text/plain".into(),
        event_type: EventType::new("kind").unwrap(),
        headers,
        from: None,
        key: Some("key".into()),
        time: Time::from_millis(5_000),
        expires: None,
        manner: Manner::default(),
    }
}

pub(crate) fn token(number: u64) -> Token {
    Token { key: IdempotencyKey::new(&number.to_string()).unwrap(), fingerprint: number }
}

pub(crate) fn append_with(
    log: &dyn Log,
    messages: Vec<Message>,
    token: Option<Token>,
) -> Result<Mark, AppendError> {
    append_batch(log, Batch { messages, token, level: Level::Fsync })
}

pub(crate) fn append_batch(log: &dyn Log, batch: Batch) -> Result<Mark, AppendError> {
    let (sender, receiver) = channel();
    log.append(batch, Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv().unwrap()
}

pub(crate) fn append(log: &dyn Log, messages: Vec<Message>) -> Result<Mark, AppendError> {
    append_with(log, messages, None)
}

pub(crate) fn wanted(filters: &[&str]) -> Selection {
    Selection::new(filters.iter().map(|text| TopicFilter::new(text).unwrap()))
}

pub(crate) fn read(log: &dyn Log, filters: &[&str], from: Cursor) -> (Vec<Arc<Record>>, ReadEnd) {
    let mut records = Vec::new();
    let mut from = from;
    let mut lost = None;
    loop {
        let now = Time::from_millis(6_000);
        let end = log.read(&wanted(filters), from, now, ALL, &mut records);
        lost = lost.max(end.lost.map(|(offset, _)| offset));
        from = Cursor { offset: end.through, told: end.told };
        if end.caught_up {
            let reason = end.lost.map_or(tidings_model::GapReason::Trimmed, |(_, reason)| reason);
            return (records, ReadEnd { lost: lost.map(|offset| (offset, reason)), ..end });
        }
    }
}

/// Chance that is the same every time.
pub(crate) fn chance(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (state >> 33) % below
    }
}

pub(crate) fn payloads(records: &[Arc<Record>]) -> Vec<String> {
    records.iter().map(|r| String::from_utf8(r.message.payload.to_vec()).unwrap()).collect()
}

/// Chance would almost never give the same twice; this never does.
static SALT: AtomicU32 = AtomicU32::new(1);

pub(crate) fn options(messages_max: u64, segment_bytes: u64) -> DiskOptions {
    let retention = Retention { messages_max, ..Retention::default() };
    DiskOptions {
        kind: LogKind::Durable,
        fresh_epoch: 7,
        topics_max: 1000,
        policy: Box::new(move |_| retention),
        remember: Duration::from_secs(600),
        salt: Box::new(|| SALT.fetch_add(1, Ordering::Relaxed)),
        segment_bytes: Some(segment_bytes),
        flush_within: Duration::from_secs(60),
        threads: Threads::Own,
    }
}

pub(crate) fn open(disk: &FakeDisk, messages_max: u64, segment_bytes: u64) -> DiskLog {
    let options = options(messages_max, segment_bytes);
    DiskLog::open(Box::new(disk.clone()), options, Time::from_millis(6_000)).unwrap().0
}
