//! The examples of RFC 6455 section 5.7, byte for byte, read and written.

use tidings_websocket_codec::{HeaderFields, Item, Opcode, Role, frame_header, write_masked_frame};

use crate::wire::{KEY, binary, hear, hear_in_bytes, ping, pong, text};

const HELLO: &[u8] = &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const HELLO_MASKED: &[u8] = &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const HEL_LO: &[u8] = &[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
const PING_HELLO: &[u8] = &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const PONG_HELLO: &[u8] = &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const BINARY_256: &[u8] = &[0x82, 0x7e, 0x01, 0x00];
const BINARY_64K: &[u8] = &[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];

#[track_caller]
fn check(role: Role, bytes: &[u8], expected: Item<'static>) {
    let expected = (vec![expected], None);
    assert_eq!(hear(role, bytes), expected);
    assert_eq!(hear_in_bytes(role, bytes), expected);
}

#[test]
fn they_are_read() {
    check(Role::Client, HELLO, text("Hello"));
    check(Role::Server, HELLO_MASKED, text("Hello"));
    check(Role::Client, HEL_LO, text("Hello"));
    check(Role::Client, PING_HELLO, ping(b"Hello"));
    check(Role::Server, PONG_HELLO, pong(b"Hello"));
    let payload = vec![7; 256];
    check(Role::Client, &[BINARY_256, &payload].concat(), binary(&payload));
    let payload = vec![7; 65536];
    check(Role::Client, &[BINARY_64K, &payload].concat(), binary(&payload));
}

#[test]
fn they_are_written() {
    let unmasked = |opcode, payload: &[u8]| {
        [frame_header(opcode, payload.len(), None).as_slice(), payload].concat()
    };
    let masked = |opcode| {
        let mut out = b"before".to_vec();
        write_masked_frame(&mut out, opcode, b"Hello", KEY);
        out.split_off(6)
    };
    assert_eq!(unmasked(Opcode::Text, b"Hello"), HELLO);
    assert_eq!(masked(Opcode::Text), HELLO_MASKED);
    assert_eq!(unmasked(Opcode::Ping, b"Hello"), PING_HELLO);
    assert_eq!(masked(Opcode::Pong), PONG_HELLO);
    assert_eq!(frame_header(Opcode::Binary, 256, None).as_slice(), BINARY_256);
    assert_eq!(frame_header(Opcode::Binary, 65536, None).as_slice(), BINARY_64K);

    let first =
        HeaderFields { fin: false, rsv1: false, opcode: Opcode::Text, mask: None, payload_len: 3 };
    let last = HeaderFields { fin: true, opcode: Opcode::Continuation, payload_len: 2, ..first };
    let written = [first.encode().as_slice(), b"Hel", last.encode().as_slice(), b"lo"].concat();
    assert_eq!(written, HEL_LO);
}

#[test]
fn headers_are_shortest_and_read_back() {
    for (len, unmasked_bytes) in [
        (0, 2),
        (1, 2),
        (125, 2),
        (126, 4),
        (65535, 4),
        (65536, 10),
        (u64::from(u32::MAX) + 1, 10),
        (i64::MAX as u64, 10),
    ] {
        for (role, mask) in [(Role::Client, None), (Role::Server, Some(KEY))] {
            for (fin, rsv1) in [(true, false), (false, true)] {
                let fields =
                    HeaderFields { fin, rsv1, opcode: Opcode::Binary, mask, payload_len: len };
                let header = fields.encode();
                let bytes = header.as_slice();
                assert_eq!(bytes.len(), unmasked_bytes + mask.map_or(0, |key| key.len()));
                assert_eq!(HeaderFields::parse(bytes, role), Ok(Some((fields, bytes.len()))));
                let more = [bytes, b"payload"].concat();
                assert_eq!(HeaderFields::parse(&more, role), Ok(Some((fields, bytes.len()))));
                for cut in 0..bytes.len() {
                    assert_eq!(HeaderFields::parse(&bytes[..cut], role), Ok(None));
                }
            }
        }
    }
}
