//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side: the password is never sent, nor kept.
//! No channel binding, which no carrier of ours offers.

mod credential;
mod server;

pub use credential::{ScramCredential, ScramCredentialError};
pub use server::{ScramError, ScramProof, ScramServer};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// HMAC-SHA-256 of all parts, one after the other.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length; one that it would not take would make a hash that fits nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
