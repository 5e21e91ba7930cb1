//! The server's side of the WebSocket handshake (RFC 6455 section 4.2).

use http::{HeaderMap, StatusCode, Version};
use tidings_protocol::{Method, Problem};
use tidings_websocket_codec::{accept_key, is_valid_key};

/// Checks the handshake; returns the key to answer with.
pub(crate) fn check(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<String, Problem> {
    let bad = |message: &str| {
        Problem::bad("bad_upgrade", message, "see RFC 6455 section 4.2.1; use a WebSocket client")
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if *method != Method::GET || version != Version::HTTP_11 {
        return Err(bad("a WebSocket begins with a GET of HTTP/1.1"));
    }
    let connection = headers.get_all("connection").iter().filter_map(|value| value.to_str().ok());
    let mut tokens = connection.flat_map(|value| value.split(','));
    if !tokens.any(|token| token.trim().eq_ignore_ascii_case("upgrade")) {
        return Err(bad("the header Connection does not say Upgrade"));
    }
    if text("sec-websocket-version") != Some("13") {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "bad_upgrade",
            "only version 13 of the WebSocket protocol is spoken here",
            "send Sec-WebSocket-Version: 13",
        ));
    }
    match text("sec-websocket-key") {
        Some(key) if is_valid_key(key) => Ok(accept_key(key)),
        _ => Err(bad("Sec-WebSocket-Key is missing or is not 16 bytes of base64")),
    }
}
