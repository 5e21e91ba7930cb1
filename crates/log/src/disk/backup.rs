//! Copying a log while a server writes to it, without its lock. Must never change what it copies,
//! nor leave a copy that looks whole and is not.
//!
//! It relies on what holds of the files at any moment: a sealed segment is only ever removed or
//! replaced as a whole, and only the last one grows. Whatever vanishes meanwhile was trimmed, and
//! `marks`, which is copied last, says so.

use std::io;

use super::export;
use super::files::{Disk, LOCK, read_fully};
use super::format;
use super::header::{HEADER_BYTES_MAX, SegmentHeader};
use super::identity::{self, Identity};
use super::recover::Damage;
use super::{marks, unflushed};

/// What the names of segments and of their indexes end in.
const SEGMENT: &str = ".segment";
const INDEX: &str = ".index";

/// Bytes copied at once.
const CHUNK_BYTES: usize = 1 << 20;

/// How often the segment that is being written is read again, when it was caught in the middle of
/// a write. One that is still not right then is damaged.
const TRIES_MAX: usize = 8;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// The copy's epoch, which is not that of the original.
    pub epoch: u32,
    /// Messages in the copy that can be read.
    pub messages: u64,
    /// Bytes of its segments.
    pub bytes: u64,
    /// The last offset that was given.
    pub end: u64,
    /// What is damaged in the copy, as it was in the original.
    pub damages: Vec<Damage>,
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupStep {
    /// So many bytes of so many are copied.
    Copied(u64, u64),
    /// All are, and the copy is being read to see whether it is right.
    Reading,
}

/// Copies the log in `from`, which may be in use, to `to`, which must be empty and used by nobody
/// else. Every message that was acknowledged before is in the copy. It is a log of its own: with
/// `epoch`, so that a position of the original which lies behind the copy's end is never taken for
/// one of the copy. Durable on return; until then nothing takes `to` for a log.
///
/// # Errors
/// When there is no log, or one of the disks fails.
pub fn backup(
    from: &dyn Disk,
    to: &dyn Disk,
    epoch: u32,
    told: &mut dyn FnMut(BackupStep),
) -> io::Result<BackedUp> {
    let original = identity::read(from)?.ok_or_else(identity::missing)?;
    let epoch = if epoch == original.epoch { epoch.wrapping_add(1) } else { epoch };
    identity::write_unfinished(to).map_err(writing(identity::NAME))?;
    let mut names = from.list()?;
    names.sort_unstable();
    let segments: Vec<&String> = names.iter().filter(|name| name.ends_with(SEGMENT)).collect();
    let mut copier = Copier { from, to, told, done: 0, all: 0 };
    for name in &segments {
        copier.all += present(from.open(name).and_then(|file| file.size()))?.unwrap_or(0);
    }
    // The oldest first: they are the first to be trimmed.
    for (index, name) in segments.iter().enumerate() {
        if index + 1 < segments.len() {
            copier.sealed(name)?;
            copier.whole(&name.replace(SEGMENT, INDEX))?;
        } else {
            copier.last(name)?;
        }
    }
    // All of the copy is synced: whatever was visible is in it.
    let is_own = |name: &str| {
        [LOCK, identity::NAME, marks::NAME, unflushed::NAME].contains(&name)
            || [SEGMENT, INDEX, ".new"].iter().any(|e| name.ends_with(e))
    };
    for name in names.iter().filter(|name| !is_own(name)) {
        copier.whole(name)?;
    }
    copier.whole(marks::NAME)?;
    let bytes = copier.done;
    told(BackupStep::Reading);
    let copy = Identity { format: original.format, epoch };
    let (state, damages) = export::load(to, copy)?;
    identity::write(to, copy).map_err(writing(identity::NAME))?;
    let messages = state.topics.iter().map(|topic| topic.count).sum();
    Ok(BackedUp { epoch, messages, bytes, end: state.end().offset, damages })
}

struct Copier<'a> {
    from: &'a dyn Disk,
    to: &'a dyn Disk,
    told: &'a mut dyn FnMut(BackupStep),
    done: u64,
    all: u64,
}

