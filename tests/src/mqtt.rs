//! A client of MQTT, strict about what the server sends (the codec refuses the rest).
//! Must never answer by itself: whether a message is acknowledged is the test's choice.

use std::collections::VecDeque;
use std::net::SocketAddr;

use tidings_mqtt_codec::{
    Ack, ConnAck, Connect, Decoder, Disconnect, Limits, Packet, PacketId, Publish, QoS, ReasonCode,
    SubAck, Subscribe, SubscribeFilter, Unsubscribe, Version,
};

use crate::wire::Wire;

/// Largest packet that a test reads.
const LIMITS: Limits = Limits { packet_bytes_max: 16 << 20 };

/// A connection of one client.
pub struct Mqtt {
    /// What CONNECT was answered.
    pub connack: ConnAck,
    /// The version it speaks.
    pub version: Version,
    wire: Wire,
    decoder: Decoder,
    packets: VecDeque<Packet>,
}

/// A number as a packet identifier.
#[track_caller]
pub fn packet_id(number: u16) -> PacketId {
    PacketId::new(number).unwrap_or_else(|| panic!("0 is no packet identifier"))
}

/// A CONNECT of MQTT 5 with this client identifier, which begins a new session that ends with the
/// connection.
pub fn v5(client_id: &str) -> Connect {
    Connect {
        version: Version::V5,
        clean_start: true,
        client_id: client_id.into(),
        ..Connect::default()
    }
}

/// A CONNECT of MQTT 3.1.1, likewise.
pub fn v311(client_id: &str) -> Connect {
    Connect { version: Version::V311, ..v5(client_id) }
}

/// A CONNECT for a session that stays: MQTT 5 for an hour, MQTT 3 for good.
pub fn lasting(version: Version, client_id: &str) -> Connect {
    let mut connect = Connect { version, clean_start: false, ..v5(client_id) };
    connect.properties.session_expiry = (version == Version::V5).then_some(3600);
    connect
}

/// A message of QoS 0; the identifier is for the other two.
pub fn publish(topic: &str, payload: impl AsRef<[u8]>, qos: QoS, id: u16) -> Publish {
    Publish {
        topic: topic.into(),
        payload: payload.as_ref().to_vec().into(),
        qos,
        packet_id: PacketId::new(id).filter(|_| qos > QoS::AtMostOnce),
        ..Publish::default()
    }
}

/// A filter without further options.
pub fn filter(filter: &str, qos: QoS) -> SubscribeFilter {
    SubscribeFilter { filter: filter.into(), qos, ..SubscribeFilter::default() }
}

impl Mqtt {
    /// Connects and reads the answer, which must be that it may.
    #[track_caller]
    pub fn connect(address: SocketAddr, connect: Connect) -> Mqtt {
        let client = Mqtt::open(address, connect);
        assert_eq!(client.connack.reason, ReasonCode::Success, "{:?}", client.connack);
        client
    }

    /// Connects and reads the answer, whatever it is.
    #[track_caller]
    pub fn open(address: SocketAddr, connect: Connect) -> Mqtt {
        Mqtt::open_on(Wire::connect(address), connect)
    }

    /// Begins on a connection that is there, and reads the answer, whatever it is.
    #[track_caller]
    pub fn open_on(wire: Wire, connect: Connect) -> Mqtt {
        let mut client = Mqtt::over(wire, connect.version);
        client.send(Packet::Connect(Box::new(connect)));
        match client.expect() {
            Packet::ConnAck(connack) => client.connack = *connack,
            other => panic!("no CONNACK, but {other:?}"),
        }
        client
    }

    /// Connects, unless nobody is there, or goes before it has answered.
    #[track_caller]
    pub fn try_connect(address: SocketAddr, connect: Connect) -> Option<Mqtt> {
        let mut client = Mqtt::over(Wire::try_connect(address)?, connect.version);
        client.try_send(&Packet::Connect(Box::new(connect))).ok()?;
        match client.packet()? {
            Packet::ConnAck(connack) => client.connack = *connack,
            other => panic!("no CONNACK, but {other:?}"),
        }
        assert_eq!(client.connack.reason, ReasonCode::Success, "{:?}", client.connack);
        Some(client)
    }

    /// A connection on which nothing was said yet.
    #[track_caller]
    pub fn raw(address: SocketAddr, version: Version) -> Mqtt {
        Mqtt::over(Wire::connect(address), version)
    }

    fn over(wire: Wire, version: Version) -> Mqtt {
        Mqtt {
            connack: ConnAck::default(),
            version,
            wire,
            decoder: Decoder::client(version, LIMITS),
            packets: VecDeque::new(),
        }
    }

    /// Sends a packet.
    #[track_caller]
    pub fn send(&mut self, packet: Packet) {
        let bytes = self.encode(&packet);
        self.wire.send(bytes);
    }

    /// Sends a packet, unless the server has closed.
    pub fn try_send(&mut self, packet: &Packet) -> std::io::Result<()> {
        let bytes = self.encode(packet);
        self.wire.try_send(bytes)
    }

