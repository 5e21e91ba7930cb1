//! HTTP/2 (RFC 9113) on connections that begin with its preface: a library reads and writes frames
//! and keeps the windows, and every stream is a client of its own.
//!
//! Must never hold what a stream has to say: that is the log's (see `drive/stream.rs`).

mod body;
mod outlet;
pub(crate) mod preface;
mod request;
mod socket;
mod streams;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::{self, Builder};
use h2::{Ping, PingPong};
use tidings_model::Time;

use crate::connection::Connection;
use crate::http::linger;
use crate::http::login::Peer;
use crate::local::Local;
use crate::options::Options;
use crate::seat::Seat;
use socket::{Shared, Socket};
use streams::Streams;

pub(crate) use outlet::Outlet;
pub(crate) use streams::Open;

/// Most bytes the library holds of one stream that the socket has not taken: the window bounds
/// them too, but that is the peer's to choose.
const SEND_BYTES_MAX: usize = 64 * 1024;

/// Bytes of request bodies that may be on their way on one connection, all streams together;
/// those of one stream are a quarter, which is the protocol's default. Bounds what is held for
/// requests that nobody reads yet.
const WINDOW_BYTES: u32 = 256 * 1024;

/// How long a connection may take to end in good order that has no streams left.
const LINGER: std::time::Duration = crate::drive::LINGER;

/// Serves a connection that has begun with the preface, which is among `unread`.
pub(crate) async fn serve(local: Rc<Local>, stream: Connection, unread: Bytes) {
    let peer = Peer::of(&local, &stream);
    let socket = Socket::new(stream, unread, local.clock, local.options.write_stall);
    let shared = socket.shared();
    let handshake = builder(&local.options).handshake(socket);
    let end = match tokio::time::timeout(local.options.head_wait, handshake).await {
        Ok(Ok(connection)) => Serving::new(&local, connection, Rc::clone(&shared), peer).await,
        Ok(Err(error)) => {
            tracing::debug!(%error, "connection ended before it began");
            End::Cut
        }
        Err(_) => End::Cut,
    };
    // A peer that still sends would lose the last words it was sent if the socket closed at once.
    if let (End::Closed, Ok(shared)) = (end, Rc::try_unwrap(shared).map_err(drop)) {
        linger(&mut shared.into_stream()).await;
    }
}

/// What the peer is told of our limits. Floods of streams that are reset, of empty frames and of
/// tiny ones are bounded by the library (`max_pending_accept_reset_streams`,
/// `max_local_error_reset_streams`, `data_frame_budget`), whose defaults are meant for servers.
fn builder(options: &Options) -> Builder {
    let clamp = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(clamp(options.streams_max))
        .max_header_list_size(clamp(options.head_bytes_max))
        .max_send_buffer_size(SEND_BYTES_MAX)
        .initial_connection_window_size(WINDOW_BYTES);
    builder
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// In good order, or with an error of the peer's that it was told.
    Closed,
    /// The peer is gone or takes nothing.
    Cut,
}

/// What has to be done when its time has come.
#[derive(Clone, Copy)]
enum Due {
    /// Ask the peer whether it is there.
    Ping,
    /// Tell it to open no more streams.
    GoAway,
    /// End the connection.
    Cut,
}

/// One connection being served.
struct Serving {
    local: Rc<Local>,
    seat: Seat,
    connection: server::Connection<Socket, Bytes>,
    socket: Rc<Shared>,
    streams: Rc<Streams>,
    /// What is known of the peer, where anybody may want to know.
    peer: Option<Rc<Peer>>,
    ping_pong: Option<PingPong>,
    /// When the ping was sent that is not answered yet.
    pinged: Option<Time>,
    /// Since when there has been no stream.
    idle: Option<Time>,
    /// When the peer was told to open no more streams.
    going_away: Option<Time>,
}

