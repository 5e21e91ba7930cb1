//! HTTP/1.1 as a client of ours needs it: requests written, answers taken apart as they come
//! (RFC 9112). Must never be stricter than it takes to know where an answer ends.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use memchr::memmem;

/// Most bytes of a head.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Writes a request without a body, or the head of one with a body of `length` bytes.
pub(crate) fn write_request(
    out: &mut Vec<u8>,
    method: &str,
    target: &str,
    host: &str,
    fields: &[(String, String)],
    length: Option<usize>,
) {
    for part in [method, " ", target, " HTTP/1.1\r\nHost: ", host, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in fields {
        for part in [name.as_str(), ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    if let Some(length) = length {
        out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Header fields as they are written.
pub(crate) fn fields(map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head(Vec<u8>);

impl Head {
    /// The head at the beginning of `bytes`, and how long it is; nothing if it is not complete.
    ///
    /// # Errors
    /// When it is longer than any should be.
    pub(crate) fn take(bytes: &[u8]) -> anyhow::Result<Option<(Head, usize)>> {
        match memmem::find(bytes, b"\r\n\r\n") {
            Some(at) => Ok(Some((Head(bytes[..at + 2].to_vec()), at + 4))),
            None if bytes.len() > HEAD_BYTES_MAX => bail!("the head of the answer does not end"),
            None => Ok(None),
        }
    }

    /// The status code.
    ///
    /// # Errors
    /// When this is no HTTP.
    pub(crate) fn status(&self) -> anyhow::Result<u16> {
        let line = self.lines().next().unwrap_or_default();
        let code = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
        code.and_then(|code| code.parse().ok()).with_context(|| format!("no HTTP: {line}"))
    }

    /// Checks the status code.
    ///
    /// # Errors
    /// When it is another.
    pub(crate) fn expect(&self, status: u16) -> anyhow::Result<()> {
        let found = self.status()?;
        ensure!(found == status, "answered {found} instead of {status}");
        Ok(())
    }

    /// A header field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.split(|byte| *byte == b'\n').map(|line| {
            std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).unwrap_or_default()
        })
    }
}

/// A part of an answer.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    /// Its head.
    Head(&'a Head),
    /// Bytes of its body.
    Body(&'a [u8]),
    /// Its end.
    End,
}

/// Takes the answers on a connection apart.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// A head or the line before a chunk, as far as it has come.
    begun: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Body(u64),
    /// Within a chunk and the line end behind it.
    Chunk(u64),
    ChunkLine,
    /// Behind the last chunk.
    Trailer,
}

impl Answers {
    /// Takes the next bytes and hands over what they hold.
    ///
    /// # Errors
    /// When this is no HTTP, or `take` fails.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(Part<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.head(bytes, &mut take)?,
                State::Body(left) => {
                    let (part, rest) = bytes.split_at(within(left, bytes));
                    take(Part::Body(part))?;
                    self.state = State::Body(left - part.len() as u64);
                    rest
                }
                State::Chunk(left) => {
                    let (part, rest) = bytes.split_at(within(left, bytes));
                    // The line end behind it holds nothing of interest.
                    take(Part::Body(part))?;
                    let left = left - part.len() as u64;
                    self.state = if left == 0 { State::ChunkLine } else { State::Chunk(left) };
                    rest
                }
                State::ChunkLine | State::Trailer => self.line(bytes, &mut take)?,
            };
            if self.state == State::Body(0) {
                self.state = State::Head;
                take(Part::End)?;
            }
        }
        Ok(())
    }

    fn head<'a>(
        &mut self,
        bytes: &'a [u8],
        take: &mut impl FnMut(Part<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<&'a [u8]> {
        let before = self.begun.len();
        self.begun.extend_from_slice(bytes);
        let Some((head, length)) = Head::take(&self.begun)? else { return Ok(&[]) };
        self.begun.clear();
        let chunked = head.field("transfer-encoding").is_some_and(|value| value == "chunked");
        self.state = match (chunked, head.status()?) {
            (true, _) => State::ChunkLine,
            (false, 204 | 304) => State::Body(0),
            (false, _) => {
                let length = head.field("content-length").context("an answer without a length")?;
                State::Body(length.parse().context("an odd Content-Length")?)
            }
        };
        take(Part::Head(&head))?;
        Ok(&bytes[length - before..])
    }

    /// A line before a chunk, or behind the last one (RFC 9112 section 7.1).
    fn line<'a>(
        &mut self,
        bytes: &'a [u8],
        take: &mut impl FnMut(Part<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<&'a [u8]> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.begun.extend_from_slice(bytes);
            ensure!(self.begun.len() <= HEAD_BYTES_MAX, "a line of a chunk does not end");
            return Ok(&[]);
        };
        self.begun.extend_from_slice(&bytes[..end]);
        let line = String::from_utf8_lossy(&self.begun).trim().to_owned();
        self.begun.clear();
        if self.state == State::Trailer {
            if line.is_empty() {
                self.state = State::Head;
                take(Part::End)?;
            }
        } else {
            let size = line.split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16).with_context(|| format!("no size: {line}"))?;
            self.state = if size == 0 { State::Trailer } else { State::Chunk(size + 2) };
        }
        Ok(&bytes[end + 1..])
    }
}

/// How much of `left` is here.
fn within(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart_wherever_they_are_cut() {
        let stream = b"HTTP/1.1 201 Created\r\nX-One: 1\r\ncontent-length: 5\r\n\r\nhello\
            HTTP/1.1 304 Not Modified\r\n\r\n\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwiki\r\n0\r\n\r\n\
            HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        for size in 1..=stream.len() {
            let mut answers = Answers::default();
            let mut seen = String::new();
            for piece in stream.chunks(size) {
                let take = |part: Part<'_>| {
                    match part {
                        Part::Head(head) => {
                            seen += &format!(
                                "{}{} ",
                                head.status()?,
                                head.field("x-one").unwrap_or("")
                            );
                        }
                        Part::Body(body) => seen += std::str::from_utf8(body)?.trim(),
                        Part::End => seen += "|",
                    }
                    Ok(())
                };
                answers.feed(piece, take).unwrap();
            }
            assert_eq!(seen, "2011 hello|304 |200 wiki|200 |", "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_http_is_refused() {
        for wrong in ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(Answers::default().feed(wrong.as_bytes(), |_| Ok(())).is_err(), "{wrong}");
        }
    }
}
