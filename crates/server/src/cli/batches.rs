//! Cuts an endless input into batches of whole lines. Must never hold more than one batch and
//! what one read brought, nor keep a line back while no other comes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Most lines in one batch.
pub(crate) const LINES_MAX: u64 = 1000;

/// Most bytes in one batch, unless a single line is longer.
pub(crate) const BATCH_BYTES_MAX: usize = 512 * 1024;

/// Longest line, in bytes: the largest message any server takes.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// How long a line waits for others to come with it: long enough for a busy pipe, too short for
/// a person who types to notice.
const LINGER: Duration = Duration::from_millis(10);

/// Bytes asked for in one read.
const READ_BYTES: usize = 64 * 1024;

/// Whole lines, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The lines as they were, line ends included.
    pub body: Bytes,
    /// How many of them are not empty.
    pub messages: u64,
    /// Number of the first of them in the input, counted from 1; empty ones count.
    pub first_line: u64,
}

/// Why there is no batch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    /// The input cannot be read.
    #[error("cannot read the input: {0}")]
    Read(#[from] std::io::Error),
    /// A line that no server would take.
    #[error("line {0} is longer than 64 MiB, the most any server takes for one message")]
    LineTooLong(u64),
}

/// Batches of an input.
pub(crate) struct Batches<R> {
    input: R,
    buffer: BytesMut,
    ended: bool,
    /// Bytes at the front of the buffer that are whole lines of the next batch.
    whole: usize,
    /// Bytes at the front that were looked at.
    seen: usize,
    /// Lines within `whole`, and those of them that are not empty.
    lines: u64,
    messages: u64,
    /// Lines in earlier batches.
    lines_before: u64,
}

impl<R: AsyncRead + Unpin> Batches<R> {
    /// Batches of `input`.
    pub(crate) fn new(input: R) -> Batches<R> {
        Batches {
            input,
            buffer: BytesMut::new(),
            ended: false,
            whole: 0,
            seen: 0,
            lines: 0,
            messages: 0,
            lines_before: 0,
        }
    }

    /// The next batch, as soon as it is full or no more lines come at once. `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Batch>, BatchError> {
        loop {
            if let Some(batch) = self.cut_full() {
                return Ok(Some(batch));
            }
            if self.ended {
                // What has no line feed at its end is the last line.
                let rest = self.buffer.len() - self.whole;
                self.take_line(rest);
                return Ok(self.cut());
            }
            if self.buffer.len() - self.whole > LINE_BYTES_MAX {
                // The lines before it can still go.
                let before = self.cut();
                let line = self.lines_before + 1;
                return before.map_or(Err(BatchError::LineTooLong(line)), |batch| Ok(Some(batch)));
            }
            self.buffer.reserve(READ_BYTES);
            let read = self.input.read_buf(&mut self.buffer);
            if self.messages == 0 {
                self.ended = read.await? == 0;
            } else {
                // A read that is given up loses nothing.
                match timeout(LINGER, read).await {
                    Ok(count) => self.ended = count? == 0,
                    Err(_) => return Ok(self.cut()),
                }
            }
        }
    }

    /// Looks at what is new; a batch if it is full.
    fn cut_full(&mut self) -> Option<Batch> {
        while let Some(end) = self.buffer[self.seen..].iter().position(|&byte| byte == b'\n') {
            let line = self.seen + end + 1 - self.whole;
            if self.messages > 0 && self.whole + line > BATCH_BYTES_MAX {
                self.seen = self.whole;
                return self.cut();
            }
            self.take_line(line);
            let is_full = self.messages == LINES_MAX || self.whole >= BATCH_BYTES_MAX;
            if let Some(batch) = is_full.then(|| self.cut()).flatten() {
                return Some(batch);
            }
        }
        self.seen = self.buffer.len();
        None
    }

    fn take_line(&mut self, bytes: usize) {
        let line = &self.buffer[self.whole..self.whole + bytes];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // As the server counts: a line feed may have a carriage return before it.
        let is_empty = line.strip_suffix(b"\r").unwrap_or(line).is_empty();
        self.messages += u64::from(!is_empty);
        self.lines += u64::from(bytes > 0);
        self.whole += bytes;
        self.seen = self.whole;
    }

    /// Takes the whole lines out; nothing when all of them are empty.
    fn cut(&mut self) -> Option<Batch> {
        let body = self.buffer.split_to(self.whole).freeze();
        self.seen -= self.whole;
        self.whole = 0;
        let first_line = self.lines_before + 1;
        self.lines_before += std::mem::take(&mut self.lines);
        let messages = std::mem::take(&mut self.messages);
        (messages > 0).then_some(Batch { body, messages, first_line })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn all(input: &[u8]) -> Vec<(usize, u64, u64)> {
        let (mut batches, mut all) = (Batches::new(input), Vec::new());
        while let Some(batch) = batches.next().await.unwrap() {
            all.push((batch.body.len(), batch.messages, batch.first_line));
        }
        all
    }

    #[tokio::test]
    async fn batches_are_full_when_the_input_is_fast() {
        assert_eq!(all(b"").await, []);
        assert_eq!(all(b"\n\r\n\n").await, []);
        assert_eq!(all(b"a").await, [(1, 1, 1)]);
        assert_eq!(all(b"a\n\r\n\nb\r\nc").await, [(9, 3, 1)]);
        let lines = "x\n".repeat(2500);
        let expected = [(2000, 1000, 1), (2000, 1000, 1001), (1000, 500, 2001)];
        assert_eq!(all(lines.as_bytes()).await, expected);
        // 512 KiB are 5 lines of 100 KiB.
        let line = "x".repeat(100 * 1024 - 1) + "\n";
        let expected =
            [(5, 1), (5, 6), (2, 11)].map(|(n, first)| (n * line.len(), n as u64, first));
        assert_eq!(all(line.repeat(12).as_bytes()).await, expected);
        // A line that is longer than a batch goes alone.
        let long = format!("a\n{}\nb\n", "x".repeat(600 * 1024));
        assert_eq!(all(long.as_bytes()).await, [(2, 1, 1), (600 * 1024 + 1, 1, 2), (2, 1, 3)]);
        // Empty lines make no batch, whatever their number.
        let empty = "\n".repeat(2 << 20) + "a";
        assert_eq!(all(empty.as_bytes()).await.iter().map(|batch| batch.1).sum::<u64>(), 1);
    }

    #[tokio::test]
    async fn a_slow_input_is_not_waited_for() {
        let (mut writer, reader) = tokio::io::duplex(64);
        let mut batches = Batches::new(reader);
        writer.write_all(b"one\ntwo\nthr").await.unwrap();
        let batch = batches.next().await.unwrap().unwrap();
        assert_eq!((&batch.body[..], batch.messages), (&b"one\ntwo\n"[..], 2));
        writer.write_all(b"ee\n").await.unwrap();
        drop(writer);
        let batch = batches.next().await.unwrap().unwrap();
        assert_eq!((&batch.body[..], batch.first_line), (&b"three\n"[..], 3));
        assert_eq!(batches.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_without_end() {
        let line = [b"a\n".as_slice(), &vec![b'x'; LINE_BYTES_MAX + READ_BYTES]].concat();
        let mut batches = Batches::new(&line[..]);
        assert_eq!(batches.next().await.unwrap().unwrap().messages, 1);
        assert_eq!(
            batches.next().await.unwrap_err().to_string(),
            "line 2 is longer than 64 MiB, the most any server takes for one message"
        );
    }
}
