//! What a decoder hands out: complete messages and control frames.
//!
//! Must never stand for part of a message.

use std::borrow::Cow;

use crate::close::{self, CloseCode};
use crate::error::WsError;
use crate::utf8;

/// One complete message or control frame. It borrows the caller's input where its frame lay
/// there whole, and owns its bytes where it had to be put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A text message (section 5.6).
    Text(Cow<'a, str>),
    /// A binary message (section 5.6).
    Binary(Cow<'a, [u8]>),
    /// A Ping with at most 125 bytes (section 5.5.2). Answer with a Pong of the same payload.
    Ping(Cow<'a, [u8]>),
    /// A Pong with at most 125 bytes (section 5.5.3), asked for or not.
    Pong(Cow<'a, [u8]>),
    /// The peer closes (section 5.5.1). Answer with a Close frame unless one was sent already;
    /// nothing more comes out of the decoder.
    Close {
        /// Why, if the peer said so. `None` is what section 7.1.5 calls 1005.
        code: Option<CloseCode>,
        /// Text for people and logs; at most 123 bytes, often empty.
        reason: Cow<'a, str>,
    },
}

impl Item<'_> {
    /// The same item, free of the input it borrowed from.
    pub fn into_owned(self) -> Item<'static> {
        match self {
            Item::Text(text) => Item::Text(Cow::Owned(text.into_owned())),
            Item::Binary(bytes) => Item::Binary(Cow::Owned(bytes.into_owned())),
            Item::Ping(bytes) => Item::Ping(Cow::Owned(bytes.into_owned())),
            Item::Pong(bytes) => Item::Pong(Cow::Owned(bytes.into_owned())),
            Item::Close { code, reason } => {
                Item::Close { code, reason: Cow::Owned(reason.into_owned()) }
            }
        }
    }
}

/// What a frame's payload belongs to. Unlike an opcode it knows no continuation: that has become
/// the kind of the message it continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Kind {
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Kind::Close | Kind::Ping | Kind::Pong)
    }

    /// Makes the item of a payload that is all there, unmasked.
    ///
    /// Errors: what is wrong with text or a Close payload.
    pub(crate) fn item(self, payload: &[u8]) -> Result<Item<'_>, WsError> {
        Ok(match self {
            Kind::Text => Item::Text(Cow::Borrowed(utf8::check(payload)?)),
            Kind::Binary => Item::Binary(Cow::Borrowed(payload)),
            Kind::Ping => Item::Ping(Cow::Borrowed(payload)),
            Kind::Pong => Item::Pong(Cow::Borrowed(payload)),
            Kind::Close => {
                let (code, reason) = close::parse(payload)?;
                Item::Close { code, reason: Cow::Borrowed(reason) }
            }
        })
    }
}
