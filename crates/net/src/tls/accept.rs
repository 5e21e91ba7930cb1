//! The handshake of a new connection, as a task of its own. Must never take longer than a request's
//! head may.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::StatusCode;
use rustls::ServerConfig;
use tidings_protocol::Problem;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Tls;
use super::session::Session;
use super::stream::{Borrowed, poll_shake_hands};
use crate::connection::{Connection, Parts};
use crate::http::{head, linger};
use crate::listen;
use crate::local::Local;
use crate::options::Carries;
use crate::seat::Seat;

/// Serves a new connection that has to begin with a handshake.
pub(crate) async fn accept(local: Rc<Local>, parts: Parts, carries: Carries, tls: Arc<Tls>) {
    match begin(&local, parts, carries, &tls).await {
        // Goes on in a task of its own, or in none, which does not hold what the handshake needed.
        Ok(parts) => listen::begin(&local, parts, carries),
        Err(error) => tracing::debug!(%error, "connection ended"),
    }
}

/// The connection after its handshake.
///
/// # Errors
/// There was none, and the peer was told.
async fn begin(local: &Rc<Local>, parts: Parts, carries: Carries, tls: &Tls) -> io::Result<Parts> {
    let mut connection = Connection::from_parts(parts)?;
    let (stats, mut first) = (local.shared.stats(), None);
    let config = tls.config(carries);
    match shake_hands(local, connection.socket(), config, &mut first).await {
        Ok(session) => {
            stats.handshake(session.is_resumed());
            let connection = connection.secured(session);
            if let Some(certificate) = connection.certificate() {
                tracing::debug!(subject = certificate.subject, "TLS client");
            }
            connection.into_parts()
        }
        Err(error) => {
            stats.handshake_failed();
            let peer = connection.socket().peer_addr().ok();
            tracing::debug!(?peer, %error, "no TLS handshake");
            if is_http(first) {
                let answer = head::whole(&no_tls().to_response(), head::Connection::Close);
                // Whoever does not take it has its reason in that the connection ends.
                let _ = connection.write_all(&answer).await;
            }
            // So that the peer reads why.
            linger(&mut connection).await;
            Err(error)
        }
    }
}

/// Ready when both sides have what they need; `first` is the peer's first byte.
async fn shake_hands(
    local: &Rc<Local>,
    stream: &TcpStream,
    config: Arc<ServerConfig>,
    first: &mut Option<u8>,
) -> io::Result<Box<Session>> {
    let mut session = Box::new(Session::new(config).map_err(io::Error::other)?);
    let seat = Seat::take(local);
    let until = local.clock.now() + local.options.head_wait;
    seat.set_deadline(Some(until));
    poll_fn(|cx| {
        let _ = seat.news(cx.waker());
        if local.shared.is_closing() {
            return Poll::Ready(Err(io::Error::other("the server ends")));
        }
        if local.clock.now() >= until {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let mut socket = Opening { stream: Borrowed(stream), first };
        poll_shake_hands(&mut session, stream, &mut socket, cx)
    })
    .await?;
    Ok(session)
}

/// A socket of which the first byte is noted.
struct Opening<'a> {
    stream: Borrowed<'a>,
    first: &'a mut Option<u8>,
}

impl Read for Opening<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        if self.first.is_none() && count > 0 {
            *self.first = Some(buffer[0]);
        }
        Ok(count)
    }
}

impl Write for Opening<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The library's own words are for who understands them.
        if is_http(*self.first) { Ok(bytes.len()) } else { self.stream.write(bytes) }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match is_http(*self.first) {
            true => Ok(slices.iter().map(|slice| slice.len()).sum()),
            false => self.stream.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a peer speaks HTTP without TLS: methods are capital letters, and no record of TLS
/// begins with one (RFC 8446 section 5.1).
fn is_http(first: Option<u8>) -> bool {
    first.is_some_and(|byte| byte.is_ascii_uppercase())
}

fn no_tls() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "tls_needed",
        "this port speaks TLS",
        "write https:// or wss:// instead of http:// or ws://",
    )
}
