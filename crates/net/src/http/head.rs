//! Heads of answers on sockets that were taken over, written by hand (RFC 9112 section 4).

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use tidings_protocol::Response;

use super::Accepted;

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Another request may follow.
    KeepAlive,
    /// It ends with the answer.
    Close,
}

/// How the body's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Chunks (RFC 9112 section 7.1).
    Chunked,
    /// The end of the connection, for HTTP/1.0 clients.
    UntilClose,
}

/// A whole answer: head and body.
pub(crate) fn whole(response: &Response, connection: Connection) -> Vec<u8> {
    let mut out = start(response.status, &response.headers);
    // RFC 9110 section 8.6: no length where there cannot be content.
    if response.status != StatusCode::NOT_MODIFIED && response.status != StatusCode::NO_CONTENT {
        out.extend_from_slice(format!("content-length: {}\r\n", response.body.len()).as_bytes());
    }
    if connection == Connection::Close {
        out.extend_from_slice(b"connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&response.body);
    out
}

/// The head of a streamed answer. The connection ends with it.
pub(crate) fn streamed(response: &Response, framing: Framing) -> Vec<u8> {
    let mut out = start(response.status, &response.headers);
    if framing == Framing::Chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"connection: close\r\n\r\n");
    out
}

/// The acceptance of a WebSocket (RFC 6455 section 4.2.2).
pub(crate) fn switching(accepted: &Accepted, extra: &HeaderMap) -> Vec<u8> {
    let Accepted { key, subprotocol, deflate } = accepted;
    let mut out = start(StatusCode::SWITCHING_PROTOCOLS, extra);
    out.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n");
    out.extend_from_slice(format!("sec-websocket-accept: {key}\r\n").as_bytes());
    if let Some(subprotocol) = subprotocol {
        out.extend_from_slice(format!("sec-websocket-protocol: {subprotocol}\r\n").as_bytes());
    }
    if let Some(deflate) = deflate {
        out.extend_from_slice(format!("sec-websocket-extensions: {deflate}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn start(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let reason = status.canonical_reason().unwrap_or("Unknown");
    let date = httpdate::fmt_http_date(SystemTime::now());
    out.extend_from_slice(
        format!("HTTP/1.1 {} {reason}\r\ndate: {date}\r\n", status.as_u16()).as_bytes(),
    );
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}
