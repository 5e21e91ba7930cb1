//! What the server says of itself under `$SYS/`, as MQTT servers do. Whoever reads such a topic is
//! told at once what it says now, and then whenever that changes.

use std::collections::BTreeMap;
use std::time::Duration;

use tidings_broker::{Broker, SYSTEM};
use tidings_model::{EventType, Headers, Manner, Message, Time, Topic};
use tidings_net::Stats;

/// How often it is said.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// How many topics that takes: each, and what it says to whoever begins to read it.
pub(crate) const TOPICS: usize = 2 * 7;

/// What the server last said.
pub(crate) struct System {
    started: Time,
    next: Time,
    said: BTreeMap<&'static str, String>,
}

impl System {
    /// A server that has said nothing yet.
    pub(crate) fn new(now: Time) -> System {
        System { started: now, next: now, said: BTreeMap::new() }
    }

    /// Says what has changed, if it is time.
    pub(crate) fn say(&mut self, broker: &Broker, stats: &Stats, now: Time) {
        if now < self.next {
            return;
        }
        self.next = now + INTERVAL;
        let uptime = now.since(self.started).as_secs();
        let says: [_; TOPICS / 2] = [
            ("broker/version", format!("tidings {}", env!("CARGO_PKG_VERSION"))),
            ("broker/uptime", format!("{uptime} seconds")),
            ("broker/clients/connected", stats.connections().to_string()),
            ("broker/connections/accepted", stats.accepted().to_string()),
            ("broker/connections/refused", stats.refused().to_string()),
            ("broker/sessions", broker.sessions_count().to_string()),
            ("broker/retained messages/count", broker.retained_count().to_string()),
        ];
        for (name, text) in says {
            if self.said.get(name) != Some(&text)
                && let Ok(topic) = Topic::new(&format!("{SYSTEM}{name}"))
            {
                broker.announce(message(topic, &text, now), now);
                self.said.insert(name, text);
            }
        }
    }
}

fn message(topic: Topic, text: &str, now: Time) -> Message {
    Message {
        topic,
        payload: text.to_owned().into(),
        content_type: tidings_protocol::content::TEXT.into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: now,
        expires: None,
        manner: Manner { retain: true, ..Manner::default() },
    }
}
