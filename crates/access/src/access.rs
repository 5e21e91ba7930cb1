//! Everything the operator has said of who may do what, and the one place where credentials become
//! an identity.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tidings_model::{Time, TopicFilter};

use crate::credentials::{Credentials, Denied, Login};
use crate::identity::Identity;
use crate::proven::Proven;
use crate::rules::{Rules, Subject};
use crate::scram::{ScramError, ScramServer};
use crate::token::{self, Claims, TokenKey};
use crate::users::{User, Users};

/// Who may do what.
pub struct Access {
    anonymous: bool,
    /// Whether certificates of clients name users.
    certificates: bool,
    rules: Rules,
    keys: Vec<TokenKey>,
    users: RwLock<Arc<Users>>,
    proven: Mutex<Proven>,
}

/// What becomes of credentials.
pub enum Checked {
    /// It is known at once.
    Done(Result<Arc<Identity>, Denied>),
    /// A password has to be hashed, which takes long.
    Slow(PasswordCheck),
}

/// A password that has to be hashed, on a thread that has time.
pub struct PasswordCheck {
    access: Arc<Access>,
    users: Arc<Users>,
    user: Box<str>,
    password: Box<[u8]>,
    client: Option<Box<str>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access")
    }
}

impl Access {
    /// These rules, users and keys. Whether who brings no credentials may connect, `anonymous` says.
    /// `secret` must be random.
    pub fn new(
        anonymous: bool,
        rules: Rules,
        keys: Vec<TokenKey>,
        users: Users,
        secret: [u8; 32],
    ) -> Access {
        let (users, proven) = (RwLock::new(Arc::new(users)), Mutex::new(Proven::new(secret)));
        Access { anonymous, certificates: true, rules, keys, users, proven }
    }

    /// The same, to which a client's certificate is as good as none.
    #[must_use]
    pub fn without_certificates(self) -> Access {
        Access { certificates: false, ..self }
    }

