//! What a client's session remembers besides how far it has come: its subscriptions, what arrived
//! out of order, and which packet identifiers are in use. Versions to come must read what this one
//! wrote.

use bytes::{Buf, BufMut, Bytes};
use tidings_model::{LogKind, Mark, Topic, TopicFilter};
use tidings_mqtt_codec::{PacketId, QoS};

use crate::filters::{Filter, From};
use crate::flights::Arrived;

/// The version of the form.
const VERSION: u8 = 1;

const NO_LOCAL: u8 = 1 << 2;
const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
const HAS_ID: u8 = 1 << 4;

/// What topics say to a subscription that has begun, and how much of it has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recalling {
    /// Of which subscription.
    pub(crate) filter: TopicFilter,
    /// The last topic of which everything has arrived.
    pub(crate) after: Option<Topic>,
}

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    pub(crate) filters: Vec<Filter>,
    /// Shared subscriptions, by what their members call themselves.
    pub(crate) shared: Vec<(Box<str>, Filter)>,
    /// What arrived though something before it has not.
    pub(crate) arrived: Vec<Arrived>,
    /// Packet identifiers of messages to the client whose PUBCOMP is to come.
    pub(crate) released: Vec<PacketId>,
    /// Packet identifiers of messages from the client whose PUBREL is to come.
    pub(crate) received: Vec<PacketId>,
    pub(crate) recalling: Vec<Recalling>,
}

impl Notes {
    /// The bytes of it.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        out.put_u16(self.filters.len() as u16);
        for filter in &self.filters {
            write_filter(&mut out, filter);
        }
        out.put_u16(self.shared.len() as u16);
        for (name, filter) in &self.shared {
            write_text(&mut out, name);
            write_filter(&mut out, filter);
        }
        out.put_u16(self.arrived.len() as u16);
        for Arrived { log, mark } in &self.arrived {
            out.put_u8(*log as u8);
            out.put_u32(mark.epoch);
            out.put_u64(mark.offset);
        }
        for ids in [&self.released, &self.received] {
            out.put_u16(ids.len() as u16);
            for id in ids {
                out.put_u16(id.get());
            }
        }
        out.put_u16(self.recalling.len() as u16);
        for Recalling { filter, after } in &self.recalling {
            write_text(&mut out, filter.as_str());
            write_text(&mut out, after.as_ref().map_or("", Topic::as_str));
        }
        out.into()
    }

    /// What the bytes say; nothing when they are not what [`Notes::encode`] wrote.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Notes> {
        let from = &mut bytes;
        if from.try_get_u8().ok()? != VERSION {
            return None;
        }
        let mut notes = Notes::default();
        for _ in 0..from.try_get_u16().ok()? {
            notes.filters.push(read_filter(from)?);
        }
        for _ in 0..from.try_get_u16().ok()? {
            notes.shared.push((read_text(from)?.into(), read_filter(from)?));
        }
        for _ in 0..from.try_get_u16().ok()? {
            let log = *LogKind::ALL.get(usize::from(from.try_get_u8().ok()?))?;
            let (epoch, offset) = (from.try_get_u32().ok()?, from.try_get_u64().ok()?);
            notes.arrived.push(Arrived { log, mark: Mark { epoch, offset } });
        }
        for ids in [&mut notes.released, &mut notes.received] {
            for _ in 0..from.try_get_u16().ok()? {
                ids.push(PacketId::new(from.try_get_u16().ok()?)?);
            }
        }
        for _ in 0..from.try_get_u16().ok()? {
            let filter = TopicFilter::new(read_text(from)?).ok()?;
            let after = match read_text(from)? {
                "" => None,
                topic => Some(Topic::new(topic).ok()?),
            };
            notes.recalling.push(Recalling { filter, after });
        }
        from.is_empty().then_some(notes)
    }
}

fn write_filter(out: &mut Vec<u8>, filter: &Filter) {
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    write_text(out, filter.filter.as_str());
    out.put_u8(
        filter.qos as u8
            | flag(filter.no_local, NO_LOCAL)
            | flag(filter.retain_as_published, RETAIN_AS_PUBLISHED)
            | flag(filter.id.is_some(), HAS_ID),
    );
    if let Some(id) = filter.id {
        out.put_u32(id);
    }
    match &filter.since {
        From::After(since) => write_text(out, &since.to_string()),
        From::Here | From::Unknown => write_text(out, ""),
    }
}

fn read_filter(from: &mut &[u8]) -> Option<Filter> {
    let filter = TopicFilter::new(read_text(from)?).ok()?;
    let flags = from.try_get_u8().ok()?;
    let id = match flags & HAS_ID {
        0 => None,
        _ => Some(from.try_get_u32().ok()?),
    };
    let since = match read_text(from)? {
        "" => From::Here,
        position => From::After(Box::new(position.parse().ok()?)),
    };
    Some(Filter {
        filter,
        qos: QoS::from_u8(flags & 3)?,
        no_local: flags & NO_LOCAL != 0,
        retain_as_published: flags & RETAIN_AS_PUBLISHED != 0,
        id,
        since,
    })
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    // Topics, filters and positions are far shorter than that.
    out.put_u16(text.len() as u16);
    out.extend_from_slice(text.as_bytes());
}

fn read_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(from.try_get_u16().ok()?);
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use tidings_model::Position;

    use super::*;

    #[test]
    fn notes_come_back_as_they_were() {
        let mark = Mark { epoch: 7, offset: 1 << 40 };
        let id = |number| PacketId::new(number).unwrap();
        let filter = Filter {
            filter: TopicFilter::new("a/*/**").unwrap(),
            qos: QoS::ExactlyOnce,
            no_local: true,
            retain_as_published: true,
            id: Some(268_435_455),
            since: From::After(Box::new(Position::at(LogKind::Volatile, mark))),
        };
        let notes = Notes {
            filters: vec![filter.clone()],
            shared: vec![("workers".into(), filter)],
            arrived: vec![Arrived { log: LogKind::Durable, mark }],
            released: vec![id(1), id(65_535)],
            received: vec![id(9)],
            recalling: vec![Recalling {
                filter: TopicFilter::new("**").unwrap(),
                after: Some(Topic::new("a").unwrap()),
            }],
        };
        let bytes = notes.encode();
        assert_eq!(Notes::decode(&bytes), Some(notes));
        for end in 0..bytes.len() {
            assert_eq!(Notes::decode(&bytes[..end]), None);
        }
        assert_eq!(Notes::decode(&Notes::default().encode()), Some(Notes::default()));
    }
}
