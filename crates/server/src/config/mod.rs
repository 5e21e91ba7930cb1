//! Configuration: what the operator may choose, read once at the start.
//!
//! Every key is in one table ([`keys::KEYS`]) and may be given four ways; a later one wins:
//!
//! 1. its default,
//! 2. the TOML file given with `--config FILE` or else `TIDINGS_CONFIG`,
//! 3. the environment variable `TIDINGS_` + its path in upper case with `_` for `.`
//!    (`limits.message_bytes` is `TIDINGS_LIMITS_MESSAGE_BYTES`); one set to the empty text
//!    counts as not set,
//! 4. its command line flag, where it has one.
//!
//! Must never apply half a configuration: either all of it is right and a [`Config`] comes out,
//! or every mistake is told, one line each, and nothing does.

mod access;
mod error;
mod hint;
mod keys;
mod load;
mod raw;
mod render;
mod resolve;
mod units;
mod values;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tidings_model::{Durability, TopicFilter};

pub(crate) use access::{Access, Token, read_users};
pub(crate) use error::ConfigErrors;
pub(crate) use load::{Flag, Loaded, load};
pub(crate) use render::render;
pub(crate) use units::{format_span, parse_span};

/// The resolved configuration. `Config::default()` is what `tidings serve` runs with when nothing
/// is configured. The meaning, default and range of each field are those of its key in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Directory of everything that must outlive the process. `None`: nothing does; messages are
    /// kept in memory.
    pub data: Option<PathBuf>,
    /// Worker threads; 0 is one for each core.
    pub threads: usize,
    /// The same over TLS.
    pub tls: Tls,
    /// HTTP itself.
    pub http: Http,
    /// MQTT.
    pub mqtt: Mqtt,
    /// What is refused when there is more of it.
    pub limits: Limits,
    /// How long things may take.
    pub times: Times,
    /// What the server says about itself.
    pub logging: Logging,
    /// Who may do what.
    pub access: Access,
    /// Rules for some topics, in the order of the file; the first match wins.
    pub namespaces: Vec<Namespace>,
    /// Rules for topics that none of them matches.
    pub otherwise: Rules,
}

/// Keys of the section `tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Where HTTP is spoken over TLS, where there is a certificate.
    pub listen: PortChoice,
    /// The certificate's file. `None`: there is no TLS.
    pub certificate: Option<PathBuf>,
    /// The file of its key.
    pub key: Option<PathBuf>,
    /// The file of what clients' certificates are checked against; `None`: they are not asked.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is turned away.
    pub is_client_certificate_required: bool,
}

/// Keys of the section `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Http {
    /// Origins (RFC 6454) whose pages may use the server; `*` is all. Empty: same origin only.
    pub allowed_origins: Vec<String>,
    /// The URL under which clients reach the server.
    pub public_url: Option<String>,
    /// The URL of a WebSub hub that feeds name as theirs.
    pub websub_hub: Option<String>,
    /// Most bytes of a request head: its line and all header fields.
    pub header_bytes_max: usize,
    /// How long a client may take to send a request head.
    pub head_wait: Duration,
    /// How long a client may take to send a request body.
    pub body_wait: Duration,
}

/// Keys of the section `mqtt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mqtt {
    /// Where MQTT is spoken over TCP.
    pub listen: PortChoice,
    /// Where it is spoken over TLS, where there is a certificate.
    pub tls_listen: PortChoice,
    /// How long a client may take to send its CONNECT.
    pub connect_wait: Duration,
    /// The longest keep-alive.
    pub keep_alive_max: Duration,
    /// Most messages under way to a client, and from it.
    pub inflight: usize,
    /// The server that clients are sent to instead.
    pub redirect: Option<String>,
}

/// Where something is spoken beside HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortChoice {
    /// At its usual port, if that is free.
    Auto,
    /// There, or the server does not start.
    At(SocketAddr),
    /// Nowhere.
    None,
}

/// Keys of the section `limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most bytes in one message's payload.
    pub message_bytes: usize,
    /// Most bytes in one batch; at least `message_bytes`.
    pub batch_bytes: usize,
    /// Most messages in one batch.
    pub batch_messages: usize,
    /// Most open connections, each stream of HTTP/2 counted as one.
    pub connections: usize,
    /// Most streams at once on one HTTP/2 connection.
    pub streams: usize,
    /// Most topics that are stored at a time.
    pub topics: usize,
    /// Most bytes the in-memory log may hold; at least `batch_bytes`.
    pub memory: usize,
    /// Most idempotency keys that are remembered.
    pub idempotency_keys: usize,
    /// Most subscriptions on one connection.
    pub subscriptions: usize,
    /// Most durable sessions.
    pub sessions: usize,
}

/// Keys of the section `times`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// A stream silent for so long gets a heartbeat or ping.
    pub heartbeat: Duration,
    /// How long a WebSocket peer may take to answer a ping.
    pub pong_wait: Duration,
    /// Longest time a long poll is held.
    pub long_poll_max: Duration,
    /// The shortest time that whoever polls is advised to wait,
    pub poll_min: Duration,
    /// and the longest.
    pub poll_max: Duration,
    /// How long a page that refreshes itself is shown while there is news.
    pub refresh: Duration,
    /// How long an idempotency key is remembered.
    pub idempotency: Duration,
    /// How long a durable session is kept while nobody is connected to it, when it does not say.
    pub session: Duration,
    /// The longest that any is.
    pub session_max: Duration,
    /// How long a message of the level `os` may be visible before it is on the disk.
    pub flush: Duration,
    /// A client that takes nothing for so long while there is something to send is disconnected.
    pub write_stall: Duration,
    /// How long shutdown waits for connections to end in good order.
    pub drain: Duration,
    /// How long an idle keep-alive connection is kept.
    pub keep_alive: Duration,
}

/// Keys of the section `logging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logging {
    /// Least level that is written: one of `off`, `error`, `warn`, `info`, `debug`, `trace`.
    pub level: &'static str,
    /// How lines are written.
    pub format: LogFormat,
}

/// How the server's own log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// One `[[namespace]]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// Which topics the rules are for (the key `match`).
    pub filter: TopicFilter,
    /// The rules.
    pub rules: Rules,
}

/// How topics are kept and who may use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Which log holds the topics; `None` is the durable one, unless there is no `data`.
    pub durability: Option<Durability>,
    /// Whether the newest message of each topic is kept whatever its age.
    pub keep_last: bool,
    /// Most messages kept for each topic.
    pub max_messages: usize,
    /// Most bytes kept for each topic.
    pub max_bytes: usize,
    /// How long a message is kept.
    pub max_age: Duration,
    /// Whether clients may publish.
    pub publish: bool,
    /// Whether clients may read.
    pub subscribe: bool,
    /// Whether clients may read by scripts that any web page may load.
    pub jsonp: bool,
    /// How long caches may keep answers without asking; zero: not at all.
    pub cache: Duration,
}
