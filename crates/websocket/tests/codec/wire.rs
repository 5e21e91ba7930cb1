//! Frames by hand, and reading them in pieces.
//!
//! Must never use the crate's encoder: a mistake in it would then hide the same mistake in the
//! decoder.

use tidings_websocket_codec::{Decoder, Item, Limits, Role, WsError};

pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// First bytes of frames: FIN and the opcode.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
/// First bytes of fragments.
pub(crate) const TEXT_BEGIN: u8 = 0x01;
pub(crate) const BINARY_BEGIN: u8 = 0x02;
pub(crate) const MORE: u8 = 0x00;
pub(crate) const LAST: u8 = 0x80;

/// A server's frame, with up to 65535 bytes of payload.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if payload.len() < 126 {
        frame.push(payload.len() as u8);
    } else {
        frame.extend([126, (payload.len() >> 8) as u8, payload.len() as u8]);
    }
    frame.extend(payload);
    frame
}

/// The same as a client's frame.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = plain(first, payload);
    frame[1] |= 0x80;
    frame.truncate(frame.len() - payload.len());
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Every item of `bytes`, and the error that ended them.
pub(crate) type Heard = (Vec<Item<'static>>, Option<WsError>);

/// Reads `pieces` one after the other, each from a buffer of its own that is wiped afterwards.
pub(crate) fn hear_pieces<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Heard {
    let mut items = Vec::new();
    for piece in pieces {
        let mut scratch = piece.to_vec();
        let mut input = &mut scratch[..];
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(item)) => items.push(item.into_owned()),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
        assert!(input.is_empty());
    }
    (items, None)
}

/// Reads `bytes` at once.
pub(crate) fn hear(role: Role, bytes: &[u8]) -> Heard {
    hear_pieces(&mut Decoder::new(role, Limits::default()), [bytes])
}

/// Reads `bytes` one at a time.
pub(crate) fn hear_in_bytes(role: Role, bytes: &[u8]) -> Heard {
    hear_pieces(&mut Decoder::new(role, Limits::default()), bytes.chunks(1))
}

pub(crate) fn text(text: &str) -> Item<'static> {
    Item::Text(text.to_owned().into())
}

pub(crate) fn binary(bytes: &[u8]) -> Item<'static> {
    Item::Binary(bytes.to_vec().into())
}

pub(crate) fn ping(bytes: &[u8]) -> Item<'static> {
    Item::Ping(bytes.to_vec().into())
}

pub(crate) fn pong(bytes: &[u8]) -> Item<'static> {
    Item::Pong(bytes.to_vec().into())
}