impl Copier<'_> {
    /// Copies a segment that nothing is added to.
    fn sealed(&mut self, name: &str) -> io::Result<()> {
        let Some(from) = present(self.from.open(name))? else { return Ok(()) };
        let to = self.to.create(name, from.size()?).map_err(writing(name))?;
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut at = 0;
        loop {
            let count = read_fully(&*from, &mut buffer, at).map_err(reading(name))?;
            // What was reserved and never written is zeros already.
            if buffer[..count].iter().any(|&byte| byte != 0) {
                to.write_at(&buffer[..count], at).map_err(writing(name))?;
            }
            at += count as u64;
            self.advance(count);
            if count < buffer.len() {
                break;
            }
        }
        to.set_size(at).and_then(|()| to.sync()).map_err(writing(name))
    }

    /// Copies the segment that is being written, up to its last whole batch.
    fn last(&mut self, name: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        for _ in 0..TRIES_MAX {
            let Some(from) = present(self.from.open(name))? else { return Ok(()) };
            bytes.resize(from.size()? as usize, 0);
            let count = read_fully(&*from, &mut bytes, 0).map_err(reading(name))?;
            bytes.truncate(count);
            match extent(&bytes) {
                Extent::Nothing => return Ok(()),
                Extent::Whole(end) => {
                    bytes.truncate(end);
                    break;
                }
                // If it stays like that it is damaged, and the copy shall be what it is.
                Extent::Torn => {}
            }
        }
        let to = self.to.create(name, bytes.len() as u64).map_err(writing(name))?;
        let written = to.write_at(&bytes, 0);
        let written = written.and_then(|()| to.set_size(bytes.len() as u64));
        written.and_then(|()| to.sync()).map_err(writing(name))?;
        // It is shorter than the room it has.
        self.all = self.done + bytes.len() as u64;
        self.advance(bytes.len());
        Ok(())
    }

    /// Copies a file that is only ever replaced as a whole, if it is there.
    fn whole(&mut self, name: &str) -> io::Result<()> {
        match present(self.from.read(name)) {
            Ok(Some(bytes)) => self.to.replace(name, &bytes).map_err(writing(name)),
            Ok(None) => Ok(()),
            // A folder that somebody made here is none of the log's.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(()),
            Err(error) => Err(reading(name)(error)),
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.done += bytes as u64;
        (self.told)(BackupStep::Copied(self.done, self.all.max(self.done)));
    }
}

/// How much of a segment's bytes is right.
#[derive(Debug, PartialEq, Eq)]
enum Extent {
    /// It has not even begun.
    Nothing,
    /// Everything up to here; behind it nothing was ever acknowledged.
    Whole(usize),
    /// A later record shows that something before it should be one, too.
    Torn,
}

fn extent(bytes: &[u8]) -> Extent {
    let Some(header) = SegmentHeader::decode(&bytes[..bytes.len().min(HEADER_BYTES_MAX)]) else {
        let is_blank = bytes.iter().all(|&byte| byte == 0);
        return if is_blank { Extent::Nothing } else { Extent::Torn };
    };
    let record = |at: usize| format::record(bytes.get(at..)?, header.salt, at as u64);
    let mut at = header.bytes() as usize;
    let (mut whole, mut offset) = (at, header.base.saturating_sub(1));
    while let Some((found, _)) = record(at).filter(|(found, _)| found.offset > offset) {
        offset = found.offset;
        at += found.record_bytes() as usize;
        whole = if found.batch_end { at } else { whole };
    }
    let rest = bytes.get(at..).unwrap_or_default();
    // Mostly there is nothing but reserved room, and no need to look for records in it.
    let is_torn = rest.iter().any(|&byte| byte != 0)
        && (at + 1..bytes.len()).any(|place| record(place).is_some());
    if is_torn { Extent::Torn } else { Extent::Whole(whole) }
}

/// What was found; nothing when it is not there any more.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn reading(name: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("cannot read {name}: {error}"))
}

fn writing(name: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("cannot write {name} of the copy: {error}"))
}
