//! What waits to be written on one connection, as shared pieces: nothing is copied for a reader
//! that others share, unless it is so little that one copy is cheaper than many pieces.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write as _};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tidings_model::Time;

use crate::held::Held;

/// Most pieces handed to the system in one call.
const SLICES_MAX: usize = 64;

/// What waits is copied together up to so many bytes: the system takes longer to walk along
/// pieces.
const GATHERED_BYTES_MAX: usize = 32 * 1024;

/// Something to be written: shared bytes, or a few of one's own such as a frame's header.
#[derive(Debug)]
pub(crate) enum Piece {
    Shared(Bytes),
    Own { bytes: [u8; 16], from: u8, to: u8 },
}

impl Piece {
    /// At most 16 bytes of one's own.
    pub(crate) fn own(bytes: &[u8]) -> Piece {
        let mut own = [0; 16];
        own[..bytes.len()].copy_from_slice(bytes);
        Piece::Own { bytes: own, from: 0, to: bytes.len() as u8 }
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Piece::Shared(bytes) => bytes,
            Piece::Own { bytes, from, to } => &bytes[usize::from(*from)..usize::from(*to)],
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Piece::Shared(bytes) => bytes.advance(count),
            Piece::Own { from, .. } => *from += count as u8,
        }
    }
}

/// The pieces waiting on one connection.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Where the length of the chunk goes that is being written, and how much waited before it.
    chunk: Option<(usize, usize)>,
    /// While the socket takes no more: when the peer is given up.
    stalled: Option<Time>,
}

impl Outgoing {
    /// Bytes waiting.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.pieces.push_back(Piece::Shared(bytes));
        }
    }

    pub(crate) fn push_own(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.pieces.push_back(Piece::own(bytes));
    }

    /// What is pushed from now on belongs to one chunk (RFC 9112 section 7.1).
    pub(crate) fn begin_chunk(&mut self) {
        if self.chunk.is_none() {
            // Its length is known at its end.
            self.chunk = Some((self.pieces.len(), self.bytes));
            self.pieces.push_back(Piece::own(&[]));
        }
    }

    /// Ends the chunk, if there is one. Nothing may have been written since it began.
    pub(crate) fn end_chunk(&mut self) {
        if let Some((place, before)) = self.chunk.take() {
            let mut length = Vec::with_capacity(16);
            // Cannot fail: it is memory.
            let _ = write!(length, "{:x}\r\n", self.bytes - before);
            self.bytes += length.len();
            self.pieces[place] = Piece::own(&length);
            self.push_own(b"\r\n");
        }
    }

    /// When a peer that takes nothing is given up, while it takes nothing.
    pub(crate) fn stalled(&self) -> Option<Time> {
        self.stalled
    }

    /// Writes what waits; `scratch` is for what is copied together. Says whether everything is
    /// written. A peer that takes nothing from now on is given up after `patience`.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn write(
        &mut self,
        socket: &mut Held,
        scratch: &mut [u8],
        now: Time,
        patience: Duration,
    ) -> io::Result<bool> {
        while self.bytes > 0 {
            let Some(written) = self.write_once(socket, scratch)? else {
                self.stalled.get_or_insert(now + patience);
                return Ok(false);
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.stalled = None;
            self.consume(written);
        }
        self.pieces.clear();
        Ok(true)
    }

    fn write_once(&self, socket: &mut Held, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        let mut pieces = self.pieces.iter().map(Piece::as_slice).filter(|piece| !piece.is_empty());
        if self.bytes <= GATHERED_BYTES_MAX.min(scratch.len()) {
            let mut end = 0;
            for piece in pieces {
                scratch[end..end + piece.len()].copy_from_slice(piece);
                end += piece.len();
            }
            return socket.write(&scratch[..end]);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        while count < SLICES_MAX
            && let Some(piece) = pieces.next()
        {
            slices[count] = IoSlice::new(piece);
            count += 1;
        }
        socket.write_vectored(&slices[..count])
    }

    fn consume(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(first) = self.pieces.front_mut() {
            let length = first.as_slice().len();
            if length > count {
                return first.advance(count);
            }
            count -= length;
            self.pieces.pop_front();
        }
    }
}
