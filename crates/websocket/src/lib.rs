//! The WebSocket protocol (RFC 6455) as a pure machine, for a server and for a client, with
//! permessage-deflate (RFC 7692) on the server's side.
//!
//! Must never do I/O, read a clock, draw random numbers, or hold heap memory for a connection
//! that has no cut frame and no unfinished message.
//!
//! Reading: socket bytes are read into a buffer that many connections share, and [`Decoder`]
//! takes whole messages out of it. A frame that lies whole in the buffer is unmasked where it is
//! and lent, not copied; only what a read cuts off is kept, until its message is complete.
//!
//! ```
//! use tidings_websocket_codec::{Decoder, Item, Limits, Role};
//!
//! let mut decoder = Decoder::new(Role::Server, Limits::default());
//! // What the socket gave: the masked "Hello" of RFC 6455 section 5.7.
//! let mut scratch = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
//! let mut input = &mut scratch[..];
//! while let Some(item) = decoder.decode(&mut input)? {
//!     assert_eq!(item, Item::Text("Hello".into()));
//! }
//! assert!(decoder.is_idle());
//! # Ok::<(), tidings_websocket_codec::WsError>(())
//! ```
//!
//! Writing: [`frame_header`] gives the few bytes that go in front of a payload, so a server can
//! send one shared payload to many sockets (`writev` of header and payload) and copy nothing.
//! [`write_masked_frame`] is the client's way, where every frame has its own mask.
//!
//! Compression: [`Deflate::negotiate`] agrees on it so that every message stands by itself. Then
//! one [`Deflater`] makes what many sockets are sent behind a [`deflated_header`], and one
//! [`Inflater`] reads what all of them send ([`Decoder::decode_deflated`]); a connection holds
//! neither.

mod close;
mod decoder;
mod deflate;
mod error;
mod extension;
mod frame;
mod handshake;
mod item;
mod mask;
mod message;
mod utf8;

pub use close::{CloseCode, REASON_BYTES_MAX, close_payload};
pub use decoder::{Decoder, Limits, MESSAGE_BYTES_MAX_DEFAULT};
pub use deflate::{DeflatedHeader, Deflater, Inflater, deflated_header};
pub use error::WsError;
pub use extension::{Deflate, MalformedExtensions};
pub use frame::{
    CONTROL_BYTES_MAX, HEADER_BYTES_MAX, Header, HeaderFields, Opcode, Role, frame_header,
    write_masked_frame,
};
pub use handshake::{accept_key, is_valid_key};
pub use item::Item;
