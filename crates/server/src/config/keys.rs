//! The one table of all configuration keys. Reading the file, the environment, the flags, the
//! hints in errors and the output of `tidings config` all come from it: a key is added here and
//! as a field of [`Config`], nowhere else. Must never hold logic.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use tidings_model::Durability;

use self::Kind::{
    Address, Choice, Count, Directory, File, Name, Origins, Port, Size, Span, Switch, Tables, Url,
};
use super::access::Access;
use super::values::Wrong;
use super::{Config, Http, Limits, LogFormat, Logging, Mqtt, PortChoice, Rules, Times, Tls};

/// One key: what it is called and what may stand there.
pub(super) struct Key<T: 'static = Config> {
    /// Its path in the file, such as `limits.message_bytes`.
    pub path: &'static str,
    /// Its default, written as in an environment variable.
    pub default: &'static str,
    /// What may be given, and where it goes.
    pub kind: Kind<T>,
    /// One line for the operator.
    pub doc: &'static str,
}

/// What a key takes, with its range where it has one, and the field it sets.
pub(super) enum Kind<T: 'static> {
    /// An IP address with a port.
    Address(fn(&mut T) -> &mut SocketAddr),
    /// An IP address with a port, [`AUTO`] or [`NONE`].
    Port(fn(&mut T) -> &mut PortChoice),
    /// A text, or [`NONE`].
    Name(fn(&mut T) -> &mut Option<String>),
    /// A directory, or [`NONE`].
    Directory(fn(&mut T) -> &mut Option<PathBuf>),
    /// A file, or [`NONE`].
    File(fn(&mut T) -> &mut Option<PathBuf>),
    /// A whole number.
    Count(RangeInclusive<u64>, fn(&mut T) -> &mut usize),
    /// A size in bytes.
    Size(RangeInclusive<u64>, fn(&mut T) -> &mut usize),
    /// A span; the range is in seconds.
    Span(RangeInclusive<u64>, fn(&mut T) -> &mut Duration),
    /// True or false.
    Switch(fn(&mut T) -> &mut bool),
    /// One of some words.
    Choice(&'static [&'static str], fn(&mut T, &'static str)),
    /// An address of the web, or [`NONE`].
    Url(fn(&mut T) -> &mut Option<String>),
    /// A list of web origins.
    Origins(fn(&mut T) -> &mut Vec<String>),
    /// A text, read by a function of its own; then what it takes.
    Text(fn(&mut T, &str) -> Result<(), Wrong>, &'static str),
    /// A list of texts, each read by a function of its own; then what it takes.
    List(fn(&mut T, &str) -> Result<(), Wrong>, &'static str),
    /// Tables with keys of their own.
    Tables(Table),
}

/// The tables there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// `[[namespace]]`, whose keys are [`NAMESPACE_KEYS`].
    Namespace,
    /// `[[access.rule]]`, whose keys are in `access`, as are those of the others.
    Rule,
    /// `[[access.user]]`.
    User,
    /// `[[access.jwt]]`.
    Token,
}

pub(super) const fn key<T>(
    path: &'static str,
    default: &'static str,
    kind: Kind<T>,
    doc: &'static str,
) -> Key<T> {
    Key { path, default, kind, doc }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Every key, by section. Keys without a section come first, as TOML wants it.
#[rustfmt::skip] // it is read as a table
pub(super) static KEYS: &[Key] = &[
    key("listen", "127.0.0.1:8080", Address(|c| &mut c.listen),
        "Address to listen on. 0.0.0.0 or [::] is every interface."),
    key("data", "tidings-data", Directory(|c| &mut c.data),
        "Directory of everything that must outlive the process; none: it is kept in memory and ends with it."),
    key("threads", "0", Count(0..=1024, |c| &mut c.threads),
        "Worker threads. 0: one for each core."),

    key("tls.listen", "auto", Port(|c| &mut c.tls.listen),
        "Address to listen on for https and wss, where there is a certificate. auto: port 8443 beside `listen`. none: nowhere."),
    key("tls.certificate", "none", File(|c| &mut c.tls.certificate),
        "PEM file of the server's certificate and then of those up to one that clients trust; none: no TLS. It is read again on SIGHUP."),
    key("tls.key", "none", File(|c| &mut c.tls.key),
        "PEM file of the certificate's private key. It is read again on SIGHUP."),
    key("tls.client_ca", "none", File(|c| &mut c.tls.client_ca),
        "PEM file of the certificates that clients' certificates have to come from; none: clients are not asked for any."),
    key("tls.client_certificates", "required", Choice(&["required", "optional"],
        |c, name| c.tls.is_client_certificate_required = name == "required"),
        "With tls.client_ca, whether a client without a certificate is turned away (required) or not (optional)."),

    key("http.allowed_origins", "[]", Origins(|c| &mut c.http.allowed_origins),
        "Web origins whose pages may use the server. []: its own only; [\"*\"]: all."),
    key("http.public_url", "none", Url(|c| &mut c.http.public_url),
        "The URL under which clients reach the server, for links that have to be whole, such as in feeds; none: links begin with /."),
    key("http.websub_hub", "none", Url(|c| &mut c.http.websub_hub),
        "The URL of a WebSub hub that feeds name as theirs, where http.public_url is set; somebody has to tell it what is new."),
    key("http.header_bytes_max", "16KiB", Size(8 * KIB..=MIB, |c| &mut c.http.header_bytes_max),
        "Most bytes of a request head."),
    key("http.head_wait", "10s", Span(1..=5 * MINUTE, |c| &mut c.http.head_wait),
        "How long a client may take to send a request head."),
    key("http.body_wait", "30s", Span(1..=HOUR, |c| &mut c.http.body_wait),
        "How long a client may take to send a request body."),

    key("mqtt.listen", "auto", Port(|c| &mut c.mqtt.listen),
        "Address to listen on for MQTT over TCP. auto: port 1883 beside `listen`, unless another program has it. none: MQTT over WebSocket only."),
    key("mqtt.tls_listen", "auto", Port(|c| &mut c.mqtt.tls_listen),
        "Address to listen on for MQTT over TLS, where there is a certificate. auto: port 8883 beside `listen`, unless another program has it. none: nowhere."),
    key("mqtt.connect_wait", "10s", Span(1..=5 * MINUTE, |c| &mut c.mqtt.connect_wait),
        "How long a client may take to send its CONNECT."),
    key("mqtt.keep_alive_max", "18h", Span(1..=18 * HOUR, |c| &mut c.mqtt.keep_alive_max),
        "The longest keep-alive: an MQTT 5 client that asks for more, or for none, is told this one."),
    key("mqtt.inflight", "1024", Count(1..=65_535, |c| &mut c.mqtt.inflight),
        "Most messages of QoS 1 and 2 under way to a client, and from it (receive maximum)."),
    key("mqtt.redirect", "none", Name(|c| &mut c.mqtt.redirect),
        "Another server, such as other.example.com:1883, that every MQTT 5 client is sent to instead of being served."),

    key("limits.message_bytes", "1MiB", Size(1..=64 * MIB, |c| &mut c.limits.message_bytes),
        "Most bytes in one message."),
    key("limits.batch_bytes", "16MiB", Size(1..=GIB, |c| &mut c.limits.batch_bytes),
        "Most bytes in one batch. At least limits.message_bytes."),
    key("limits.batch_messages", "10000", Count(1..=1_000_000, |c| &mut c.limits.batch_messages),
        "Most messages in one batch."),
    key("limits.connections", "50000", Count(1..=10_000_000, |c| &mut c.limits.connections),
        "Most open connections. Each stream of HTTP/2 counts as one."),
    key("limits.streams", "256", Count(1..=100_000, |c| &mut c.limits.streams),
        "Most streams at once on one HTTP/2 connection: as many requests and event streams as it may have open."),
    key("limits.topics", "1000000", Count(1..=1_000_000_000, |c| &mut c.limits.topics),
        "Most topics stored at a time."),
    key("limits.memory", "1GiB", Size(MIB..=16 * 1024 * GIB, |c| &mut c.limits.memory),
        "Most bytes the in-memory log may hold. At least limits.batch_bytes."),
    key("limits.idempotency_keys", "100000", Count(1..=100_000_000, |c| &mut c.limits.idempotency_keys),
        "Most idempotency keys remembered."),
    key("limits.subscriptions", "256", Count(1..=100_000, |c| &mut c.limits.subscriptions),
        "Most subscriptions on one connection."),
    key("limits.sessions", "100000", Count(1..=100_000_000, |c| &mut c.limits.sessions),
        "Most durable sessions."),

    key("times.heartbeat", "15s", Span(1..=HOUR, |c| &mut c.times.heartbeat),
        "A stream silent for so long gets a heartbeat or ping."),
    key("times.pong_wait", "10s", Span(1..=5 * MINUTE, |c| &mut c.times.pong_wait),
        "How long a WebSocket client may take to answer a ping."),
    key("times.long_poll_max", "60s", Span(1..=HOUR, |c| &mut c.times.long_poll_max),
        "Longest time a long poll is held."),
    key("times.poll_min", "1s", Span(1..=HOUR, |c| &mut c.times.poll_min),
        "The shortest time that clients are advised to wait between polls, and that a page refreshes after."),
    key("times.poll_max", "1m", Span(1..=DAY, |c| &mut c.times.poll_max),
        "The longest, for topics where nothing happens."),
    key("times.refresh", "5s", Span(1..=DAY, |c| &mut c.times.refresh),
        "How often the page without JavaScript refreshes while there is news."),
    key("times.idempotency", "10m", Span(1..=30 * DAY, |c| &mut c.times.idempotency),
        "How long an idempotency key is remembered."),
    key("times.session", "24h", Span(1..=3650 * DAY, |c| &mut c.times.session),
        "How long a durable session is kept while nobody is connected to it and it says nothing else."),
    key("times.session_max", "30d", Span(1..=3650 * DAY, |c| &mut c.times.session_max),
        "The longest that any durable session is kept so."),
    key("times.flush", "1s", Span(1..=MINUTE, |c| &mut c.times.flush),
        "With durability os: how long a message may be visible before it is on the disk."),
    key("times.write_stall", "30s", Span(1..=HOUR, |c| &mut c.times.write_stall),
        "A client that takes nothing of what is due for so long is disconnected."),
    key("times.drain", "10s", Span(0..=HOUR, |c| &mut c.times.drain),
        "How long shutdown waits for connections to end in good order."),
    key("times.keep_alive", "75s", Span(1..=HOUR, |c| &mut c.times.keep_alive),
        "How long an idle keep-alive connection is kept."),

    key("logging.level", "info", Choice(&["off", "error", "warn", "info", "debug", "trace"],
        |c, name| c.logging.level = name),
        "Least level that is written: off, error, warn, info, debug or trace."),
    key("logging.format", "text", Choice(&["text", "json"],
        |c, name| c.logging.format = if name == "json" { LogFormat::Json } else { LogFormat::Text }),
        "text for people, json for machines: one object a line."),

    key("access.anonymous", "true", Switch(|c| &mut c.access.anonymous),
        "Whether who brings no credentials may connect. Counts, as all of access, where there is a rule, a user or a jwt, or where it is false."),
    key("access.certificates", "cn", Choice(&["cn", "none"],
        |c, name| c.access.certificates = name == "cn"),
        "With tls.client_ca, which name in a client's certificate is the user's: the common name of its subject (cn), or none."),
    key("access.users", "none", File(|c| &mut c.access.users_file),
        "A file of users, each [[user]] as `tidings user hash` prints it; none: there is none. Read again on SIGHUP."),
    key("access.user", "[]", Tables(Table::User),
        "Users, here instead of in a file."),
    key("access.rule", "[]", Tables(Table::Rule),
        "Who may publish and read what. Where there is access, whatever no rule allows is refused."),
    key("access.jwt", "[]", Tables(Table::Token),
        "Keys that JSON Web Tokens may be signed with."),

    key("namespace", "[]", Tables(Table::Namespace),
        "Rules for topics by filter; the first match in this order wins, topics without one get the defaults."),
];

/// The key of a `[[namespace]]` table that says which topics it is for. It has no default.
pub(super) const MATCH: &str = "match";

/// The other keys of a `[[namespace]]` table.
#[rustfmt::skip] // it is read as a table
pub(super) static NAMESPACE_KEYS: &[Key<Rules>] = &[
    key("durability", "auto", Choice(&["auto", "fsync", "os", "volatile"],
        |r, name| r.durability = Durability::ALL.into_iter().find(|level| level.name() == name)),
        "fsync: on the disk before it is answered. os: soon after, see times.flush. volatile: in memory. auto: fsync, unless `data` is none."),
    key("max_messages", "100000", Count(1..=1_000_000_000, |r| &mut r.max_messages),
        "Most messages kept for each topic."),
    key("max_bytes", "64MiB", Size(1..=1024 * GIB, |r| &mut r.max_bytes),
        "Most bytes kept for each topic."),
    key("max_age", "24h", Span(1..=3650 * DAY, |r| &mut r.max_age),
        "How long a message is kept."),
    key("retain", "recent", Choice(&["recent", "last"], |r, name| r.keep_last = name == "last"),
        "last: the newest message of each topic is kept however old it is. recent: as long as max_age says."),
    key("publish", "true", Switch(|r| &mut r.publish),
        "Whether clients may publish."),
    key("subscribe", "true", Switch(|r| &mut r.subscribe),
        "Whether clients may read."),
    key("jsonp", "false", Switch(|r| &mut r.jsonp),
        "Whether scripts may read (via=jsonp). Then any web page that a client visits can: scripts have no origin check."),
    key("cache", "0s", Span(0..=DAY, |r| &mut r.cache),
        "How long caches may keep answers without asking, for crowds that read the same. 0s: not at all."),
];

/// The word for no directory or URL at all; a directory of that name is `./none`.
pub(super) const NONE: &str = "none";

/// The word for what suits.
pub(super) const AUTO: &str = "auto";

/// Most `[[namespace]]` tables: every new topic is compared with all of them.
pub(super) const NAMESPACES_MAX: usize = 1000;

/// What the table's defaults are written over; none of these values survives that.
pub(super) const BLANK: Config = Config {
    listen: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)),
    data: None,
    threads: 0,
    tls: Tls {
        listen: PortChoice::None,
        certificate: None,
        key: None,
        client_ca: None,
        is_client_certificate_required: false,
    },
    http: Http {
        allowed_origins: Vec::new(),
        public_url: None,
        websub_hub: None,
        header_bytes_max: 0,
        head_wait: Duration::ZERO,
        body_wait: Duration::ZERO,
    },
    mqtt: Mqtt {
        listen: PortChoice::None,
        tls_listen: PortChoice::None,
        connect_wait: Duration::ZERO,
        keep_alive_max: Duration::ZERO,
        inflight: 0,
        redirect: None,
    },
    limits: Limits {
        message_bytes: 0,
        batch_bytes: 0,
        batch_messages: 0,
        connections: 0,
        streams: 0,
        topics: 0,
        memory: 0,
        idempotency_keys: 0,
        subscriptions: 0,
        sessions: 0,
    },
    times: Times {
        heartbeat: Duration::ZERO,
        pong_wait: Duration::ZERO,
        long_poll_max: Duration::ZERO,
        poll_min: Duration::ZERO,
        poll_max: Duration::ZERO,
        refresh: Duration::ZERO,
        idempotency: Duration::ZERO,
        session: Duration::ZERO,
        session_max: Duration::ZERO,
        flush: Duration::ZERO,
        write_stall: Duration::ZERO,
        drain: Duration::ZERO,
        keep_alive: Duration::ZERO,
    },
    logging: Logging { level: "off", format: LogFormat::Text },
    access: Access {
        anonymous: false,
        certificates: false,
        users_file: None,
        users: Vec::new(),
        rules: Vec::new(),
        tokens: Vec::new(),
    },
    namespaces: Vec::new(),
    otherwise: Rules {
        durability: None,
        keep_last: false,
        max_messages: 0,
        max_bytes: 0,
        max_age: Duration::ZERO,
        publish: false,
        subscribe: false,
        jsonp: false,
        cache: Duration::ZERO,
    },
};

impl<T> Key<T> {
    /// Whether nobody is to see its value, not even a wrong one.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.path, "password" | "scram")
    }

    /// The environment variable that sets the key: `TIDINGS_LIMITS_MESSAGE_BYTES`.
    pub(super) fn env(&self) -> String {
        format!("{ENV_PREFIX}{}", self.path.replace('.', "_").to_ascii_uppercase())
    }
}

/// What the name of every environment variable of Tidings begins with.
pub(super) const ENV_PREFIX: &str = "TIDINGS_";
