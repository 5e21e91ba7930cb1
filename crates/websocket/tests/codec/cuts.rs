//! Any messages, in any fragments, cut anywhere, come out as they went in; and any bytes at all
//! mean the same however they are cut.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tidings_websocket_codec::{
    CloseCode, Decoder, HeaderFields, Item, Limits, Opcode, Role, WsError, close_payload,
};

use crate::wire::hear_pieces;

/// A message, where its payload is split into fragments, and the Pings between those.
type Spoken = (Item<'static>, Vec<Index>, Option<Vec<u8>>);

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 65_530..65_545)]
}

fn control_payload() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=125)
}

fn item() -> impl Strategy<Value = Item<'static>> {
    prop_oneof![
        3 => "\\PC{0,80}".prop_map(|text| Item::Text(text.into())),
        3 => payload().prop_map(|bytes| Item::Binary(bytes.into())),
        1 => control_payload().prop_map(|bytes| Item::Ping(bytes.into())),
        1 => control_payload().prop_map(|bytes| Item::Pong(bytes.into())),
    ]
}

fn spoken() -> impl Strategy<Value = Spoken> {
    (item(), vec(any::<Index>(), 0..4), proptest::option::of(control_payload()))
}

/// One frame from the peer of `role`.
fn frame(role: Role, fin: bool, opcode: Opcode, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mask = (role == Role::Server).then_some(key);
    let fields = HeaderFields { fin, rsv1: false, opcode, mask, payload_len: payload.len() as u64 };
    let mut frame = fields.encode().as_slice().to_vec();
    let key = mask.unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The frames that say `spoken` to `role`, and the items they mean, in order.
fn say(role: Role, spoken: &[Spoken], key: [u8; 4]) -> (Vec<u8>, Vec<Item<'static>>) {
    let (mut wire, mut items) = (Vec::new(), Vec::new());
    for (item, splits, ping) in spoken {
        let (opcode, payload) = match item {
            Item::Text(text) => (Opcode::Text, text.as_bytes()),
            Item::Binary(bytes) => (Opcode::Binary, &bytes[..]),
            Item::Ping(bytes) => (Opcode::Ping, &bytes[..]),
            Item::Pong(bytes) => (Opcode::Pong, &bytes[..]),
            Item::Close { .. } => continue,
        };
        let splits = if opcode.is_control() { &[] } else { &splits[..] };
        let fragments = pieces(payload, splits);
        for (i, fragment) in fragments.iter().enumerate() {
            let fin = i + 1 == fragments.len();
            let opcode = if i == 0 { opcode } else { Opcode::Continuation };
            wire.extend(frame(role, fin, opcode, fragment, key));
            if let (false, Some(ping)) = (fin, ping) {
                wire.extend(frame(role, true, Opcode::Ping, ping, key));
                items.push(Item::Ping(ping.clone().into()));
            }
        }
        items.push(item.clone());
    }
    (wire, items)
}

/// `bytes` cut at `cuts`, in order; some pieces may be empty.
fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}

/// Reads to the end, and checks the promises that hold at every moment.
fn hear(
    role: Role,
    limits: Limits,
    pieces: &[&[u8]],
) -> (Vec<Item<'static>>, Option<WsError>, bool) {
    let mut decoder = Decoder::new(role, limits);
    let (mut items, mut error) = (Vec::new(), None);
    for piece in pieces {
        let (more, failed) = hear_pieces(&mut decoder, [*piece]);
        items.extend(more);
        error = error.or(failed);
        assert_eq!(decoder.is_idle(), decoder.held_bytes() == 0);
        assert!(decoder.held_bytes() <= limits.message_bytes_max + 400);
    }
    (items, error, decoder.is_idle())
}

proptest! {
    #[test]
    fn messages_come_out_as_they_went_in(
        role in role(),
        spoken in vec(spoken(), 0..8),
        key in any::<[u8; 4]>(),
        cuts in vec(any::<Index>(), 0..20),
        reason in proptest::option::of("\\PC{0,30}"),
    ) {
        let (mut wire, mut items) = say(role, &spoken, key);
        if let Some(reason) = reason {
            let payload = close_payload(CloseCode::NORMAL, &reason);
            wire.extend(frame(role, true, Opcode::Close, &payload, key));
            items.push(Item::Close { code: Some(CloseCode::NORMAL), reason: reason.into() });
        }
        let heard = hear(role, Limits::default(), &pieces(&wire, &cuts));
        prop_assert_eq!(heard, (items, None, true));
    }

    #[test]
    fn every_byte_may_be_a_read_of_its_own(
        role in role(),
        spoken in vec((item(), vec(any::<Index>(), 0..4), Just(None)), 0..3),
        key in any::<[u8; 4]>(),
    ) {
        let (wire, items) = say(role, &spoken, key);
        let reads: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert_eq!(hear(role, Limits::default(), &reads), (items, None, true));
    }

    #[test]
    fn any_bytes_mean_the_same_however_cut(
        role in role(),
        bytes in vec(any::<u8>(), 0..300),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let limits = Limits { message_bytes_max: 100 };
        prop_assert_eq!(hear(role, limits, &pieces(&bytes, &cuts)), hear(role, limits, &[&bytes]));
    }

    #[test]
    fn damaged_messages_mean_the_same_however_cut(
        role in role(),
        spoken in vec(spoken(), 1..6),
        key in any::<[u8; 4]>(),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let (mut wire, _) = say(role, &spoken, key);
        for (at, byte) in damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        let limits = Limits { message_bytes_max: 70_000 };
        prop_assert_eq!(hear(role, limits, &pieces(&wire, &cuts)), hear(role, limits, &[&wire]));
    }

    #[test]
    fn headers_of_any_bytes_are_read_or_refused(role in role(), bytes in vec(any::<u8>(), 0..16)) {
        if let Ok(Some((fields, len))) = HeaderFields::parse(&bytes, role) {
            // What is accepted is what would have been written.
            let written = fields.encode();
            prop_assert_eq!(written.as_slice(), &bytes[..len]);
        }
    }
}
