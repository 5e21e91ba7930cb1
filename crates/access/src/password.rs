//! Passwords as they are kept: PHC strings of Argon2 (RFC 9106). Checking one is slow on purpose, so
//! it must never be done on a serving thread.

use std::fmt;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// Longest password that is looked at, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

/// Most memory that checking one password may take, in KiB: a quarter of a GiB.
const MEMORY_KIB_MAX: u32 = 256 * 1024;

/// Most passes over it.
const PASSES_MAX: u32 = 32;

/// A password's hash, with its salt and what it costs.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: Box<str>,
    /// Memory times passes.
    cost: u64,
}

/// Why a text is no hash of a password, or a password cannot have one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Not a PHC string of Argon2.
    #[error("it is no PHC string of argon2")]
    Malformed,
    /// It would cost too much to check.
    #[error("it takes more than {MEMORY_KIB_MAX} KiB or {PASSES_MAX} passes to check")]
    Costly,
    /// Empty, or too long.
    #[error("a password is 1 to {PASSWORD_BYTES_MAX} bytes long")]
    Length,
}

impl PasswordHash {
    /// Reads a PHC string.
    ///
    /// # Errors
    /// It is none of Argon2, or costs too much.
    pub fn new(text: &str) -> Result<PasswordHash, PasswordError> {
        let phc = Phc::new(text).map_err(|_| PasswordError::Malformed)?;
        Algorithm::try_from(phc.algorithm.as_str()).map_err(|_| PasswordError::Malformed)?;
        if phc.salt.is_none() || phc.hash.is_none() {
            return Err(PasswordError::Malformed);
        }
        let params = Params::try_from(&phc).map_err(|_| PasswordError::Malformed)?;
        if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX {
            return Err(PasswordError::Costly);
        }
        let cost = u64::from(params.m_cost()) * u64::from(params.t_cost());
        Ok(PasswordHash { text: text.into(), cost })
    }

    /// Hashes a password by Argon2id with what OWASP's Password Storage Cheat Sheet asks for at
    /// least: 19 MiB, two passes. `salt` must be random.
    ///
    /// # Errors
    /// The password is empty or too long.
    pub fn of(password: &[u8], salt: [u8; 16]) -> Result<PasswordHash, PasswordError> {
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::Length);
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
        let hash: Phc =
            argon2.hash_password_with_salt(password, &salt).map_err(|_| PasswordError::Length)?;
        PasswordHash::new(&hash.to_string())
    }

    /// Whether it is the hash of `password`. Takes tens of milliseconds.
    pub fn fits(&self, password: &[u8]) -> bool {
        let Ok(phc) = Phc::new(&self.text) else { return false };
        password.len() <= PASSWORD_BYTES_MAX
            && Argon2::default().verify_password(password, &phc).is_ok()
    }

    /// What checking it costs, to compare.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A hash is nearly as good as the password to who has time.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_fits() {
        let hash = PasswordHash::of(b"secret", [7; 16]).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let read = PasswordHash::new(hash.as_str()).unwrap();
        assert!(read.fits(b"secret"));
        for wrong in [&b"Secret"[..], b"secret ", b"", &[b's'; 1025]] {
            assert!(!read.fits(wrong));
        }
        assert_ne!(hash, PasswordHash::of(b"secret", [8; 16]).unwrap());
        assert_eq!(format!("{hash:?}"), "PasswordHash");
    }

    #[test]
    fn texts_that_are_no_hashes() {
        for (text, why) in [
            ("secret", PasswordError::Malformed),
            ("", PasswordError::Malformed),
            (
                "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
                PasswordError::Malformed,
            ),
            ("$argon2id$v=19$m=19456,t=2,p=1", PasswordError::Malformed),
            (
                "$argon2id$v=19$m=1048576,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                PasswordError::Costly,
            ),
        ] {
            assert_eq!(PasswordHash::new(text), Err(why), "{text}");
        }
        assert_eq!(PasswordHash::of(b"", [0; 16]), Err(PasswordError::Length));
    }
}
