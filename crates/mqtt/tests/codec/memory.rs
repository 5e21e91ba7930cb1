//! What a connection costs: nothing on the heap when idle, no memory for what was only announced,
//! and no more than the limit.

use bytes::Bytes;
use tidings_mqtt_codec::{
    Decoder, Fault, Limits, PACKET_BYTES_MAX_DEFAULT, Packet, Publish, ReasonCode, Version,
};

use crate::wire::{check_refused, encode, framed, hear, server, server_with};

/// Memory of the bookkeeping for a cut packet, beside its bytes.
const BOOKKEEPING_BYTES_MAX: usize = 100;

fn message(len: usize) -> Packet {
    let payload = Bytes::from(vec![b'x'; len]);
    Packet::Publish(Publish { topic: "t".into(), payload, ..Publish::default() })
}

#[test]
fn a_decoder_is_a_few_words() {
    assert!(size_of::<Decoder>() <= 64, "{}", size_of::<Decoder>());
}

#[test]
fn an_announcement_alone_takes_no_memory() {
    let mut decoder = server(Version::V5);
    // A megabyte announced, fourteen bytes sent.
    hear(&mut decoder, [&b"\x30\x80\x80\x40\0\x01aaaaaaaaaaaaa"[..]]);
    assert!(!decoder.is_idle());
    assert!(decoder.held_bytes() <= BOOKKEEPING_BYTES_MAX + 28, "{}", decoder.held_bytes());
}

#[test]
fn buffers_at_most_double_and_stop_at_the_end() {
    let len = 60_000;
    let bytes = encode(&message(len), Version::V311);
    let mut decoder = server(Version::V311);
    let mut sent = 0;
    for piece in bytes[..bytes.len() - 1].chunks(1000) {
        hear(&mut decoder, [piece]);
        sent += piece.len();
        let most = (2 * sent).min(bytes.len()) + BOOKKEEPING_BYTES_MAX;
        assert!(decoder.held_bytes() <= most, "{} after {sent}", decoder.held_bytes());
    }
    let heard = hear(&mut decoder, [&bytes[bytes.len() - 1..]]);
    assert_eq!(heard, (vec![message(len)], None));
    assert!(decoder.is_idle());
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn what_is_too_large_is_refused_by_its_length() {
    let limits = Limits { packet_bytes_max: 300 };
    let decoder = || server_with(Version::V5, limits);
    let whole = framed(0x30, &[b"\0\x01a\0", &[b'x'; 293][..]].concat());
    assert_eq!(whole.len(), 300);
    assert_eq!(hear(&mut decoder(), [&whole[..]]).1, None);
    let refusal = (Fault::PacketTooLarge, "section 3.1.2.11.4", ReasonCode::PacketTooLarge);
    check_refused(decoder, b"\x30\xaa\x02", refusal);
    check_refused(|| Decoder::server(limits), b"\x10\xaa\x02", refusal);
    let default = || server(Version::V5);
    let remaining = PACKET_BYTES_MAX_DEFAULT - 4;
    let length = |len: usize| [0x30, len as u8 | 0x80, (len >> 7) as u8 | 0x80, (len >> 14) as u8];
    assert_eq!(hear(&mut default(), [&length(remaining)[..]]).1, None);
    check_refused(default, &length(remaining + 1), refusal);
}

#[test]
fn a_large_payload_that_came_in_pieces_is_not_copied() {
    let bytes = encode(&message(100_000), Version::V311);
    let mut decoder = server(Version::V311);
    let (packets, _) = hear(&mut decoder, bytes.chunks(1000));
    let [Packet::Publish(message)] = &packets[..] else { panic!("{packets:?}") };
    // Whatever owns all of it could become one buffer; a copy of it would be as long as it is.
    let payload = message.payload.clone();
    drop(packets);
    let buffer: Vec<u8> = payload.into();
    assert!(buffer.capacity() > 100_000);
}
