//! The users there are. Must never let a caller find out by what it answers, or how much work that
//! was, whether a user exists.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tidings_model::limits::KEY_BYTES_MAX;

use crate::password::PasswordHash;
use crate::scram::ScramCredential;

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name; see [`Users::check_name`].
    pub name: Arc<str>,
    /// For logins by password.
    pub password: Option<PasswordHash>,
    /// For logins by SCRAM-SHA-256.
    pub scram: Option<ScramCredential>,
    /// The groups that rules may name.
    pub groups: Box<[Box<str>]>,
}

/// Every user.
#[derive(Clone, Debug, Default)]
pub struct Users {
    known: BTreeMap<Arc<str>, User>,
    /// What is checked for a user who is none: as costly as the costliest.
    decoy: Option<PasswordHash>,
    /// What the salts of users are made of who are none. Stays what it is for as long as the users
    /// do, so that their salts do, too.
    secret: [u8; 32],
}

/// Why there cannot be these users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// Two have one name.
    #[error("there are two users `{0}`")]
    Twice(Arc<str>),
    /// A name is no user's name.
    #[error("`{0}` is no user's name: 1 to {KEY_BYTES_MAX} bytes without control characters")]
    Name(String),
}

impl Users {
    /// Whether a user can have this name: 1 to 128 bytes, no control characters.
    pub fn check_name(name: &str) -> Result<(), UsersError> {
        let is_name = (1..=KEY_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control);
        is_name.then_some(()).ok_or_else(|| UsersError::Name(name.escape_debug().to_string()))
    }

    /// These users.
    ///
    /// # Errors
    /// A name is wrong, or there twice.
    pub fn new(users: impl IntoIterator<Item = User>) -> Result<Users, UsersError> {
        let mut known = BTreeMap::new();
        let mut hash = Sha256::new();
        for user in users {
            Users::check_name(&user.name)?;
            hash.update(user.password.as_ref().map_or("", PasswordHash::as_str));
            hash.update(user.scram.as_ref().map_or([0; 32], ScramCredential::server_key));
            if known.contains_key(&user.name) {
                return Err(UsersError::Twice(user.name));
            }
            known.insert(Arc::clone(&user.name), user);
        }
        let hashes = known.values().filter_map(|user: &User| user.password.as_ref());
        let decoy = hashes.max_by_key(|hash| hash.cost()).cloned();
        Ok(Users { known, decoy, secret: hash.finalize().into() })
    }

    /// A user of this name.
    pub fn get(&self, name: &str) -> Option<&User> {
        self.known.get(name)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The user whose name and password these are. Hashes once, whoever is asked for.
    pub(crate) fn log_in(&self, name: &str, password: &[u8]) -> Option<&User> {
        let fits = self.hash_of(name)?.fits(password);
        self.known.get(name).filter(|user| fits && user.password.is_some())
    }

    /// The hash that a password of `name` is compared with: there is one for whoever is asked for,
    /// unless nobody has any.
    fn hash_of(&self, name: &str) -> Option<&PasswordHash> {
        let own = self.known.get(name).and_then(|user| user.password.as_ref());
        own.or(self.decoy.as_ref())
    }

    /// What a SCRAM exchange with `name` is checked against, and whether it can end well.
    pub(crate) fn scram(&self, name: &str) -> (ScramCredential, bool) {
        match self.known.get(name).and_then(|user| user.scram.as_ref()) {
            Some(credential) => (credential.clone(), true),
            None => {
                let others = self.known.values().find_map(|user| user.scram.as_ref());
                (ScramCredential::decoy(&self.secret, name, others), false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, password: Option<&[u8]>) -> User {
        let password = password.map(|password| PasswordHash::of(password, [1; 16]).unwrap());
        User { name: name.into(), password, scram: None, groups: Box::default() }
    }

    #[test]
    fn a_login_takes_name_and_password() {
        let users = Users::new([user("ann", Some(b"a")), user("bob", None)]).unwrap();
        assert_eq!(users.log_in("ann", b"a").map(|user| &*user.name), Some("ann"));
        // The decoy is a hash of `a`, too: whoever it fits is still nobody.
        for (name, password) in [("ann", &b"b"[..]), ("eve", b"a"), ("bob", b"a"), ("", b"a")] {
            assert!(users.log_in(name, password).is_none(), "{name}");
        }
        // Or it could be told by the time that it takes who exists.
        for name in ["ann", "bob", "eve"] {
            assert!(users.hash_of(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_are_names_and_there_once() {
        let twice = Users::new([user("ann", None), user("ann", None)]);
        assert_eq!(twice.unwrap_err(), UsersError::Twice("ann".into()));
        for name in ["", "a\nb", &"x".repeat(129)] {
            assert!(matches!(Users::new([user(name, None)]), Err(UsersError::Name(_))));
        }
    }
}
