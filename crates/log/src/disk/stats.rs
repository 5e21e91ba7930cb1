//! What a log holds, topic by topic. Must never guess: times are those of the messages themselves.

use std::io;

use tidings_model::{Time, Topic};

use super::export::ClosedLog;
use super::files::Disk;

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
        let kept = state.topics.iter().filter(|topic| topic.count > 0);
        let mut topics: Vec<TopicStats> = kept
            .map(|topic| TopicStats {
                topic: topic.name.clone(),
                messages: topic.count,
                bytes: topic.bytes,
                oldest: self.time(topic.first),
                newest: self.time(topic.last),
            })
            .collect();
        topics.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.topic.cmp(&b.topic)));
        Ok(LogStats {
            epoch: state.epoch,
            end: state.end().offset,
            segments: state.segments.len(),
            disk_bytes: disk_bytes(disk)?,
            topics,
        })
    }

    /// When a message was stored.
    fn time(&self, offset: u64) -> Time {
        let segment = self.state.segments.get(self.state.segment_from(offset));
        let time = segment
            .and_then(|segment| segment.rows.row_of(offset).map(|row| segment.rows.time(row)));
        time.unwrap_or_default()
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
