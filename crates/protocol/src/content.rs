//! What a payload is: JSON, text or bytes, and how it looks as the `data` of an event.

use std::borrow::Cow;

use std::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Media type of text when a publisher named none.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Media type of bytes when a publisher named none.
pub const BYTES: &str = "application/octet-stream";
/// Media type of JSON.
pub const JSON: &str = "application/json";
/// Media type of newline-delimited JSON.
pub const NDJSON: &str = "application/x-ndjson";

/// A payload, told apart by its content type and by what it really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// Valid JSON, declared as such.
    Json(&'a str),
    /// UTF-8 text.
    Text(&'a str),
    /// Anything else.
    Bytes(&'a [u8]),
}

/// The media type without its parameters, in lower case.
pub fn essence(content_type: &str) -> Cow<'_, str> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    match essence.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(essence.to_ascii_lowercase()),
        false => Cow::Borrowed(essence),
    }
}

/// Whether a media type promises JSON (RFC 8259, RFC 6839 section 3.1).
pub fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == JSON || essence.ends_with("+json")
}

/// Whether a media type promises text.
fn is_text(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || matches!(
            &*essence,
            "application/xml"
                | "application/javascript"
                | "application/x-www-form-urlencoded"
                | NDJSON
        )
}

/// What `payload` is. JSON was checked when it was published and is not checked again.
pub fn data<'a>(content_type: &str, payload: &'a [u8]) -> Data<'a> {
    match str::from_utf8(payload) {
        Ok(text) if is_json(content_type) => Data::Json(text),
        Ok(text) if is_text(content_type) => Data::Text(text),
        _ => Data::Bytes(payload),
    }
}

/// The media type of a payload whose publisher named none.
pub fn sniff(payload: &[u8]) -> &'static str {
    if str::from_utf8(payload).is_ok() { TEXT } else { BYTES }
}

/// Writes the value of `data`: JSON on one line, a JSON string, or a string of base64.
pub fn write_value(data: Data<'_>, out: &mut Vec<u8>) {
    match data {
        // A line break in JSON can only stand between tokens, where a space means the same.
        Data::Json(text) if text.contains(['\n', '\r']) => out
            .extend(text.trim().bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b })),
        Data::Json(text) => out.extend_from_slice(text.trim().as_bytes()),
        Data::Text(text) => write_string(text, out),
        Data::Bytes(bytes) => write_string(&base64(bytes), out),
    }
}

/// Bytes as base64 with padding (RFC 4648 section 4).
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Writes a JSON string (RFC 8259 section 7).
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    // Writing to a vector cannot fail, and a string always serializes; `""` is never reached.
    if serde_json::to_writer(&mut *out, text).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"\"\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_told_apart() {
        assert_eq!(data("Application/JSON; x=1", b"{}"), Data::Json("{}"));
        assert_eq!(data("application/problem+json", b"1"), Data::Json("1"));
        assert_eq!(data("text/plain", "ä".as_bytes()), Data::Text("ä"));
        assert_eq!(data("text/plain", b"\xff"), Data::Bytes(b"\xff"));
        assert_eq!(data("image/png", b"ab"), Data::Bytes(b"ab"));
    }

    #[test]
    fn values_stay_on_one_line() {
        let mut out = Vec::new();
        write_value(Data::Json("{\n \"a\":\r\n1}\n"), &mut out);
        assert_eq!(out, b"{  \"a\":  1}");
        out.clear();
        write_value(Data::Text("a\nb\"\u{0}"), &mut out);
        assert_eq!(out, br#""a\nb\"\u0000""#);
        out.clear();
        write_value(Data::Bytes(b"\xff\x00"), &mut out);
        assert_eq!(out, br#""/wA=""#);
    }
}
