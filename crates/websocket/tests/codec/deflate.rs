//! Compressed messages (RFC 7692): the standard's examples, every cut, and what must not pass.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use proptest::prelude::*;
use tidings_websocket_codec::{
    Decoder, Deflater, Inflater, Limits, Opcode, Role, WsError, deflated_header,
};

use crate::wire::{BINARY, Heard, LAST, MORE, PING, TEXT, TEXT_BEGIN, binary, masked, ping, text};

const RSV1: u8 = 0x40;

fn hear_with<'p>(
    inflater: &mut Inflater,
    limits: Limits,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Heard {
    let mut decoder = Decoder::new(Role::Server, limits);
    let mut items = Vec::new();
    for piece in pieces {
        let mut scratch = piece.to_vec();
        let mut input = &mut scratch[..];
        loop {
            match decoder.decode_deflated(&mut input, inflater) {
                Ok(Some(item)) => items.push(item.into_owned()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.held_bytes(), 0);
                    return (items, Some(error));
                }
            }
        }
    }
    (items, None)
}

fn hear(bytes: &[u8]) -> Heard {
    hear_with(&mut Inflater::new(), Limits::default(), [bytes])
}

/// What a sender of another make would send: any blocks, up to where the last is left out.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(payload).and_then(|()| encoder.flush());
    assert!(written.is_ok());
    let mut bytes = encoder.get_ref().clone();
    assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]));
    bytes.truncate(bytes.len() - 4);
    bytes
}

/// Bytes without any pattern (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Sections 7.2.3.1, 7.2.3.3, 7.2.3.4, 7.2.3.5 and 7.2.3.6; 7.2.3.2 needs the context of another
/// message, which is never agreed on.
#[test]
fn the_examples_of_the_standard() {
    for (payload, expected) in [
        (&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], "Hello"),
        (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello"),
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello"),
        (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello"),
        (b"\x00", ""),
    ] {
        let heard = hear(&masked(TEXT | RSV1, payload));
        assert_eq!(heard, (vec![text(expected)], None), "{payload:x?}");
    }
    let fragments =
        [masked(TEXT_BEGIN | RSV1, b"\xf2\x48\xcd"), masked(LAST, b"\xc9\xc9\x07\x00")].concat();
    assert_eq!(hear(&fragments), (vec![text("Hello")], None));
    let of_another = hear(&masked(TEXT | RSV1, b"\xf2\x00\x11\x00\x00"));
    assert_eq!(of_another, (vec![], Some(WsError::NotDeflate)));
}

/// Two streams that each say they are the last, in one message (section 7.2.1).
#[test]
fn a_message_may_go_on_behind_a_last_block() {
    let payload = b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    assert_eq!(hear(&masked(TEXT | RSV1, payload)), (vec![text("HelloHello")], None));
}

#[test]
fn every_cut_and_every_fragment() {
    let payload = "κόσμε, κόσμε, κόσμε: ".repeat(30);
    let bytes = deflated(payload.as_bytes());
    let mut inflater = Inflater::new();
    let whole = masked(TEXT | RSV1, &bytes);
    for at in 0..=whole.len() {
        let (head, tail) = whole.split_at(at);
        let heard = hear_with(&mut inflater, Limits::default(), [head, tail]);
        assert_eq!(heard, (vec![text(&payload)], None), "{at}");
    }
    for at in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(at);
        let frames = [
            masked(TEXT_BEGIN | RSV1, head),
            masked(PING, b"?"),
            masked(MORE, b""),
            masked(LAST, tail),
            masked(BINARY, b"plain"),
        ];
        let expected = vec![ping(b"?"), text(&payload), binary(b"plain")];
        assert_eq!(hear(&frames.concat()), (expected, None), "{at}");
    }
}

#[test]
fn a_message_that_is_cut_short_is_no_message() {
    let bytes = deflated("what is cut is never taken for whole ".repeat(9).as_bytes());
    for at in 0..bytes.len() {
        let heard = hear(&masked(TEXT | RSV1, &bytes[..at]));
        assert_eq!(heard, (vec![], Some(WsError::NotDeflate)), "{at}");
    }
    for junk in
        [&b""[..], b"\x07", b"\xff\xff\xff", b"\x00\x05\x00\xfa\xff\x48\x65", b"\x05\xe0\x01"]
    {
        assert_eq!(hear(&masked(TEXT | RSV1, junk)).1, Some(WsError::NotDeflate), "{junk:x?}");
    }
}

