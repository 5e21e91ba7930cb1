//! What is measured, and how each figure is called and shown. Must never compute one.

/// One kind of figure.
#[derive(Debug)]
pub(crate) struct Metric {
    /// Its name in JSON, with its unit last.
    pub(crate) key: &'static str,
    /// Its name in a table's head.
    pub(crate) title: &'static str,
    /// Digits behind the point.
    pub(crate) digits: usize,
    /// Whether it is worth a ratio between targets.
    pub(crate) compared: bool,
}

const fn metric(key: &'static str, title: &'static str, digits: usize, compared: bool) -> Metric {
    Metric { key, title, digits, compared }
}

/// Messages that reached a subscriber, each counted once for each subscriber.
pub(crate) static DELIVERED_PER_S: Metric = metric("delivered_per_s", "delivered/s", 0, true);
/// Messages that the server took.
pub(crate) static PUBLISHED_PER_S: Metric = metric("published_per_s", "published/s", 0, true);
/// From when a message was meant to be sent until a subscriber had its last byte.
pub(crate) static P50_MS: Metric = metric("p50_ms", "p50 ms", 2, true);
/// See [`P50_MS`].
pub(crate) static P99_MS: Metric = metric("p99_ms", "p99 ms", 2, true);
/// See [`P50_MS`].
pub(crate) static P999_MS: Metric = metric("p999_ms", "p99.9 ms", 2, false);
/// See [`P50_MS`].
pub(crate) static MAX_MS: Metric = metric("max_ms", "max ms", 2, false);
/// The target's processor time.
pub(crate) static CPU_S_PER_MILLION: Metric =
    metric("cpu_s_per_million", "CPU s per million", 2, true);
/// The part of it that was spent outside the kernel.
pub(crate) static CPU_USER_PERCENT: Metric = metric("cpu_user_percent", "user %", 0, false);
/// The target's processor time each second of the measurement, 100 being one core.
pub(crate) static CPU_PERCENT: Metric = metric("cpu_percent", "CPU %", 1, true);
/// The same of the load generator: near 100, it is the load generator that was measured.
pub(crate) static CLIENT_CPU_PERCENT: Metric =
    metric("client_cpu_percent", "client CPU %", 0, false);
/// The longest time by which a message was sent later than it was meant to be.
pub(crate) static CLIENT_LATE_MS: Metric = metric("client_late_ms", "client late ms", 2, false);
/// Messages that a subscriber never got.
pub(crate) static LOST: Metric = metric("lost", "lost", 0, false);
/// Messages that a subscriber got again.
pub(crate) static DUPLICATED: Metric = metric("duplicated", "doubled", 0, false);
/// Messages that came behind a later one of their publisher.
pub(crate) static REORDERED: Metric = metric("reordered", "reordered", 0, false);
/// Connections or requests that failed.
pub(crate) static FAILED: Metric = metric("failed", "failed", 0, false);
/// Memory of the target's processes that only they have, for each connection.
pub(crate) static ANON_BYTES: Metric =
    metric("anonymous_bytes_per_connection", "anonymous B/connection", 0, true);
/// See [`ANON_BYTES`]; all resident pages.
pub(crate) static RSS_BYTES: Metric =
    metric("rss_bytes_per_connection", "RSS B/connection", 0, false);
/// See [`ANON_BYTES`]; shared pages by their share.
pub(crate) static PSS_BYTES: Metric =
    metric("pss_bytes_per_connection", "PSS B/connection", 0, false);
/// Buffers that the kernel holds for a connection, both of its ends, as they are on one machine.
pub(crate) static SOCKET_BYTES: Metric =
    metric("socket_bytes_per_connection", "socket buffer B/connection, both ends", 0, false);
/// A span of the scenario; its notes say of what.
pub(crate) static SECONDS: Metric = metric("seconds", "s", 2, true);
/// The part of the messages that came, of those that were meant for a subscriber.
pub(crate) static DELIVERY_PERCENT: Metric = metric("delivery_percent", "delivered %", 3, false);
/// Bytes on disk for each message.
pub(crate) static DISK_BYTES: Metric = metric("disk_bytes_per_message", "disk B/message", 1, true);
/// Processor time for one message.
pub(crate) static CPU_US: Metric = metric("cpu_us_per_message", "CPU µs/message", 2, true);
/// Memory that is no file's.
pub(crate) static ANON_MB: Metric = metric("anonymous_mb", "anonymous MB", 1, true);
/// Bytes handed to the disk for each message.
pub(crate) static WRITTEN_BYTES: Metric =
    metric("written_bytes_per_message", "written B/message", 1, true);
/// Messages of a history that were read.
pub(crate) static HISTORY_PER_S: Metric = metric("history_per_s", "history read/s", 0, true);
/// Memory of no file for each topic.
pub(crate) static TOPIC_BYTES: Metric =
    metric("anonymous_bytes_per_topic", "anonymous B/topic", 0, true);
/// The target's processor time for opening a connection.
pub(crate) static OPENED_CPU_US: Metric =
    metric("cpu_us_per_opened_connection", "CPU µs/opened connection", 0, true);
