//! What the registry knows of a transport: a name, words for people, where it mounts, and how to
//! open a machine of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidings_access::Access;
use tidings_model::TopicFilter;

use crate::machine::Protocol;

/// A transport's entry in the registry.
#[derive(Debug)]
pub struct Transport {
    /// Its name, as in `?via=NAME`.
    pub name: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
    /// The standard it follows.
    pub standard: &'static str,
    /// Where requests for it come in.
    pub mount: Mount,
    /// Makes a machine for one connection or exchange.
    pub open: fn(&Arc<Settings>) -> Box<dyn Protocol>,
}

/// Where a transport's requests come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// `POST` of a topic's URL.
    Publish,
    /// `GET` of a topic's URL, by `?via=NAME` or one of these media types in `Accept`; the first
    /// transport of the registry serves whoever asks for nothing special.
    Read(&'static [&'static str]),
    /// `GET` of a topic's URL with `?wait=`.
    ReadHeld,
    /// `GET` of a topic's URL and `POST` to it, both by `?via=NAME` only: for clients whose forms
    /// and links are all they can say things with.
    Form,
    /// Every request for a path, and whatever lies under it.
    Under {
        /// The path.
        path: &'static str,
        /// What may be done there, as `Allow` has it.
        methods: &'static str,
    },
    /// A WebSocket on a topic's URL.
    TopicSocket,
    /// A raw stream of bytes, on a port of its own.
    Stream,
    /// A WebSocket on a path of its own, by subprotocol.
    Socket {
        /// The path.
        path: &'static str,
        /// The registered name (RFC 6455 section 1.9).
        subprotocol: &'static str,
        /// Whether clients may say within it who they are. Then who brings nothing with the handshake
        /// is let in, and may do nothing before that.
        logs_in: bool,
    },
}

/// How long caches may keep what is read of some topics without asking, as the operator's
/// namespaces have it. Answers to everybody: nothing of it depends on who reads.
#[derive(Clone)]
pub struct Caching(Arc<Rules>);

type Rules = dyn Fn(&[TopicFilter]) -> Option<Duration> + Send + Sync;

impl Caching {
    /// The rules as a function; nothing means that caches may not.
    pub fn new(
        rules: impl Fn(&[TopicFilter]) -> Option<Duration> + Send + Sync + 'static,
    ) -> Caching {
        Caching(Arc::new(rules))
    }

    /// How long an answer may be kept that holds what all of these match.
    pub fn of(&self, filters: &[TopicFilter]) -> Option<Duration> {
        (self.0)(filters)
    }
}

impl Default for Caching {
    fn default() -> Caching {
        Caching::new(|_| None)
    }
}

impl fmt::Debug for Caching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caching")
    }
}

/// What transports need to know of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A stream that was silent for so long sends a heartbeat.
    pub heartbeat: Duration,
    /// The longest a long poll is held.
    pub long_poll_max: Duration,
    /// The shortest time that whoever polls is advised to wait,
    pub poll_min: Duration,
    /// and the longest.
    pub poll_max: Duration,
    /// How long a page is shown that refreshes itself, while there is news.
    pub refresh: Duration,
    /// The URL under which clients reach the server, without a slash at its end, if the operator
    /// has said it.
    pub public_url: Option<Box<str>>,
    /// The URL of the WebSub hub of all feeds, if the operator has said it.
    pub websub_hub: Option<Box<str>>,
    /// What caches may keep.
    pub caching: Caching,
    /// Who may do what, if the operator has said it. Machines need it for SCRAM only; what they want
    /// is checked for them.
    pub access: Option<Arc<Access>>,
    /// Most messages in one batch.
    pub batch_messages_max: usize,
    /// Most subscriptions on one socket.
    pub subscriptions_max: usize,
    /// Origins of web pages that may use this server, besides its own; `*` is all.
    pub allowed_origins: Vec<String>,
    /// Most bytes of one message.
    pub message_bytes_max: usize,
    /// How long a peer may take to say who it is, where its protocol has it do so.
    pub connect_wait: Duration,
    /// The longest a peer may be silent that promises to be heard now and then.
    pub keep_alive_max: Duration,
    /// Most messages under way to a peer that acknowledges each, and from it.
    pub inflight_max: u16,
    /// The longest that a session is kept while nobody is connected to it.
    pub session_max: Duration,
    /// The server that peers are sent to instead of being served.
    pub redirect: Option<Box<str>>,
    /// Bytes that nobody can guess, of which a machine makes names.
    pub random: Random,
}

/// Gives bytes that nobody can guess, to whoever must not know where chance comes from.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> [u8; 16] + Send + Sync>);

impl Random {
    /// Chance as a function.
    pub fn new(source: impl Fn() -> [u8; 16] + Send + Sync + 'static) -> Random {
        Random(Arc::new(source))
    }

    /// The next bytes.
    pub fn bytes(&self) -> [u8; 16] {
        (self.0)()
    }
}

impl Default for Random {
    /// Always the same: for tests.
    fn default() -> Random {
        Random::new(|| [7; 16])
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            heartbeat: Duration::from_secs(15),
            long_poll_max: Duration::from_secs(60),
            poll_min: Duration::from_secs(1),
            poll_max: Duration::from_secs(60),
            refresh: Duration::from_secs(5),
            public_url: None,
            websub_hub: None,
            caching: Caching::default(),
            access: None,
            batch_messages_max: 10_000,
            subscriptions_max: 256,
            allowed_origins: Vec::new(),
            message_bytes_max: 1 << 20,
            connect_wait: Duration::from_secs(10),
            keep_alive_max: Duration::from_secs(18 * 60 * 60),
            inflight_max: 1024,
            session_max: Duration::from_secs(30 * 24 * 60 * 60),
            redirect: None,
            random: Random::default(),
        }
    }
}
