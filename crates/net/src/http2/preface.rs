//! How a connection shows that it is HTTP/2 (RFC 9113 section 3.4). Must never be looked for but
//! in the first bytes of a connection.

/// What a client that knows that the server speaks HTTP/2 sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection are the beginning of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It cannot be told yet.
    Unknown,
    /// HTTP/2.
    Http2,
    /// Anything else.
    Other,
}

impl Opening {
    /// What a connection is that begins with `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Opening {
        if bytes.starts_with(PREFACE) {
            Opening::Http2
        } else if PREFACE.starts_with(bytes) {
            Opening::Unknown
        } else {
            Opening::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_preface_is_one() {
        for length in 0..PREFACE.len() {
            assert_eq!(Opening::of(&PREFACE[..length]), Opening::Unknown, "{length}");
            let mut other = PREFACE[..=length].to_vec();
            other[length] ^= 1;
            assert_eq!(Opening::of(&other), Opening::Other, "{length}");
        }
        assert_eq!(Opening::of(PREFACE), Opening::Http2);
        assert_eq!(Opening::of(&[PREFACE, b"and its first frame"].concat()), Opening::Http2);
        assert_eq!(Opening::of(b"PUT /t/a HTTP/1.1\r\n"), Opening::Other);
    }
}
