//! The server's side of the WebSocket handshake (RFC 6455 section 4.2).

use http::{HeaderMap, StatusCode, Version};
use tidings_protocol::{Method, Problem};
use tidings_websocket_codec::{Deflate, accept_key, is_valid_key};

/// What a handshake is answered with.
pub(crate) struct Accepted {
    /// `Sec-WebSocket-Accept`.
    pub(crate) key: String,
    /// `Sec-WebSocket-Protocol`.
    pub(crate) subprotocol: Option<&'static str>,
    /// `Sec-WebSocket-Extensions`.
    pub(crate) deflate: Option<Deflate>,
}

/// Checks the handshake.
pub(crate) fn check(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    subprotocol: Option<&'static str>,
) -> Result<Accepted, Problem> {
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
        Some(key) if is_valid_key(key) => {
            let (key, deflate) = (accept_key(key), extensions(headers)?);
            Ok(Accepted { key, subprotocol, deflate })
        }
        _ => Err(bad("Sec-WebSocket-Key is missing or is not 16 bytes of base64")),
    }
}

/// What is agreed on of the extensions that the client offers.
fn extensions(headers: &HeaderMap) -> Result<Option<Deflate>, Problem> {
    let lines = headers.get_all("sec-websocket-extensions").iter();
    // The lines of a list are one list (RFC 9110 section 5.3).
    let lines: Option<Vec<&str>> = lines.map(|line| line.to_str().ok()).collect();
    lines
        .and_then(|lines| Deflate::negotiate(&lines.join(",")).ok())
        .ok_or_else(|| bad("Sec-WebSocket-Extensions is malformed"))
}

fn bad(message: &str) -> Problem {
    Problem::bad("bad_upgrade", message, "see RFC 6455 section 4.2.1; use a WebSocket client")
}
