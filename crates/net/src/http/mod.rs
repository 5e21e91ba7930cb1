//! HTTP/1.1: a library parses, and every answer that is held or streamed takes the socket over.
//!
//! A parser's connection costs its buffers for as long as it lives; a socket that was taken over
//! costs a small future. Must never take a socket over while bytes of an earlier answer are unsent.

mod answer;
mod gzip;
pub(crate) mod head;
pub(crate) mod login;
pub(crate) mod origin;
pub(crate) mod plain;
pub(crate) mod run;
mod service;
mod tracked;
mod upgrade;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tidings_model::Time;
use tidings_protocol::Problem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connection::Connection;
use crate::drive::{exchange, frames};
use crate::http2;
use crate::http2::preface::Opening;
use crate::local::Local;
use crate::seat::Seat;
use login::Peer;
use tracked::{Tracked, Watch};

pub(crate) use answer::{Answer, Dress, Said, Takeover, TakeoverKind};
pub(crate) use upgrade::Accepted;

/// How long a client that is refused may go on sending before it is cut: closing at once would
/// let the answer be lost (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);

/// Most bytes read from a client that was refused.
const LINGER_BYTES: usize = 1 << 20;

/// Serves a new connection, whichever version of HTTP it speaks.
pub(crate) async fn accept(local: Rc<Local>, stream: Connection) {
    begin(local, stream, Bytes::new(), Opening::Unknown).await;
}

/// Serves a connection from a request that follows a held answer.
pub(crate) async fn serve(local: Rc<Local>, stream: Connection, unread: Bytes) {
    // A parser that refuses what it is given does not wait until it can say so.
    let _ = stream.writable().await;
    begin(local, stream, unread, Opening::Other).await;
}

async fn begin(local: Rc<Local>, stream: Connection, unread: Bytes, opening: Opening) {
    if let Some((stream, unread, takeover)) = parse(&local, stream, unread, opening).await {
        let held = match takeover.kind {
            TakeoverKind::Exchange { .. } => exchange::hold(&local, stream, &unread, *takeover),
            TakeoverKind::Socket(_) => frames::hold(&local, stream, &unread, *takeover),
        };
        if let Err(error) = held {
            tracing::warn!(%error, "cannot go on with a connection");
        }
    }
}

/// Lets the parser have the connection until it ends or is taken over.
async fn parse(
    local: &Rc<Local>,
    stream: Connection,
    unread: Bytes,
    opening: Opening,
) -> Option<(Connection, Bytes, Box<Takeover>)> {
    let seat = Seat::take(local);
    let watch = Rc::new(Watch::new(opening));
    let takeover: Rc<RefCell<Option<Box<Takeover>>>> = Rc::default();
    let peer = Peer::of(local, &stream);
    let service = {
        let (local, watch) = (Rc::clone(local), Rc::clone(&watch));
        let takeover = Rc::clone(&takeover);
        service_fn(move |request| {
            Box::pin(service::handle(
                Rc::clone(&local),
                Rc::clone(&watch),
                Rc::clone(&takeover),
                peer.clone(),
                request,
            ))
        })
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(local.options.head_bytes_max.max(8192)).keep_alive(true).half_close(true);
    let io = TokioIo::new(Tracked::new(stream, unread, Rc::clone(&watch)));
    let mut connection = Box::new(builder.serve_connection(io, service));
    let mut patience = Patience::default();
    let mut closing = false;
    let end = poll_fn(|cx| {
        if local.shared.is_closing() && !closing {
            closing = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(match result {
                Ok(()) => End::Closed,
                Err(error) => {
                    tracing::debug!(%error, "connection ended in error");
                    End::Closed
                }
            });
        }
        if watch.opening() == Opening::Http2 {
            return Poll::Ready(End::Http2);
        }
        // The parser has flushed all it could; if the socket was not full, nothing is unsent.
        if takeover.borrow().is_some() && !watch.is_blocked() {
            return Poll::Ready(End::Takeover);
        }
        patience.poll(local, &seat, &watch, cx)
    })
    .await;
    let parts = connection.into_parts();
    let Tracked { mut stream, unread, .. } = parts.io.into_inner();
    match end {
        End::Takeover => {
            let takeover = takeover.borrow_mut().take()?;
            let unread = [parts.read_buf, unread].concat().into();
            Some((stream, unread, takeover))
        }
        End::Http2 => {
            local.spawn(http2::serve(Rc::clone(local), stream, unread));
            None
        }
        End::Closed => {
            linger(&mut stream).await;
            None
        }
        End::TooSlow => {
            let problem = Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "the request's head did not arrive in time",
                "send the whole head at once",
            );
            let answer = head::whole(&problem.to_response(), head::Connection::Close);
            let _ = stream.write_all(&answer).await;
            linger(&mut stream).await;
            None
        }
    }
}

enum End {
    Closed,
    Http2,
    Takeover,
    TooSlow,
}

/// Lets the client read what it was sent before the socket closes.
pub(crate) async fn linger(stream: &mut Connection) {
    let drain = async {
        stream.shutdown().await?;
        let mut left = LINGER_BYTES;
        let mut buffer = [0; 1024];
        while left > 0 {
            match stream.read(&mut buffer).await? {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
        Ok::<(), std::io::Error>(())
    };
    let _ = tokio::time::timeout(LINGER, drain).await;
}

/// How long a client may be silent, or slow with a request's head.
#[derive(Default)]
struct Patience {
    until: Option<(Waiting, Time)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For a request to begin.
    Idle,
    /// For a head that has begun to end.
    Head,
}

impl Patience {
    fn poll(
        &mut self,
        local: &Local,
        seat: &Seat,
        watch: &Watch,
        cx: &mut Context<'_>,
    ) -> Poll<End> {
        if watch.is_answering() {
            // The service has the seat now.
            self.until = None;
            return Poll::Pending;
        }
        let _ = seat.news(cx.waker());
        let waiting = if watch.has_heard() { Waiting::Head } else { Waiting::Idle };
        let now = local.clock.now();
        match self.until {
            Some((before, until)) if before == waiting => {
                if now < until {
                    return Poll::Pending;
                }
                return Poll::Ready(match waiting {
                    Waiting::Idle => End::Closed,
                    Waiting::Head => End::TooSlow,
                });
            }
            _ => {}
        }
        let options = &local.options;
        let span = if waiting == Waiting::Head { options.head_wait } else { options.keep_alive };
        self.until = Some((waiting, now + span));
        seat.set_deadline(Some(now + span));
        Poll::Pending
    }
}

/// What the parser means by the statuses it answers with by itself.
fn parser_problem(status: u16) -> Option<Problem> {
    let (error, message, hint) = match status {
        400 => ("bad_request", "this is not an HTTP/1.1 request", "see RFC 9112 section 3"),
        414 => ("too_large", "the request's target is too long", "name fewer topics"),
        431 => ("too_large", "the request's head is too large", "send fewer or shorter headers"),
        505 => ("bad_request", "this version of HTTP is not spoken here", "use HTTP/1.1"),
        _ => return None,
    };
    Some(Problem::new(StatusCode::from_u16(status).ok()?, error, message, hint))
}
