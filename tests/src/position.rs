//! Positions as a forger makes them. Tests of honest clients treat a position as opaque; only
//! these two ways of spoiling one know its form, which is a version, one mark for each log, and a
//! checksum, in URL-safe base64.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes at the end that are the checksum.
const SUM_BYTES: usize = 2;

/// The position, moved far ahead of anything the server has, with its checksum made right again.
#[track_caller]
pub fn ahead(position: &str) -> String {
    let mut bytes = decode(position);
    bytes.truncate(bytes.len() - SUM_BYTES);
    // The last mark ends in its offset, seven bits a byte: two more bytes make it far larger.
    if let Some(last) = bytes.last_mut() {
        *last |= 0x80;
    }
    bytes.extend([0xff, 0x01]);
    bytes.extend(checksum(&bytes).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position with one bit of its bytes flipped, once for each bit.
#[track_caller]
pub fn flipped(position: &str) -> Vec<String> {
    let bytes = decode(position);
    let flip = |bit: usize| {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        URL_SAFE_NO_PAD.encode(bytes)
    };
    (0..bytes.len() * 8).map(flip).collect()
}

#[track_caller]
fn decode(position: &str) -> Vec<u8> {
    let bytes = URL_SAFE_NO_PAD.decode(position);
    bytes.unwrap_or_else(|error| panic!("{position:?} is not URL-safe: {error}"))
}

/// FNV-1a with 32 bits, folded to 16.
fn checksum(bytes: &[u8]) -> u16 {
    let mut hash = 0x811c_9dc5_u32;
    for &byte in bytes {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    (hash >> 16) as u16 ^ hash as u16
}
