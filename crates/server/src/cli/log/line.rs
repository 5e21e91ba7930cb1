//! The one line of JSON that stands for a message in an export: the event form of the guide, and
//! `expires`. Must never lose a byte: what is read back is the very message that was written.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use tidings_model::limits::{CONTENT_TYPE_BYTES_MAX, KEY_BYTES_MAX};
use tidings_model::{
    EventType, Manner, Message, NameError, Position, Record, Time, Topic, TopicError,
};
use tidings_protocol::content;
use tidings_protocol::event::rfc3339;

use super::manner::{BadHeaders, HeaderLines, MannerLine};

/// A line as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    topic: &'a str,
    position: String,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "HeaderLines::is_empty")]
    headers: HeaderLines,
    #[serde(skip_serializing_if = "Option::is_none")]
    manner: Option<MannerLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    data: Data<'a>,
}

/// A payload in JSON.
enum Data<'a> {
    Json(&'a RawValue),
    Text(&'a str),
    Base64(String),
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Data::Json(json) => json.serialize(serializer),
            Data::Text(text) => serializer.serialize_str(text),
            Data::Base64(text) => serializer.serialize_str(text),
        }
    }
}

/// Appends the line of a record, with its line feed.
pub(super) fn write(record: &Record, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let message = &*record.message;
    let data = data(&message.content_type, &message.payload);
    let line = Written {
        topic: message.topic.as_str(),
        position: Position::at(record.log, record.mark).to_string(),
        time: rfc3339(message.time),
        expires: message.expires.map(rfc3339),
        kind: message.event_type.as_str(),
        from: message.from.as_deref(),
        content_type: &message.content_type,
        key: message.key.as_deref(),
        headers: HeaderLines::of(&message.headers),
        manner: MannerLine::of(&message.manner),
        encoding: matches!(data, Data::Base64(_)).then_some("base64"),
        data,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

/// A payload in the most readable form that loses nothing.
fn data<'a>(content_type: &str, payload: &'a [u8]) -> Data<'a> {
    match content::data(content_type, payload) {
        content::Data::Text(text) => Data::Text(text),
        // Blanks around JSON, or its line breaks, would not come back.
        content::Data::Json(text) if !text.contains(['\n', '\r']) => {
            match serde_json::from_str::<&RawValue>(text) {
                Ok(json) if json.get().len() == text.len() => Data::Json(json),
                _ => Data::Base64(STANDARD.encode(payload)),
            }
        }
        _ => Data::Base64(STANDARD.encode(payload)),
    }
}

/// A line as it is read. Of what is missing, the same is taken as of a publish that says nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Read<'a> {
    topic: String,
    // The log that it is stored in gives it another.
    #[serde(rename = "position")]
    _position: Option<IgnoredAny>,
    time: Option<String>,
    expires: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    from: Option<String>,
    content_type: Option<String>,
    key: Option<String>,
    #[serde(default)]
    headers: HeaderLines,
    manner: Option<MannerLine>,
    encoding: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Why a line is no message.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("it is not UTF-8")]
    NotText,
    #[error("column {0}: {1}")]
    Json(usize, String),
    #[error("topic: {0}")]
    Topic(#[from] TopicError),
    #[error("{0}: {1}")]
    Name(&'static str, NameError),
    #[error("{0} must be 1 to {1} bytes long")]
    Length(&'static str, usize),
    #[error("{0}: {1:?} is not a time such as 2026-11-20T13:48:01.123Z")]
    Time(&'static str, String),
    #[error("headers: the value of {0:?} is not a text")]
    Header(String),
    #[error("manner: quality must be 0, 1 or 2, and correlationData base64")]
    Manner,
    #[error("encoding: {0:?} is unknown; only base64 is there")]
    Encoding(String),
    #[error("data: it is not base64: {0}")]
    Base64(base64::DecodeError),
    #[error("data must be a text when contentType is not JSON")]
    NotAText,
    #[error("data: contentType says JSON, but it is not: {0}")]
    NotJson(serde_json::Error),
}

impl From<serde_json::Error> for LineError {
    fn from(error: serde_json::Error) -> LineError {
        let text = error.to_string();
        // A line is all that was parsed, so that its number within it says nothing.
        let place = format!(" at line {} column {}", error.line(), error.column());
        LineError::Json(error.column(), text.strip_suffix(&place).unwrap_or(&text).to_owned())
    }
}

/// The message that a line stands for; one that says no time was published `now`.
pub(super) fn read(line: &[u8], now: Time) -> Result<Message, LineError> {
    let line = std::str::from_utf8(line).map_err(|_| LineError::NotText)?;
    let read: Read<'_> = serde_json::from_str(line)?;
    let bounded = |field, text: Option<&str>, most| match text {
        Some(text) if text.is_empty() || text.len() > most => Err(LineError::Length(field, most)),
        _ => Ok(()),
    };
    bounded("contentType", read.content_type.as_deref(), CONTENT_TYPE_BYTES_MAX)?;
    bounded("key", read.key.as_deref(), KEY_BYTES_MAX)?;
    bounded("from", read.from.as_deref(), KEY_BYTES_MAX)?;
    let (payload, natural) = payload(&read)?;
    let headers = read.headers.read().map_err(|bad| match bad {
        BadHeaders::Name(error) => LineError::Name("headers", error),
        BadHeaders::NotText(name) => LineError::Header(name),
    })?;
    let manner = match read.manner {
        None => Manner::default(),
        Some(line) => line.read().ok_or(LineError::Manner)?,
    };
    Ok(Message {
        topic: Topic::new(&read.topic)?,
        payload: payload.into_owned().into(),
        content_type: read.content_type.as_deref().unwrap_or(natural).into(),
        event_type: match &read.kind {
            None => EventType::MESSAGE,
            Some(kind) => EventType::new(kind).map_err(|e| LineError::Name("type", e))?,
        },
        headers,
        from: read.from.map(Into::into),
        key: read.key.map(Into::into),
        time: read.time.map_or(Ok(now), |text| time("time", text))?,
        expires: read.expires.map(|text| time("expires", text)).transpose()?,
        manner,
    })
}

/// The payload, and the content type that goes without saying.
fn payload<'a>(read: &Read<'a>) -> Result<(Cow<'a, [u8]>, &'static str), LineError> {
    let data = read.data.get();
    let is_json = match &read.content_type {
        Some(content_type) => content::is_json(content_type),
        None => !data.starts_with('"'),
    };
    match read.encoding.as_deref() {
        None if is_json => Ok((data.as_bytes().into(), content::JSON)),
        None if !data.starts_with('"') => Err(LineError::NotAText),
        None => Ok((serde_json::from_str::<String>(data)?.into_bytes().into(), content::TEXT)),
        Some("base64") => {
            let text: String = serde_json::from_str(data)?;
            let bytes = STANDARD.decode(text).map_err(LineError::Base64)?;
            // It stands as it is in what readers are sent, and must not break that.
            if read.content_type.is_some() && is_json {
                serde_json::from_slice::<IgnoredAny>(&bytes).map_err(LineError::NotJson)?;
            }
            Ok((bytes.into(), content::BYTES))
        }
        Some(other) => Err(LineError::Encoding(other.to_owned())),
    }
}

fn time(field: &'static str, text: String) -> Result<Time, LineError> {
    let millis = text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    match millis.and_then(|millis| u64::try_from(millis).ok()) {
        Some(millis) => Ok(Time::from_millis(millis)),
        None => Err(LineError::Time(field, text)),
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
