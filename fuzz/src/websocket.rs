//! The WebSocket decoder: the same bytes mean the same however they are cut, and no more is held
//! than a message may have.

use tidings_websocket_codec::{Decoder, Item, Limits, Role, WsError};

use crate::input::Input;

/// Largest message here; small, so that the limit is met.
const MESSAGE_BYTES_MAX: usize = 1000;

/// Above the limit a decoder may hold what it needs to go on: the header of a frame, and a
/// control frame between the fragments of a message.
const BESIDES_MAX: usize = 256;

/// Reads the bytes as one side of a connection, whole and cut.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let role = if input.byte().is_multiple_of(2) { Role::Server } else { Role::Client };
    let cut = usize::from(input.byte()) + 1;
    let whole = hear(role, [input.0]);
    assert_eq!(hear(role, input.0.chunks(cut)), whole, "cut every {cut} bytes");
    assert_eq!(hear(role, input.0.chunks(1)), whole, "byte by byte");
}

fn hear<'a>(
    role: Role,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Item<'static>>, Option<WsError>) {
    let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX };
    let (mut decoder, mut items) = (Decoder::new(role, limits), Vec::new());
    for piece in pieces {
        let mut scratch = piece.to_vec();
        let mut input = &mut scratch[..];
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(item)) => items.push(item.into_owned()),
                Ok(None) => break,
                Err(error) => {
                    assert!((1000..5000).contains(&error.close_code().get()));
                    return (items, Some(error));
                }
            }
        }
        assert!(input.is_empty(), "what is not a whole message is kept by the decoder");
        assert!(decoder.held_bytes() <= MESSAGE_BYTES_MAX + BESIDES_MAX);
    }
    (items, None)
}