    #[track_caller]
    fn encode(&self, packet: &Packet) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet
            .encode(self.version, &mut bytes)
            .unwrap_or_else(|error| panic!("{packet:?}: {error}"));
        bytes
    }

    /// The next packet, or nothing when the server has closed.
    #[track_caller]
    pub fn packet(&mut self) -> Option<Packet> {
        while self.packets.is_empty() {
            let bytes = self.wire.read_some()?;
            let mut input = &bytes[..];
            loop {
                match self.decoder.decode(&mut input) {
                    Ok(Some(packet)) => self.packets.push_back(packet),
                    Ok(None) => break,
                    Err(error) => panic!("the server broke the protocol: {error}"),
                }
            }
        }
        self.packets.pop_front()
    }

    /// The next packet.
    #[track_caller]
    pub fn expect(&mut self) -> Packet {
        self.packet().unwrap_or_else(|| panic!("the server closed"))
    }

    /// The next packet, which must be a message.
    #[track_caller]
    pub fn message(&mut self) -> Publish {
        match self.expect() {
            Packet::Publish(publish) => publish,
            other => panic!("no message, but {other:?}"),
        }
    }

    /// The payload of the next packet, which must be a message, as text; acknowledged to the end.
    #[track_caller]
    pub fn text(&mut self) -> String {
        let message = self.message();
        self.complete(&message);
        String::from_utf8_lossy(&message.payload).into_owned()
    }

    /// Acknowledges a message to the end.
    #[track_caller]
    pub fn complete(&mut self, message: &Publish) {
        let Some(id) = message.packet_id else { return };
        if message.qos == QoS::AtLeastOnce {
            return self.send(Packet::PubAck(Ack::success(id)));
        }
        self.send(Packet::PubRec(Ack::success(id)));
        self.await_packet(&Packet::PubRel(Ack::success(id)));
        self.send(Packet::PubComp(Ack::success(id)));
    }

    /// Reads until this packet; what comes before it is read later.
    #[track_caller]
    pub fn await_packet(&mut self, wanted: &Packet) {
        let mut before = VecDeque::new();
        loop {
            let packet = self.expect();
            if packet == *wanted {
                break;
            }
            before.push_back(packet);
        }
        before.append(&mut self.packets);
        self.packets = before;
    }

    /// Publishes a message and sees it through to its last acknowledgement.
    #[track_caller]
    pub fn publish(&mut self, publish: Publish) {
        let (qos, id) = (publish.qos, publish.packet_id);
        self.send(Packet::Publish(publish));
        let Some(id) = id else { return };
        if qos == QoS::AtLeastOnce {
            return self.await_packet(&Packet::PubAck(Ack::success(id)));
        }
        self.await_packet(&Packet::PubRec(Ack::success(id)));
        self.send(Packet::PubRel(Ack::success(id)));
        self.await_packet(&Packet::PubComp(Ack::success(id)));
    }

    /// Subscribes to these; gives what they were answered.
    #[track_caller]
    pub fn subscribe(&mut self, filters: Vec<SubscribeFilter>) -> Vec<ReasonCode> {
        self.subscribe_as(filters, None)
    }

    /// [`subscribe`](Mqtt::subscribe) with a subscription identifier.
    #[track_caller]
    pub fn subscribe_as(
        &mut self,
        filters: Vec<SubscribeFilter>,
        id: Option<u32>,
    ) -> Vec<ReasonCode> {
        let packet_id = packet_id(1000);
        let subscribe = Subscribe { packet_id, subscription_id: id, user: Vec::new(), filters };
        self.send(Packet::Subscribe(Box::new(subscribe)));
        self.answered(|packet| match packet {
            Packet::SubAck(ack) => Some(ack),
            _ => None,
        })
    }

    /// Subscribes to one filter, which must be granted.
    #[track_caller]
    pub fn reads(&mut self, text: &str, qos: QoS) {
        let answer = self.subscribe(vec![filter(text, qos)]);
        assert_eq!(answer.iter().map(|reason| *reason as u8).collect::<Vec<_>>(), [qos as u8]);
    }

    /// Unsubscribes; gives what it was answered.
    #[track_caller]
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Vec<ReasonCode> {
        let filters = filters.iter().map(|&text| text.to_owned()).collect();
        let unsubscribe = Unsubscribe { packet_id: packet_id(1001), user: Vec::new(), filters };
        self.send(Packet::Unsubscribe(Box::new(unsubscribe)));
        self.answered(|packet| match packet {
            Packet::UnsubAck(ack) => Some(ack),
            _ => None,
        })
    }

    #[track_caller]
    fn answered(&mut self, take: impl Fn(&Packet) -> Option<&SubAck>) -> Vec<ReasonCode> {
        let mut before = VecDeque::new();
        let reasons = loop {
            let packet = self.expect();
            if let Some(ack) = take(&packet) {
                break ack.reasons.clone();
            }
            before.push_back(packet);
        };
        before.append(&mut self.packets);
        self.packets = before;
        reasons
    }

    /// Checks that the server has nothing more to say to what it was sent so far.
    #[track_caller]
    pub fn expect_quiet(&mut self) {
        self.send(Packet::PingReq);
        assert_eq!(self.packet(), Some(Packet::PingResp));
    }

    /// Says DISCONNECT with this reason, and waits for the end.
    #[track_caller]
    pub fn disconnect(mut self, reason: ReasonCode) {
        let disconnect = Disconnect { reason, ..Disconnect::default() };
        self.send(Packet::Disconnect(Box::new(disconnect)));
        self.expect_end();
    }

    /// Reads to the end of the connection, whatever comes before, and gives the reason that the
    /// server told, if it told one.
    #[track_caller]
    pub fn reason(&mut self) -> Option<ReasonCode> {
        let mut reason = None;
        while let Some(packet) = self.packet() {
            assert_eq!(reason, None, "the server said more after DISCONNECT: {packet:?}");
            if let Packet::Disconnect(disconnect) = packet {
                reason = Some(disconnect.reason);
            }
        }
        reason
    }

    /// Checks that the connection ends and nothing comes before that.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.packet(), None);
    }

    /// The connection under it.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
