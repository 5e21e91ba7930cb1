//! The packets of MQTT 3.1.1 that a load needs, from the client's side.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a PUBACK begins with (section 3.4): its type and its length.
pub(super) const PUBACK: &[u8] = &[0x40, 0x02];
/// Packets are numbered up to this, so that no number begins like a PUBACK.
pub(super) const PACKET_MAX: u16 = 0x3fff;
/// A CONNACK without a session that accepts (section 3.2).
const CONNACK: &[u8] = &[0x20, 0x02, 0x00, 0x00];
/// CONNECT flags: a clean session (section 3.1.2.4).
const CLEAN: u8 = 0x02;

/// What to send first, and what says that it was accepted.
pub(super) fn connect() -> (Vec<u8>, Vec<u8>) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let client = format!("bench-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    // Level 4, and no keep-alive: an idle client sends nothing.
    body.extend_from_slice(&[4, CLEAN, 0, 0]);
    text(&mut body, &client);
    (packet(0x10, &body), CONNACK.to_vec())
}

/// What to send first to listen to a topic, and what says that it does.
/// With quality 0: a listener that acknowledged would be measured with what it publishes.
pub(super) fn subscribe(topic: &str) -> (Vec<u8>, Vec<u8>) {
    let (mut out, _) = connect();
    let mut body = vec![0, 1];
    text(&mut body, topic);
    body.push(0);
    out.extend(packet(0x82, &body));
    // SUBACK (section 3.9): the packet's number, and the quality that was asked for.
    (out, vec![0x90, 0x03, 0, 1, 0])
}

/// Writes a PUBLISH (section 3.3).
pub(super) fn publish(out: &mut Vec<u8>, topic: &str, payload: &[u8], qos: u8, number: u16) {
    let mut body = Vec::with_capacity(payload.len() + topic.len() + 4);
    text(&mut body, topic);
    if qos > 0 {
        body.extend_from_slice(&number.to_be_bytes());
    }
    body.extend_from_slice(payload);
    out.extend(packet(0x30 | qos << 1, &body));
}

/// A packet: its type, the length in groups of seven bits (section 2.2.3), its body.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut left = body.len();
    loop {
        let group = (left & 0x7f) as u8;
        left >>= 7;
        out.push(if left > 0 { group | 0x80 } else { group });
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_their_length_in_groups_of_seven_bits() {
        let mut out = Vec::new();
        publish(&mut out, "a/b", &[b'x'; 200], 1, 7);
        assert_eq!(out[..9], [0x32, 0xcf, 0x01, 0, 3, b'a', b'/', b'b', 0]);
        assert_eq!((out[9], out.len()), (7, 3 + 207));
        let (first, ready) = subscribe("t");
        assert!(first.ends_with(&[0x82, 6, 0, 1, 0, 1, b't', 0]), "{first:?}");
        assert_eq!(ready, [0x90, 3, 0, 1, 0]);
    }
}
