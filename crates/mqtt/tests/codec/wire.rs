//! Bytes for the tests: handshakes, and decoders that are past them.

use tidings_mqtt_codec::{
    Connect, DecodeError, Decoder, Fault, Limits, Packet, PacketType, ReasonCode, Version,
};

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

/// A packet with this first byte and everything behind the Remaining Length.
pub(crate) fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut len = body.len();
    while len > 0x7f {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    [&bytes, body].concat()
}

/// What a rule says of some bytes: what is wrong, where the standard says so, and what to answer.
pub(crate) type Refusal = (Fault, &'static str, ReasonCode);

/// Checks that the decoder refuses the bytes as it should, at once and cut, and again and again.
#[track_caller]
pub(crate) fn check_refused(decoder: impl Fn() -> Decoder, bytes: &[u8], refusal: Refusal) {
    let (fault, statement, reason) = refusal;
    let mut whole = decoder();
    let (packets, error) = hear(&mut whole, [bytes]);
    let Some(error) = error else { panic!("{bytes:x?} should be {fault:?}, is {packets:?}") };
    assert_eq!((error.fault(), error.reason()), (fault, reason), "{bytes:x?} {error}");
    let text = error.to_string();
    assert!(text.ends_with(&format!(" [{statement}]")), "{text}, not {statement}");
    assert_eq!(whole.decode(&mut &b"\xc0\0"[..]), Err(error));
    assert!(whole.is_idle());
    assert_eq!(hear(&mut decoder(), bytes.chunks(1)).1, Some(error), "byte by byte");
}
