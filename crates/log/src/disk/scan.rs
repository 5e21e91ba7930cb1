//! Reading a segment record by record: what an index would say of it, and what is damaged.
//!
//! Must never take damage for a torn end, nor a torn end for damage. Each record says up to where
//! everything was durable when it was written. So a place that cannot be read, with a later record
//! that says it was durable, was once right: that is damage, and it is told. With none, the end was
//! being written when the power went: nobody was told it was durable.

use std::collections::HashMap;
use std::io;

use tidings_model::{Mark, Time, Topic};

use super::files::DiskFile;
use super::format::{self, RECORD_HEADER_BYTES, RecordHeader};
use super::header::SegmentHeader;
use super::rows::{Columns, Index, NameList, SealedRows};
use super::segment::Hole;
use super::topics::Name;
use super::window::Window;
use crate::{Remembered, Token};

/// What was read.
pub(super) struct Scanned {
    /// What an index would say.
    pub(super) index: Index,
    /// Where the segment has to be cut, if anything stands behind its end that was never
    /// acknowledged.
    pub(super) cut: Option<u64>,
}

/// Reads a segment. `bound` is the offset at which something else begins; without one it is the
/// last segment, whose end may be torn.
pub(super) fn scan(
    file: &dyn DiskFile,
    header: &SegmentHeader,
    bound: Option<u64>,
    epoch: u32,
) -> io::Result<Scanned> {
    let scan = Scan {
        header,
        bound: header.copy.map(|copy| copy.through + 1).or(bound),
        window: Window::new(file)?,
        draft: Draft::default(),
        batch: Vec::new(),
        done: header.base - 1,
    };
    scan.run(epoch)
}

struct Scan<'a> {
    header: &'a SegmentHeader,
    bound: Option<u64>,
    window: Window<'a>,
    draft: Draft,
    /// Records of a batch that is not known to be whole yet.
    batch: Vec<Record>,
    /// The last offset before those.
    done: u64,
}

/// A whole record.
struct Record {
    at: u32,
    bytes: u32,
    offset: u64,
    topic: Of,
    time: Time,
    expires: Option<Time>,
    token: Option<(Token, u32)>,
    is_batch_end: bool,
}

/// A record's topic: one that was met before, by its own number, or another.
enum Of {
    Known(u32),
    New(Topic),
}

