//! What waits to be written on one connection, as pieces that many connections may share.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tidings_model::Time;
use tokio::io::AsyncWrite;

/// Most pieces handed to the system in one call.
const SLICES_MAX: usize = 64;

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
    /// While the socket takes no more: when the peer is given up.
    stalled: Option<Time>,
    /// When a peer that was behind last took something.
    took: Time,
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

    /// Keeps a place for up to 16 bytes that are known later; see [`Outgoing::fill`].
    pub(crate) fn reserve(&mut self) -> usize {
        self.pieces.push_back(Piece::own(&[]));
        self.pieces.len() - 1
    }

    /// Fills a reserved place. Nothing may have been written since it was reserved.
    pub(crate) fn fill(&mut self, place: usize, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.pieces[place] = Piece::own(bytes);
    }

    /// Takes a queue with room while there is something to write, and gives it back after, so
    /// that an idle connection holds no memory for it.
    pub(crate) fn borrow(&mut self, queue: &mut VecDeque<Piece>) {
        if self.pieces.capacity() == 0 {
            std::mem::swap(&mut self.pieces, queue);
        }
    }

    pub(crate) fn give_back(&mut self, queue: &mut VecDeque<Piece>) {
        if self.pieces.is_empty() {
            let empty = std::mem::take(&mut self.pieces);
            if queue.capacity() < empty.capacity() {
                *queue = empty;
            }
        }
    }

    /// When a peer that takes nothing is given up, while it takes nothing.
    pub(crate) fn stalled(&self) -> Option<Time> {
        self.stalled
    }

    /// When a peer that was behind last took something.
    pub(crate) fn took(&self) -> Time {
        self.took
    }

    /// Writes what waits. Ready when everything is written. A peer that takes nothing from now on
    /// is given up after `patience`.
    pub(crate) fn poll_write(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        now: Time,
        patience: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.pieces.len().min(SLICES_MAX);
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece.as_slice());
            }
            let Poll::Ready(written) =
                Pin::new(&mut *io).poll_write_vectored(cx, &slices[..count])?
            else {
                self.stalled.get_or_insert(now + patience);
                return Poll::Pending;
            };
            if written == 0 && self.bytes > 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if self.stalled.take().is_some() {
                self.took = now;
            }
            self.consume(written);
        }
        Poll::Ready(Ok(()))
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
