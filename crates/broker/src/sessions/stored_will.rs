//! A will as the log keeps it with its session.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tidings_model::{EventType, Headers, Manner, Message, Quality, Reply, Time, Topic, Will};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredWill {
    topic: String,
    /// In base64.
    payload: String,
    content_type: String,
    headers: Vec<(String, String)>,
    from: Option<String>,
    quality: u8,
    retain: bool,
    is_text: bool,
    origin: u64,
    reply: Option<(String, Option<String>)>,
    delay_ms: u64,
    lifetime_ms: Option<u64>,
}

impl StoredWill {
    pub(super) fn of(will: &Will) -> StoredWill {
        let Message { topic, payload, content_type, headers, from, manner, .. } = &will.message;
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let encoded = |reply: &Reply| {
            let correlation = reply.correlation.as_ref().map(|data| STANDARD.encode(data));
            (reply.topic.clone().into(), correlation)
        };
        StoredWill {
            topic: topic.as_str().to_owned(),
            payload: STANDARD.encode(payload),
            content_type: content_type.clone().into(),
            headers: headers.iter().map(owned).collect(),
            from: from.clone().map(Into::into),
            quality: manner.quality as u8,
            retain: manner.retain,
            is_text: manner.is_text,
            origin: manner.origin,
            reply: manner.reply.as_deref().map(encoded),
            delay_ms: millis(will.delay),
            lifetime_ms: will.lifetime.map(millis),
        }
    }

    /// The will; nothing when it is none.
    pub(super) fn read(self) -> Option<Will> {
        let mut headers = Headers::default();
        for (name, value) in &self.headers {
            headers.add(name, value).ok()?;
        }
        let reply = match self.reply {
            None => None,
            Some((topic, correlation)) => {
                let correlation = correlation.map(|text| STANDARD.decode(text)).transpose().ok()?;
                let correlation = correlation.map(Into::into);
                Some(Box::new(Reply { topic: topic.into(), correlation }))
            }
        };
        let manner = Manner {
            quality: Quality::new(self.quality)?,
            retain: self.retain,
            is_text: self.is_text,
            origin: self.origin,
            reply,
        };
        let message = Message {
            topic: Topic::new(&self.topic).ok()?,
            payload: STANDARD.decode(self.payload).ok()?.into(),
            content_type: self.content_type.into(),
            event_type: EventType::MESSAGE,
            headers,
            from: self.from.map(Into::into),
            key: None,
            time: Time::default(),
            expires: None,
            manner,
        };
        let delay = Duration::from_millis(self.delay_ms);
        Some(Will { message, delay, lifetime: self.lifetime_ms.map(Duration::from_millis) })
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
