//! A message that does not lie whole in the input: its bytes so far, unmasked.
//!
//! Must never take memory that only a peer's announcement asks for: the buffer grows with the
//! bytes that came.

use std::borrow::Cow;

use crate::error::WsError;
use crate::item::{Item, Kind};
use crate::utf8::Utf8Buffer;

/// Least growth of a buffer, in bytes, so that a message of many tiny fragments does not
/// reallocate for each.
const GROWTH_BYTES_MIN: usize = 256;

/// The data message being put together.
pub(crate) enum Message {
    Text(Utf8Buffer),
    Binary(Vec<u8>),
}

impl Message {
    /// What a continuation frame continues.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
        }
    }

    /// Bytes taken so far.
    pub(crate) fn len(&self) -> usize {
        match self {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        }
    }

    /// Bytes of heap held.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Message::Text(text) => text.capacity(),
            Message::Binary(bytes) => bytes.capacity(),
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
            Message::Binary(buffer) => {
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
    /// Errors: text that ends inside a character.
    pub(crate) fn finish(self) -> Result<Item<'static>, WsError> {
        Ok(match self {
            Message::Text(text) => Item::Text(Cow::Owned(text.finish()?)),
            Message::Binary(bytes) => Item::Binary(Cow::Owned(bytes)),
        })
    }
}
