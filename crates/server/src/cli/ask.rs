//! What `tidings sub` asks a server for. Must never ask for what was printed already.

use tidings_model::TopicFilter;

use super::SubArgs;
use super::reader::Place;
use crate::client::stream::Via;

/// Most events in one answer of poll and long poll: the most a server gives. Also the most that a
/// stream can be limited to.
pub(super) const EVENTS_MAX: u64 = 1000;

/// How long a long poll is held, in seconds; well below the silence after which a server is dead.
const LONG_POLL_WAIT: &str = "30";

/// The most events that one answer is to have, when so many were received. What a session is sent
/// counts as arrived, so it is sent no more than is printed.
pub(super) fn limit(args: &SubArgs, received: u64) -> Option<u64> {
    match (&args.session, args.count) {
        (Some(_), Some(count)) => Some(count.saturating_sub(received).min(EVENTS_MAX)),
        _ if args.via.ends() => Some(EVENTS_MAX),
        _ => None,
    }
}

/// The target of the next request: from where the reader stands, or where it was told to begin.
pub(super) fn target(args: &SubArgs, place: &Place, limit: Option<u64>) -> String {
    let last = args.last.map(|last| last.to_string());
    let limit = limit.map(|limit| limit.to_string());
    let mut query = vec![("via", args.via.name())];
    query.push(match (&*place.position, &last) {
        ("", Some(last)) => ("last", last),
        ("", None) => ("since", args.since.as_deref().unwrap_or("now")),
        (position, _) => ("since", position),
    });
    query.extend(limit.as_deref().map(|limit| ("limit", limit)));
    if args.via == Via::Longpoll {
        query.push(("wait", LONG_POLL_WAIT));
    }
    query.extend(args.session.as_ref().map(|session| ("session", session.as_str())));
    query.extend(args.ack.map(|ack| ("ack", ack.name())));
    let topics: Vec<&str> = args.topics.iter().map(TopicFilter::as_str).collect();
    args.server.url.target(&topics, &query)
}
