//! Compression of whole answers, where it was asked for and is worth it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use tidings_protocol::Response;

/// Below this many bytes a packet is a packet.
const BYTES_MIN: usize = 1024;

/// Compresses the body when gzip is `taken` and the body is text of some length.
pub(crate) fn compress(taken: bool, response: &mut Response) {
    let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let text = content_type.is_some_and(|content_type| {
        content_type.starts_with("application/json")
            || content_type.starts_with("text/")
            || content_type.starts_with("image/svg")
    });
    if !text || response.body.len() < BYTES_MIN {
        return;
    }
    response.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if !taken {
        return;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a vector cannot fail; if it ever does, the plain body is right too.
    let Ok(compressed) = encoder.write_all(&response.body).and_then(|()| encoder.finish()) else {
        return;
    };
    response.body = compressed.into();
    response.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

/// Whether `Accept-Encoding` names gzip and does not rule it out (RFC 9110 section 12.5.3).
pub(crate) fn takes_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        named && weight.is_none_or(|weight| weight > 0.0)
    })
}
