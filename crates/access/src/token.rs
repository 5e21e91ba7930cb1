//! JSON Web Tokens (RFC 7519, RFC 8725): signed by somebody whom the operator trusts.
//!
//! How a token is verified is the key's to say, never the token's: each key has one algorithm. Must
//! never take an unsigned token, nor look at a claim before the signature has been verified.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};
use tidings_model::{Time, TopicFilter, limits};

use crate::credentials::Denied;
use crate::users::Users;

/// Longest token, in bytes; one with more would not fit a request's head either.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Fewest bytes of a shared secret: as many as the hash has (RFC 7518 section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// Most groups that a token may name.
const GROUPS_MAX: usize = 256;

/// How tokens are signed (RFC 7518 section 3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever can verify can sign, too.
    Hs256,
    /// RSA with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every one.
    pub const ALL: [Algorithm; 4] =
        [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

    /// The name, as in a token's `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    const fn theirs(self) -> jsonwebtoken::Algorithm {
        match self {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// What a token must say besides being signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// Who must have issued it (`iss`).
    pub issuer: Option<Box<str>>,
    /// Whom it must be for (`aud`). A token that is for somebody is refused where this is not set.
    pub audience: Option<Box<str>>,
    /// The claim that lists the user's groups.
    pub groups_claim: Box<str>,
    /// How far the clocks of issuer and server may differ.
    pub leeway: Duration,
}

/// A key that tokens may be signed with.
#[derive(Clone)]
pub struct TokenKey {
    algorithm: Algorithm,
    key: DecodingKey,
    rules: TokenRules,
}

/// Why a key is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a public key in PEM of the algorithm's kind.
    #[error("it is no public key of {0} in PEM")]
    Pem(&'static str),
    /// A shared secret that can be guessed.
    #[error("a secret has {SECRET_BYTES_MIN} bytes at least")]
    Short,
    /// A public key where there should be a secret: everybody could sign.
    #[error("it is a key in PEM, and {0} takes a secret")]
    NotSecret(&'static str),
}

/// What a token says that is to be believed.
#[derive(Debug, PartialEq)]
pub(crate) struct Claims {
    pub(crate) user: Arc<str>,
    pub(crate) groups: Box<[Box<str>]>,
    pub(crate) expires: Time,
    pub(crate) publish: Vec<TopicFilter>,
    pub(crate) subscribe: Vec<TopicFilter>,
}

impl TokenKey {
    /// A key for tokens that are signed by `algorithm`: a public key in PEM, or for HMAC the secret
    /// itself, without the line break that a file may end in.
    ///
    /// # Errors
    /// `key` is none.
    pub fn new(algorithm: Algorithm, key: &[u8], rules: TokenRules) -> Result<TokenKey, KeyError> {
        let name = algorithm.name();
        let key = match algorithm {
            Algorithm::Hs256 => {
                let secret = key.trim_ascii_end();
                if secret.starts_with(b"-----BEGIN") {
                    return Err(KeyError::NotSecret(name));
                }
                if secret.len() < SECRET_BYTES_MIN {
                    return Err(KeyError::Short);
                }
                DecodingKey::from_secret(secret)
            }
            Algorithm::Rs256 => DecodingKey::from_rsa_pem(key).map_err(|_| KeyError::Pem(name))?,
            Algorithm::Es256 => DecodingKey::from_ec_pem(key).map_err(|_| KeyError::Pem(name))?,
            Algorithm::EdDsa => DecodingKey::from_ed_pem(key).map_err(|_| KeyError::Pem(name))?,
        };
        Ok(TokenKey { algorithm, key, rules })
    }

    /// The claims of a token that this key has signed.
    fn verify(&self, token: &str, now: Time) -> Result<Claims, Denied> {
        let mut validation = Validation::new(self.algorithm.theirs());
        // What they say of time and place is looked at here, by the time that is passed in.
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) =
            (false, false, false);
        let claims = decode::<Map<String, Value>>(token, &self.key, &validation)
            .map_err(|_| Denied::Token("its signature does not fit"))?
            .claims;
        self.check(&claims, now)?;
        read(&claims, &self.rules)
    }

    fn check(&self, claims: &Map<String, Value>, now: Time) -> Result<(), Denied> {
        let TokenRules { issuer, audience, leeway, .. } = &self.rules;
        if let Some(issuer) = issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(Denied::Token("somebody else has issued it"));
        }
        // RFC 7519 section 4.1.3: who is not named must refuse.
        let is_for = |value: &Value| audience.as_deref().is_some_and(|us| value == us);
        match (claims.get("aud"), audience) {
            (None, None) => {}
            (Some(Value::Array(list)), _) if list.iter().any(is_for) => {}
            (Some(one), _) if is_for(one) => {}
            _ => return Err(Denied::Token("it is for another audience")),
        }
        let leeway = leeway.as_secs_f64();
        let now = Duration::from_millis(now.as_millis()).as_secs_f64();
        match time(claims, "nbf")? {
            Some(from) if now + leeway < from => return Err(Denied::Token("it is not valid yet")),
            _ => {}
        }
        match time(claims, "exp")? {
            Some(until) if until + leeway <= now => Err(Denied::Expired),
            Some(_) => Ok(()),
            None => Err(Denied::Token("it never expires")),
        }
    }
}

