//! What a server keeps of a password to check SCRAM-SHA-256 by (RFC 5802 section 3), written as
//! `SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY`, the last three in base64.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{hmac, sha256};

/// Iterations of credentials that are made here. RFC 7677 section 4 asks for 4096 at least; clients
/// pay for them, too, and some are small.
const ITERATIONS: u32 = 15_000;

/// Fewest and most iterations that are believed to be meant.
const ITERATIONS_MIN: u32 = 4096;
const ITERATIONS_MAX: u32 = 10_000_000;

/// Longest salt, in bytes.
const SALT_BYTES_MAX: usize = 64;

const PREFIX: &str = "SCRAM-SHA-256$";

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    pub(super) iterations: u32,
    pub(super) salt: Box<[u8]>,
    pub(super) stored_key: [u8; 32],
    pub(super) server_key: [u8; 32],
}

/// Why a text is no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY with {ITERATIONS_MIN} iterations or more"
)]
pub struct ScramCredentialError;

impl ScramCredential {
    /// What is to be kept of `password`. `salt` must be random.
    pub fn of(password: &str, salt: &[u8]) -> ScramCredential {
        ScramCredential::with_iterations(password, salt, ITERATIONS)
    }

    pub(super) fn with_iterations(password: &str, salt: &[u8], iterations: u32) -> ScramCredential {
        // One that cannot be prepared is taken as it is, as clients do.
        let password = stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password));
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.as_bytes(), salt, iterations, &mut salted);
        ScramCredential {
            iterations,
            salt: salt.into(),
            stored_key: sha256(&hmac(&salted, &[b"Client Key"])),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    /// What looks like the credential of a user who is none, the same each time: like `others`, if
    /// there are any. No password fits it.
    pub(crate) fn decoy(secret: &[u8], name: &str, others: Option<&ScramCredential>) -> Self {
        let made = |what: &[u8]| hmac(secret, &[what, name.as_bytes()]);
        let bytes = others.map_or(16, |other| other.salt.len());
        let salt = [made(b"salt 1 "), made(b"salt 2 ")].concat();
        ScramCredential {
            iterations: others.map_or(ITERATIONS, |other| other.iterations),
            salt: salt[..bytes.min(salt.len())].into(),
            stored_key: made(b"stored key "),
            server_key: made(b"server key "),
        }
    }

    pub(crate) fn server_key(&self) -> [u8; 32] {
        self.server_key
    }
}

impl FromStr for ScramCredential {
    type Err = ScramCredentialError;

    fn from_str(text: &str) -> Result<ScramCredential, ScramCredentialError> {
        let parse = || {
            let (cost, keys) = text.strip_prefix(PREFIX)?.split_once('$')?;
            let ((iterations, salt), (stored_key, server_key)) =
                (cost.split_once(':')?, keys.split_once(':')?);
            let key = |text| <[u8; 32]>::try_from(STANDARD.decode(text).ok()?).ok();
            let salt = STANDARD.decode(salt).ok()?;
            let iterations: u32 = iterations.parse().ok()?;
            let is_right = (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations)
                && (1..=SALT_BYTES_MAX).contains(&salt.len());
            is_right.then_some(ScramCredential {
                iterations,
                salt: salt.into(),
                stored_key: key(stored_key)?,
                server_key: key(server_key)?,
            })
        };
        parse().ok_or(ScramCredentialError)
    }
}

impl fmt::Display for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScramCredential { iterations, salt, stored_key, server_key } = self;
        let [salt, stored_key, server_key] =
            [&salt[..], stored_key, server_key].map(|bytes| STANDARD.encode(bytes));
        write!(f, "{PREFIX}{iterations}:{salt}${stored_key}:{server_key}")
    }
}

/// Whoever has it can play the server.
impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramCredential")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let credential = ScramCredential::with_iterations("pencil", b"salt and salt", 4096);
        let text = credential.to_string();
        assert_eq!(text.parse(), Ok(credential));
        for wrong in ["", "pencil", &text.replace("4096", "1"), &text[..text.len() - 4], &text[1..]]
        {
            assert_eq!(wrong.parse::<ScramCredential>(), Err(ScramCredentialError), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_prepared() {
        let salt = b"0123456789abcdef";
        let made = |text| ScramCredential::with_iterations(text, salt, 4096);
        // RFC 4013 section 3: a soft hyphen maps to nothing, a compatibility character to itself.
        assert_eq!(made("I\u{ad}X"), made("IX"));
        assert_eq!(made("\u{2168}"), made("IX"));
        assert_ne!(made("user"), made("USER"));
    }
}
