//! Passwords that were right a moment ago, so that a client that sends its password with every
//! request does not have it hashed slowly for each.
//!
//! Keeps no password: a keyed hash of it, under a key that is as old as the process. Must never
//! remember a wrong one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tidings_model::Time;

use crate::identity::Identity;

/// Most logins remembered, in each of two generations.
const PROVEN_MAX: usize = 10_000;

/// A login is remembered for at least so long, and at most twice.
const KEEP: Duration = Duration::from_secs(60);

type Digest = [u8; 32];

/// What was proved lately.
pub(crate) struct Proven {
    key: Digest,
    young: HashMap<Digest, Arc<Identity>>,
    old: HashMap<Digest, Arc<Identity>>,
    since: Time,
}

impl Proven {
    /// Remembers nothing yet. `key` must be random.
    pub(crate) fn new(key: Digest) -> Proven {
        Proven { key, young: HashMap::new(), old: HashMap::new(), since: Time::default() }
    }

    /// What a login is remembered by: what was said, each part with its length.
    pub(crate) fn digest(&self, user: &str, password: &[u8], client: Option<&str>) -> Digest {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return [0; 32] };
        for part in [user.as_bytes(), password, client.unwrap_or_default().as_bytes()] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whom a login has proved to be.
    pub(crate) fn get(&mut self, digest: &Digest, now: Time) -> Option<Arc<Identity>> {
        self.age(now);
        self.young.get(digest).or_else(|| self.old.get(digest)).cloned()
    }

    /// A login was right.
    pub(crate) fn add(&mut self, digest: Digest, identity: Arc<Identity>, now: Time) {
        self.age(now);
        self.young.insert(digest, identity);
    }

    /// Everything has to be proved anew.
    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn age(&mut self, now: Time) {
        let age = now.since(self.since);
        if age >= KEEP * 2 {
            self.clear();
            self.since = now;
        } else if age >= KEEP || self.young.len() >= PROVEN_MAX {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Grants;

    #[test]
    fn what_was_proved_is_remembered_for_a_while() {
        let mut proven = Proven::new([1; 32]);
        let at = |seconds: u64| Time::from_millis(1_000_000 + seconds * 1000);
        let identity = Arc::new(Identity::new(Some("ann".into()), None, Grants::default()));
        let digest = proven.digest("ann", b"a", None);
        proven.add(digest, Arc::clone(&identity), at(0));
        assert_eq!(proven.get(&digest, at(59)), Some(Arc::clone(&identity)));
        assert_eq!(proven.get(&digest, at(119)), Some(identity));
        assert_eq!(proven.get(&digest, at(180)), None);
        proven.add(digest, Arc::new(Identity::nobody()), at(200));
        assert_eq!(proven.get(&digest, at(320)), None, "also when nobody asked meanwhile");
    }

    #[test]
    fn nothing_else_counts_as_the_same() {
        let proven = Proven::new([1; 32]);
        let digest = proven.digest("ann", b"abc", None);
        assert_ne!(digest, proven.digest("anna", b"bc", None));
        assert_ne!(digest, proven.digest("ann", b"abc", Some("c")));
        assert_ne!(digest, Proven::new([2; 32]).digest("ann", b"abc", None));
    }

    #[test]
    fn the_number_is_bounded() {
        let mut proven = Proven::new([1; 32]);
        let identity = Arc::new(Identity::new(None, None, Grants::default()));
        for number in 0..3 * PROVEN_MAX {
            let digest = proven.digest("ann", &number.to_le_bytes(), None);
            proven.add(digest, Arc::clone(&identity), Time::from_millis(5));
        }
        assert!(proven.young.len() + proven.old.len() <= 2 * PROVEN_MAX);
    }
}
