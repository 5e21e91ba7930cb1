//! One WebSocket frame as a server puts it on the wire (RFC 6455 section 5.2), read by hand.
//! Must never inflate, check or put together anything: what is on the wire is what a test sees.

use crate::wire::Wire;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    /// The payload as it came.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A client's frame with this first byte, masked.
    pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        const KEY: [u8; 4] = [0x9a, 0x01, 0xe7, 0x5c];
        let mut bytes = vec![first];
        match payload.len() {
            len @ 0..126 => bytes.push(0x80 | len as u8),
            len @ 126..0x1_0000 => {
                bytes.push(0x80 | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            len => {
                bytes.push(0x80 | 127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend(KEY);
        bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    /// Reads the next frame.
    #[track_caller]
    pub fn read(wire: &mut Wire) -> Frame {
        let head = wire.read_exact(2);
        assert!(head[1] < 0x80, "a server's frame with a mask");
        let length_bytes = match head[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = wire.read_exact(length_bytes).into_iter().map(u64::from);
        let length = match length_bytes {
            0 => u64::from(head[1]),
            _ => length.fold(0, |sum, byte| sum << 8 | byte),
        };
        let payload = wire.read_exact(usize::try_from(length).unwrap_or(usize::MAX));
        Frame { first: head[0], payload }
    }
}
