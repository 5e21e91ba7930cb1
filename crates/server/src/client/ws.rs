//! A topic over WebSocket (RFC 6455), client side: handshake, frames to items, answers to pings.
//! Must never publish: what a client sends on this socket would be.

use std::time::Duration;

use ::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tidings_websocket_codec::{
    CloseCode, Decoder, Item as Frame, Limits, Opcode, Role, accept_key, close_payload,
    write_masked_frame,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::error::{ClientError, HttpError};
use super::http::{Http, refused, root, short_body};
use super::io::{Io, Socket};
use super::item::{Decode, DecodeError, EVENT_BYTES_MAX, Event, Item};

/// The close code for a session that is another connection's now, or no more (the guide on HTTP).
const SESSION_ENDED: u16 = 4409;

/// Most bytes taken from the socket in one read.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Takes events out of frames, and makes the frames that answer.
pub(crate) struct WsDecoder {
    frames: Decoder,
    /// Where what came is unmasked; empty between calls.
    scratch: Vec<u8>,
    /// What has to be sent back.
    replies: Vec<u8>,
    /// Why the server closes, when it said so, and whether it is for good.
    closed: Option<(String, bool)>,
}

impl WsDecoder {
    /// A decoder for a connection that just began.
    pub(crate) fn new() -> WsDecoder {
        let limits = Limits { message_bytes_max: EVENT_BYTES_MAX };
        WsDecoder {
            frames: Decoder::new(Role::Client, limits),
            scratch: Vec::new(),
            replies: Vec::new(),
            closed: None,
        }
    }
}

impl Decode for WsDecoder {
    fn feed(
        &mut self,
        bytes: &[u8],
        take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.scratch.clear();
        self.scratch.extend_from_slice(bytes);
        let mut input = &mut self.scratch[..];
        while let Some(frame) = self.frames.decode(&mut input)? {
            match frame {
                Frame::Text(json) => take(Item::Event(&Event::parse(&json)?))?,
                Frame::Ping(payload) => {
                    write_masked_frame(&mut self.replies, Opcode::Pong, &payload, rand::random());
                }
                Frame::Close { code, reason } => {
                    let answer = close_payload(code.unwrap_or(CloseCode::NORMAL), "");
                    write_masked_frame(&mut self.replies, Opcode::Close, &answer, rand::random());
                    let for_good = code.is_some_and(|code| code.get() == SESSION_ENDED);
                    let code = code.map_or_else(|| "no code".to_owned(), |code| code.to_string());
                    self.closed =
                        Some((format!("{code} {reason}").trim_end().to_owned(), for_good));
                }
                // Payloads as they are come only when asked for; pongs are asked for by no one.
                Frame::Binary(_) | Frame::Pong(_) => {}
            }
        }
        Ok(())
    }
}

/// An open WebSocket.
pub(crate) struct WsStream {
    socket: Socket,
    decoder: WsDecoder,
    buffer: Box<[u8]>,
    /// What came right behind the handshake.
    early: Bytes,
}

impl WsStream {
    /// Asks for `target` and becomes its WebSocket.
    pub(crate) async fn open(
        http: &mut Http,
        target: &str,
        wait: Duration,
    ) -> Result<WsStream, ClientError> {
        let key = STANDARD.encode(rand::random::<[u8; 16]>());
        let request = Request::get(target)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key)
            .body(Bytes::new())
            .map_err(|error| ClientError::NotTidings(error.to_string()))?;
        let response = http.send(request, wait).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (status, body) = short_body(response, wait).await?;
            return Err(ClientError::Refused(refused(status, &body)));
        }
        let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(|value| value.as_bytes());
        if accept != Some(accept_key(&key).as_bytes()) {
            return Err(ClientError::NotTidings("its Sec-WebSocket-Accept is wrong".to_owned()));
        }
        let lost = |error: hyper::Error| HttpError::Lost(root(&error));
        let upgraded = timeout(wait, hyper::upgrade::on(response))
            .await
            .map_err(|_| HttpError::Silent(wait))?
            .map_err(lost)?;
        let parts = upgraded
            .downcast::<Io>()
            .map_err(|_| HttpError::Lost("the connection is not ours".to_owned()))?;
        Ok(WsStream {
            socket: parts.io.socket,
            decoder: WsDecoder::new(),
            buffer: vec![0; READ_BYTES_MAX].into_boxed_slice(),
            early: parts.read_buf,
        })
    }

    /// Reads once and gives what is complete to `take`. False at the end of the connection.
    pub(crate) async fn next(
        &mut self,
        silence: Duration,
        take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<bool, ClientError> {
        let lost = |error: std::io::Error| HttpError::Lost(error.to_string());
        let early = std::mem::take(&mut self.early);
        if early.is_empty() {
            let read = timeout(silence, self.socket.read(&mut self.buffer)).await;
            match read.map_err(|_| HttpError::Silent(silence))?.map_err(lost)? {
                0 => return Ok(false),
                count => self.decoder.feed(&self.buffer[..count], take)?,
            }
        } else {
            self.decoder.feed(&early, take)?;
        }
        let replies = std::mem::take(&mut self.decoder.replies);
        if !replies.is_empty() {
            let write = timeout(silence, self.socket.write_all(&replies)).await;
            write.map_err(|_| HttpError::Silent(silence))?.map_err(lost)?;
        }
        match self.decoder.closed.take() {
            Some((why, false)) => Err(ClientError::Closed(why)),
            Some((why, true)) => Err(ClientError::ClosedForGood(why)),
            None => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidings_websocket_codec::frame_header;

    use super::super::item::tests::{check_cuts, items};
    use super::*;

    fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        [frame_header(opcode, payload.len(), None).as_slice(), payload].concat()
    }

    fn event(position: &str, data: &str) -> Vec<u8> {
        let json = format!(
            "{{\"topic\":\"t\",\"position\":\"{position}\",\"type\":\"message\",\
             \"contentType\":\"text/plain\",\"data\":\"{data}\"}}"
        );
        frame(Opcode::Text, json.as_bytes())
    }

    #[test]
    fn frames_however_they_are_cut() {
        let bytes = [
            event("A", "hi"),
            frame(Opcode::Ping, b"are you there"),
            event("B", &"x".repeat(200)),
            frame(Opcode::Binary, b"?"),
            event("C", "ä"),
        ]
        .concat();
        let long = format!("message B {}", "x".repeat(200));
        check_cuts(WsDecoder::new, &bytes, &["message A hi", &long, "message C ä"]);
    }

    #[test]
    fn pings_and_closes_are_answered() {
        let mut decoder = WsDecoder::new();
        let close = close_payload(CloseCode::SERVICE_RESTART, "restart");
        let bytes = [frame(Opcode::Ping, b"1"), frame(Opcode::Close, &close)].concat();
        decoder.feed(&bytes, &mut |_| unreachable!()).unwrap();
        assert_eq!(decoder.closed, Some(("1012 restart".to_owned(), false)));
        let mut server = Decoder::new(Role::Server, Limits::default());
        let mut replies = &mut decoder.replies[..];
        assert_eq!(server.decode(&mut replies), Ok(Some(Frame::Pong(b"1"[..].into()))));
        let close = Frame::Close { code: Some(CloseCode::SERVICE_RESTART), reason: "".into() };
        assert_eq!(server.decode(&mut replies), Ok(Some(close)));
    }

    #[test]
    fn broken_frames() {
        let error = items(WsDecoder::new(), [&[0xff_u8, 0][..]].into_iter()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server broke the WebSocket protocol: a reserved bit (RSV2 or RSV3) is set"
        );
    }
}