/// What the claims say; the token has been verified and is in time.
fn read(claims: &Map<String, Value>, rules: &TokenRules) -> Result<Claims, Denied> {
    let user = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    Users::check_name(user).map_err(|_| Denied::Token("`sub` is no user's name"))?;
    let groups = match claims.get(&*rules.groups_claim) {
        None | Some(Value::Null) => Vec::new(),
        // Some issuers write a list of one as a text.
        Some(Value::String(one)) => vec![one.as_str().into()],
        Some(list) => texts(list, GROUPS_MAX).ok_or(Denied::Token("its groups are no list"))?,
    };
    let seconds = time(claims, "exp")?.unwrap_or_default() + rules.leeway.as_secs_f64();
    let expires = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    Ok(Claims {
        user: user.into(),
        groups: groups.into(),
        expires: Time::default() + expires,
        publish: filters(claims, "publish")?,
        subscribe: filters(claims, "subscribe")?,
    })
}

/// A time in seconds since the Unix epoch, perhaps with parts (RFC 7519 section 2, `NumericDate`).
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Denied> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Denied::Token("a time in it is no number")),
    }
}

fn filters(claims: &Map<String, Value>, name: &str) -> Result<Vec<TopicFilter>, Denied> {
    const WRONG: Denied = Denied::Token("`publish` or `subscribe` is no list of topic filters");
    let Some(value) = claims.get(name) else { return Ok(Vec::new()) };
    let texts = texts(value, limits::SELECTION_MAX).ok_or(WRONG)?;
    texts.iter().map(|text| TopicFilter::new(text).map_err(|_| WRONG)).collect()
}

fn texts(value: &Value, most: usize) -> Option<Vec<Box<str>>> {
    let list = value.as_array().filter(|list| list.len() <= most)?;
    list.iter().map(|item| item.as_str().map(Into::into)).collect()
}

/// What a token says that one of `keys` has signed.
pub(crate) fn verify(keys: &[TokenKey], token: &str, now: Time) -> Result<Claims, Denied> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Denied::Token("it is too long"));
    }
    let header =
        decode_header(token).map_err(|_| Denied::Token("it is no signed JSON Web Token"))?;
    // RFC 7515 section 4.1.11: what must be understood and is not must be refused.
    if header.crit.is_some() {
        return Err(Denied::Token("it has critical extensions"));
    }
    // The token's algorithm only says which keys are worth trying.
    let mut denied = Denied::Token("no key here is for its algorithm");
    for key in keys.iter().filter(|key| key.algorithm.theirs() == header.alg) {
        match key.verify(token, now) {
            Ok(claims) => return Ok(claims),
            // Of several keys the one that has signed knows best what is wrong.
            Err(why) if why == Denied::Token("its signature does not fit") => {
                if matches!(denied, Denied::Token("no key here is for its algorithm")) {
                    denied = why;
                }
            }
            Err(why) => denied = why,
        }
    }
    Err(denied)
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("algorithm", &self.algorithm)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
