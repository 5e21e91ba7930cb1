//! One request, from its head to a whole answer or to a machine that goes on, whatever version of
//! HTTP carries it. Must never write anything.

use std::error::Error;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::{StatusCode, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use tidings_host::{Carrier, Client, Route};
use tidings_protocol::{Problem, Request, Response, Transport};

use super::answer::Answer;
use super::login::{self, Asker};
use super::upgrade::Accepted;
use super::{origin, upgrade};
use crate::drive::Guest;
use crate::local::Local;
use crate::seat::Seat;

/// What becomes of a request.
#[expect(clippy::large_enum_variant, reason = "it is handed on once, and never kept")]
pub(crate) enum Outcome {
    /// It is answered.
    Response(Response),
    /// Its answer is held or streamed, or it becomes a WebSocket.
    Ongoing(Guest, Answer, Option<Accepted>),
}

/// Finds out what becomes of a request.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn answer(
    local: &Rc<Local>,
    version: Version,
    request: &mut Request,
    asker: Asker<'_>,
) -> Result<Outcome, Problem> {
    let route = local.registry.route(request)?;
    // What is there for everybody needs nobody's name.
    if let Route::Exchange(_) | Route::Socket(..) = route
        && let Err(response) = login::identify(local, request, &route, asker).await
    {
        return Ok(Outcome::Response(response));
    }
    match route {
        Route::Options(methods) => {
            Ok(Outcome::Response(origin::options(&request.headers, methods)))
        }
        Route::NotAllowed(methods) => Ok(Outcome::Response(Problem::method_not_allowed(methods))),
        Route::Elsewhere => elsewhere(local, request).map(Outcome::Response),
        Route::Exchange(transport) => run(local, transport, request, None).await,
        Route::Socket(transport, subprotocol) => {
            let accepted = upgrade::check(&request.method, version, &request.headers, subprotocol)
                .inspect_err(|problem| tracing::debug!(problem.message, "upgrade refused"))?;
            run(local, transport, request, Some(accepted)).await
        }
    }
}

/// Runs a machine until it has answered, or until the answer has to be waited for.
async fn run(
    local: &Rc<Local>,
    transport: &'static Transport,
    request: &Request,
    accepted: Option<Accepted>,
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
        return Ok(Outcome::Ongoing(guest, answer, accepted));
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
///
/// # Errors
/// It is too large, too slow, or breaks off.
pub(crate) async fn read_body<B>(local: &Local, body: B) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
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
