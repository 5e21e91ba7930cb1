//! One HTTP/1.1 connection to the server, kept alive between requests, and what its errors say.
//! Must never wait without an end.

use std::error::Error;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, HOST, USER_AGENT};
use ::http::{HeaderValue, Request, Response, StatusCode};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::{HttpError, Refused};
use super::io::{Io, Socket};
use super::login::Login;
use super::tls::{self, TlsError, Trust};
use super::url::ServerUrl;

/// How long connecting may take: name, TCP handshake, a far network's lost packets.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// Largest body of an error answer that is looked at.
const ERROR_BYTES_MAX: usize = 64 * 1024;

const AGENT: &str = concat!("tidings/", env!("CARGO_PKG_VERSION"));

/// Where a server is, whom to believe that it is that one, and who asks it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where it is.
    pub url: ServerUrl,
    /// Whose certificates to believe; `None`: those that the system does.
    pub trust: Option<Trust>,
    /// Who asks; `None`: nobody.
    pub login: Option<Login>,
}

/// A client of one server. Requests go one after the other over one connection.
pub(crate) struct Http {
    server: Server,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Http {
    /// A client that is not connected yet.
    pub(crate) fn new(server: Server) -> Http {
        Http { server, sender: None }
    }

    /// Sends `request` and waits for the head of its answer, at most `wait`.
    ///
    /// A kept connection that turns out to be closed is replaced once, so `request` may reach the
    /// server twice: it must be one that does no harm then.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Bytes>,
        wait: Duration,
    ) -> Result<Response<Incoming>, HttpError> {
        let host = HeaderValue::from_str(&self.server.url.authority)
            .map_err(|error| HttpError::Lost(error.to_string()))?;
        request.headers_mut().insert(HOST, host);
        if let Some(login) = &self.server.login {
            request.headers_mut().insert(AUTHORIZATION, login.authorization());
        }
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(mut sender) = self.sender.take().filter(|sender| !sender.is_closed()) {
            match self.answer(&mut sender, request.clone(), wait).await {
                Ok(response) => {
                    self.sender = Some(sender);
                    return Ok(response);
                }
                Err(HttpError::Lost(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let mut sender = self.connect().await?;
        let response = self.answer(&mut sender, request, wait).await?;
        self.sender = Some(sender);
        Ok(response)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let Server { url, trust, .. } = &self.server;
        let unreachable = |why: String| HttpError::Unreachable(url.clone(), why);
        let socket = timeout(CONNECT_WAIT, dial(url, trust.as_ref()))
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", CONNECT_WAIT.as_secs())))?
            .map_err(|error| match error {
                TlsError::Untrusted(why) => HttpError::Untrusted(url.clone(), why),
                TlsError::Broken(why) => unreachable(why),
            })?;
        let (sender, connection) = http1::Builder::new()
            .handshake(Io::new(socket))
            .await
            .map_err(|error| unreachable(root(&error)))?;
        // Its errors reach the sender, too.
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    async fn answer(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        request: Request<Bytes>,
        wait: Duration,
    ) -> Result<Response<Incoming>, HttpError> {
        // A server says only now that it wants a certificate (RFC 8446 section 4.4.2.4).
        let lost = |error: hyper::Error| match tls::untrusted(&error) {
            Some(why) => HttpError::Untrusted(self.server.url.clone(), why),
            None => HttpError::Lost(root(&error)),
        };
        let exchange = async {
            sender.ready().await.map_err(lost)?;
            sender.send_request(request.map(Full::new)).await.map_err(lost)
        };
        timeout(wait, exchange).await.map_err(|_| HttpError::Silent(wait))?
    }
}

/// Connects, and shakes hands where the URL says so.
async fn dial(url: &ServerUrl, trust: Option<&Trust>) -> Result<Socket, TlsError> {
    let socket = TcpStream::connect((url.host.as_str(), url.port)).await;
    let socket = socket.map_err(|error| TlsError::Broken(error.to_string()))?;
    // Small requests must not wait for the answer to the last one; without it, just slower.
    let _ = socket.set_nodelay(true);
    match url.tls {
        false => Ok(Box::pin(socket)),
        true => Ok(Box::pin(tls::connect(trust, &url.host, socket).await?)),
    }
}

/// The next piece of a body; `None` at its end.
pub(crate) async fn chunk(body: &mut Incoming, wait: Duration) -> Result<Option<Bytes>, HttpError> {
    loop {
        let frame = timeout(wait, body.frame()).await.map_err(|_| HttpError::Silent(wait))?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(HttpError::Lost(root(&error))),
            Some(Ok(frame)) => {
                // Trailers say nothing here.
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// A whole short body, cut at [`ERROR_BYTES_MAX`].
pub(crate) async fn short_body(
    response: Response<Incoming>,
    wait: Duration,
) -> Result<(StatusCode, Bytes), HttpError> {
    let status = response.status();
    let (mut body, mut bytes) = (response.into_body(), BytesMut::new());
    while let Some(chunk) = chunk(&mut body, wait).await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ERROR_BYTES_MAX {
            bytes.truncate(ERROR_BYTES_MAX);
            break;
        }
    }
    Ok((status, bytes.freeze()))
}

/// What an answer that is no success says; never fails, whatever the body holds.
pub(crate) fn refused(status: StatusCode, body: &[u8]) -> Refused {
    #[derive(Deserialize)]
    struct Body {
        message: String,
        hint: Option<String>,
    }
    let mut refused = match serde_json::from_slice::<Body>(body) {
        Ok(Body { message, hint }) => {
            let hint = hint.filter(|hint| !hint.is_empty()).map(|hint| one_line(&hint));
            Refused { status, message: one_line(&message), hint }
        }
        Err(_) => Refused {
            status,
            message: format!("the server answered {status}"),
            hint: Some("not an answer of Tidings; is the URL right?".to_owned()),
        },
    };
    // The server's advice is for who writes requests.
    if status == StatusCode::UNAUTHORIZED {
        refused.hint = Some("see --user and --token".to_owned());
    }
    refused
}

/// Text from the other side for a line of ours.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The innermost cause: outer ones only say that something went wrong.
pub(crate) fn root(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refusal_says() {
        for (body, text) in [
            (
                r#"{"error":"bad_topic","message":"the topic is empty","hint":"name one"}"#,
                "the topic is empty (name one)",
            ),
            (r#"{"error":"e","message":"two\nlines"}"#, "two lines"),
            (r#"{"error":"e","message":"m","hint":""}"#, "m"),
            (
                "<html>",
                "the server answered 502 Bad Gateway \
                 (not an answer of Tidings; is the URL right?)",
            ),
        ] {
            assert_eq!(refused(StatusCode::BAD_GATEWAY, body.as_bytes()).to_string(), text);
        }
        let body = br#"{"message":"credentials are needed","hint":"send Authorization"}"#;
        let refused = refused(StatusCode::UNAUTHORIZED, body);
        assert_eq!(refused.to_string(), "credentials are needed (see --user and --token)");
        assert!(!refused.may_pass());
    }
}