impl Scan<'_> {
    fn run(mut self, epoch: u32) -> io::Result<Scanned> {
        let mut at = self.header.bytes();
        let mut batch_at = at;
        let end_at = self.header.copy.map_or(u64::MAX, |copy| copy.end_at.into());
        while at < end_at {
            if let Some(record) = self.record(at)? {
                at += u64::from(record.bytes);
                let is_batch_end = record.is_batch_end;
                self.batch.push(record);
                if is_batch_end {
                    self.keep_batch(epoch);
                    batch_at = at;
                }
                continue;
            }
            // Mostly there is nothing but reserved room, and no need to look for records in it.
            let later = if self.window.is_blank(at)? { None } else { self.later(at)? };
            let Some((later_at, offset)) = later else { break };
            // What of its batch came before the damage is as good as the rest.
            self.keep_batch(epoch);
            self.damage(at, offset - 1);
            (at, batch_at) = (later_at, later_at);
        }
        let Some(bound) = self.bound else {
            let cut = (!self.window.is_blank(batch_at)?).then_some(batch_at);
            return Ok(Scanned { index: self.draft.finish(self.header, self.done), cut });
        };
        // A segment that something follows was whole once.
        let is_short = if end_at == u64::MAX { self.last() + 1 < bound } else { at < end_at };
        self.keep_batch(epoch);
        if is_short {
            self.damage(at, bound - 1);
        }
        Ok(Scanned { index: self.draft.finish(self.header, bound - 1), cut: None })
    }

    /// The last offset that was met.
    fn last(&self) -> u64 {
        self.batch.last().map_or(self.done, |record| record.offset)
    }

    /// The record at a place, if it is the next one.
    fn record(&mut self, at: u64) -> io::Result<Option<Record>> {
        let last = self.last();
        let bound = self.bound.unwrap_or(u64::MAX);
        let is_next = |offset: u64| match self.header.copy {
            Some(_) => offset > last && offset < bound,
            None => offset == last + 1 && offset < bound,
        };
        let head = RecordHeader::parse(self.window.get(at, RECORD_HEADER_BYTES as u64)?);
        let Some(head) = head.filter(|head| is_next(head.offset)) else { return Ok(None) };
        let bytes = self.window.get(at, head.record_bytes())?;
        Ok(format::record(bytes, self.header.salt, at).and_then(|(head, body)| {
            let brief = format::read_brief(body)?;
            Some(Record {
                at: at as u32,
                bytes: head.record_bytes() as u32,
                offset: head.offset,
                topic: match self.draft.numbers.get(brief.topic) {
                    Some(&own) => Of::Known(own),
                    None => Of::New(Topic::new(brief.topic).ok()?),
                },
                time: brief.time,
                expires: brief.expires,
                token: brief.token,
                is_batch_end: head.batch_end,
            })
        }))
    }

    fn keep_batch(&mut self, epoch: u32) {
        self.done = self.last();
        for record in self.batch.drain(..) {
            self.draft.add(record, epoch);
        }
    }

    fn damage(&mut self, at: u64, to: u64) {
        self.draft.damaged.push(Hole { at, from: self.done + 1, to });
        self.done = to;
    }

    /// A later record that proves the bytes at `at` were right once: one of the same segment, with
    /// a later offset, written when `at` was durable; in a sealed segment, any later record.
    fn later(&mut self, at: u64) -> io::Result<Option<(u64, u64)>> {
        let (last, through) = (self.last(), self.bound.map_or(u64::MAX, |bound| bound - 1));
        let bytes = self.window.rest(at)?;
        let mut first = None;
        let mut index = 1;
        while index + RECORD_HEADER_BYTES <= bytes.len() {
            let place = at + index as u64;
            let found = RecordHeader::parse(&bytes[index..])
                .and_then(|_| format::record(&bytes[index..], self.header.salt, place))
                .filter(|(head, _)| head.offset > last + 1 && head.offset <= through);
            let Some((head, _)) = found else {
                index += 1;
                continue;
            };
            let proof = *first.get_or_insert((place, head.offset));
            if self.bound.is_some() || u64::from(head.durable) > at {
                return Ok(Some(proof));
            }
            index += head.record_bytes() as usize;
        }
        Ok(None)
    }
}

/// What an index would say, as it is gathered.
#[derive(Default)]
struct Draft {
    names: Vec<Topic>,
    numbers: HashMap<Name, u32>,
    offset: Vec<u64>,
    at: Vec<u32>,
    end_at: u32,
    topic: Vec<u32>,
    time: Vec<u64>,
    expires: Vec<(u32, u64)>,
    damaged: Vec<Hole>,
    tokens: Vec<Remembered>,
}

impl Draft {
    fn add(&mut self, record: Record, epoch: u32) {
        let Record { at, bytes, offset, topic, time, expires, token, .. } = record;
        let own = match topic {
            Of::Known(own) => own,
            // A batch may have a new one twice.
            Of::New(topic) => *self.numbers.entry(Name(topic)).or_insert_with_key(|name| {
                self.names.push(name.0.clone());
                self.names.len() as u32 - 1
            }),
        };
        if let Some((token, count)) = token {
            let (topic, last) = (self.names[own as usize].clone(), Mark { epoch, offset });
            self.tokens.push(Remembered { topic, token, time, last, count });
        }
        if let Some(expires) = expires {
            self.expires.push((self.at.len() as u32, expires.as_millis()));
        }
        self.offset.push(offset);
        self.at.push(at);
        self.end_at = at + bytes;
        self.topic.push(own);
        self.time.push(time.as_millis());
    }

    fn finish(self, header: &SegmentHeader, through: u64) -> Index {
        let dense = self.offset.iter().zip(header.base..).all(|(&offset, next)| offset == next);
        let rows = SealedRows::new(&Columns {
            base: header.base,
            offsets: (!dense).then_some(&self.offset),
            at: &self.at,
            end_at: self.end_at.max(header.bytes() as u32),
            topic: &self.topic,
            topic_count: self.names.len(),
            time: &self.time,
            expires: &self.expires,
        });
        let Draft { names: topics, damaged, tokens, .. } = self;
        let mut names = NameList::default();
        topics.iter().for_each(|topic| names.push(topic.as_str()));
        Index { names, bytes: rows.topic_bytes(), rows, through, damaged, tokens }
    }
}
