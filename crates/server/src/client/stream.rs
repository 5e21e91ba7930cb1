//! An open answer of the server, whatever way it is read. Must never decide what happens after
//! its end.

use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use ::http::{Request, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;
use tidings_protocol::content::{self, JSON, NDJSON};

use super::error::ClientError;
use super::http::{Http, chunk, refused, short_body};
use super::item::{Decode, DecodeError, Item};
use super::ndjson::NdjsonDecoder;
use super::poll::PollDecoder;
use super::sse::SseDecoder;
use super::ws::WsStream;

/// How to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Via {
    /// Server-Sent Events.
    Sse,
    /// WebSocket.
    Ws,
    /// Requests that are held until there is something.
    Longpoll,
    /// A request every now and then.
    Poll,
    /// A line of JSON for each event.
    Ndjson,
}

impl Via {
    /// The name, as the query parameter `via` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Via::Sse => "sse",
            Via::Ws => "ws",
            Via::Longpoll => "longpoll",
            Via::Poll => "poll",
            Via::Ndjson => "ndjson",
        }
    }

    /// Whether an answer ends in good order, and the next request goes on from there.
    pub(crate) fn ends(self) -> bool {
        matches!(self, Via::Longpoll | Via::Poll)
    }
}

/// An answer that is being read.
pub(crate) struct Stream(Source);

enum Source {
    Http(Incoming, Box<dyn Decode>),
    Ws(Box<WsStream>),
}

impl Stream {
    /// Asks for `target`, which names the way itself, and waits for the answer to begin.
    pub(crate) async fn open(
        http: &mut Http,
        target: &str,
        via: Via,
        wait: Duration,
    ) -> Result<Stream, ClientError> {
        let (decoder, expected): (Box<dyn Decode>, &str) = match via {
            Via::Ws => {
                let stream = WsStream::open(http, target, wait).await?;
                return Ok(Stream(Source::Ws(Box::new(stream))));
            }
            Via::Sse => (Box::new(SseDecoder::default()), "text/event-stream"),
            Via::Ndjson => (Box::new(NdjsonDecoder::default()), NDJSON),
            Via::Poll | Via::Longpoll => (Box::new(PollDecoder::default()), JSON),
        };
        let request = Request::get(target)
            .body(Bytes::new())
            .map_err(|error| ClientError::NotTidings(error.to_string()))?;
        let response = http.send(request, wait).await?;
        if response.status() != StatusCode::OK {
            let (status, body) = short_body(response, wait).await?;
            return Err(ClientError::Refused(refused(status, &body)));
        }
        let given = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let given = given.map_or_else(|| "nothing".into(), content::essence);
        if given != expected {
            let why = format!("it answers with {}, not {expected}", given.escape_debug());
            return Err(ClientError::NotTidings(why));
        }
        Ok(Stream(Source::Http(response.into_body(), decoder)))
    }

    /// Waits for more, at most `silence`, and gives what is complete to `take`. False at the end.
    pub(crate) async fn next(
        &mut self,
        silence: Duration,
        take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<bool, ClientError> {
        match &mut self.0 {
            Source::Ws(stream) => stream.next(silence, take).await,
            Source::Http(body, decoder) => match chunk(body, silence).await? {
                Some(bytes) => {
                    decoder.feed(&bytes, take)?;
                    Ok(true)
                }
                None => {
                    decoder.finish(take)?;
                    Ok(false)
                }
            },
        }
    }
}