impl Serving {
    fn new(
        local: &Rc<Local>,
        mut connection: server::Connection<Socket, Bytes>,
        socket: Rc<Shared>,
        peer: Option<Rc<Peer>>,
    ) -> Serving {
        Serving {
            local: Rc::clone(local),
            seat: Seat::take(local),
            ping_pong: connection.ping_pong(),
            connection,
            socket,
            streams: Rc::default(),
            peer,
            pinged: None,
            idle: None,
            going_away: None,
        }
    }

    /// Lets the library work, and begins what it has read.
    fn poll_streams(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Streams that the peer has reset are no longer the library's, but may still have work to
        // end here; while there are so many, no more are begun.
        while self.streams.open() < self.local.options.streams_max {
            let Poll::Ready(next) = self.connection.poll_accept(cx) else { return Poll::Pending };
            let (request, respond) = match next {
                Some(Ok(next)) => next,
                Some(Err(error)) => {
                    tracing::debug!(%error, "connection ended in error");
                    return Poll::Ready(());
                }
                None => return Poll::Ready(()),
            };
            let open = Open::new(&self.streams, self.local.shared.stats());
            let local = Rc::clone(&self.local);
            self.local.spawn(request::answer(local, open, self.peer.clone(), request, respond));
        }
        self.connection.poll_closed(cx).map(drop)
    }

    /// Sees to it that the peer is there, and that it has something to be there for.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let now = self.local.clock.now();
        if let Some(ping_pong) = &mut self.ping_pong
            && self.pinged.is_some()
            && ping_pong.poll_pong(cx).is_ready()
        {
            self.pinged = None;
        }
        loop {
            let next = self.next(now);
            match next {
                Some((time, due)) if time <= now => match due {
                    Due::Ping => self.ping(now),
                    Due::GoAway => self.go_away(now, cx),
                    Due::Cut => return Poll::Ready(End::Cut),
                },
                _ => {
                    self.seat.set_deadline(next.map(|(time, _)| time));
                    return Poll::Pending;
                }
            }
        }
    }

    /// What has to be done next if nothing happens before.
    fn next(&mut self, now: Time) -> Option<(Time, Due)> {
        let options = &self.local.options;
        let is_idle = self.streams.open() == 0;
        let heard = self.socket.heard();
        let silence = match self.pinged {
            // Whatever it sends shows that it is there, and may lie before its answer.
            Some(at) => Some((at.max(heard) + options.pong_wait, Due::Cut)),
            None if is_idle => None,
            None => Some((heard + options.heartbeat, Due::Ping)),
        };
        if is_idle {
            self.idle.get_or_insert(now);
        } else {
            self.idle = None;
        }
        let idle = self.idle.map(|since| match self.going_away {
            Some(at) => (at.max(since) + LINGER, Due::Cut),
            None => (since + options.keep_alive, Due::GoAway),
        });
        let stalled = self.socket.stalled().map(|until| (until, Due::Cut));
        [silence, idle, stalled].into_iter().flatten().min_by_key(|&(time, _)| time)
    }

    fn ping(&mut self, now: Time) {
        self.pinged = Some(now);
        if let Some(ping_pong) = &mut self.ping_pong {
            // Fails only on a connection that is ending.
            let _ = ping_pong.send_ping(Ping::opaque());
        }
    }

    fn go_away(&mut self, now: Time, cx: &mut Context<'_>) {
        if self.going_away.is_none() {
            self.going_away = Some(now);
            self.connection.graceful_shutdown();
            // It is the library's next turn that writes it.
            cx.waker().wake_by_ref();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.streams.over();
    }
}

impl Future for Serving {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = self.get_mut();
        let _ = this.seat.news(cx.waker());
        this.streams.watch(cx.waker());
        // The streams that are open end by their machines, which are told at the same time.
        if this.local.shared.is_closing() {
            this.go_away(this.local.clock.now(), cx);
        }
        if this.poll_streams(cx).is_ready() {
            return Poll::Ready(End::Closed);
        }
        // The library has written all that it had, unless the socket was full.
        if this.socket.stalled().is_none() {
            this.streams.flushed();
        }
        this.poll_time(cx)
    }
}
