//! Messages to the client (sections 3.3 to 3.7 and 4.3).

use bytes::Bytes;
use tidings_model::{Delivery, Encoding, Event, Position, Record, Time, Topic};
use tidings_mqtt_codec::{Ack, Packet, PacketId, Publish, QoS, ReasonCode, Version};
use tidings_protocol::Output;

use crate::filters::Delivered;
use crate::flights::{Acked, packet_id};
use crate::machine::{Machine, SUB};
use crate::message;
use crate::turn::Turn;

/// Most messages that are remembered though they have arrived, since one before them has not; in
/// receive maximums.
const REMEMBERED: usize = 4;

/// What the topics begin with that keep what other topics say.
const RETAINED: &str = "$retained/";

/// A message without packet identifier, of MQTT 3,
static PLAIN_3: Encoding = Encoding { name: "mqtt 3, qos 0" };
/// and of MQTT 5;
static PLAIN_5: Encoding = Encoding { name: "mqtt 5, qos 0" };
/// one with room for a packet identifier, of MQTT 3,
static ACKED_3: Encoding = Encoding { name: "mqtt 3, qos 1" };
/// and of MQTT 5.
static ACKED_5: Encoding = Encoding { name: "mqtt 5, qos 1" };

/// Flags of PUBLISH (section 3.3.1).
const DUP: u8 = 1 << 3;
const RETAIN: u8 = 1;
const QOS: u8 = 3 << 1;

/// A message on its way to this client.
pub(crate) struct Sending<'a> {
    pub(crate) record: &'a Record,
    pub(crate) delivered: &'a Delivered,
    /// Whether it was sent before.
    pub(crate) is_again: bool,
}

impl Machine {
    /// What there is to read.
    pub(crate) fn deliver(
        &mut self,
        deliveries: &[Delivery],
        position: Position,
        turn: &mut Turn<'_>,
    ) {
        for delivery in deliveries {
            match delivery {
                Delivery::Gap(gap) => self.gap = Some(gap.reason),
                Delivery::Event(event) => {
                    if let Some(allowed) = &mut self.allowed {
                        *allowed = allowed.saturating_sub(1);
                    }
                    if self.any_work().is_some_and(|work| !work.held.is_empty())
                        || !self.send(event, turn)
                    {
                        self.work().held.push_back(event.clone());
                    }
                }
            }
        }
        self.filters.pass(position);
        let is_level =
            self.any_work().is_none_or(|work| work.held.is_empty() && work.flights.is_level());
        if is_level {
            self.position = position;
            // What topics say is read apart from what is published.
            if let Some(work) = self.any_work().filter(|work| work.recalls.is_empty()) {
                work.flights.forget(position);
            }
        }
        turn.is_changed |= !deliveries.is_empty();
    }

    /// Sends what had to wait, as far as it need not any more, and lets the broker go on.
    pub(crate) fn pump(&mut self, turn: &mut Turn<'_>) {
        if turn.close.is_some() {
            return;
        }
        while let Some(event) = self.any_work().and_then(|work| work.held.front().cloned()) {
            if !self.send(&event, turn) {
                break;
            }
            self.work().held.pop_front();
        }
        self.pump_recalls(turn);
        self.pump_shared(turn);
        let most = usize::from(self.link.receive_max);
        let Some(allowed) = self.allowed else { return };
        let room = self.any_work().map_or(most, |work| {
            let waiting = work.held.len();
            let remembered = (REMEMBERED * most).saturating_sub(work.flights.len() + waiting);
            most.saturating_sub(work.flights.open() + waiting).min(remembered)
        });
        // Not after every message.
        if room > 0 && allowed as usize * 2 <= room {
            let room = u32::try_from(room).unwrap_or(u32::MAX);
            self.allowed = Some(room);
            turn.out.push(Output::Allow(SUB, room));
        }
    }

