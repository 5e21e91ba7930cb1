//! What a line of an export says of how its message is to be delivered, and of its headers. Stands
//! there only where there is something to say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tidings_model::{Headers, Manner, NameError, Quality, Reply};

/// A message's manner.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MannerLine {
    quality: u8,
    #[serde(default)]
    retain: bool,
    #[serde(default)]
    is_text: bool,
    #[serde(default)]
    origin: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_data: Option<String>,
}

impl MannerLine {
    pub(super) fn of(manner: &Manner) -> Option<MannerLine> {
        if *manner == Manner::default() {
            return None;
        }
        let correlation = manner.reply.as_ref().and_then(|reply| reply.correlation.as_ref());
        Some(MannerLine {
            quality: manner.quality as u8,
            retain: manner.retain,
            is_text: manner.is_text,
            origin: manner.origin,
            response_topic: manner.reply.as_ref().map(|reply| reply.topic.clone().into()),
            correlation_data: correlation.map(|data| STANDARD.encode(data)),
        })
    }

    /// The manner; nothing when it is none.
    pub(super) fn read(self) -> Option<Manner> {
        let correlation =
            self.correlation_data.map(|text| STANDARD.decode(text)).transpose().ok()?;
        let reply = match (self.response_topic, correlation) {
            (None, None) => None,
            (topic, correlation) => Some(Box::new(Reply {
                topic: topic.unwrap_or_default().into(),
                correlation: correlation.map(Into::into),
            })),
        };
        let MannerLine { retain, is_text, origin, .. } = self;
        Some(Manner { quality: Quality::new(self.quality)?, retain, is_text, origin, reply })
    }
}

/// Headers: an object, or a list of pairs where one object could not hold them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum HeaderLines {
    Named(serde_json::Map<String, serde_json::Value>),
    Listed(Vec<(String, String)>),
}

impl Default for HeaderLines {
    fn default() -> HeaderLines {
        HeaderLines::Listed(Vec::new())
    }
}

/// Why headers are none.
pub(super) enum BadHeaders {
    Name(NameError),
    NotText(String),
}

impl HeaderLines {
    pub(super) fn of(headers: &Headers) -> HeaderLines {
        let pairs = headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let named = headers.iter().map(|(name, value)| (name.to_owned(), value.into()));
        let named: serde_json::Map<_, _> = named.collect();
        // A name in capitals would be read as another one.
        let is_plain = |name: &str| !name.chars().any(char::is_uppercase);
        if named.len() == headers.iter().count() && headers.iter().all(|(name, _)| is_plain(name)) {
            HeaderLines::Named(named)
        } else {
            HeaderLines::Listed(pairs.collect())
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            HeaderLines::Named(named) => named.is_empty(),
            HeaderLines::Listed(listed) => listed.is_empty(),
        }
    }

    pub(super) fn read(&self) -> Result<Headers, BadHeaders> {
        let mut headers = Headers::default();
        match self {
            HeaderLines::Named(named) => {
                for (name, value) in named {
                    let text = value.as_str().ok_or_else(|| BadHeaders::NotText(name.clone()))?;
                    headers.set(name, text).map_err(BadHeaders::Name)?;
                }
            }
            HeaderLines::Listed(listed) => {
                for (name, value) in listed {
                    headers.add(name, value).map_err(BadHeaders::Name)?;
                }
            }
        }
        Ok(headers)
    }
}
