//! The decoder: socket bytes in, complete messages out.
//!
//! Must never hold heap memory between messages, keep more than the limit, or go on after an error.

use std::mem;

use crate::deflate::Inflater;
use crate::error::WsError;
use crate::frame::{CONTROL_BYTES_MAX, Header, HeaderFields, Opcode, Role};
use crate::item::{Item, Kind};
use crate::mask;
use crate::message::{Message, inflate};

/// Largest message that [`Limits::default`] accepts, in bytes: far above what people chat and
/// programs signal, and small enough that thousands of senders at once fit in memory.
pub const MESSAGE_BYTES_MAX_DEFAULT: usize = 1024 * 1024;

/// What a decoder accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message, in bytes of payload over all its fragments. A larger one is refused by
    /// the header that announces it (section 10.4).
    pub message_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { message_bytes_max: MESSAGE_BYTES_MAX_DEFAULT }
    }
}

/// Takes messages out of what one peer sends. One for each connection; a few words of memory
/// while no frame is cut and no message unfinished.
pub struct Decoder {
    role: Role,
    limits: Limits,
    stage: Stage,
    /// What a read cut off, or a message's fragments so far. `None` between messages.
    pending: Option<Box<Pending>>,
}

/// Whether anything may still come.
enum Stage {
    Open,
    /// A Close frame came: what follows it is discarded (section 1.4).
    Closed,
    /// The peer broke the protocol: nothing after that can be trusted (section 7.1.7).
    Failed(WsError),
}

/// What has to be kept until the next read. At most one of `header` and `frame` is in use, beside
/// a `message` whose fragments control frames may stand between (section 5.4).
#[derive(Default)]
struct Pending {
    header: Header,
    frame: Option<Frame>,
    control: Vec<u8>,
    message: Option<Message>,
}

/// A frame whose header was accepted.
struct Frame {
    kind: Kind,
    fin: bool,
    /// Whether it belongs to a compressed message.
    is_deflated: bool,
    mask: Option<[u8; 4]>,
    /// Bytes of payload in all.
    len: usize,
    /// Bytes of payload taken from the input so far.
    taken: usize,
}

impl Decoder {
    /// A decoder for the end of the connection that is `role`.
    pub fn new(role: Role, limits: Limits) -> Decoder {
        Decoder { role, limits, stage: Stage::Open, pending: None }
    }

