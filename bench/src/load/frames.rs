//! WebSocket frames as a client of ours needs them (RFC 6455): where each begins and ends.
//!
//! Must never check what a server has to keep; our codec has its own tests for that. A reader that
//! checks everything would be the bottleneck of the measurement.

use anyhow::{bail, ensure};
use tidings_websocket_codec::{Opcode, write_masked_frame};

/// What the value of `Sec-WebSocket-Key` may be: it only has to be 16 bytes in base64.
pub(crate) const KEY: &str = "dGlkaW5ncyBiZW5jaCAhIQ==";
/// Most bytes of a control frame's payload (section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// The header fields of a handshake (section 4.1).
pub(crate) fn handshake_fields() -> [(String, String); 4] {
    [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// Writes a text frame of a client. The mask is zero: what it defends against is not here.
pub(crate) fn write_text(out: &mut Vec<u8>, payload: &[u8]) {
    write_masked_frame(out, Opcode::Text, payload, [0; 4]);
}

/// Walks over frames.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// A header, as far as it has come.
    header: Vec<u8>,
    /// Bytes of the frame that are still to come.
    left: u64,
    /// The first byte of its header.
    kind: u8,
    /// The payload of a control frame, as far as it has come.
    control: Vec<u8>,
}

impl Frames {
    /// Takes the next bytes, hands over what is payload of messages, and answers pings.
    ///
    /// # Errors
    /// When the server closes the connection.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        mut take: impl FnMut(&[u8]),
    ) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            if self.left == 0 && !self.begin(&mut bytes, out)? {
                continue;
            }
            let here = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (part, rest) = bytes.split_at(here);
            (bytes, self.left) = (rest, self.left - part.len() as u64);
            if self.is_control() {
                self.control.extend_from_slice(part);
                if self.left == 0 {
                    self.control(out)?;
                }
            } else {
                take(part);
            }
        }
        Ok(())
    }

    /// Reads a header; returns whether there is payload to be read now.
    fn begin(&mut self, bytes: &mut &[u8], out: &mut Vec<u8>) -> anyhow::Result<bool> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.header.push(*byte);
            let Some(length) = length(&self.header)? else { continue };
            (self.kind, self.left) = (self.header[0], length);
            self.header.clear();
            self.control.clear();
            if self.is_control() {
                ensure!(length <= CONTROL_BYTES_MAX, "a control frame of {length} bytes");
            }
            if length == 0 && self.is_control() {
                self.control(out)?;
            }
            return Ok(length > 0);
        }
        Ok(false)
    }

    fn is_control(&self) -> bool {
        self.kind & 0x08 != 0
    }

    fn control(&mut self, out: &mut Vec<u8>) -> anyhow::Result<()> {
        match self.kind & 0x0f {
            0x8 => {
                let code = self.control.first_chunk().map(|code| u16::from_be_bytes(*code));
                bail!("the server closed the WebSocket with {code:?}");
            }
            0x9 => write_masked_frame(out, Opcode::Pong, &self.control, [0; 4]),
            _ => {}
        }
        Ok(())
    }
}

/// The length of the payload (section 5.2), when the header is complete.
fn length(header: &[u8]) -> anyhow::Result<Option<u64>> {
    let Some(short) = header.get(1) else { return Ok(None) };
    ensure!(short & 0x80 == 0, "a frame of the server is masked");
    Ok(match short {
        126 => {
            header.get(2..4).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes).map(u64::from)
        }
        127 => header.get(2..10).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes),
        short => Some(u64::from(*short)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_handed_over_and_pings_answered_wherever_the_stream_is_cut() {
        let mut stream =
            b"\x81\x05hello\x89\x02pi\x01\x01a\x89\x00\x80\x00\x82\x7e\x01\x00".to_vec();
        stream.extend_from_slice(&[b'x'; 256]);
        stream.extend_from_slice(b"\x82\x7f\0\0\0\0\0\0\0\x03end");
        let expected = format!("helloa{}end", "x".repeat(256));
        for size in 1..=stream.len() {
            let (mut frames, mut out, mut seen) = (Frames::default(), Vec::new(), Vec::new());
            for piece in stream.chunks(size) {
                frames.feed(piece, &mut out, |part| seen.extend_from_slice(part)).unwrap();
            }
            assert_eq!(seen, expected.as_bytes(), "in pieces of {size}");
            assert_eq!(out, b"\x8a\x82\0\0\0\0pi\x8a\x80\0\0\0\0", "in pieces of {size}");
        }
    }

    #[test]
    fn a_close_is_told() {
        let mut frames = Frames::default();
        let error = frames.feed(b"\x88\x02\x03\xf4", &mut Vec::new(), |_| ()).unwrap_err();
        assert!(error.to_string().contains("1012"), "{error}");
    }
}
