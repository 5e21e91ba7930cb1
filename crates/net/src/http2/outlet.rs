//! The way out of one stream: a machine's words become a head and DATA frames (RFC 9113 section 8.1).
//!
//! Must never hand more to the library than the peer's window has room for: what it takes it keeps,
//! and the log is the queue of whoever is slow.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};
use tidings_host::Carrier;
use tidings_model::Time;
use tidings_protocol::{CloseReason, Response};

use crate::http::Dress;

/// Most bytes of a DATA frame, which is what every peer takes (RFC 9113 section 4.2).
const FRAME_BYTES_MAX: usize = 16 * 1024;

/// The stream is gone: the peer has reset it, or its connection has ended.
pub(crate) struct Gone;

/// What is said on one stream, and how far it has come.
pub(crate) struct Outlet {
    phase: Phase,
    dress: Option<Dress>,
    /// Whether only the headers are wanted (`HEAD`).
    is_head: bool,
    /// What waits for the window to open.
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// Whether nothing will be added.
    ended: bool,
    /// Whether the library was given anything that nobody has asked about yet.
    handed: bool,
    /// How long a peer may take nothing.
    patience: Duration,
    /// While the window is shut: when the peer is given up.
    stalled: Option<Time>,
    /// When the machine wants to be woken.
    pub(crate) wake_at: Option<Time>,
}

enum Phase {
    /// Nothing has been answered yet.
    Waiting(SendResponse<Bytes>),
    /// The head is out.
    Streaming(SendStream<Bytes>),
    /// All is out.
    Done,
    /// The stream did not take its head.
    Failed,
}

impl Outlet {
    /// A stream whose request was read. A peer that takes nothing is given up after `patience`.
    pub(super) fn new(respond: SendResponse<Bytes>, is_head: bool, patience: Duration) -> Outlet {
        Outlet {
            phase: Phase::Waiting(respond),
            dress: None,
            is_head,
            pieces: VecDeque::new(),
            bytes: 0,
            ended: false,
            handed: false,
            patience,
            stalled: None,
            wake_at: None,
        }
    }

    /// What the answer owes to the one who asked.
    pub(super) fn dress(&mut self, dress: Dress) {
        self.dress = Some(dress);
    }

    /// When a peer that takes nothing is given up, while it takes nothing.
    pub(crate) fn stalled(&self) -> Option<Time> {
        self.stalled
    }

    /// Whether all is said and out.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Whether the library was given anything since the last time this was asked.
    pub(crate) fn was_handed(&mut self) -> bool {
        std::mem::take(&mut self.handed)
    }

    /// Whether the peer has reset the stream or is gone.
    pub(crate) fn is_gone(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.phase {
            Phase::Waiting(respond) => respond.poll_reset(cx).is_ready(),
            Phase::Streaming(stream) => stream.poll_reset(cx).is_ready(),
            Phase::Done => false,
            Phase::Failed => true,
        }
    }

    /// Ends the stream without an end: the peer takes nothing of it.
    pub(crate) fn cut(&mut self) {
        if let Phase::Streaming(stream) = &mut self.phase {
            stream.send_reset(Reason::CANCEL);
        }
        self.phase = Phase::Failed;
    }

    /// Hands on what the window has room for. Ready when nothing waits.
    ///
    /// # Errors
    /// The stream is gone.
    pub(crate) fn poll_write(&mut self, now: Time, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        while self.bytes > 0 {
            let wanted = self.bytes.min(FRAME_BYTES_MAX);
            let room = ready!(self.poll_room(wanted, now, cx))?;
            let data = self.take(wanted.min(room));
            let is_last = self.ended && self.bytes == 0;
            self.send(data, is_last)?;
        }
        if self.ended {
            // Ends a stream whose end was not known when its last bytes went; needs no window.
            self.send(Bytes::new(), true)?;
        }
        Poll::Ready(Ok(()))
    }

