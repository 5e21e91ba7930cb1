//! UTF-8 checks (RFC 6455 section 8.1), of whole text and of text that arrives in pieces.
//!
//! Must never let a byte that can no longer become valid text wait for more: a bad message is
//! refused at the first byte that shows it.

use crate::error::WsError;

/// Checks text that is all there.
pub(crate) fn check(bytes: &[u8]) -> Result<&str, WsError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| WsError::InvalidUtf8)
}

/// Checks text that is all there and ours.
pub(crate) fn check_owned(bytes: Vec<u8>) -> Result<String, WsError> {
    String::from_utf8(bytes).map_err(|_| WsError::InvalidUtf8)
}

/// Text put together from pieces that may be cut inside a character. Every byte is checked once,
/// when it comes.
#[derive(Default)]
pub(crate) struct Utf8Buffer {
    text: String,
    /// The first bytes of a character whose last are still to come; a character has at most four.
    cut: [u8; 4],
    cut_len: u8,
}

impl Utf8Buffer {
    /// Bytes taken so far.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + usize::from(self.cut_len)
    }

    /// Bytes of heap held.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Makes room for `additional` more bytes after [`len`](Self::len), and no more than that.
    pub(crate) fn reserve_exact(&mut self, additional: usize) {
        self.text.reserve_exact(additional + usize::from(self.cut_len));
    }

    /// Takes the next piece.
    ///
    /// Errors: the text so far is the beginning of no valid text.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), WsError> {
        let piece = self.complete_cut(piece)?;
        match simdutf8::compat::from_utf8(piece) {
            Ok(text) => self.text.push_str(text),
            Err(error) if error.error_len().is_some() => return Err(WsError::InvalidUtf8),
            Err(error) => {
                let (whole, cut) = piece.split_at(error.valid_up_to());
                self.text.push_str(check(whole)?);
                self.cut[..cut.len()].copy_from_slice(cut);
                self.cut_len = cut.len() as u8; // a cut character has one to three bytes
            }
        }
        Ok(())
    }

    /// Gives bytes of `piece` to the cut character until it is whole, and returns the rest.
    fn complete_cut<'a>(&mut self, mut piece: &'a [u8]) -> Result<&'a [u8], WsError> {
        while self.cut_len > 0
            && let Some((&byte, rest)) = piece.split_first()
        {
            self.cut[usize::from(self.cut_len)] = byte;
            self.cut_len += 1;
            piece = rest;
            match std::str::from_utf8(&self.cut[..usize::from(self.cut_len)]) {
                Ok(character) => {
                    self.text.push_str(character);
                    self.cut_len = 0;
                }
                Err(error) if error.error_len().is_some() => return Err(WsError::InvalidUtf8),
                Err(_) => {} // still cut, so at most three bytes: the array has room for the next
            }
        }
        Ok(piece)
    }

    /// The text, all of it.
    ///
    /// Errors: it ends inside a character.
    pub(crate) fn finish(self) -> Result<String, WsError> {
        if self.cut_len > 0 {
            return Err(WsError::InvalidUtf8);
        }
        Ok(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_bytes(bytes: &[u8]) -> Result<String, WsError> {
        let mut buffer = Utf8Buffer::default();
        for (i, byte) in bytes.iter().enumerate() {
            buffer.push(&[*byte])?;
            assert_eq!(buffer.len(), i + 1);
        }
        buffer.finish()
    }

    #[test]
    fn characters_of_every_length_survive_every_cut() {
        let text = "a\u{7f}\u{80}κόσμε\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}z";
        assert_eq!(in_bytes(text.as_bytes()).as_deref(), Ok(text));
        for at in 0..=text.len() {
            let mut buffer = Utf8Buffer::default();
            let (head, tail) = text.as_bytes().split_at(at);
            assert_eq!(buffer.push(head).and_then(|()| buffer.push(tail)), Ok(()));
            assert_eq!(buffer.finish().as_deref(), Ok(text));
        }
    }

    #[test]
    fn the_first_impossible_byte_is_refused() {
        for (valid, bad) in [
            (&b"\xf4"[..], 0x90), // above U+10FFFF
            (b"\xed", 0xa0),      // a surrogate
            (b"\xe0", 0x9f),      // overlong, three bytes
            (b"\xf0", 0x8f),      // overlong, four bytes
            (b"\xce\xba\xe1\xbd", b'x'),
            (b"ab", 0x80),
            (b"ab", 0xc0),
            (b"ab", 0xf5),
            (b"ab", 0xff),
        ] {
            let mut buffer = Utf8Buffer::default();
            assert_eq!(buffer.push(valid), Ok(()), "{valid:x?}");
            assert_eq!(buffer.push(&[bad]), Err(WsError::InvalidUtf8), "{valid:x?} {bad:x}");
            let together = [valid, &[bad], b"more"].concat();
            assert_eq!(Utf8Buffer::default().push(&together), Err(WsError::InvalidUtf8));
        }
    }

    #[test]
    fn text_may_not_end_inside_a_character() {
        assert_eq!(in_bytes("κ€😀".as_bytes()).as_deref(), Ok("κ€😀"));
        for cut in [&b"\xce"[..], b"a\xe2\x82", b"\xf0\x9f\x98"] {
            assert_eq!(in_bytes(cut), Err(WsError::InvalidUtf8));
        }
    }
}