    /// Sends a message if it can be sent now; says whether that was done, or need not be.
    fn send(&mut self, event: &Event, turn: &mut Turn<'_>) -> bool {
        let Event { record, position, attempt } = event;
        let origin = self.link.origin.get();
        let delivered = self.filters.delivered(record, origin);
        let delivered = delivered.filter(|delivered| {
            // One that was published while the client was away is only kept if it is acknowledged.
            let is_old = |end: &Position| end.covers(record.log, record.mark);
            delivered.qos > QoS::AtMostOnce || !self.resumed.as_deref().is_some_and(is_old)
        });
        let Some(delivered) = delivered else {
            self.pass(record, *position);
            return true;
        };
        if delivered.qos == QoS::AtMostOnce {
            let sending = Sending { record, delivered: &delivered, is_again: false };
            self.write(&sending, turn);
            self.pass(record, *position);
            return true;
        }
        let most = usize::from(self.link.receive_max);
        let flights = &mut self.work().flights;
        if flights.had_arrived(record) {
            flights.passed(record, *position);
            return true;
        }
        if flights.open() >= most || flights.is_taken(record) {
            return false;
        }
        let sending = Sending { record, delivered: &delivered, is_again: *attempt > 1 };
        match self.write(&sending, turn) {
            true => {
                self.work().flights.sent(record, delivered.qos, *position);
            }
            // The client does not take packets that large (section 3.1.2.11.4).
            false => self.pass(record, *position),
        }
        true
    }

    fn pass(&mut self, record: &Record, position: Position) {
        if let Some(work) = self.any_work() {
            work.flights.passed(record, position);
        }
    }

    /// Writes a message down for the client. Says whether it takes packets that large.
    pub(crate) fn write(&mut self, sending: &Sending<'_>, turn: &mut Turn<'_>) -> bool {
        let &Sending { record, delivered, is_again } = sending;
        let is_5 = self.link.version == Version::V5;
        let is_plain = delivered.qos == QoS::AtMostOnce;
        let has_own =
            is_5 && (!delivered.ids.is_empty() || self.gap.is_some() || self.link.alias_max > 0);
        let most = self.link.packet_bytes_max as usize;
        if has_own || !message::is_constant(&record.message) {
            return self.write_own(sending, turn);
        }
        let encoding = match (is_5, is_plain) {
            (false, true) => &PLAIN_3,
            (false, false) => &ACKED_3,
            (true, true) => &PLAIN_5,
            (true, false) => &ACKED_5,
        };
        let version = self.link.version;
        let bytes = record.encoded(encoding, |record| shared(record, version, is_plain));
        if bytes.is_empty() || bytes.len() > most {
            return false;
        }
        if is_plain && !delivered.retain {
            turn.send_shared(bytes);
            return true;
        }
        let buffer = turn.buffer();
        let from = buffer.len();
        buffer.extend_from_slice(&bytes);
        let packet = &mut buffer[from..];
        packet[0] = (packet[0] & !(QOS | DUP | RETAIN))
            | (delivered.qos as u8) << 1
            | if is_again { DUP } else { 0 }
            | if delivered.retain { RETAIN } else { 0 };
        if !is_plain {
            let at = packet_id_at(packet);
            packet[at..at + 2].copy_from_slice(&packet_id(record).get().to_be_bytes());
        }
        true
    }

    /// Writes a message down that no other client is sent in the same way.
    fn write_own(&mut self, sending: &Sending<'_>, turn: &mut Turn<'_>) -> bool {
        let &Sending { record, delivered, is_again } = sending;
        let (version, most) = (self.link.version, self.link.packet_bytes_max as usize);
        let Some(topic) = topic_of(record) else { return false };
        let mut publish = message::publish(&topic, &record.message, turn.now);
        publish.qos = delivered.qos;
        publish.retain = delivered.retain;
        publish.dup = is_again && delivered.qos > QoS::AtMostOnce;
        publish.packet_id = (delivered.qos > QoS::AtMostOnce).then(|| packet_id(record));
        if version == Version::V5 {
            let properties = publish.properties.get_or_insert_default();
            properties.subscription_ids.clone_from(&delivered.ids);
            if let Some(reason) = self.gap.take() {
                properties.user.push(("tidings-gap".to_owned(), reason.as_str().to_owned()));
            }
            self.shorten(&mut publish, &topic);
        }
        if publish.encoded_len(version) > most {
            return false;
        }
        publish.encode(version, turn.buffer()).is_ok()
    }

