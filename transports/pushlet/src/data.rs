//! Messages as Pushlet events, and the other way around.

use serde_json::{Map, Value};
use tidings_model::{Event, EventType, Gap, Headers, Manner, Message, Time, TopicFilter};
use tidings_protocol::content::{self, Data};
use tidings_protocol::{Problem, Query};

use crate::fields::{Fields, is_name};
use crate::names::{Id, inbox_of, is_inbox, sid, subject, topic};

/// The one field of a message that is no list of fields.
const FIELD: &str = "data";

/// Sender-set headers that carry what a message has no place for.
const FROM: &str = "pushlet-from";
const SUBJECT: &str = "pushlet-subject";

/// The message that a publish request means: each parameter that the protocol does not keep for
/// itself is a member of a JSON object.
pub(crate) fn message(id: &Id, query: &Query, now: Time) -> Result<Message, Problem> {
    let bad = |message: String| Problem::bad("bad_request", message, "see the guide on Pushlets");
    let named = query.get("p_subject").ok_or_else(|| bad("no subject provided".to_owned()))?;
    let topic_of_subject = topic(named)?;
    let mut headers = Headers::default();
    let mut set = |name: &str, value: &str| {
        headers.set(name, value).map_err(|error| bad(format!("{name}: {error}")))
    };
    set(FROM, &id.alias())?;
    let topic = match query.get("p_to") {
        None => topic_of_subject,
        Some(to) => {
            set(SUBJECT, &subject(topic_of_subject.as_str()))?;
            inbox_of(to)?
        }
    };
    let mut object = Map::new();
    for (name, value) in query.iter() {
        if name.starts_with("p_") {
            continue;
        }
        if !is_name(name) {
            return Err(bad(format!("`{name}` cannot be the name of a field")));
        }
        object.entry(name).or_insert_with(|| value.into());
    }
    Ok(Message {
        topic,
        payload: Value::Object(object).to_string().into(),
        content_type: content::JSON.into(),
        event_type: EventType::MESSAGE,
        headers,
        from: None,
        key: None,
        time: now,
        expires: None,
        manner: Manner::default(),
    })
}

/// A message as its subscriber sees it; `number` counts them in this answer.
pub(crate) fn event(event: &Event, filters: &[TopicFilter], number: u64) -> Fields {
    let message = &*event.record.message;
    let header = |wanted: &str| message.headers.iter().find(|(name, _)| *name == wanted);
    // What came to one client alone came by no subscription.
    let direct = header(SUBJECT).filter(|_| is_inbox(message.topic.as_str()));
    let matching = filters.iter().find(|filter| filter.matches(&message.topic));
    let matching = matching.filter(|_| direct.is_none());
    let named = direct.map_or_else(|| subject(message.topic.as_str()), |(_, text)| text.to_owned());
    let fields = Fields::new(FIELD)
        .with("p_subject", named)
        .with_some("p_sid", matching.map(sid))
        .with("p_time", message.time.as_millis() / 1000)
        .with_some("p_from", header(FROM).map(|(_, alias)| alias))
        .with("p_seq", number)
        .with("p_position", event.position);
    payload(message, fields)
}

/// History is gone. The protocol has no word for it but one for errors that pass.
pub(crate) fn gap(gap: &Gap, number: u64) -> Fields {
    let reason = format!("events are missing here: {}", gap.reason.as_str());
    Fields::new("nack")
        .with("p_reason", reason)
        .with("p_seq", number)
        .with("p_position", gap.position)
}

/// An object whose every key is a name becomes fields; anything else is one field.
fn payload(message: &Message, fields: Fields) -> Fields {
    match content::data(&message.content_type, &message.payload) {
        Data::Json(text) => match serde_json::from_str(text) {
            Ok(Value::Object(object)) if object.keys().all(|key| is_name(key)) => {
                object.into_iter().fold(fields, |fields, (name, value)| match value {
                    Value::String(text) => fields.with(&name, text),
                    value => fields.with(&name, value),
                })
            }
            _ => fields.with(FIELD, text),
        },
        Data::Text(text) => fields.with(FIELD, text),
        Data::Bytes(bytes) => fields.with(FIELD, content::base64(bytes)).with("encoding", "base64"),
    }
}
