//! The two keys of the opening handshake (RFC 6455 sections 4.1 and 4.2.2).
//!
//! Must never look at anything else in a request: that belongs to the HTTP side.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest as _, Sha1};

/// The constant of section 1.3 that makes an answer provably a WebSocket server's.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What `Sec-WebSocket-Key` decodes to, in bytes (section 4.1).
const KEY_BYTES: usize = 16;

/// Sixteen bytes in base64, with padding.
const KEY_CHARS: usize = 24;

/// Padded base64 whose last character may have unused bits set, because the standard's own
/// example has (section 4.1 writes `AQIDBAUGBwgJCgsMDQ4PEC==`, where an encoder writes `EA==`).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The `Sec-WebSocket-Accept` that answers `client_key`, the value of `Sec-WebSocket-Key` without
/// white space around it (section 4.2.2, step 5.4). A client compares it with what it was sent.
pub fn accept_key(client_key: &str) -> String {
    let digest = Sha1::new().chain_update(client_key).chain_update(GUID).finalize();
    BASE64.encode(digest)
}

/// Whether a `Sec-WebSocket-Key`, without white space around it, is base64 of 16 bytes, as
/// section 4.2.1 item 5 asks.
pub fn is_valid_key(client_key: &str) -> bool {
    // The length first: a huge header is then never decoded.
    client_key.len() == KEY_CHARS
        && BASE64.decode(client_key).is_ok_and(|key| key.len() == KEY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_key_of_section_1_3() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys() {
        for good in
            ["dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEC==", "++//AAAAAAAAAAAAAAAAAA=="]
        {
            assert!(is_valid_key(good), "{good}");
        }
        for bad in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",      // padding missing
            "dGhlIHNhbXBsZSBub25jZQ= ",    // white space
            "dGhlIHNhbXBsZSBub25jZQ==AAA", // too long
            "dGhlIHNhbXBsZSBub25jZWU=",    // 17 bytes
            "dGhlIHNhbXBsZSBub25jZWVl",    // 18 bytes
            "-_-_AAAAAAAAAAAAAAAAAA==",    // the URL alphabet
            "dGhlIHNhbXBsZSBub25j====",
            "kkkkkkkkkkkkkkkkkkkkkké",
        ] {
            assert!(!is_valid_key(bad), "{bad}");
        }
    }
}