    /// Has an alias stand for the topic, if the client takes them.
    fn shorten(&mut self, publish: &mut Publish, topic: &Topic) {
        let most = self.link.alias_max;
        if most == 0 {
            return;
        }
        if let Some((alias, is_new)) = self.work().aliases.of(topic, most) {
            publish.properties.get_or_insert_default().topic_alias = Some(alias);
            if !is_new {
                publish.topic.clear();
            }
        }
    }

    /// A message of QoS 1 has arrived.
    pub(crate) fn puback(&mut self, ack: &Ack, turn: &mut Turn<'_>) {
        self.acked(ack.packet_id, QoS::AtLeastOnce, turn);
    }

    /// A message of QoS 2 has arrived, or is not wanted.
    pub(crate) fn pubrec(&mut self, ack: &Ack, turn: &mut Turn<'_>) {
        let id = ack.packet_id;
        let is_known = self.acked(id, QoS::ExactlyOnce, turn) != Acked::Unknown;
        if ack.reason.is_error() || turn.close.is_some() {
            return;
        }
        let is_released = self.any_work().is_some_and(|work| work.flights.released.contains(&id));
        if !is_known && !is_released {
            let reason = ReasonCode::PacketIdentifierNotFound;
            let packet = Packet::PubRel(Ack { packet_id: id, reason, properties: None });
            return turn.send(&packet, &self.link);
        }
        if is_known {
            self.work().flights.released.push(id);
        }
        // Stored before it is said: the client forgets the message then, and must not get it again.
        turn.send_stored(&Packet::PubRel(Ack::success(id)), &self.link);
    }

    /// The client has let go of a message of QoS 2.
    pub(crate) fn pubcomp(&mut self, ack: &Ack, turn: &mut Turn<'_>) {
        let id = ack.packet_id;
        if let Some(work) = self.any_work() {
            if work.flights.is_open(id) {
                return self.wrong_kind(turn);
            }
            work.flights.released.retain(|&released| released != id);
            turn.is_changed = true;
        }
    }

    /// The client has acknowledged a message as one of another QoS: it would be under way for ever.
    fn wrong_kind(&mut self, turn: &mut Turn<'_>) {
        let why = "a message was acknowledged as one of another QoS";
        self.fail(ReasonCode::ProtocolError, why, turn);
    }

    fn acked(&mut self, id: PacketId, qos: QoS, turn: &mut Turn<'_>) -> Acked {
        let Some(work) = self.any_work() else { return Acked::Unknown };
        let acked = work.flights.acked(id, qos);
        if acked == Acked::Unknown && work.flights.is_open(id) {
            self.wrong_kind(turn);
            return acked;
        }
        let landed = work.flights.land();
        if let Some(position) = landed {
            self.position = position;
        }
        turn.is_changed |= acked != Acked::Unknown;
        if let Acked::Dealt(sub, log, mark) = acked {
            turn.out.push(Output::Settle(sub, log, mark));
        }
        acked
    }
}

/// A message as many clients are sent it, with room for a packet identifier unless it is `plain`;
/// nothing when it cannot be written.
fn shared(record: &Record, version: Version, is_plain: bool) -> Bytes {
    let Some(topic) = topic_of(record) else { return Bytes::new() };
    // It does not expire, so the time plays no part.
    let mut publish = message::publish(&topic, &record.message, Time::default());
    if !is_plain {
        publish.qos = QoS::AtLeastOnce;
        publish.packet_id = Some(PacketId::MIN);
    }
    let mut out = Vec::new();
    match publish.encode(version, &mut out) {
        Ok(_) => out.into(),
        Err(_) => Bytes::new(),
    }
}

/// The topic that a message was published to.
fn topic_of(record: &Record) -> Option<Topic> {
    let topic = &record.message.topic;
    match topic.as_str().strip_prefix(RETAINED) {
        None => Some(topic.clone()),
        Some(name) => Topic::new(name).ok(),
    }
}

/// Where the packet identifier of a PUBLISH stands: behind the length and the topic.
fn packet_id_at(packet: &[u8]) -> usize {
    let length_bytes = 1 + packet[1..].iter().take_while(|byte| **byte & 0x80 != 0).count();
    let topic_at = 1 + length_bytes;
    let topic_bytes = usize::from(u16::from_be_bytes([packet[topic_at], packet[topic_at + 1]]));
    topic_at + 2 + topic_bytes
}
