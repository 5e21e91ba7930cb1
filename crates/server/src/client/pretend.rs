//! A pretend server for tests: it answers each connection as it was told, and keeps what it was
//! asked. Must never guess: a connection nobody planned for is refused.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::url::ServerUrl;

/// What is done with one connection: each answer is for one request on it; then it is closed.
pub(crate) type Script = Vec<Vec<u8>>;

/// A listening pretend server.
pub(crate) struct Pretend {
    /// Where it is.
    pub url: ServerUrl,
    /// Heads and bodies of all requests, in order.
    pub requests: Arc<Mutex<Vec<Request>>>,
}

/// What one request said.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Its line and header fields, as sent.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Method and target.
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap().trim_end_matches(" HTTP/1.1")
    }
}

impl Pretend {
    /// Serves each script to one connection, in order, and closes each; then the port is closed.
    pub(crate) async fn start(scripts: Vec<Script>) -> Pretend {
        Pretend::serve(scripts, false).await
    }

    /// The same, but every connection is held open after its last answer.
    pub(crate) async fn holding(scripts: Vec<Script>) -> Pretend {
        Pretend::serve(scripts, true).await
    }

    async fn serve(scripts: Vec<Script>, hold: bool) -> Pretend {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut held = Vec::new();
            for script in scripts {
                let (mut socket, _) = listener.accept().await.unwrap();
                for answer in script {
                    let Some(request) = read_request(&mut socket).await else { break };
                    let key = request.header("sec-websocket-key").map(str::to_owned);
                    kept.lock().unwrap().push(request);
                    let answer = match key {
                        Some(key) => accept(&answer, &key),
                        None => answer,
                    };
                    socket.write_all(&answer).await.unwrap();
                }
                if hold {
                    held.push(socket);
                }
            }
            if hold {
                std::future::pending::<()>().await;
            }
        });
        Pretend { url, requests }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Fills in the one thing of a WebSocket handshake that no script can know.
fn accept(answer: &[u8], key: &str) -> Vec<u8> {
    let accept = tidings_websocket_codec::accept_key(key);
    let at = answer.windows(6).position(|window| window == b"ACCEPT").unwrap();
    [&answer[..at], accept.as_bytes(), &answer[at + 6..]].concat()
}

async fn read_request(socket: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut request = Request { head, body: bytes[end + 4..].to_vec() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    while request.body.len() < length {
        if socket.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(request)
}

/// A whole answer with a length.
pub(crate) fn whole(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// An answer that ends with its connection.
pub(crate) fn until_close(content_type: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n{body}").into_bytes()
}
