//! What a connection costs: nothing on the heap when idle, no copy in the common case, and no
//! memory for what was only announced.

use std::borrow::Cow;

use tidings_websocket_codec::{Decoder, Item, Limits, Role};

use crate::wire::{
    BINARY, BINARY_BEGIN, LAST, MORE, PING, TEXT, TEXT_BEGIN, binary, hear_pieces, masked, ping,
    text,
};

/// Memory of the bookkeeping for a cut frame or unfinished message, beside its bytes.
const BOOKKEEPING_BYTES_MAX: usize = 200;

fn server() -> Decoder {
    Decoder::new(Role::Server, Limits::default())
}

#[test]
fn a_decoder_is_a_few_words() {
    assert!(size_of::<Decoder>() <= 40, "{}", size_of::<Decoder>());
}

#[test]
fn whole_frames_are_lent() {
    let mut decoder = server();
    let mut scratch = [masked(TEXT, b"a"), masked(BINARY, b"b"), masked(PING, b"c")].concat();
    let mut input = &mut scratch[..];
    let mut count = 0;
    while let Some(item) = decoder.decode(&mut input).unwrap() {
        let lent = match item {
            Item::Text(text) => matches!(text, Cow::Borrowed(_)),
            Item::Binary(bytes) | Item::Ping(bytes) => matches!(bytes, Cow::Borrowed(_)),
            other => panic!("{other:?}"),
        };
        assert!(lent);
        assert!(decoder.is_idle());
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn a_payload_that_comes_whole_after_its_header_is_lent() {
    let frame = masked(TEXT, b"Hello");
    for cut in 1..=6 {
        let mut decoder = server();
        assert_eq!(hear_pieces(&mut decoder, [&frame[..cut]]), (vec![], None));
        assert!(!decoder.is_idle());
        let mut rest = frame[cut..].to_vec();
        let item = decoder.decode(&mut &mut rest[..]).unwrap();
        assert!(matches!(item, Some(Item::Text(Cow::Borrowed("Hello")))), "{cut} {item:?}");
        assert!(decoder.is_idle());
    }
}

#[test]
fn cut_frames_are_kept_and_let_go() {
    let frames = [(TEXT, text("Hello")), (BINARY, binary(b"Hello")), (PING, ping(b"Hello"))];
    for (first, item) in frames {
        let frame = masked(first, b"Hello");
        for cut in 1..frame.len() {
            let mut decoder = server();
            assert_eq!(hear_pieces(&mut decoder, [&frame[..cut]]), (vec![], None));
            assert!(!decoder.is_idle());
            assert!(decoder.held_bytes() > 0);
            assert_eq!(hear_pieces(&mut decoder, [&frame[cut..]]), (vec![item.clone()], None));
            assert!(decoder.is_idle());
            assert_eq!(decoder.held_bytes(), 0);
        }
    }
}

#[test]
fn unfinished_messages_are_kept_and_let_go() {
    let mut decoder = server();
    for fragment in [masked(TEXT_BEGIN, b""), masked(MORE, b"a"), masked(PING, b"")] {
        hear_pieces(&mut decoder, [&fragment[..]]);
        assert!(!decoder.is_idle());
    }
    assert_eq!(hear_pieces(&mut decoder, [&masked(LAST, b"b")[..]]), (vec![text("ab")], None));
    assert!(decoder.is_idle());
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn an_announcement_alone_takes_no_memory() {
    // A megabyte announced, twice fourteen bytes sent.
    let header = [BINARY, 0x80 | 127, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4];
    let mut decoder = server();
    hear_pieces(&mut decoder, [&header[..]]);
    assert!(decoder.held_bytes() <= BOOKKEEPING_BYTES_MAX, "{}", decoder.held_bytes());
    hear_pieces(&mut decoder, [&[0; 14][..]]);
    assert!(decoder.held_bytes() <= BOOKKEEPING_BYTES_MAX + 256, "{}", decoder.held_bytes());
}

#[test]
fn buffers_at_most_double_and_stop_at_the_end() {
    let len = 60_000;
    for first in [TEXT, BINARY] {
        let frame = masked(first, &vec![b'x'; len]);
        let mut decoder = server();
        let mut sent = 0;
        for piece in frame[..frame.len() - 1].chunks(1000) {
            hear_pieces(&mut decoder, [piece]);
            sent += piece.len();
            let most = (2 * sent).min(len) + BOOKKEEPING_BYTES_MAX;
            assert!(decoder.held_bytes() <= most, "{} after {sent}", decoder.held_bytes());
        }
        let mut last = [frame[frame.len() - 1]];
        let capacity = match decoder.decode(&mut &mut last[..]) {
            Ok(Some(Item::Text(Cow::Owned(text)))) => text.capacity(),
            Ok(Some(Item::Binary(Cow::Owned(bytes)))) => bytes.capacity(),
            other => panic!("{other:?}"),
        };
        assert_eq!(capacity, len);
    }
}

#[test]
fn tiny_fragments_stay_within_the_limit() {
    let limits = Limits { message_bytes_max: 5000 };
    let mut decoder = Decoder::new(Role::Server, limits);
    hear_pieces(&mut decoder, [&masked(BINARY_BEGIN, b"")[..]]);
    for _ in 0..limits.message_bytes_max {
        hear_pieces(&mut decoder, [&masked(MORE, b"x")[..]]);
        let most = limits.message_bytes_max + BOOKKEEPING_BYTES_MAX;
        assert!(decoder.held_bytes() <= most, "{}", decoder.held_bytes());
    }
    let expected = binary(&[b'x'; 5000]);
    assert_eq!(hear_pieces(&mut decoder, [&masked(LAST, b"")[..]]), (vec![expected], None));
}
