//! HTTP/2 by a client that others wrote, which reads at once or only when it is told to.
//! Must never open a window that a test wants shut.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::http::Response;
use crate::server::Server;
use crate::stream::{Sse, Stream};
use crate::{PATIENCE, until};

/// A connection.
pub struct Http2 {
    runtime: Arc<Runtime>,
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A request whose answer is still to come.
pub struct Asked {
    runtime: Arc<Runtime>,
    response: ResponseFuture,
}

/// The body of an answer.
pub struct Flow {
    runtime: Arc<Runtime>,
    body: RecvStream,
    /// Bytes for which the window was not opened again.
    owed: usize,
    shut: bool,
}

impl Http2 {
    /// Connects, by prior knowledge.
    #[track_caller]
    pub fn connect(server: &Server) -> Http2 {
        Http2::with(server, &Builder::new())
    }

    /// Connects as a client that is set so.
    #[track_caller]
    pub fn with(server: &Server, builder: &Builder) -> Http2 {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap_or_else(|error| panic!("no runtime: {error}"));
        let runtime = Arc::new(runtime);
        let (sender, connection) = wait(&runtime, "the connection", async {
            let stream = dial(server).await;
            let stream = stream.unwrap_or_else(|error| panic!("cannot connect: {error}"));
            let handshake = builder.handshake(stream).await;
            handshake.unwrap_or_else(|error| panic!("no HTTP/2: {error}"))
        });
        let connection = runtime.spawn(connection);
        Http2 { runtime, sender, connection }
    }

    /// Sends a request. Waits while the server allows no further stream.
    #[track_caller]
    pub fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Asked {
        let uri = format!("http://tidings.test{target}");
        let mut request = http::Request::builder().method(method).uri(uri);
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(()).unwrap_or_else(|error| panic!("no request: {error}"));
        let sender = self.sender.clone();
        let mut sender = wait(&self.runtime, "the server takes a request", sender.ready())
            .unwrap_or_else(|error| panic!("no further request: {error}"));
        let (response, mut stream) = sender
            .send_request(request, body.is_empty())
            .unwrap_or_else(|error| panic!("cannot ask: {error}"));
        if !body.is_empty() {
            let body = Bytes::copy_from_slice(body);
            stream.send_data(body, true).unwrap_or_else(|error| panic!("cannot send: {error}"));
        }
        Asked { runtime: Arc::clone(&self.runtime), response }
    }

    /// Waits until the server takes no further request on this connection.
    #[track_caller]
    pub fn await_goodbye(&self) {
        until("the server takes no further request", || {
            let ready = wait(&self.runtime, "a request may be sent", self.sender.clone().ready());
            ready.is_err().then_some(())
        });
    }

    /// A request and its whole answer.
    #[track_caller]
    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.send(method, target, headers, body).response()
    }

    /// One GET without further headers.
    #[track_caller]
    pub fn get(&mut self, target: &str) -> Response {
        self.ask("GET", target, &[], b"")
    }

    /// Asks for a stream and reads its head, which must be 200.
    #[track_caller]
    pub fn open(&mut self, target: &str, headers: &[(&str, &str)]) -> Stream {
        self.send("GET", target, headers, b"").stream()
    }

    /// Asks for an event stream and reads up to its `ready`, which it gives too.
    #[track_caller]
    pub fn sse(&mut self, target: &str) -> (Stream, Sse) {
        let mut stream = self.open(target, &[("accept", "text/event-stream")]);
        let ready = stream.next_sse();
        assert_eq!(ready.event.as_deref(), Some("ready"), "{ready:?}");
        (stream, ready)
    }

    /// Waits until the connection has ended, and says how.
    ///
    /// # Errors
    /// Not in good order.
    #[track_caller]
    pub fn wait_for_end(self) -> Result<(), h2::Error> {
        let Http2 { runtime, sender, mut connection } = self;
        // A client that still holds on to it could ask again, so it would not end by itself.
        drop(sender);
        let ended = wait(&runtime, "the connection ends", &mut connection);
        ended.unwrap_or_else(|error| panic!("the client failed: {error}"))
    }
}

/// A connection of either kind.
trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Carrier for S {}

/// Connects as the server is talked to.
async fn dial(server: &Server) -> std::io::Result<Box<dyn Carrier>> {
    let (address, client) = server.way();
    let stream = TcpStream::connect(address).await?;
    let Some(client) = client else { return Ok(Box::new(stream)) };
    let mut client = ClientConfig::clone(client);
    client.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(client));
    let stream = connector.connect(ServerName::from(address.ip()), stream).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    Ok(Box::new(stream))
}

impl Asked {
    /// The answer's head, and its body to come.
    #[track_caller]
    pub fn head(self) -> (Response, Flow) {
        let Asked { runtime, response } = self;
        let response = wait(&runtime, "the answer begins", response);
        let response = response.unwrap_or_else(|error| panic!("no answer: {error}"));
        let (parts, body) = response.into_parts();
        let text = |value: &http::HeaderValue| {
            String::from_utf8(value.as_bytes().to_vec()).unwrap_or_else(|error| panic!("{error}"))
        };
        let headers = parts.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        let head = Response { status: parts.status.as_u16(), headers, body: Vec::new() };
        (head, Flow { runtime, body, owed: 0, shut: false })
    }

    /// The whole answer.
    #[track_caller]
    pub fn response(self) -> Response {
        let (mut response, mut flow) = self.head();
        while let Some(more) = flow.more() {
            response.body.extend(more);
        }
        response
    }

    /// The answer as a stream; it must be 200.
    #[track_caller]
    pub fn stream(self) -> Stream {
        let (head, flow) = self.head();
        assert_eq!(head.status, 200, "{head:?}");
        Stream::over(flow, head)
    }

    /// Waits until the stream is reset instead of being answered, and says why.
    #[track_caller]
    pub fn refusal(self) -> Option<Reason> {
        let Asked { runtime, response } = self;
        match wait(&runtime, "the stream is reset", response) {
            Err(error) => error.reason(),
            Ok(response) => panic!("answered: {response:?}"),
        }
    }
}

impl Flow {
    /// Opens the window no further.
    pub fn shut(&mut self) {
        self.shut = true;
    }

    /// Opens the window for what came while it was shut, and from now on.
    pub fn open(&mut self) {
        self.shut = false;
        self.release();
    }

    /// What comes next, or nothing at the end.
    #[track_caller]
    pub fn more(&mut self) -> Option<Vec<u8>> {
        self.try_more().unwrap_or_else(|reason| panic!("the stream was reset: {reason:?}"))
    }

    /// What comes next, or nothing at the end.
    ///
    /// # Errors
    /// Why the stream was reset, if it was.
    #[track_caller]
    pub fn try_more(&mut self) -> Result<Option<Vec<u8>>, Option<Reason>> {
        match wait(&self.runtime, "more comes", self.body.data()) {
            None => Ok(None),
            Some(Err(error)) => Err(error.reason()),
            Some(Ok(data)) => {
                self.owed += data.len();
                if !self.shut {
                    self.release();
                }
                Ok(Some(data.to_vec()))
            }
        }
    }

    fn release(&mut self) {
        let owed = std::mem::take(&mut self.owed);
        // Fails on a stream that has ended, and then nobody waits for it.
        let _ = self.body.flow_control().release_capacity(owed);
    }
}

#[track_caller]
fn wait<T>(runtime: &Runtime, what: &str, future: impl Future<Output = T>) -> T {
    let done = runtime.block_on(async { timeout(PATIENCE, future).await });
    done.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

impl Debug for Http2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2").finish_non_exhaustive()
    }
}
