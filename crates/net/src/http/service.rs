//! One request of HTTP/1.1, from the parser's hands to an answer or to a takeover.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use tidings_protocol::{Problem, Request, Response};

use super::answer::{Dress, Takeover, TakeoverKind};
use super::login::{Asker, Peer};
use super::origin;
use super::run::{self, Outcome};
use super::tracked::Watch;
use crate::local::Local;

/// Marks the time between a request and its answer, also when the answer is never waited for.
struct Answering(Rc<Watch>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Answers one request.
pub(crate) async fn handle(
    local: Rc<Local>,
    watch: Rc<Watch>,
    takeover: Rc<RefCell<Option<Box<Takeover>>>>,
    peer: Option<Rc<Peer>>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    watch.begin(!request.body().is_end_stream());
    let _answering = Answering(watch);
    let (parts, body) = request.into_parts();
    let (headers, version) = (parts.headers, parts.version);
    if let Err(problem) = check_host(version, &headers) {
        return Ok(closing(problem.to_response()));
    }
    let (dress, may_act) = match origin::check(&headers, &local.options.allowed_origins) {
        Ok(origin) => {
            let may_act = origin.may_act(&headers);
            (Dress::new(origin, &headers), may_act)
        }
        Err(problem) => return Ok(closing(problem.to_response())),
    };
    let body = match run::read_body(&local, body).await {
        Ok(body) => body,
        Err(problem) => return Ok(closing(dress.put_on(problem.to_response()))),
    };
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let mut request = Request::new(parts.method, path, query, headers, body);
    request.nonce = rand::random();
    let asker = Asker { peer: peer.as_deref(), may_act };
    let response = match run::answer(&local, version, &mut request, asker).await {
        Ok(Outcome::Response(response)) => response,
        Ok(Outcome::Ongoing(guest, answer, accepted)) => {
            let http11 = version == Version::HTTP_11;
            let keep_alive = http11 && !says_close(&request.headers);
            let kind = match accepted {
                Some(accepted) => TakeoverKind::Socket(accepted),
                None => TakeoverKind::Exchange { http11, keep_alive },
            };
            *takeover.borrow_mut() = Some(Box::new(Takeover { guest, answer, kind, dress }));
            return pending().await;
        }
        Err(problem) => problem.to_response(),
    };
    Ok(to_hyper(dress.put_on(response)))
}

/// A request names exactly one host (RFC 9112 section 3.2); before HTTP/1.1 it need not.
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    match (headers.get_all("host").iter().count(), version) {
        (1, _) | (0, Version::HTTP_10) => Ok(()),
        _ => Err(Problem::bad(
            "bad_request",
            "the request has not exactly one Host header",
            "see RFC 9112 section 3.2",
        )),
    }
}

fn says_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all("connection").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|token| token.trim().eq_ignore_ascii_case("close"))
}

/// An answer after which the connection cannot go on, because the request was not read whole.
fn closing(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut response = to_hyper(response);
    response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
    response
}

fn to_hyper(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut out = hyper::Response::new(Full::new(response.body));
    *out.status_mut() = response.status;
    *out.headers_mut() = response.headers;
    out
}
