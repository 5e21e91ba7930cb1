//! What the operator decides about connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidings_protocol::{Request, Response, Transport};

use crate::tls::Tls;

/// Answers what is no transport's: pages, health. Must answer at once.
pub type Site = Arc<dyn Fn(&Request) -> Option<Response> + Send + Sync>;

/// A port, and what is spoken there.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where to listen.
    pub address: SocketAddr,
    /// What its connections carry.
    pub carries: Carries,
    /// What they begin with, if they are encrypted.
    pub tls: Option<Arc<Tls>>,
}

/// What the connections of a port carry.
#[derive(Clone, Copy, Debug)]
pub enum Carries {
    /// HTTP, and whatever is reached by it.
    Http,
    /// Raw streams of bytes, each with a machine of this transport.
    Stream(&'static Transport),
}

/// How connections are accepted and kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; at least one.
    pub listeners: Vec<Listener>,
    /// Serving threads.
    pub threads: usize,
    /// Most connections at once; each stream of HTTP/2 counts as one.
    pub connections_max: usize,
    /// Most streams at once on one connection of HTTP/2.
    pub streams_max: usize,
    /// Most bytes of a request's head.
    pub head_bytes_max: usize,
    /// Most bytes of a request's body.
    pub body_bytes_max: usize,
    /// Most bytes of a WebSocket message.
    pub message_bytes_max: usize,
    /// How long a request's head may take from its first byte.
    pub head_wait: Duration,
    /// How long a request's body may take.
    pub body_wait: Duration,
    /// How long a connection may idle between requests.
    pub keep_alive: Duration,
    /// A peer that was silent for so long is pinged, over WebSocket and HTTP/2.
    pub heartbeat: Duration,
    /// How long a pinged peer may take to show that it is there.
    pub pong_wait: Duration,
    /// How long a peer may take nothing of what is sent to it.
    pub write_stall: Duration,
    /// How long connections may take to end at shutdown.
    pub drain: Duration,
    /// Origins of web pages that may use this server, besides its own; `*` is all.
    pub allowed_origins: Vec<String>,
}
