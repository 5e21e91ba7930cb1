//! A session as the log keeps it: JSON in the newest message of the topic `$session/NAME`.
//! Documented in `docs/guide/sessions.md`; versions to come must read what this one wrote.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tidings_model::{AckMode, LogKind, Position, Slow, Time, TopicFilter};

use super::state::{Stairs, State};
use super::stored_will::StoredWill;

#[derive(Serialize, Deserialize)]
struct Stored {
    topics: Vec<String>,
    /// Who made it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Whether what a newer message replaces is skipped.
    latest: bool,
    /// Whether it acknowledges explicitly.
    explicit: bool,
    position: String,
    /// How far connections were sent beyond the position, and how many.
    sent: Vec<(String, u32)>,
    expiry_ms: u64,
    /// Since when nobody is connected, in milliseconds since the Unix epoch.
    left_ms: Option<u64>,
    /// What its machine noted, in base64, where it keeps account of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    /// What is published when its connection is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    will: Option<StoredWill>,
}

/// A session's payload.
pub(super) fn encode(user: Option<&str>, state: &State) -> Vec<u8> {
    // A process that is killed tells nobody goodbye: what was sent by then was sent before.
    let earlier = state.sent_by_now();
    let sent = earlier.steps().map(|(place, times)| (place.to_string(), times));
    let stored = Stored {
        topics: state.filters.iter().map(|filter| filter.as_str().to_owned()).collect(),
        user: user.map(Into::into),
        latest: state.slow == Slow::Latest,
        explicit: state.acks == AckMode::Explicit,
        position: state.acked.to_string(),
        sent: sent.collect(),
        expiry_ms: u64::try_from(state.expiry().as_millis()).unwrap_or(u64::MAX),
        left_ms: state.left.map(Time::as_millis),
        notes: (state.acks == AckMode::Noted).then(|| STANDARD.encode(&state.notes)),
        will: state.will.as_deref().map(StoredWill::of),
    };
    // Texts and numbers always have a JSON form.
    serde_json::to_vec(&stored).unwrap_or_default()
}

/// The session that a payload describes, and whose it is; nothing when it is none.
pub(super) fn decode(payload: &[u8]) -> Option<(Option<Arc<str>>, State)> {
    let stored: Stored = serde_json::from_slice(payload).ok()?;
    let filters: Result<_, _> = stored.topics.iter().map(|text| TopicFilter::new(text)).collect();
    let mut earlier = Stairs::default();
    for (place, times) in stored.sent {
        let place: Position = place.parse().ok()?;
        for log in LogKind::ALL {
            if let Some(mark) = place.get(log) {
                earlier.add(log, mark, times);
            }
        }
    }
    let may_be_empty = stored.notes.is_some();
    let filters = filters.ok().filter(|filters: &Vec<_>| may_be_empty || !filters.is_empty())?;
    let acked: Position = stored.position.parse().ok()?;
    let state = State {
        filters: filters.into(),
        slow: if stored.latest { Slow::Latest } else { Slow::Gap },
        acks: match (&stored.notes, stored.explicit) {
            (Some(_), _) => AckMode::Noted,
            (None, true) => AckMode::Explicit,
            (None, false) => AckMode::Automatic,
        },
        notes: STANDARD.decode(stored.notes.unwrap_or_default()).ok()?.into_boxed_slice(),
        will: stored.will.and_then(StoredWill::read).map(Box::new),
        has_begun: true,
        acked,
        sent: acked,
        earlier,
        left: stored.left_ms.map(Time::from_millis),
        ..State::new(Duration::from_millis(stored.expiry_ms))
    };
    Some((stored.user.map(Into::into), state))
}
