//! What a log holds, topic by topic. Must never guess: times are those of the messages themselves.

use std::io;

use tidings_model::{Selection, Time, Topic, TopicFilter};

use super::export::ClosedLog;
use super::files::Disk;
use super::segment::HOLE;
use crate::{Budget, Cursor};

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStats {
    /// The log's epoch.
    pub epoch: u32,
    /// The last offset that was given.
    pub end: u64,
    /// How many segments it has.
    pub segments: usize,
    /// Bytes of all its files.
    pub disk_bytes: u64,
    /// The topics of which something is kept: those with the most bytes first.
    pub topics: Vec<TopicStats>,
}

/// What is kept of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicStats {
    /// The topic.
    pub topic: Topic,
    /// How many messages.
    pub messages: u64,
    /// Their bytes in the log's files: what the limit of a topic's bytes is compared with.
    pub bytes: u64,
    /// The time of the first message,
    pub oldest: Time,
    /// and of the last.
    pub newest: Time,
}

impl ClosedLog {
    /// What it holds.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn stats(&self, disk: &dyn Disk) -> io::Result<LogStats> {
        let state = &self.state;
        let mut bytes = vec![0; state.topics.len()];
        for segment in &state.segments {
            for (index, &number) in segment.topic.iter().enumerate().filter(|(_, t)| **t != HOLE) {
                let topic = &state.topics[number as usize];
                if topic.count > 0 && segment.header.base + index as u64 >= topic.first {
                    bytes[number as usize] += u64::from(segment.bytes(index));
                }
            }
        }
        let mut topics = Vec::new();
        for (topic, bytes) in state.topics.iter().zip(bytes).filter(|(topic, _)| topic.count > 0) {
            topics.push(TopicStats {
                topic: topic.name.clone(),
                messages: topic.count,
                bytes,
                oldest: self.time(&topic.name, topic.first),
                newest: self.time(&topic.name, topic.last),
            });
        }
        topics.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.topic.cmp(&b.topic)));
        Ok(LogStats {
            epoch: state.epoch,
            end: state.end().offset,
            segments: state.segments.len(),
            disk_bytes: disk_bytes(disk)?,
            topics,
        })
    }

    /// When a message was stored. One that cannot be read has the time that its segment knows.
    fn time(&self, topic: &Topic, offset: u64) -> Time {
        let segment = &self.state.segments[self.state.segment_of(offset)];
        let mut records = Vec::new();
        let from = Cursor { offset: offset - 1, told: self.state.losses() };
        let only = Budget { records: 1, bytes: 1 };
        let wanted = TopicFilter::new(topic.as_str()).map(|filter| Selection::new([filter]));
        if let Ok(wanted) = wanted {
            let found = self.state.find(&wanted, from, only, self.kind);
            found.load(Time::default(), &mut records);
        }
        match records.first() {
            Some(record) => record.message.time,
            None => segment.time(segment.index_of(offset)),
        }
    }
}

fn disk_bytes(disk: &dyn Disk) -> io::Result<u64> {
    let mut total = 0;
    for name in disk.list()? {
        match disk.open(&name).and_then(|file| file.size()) {
            Ok(bytes) => total += bytes,
            // Whatever else lies there is not ours.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
