//! UTF-8 in text messages (RFC 6455 section 8.1), cut as section 6 of the Autobahn test suite
//! cuts it: the error comes with the first byte that shows it.

use tidings_websocket_codec::{Decoder, Limits, Role, WsError};

use crate::wire::{LAST, MORE, PING, TEXT, TEXT_BEGIN, hear_pieces, masked, ping, text};

/// Valid, then a byte sequence above U+10FFFF, then valid again.
const GOOD: &[u8] = "κόσμε".as_bytes();
const BAD: &[u8] = b"\xf4\x90\x80\x80";
const AFTER: &[u8] = b"edited";

fn server() -> Decoder {
    Decoder::new(Role::Server, Limits::default())
}

#[track_caller]
fn says_nothing_yet(decoder: &mut Decoder, bytes: &[u8]) {
    assert_eq!(hear_pieces(decoder, [bytes]), (vec![], None));
}

#[track_caller]
fn refuses(decoder: &mut Decoder, bytes: &[u8]) {
    assert_eq!(hear_pieces(decoder, [bytes]), (vec![], Some(WsError::InvalidUtf8)));
}

#[test]
fn a_whole_frame_is_checked() {
    let all = [GOOD, BAD, AFTER].concat();
    refuses(&mut server(), &masked(TEXT, &all));
    refuses(&mut server(), &masked(TEXT, b"\xce")); // ends inside a character
    assert_eq!(WsError::InvalidUtf8.close_code().get(), 1007);
}

#[test]
fn fragments_fail_before_the_last_6_4_1() {
    let mut decoder = server();
    says_nothing_yet(&mut decoder, &masked(TEXT_BEGIN, GOOD));
    refuses(&mut decoder, &masked(MORE, BAD));
}

#[test]
fn fragments_fail_inside_the_character_6_4_2() {
    let mut decoder = server();
    says_nothing_yet(&mut decoder, &masked(TEXT_BEGIN, &[GOOD, &BAD[..1]].concat()));
    refuses(&mut decoder, &masked(MORE, &BAD[1..2]));
}

#[test]
fn a_cut_frame_fails_before_its_end_6_4_3() {
    let frame = masked(TEXT, &[GOOD, BAD, AFTER].concat());
    let header = 2 + 4;
    let mut decoder = server();
    let (good, rest) = frame.split_at(header + GOOD.len());
    says_nothing_yet(&mut decoder, good);
    refuses(&mut decoder, &rest[..BAD.len()]);
}

#[test]
fn a_cut_frame_fails_at_the_very_byte_6_4_4() {
    let frame = masked(TEXT, &[GOOD, BAD, AFTER].concat());
    let at = 2 + 4 + GOOD.len() + 1; // the second byte of BAD
    let mut decoder = server();
    for byte in frame[..at].chunks(1) {
        says_nothing_yet(&mut decoder, byte);
    }
    refuses(&mut decoder, &frame[at..=at]);
}

#[test]
fn one_read_that_ends_in_the_frame_fails_too() {
    let frame = masked(TEXT, &[GOOD, BAD, AFTER].concat());
    refuses(&mut server(), &frame[..frame.len() - AFTER.len()]);
}

#[test]
fn characters_may_be_cut_by_fragments_and_reads() {
    for character in ["κ", "€", "😀"] {
        let fragments: Vec<u8> = character
            .as_bytes()
            .iter()
            .enumerate()
            .flat_map(|(i, byte)| {
                let first = if i == 0 { TEXT_BEGIN } else { MORE };
                [masked(first, &[*byte]), masked(PING, b"")].concat()
            })
            .chain(masked(LAST, b""))
            .collect();
        let mut expected = vec![ping(b""); character.len()];
        expected.push(text(character));
        assert_eq!(hear_pieces(&mut server(), [&fragments[..]]), (expected.clone(), None));
        assert_eq!(hear_pieces(&mut server(), fragments.chunks(1)), (expected, None));
    }
}

#[test]
fn a_message_may_not_end_inside_a_character() {
    for cut in [&b"\xce"[..], b"\xe2\x82", b"\xf0\x9f\x98"] {
        let mut decoder = server();
        says_nothing_yet(&mut decoder, &masked(TEXT_BEGIN, cut));
        refuses(&mut decoder, &masked(LAST, b""));
    }
}
