//! The body of a request, as whoever reads bodies takes it. Must never hold what it was not asked
//! for: a client may send on only when what it sent before was taken.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use hyper::body::{Body, Frame, SizeHint};

/// A request's body on its way.
pub(super) struct Incoming {
    stream: RecvStream,
    /// What the client says that it will send.
    length: Option<u64>,
}

impl Incoming {
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap) -> Incoming {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        Incoming { stream, length: length.and_then(|text| text.parse().ok()) }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        // Trailers say nothing to anybody here, so they are left where they are.
        let Some(data) = ready!(self.stream.poll_data(cx)) else { return Poll::Ready(None) };
        let data = data?;
        self.stream.flow_control().release_capacity(data.len())?;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::default();
        hint.set_lower(self.length.unwrap_or_default());
        hint
    }
}
