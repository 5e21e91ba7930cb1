//! Names of feeds and entries that stay the same for ever and are nobody else's: name-based UUIDs
//! (RFC 9562 section 5.5) as URNs.

use std::fmt::Write as _;

use sha1::{Digest, Sha1};

/// The namespace of all names made here, drawn once by chance.
const NAMESPACE: [u8; 16] = [
    0x93, 0xdd, 0xc5, 0xc8, 0x7c, 0x07, 0x40, 0x2f, 0xb7, 0x34, 0x64, 0x4f, 0x18, 0xbb, 0x3b, 0x4a,
];

/// The URN of what these parts name together.
pub(crate) fn urn(parts: &[&str]) -> String {
    let mut hash = Sha1::new().chain_update(NAMESPACE);
    for part in parts {
        // A length before each part, so that no two lists of parts are one text.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut out = "urn:uuid:".to_owned();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_uuids_of_version_five() {
        let urn = urn(&["entry", "EQAB"]);
        assert_eq!(urn.len(), "urn:uuid:".len() + 36);
        let uuid = &urn["urn:uuid:".len()..];
        assert!(uuid.starts_with(|c: char| c.is_ascii_hexdigit()));
        assert_eq!((&uuid[14..15], uuid.matches('-').count()), ("5", 4));
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn other_parts_are_another_name() {
        assert_eq!(urn(&["a", "b"]), urn(&["a", "b"]));
        assert_ne!(urn(&["a", "b"]), urn(&["ab"]));
        assert_ne!(urn(&["a", "b"]), urn(&["b", "a"]));
    }
}
