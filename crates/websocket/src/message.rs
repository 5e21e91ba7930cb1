//! A message that does not lie whole in the input: its bytes so far, unmasked.
//!
//! Must never take memory that only a peer's announcement asks for: the buffer grows with the
//! bytes that came.

use std::borrow::Cow;

use crate::deflate::Inflater;
use crate::error::WsError;
use crate::item::{Item, Kind};
use crate::utf8::{self, Utf8Buffer};

/// Least growth of a buffer, in bytes, so that a message of many tiny fragments does not
/// reallocate for each.
const GROWTH_BYTES_MIN: usize = 256;

/// The data message being put together.
pub(crate) enum Message {
    Text(Utf8Buffer),
    Binary(Vec<u8>),
    /// Compressed: inflated when it is all there, since what inflates is not this connection's.
    Deflated(Kind, Vec<u8>),
}

impl Message {
    /// One of which nothing has come yet.
    pub(crate) fn new(kind: Kind, is_deflated: bool) -> Message {
        match kind {
            kind if is_deflated => Message::Deflated(kind, Vec::new()),
            Kind::Text => Message::Text(Utf8Buffer::default()),
            _ => Message::Binary(Vec::new()),
        }
    }

    /// What a continuation frame continues.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
            Message::Deflated(kind, _) => *kind,
        }
    }

    /// Whether it is compressed.
    pub(crate) fn is_deflated(&self) -> bool {
        matches!(self, Message::Deflated(..))
    }

    /// Bytes taken so far.
    pub(crate) fn len(&self) -> usize {
        match self {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) | Message::Deflated(_, bytes) => bytes.len(),
        }
    }

    /// Bytes of heap held.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Message::Text(text) => text.capacity(),
            Message::Binary(bytes) | Message::Deflated(_, bytes) => bytes.capacity(),
        }
    }

    /// Takes the next bytes. `growth_max` is the most that can still come, these included: the
    /// buffer doubles as it fills, but not beyond that.
    ///
    /// Errors: the text so far is the beginning of no valid text.
    pub(crate) fn push(&mut self, bytes: &[u8], growth_max: usize) -> Result<(), WsError> {
        let len = self.len();
        let full = self.capacity().saturating_sub(len) < bytes.len();
        let additional = len.max(GROWTH_BYTES_MIN).max(bytes.len()).min(growth_max);
        match self {
            Message::Text(text) => {
                if full {
                    text.reserve_exact(additional);
                }
                text.push(bytes)
            }
            Message::Binary(buffer) | Message::Deflated(_, buffer) => {
                if full {
                    buffer.reserve_exact(additional);
                }
                buffer.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// The whole message.
    ///
    /// Errors: text that ends inside a character, and what can be wrong with a compressed message.
    pub(crate) fn finish(
        self,
        inflater: Option<&mut Inflater>,
        bytes_max: usize,
    ) -> Result<Item<'static>, WsError> {
        Ok(match self {
            Message::Text(text) => Item::Text(Cow::Owned(text.finish()?)),
            Message::Binary(bytes) => Item::Binary(Cow::Owned(bytes)),
            Message::Deflated(kind, bytes) => inflate(kind, &bytes, inflater, bytes_max)?,
        })
    }
}

/// Makes the item of a compressed message that is all there.
///
/// Errors: it cannot be inflated or is too large, or it is text that is not UTF-8.
pub(crate) fn inflate(
    kind: Kind,
    deflated: &[u8],
    inflater: Option<&mut Inflater>,
    bytes_max: usize,
) -> Result<Item<'static>, WsError> {
    let inflater = inflater.ok_or(WsError::CompressionNotAgreed)?;
    let bytes = inflater.inflate(deflated, bytes_max)?;
    Ok(match kind {
        Kind::Text => Item::Text(Cow::Owned(utf8::check_owned(bytes)?)),
        _ => Item::Binary(Cow::Owned(bytes)),
    })
}
