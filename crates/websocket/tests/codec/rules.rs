//! Every rule of RFC 6455 that a peer can break, and the close code that answers it.

use tidings_websocket_codec::{
    CloseCode, Decoder, Item, Limits, Role, WsError, close_payload, write_masked_frame,
};

use crate::wire::{
    BINARY, BINARY_BEGIN, CLOSE, KEY, LAST, MORE, PING, PONG, TEXT, TEXT_BEGIN, binary, hear,
    hear_in_bytes, hear_pieces, masked, ping, plain, pong, text,
};

/// Both ways of reading end in `error`, after `before`.
#[track_caller]
fn refused(role: Role, bytes: &[u8], before: &[Item<'static>], error: WsError, code: u16) {
    assert_eq!(hear(role, bytes), (before.to_vec(), Some(error)));
    assert_eq!(hear_in_bytes(role, bytes), (before.to_vec(), Some(error)));
    assert_eq!(error.close_code().get(), code);
}

#[track_caller]
fn heard(role: Role, bytes: &[u8], items: &[Item<'static>]) {
    assert_eq!(hear(role, bytes), (items.to_vec(), None));
    assert_eq!(hear_in_bytes(role, bytes), (items.to_vec(), None));
}

#[test]
fn masks_by_role_5_1() {
    refused(Role::Server, &plain(TEXT, b"a"), &[], WsError::NotMasked, 1002);
    refused(Role::Client, &masked(TEXT, b"a"), &[], WsError::Masked, 1002);
    // The second byte shows it; no payload is waited for.
    refused(Role::Server, &[TEXT, 0x05], &[], WsError::NotMasked, 1002);
    refused(Role::Client, &[TEXT, 0x85], &[], WsError::Masked, 1002);
}

#[test]
fn reserved_bits_5_2() {
    for first in [TEXT, BINARY, CLOSE, PING, PONG, MORE] {
        for bits in [0x10, 0x20, 0x30, 0x50, 0x70] {
            refused(Role::Server, &[first | bits], &[], WsError::ReservedBits, 1002);
        }
    }
    for first in [TEXT, BINARY, PING] {
        let frame = masked(first | 0x40, b"a");
        refused(Role::Server, &frame, &[], WsError::CompressionNotAgreed, 1002);
    }
}

#[test]
fn reserved_opcodes_5_2() {
    for opcode in (3..=7).chain(11..=15) {
        for fin in [0x00, 0x80] {
            refused(Role::Client, &[fin | opcode], &[], WsError::ReservedOpcode(opcode), 1002);
        }
    }
}

#[test]
fn lengths_are_shortest_5_2() {
    let error = WsError::LengthNotMinimal;
    refused(Role::Client, &[BINARY, 126, 0, 0], &[], error, 1002);
    refused(Role::Client, &[BINARY, 126, 0, 125], &[], error, 1002);
    refused(Role::Client, &[BINARY, 127, 0, 0, 0, 0, 0, 0, 0, 1], &[], error, 1002);
    refused(Role::Client, &[BINARY, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], &[], error, 1002);
    heard(Role::Client, &plain(BINARY, &[1; 126]), &[binary(&[1; 126])]);
}

#[test]
fn the_top_bit_of_a_length_5_2() {
    let frame = [BINARY, 127, 0x80, 0, 0, 0, 0, 1, 0, 0];
    refused(Role::Client, &frame, &[], WsError::LengthTopBit, 1002);
    let frame = [BINARY, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let error = WsError::MessageTooBig { max: 1024 * 1024 };
    refused(Role::Client, &frame, &[], error, 1009);
}

#[test]
fn control_frames_5_5() {
    for first in [CLOSE, PING, PONG] {
        refused(Role::Client, &[first & 0x0f], &[], WsError::ControlFragmented, 1002);
        for length in [126, 127] {
            refused(Role::Client, &[first, length], &[], WsError::ControlTooLong, 1002);
        }
    }
    heard(Role::Server, &masked(PING, &[1; 125]), &[ping(&[1; 125])]);
    heard(Role::Server, &masked(PONG, b""), &[pong(b"")]);
}

#[test]
fn fragments_5_4() {
    let whole = [
        masked(TEXT_BEGIN, b"a"),
        masked(PING, b"1"),
        masked(MORE, b""),
        masked(MORE, b"b"),
        masked(PONG, b"2"),
        masked(PING, b""),
        masked(LAST, b"c"),
        masked(BINARY_BEGIN, b""),
        masked(LAST, b""),
        masked(TEXT, b"d"),
    ]
    .concat();
    let items = [ping(b"1"), pong(b"2"), ping(b""), text("abc"), binary(b""), text("d")];
    heard(Role::Server, &whole, &items);
}

#[test]
fn continuations_continue_5_4() {
    let error = WsError::NothingToContinue;
    refused(Role::Server, &masked(MORE, b"a"), &[], error, 1002);
    refused(Role::Server, &masked(LAST, b"a"), &[], error, 1002);
    let after = [masked(TEXT, b"a"), masked(LAST, b"b")].concat();
    refused(Role::Server, &after, &[text("a")], error, 1002);
    let after = [masked(TEXT_BEGIN, b"a"), masked(LAST, b"b"), masked(MORE, b"c")].concat();
    refused(Role::Server, &after, &[text("ab")], error, 1002);
}

#[test]
fn messages_do_not_overlap_5_4() {
    for begin in [TEXT_BEGIN, BINARY_BEGIN] {
        for next in [TEXT, BINARY, TEXT_BEGIN, BINARY_BEGIN] {
            for first_payload in [&b""[..], b"a"] {
                let frames = [masked(begin, first_payload), masked(next, b"b")].concat();
                refused(Role::Server, &frames, &[], WsError::MessageUnfinished, 1002);
            }
        }
    }
}

#[test]
fn size_limit_10_4() {
    let limits = Limits { message_bytes_max: 10 };
    let error = WsError::MessageTooBig { max: 10 };
    let hear = |frames: &[Vec<u8>]| {
        hear_pieces(&mut Decoder::new(Role::Client, limits), [&frames.concat()[..]])
    };
    assert_eq!(hear(&[plain(BINARY, &[1; 10])]), (vec![binary(&[1; 10])], None));
    // The header is enough: no payload is waited for.
    assert_eq!(hear(&[vec![BINARY, 11]]), (vec![], Some(error)));
    assert_eq!(hear(&[vec![BINARY, 127, 0, 0, 0, 1, 0, 0, 0, 0]]), (vec![], Some(error)));
    // The limit is on the message, not the frame; control frames do not count.
    let begun = [plain(BINARY_BEGIN, &[1; 6]), plain(PING, &[2; 125]), plain(MORE, &[1; 3])];
    let (begun, ping) = (begun.concat(), ping(&[2; 125]));
    let fits = [begun.clone(), plain(LAST, &[1; 1])];
    assert_eq!(hear(&fits), (vec![ping.clone(), binary(&[1; 10])], None));
    assert_eq!(hear(&[begun, vec![LAST, 2]]), (vec![ping], Some(error)));
    // Bytes of a character that is still cut count too.
    let cut = [plain(TEXT_BEGIN, b"12345678"), plain(MORE, b"\xe2\x82")];
    assert_eq!(hear(&[cut.concat(), vec![LAST, 1]]), (vec![], Some(error)));
    assert_eq!(error.close_code(), CloseCode::TOO_BIG);
}

#[test]
fn close_payloads_5_5_1() {
    let close = |code, reason: &str| Item::Close { code, reason: reason.to_owned().into() };
    heard(Role::Server, &masked(CLOSE, b""), &[close(None, "")]);
    let payload = close_payload(CloseCode::GOING_AWAY, "maintenance – back soon");
    let expected = close(Some(CloseCode::GOING_AWAY), "maintenance – back soon");
    heard(Role::Server, &masked(CLOSE, &payload), &[expected]);

    refused(Role::Server, &masked(CLOSE, &[3]), &[], WsError::CloseCodeCut, 1002);
    let bad_reason = [&1000_u16.to_be_bytes()[..], b"\xce\xba\xe1\xbd"].concat();
    refused(Role::Server, &masked(CLOSE, &bad_reason), &[], WsError::InvalidUtf8, 1007);
}

#[test]
fn close_codes_7_4() {
    for code in [1000, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999] {
        let expected = Item::Close { code: CloseCode::new(code), reason: "".into() };
        heard(Role::Client, &plain(CLOSE, &code.to_be_bytes()), &[expected]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        let frame = plain(CLOSE, &u16::to_be_bytes(code));
        refused(Role::Client, &frame, &[], WsError::CloseCode(code), 1002);
    }
}

#[test]
fn after_a_close_all_is_discarded_1_4() {
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let frames = [masked(TEXT_BEGIN, b"a"), masked(CLOSE, b""), masked(TEXT, b"b"), vec![0xff]];
    let close = Item::Close { code: None, reason: "".into() };
    assert_eq!(hear_pieces(&mut decoder, [&frames.concat()[..]]), (vec![close], None));
    assert!(decoder.is_idle());
    assert_eq!(hear_pieces(&mut decoder, [&[0xff; 20][..]]), (vec![], None));
}

#[test]
fn after_an_error_nothing_is_believed_7_1_7() {
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let frames = [masked(TEXT, b"a"), masked(BINARY_BEGIN, b"b"), vec![0xff]].concat();
    let heard = hear_pieces(&mut decoder, [&frames[..]]);
    assert_eq!(heard, (vec![text("a")], Some(WsError::ReservedBits)));
    assert!(decoder.is_idle());
    let heard = hear_pieces(&mut decoder, [&masked(TEXT, b"c")[..]]);
    assert_eq!(heard, (vec![], Some(WsError::ReservedBits)));
}

#[test]
fn what_a_client_writes_a_server_reads() {
    for len in [0, 1, 125, 126, 127, 65535, 65536] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let mut frame = Vec::new();
        write_masked_frame(&mut frame, tidings_websocket_codec::Opcode::Binary, &payload, KEY);
        heard(Role::Server, &frame, &[binary(&payload)]);
    }
}
