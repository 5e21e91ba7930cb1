//! Who may do what: identities, the rules that grant them topics, and the three ways to prove who
//! one is: a password, SCRAM-SHA-256, a signed token.
//!
//! Everything is a pure function of what is passed in. Must never look at a clock, make a random
//! number, read a file, or write a secret anywhere: not into an error, not into a log.

mod access;
mod credentials;
mod identity;
mod password;
mod pattern;
mod proven;
mod rules;
mod scram;
mod token;
mod users;

pub use access::{Access, Checked, PasswordCheck};
pub use credentials::{Credentials, Denied, Login, Way};
pub use identity::{Grants, Identity, Reach};
pub use password::{PasswordError, PasswordHash};
pub use pattern::{Pattern, PatternError};
pub use rules::{Rule, Rules, Subject, Who, WhoError};
pub use scram::{ScramCredential, ScramCredentialError, ScramError, ScramProof, ScramServer};
pub use token::{Algorithm, KeyError, TokenKey, TokenRules};
pub use users::{User, Users, UsersError};
