//! HTTP/2 frame by frame (RFC 9113 section 4), for clients that no library would be.
//! Must never answer anything by itself, nor keep to any rule that a test does not want kept.

use tidings_tests::{Server, Wire};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// The request, or the answer, ends with this frame.
pub(crate) const END_STREAM: u8 = 1;
/// No further frame belongs to this head.
pub(crate) const END_HEADERS: u8 = 4;

// Error codes (RFC 9113 section 7).
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
/// Nothing was done; it may be tried again.
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of a RST_STREAM or GOAWAY.
    #[track_caller]
    pub(crate) fn error(&self) -> u32 {
        let from = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => panic!("no error in {self:?}"),
        };
        number(&self.payload[from..from + 4])
    }
}

/// A connection.
pub(crate) struct Frames {
    wire: Wire,
    kinds: Vec<u8>,
}

impl Frames {
    /// Connects and sends the preface with empty settings.
    pub(crate) fn connect(server: &Server) -> Frames {
        Frames::over(server.wire())
    }

    /// [`connect`](Frames::connect), with a socket that holds little.
    pub(crate) fn connect_narrow(server: &Server) -> Frames {
        Frames::over(server.narrow_wire())
    }

    fn over(wire: Wire) -> Frames {
        let mut frames = Frames { wire, kinds: Vec::new() };
        frames.wire.send(PREFACE);
        frames.send(SETTINGS, 0, 0, b"");
        frames
    }

    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.wire.send(frame(kind, flags, stream, payload));
    }

    /// Sends bytes that are frames, or are not.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.wire.send(bytes);
    }

    /// Sends as much as the server takes.
    pub(crate) fn try_raw(&mut self, bytes: &[u8]) {
        // What it does not take it has closed before.
        let _ = self.wire.try_send(bytes);
    }

    /// Asks with a GET.
    pub(crate) fn get(&mut self, stream: u32, target: &str) {
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &head("GET", target, &[]));
    }

    /// The next frame, or nothing when the server has closed.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let head = self.wire.try_read_exact(9)?;
        let (length, stream) = (number(&head[..3]), number(&head[5..9]));
        let payload = self.wire.try_read_exact(length as usize)?;
        self.kinds.push(head[3]);
        Some(Frame { kind: head[3], stream, payload })
    }

    /// The next frame of this kind; others are passed over.
    #[track_caller]
    pub(crate) fn await_kind(&mut self, kind: u8) -> Frame {
        loop {
            match self.next() {
                Some(frame) if frame.kind == kind => return frame,
                Some(_) => {}
                None => panic!("the server closed before a frame of kind {kind}"),
            }
        }
    }

    /// How many frames of a kind came.
    pub(crate) fn seen(&self, kind: u8) -> usize {
        self.kinds.iter().filter(|&&seen| seen == kind).count()
    }

    /// Reads until the server has closed.
    pub(crate) fn await_end(&mut self) {
        while self.next().is_some() {}
    }
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// A request's head, every field as a literal that is not indexed (RFC 7541 section 6.2.2).
pub(crate) fn head(method: &str, target: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let fixed = [
        (":method", method),
        (":scheme", "http"),
        (":path", target),
        (":authority", "tidings.test"),
    ];
    fixed.iter().chain(fields).flat_map(|(name, value)| field(name, value)).collect()
}

/// One field of a head.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    string(name, &mut out);
    string(value, &mut out);
    out
}

/// A string without Huffman code: its length with a prefix of 7 bits, then itself.
fn string(text: &str, out: &mut Vec<u8>) {
    let mut length = text.len();
    if length < 127 {
        out.push(length as u8);
    } else {
        out.push(127);
        length -= 127;
        while length >= 128 {
            out.push((length % 128) as u8 | 128);
            length /= 128;
        }
        out.push(length as u8);
    }
    out.extend_from_slice(text.as_bytes());
}
