//! The MQTT decoder: the same bytes mean the same however they are cut, what was read can be
//! written and read again, and no more is held than a packet may have.

use tidings_mqtt_codec::{ConnAck, Connect, DecodeError, Decoder, Limits, Packet, Version};

use crate::input::Input;

/// Largest packet here; small, so that the limit is met.
const PACKET_BYTES_MAX: usize = 1000;

/// Above the limit a decoder may hold what it needs to go on with a cut packet.
const BESIDES_MAX: usize = 100;

/// Reads the bytes as one side of a connection that is new or open, whole and cut.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let kind = input.byte();
    let cut = usize::from(input.byte()) + 1;
    let (packets, error) = hear(kind, [input.0]);
    let whole = (packets.as_slice(), &error);
    let other = hear(kind, input.0.chunks(cut));
    assert_eq!((other.0.as_slice(), &other.1), whole, "cut every {cut} bytes");
    let other = hear(kind, input.0.chunks(1));
    assert_eq!((other.0.as_slice(), &other.1), whole, "byte by byte");
    if let Some(error) = error {
        assert!(error.reason().is_error() && error.to_string().ends_with(']'), "{error}");
    }
    write_again(kind, &packets);
}

/// Writes what was read, and reads that.
fn write_again(kind: u8, packets: &[Packet]) {
    let mut version = decoder(kind).version();
    let mut bytes = Vec::new();
    for packet in packets {
        if let Packet::Connect(connect) = packet {
            version = Some(connect.version);
        }
        let version = version.expect("nothing is read before the version is known");
        let before = bytes.len();
        packet.encode(version, &mut bytes).expect("what was read can be written");
        if let Packet::Publish(message) = packet {
            assert_eq!(message.encoded_len(version), bytes.len() - before);
        }
    }
    assert_eq!(hear(kind, [&bytes[..]]), (packets.to_vec(), None), "{bytes:x?}");
}

/// One of ten: a server that has heard nothing, or CONNECT in each version; a client in each
/// version that has heard nothing, or CONNACK.
fn decoder(kind: u8) -> Decoder {
    let limits = Limits { packet_bytes_max: PACKET_BYTES_MAX };
    let kind = kind % 10;
    let version = [Version::V31, Version::V311, Version::V5][usize::from(kind % 3)];
    let (mut decoder, first) = match kind {
        0..=2 => {
            let connect = Connect { version, client_id: "c".into(), ..Connect::default() };
            (Decoder::server(limits), Packet::Connect(Box::new(connect)))
        }
        3..=5 => {
            let connack = ConnAck::default();
            (Decoder::client(version, limits), Packet::ConnAck(Box::new(connack)))
        }
        6..=8 => return Decoder::client(version, limits),
        _ => return Decoder::server(limits),
    };
    let mut bytes = Vec::new();
    first.encode(version, &mut bytes).expect("it is valid");
    assert_eq!(decoder.decode(&mut &bytes[..]), Ok(Some(first)));
    decoder
}

fn hear<'a>(
    kind: u8,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Packet>, Option<DecodeError>) {
    let (mut decoder, mut packets) = (decoder(kind), Vec::new());
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.decode(&mut &b"\xc0\0"[..]), Err(error));
                    assert_eq!(decoder.held_bytes(), 0);
                    return (packets, Some(error));
                }
            }
        }
        assert!(piece.is_empty(), "what is not a whole packet is kept by the decoder");
        assert!(decoder.held_bytes() <= PACKET_BYTES_MAX + BESIDES_MAX);
    }
    (packets, None)
}