#[test]
fn the_compressed_bit_stands_on_first_fragments_only() {
    let begun = masked(TEXT_BEGIN | RSV1, b"\xf2\x48\xcd");
    for bytes in [
        masked(PING | RSV1, b""),
        masked(0x88 | RSV1, b"\x03\xe8"),
        [begun, masked(LAST | RSV1, b"\xc9\xc9\x07\x00")].concat(),
        [masked(TEXT_BEGIN, b"x"), masked(LAST | RSV1, b"y")].concat(),
    ] {
        assert_eq!(hear(&bytes).1, Some(WsError::CompressionMisplaced), "{bytes:x?}");
    }
    let mut frame = masked(TEXT | RSV1, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    let refused = Decoder::new(Role::Server, Limits::default()).decode(&mut &mut frame[..]);
    assert_eq!(refused, Err(WsError::CompressionNotAgreed));
}

#[test]
fn text_is_checked_after_it_is_inflated() {
    assert_eq!(hear(&masked(TEXT | RSV1, &deflated(b"\xff"))).1, Some(WsError::InvalidUtf8));
    let heard = hear(&masked(BINARY | RSV1, &deflated(b"\xff")));
    assert_eq!(heard, (vec![binary(b"\xff")], None));
}

#[test]
fn what_inflates_to_too_much_is_refused() {
    let limits = Limits { message_bytes_max: 1000 };
    let too_big = Some(WsError::MessageTooBig { max: 1000 });
    let mut inflater = Inflater::new();
    let mut hear = |bytes: &[u8]| hear_with(&mut inflater, limits, [bytes]);
    for (len, expected) in [(999, None), (1000, None), (1001, too_big), (100_000_000, too_big)] {
        let heard = hear(&masked(BINARY | RSV1, &deflated(&vec![0; len])));
        assert_eq!(heard.1, expected, "{len}");
        assert_eq!(heard.0.len(), usize::from(expected.is_none()));
    }
    // Nor may so many compressed bytes come, whatever they would inflate to: here to nothing.
    let empty_blocks = b"\x00\x00\x00\xff\xff".repeat(400);
    assert_eq!(hear(&masked(BINARY | RSV1, &empty_blocks)).1, too_big);
    let fragments = [masked(0x02 | RSV1, &empty_blocks[..900]), masked(LAST, &empty_blocks[..900])];
    assert_eq!(hear(&fragments.concat()).1, too_big);
    // What cannot be compressed may still come as if it were.
    let noise: Vec<u8> =
        (0u32..1000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert_eq!(hear(&masked(BINARY | RSV1, &deflated(&noise))).0, [binary(&noise)]);
}

/// A message as a server sends it: what is each reader's own as it is, what all share compressed.
#[test]
fn a_head_goes_before_what_is_shared() {
    let body = "{\"topic\":\"a\",\"data\":\"tidings tidings tidings\"}".repeat(5);
    let mut deflater = Deflater::new();
    let deflated = deflater.deflate(body.as_bytes()).unwrap().to_vec();
    for head in ["", "x", "{\"sub\":\"first\",\"event\":", &"long ".repeat(13_107)] {
        let header = deflated_header(Opcode::Text, head.len(), deflated.len()).unwrap();
        let mut frame = [header.as_slice(), head.as_bytes(), &deflated].concat();
        let mut client = Decoder::new(Role::Client, Limits::default());
        let item = client.decode_deflated(&mut &mut frame[..], &mut Inflater::new());
        assert_eq!(item, Ok(Some(text(&format!("{head}{body}")))));
        assert!(client.is_idle());
    }
    assert!(deflated_header(Opcode::Text, 0x1_0000, deflated.len()).is_none());
}

#[test]
fn what_gains_nothing_is_left_as_it_is() {
    let mut deflater = Deflater::new();
    assert_eq!(deflater.deflate(b""), None);
    assert_eq!(deflater.deflate(b"abc"), None);
    assert_eq!(deflater.deflate(&noise(5000)), None);
    // Nor does it leave anything behind.
    let twice = [0, 1].map(|_| deflater.deflate(&[b'x'; 300]).unwrap().to_vec());
    assert_eq!(twice[0], twice[1]);
}

proptest! {
    #[test]
    fn there_and_back(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), 1..40usize), 0..40)
    ) {
        let payload: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
        let mut deflater = Deflater::new();
        let ours = deflater.deflate(&payload).map(<[u8]>::to_vec);
        for bytes in ours.into_iter().chain([deflated(&payload)]) {
            let heard = hear(&masked(BINARY | RSV1, &bytes));
            prop_assert_eq!(heard, (vec![binary(&payload)], None));
        }
    }

    #[test]
    fn junk_never_breaks_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (items, error) = hear(&masked(BINARY | RSV1, &bytes));
        let is_refused = matches!(error, Some(WsError::NotDeflate | WsError::MessageTooBig { max: _ }));
        prop_assert!(is_refused || items.len() == 1);
    }
}
