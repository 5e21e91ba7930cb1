//! What is written is read as it was, however it is cut; and any bytes at all mean the same
//! however they are cut.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tidings_mqtt_codec::{Decoder, Limits, Packet, PacketId, Publish, Version};

use crate::any::{connack, connect, from_client, packet, publish};
use crate::wire::{VERSIONS, client, encode, hear, listener, server, server_with};

fn version() -> impl Strategy<Value = Version> {
    select(VERSIONS.to_vec())
}

fn versioned() -> impl Strategy<Value = (Version, Packet)> {
    version().prop_flat_map(|version| (Just(version), packet(version)))
}

/// A packet that a client's decoder takes; what only a server sees goes there.
fn listener_for(packet: &Packet, version: Version) -> Decoder {
    match packet {
        // A message may have what only a server says.
        Packet::Publish(_) => client(version),
        _ => listener(packet.packet_type(), version),
    }
}

/// `bytes` cut at `cuts`, in order; some pieces may be empty.
fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}

proptest! {
    #[test]
    fn packets_come_out_as_they_went_in((version, packet) in versioned()) {
        let bytes = encode(&packet, version);
        let heard = hear(&mut listener_for(&packet, version), [&bytes[..]]);
        prop_assert_eq!(heard, (vec![packet], None));
    }

    #[test]
    fn packets_may_be_cut_anywhere((version, packet) in versioned()) {
        let bytes = encode(&packet, version);
        // Long ones are cut at both ends.
        let cuts = (0..=bytes.len()).filter(|cut| *cut < 300 || bytes.len() - cut < 20);
        for cut in cuts {
            let (head, tail) = bytes.split_at(cut);
            let heard = hear(&mut listener_for(&packet, version), [head, tail]);
            prop_assert_eq!(heard, (vec![packet.clone()], None), "cut at {}", cut);
        }
        if bytes.len() < 1000 {
            let heard = hear(&mut listener_for(&packet, version), bytes.chunks(1));
            prop_assert_eq!(heard, (vec![packet], None));
        }
    }

    #[test]
    fn a_connection_is_heard_however_cut(
        (version, hello, said) in version().prop_flat_map(|version| {
            (Just(version), connect(version), vec(from_client(version), 0..8))
        }),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut packets = vec![Packet::Connect(Box::new(hello))];
        packets.extend(said);
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| encode(packet, version)).collect();
        let mut decoder = Decoder::server(Limits::default());
        prop_assert_eq!(hear(&mut decoder, pieces(&bytes, &cuts)), (packets, None));
        prop_assert!(decoder.is_idle());
        prop_assert_eq!(decoder.version(), Some(version));
    }

    #[test]
    fn a_client_hears_a_server(
        (version, welcome, said) in version().prop_flat_map(|version| {
            (Just(version), connack(version), vec(publish(version, true), 0..8))
        }),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut packets = vec![Packet::ConnAck(Box::new(welcome))];
        packets.extend(said.into_iter().map(Packet::Publish));
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| encode(packet, version)).collect();
        let mut decoder = Decoder::client(version, Limits::default());
        prop_assert_eq!(hear(&mut decoder, pieces(&bytes, &cuts)), (packets, None));
    }

    #[test]
    fn a_message_is_as_long_as_it_says_and_its_head_is_all_but_the_payload(
        (version, message) in version().prop_flat_map(|version| {
            (Just(version), publish(version, true))
        }),
    ) {
        let (mut whole, mut head) = (b"before".to_vec(), b"before".to_vec());
        let at = message.encode(version, &mut whole);
        prop_assert_eq!(message.encode_head(version, &mut head), at);
        prop_assert_eq!(whole.len() - 6, message.encoded_len(version));
        prop_assert_eq!([&head[..], &message.payload].concat(), &whole[..]);
        prop_assert_eq!(at.unwrap().is_some(), message.packet_id.is_some());
        if let Some(at) = at.unwrap() {
            // Another identifier put there makes another message of it.
            let packet_id = PacketId::MIN.saturating_add(message.topic.len() as u16);
            whole[at..at + 2].copy_from_slice(&packet_id.get().to_be_bytes());
            let other = Publish { packet_id: Some(packet_id), ..message };
            let heard = hear(&mut client(version), [&whole[6..]]);
            prop_assert_eq!(heard, (vec![Packet::Publish(other)], None));
        }
    }

    #[test]
    fn any_bytes_mean_the_same_however_cut(
        version in version(),
        bytes in vec(any::<u8>(), 0..300),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let limits = Limits { packet_bytes_max: 100 };
        let hear = |pieces: Vec<&[u8]>| hear(&mut server_with(version, limits), pieces);
        prop_assert_eq!(hear(pieces(&bytes, &cuts)), hear(vec![&bytes]));
    }

    #[test]
    fn damaged_packets_mean_the_same_however_cut_and_can_be_written_again(
        (version, said) in version().prop_flat_map(|version| {
            (Just(version), vec(from_client(version), 1..6))
        }),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut bytes: Vec<u8> =
            said.iter().flat_map(|packet| encode(packet, version)).collect();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = hear(&mut server(version), [&bytes[..]]);
        prop_assert_eq!(&hear(&mut server(version), pieces(&bytes, &cuts)), &whole);
        for packet in whole.0 {
            let again = encode(&packet, version);
            prop_assert_eq!(hear(&mut server(version), [&again[..]]), (vec![packet], None));
        }
    }
}