    /// How much the window has room for, up to `wanted`. Nothing is asked for that is not there
    /// to be sent: the connection's window is shared by all of its streams.
    fn poll_room(
        &mut self,
        wanted: usize,
        now: Time,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, Gone>> {
        let Phase::Streaming(stream) = &mut self.phase else { return Poll::Ready(Err(Gone)) };
        stream.reserve_capacity(wanted);
        let mut room = stream.capacity();
        while room == 0 {
            match stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(opened))) => room = opened,
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(Gone)),
                Poll::Pending => {
                    self.stalled.get_or_insert(now + self.patience);
                    return Poll::Pending;
                }
            }
        }
        self.stalled = None;
        Poll::Ready(Ok(room))
    }

    fn send(&mut self, data: Bytes, is_last: bool) -> Result<(), Gone> {
        let Phase::Streaming(stream) = &mut self.phase else { return Ok(()) };
        stream.send_data(data, is_last).map_err(|_| Gone)?;
        self.handed = true;
        if is_last {
            self.phase = Phase::Done;
        }
        Ok(())
    }

    /// Takes `count` of the bytes that wait. Many small pieces become one frame; one that fills a
    /// frame is not copied.
    fn take(&mut self, count: usize) -> Bytes {
        self.bytes -= count;
        let mut gathered = BytesMut::new();
        while let Some(first) = self.pieces.front_mut() {
            let piece = first.split_to(first.len().min(count - gathered.len()));
            if first.is_empty() {
                self.pieces.pop_front();
            }
            if piece.len() == count {
                self.release();
                return piece;
            }
            gathered.reserve(count - gathered.len());
            gathered.extend_from_slice(&piece);
            if gathered.len() == count {
                break;
            }
        }
        self.release();
        gathered.freeze()
    }

    /// A stream for which nothing waits holds no memory for it.
    fn release(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }

    fn send_head(&mut self, head: http::Response<()>, is_last: bool) {
        let Phase::Waiting(respond) = &mut self.phase else { return };
        self.phase = match respond.send_response(head, is_last) {
            Ok(_) if is_last => Phase::Done,
            Ok(stream) => Phase::Streaming(stream),
            Err(error) => {
                tracing::debug!(%error, "stream takes no answer");
                Phase::Failed
            }
        };
    }
}

impl Carrier for Outlet {
    fn respond(&mut self, response: Response) {
        let response = match &self.dress {
            Some(dress) => dress.put_on(response),
            None => response,
        };
        let Response { status, headers, body } = response;
        let mut head = head(status, headers);
        // RFC 9110 section 8.6: no length where there cannot be content, nor where it is not known
        // what a GET would give.
        let is_unknown = self.is_head && body.is_empty();
        if status != StatusCode::NOT_MODIFIED && status != StatusCode::NO_CONTENT && !is_unknown {
            head.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
        }
        self.ended = true;
        self.send_head(head, self.is_head || body.is_empty());
        self.send_piece(body);
    }

    fn begin(&mut self, response: Response) {
        let response = match &self.dress {
            Some(dress) => dress.put_on_head(response),
            None => response,
        };
        self.send_head(head(response.status, response.headers), false);
    }

    fn send(&mut self, bytes: Bytes) {
        self.send_piece(bytes);
    }

    fn text(&mut self, _: Bytes, _: Bytes) {
        debug_assert!(false, "a WebSocket machine on an exchange");
    }

    fn binary(&mut self, _: Bytes) {
        debug_assert!(false, "a WebSocket machine on an exchange");
    }

    fn wake_at(&mut self, time: Time) {
        self.wake_at = Some(time);
    }

    fn wakes_at(&self) -> Option<Time> {
        self.wake_at
    }

    fn close(&mut self, _: CloseReason) {
        self.ended = true;
    }

    fn is_full(&self) -> bool {
        self.bytes > 0
    }
}

impl Outlet {
    fn send_piece(&mut self, bytes: Bytes) {
        if matches!(self.phase, Phase::Streaming(_)) && !self.is_head && !bytes.is_empty() {
            self.bytes += bytes.len();
            self.pieces.push_back(bytes);
        }
    }
}

/// A head, without what is a connection's of HTTP/1.1 (RFC 9113 section 8.2.2).
fn head(status: StatusCode, mut headers: HeaderMap) -> http::Response<()> {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE] {
        headers.remove(name);
    }
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
        headers.insert(header::DATE, date);
    }
    let mut head = http::Response::new(());
    *head.status_mut() = status;
    *head.headers_mut() = headers;
    head
}
