//! Bytes for the tests: handshakes, and decoders that are past them.

use tidings_mqtt_codec::{Connect, DecodeError, Decoder, Limits, Packet, PacketType, Version};

pub(crate) const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

pub(crate) fn encode(packet: &Packet, version: Version) -> Vec<u8> {
    let mut out = b"before".to_vec();
    packet.encode(version, &mut out).unwrap_or_else(|error| panic!("{packet:?}: {error}"));
    assert!(out.starts_with(b"before"));
    out.split_off(6)
}

/// What a client says first.
pub(crate) fn hello(version: Version) -> Packet {
    Packet::Connect(Box::new(Connect {
        version,
        clean_start: true,
        client_id: "c".into(),
        ..Connect::default()
    }))
}

/// A server's decoder that has had CONNECT.
pub(crate) fn server(version: Version) -> Decoder {
    server_with(version, Limits::default())
}

pub(crate) fn server_with(version: Version, limits: Limits) -> Decoder {
    let mut decoder = Decoder::server(limits);
    let hello = hello(version);
    assert_eq!(decoder.decode(&mut &encode(&hello, version)[..]), Ok(Some(hello)));
    decoder
}

/// A client's decoder that has had CONNACK.
pub(crate) fn client(version: Version) -> Decoder {
    let mut decoder = Decoder::client(version, Limits::default());
    let welcome = Packet::ConnAck(Box::default());
    assert_eq!(decoder.decode(&mut &encode(&welcome, version)[..]), Ok(Some(welcome)));
    decoder
}

/// A decoder that may be told such a packet next.
pub(crate) fn listener(kind: PacketType, version: Version) -> Decoder {
    match kind {
        PacketType::Connect => Decoder::server(Limits::default()),
        PacketType::ConnAck => Decoder::client(version, Limits::default()),
        PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => client(version),
        _ => server(version),
    }
}

/// Everything in the pieces, up to what is wrong.
pub(crate) fn hear<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Packet>, Option<DecodeError>) {
    let mut packets = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(error)),
            }
        }
        assert!(piece.is_empty());
        assert_eq!(decoder.is_idle(), decoder.held_bytes() == 0);
    }
    (packets, None)
}
