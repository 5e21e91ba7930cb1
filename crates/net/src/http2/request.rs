//! One request, from its head to its answer, or to the driver of a stream that goes on.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use tidings_host::Carrier;
use tidings_protocol::{Problem, Request};

use super::body::Incoming;
use super::outlet::Outlet;
use super::streams::Open;
use crate::drive::stream;
use crate::http::login::{Asker, Peer};
use crate::http::run::{self, Outcome};
use crate::http::{Dress, origin};
use crate::listen;
use crate::local::Local;
use crate::seat::Seat;

/// Answers one request.
pub(super) async fn answer(
    local: Rc<Local>,
    open: Open,
    peer: Option<Rc<Peer>>,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let (parts, body) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let mut outlet = Outlet::new(respond, is_head, local.options.write_stall);
    let response = match outcome(&local, &mut outlet, peer.as_deref(), parts, body).await {
        Ok(Outcome::Response(response)) => response,
        Ok(Outcome::Ongoing(guest, answer, _)) => {
            return stream::spawn(guest, answer, outlet, open);
        }
        Err(problem) => problem.to_response(),
    };
    outlet.respond(response);
    write(&local, outlet).await;
}

/// Finds out what becomes of a request.
async fn outcome(
    local: &Rc<Local>,
    outlet: &mut Outlet,
    peer: Option<&Peer>,
    parts: Parts,
    body: RecvStream,
) -> Result<Outcome, Problem> {
    let most = local.options.connections_max;
    if local.shared.stats().load() > most {
        local.shared.stats().refuse_one();
        return Err(listen::too_many(most));
    }
    let Parts { method, uri, mut headers, .. } = parts;
    set_host(&uri, &mut headers)?;
    let origin = origin::check(&headers, &local.options.allowed_origins)?;
    let may_act = origin.may_act(&headers);
    outlet.dress(Dress::new(origin, &headers));
    let body = run::read_body(local, Incoming::new(body, &headers)).await?;
    let mut request = Request::new(method, uri.path(), uri.query(), headers, body);
    request.nonce = rand::random();
    run::answer(local, Version::HTTP_2, &mut request, Asker { peer, may_act }).await
}

/// Names the host where HTTP/1.1 does, so that nobody else need know of `:authority`.
fn set_host(uri: &Uri, headers: &mut HeaderMap) -> Result<(), Problem> {
    let bad = |message| Problem::bad("bad_request", message, "see RFC 9113 section 8.3.1");
    let authority = uri.authority().map(|authority| authority.as_str());
    let mut hosts = headers.get_all(HOST).iter();
    match (authority, hosts.next(), hosts.next()) {
        (None, None, _) => Err(bad("the request names no host")),
        (_, _, Some(_)) => Err(bad("the request has more than one Host header")),
        (Some(name), Some(host), None)
            if !host.as_bytes().eq_ignore_ascii_case(name.as_bytes()) =>
        {
            Err(bad("the Host header is not what :authority says"))
        }
        (Some(name), None, None) => {
            let host = HeaderValue::from_str(name).map_err(|_| bad("the host is not text"))?;
            headers.insert(HOST, host);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Writes an answer that is whole.
async fn write(local: &Rc<Local>, mut outlet: Outlet) {
    let seat = Seat::take(local);
    poll_fn(|cx| {
        let now = local.clock.now();
        let _ = seat.news(cx.waker());
        if outlet.stalled().is_some_and(|until| until <= now) {
            outlet.cut();
            return Poll::Ready(());
        }
        if outlet.is_gone(cx) || outlet.poll_write(now, cx).is_ready() {
            return Poll::Ready(());
        }
        seat.set_deadline(outlet.stalled());
        Poll::Pending
    })
    .await;
}