    /// Other users from now on. Who is connected stays who they are.
    pub fn set_users(&self, users: Users) {
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(users);
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether passwords may be right, and whether tokens may: what a client is told to bring.
    pub fn takes(&self) -> (bool, bool) {
        (!self.users().is_empty(), !self.keys.is_empty())
    }

    /// Whether everybody may read all that `filter` matches, so that answers may be kept for others.
    pub fn is_public(&self, filter: &TopicFilter) -> bool {
        self.anonymous && self.rules.is_public(filter)
    }

    /// Begins a SCRAM exchange; see [`ScramServer::begin`].
    ///
    /// # Errors
    /// The message is not a first one, or asks for too much.
    pub fn scram(&self, first: &[u8], nonce: u128) -> Result<(ScramServer, String), ScramError> {
        ScramServer::begin(&self.users(), first, nonce)
    }

    /// Who somebody is.
    pub fn check(self: &Arc<Self>, login: Login, now: Time) -> Checked {
        let Login { credentials, client } = login;
        let client_name = client.as_deref();
        Checked::Done(match credentials {
            Credentials::Anonymous => self.nobody(client_name),
            Credentials::Certificate(_) if !self.certificates => self.nobody(client_name),
            Credentials::Token(token) => {
                token::verify(&self.keys, &token, now).map(|claims| self.of(claims, client_name))
            }
            Credentials::Certificate(name) => match Users::check_name(&name) {
                Ok(()) => Ok(self.named(&name, client_name)),
                Err(_) => Err(Denied::Wrong),
            },
            Credentials::Scram(proof) if !proof.is_right() => Err(Denied::Wrong),
            Credentials::Scram(proof) => Ok(self.named(proof.user(), client_name)),
            Credentials::Password { user, password } => {
                let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
                let digest = proven.digest(&user, &password, client_name);
                match proven.get(&digest, now) {
                    Some(identity) => Ok(identity),
                    None => {
                        let (access, users) = (Arc::clone(self), self.users());
                        let check = PasswordCheck { access, users, user, password, client };
                        return Checked::Slow(check);
                    }
                }
            }
        })
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who brings nothing.
    fn nobody(&self, client: Option<&str>) -> Result<Arc<Identity>, Denied> {
        if self.anonymous { Ok(self.identity(None, &[], client)) } else { Err(Denied::Missing) }
    }

    /// A user whom somebody else vouches for; the groups are those that we know of.
    fn named(&self, name: &str, client: Option<&str>) -> Arc<Identity> {
        let users = self.users();
        let groups = users.get(name).map_or(&[][..], |user| &user.groups);
        self.identity(Some(name.into()), groups, client)
    }

    fn of(&self, claims: Claims, client: Option<&str>) -> Arc<Identity> {
        let Claims { user, groups, expires, publish, subscribe } = claims;
        let mut grants = self.rules.grants(&Subject { user: Some(&user), groups: &groups, client });
        grants.publish.extend(publish);
        grants.subscribe.extend(subscribe);
        Arc::new(Identity::new(Some(user), Some(expires), grants))
    }

    fn identity(
        &self,
        user: Option<Arc<str>>,
        groups: &[Box<str>],
        client: Option<&str>,
    ) -> Arc<Identity> {
        let grants = self.rules.grants(&Subject { user: user.as_deref(), groups, client });
        Arc::new(Identity::new(user, None, grants))
    }
}

impl PasswordCheck {
    /// Hashes the password, and says whose it is. Takes tens of milliseconds.
    ///
    /// # Errors
    /// Nobody's.
    pub fn run(self, now: Time) -> Result<Arc<Identity>, Denied> {
        let PasswordCheck { access, users, user, password, client } = self;
        let Some(User { name, groups, .. }) = users.log_in(&user, &password) else {
            return Err(Denied::Wrong);
        };
        let identity = access.identity(Some(Arc::clone(name)), groups, client.as_deref());
        let mut proven = access.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = proven.digest(&user, &password, client.as_deref());
        // What was right by users that are others by now must not be remembered.
        if Arc::ptr_eq(&users, &access.users()) {
            proven.add(digest, Arc::clone(&identity), now);
        }
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::PasswordHash;
    use crate::pattern::Pattern;
    use crate::rules::{Rule, Who};

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn users(password: &[u8]) -> Users {
        let password = Some(PasswordHash::of(password, [1; 16]).unwrap());
        let groups = Box::from([Box::from("staff")]);
        Users::new([User { name: "ann".into(), password, scram: None, groups }]).unwrap()
    }

    fn access(anonymous: bool) -> Arc<Access> {
        let rule = |who, topic| Rule {
            who: vec![who],
            publish: Vec::new(),
            subscribe: vec![Pattern::new(topic).unwrap()],
        };
        let rules = Rules(vec![
            rule(Who::Everybody, "news"),
            rule(Who::Group("staff".into()), "{user}/{client}/**"),
        ]);
        Arc::new(Access::new(anonymous, rules, Vec::new(), users(b"a"), [3; 32]))
    }

    fn password(password: &[u8]) -> Login {
        let credentials = Credentials::Password { user: "ann".into(), password: password.into() };
        Login { credentials, client: Some("c".into()) }
    }

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    #[test]
    fn a_right_password_is_hashed_once_and_a_wrong_one_each_time() {
        let access = access(true);
        let Checked::Slow(check) = access.check(password(b"a"), NOW) else { panic!() };
        let identity = check.run(NOW).unwrap();
        assert_eq!(identity.user().map(|user| &**user), Some("ann"));
        assert!(
            identity.may_subscribe(&filter("ann/c/x")) && identity.may_subscribe(&filter("news"))
        );
        assert!(!identity.may_subscribe(&filter("bob/c/x")));
        let Checked::Done(Ok(again)) = access.check(password(b"a"), NOW) else { panic!() };
        assert!(Arc::ptr_eq(&identity, &again));
        for _ in 0..2 {
            let Checked::Slow(check) = access.check(password(b"b"), NOW) else { panic!() };
            assert_eq!(check.run(NOW), Err(Denied::Wrong));
        }
    }

    #[test]
    fn other_users_count_at_once() {
        let access = access(true);
        let Checked::Slow(check) = access.check(password(b"a"), NOW) else { panic!() };
        let Checked::Slow(late) = access.check(password(b"a"), NOW) else { panic!() };
        check.run(NOW).unwrap();
        access.set_users(users(b"b"));
        assert!(late.run(NOW).is_ok(), "it was right when it came");
        let Checked::Slow(check) = access.check(password(b"a"), NOW) else { panic!() };
        assert_eq!(check.run(NOW), Err(Denied::Wrong));
    }

    #[test]
    fn who_brings_nothing_is_anonymous_or_not_let_in() {
        let check = |anonymous| match access(anonymous).check(Credentials::Anonymous.into(), NOW) {
            Checked::Done(result) => result,
            Checked::Slow(_) => panic!(),
        };
        let identity = check(true).unwrap();
        assert_eq!(identity.user(), None);
        assert!(identity.may_subscribe(&filter("news")));
        assert!(!identity.may_subscribe(&filter("ann/c/x")));
        assert_eq!(check(false), Err(Denied::Missing));
        assert!(access(true).is_public(&filter("news")));
        assert!(!access(false).is_public(&filter("news")));
    }

    #[test]
    fn a_certificate_names_a_user_with_the_groups_we_know() {
        let login = Login::from(Credentials::Certificate("ann".into()));
        let Checked::Done(Ok(identity)) = access(false).check(login, NOW) else { panic!() };
        assert_eq!(identity.user().map(|user| &**user), Some("ann"));
        let login = Login::from(Credentials::Certificate("a\nb".into()));
        let Checked::Done(denied) = access(false).check(login, NOW) else { panic!() };
        assert_eq!(denied, Err(Denied::Wrong));
    }

    #[test]
    fn certificates_may_say_nothing() {
        let check = |anonymous| {
            let access = Arc::into_inner(access(anonymous)).unwrap().without_certificates();
            let login = Login::from(Credentials::Certificate("ann".into()));
            match Arc::new(access).check(login, NOW) {
                Checked::Done(result) => result.map(|identity| identity.user().cloned()),
                Checked::Slow(_) => unreachable!(),
            }
        };
        assert_eq!((check(true), check(false)), (Ok(None), Err(Denied::Missing)));
    }

    #[test]
    fn nothing_shows_a_secret() {
        assert_eq!(
            format!("{:?}", password(b"hush")),
            "password of Some(\"ann\"), client Some(\"c\")"
        );
        let token = Login::from(Credentials::Token("hush".into()));
        assert!(!format!("{token:?}").contains("hush"));
    }
}
