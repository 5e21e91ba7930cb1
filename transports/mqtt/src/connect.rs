//! CONNECT and its answer (sections 3.1 and 3.2): who the client is, and which session it has.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::time::Duration;

use tidings_model::{
    AckMode, Exposure, Position, Refusal, Resumed, SessionName, SessionOptions, Since, Slow,
    SubscribeOptions, Will,
};
use tidings_mqtt_codec as codec;
use tidings_mqtt_codec::{Ack, ConnAck, ConnAckProperties, Connect, Packet, ReasonCode, Version};
use tidings_protocol::CloseReason;

use crate::aliases::INCOMING_MAX;
use crate::filters::Filters;
use crate::login::Entering;
use crate::machine::{Machine, Stage, packet_bytes_max};
use crate::message::{self, Content, Refused};
use crate::names;
use crate::notes::Notes;
use crate::recall::Recall;
use crate::turn::{Link, Turn};

/// What the names of clients' sessions begin with, among all sessions.
const PREFIX: &str = "mqtt:";

/// A session that is not there yet.
#[derive(Default)]
pub(crate) struct Opening {
    /// Who the client will be, where that is being found out.
    pub(crate) entering: Option<Box<Entering>>,
    /// What the answer says besides, if all goes well.
    pub(crate) properties: ConnAckProperties,
    /// What the session remembers, if it was there.
    present: Option<Notes>,
    /// What the client has sent meanwhile.
    early: Vec<u8>,
}

impl Opening {
    /// Keeps what the client sends before it is answered, up to so many bytes. Says whether it did.
    pub(crate) fn keep(&mut self, bytes: &[u8], most: usize) -> bool {
        let has_room = self.early.len() + bytes.len() <= most;
        if has_room {
            self.early.extend_from_slice(bytes);
        }
        has_room
    }
}

impl Machine {
    pub(crate) fn connect(&mut self, connect: Connect, turn: &mut Turn<'_>) {
        self.link.version = connect.version;
        self.link.explains = connect.properties.request_problem_information;
        if let Err(refused) = self.open(connect, turn) {
            let Refused { reason, text } = refused;
            self.refuse(reason, &text, None, turn);
        }
    }

    /// Answers CONNECT with a refusal.
    pub(crate) fn refuse(
        &mut self,
        reason: ReasonCode,
        why: &str,
        server_reference: Option<String>,
        turn: &mut Turn<'_>,
    ) {
        let reason_string = self.link.explains.then(|| why.to_owned());
        let properties =
            ConnAckProperties { reason_string, server_reference, ..ConnAckProperties::default() };
        let connack = ConnAck { session_present: false, reason, properties };
        turn.send(&Packet::ConnAck(Box::new(connack)), &self.link);
        self.close(CloseReason::Done, turn);
    }

    fn open(&mut self, mut connect: Connect, turn: &mut Turn<'_>) -> Result<(), Refused> {
        if let Some(reference) = self.settings.redirect.clone() {
            let why = "this server sends its clients to another one";
            self.refuse(ReasonCode::UseAnotherServer, why, Some(reference.into()), turn);
            return Ok(());
        }
        let mut properties = self.offer(&connect);
        if connect.client_id.is_empty() {
            connect.client_id = self.make_id();
            properties.assigned_client_id = Some(connect.client_id.clone());
        }
        let name = session_name(&connect.client_id)?;
        let expiry = self.expiry(&connect, &mut properties);
        let session = (!expiry.is_zero()).then(|| name.clone());
        self.link = self.link_of(&connect, session, &properties);
        let will = connect.will.take().map(|will| self.will(will, turn)).transpose()?;
        // A session that was there may have messages at once.
        let limit = (!connect.clean_start).then_some(u32::from(self.link.receive_max));
        self.allowed = limit;
        let session = SessionOptions {
            name,
            acks: Some(AckMode::Noted),
            expiry: Some(expiry),
            fresh: connect.clean_start,
            will: will.map(Box::new),
        };
        let options = SubscribeOptions {
            filters: Vec::new(),
            since: None,
            otherwise: Since::Now,
            slow: Slow::Gap,
            window: None,
            limit,
            session: Some(session),
            share: None,
            exposure: Exposure::Private,
        };
        self.log_in(&connect, Opening { properties, ..Opening::default() }, options, turn)
    }

    /// What the server has to say of itself to a client of MQTT 5.
    fn offer(&self, connect: &Connect) -> ConnAckProperties {
        let longest = u16::try_from(self.settings.keep_alive_max.as_secs()).unwrap_or(u16::MAX);
        let is_too_long = connect.keep_alive > longest
            || connect.keep_alive == 0 && longest < KEEP_ALIVE_FREE.as_secs() as u16;
        ConnAckProperties {
            receive_maximum: NonZeroU16::new(self.settings.inflight_max),
            maximum_packet_size: u32::try_from(packet_bytes_max(&self.settings))
                .ok()
                .and_then(NonZeroU32::new),
            topic_alias_maximum: INCOMING_MAX,
            server_keep_alive: is_too_long.then_some(longest),
            ..ConnAckProperties::default()
        }
    }

    /// A name for a client that has none.
    fn make_id(&self) -> String {
        let bytes = self.settings.random.bytes();
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("tidings-{digits}")
    }

