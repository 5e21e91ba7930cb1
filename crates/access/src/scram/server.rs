//! One SCRAM exchange: client-first, server-first, client-final, server-final (RFC 5802 section 5).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::{ScramCredential, hmac, sha256};
use crate::users::Users;

/// Longest message of a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 2048;

/// Why an exchange fails. Whether there is such a user cannot be told from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// It is no message of SCRAM, or not the one that is due.
    #[error("the message is not SCRAM's")]
    Malformed,
    /// The client insists on binding the channel or on an extension.
    #[error("the client asks for what is not supported")]
    Unsupported,
    /// Somebody wants to act as somebody else.
    #[error("nobody may act as somebody else here")]
    Authorization,
}

/// The server-final message to a wrong proof (RFC 5802 section 7, `server-error-value`).
const WRONG: &str = "e=invalid-proof";

/// The server's side between its two messages.
pub struct ScramServer {
    user: Arc<str>,
    credential: ScramCredential,
    is_known: bool,
    /// What `c=` has to say.
    binding: String,
    nonce: String,
    /// The authentication message up to the client's final one.
    messages: String,
}

/// How a SCRAM exchange ended: who it was with, and whether they have proved to be that. Nothing but
/// a [`ScramServer`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramProof {
    user: Arc<str>,
    is_right: bool,
}

impl ScramProof {
    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether they are that user.
    pub fn is_right(&self) -> bool {
        self.is_right
    }
}

impl ScramServer {
    /// Takes the client's first message; returns the server's first. `nonce` must never be given
    /// twice, nor be guessed.
    ///
    /// # Errors
    /// The message is not a first one, or asks for too much.
    pub fn begin(
        users: &Users,
        first: &[u8],
        nonce: u128,
    ) -> Result<(ScramServer, String), ScramError> {
        ScramServer::begin_with(users, first, &STANDARD.encode(nonce.to_be_bytes()))
    }

    fn begin_with(
        users: &Users,
        first: &[u8],
        nonce: &str,
    ) -> Result<(ScramServer, String), ScramError> {
        let text = text(first)?;
        let (flag, rest) = text.split_once(',').ok_or(ScramError::Malformed)?;
        match flag {
            "n" | "y" => {}
            flag if flag.starts_with("p=") => return Err(ScramError::Unsupported),
            _ => return Err(ScramError::Malformed),
        }
        let (authzid, bare) = rest.split_once(',').ok_or(ScramError::Malformed)?;
        let mut attributes = bare.split(',');
        let name = match attributes.next().and_then(|attribute| attribute.split_once('=')) {
            Some(("n", name)) => user_name(name)?,
            Some(("m", _)) => return Err(ScramError::Unsupported),
            _ => return Err(ScramError::Malformed),
        };
        // Nobody may act as somebody else.
        match authzid.strip_prefix("a=") {
            Some(other) if user_name(other)? != name => return Err(ScramError::Authorization),
            None if !authzid.is_empty() => return Err(ScramError::Malformed),
            _ => {}
        }
        let theirs = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        let theirs = theirs.filter(|theirs| is_nonce(theirs)).ok_or(ScramError::Malformed)?;
        let (credential, is_known) = users.scram(&name);
        let nonce = format!("{theirs}{nonce}");
        let salt = STANDARD.encode(&credential.salt);
        let answer = format!("r={nonce},s={salt},i={}", credential.iterations);
        let server = ScramServer {
            user: name.into(),
            credential,
            is_known,
            binding: STANDARD.encode(format!("{flag},{authzid},")),
            nonce,
            messages: format!("{bare},{answer}"),
        };
        Ok((server, answer))
    }

    /// Takes the client's final message; returns what it has proved, and the server's final message,
    /// which proves to the client that the server knows the password, too, or says that the proof is
    /// wrong.
    ///
    /// # Errors
    /// The message is not the final one of this exchange.
    pub fn finish(self, last: &[u8]) -> Result<(ScramProof, String), ScramError> {
        let text = text(last)?;
        let (without, proof) = text.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without.split(',');
        let binding = attributes.next().and_then(|attribute| attribute.strip_prefix("c="));
        let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        if binding != Some(&self.binding) || nonce != Some(&self.nonce) {
            return Err(ScramError::Malformed);
        }
        let proof = STANDARD.decode(proof).ok().and_then(|proof| <[u8; 32]>::try_from(proof).ok());
        let mut client_key = proof.ok_or(ScramError::Malformed)?;
        let message = format!("{},{without}", self.messages);
        let ScramCredential { stored_key, server_key, .. } = &self.credential;
        let signature = hmac(stored_key, &[message.as_bytes()]);
        client_key.iter_mut().zip(signature).for_each(|(byte, other)| *byte ^= other);
        let fits = sha256(&client_key).ct_eq(stored_key);
        let is_right = bool::from(fits) && self.is_known;
        let signature = STANDARD.encode(hmac(server_key, &[message.as_bytes()]));
        let answer = if is_right { format!("v={signature}") } else { WRONG.to_owned() };
        Ok((ScramProof { user: self.user, is_right }, answer))
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    let text = std::str::from_utf8(message).ok();
    text.filter(|text| text.len() <= MESSAGE_BYTES_MAX).ok_or(ScramError::Malformed)
}

/// A `saslname`: commas and equals signs are written `=2C` and `=3D` (RFC 5802 section 7).
fn user_name(text: &str) -> Result<String, ScramError> {
    let mut parts = text.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = part.split_at_checked(2).ok_or(ScramError::Malformed)?;
        name.push(match sign {
            "2C" => ',',
            "3D" => '=',
            _ => return Err(ScramError::Malformed),
        });
        name.push_str(rest);
    }
    let prepared = stringprep::saslprep(&name).map_err(|_| ScramError::Malformed)?;
    if prepared.is_empty() { Err(ScramError::Malformed) } else { Ok(prepared.into_owned()) }
}

fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && byte != b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::User;

    // RFC 7677 section 3.
    const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const OURS: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn users() -> Users {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let scram = Some(ScramCredential::with_iterations("pencil", &salt, 4096));
        let groups = Box::default();
        Users::new([User { name: "user".into(), password: None, scram, groups }]).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc() {
        let begun = ScramServer::begin_with(&users(), FIRST.as_bytes(), OURS);
        let (server, answer) = begun.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer, SERVER_FIRST);
        let (proof, answer) = server.finish(LAST.as_bytes()).unwrap();
        assert_eq!((proof.user(), proof.is_right(), answer.as_str()), ("user", true, SERVER_LAST));
    }

    #[test]
    fn what_is_not_proved_is_not_believed() {
        for (last, why) in [
            (LAST.replace("p=dHz", "p=dHy"), None),
            (LAST.replace("c=biws", "c=eSws"), Some(ScramError::Malformed)),
            (LAST.replace("k0,", "k1,"), Some(ScramError::Malformed)),
            (LAST.replace("p=dHz", "p="), Some(ScramError::Malformed)),
            (LAST.replace(",p=", ",x=1,p="), None),
            (String::new(), Some(ScramError::Malformed)),
        ] {
            let begun = ScramServer::begin_with(&users(), FIRST.as_bytes(), OURS);
            let (server, _) = begun.unwrap_or_else(|error| panic!("{error}"));
            match server.finish(last.as_bytes()) {
                Ok((proof, answer)) => {
                    assert_eq!((proof.is_right(), answer.as_str(), why), (false, WRONG, None));
                }
                Err(error) => assert_eq!(Some(error), why, "{last}"),
            }
        }
    }

    #[test]
    fn first_messages_that_are_refused() {
        for (first, why) in [
            ("p=tls-unique,,n=user,r=abc", ScramError::Unsupported),
            ("n,,m=x,n=user,r=abc", ScramError::Unsupported),
            ("n,a=other,n=user,r=abc", ScramError::Authorization),
            ("n,,n=us=2Fer,r=abc", ScramError::Malformed),
            ("n,,n=us=2,r=abc", ScramError::Malformed),
            ("n,,n=,r=abc", ScramError::Malformed),
            ("n,,n=user,r=", ScramError::Malformed),
            ("n,,n=user", ScramError::Malformed),
            ("x,,n=user,r=abc", ScramError::Malformed),
            ("", ScramError::Malformed),
        ] {
            let begun = ScramServer::begin(&users(), first.as_bytes(), 1);
            assert_eq!(begun.err(), Some(why), "{first}");
        }
        let long = format!("n,,n=user,r={}", "x".repeat(3000));
        assert!(ScramServer::begin(&users(), long.as_bytes(), 1).is_err());
    }

    #[test]
    fn a_user_who_is_none_looks_like_one() {
        let answer = |users: &Users, name: &str| {
            let first = format!("n,,n={name},r=abc");
            let begun = ScramServer::begin(users, first.as_bytes(), 7);
            begun.unwrap_or_else(|error| panic!("{error}")).1
        };
        let (users, again) = (users(), users());
        let [known, unknown, other] =
            ["user", "nobody", "another"].map(|name| answer(&users, name));
        assert_eq!(unknown, answer(&again, "nobody"), "the same salt each time");
        assert_ne!(unknown, other);
        assert_eq!(
            (known.len(), known.ends_with("i=4096")),
            (unknown.len(), unknown.ends_with("i=4096"))
        );
        let (server, answer) = ScramServer::begin(&users, b"n,,n=nobody,r=abc", 7).ok().unwrap();
        let nonce = answer.split(',').next().unwrap();
        let last = format!("c=biws,{nonce},p={}", STANDARD.encode([0; 32]));
        let (proof, answer) = server.finish(last.as_bytes()).unwrap();
        assert_eq!((proof.is_right(), answer.as_str()), (false, WRONG));
    }

    #[test]
    fn names_may_hold_the_signs_of_the_grammar() {
        assert_eq!(user_name("a=2Cb=3Dc"), Ok("a,b=c".to_owned()));
    }
}
