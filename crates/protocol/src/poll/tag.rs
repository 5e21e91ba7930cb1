//! Entity tags of whole answers (RFC 9110 section 8.8.3). A tag is a validator and never a place to
//! read on from: caches in between take conditions off requests and put their own on.

use tidings_model::{Delivery, Event, Position};

/// The tag of an answer that holds these deliveries, written as `content_type`.
///
/// It changes exactly when the events of the answer do. The position alone would not serve: it
/// moves on with messages that this reader does not want.
pub(super) fn tag(content_type: &str, items: &[Delivery]) -> String {
    let mut hash = Hash::new();
    hash.mix(content_type);
    for item in items {
        match item {
            Delivery::Event(Event { record, .. }) => {
                hash.mix(&Position::at(record.log, record.mark).to_string());
            }
            Delivery::Gap(gap) => hash.mix(&gap.to.to_string()),
        }
    }
    format!("W/\"{:016x}\"", hash.0)
}

/// Whether a list of tags, as `If-None-Match` has it, names `tag`: weak comparison (RFC 9110
/// section 13.1.2).
pub(super) fn matches(tags: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|other| opaque(other) == opaque(tag))
}

/// FNV-1a, 64 bits: the same in every version, and nobody gains by a collision.
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    fn mix(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        for (tags, expected) in [
            ("*", true),
            ("W/\"a\"", true),
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(matches(tags, "W/\"a\""), expected, "{tags}");
        }
    }

    #[test]
    fn two_forms_of_one_answer_differ() {
        assert_ne!(tag("application/json", &[]), tag("text/html", &[]));
    }
}
