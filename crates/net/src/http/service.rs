//! One request, from the parser's hands to an answer or to a takeover.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tidings_host::{Carrier, Client, Route};
use tidings_protocol::{Problem, Request, Response, Transport};

use super::answer::{Answer, Dress, Takeover, TakeoverKind};
use super::tracked::Watch;
use super::{origin, upgrade};
use crate::drive::Guest;
use crate::local::Local;
use crate::seat::Seat;

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
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    watch.begin(!request.body().is_end_stream());
    let _answering = Answering(watch);
    let (parts, body) = request.into_parts();
    let (headers, version) = (parts.headers, parts.version);
    if let Err(problem) = check_host(version, &headers) {
        return Ok(closing(problem.to_response()));
    }
    let dress = match origin::check(&headers, &local.options.allowed_origins) {
        Ok(origin) => Dress::new(origin, &headers),
        Err(problem) => return Ok(closing(problem.to_response())),
    };
    let body = match read_body(&local, body).await {
        Ok(body) => body,
        Err(problem) => return Ok(closing(dress.put_on(problem.to_response()))),
    };
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let mut request = Request::new(parts.method, path, query, headers, body);
    request.nonce = rand::random();
    let response = match answer(&local, version, &request).await {
        Ok(Outcome::Response(response)) => response,
        Ok(Outcome::Takeover(guest, answer, kind)) => {
            *takeover.borrow_mut() = Some(Box::new(Takeover { guest, answer, kind, dress }));
            return pending().await;
        }
        Err(problem) => problem.to_response(),
    };
    Ok(to_hyper(dress.put_on(response)))
}

enum Outcome {
    Response(Response),
    Takeover(Guest, Answer, TakeoverKind),
}

async fn answer(
    local: &Rc<Local>,
    version: Version,
    request: &Request,
) -> Result<Outcome, Problem> {
    match local.registry.route(request)? {
        Route::Options(methods) => {
            Ok(Outcome::Response(origin::options(&request.headers, methods)))
        }
        Route::NotAllowed(methods) => Ok(Outcome::Response(Problem::method_not_allowed(methods))),
        Route::Elsewhere => elsewhere(local, request).map(Outcome::Response),
        Route::Exchange(transport) => {
            let http11 = version == Version::HTTP_11;
            let keep_alive = http11 && !says_close(&request.headers);
            let kind = TakeoverKind::Exchange { http11, keep_alive };
            run(local, transport, request, kind).await
        }
        Route::Socket(transport, subprotocol) => {
            let accepted = upgrade::check(&request.method, version, &request.headers, subprotocol)
                .inspect_err(|problem| tracing::debug!(problem.message, "upgrade refused"))?;
            run(local, transport, request, TakeoverKind::Socket(accepted)).await
        }
    }
}

/// Runs a machine until it has answered, or until the answer has to be waited for.
async fn run(
    local: &Rc<Local>,
    transport: &'static Transport,
    request: &Request,
    kind: TakeoverKind,
) -> Result<Outcome, Problem> {
    let mut answer = Answer::default();
    let seat = Seat::take(local);
    let client = Client::new(seat.owner(), local.registry.open(transport));
    let mut guest = Guest { client, seat, local: Rc::clone(local) };
    let mut more = local.house(|house| {
        guest.client.open(request, house, &mut answer);
        !answer.is_full()
    });
    loop {
        if let Some(response) = answer.response.take() {
            return Ok(Outcome::Response(response));
        }
        if guest.client.is_waiting() && answer.said.is_empty() {
            outcomes(local, &mut guest, &mut answer).await;
            continue;
        }
        // A short answer from a long history is read in several turns.
        if answer.said.is_empty() && more {
            more = local.house(|house| guest.client.deliver(house, &mut answer));
            if more {
                tokio::task::yield_now().await;
            }
            continue;
        }
        return Ok(Outcome::Takeover(guest, answer, kind));
    }
}

/// Waits for what the answer depends on to end, and tells the machine.
async fn outcomes(local: &Rc<Local>, guest: &mut Guest, answer: &mut Answer) {
    let outcomes = poll_fn(|cx| {
        let news = guest.seat.news(cx.waker());
        if news.outcomes.is_empty() { Poll::Pending } else { Poll::Ready(news.outcomes) }
    })
    .await;
    for outcome in outcomes {
        local.house(|house| guest.client.ended(outcome, house, answer));
    }
}

/// The whole body, within its limits.
async fn read_body(local: &Local, body: Incoming) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let most = local.options.body_bytes_max;
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body is larger than {most} bytes"),
            "send less, or have the operator raise limits.batch_bytes",
        )
    };
    // Said before the client sends what would be refused anyway.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let collected = Limited::new(body, most).collect();
    match tokio::time::timeout(local.options.body_wait, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::bad(
            "bad_request",
            format!("the body could not be read: {error}"),
            "see RFC 9112 section 6",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            "the body did not arrive in time",
            "send it in smaller parts",
        )),
    }
}

fn elsewhere(local: &Local, request: &Request) -> Result<Response, Problem> {
    (local.site)(request).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is nothing here",
            "topics are at /t/TOPIC, the page is at /",
        )
    })
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
