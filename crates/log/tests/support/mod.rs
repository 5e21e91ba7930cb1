//! What the log's tests share: messages, reading, and a disk that can fail.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tidings_log::{
    AppendError, Batch, Budget, Cursor, Disk, DiskFile, DiskLog, DiskOptions, Log, ReadEnd,
    Retention, Token,
};
use tidings_model::{
    EventType, Headers, IdempotencyKey, LogKind, Mark, Message, Record, Selection, Time, Topic,
    TopicFilter,
};

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
    let (sender, receiver) = channel();
    let batch = Batch { messages, token };
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

pub(crate) fn payloads(records: &[Arc<Record>]) -> Vec<String> {
    records.iter().map(|r| String::from_utf8(r.message.payload.to_vec()).unwrap()).collect()
}

pub(crate) fn options(messages_max: u64, segment_bytes: u64) -> DiskOptions {
    let retention = Retention { messages_max, ..Retention::default() };
    DiskOptions {
        kind: LogKind::Durable,
        fresh_epoch: 7,
        topics_max: 1000,
        policy: Box::new(move |_| retention),
        remember: Duration::from_secs(600),
        salt: {
            let next = Mutex::new(1);
            Box::new(move || {
                let mut next = next.lock().unwrap();
                *next += 1;
                *next
            })
        },
        segment_bytes: Some(segment_bytes),
    }
}

pub(crate) fn open(disk: &FakeDisk, messages_max: u64, segment_bytes: u64) -> DiskLog {
    let options = options(messages_max, segment_bytes);
    DiskLog::open(Box::new(disk.clone()), options, Time::from_millis(6_000)).unwrap().0
}

/// A disk in memory. What was not synced may be lost when the power goes, sector by sector.
#[derive(Clone, Default)]
pub(crate) struct FakeDisk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, FakeData>,
    /// Calls that change something, and at which of them everything begins to fail.
    writes: u64,
    fail_from: Option<u64>,
    /// Bytes that still fit.
    room: Option<u64>,
    /// Whether the next sync fails.
    fail_sync: bool,
    /// Calls that read.
    reads: u64,
    /// Most bytes that one call gives, though more are there.
    read_max: Option<usize>,
    /// What cannot be read any more.
    unreadable: Option<(String, Range<usize>)>,
}

#[derive(Clone, Default)]
struct FakeData {
    durable: Vec<u8>,
    current: Vec<u8>,
}

const SECTOR: usize = 512;

impl FakeDisk {
    pub(crate) fn writes(&self) -> u64 {
        self.inner.lock().unwrap().writes
    }

    /// From the `n`-th change on, nothing works any more, as if the power had gone.
    pub(crate) fn fail_from(&self, n: u64) {
        self.inner.lock().unwrap().fail_from = Some(n);
    }

    pub(crate) fn reads(&self) -> u64 {
        self.inner.lock().unwrap().reads
    }

    pub(crate) fn set_read_max(&self, bytes: usize) {
        self.inner.lock().unwrap().read_max = Some(bytes);
    }

    pub(crate) fn make_unreadable(&self, name: &str, bytes: Range<usize>) {
        self.inner.lock().unwrap().unreadable = Some((name.to_owned(), bytes));
    }

    pub(crate) fn set_room(&self, room: Option<u64>) {
        self.inner.lock().unwrap().room = room;
    }

    pub(crate) fn fail_next_sync(&self) {
        self.inner.lock().unwrap().fail_sync = true;
    }

    /// The disk after the power has come back: of each sector that was not synced, chance decides
    /// whether the old or the new content is there.
    pub(crate) fn after_power_loss(&self, mut chance: impl FnMut() -> bool) -> FakeDisk {
        let inner = self.inner.lock().unwrap();
        let mut files = inner.files.clone();
        for data in files.values_mut() {
            let (old, new) = (data.durable.clone(), data.current.clone());
            let keep_length = if chance() { new.len() } else { old.len() };
            let mut result = vec![0; keep_length];
            for (number, sector) in result.chunks_mut(SECTOR).enumerate() {
                let from = if chance() { &new } else { &old };
                let begin = (number * SECTOR).min(from.len());
                let end = (begin + sector.len()).min(from.len());
                sector[..end - begin].copy_from_slice(&from[begin..end]);
            }
            *data = FakeData { durable: result.clone(), current: result };
        }
        FakeDisk { inner: Arc::new(Mutex::new(Inner { files, ..Inner::default() })) }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.inner.lock().unwrap().files.keys().cloned().collect()
    }

    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        self.inner.lock().unwrap().files[name].current.clone()
    }

    pub(crate) fn set_content(&self, name: &str, bytes: Vec<u8>) {
        let data = FakeData { durable: bytes.clone(), current: bytes };
        self.inner.lock().unwrap().files.insert(name.to_owned(), data);
    }

    /// A copy that shares nothing.
    pub(crate) fn copy(&self) -> FakeDisk {
        let files = self.inner.lock().unwrap().files.clone();
        FakeDisk { inner: Arc::new(Mutex::new(Inner { files, ..Inner::default() })) }
    }

    fn change<T>(&self, work: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.inner.lock().unwrap();
        inner.writes += 1;
        if inner.fail_from.is_some_and(|from| inner.writes > from) {
            return Err(io::Error::other("the power is gone"));
        }
        work(&mut inner)
    }
}

impl Disk for FakeDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, name: &str, _: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.change(|inner| {
            assert!(!inner.files.contains_key(name), "{name} is there already");
            inner.files.insert(name.to_owned(), FakeData::default());
            Ok(())
        })?;
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        if !self.names().iter().any(|known| known == name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Arc::new(FakeFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|inner| match inner.files.remove(name) {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.change(|inner| {
            let data = FakeData { durable: bytes.to_vec(), current: bytes.to_vec() };
            inner.files.insert(name.to_owned(), data);
            Ok(())
        })
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let inner = self.inner.lock().unwrap();
        Ok(inner.files.get(name).ok_or(io::ErrorKind::NotFound)?.current.clone())
    }
}

struct FakeFile {
    disk: FakeDisk,
    name: String,
}

impl DiskFile for FakeFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.content(&self.name).len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut inner = self.disk.inner.lock().unwrap();
        inner.reads += 1;
        if let Some((name, bytes)) = &inner.unreadable
            && *name == self.name
            && bytes.start < at as usize + buffer.len()
            && bytes.end > at as usize
        {
            return Err(io::Error::other("the disk cannot read this"));
        }
        let content = inner.files.get(&self.name).map_or(&[][..], |data| &data.current);
        let from = &content[(at as usize).min(content.len())..];
        let count = from.len().min(buffer.len()).min(inner.read_max.unwrap_or(usize::MAX));
        buffer[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.disk.change(|inner| {
            let fits = inner.room.map_or(bytes.len(), |room| bytes.len().min(room as usize));
            if let Some(room) = &mut inner.room {
                *room -= fits as u64;
            }
            let content = &mut inner.files.get_mut(&self.name).unwrap().current;
            let end = at as usize + fits;
            if content.len() < end {
                content.resize(end, 0);
            }
            content[at as usize..end].copy_from_slice(&bytes[..fits]);
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.change(|inner| {
            if std::mem::take(&mut inner.fail_sync) {
                return Err(io::Error::other("the disk is ill"));
            }
            if let Some(data) = inner.files.get_mut(&self.name) {
                data.durable = data.current.clone();
            }
            Ok(())
        })
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.disk.change(|inner| {
            inner.files.get_mut(&self.name).unwrap().current.resize(bytes as usize, 0);
            Ok(())
        })
    }
}
