//! What somebody brings to prove who they are, and why that may not do.

use std::fmt;

use crate::scram::ScramProof;

/// What proves who somebody is.
pub enum Credentials {
    /// Nothing at all.
    Anonymous,
    /// A user's name and password.
    Password {
        /// The name.
        user: Box<str>,
        /// The password, as it was typed.
        password: Box<[u8]>,
    },
    /// A JSON Web Token (RFC 7519).
    Token(Box<str>),
    /// The name in a client certificate that the carrier has verified.
    Certificate(Box<str>),
    /// A SCRAM exchange that has ended.
    Scram(ScramProof),
}

/// Credentials, and what the client calls itself.
pub struct Login {
    /// What it brings.
    pub credentials: Credentials,
    /// Its own name for itself, where its protocol has one. Proves nothing.
    pub client: Option<Box<str>>,
}

impl From<Credentials> for Login {
    fn from(credentials: Credentials) -> Login {
        Login { credentials, client: None }
    }
}

/// How somebody tried to prove who they are, without any secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Not at all.
    Anonymous,
    /// By a password.
    Password,
    /// By a token.
    Token,
    /// By a client certificate.
    Certificate,
    /// By SCRAM.
    Scram,
}

impl Way {
    /// The word that operators see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Way::Anonymous => "anonymous",
            Way::Password => "password",
            Way::Token => "token",
            Way::Certificate => "certificate",
            Way::Scram => "scram",
        }
    }
}

impl Credentials {
    /// How these prove it.
    pub const fn way(&self) -> Way {
        match self {
            Credentials::Anonymous => Way::Anonymous,
            Credentials::Password { .. } => Way::Password,
            Credentials::Token(_) => Way::Token,
            Credentials::Certificate(_) => Way::Certificate,
            Credentials::Scram(_) => Way::Scram,
        }
    }

    /// Whom they claim to be, where that is said in the open.
    pub fn user(&self) -> Option<&str> {
        match self {
            Credentials::Password { user, .. } => Some(user),
            Credentials::Certificate(name) => Some(name),
            Credentials::Scram(proof) => Some(proof.user()),
            Credentials::Anonymous | Credentials::Token(_) => None,
        }
    }
}

/// Never shows a secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.way().as_str(), self.user())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, client {:?}", self.credentials, self.client)
    }
}

/// Why somebody is not let in. Says of a password only that it does not fit: not whether there is
/// such a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No credentials where there must be some.
    #[error("credentials are needed")]
    Missing,
    /// A wrong password, or a user who does not exist.
    #[error("the user's name or the password is wrong")]
    Wrong,
    /// The token is not to be believed, for this reason.
    #[error("the token is refused: {0}")]
    Token(&'static str),
    /// It was right, and its time is over.
    #[error("the token has expired")]
    Expired,
    /// Too many passwords are being checked.
    #[error("too many logins at once")]
    Busy,
}