    /// How long the session is kept after the connection.
    fn expiry(&self, connect: &Connect, properties: &mut ConnAckProperties) -> Duration {
        match connect.version {
            Version::V5 => {
                let asked = connect.properties.session_expiry.unwrap_or(0);
                let expiry = self.span(asked);
                let given = u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX);
                properties.session_expiry = (given != asked).then_some(given);
                expiry
            }
            // Clean Session is both: a new one now, and none afterwards.
            _ if connect.clean_start => Duration::ZERO,
            _ => self.settings.session_max,
        }
    }

    fn link_of(
        &self,
        connect: &Connect,
        session: Option<SessionName>,
        offer: &ConnAckProperties,
    ) -> Link {
        let keep_alive = offer.server_keep_alive.unwrap_or(connect.keep_alive);
        let properties = &connect.properties;
        let receive_max = properties.receive_maximum.map_or(u16::MAX, NonZeroU16::get);
        Link {
            version: connect.version,
            explains: properties.request_problem_information,
            session,
            // One and a half times (section 3.1.2.10).
            patience_ms: u32::from(keep_alive) * 1500,
            receive_max: receive_max.min(self.settings.inflight_max),
            packet_bytes_max: properties.maximum_packet_size.map_or(u32::MAX, NonZeroU32::get),
            alias_max: properties.topic_alias_maximum,
            origin: origin(&connect.client_id),
            heard: self.link.heard,
        }
    }

    fn will(&self, will: codec::Will, turn: &Turn<'_>) -> Result<Will, Refused> {
        let topic = names::topic(&will.topic)
            .map_err(|error| Refused::new(ReasonCode::TopicNameInvalid, error))?;
        if topic.is_reserved() {
            let text = "topics that begin with $ are the server's own";
            return Err(Refused::new(ReasonCode::NotAuthorized, text));
        }
        let properties = will.properties.as_deref();
        let (payload, qos, retain) = (will.payload, will.qos, will.retain);
        let content = Content { payload, qos, retain, properties };
        let message = message::message(topic, content, self.link.origin, turn.now)?;
        let lifetime = properties.and_then(|properties| properties.message_expiry);
        Ok(Will {
            message,
            delay: Duration::from_secs(will.delay.into()),
            lifetime: lifetime.map(|seconds| Duration::from_secs(seconds.into())),
        })
    }

    /// The session was there before.
    pub(crate) fn resumed(&mut self, resumed: &Resumed) {
        self.resumed = Some(Box::new(resumed.end));
        if let Stage::Opening(opening) = &mut self.stage {
            // What an older version wrote is there without what this one notes.
            opening.present = Some(Notes::decode(&resumed.notes).unwrap_or_default());
        }
    }

    /// The session is there, or is refused.
    pub(crate) fn subscribed(&mut self, result: Result<Position, Refusal>, turn: &mut Turn<'_>) {
        let Stage::Opening(opening) = &mut self.stage else { return };
        let Opening { properties, present, early, .. } = std::mem::take(&mut **opening);
        match result {
            Err(refusal) => {
                let reason = match &refusal {
                    Refusal::TooManySessions(_) => ReasonCode::QuotaExceeded,
                    // The name is another user's, or the will says what this one may not.
                    Refusal::SessionForbidden(_) | Refusal::PublishForbidden(_) => {
                        ReasonCode::NotAuthorized
                    }
                    _ => ReasonCode::ServerUnavailable,
                };
                self.refuse(reason, &refusal.to_string(), None, turn);
            }
            Ok(position) => {
                self.position = position;
                let session_present = present.is_some();
                let connack = ConnAck { session_present, reason: ReasonCode::Success, properties };
                turn.send(&Packet::ConnAck(Box::new(connack)), &self.link);
                if let Some(notes) = present {
                    self.restore(notes, turn);
                }
                self.go_on(&early, turn);
            }
        }
    }

    /// Goes on where the session's last connection ended (section 4.4).
    fn restore(&mut self, notes: Notes, turn: &mut Turn<'_>) {
        self.filters = Filters::new(notes.filters);
        if !(notes.arrived.is_empty() && notes.released.is_empty() && notes.received.is_empty()) {
            for id in &notes.released {
                turn.send(&Packet::PubRel(Ack::success(*id)), &self.link);
            }
            let work = self.work();
            work.flights.arrived = notes.arrived;
            work.flights.released = notes.released;
            work.received = notes.received;
        }
        for (name, filter) in notes.shared {
            self.join(name, filter, turn);
        }
        for recalling in notes.recalling {
            let of = self.filters.iter().find(|filter| filter.filter == recalling.filter).cloned();
            if let Some(filter) = of {
                self.begin_recall(Recall::new(filter, recalling.after), turn);
            }
        }
    }
}

/// A keep-alive that long is as good as none.
const KEEP_ALIVE_FREE: Duration = Duration::from_secs(18 * 60 * 60);

/// The name of a client's session among all sessions.
fn session_name(client_id: &str) -> Result<SessionName, Refused> {
    let mut name = PREFIX.to_owned();
    for character in client_id.chars() {
        match character {
            '/' => name.push_str("%2F"),
            '*' => name.push_str("%2A"),
            '%' => name.push_str("%25"),
            character => name.push(character),
        }
    }
    SessionName::new(&name).map_err(|error| {
        let text = format!("the client identifier is not accepted: {error}");
        Refused::new(ReasonCode::ClientIdentifierNotValid, text)
    })
}

/// The number of a client: FNV-1a of its identifier, the same in every life of the server.
fn origin(client_id: &str) -> NonZeroU64 {
    let hash = client_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    NonZeroU64::new(hash).unwrap_or(NonZeroU64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_identifiers_are_names_of_sessions() {
        for (id, name) in [("a", "mqtt:a"), ("a/b*c%", "mqtt:a%2Fb%2Ac%25"), ("..", "mqtt:..")] {
            assert_eq!(session_name(id).map(|name| name.as_str().to_owned()), Ok(name.to_owned()));
        }
        assert!(session_name(&"x".repeat(124)).is_err());
        assert!(session_name("a\n").is_err());
    }
}
