//! The client side of the wire contract, for `tidings pub` and `tidings sub`: one HTTP
//! connection, one decoder for each way of reading.
//!
//! Decoders are pure: bytes in, [`Item`]s out. Only [`http`], [`stream`], [`tls`] and [`ws`]
//! touch a socket. Must never print or decide when to give up: that is the commands' part.

pub(crate) mod backoff;
pub(crate) mod error;
pub(crate) mod http;
mod io;
pub(crate) mod item;
pub(crate) mod login;
pub(crate) mod ndjson;
pub(crate) mod poll;
#[cfg(test)]
pub(crate) mod pretend;
pub(crate) mod sse;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod url;
pub(crate) mod ws;