    /// Takes the next message or control frame from the front of `input`, unmasking in place.
    /// Call it until it returns `None`: then all of `input` is used up, whatever it cut off is
    /// kept here, and the buffer behind it is free for another connection.
    ///
    /// After a Close everything is discarded.
    ///
    /// Errors: the peer broke the protocol. All items before that were handed out already, what
    /// was kept is freed, and every later call returns the same error.
    pub fn decode<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<Item<'a>>, WsError> {
        self.decode_with(input, None)
    }

    /// [`decode`](Decoder::decode) for a connection that has agreed on [`Deflate`](crate::Deflate):
    /// messages may come compressed. `inflater` may be lent to another connection between calls.
    ///
    /// Errors: also a compressed message that is none. One that inflates to more than the limit is
    /// refused as soon as that shows.
    pub fn decode_deflated<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        inflater: &mut Inflater,
    ) -> Result<Option<Item<'a>>, WsError> {
        self.decode_with(input, Some(inflater))
    }

    fn decode_with<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        inflater: Option<&mut Inflater>,
    ) -> Result<Option<Item<'a>>, WsError> {
        let outcome = match self.stage {
            Stage::Open => self.next_item(input, inflater),
            Stage::Closed => Ok(None),
            Stage::Failed(error) => Err(error),
        };
        match outcome {
            Ok(Some(Item::Close { .. })) => self.stage = Stage::Closed,
            Err(error) => self.stage = Stage::Failed(error),
            Ok(_) => {}
        }
        if !matches!(self.stage, Stage::Open) {
            *input = &mut [];
            self.pending = None;
        } else if self.pending.as_ref().is_some_and(|pending| pending.is_empty()) {
            self.pending = None;
        }
        outcome
    }

    /// Whether no frame is cut and no message unfinished. A connection that ends in this state
    /// lost nothing.
    pub fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Bytes of heap held for this connection; none when idle.
    pub fn held_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.held_bytes())
    }

    fn next_item<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        mut inflater: Option<&mut Inflater>,
    ) -> Result<Option<Item<'a>>, WsError> {
        let may_deflate = inflater.is_some();
        loop {
            let Some(mut frame) = self.current_frame(input, may_deflate)? else { return Ok(None) };
            if input.is_empty() && !frame.is_complete() {
                self.pending().frame = Some(frame);
                return Ok(None);
            }
            let bytes = frame.take(input);
            let item = if frame.kind.is_control() {
                self.take_control(&frame, bytes)?
            } else {
                self.take_data(&frame, bytes, inflater.as_deref_mut())?
            };
            if item.is_some() {
                return Ok(item);
            }
            if !frame.is_complete() {
                self.pending().frame = Some(frame);
            }
        }
    }

    /// The frame whose payload comes next in the input.
    fn current_frame(
        &mut self,
        input: &mut &mut [u8],
        may_deflate: bool,
    ) -> Result<Option<Frame>, WsError> {
        if let Some(frame) = self.pending.as_mut().and_then(|pending| pending.frame.take()) {
            return Ok(Some(frame));
        }
        match self.next_header(input)? {
            Some(fields) => self.admit(&fields, may_deflate).map(Some),
            None => Ok(None),
        }
    }

    /// Takes a header from what was kept of it and from the input, or keeps what is there.
    fn next_header(&mut self, input: &mut &mut [u8]) -> Result<Option<HeaderFields>, WsError> {
        let mut header =
            self.pending.as_mut().map(|pending| mem::take(&mut pending.header)).unwrap_or_default();
        let kept = header.as_slice().len();
        header.push(input);
        let Some((fields, len)) = HeaderFields::parse(header.as_slice(), self.role)? else {
            *input = &mut [];
            if !header.as_slice().is_empty() {
                self.pending().header = header;
            }
            return Ok(None);
        };
        // What was kept was too short for a header, so `len` is larger.
        *input = &mut mem::take(input)[len - kept..];
        Ok(Some(fields))
    }

    /// Checks a header against what came before it: extensions, the rules of fragments (section
    /// 5.4), the size of the message.
    fn admit(&self, fields: &HeaderFields, may_deflate: bool) -> Result<Frame, WsError> {
        if fields.rsv1 && !may_deflate {
            return Err(WsError::CompressionNotAgreed);
        }
        let message = self.pending.as_ref().and_then(|pending| pending.message.as_ref());
        let kind = match (fields.opcode, message) {
            (Opcode::Close, _) => Kind::Close,
            (Opcode::Ping, _) => Kind::Ping,
            (Opcode::Pong, _) => Kind::Pong,
            (Opcode::Text, None) => Kind::Text,
            (Opcode::Binary, None) => Kind::Binary,
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(WsError::MessageUnfinished),
            (Opcode::Continuation, Some(message)) => message.kind(),
            (Opcode::Continuation, None) => return Err(WsError::NothingToContinue),
        };
        let is_first = matches!(fields.opcode, Opcode::Text | Opcode::Binary);
        if fields.rsv1 && !is_first {
            return Err(WsError::CompressionMisplaced);
        }
        let is_deflated =
            if is_first { fields.rsv1 } else { message.is_some_and(Message::is_deflated) };
        let room = if kind.is_control() {
            CONTROL_BYTES_MAX
        } else {
            // No larger message was admitted.
            self.bytes_max(is_deflated) - message.map_or(0, Message::len)
        };
        match usize::try_from(fields.payload_len) {
            Ok(len) if len <= room => {
                let HeaderFields { fin, mask, .. } = *fields;
                Ok(Frame { kind, fin, is_deflated, mask, len, taken: 0 })
            }
            _ => Err(WsError::MessageTooBig { max: self.limits.message_bytes_max }),
        }
    }

    /// Most bytes that a message may come in.
    fn bytes_max(&self, is_deflated: bool) -> usize {
        let max = self.limits.message_bytes_max;
        if is_deflated { Inflater::deflated_bytes_max(max) } else { max }
    }

    fn take_control<'a>(
        &mut self,
        frame: &Frame,
        bytes: &'a [u8],
    ) -> Result<Option<Item<'a>>, WsError> {
        if bytes.len() == frame.len {
            return frame.kind.item(bytes).map(Some);
        }
        let control = &mut self.pending().control;
        control.reserve_exact(frame.len - control.len());
        control.extend_from_slice(bytes);
        if !frame.is_complete() {
            return Ok(None);
        }
        let control = mem::take(control);
        Ok(Some(frame.kind.item(&control)?.into_owned()))
    }

    fn take_data<'a>(
        &mut self,
        frame: &Frame,
        bytes: &'a [u8],
        inflater: Option<&mut Inflater>,
    ) -> Result<Option<Item<'a>>, WsError> {
        let message_bytes_max = self.limits.message_bytes_max;
        let unfinished = self.pending.as_ref().is_some_and(|pending| pending.message.is_some());
        if frame.fin && !unfinished && bytes.len() == frame.len {
            // The common case, with nothing to keep: the whole message lies in the input.
            return match frame.is_deflated {
                true => inflate(frame.kind, bytes, inflater, message_bytes_max).map(Some),
                false => frame.kind.item(bytes).map(Some),
            };
        }
        let bytes_max = self.bytes_max(frame.is_deflated);
        let slot = &mut self.pending().message;
        let message = slot.get_or_insert_with(|| Message::new(frame.kind, frame.is_deflated));
        let growth_max = if frame.fin {
            frame.len - frame.taken + bytes.len()
        } else {
            bytes_max - message.len()
        };
        message.push(bytes, growth_max)?;
        if frame.fin && frame.is_complete() {
            let whole = slot.take().map(|message| message.finish(inflater, message_bytes_max));
            return whole.transpose();
        }
        Ok(None)
    }

    fn pending(&mut self) -> &mut Pending {
        self.pending.get_or_insert_default()
    }
}

impl Frame {
    fn is_complete(&self) -> bool {
        self.taken == self.len
    }

    /// Takes from the input what belongs to this frame, unmasked.
    fn take<'a>(&mut self, input: &mut &'a mut [u8]) -> &'a [u8] {
        let count = input.len().min(self.len - self.taken);
        let (bytes, rest) = mem::take(input).split_at_mut(count);
        *input = rest;
        if let Some(key) = self.mask {
            mask::apply(bytes, key, self.taken);
        }
        self.taken += count;
        bytes
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.header.as_slice().is_empty() && self.frame.is_none() && self.message.is_none()
    }

    fn held_bytes(&self) -> usize {
        size_of::<Pending>()
            + self.control.capacity()
            + self.message.as_ref().map_or(0, Message::capacity)
    }
}
