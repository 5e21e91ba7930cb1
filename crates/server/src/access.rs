//! Builds what decides who may do what from the configuration: users, keys and rules become the gate
//! that everybody enters by. Must never let the server start with less than was asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidings_access::{Access, Denied, Rules, TokenKey, TokenRules, User, Users};
use tidings_broker::Namespaces;
use tidings_host::{Attempt, Gate};
use tidings_model::TopicFilter;
use tidings_net::start_workers;
use tidings_protocol::Caching;

use crate::config::{self, Config, read_users};

/// Threads that hash passwords: a storm of logins takes one core, and leaves the others to readers.
const THREADS: usize = 1;

/// Largest file of a key, in bytes.
const KEY_BYTES_MAX: u64 = 64 * 1024;

/// What decides who may do what, and how its users are read again.
pub(crate) struct Guard {
    access: Arc<Access>,
    #[cfg_attr(not(unix), expect(dead_code, reason = "users are read again on SIGHUP only"))]
    file: Option<PathBuf>,
    #[cfg_attr(not(unix), expect(dead_code, reason = "users are read again on SIGHUP only"))]
    users: Vec<User>,
}

impl Guard {
    /// What the configuration says; nothing when everybody may do everything.
    ///
    /// # Errors
    /// One line for each thing that is wrong.
    pub(crate) fn new(config: &Config) -> Result<Option<Guard>, String> {
        let Config { access: config, tls, .. } = config;
        if !config.is_set() {
            return Ok(None);
        }
        let keys = config.tokens.iter().enumerate().map(|(index, token)| key(index, token));
        let keys: Vec<TokenKey> = keys.collect::<Result<_, _>>()?;
        let users = users(config.users_file.as_deref(), &config.users)?;
        let certificates = config.certificates && tls.client_ca.is_some();
        let somebody = config.users_file.is_some() || !users.is_empty() || !keys.is_empty();
        if !(config.anonymous || somebody || certificates) {
            return Err(
                "access.anonymous = false: nobody could connect, since there are no users, \
                        no keys and no tls.client_ca; add access.users or [[access.jwt]]"
                    .to_owned(),
            );
        }
        // A token may say itself what its bearer may do.
        if config.rules.is_empty() && keys.is_empty() {
            return Err("access: there is no rule, so nobody could do anything; add one, such as \
                        [[access.rule]] with who = [\"authenticated\"], publish = [\"**\"] and \
                        subscribe = [\"**\"]"
                .to_owned());
        }
        let rules = Rules(config.rules.clone());
        let mut access = Access::new(config.anonymous, rules, keys, users, rand::random());
        if !config.certificates {
            access = access.without_certificates();
        }
        let (file, users) = (config.users_file.clone(), config.users.clone());
        Ok(Some(Guard { access: Arc::new(access), file, users }))
    }

    /// The gate.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub(crate) fn gate(&self) -> std::io::Result<Gate> {
        let worker = start_workers("login", THREADS)?;
        Ok(Gate::new(Arc::clone(&self.access), worker, Box::new(report)))
    }

    /// Reads the users again. When that fails, they stay who they were.
    #[cfg(unix)]
    fn reload(&self) {
        match users(self.file.as_deref(), &self.users) {
            Ok(users) => {
                self.access.set_users(users);
                tracing::info!("the users were read again");
            }
            Err(why) => tracing::error!("the users stay who they were: {why}"),
        }
    }

    /// What caches may keep: of what namespaces let them, only what everybody may read.
    pub(crate) fn caching(&self, namespaces: Namespaces) -> Caching {
        let access = Arc::clone(&self.access);
        Caching::new(move |filters: &[TopicFilter]| {
            let is_public = filters.iter().all(|filter| access.is_public(filter));
            is_public.then(|| namespaces.cache(filters)).flatten()
        })
    }
}

/// What caches may keep.
pub(crate) fn caching(guard: Option<&Guard>, namespaces: Namespaces) -> Caching {
    match guard {
        Some(guard) => guard.caching(namespaces),
        None => Caching::new(move |filters| namespaces.cache(filters)),
    }
}

/// What is wrong with who may do what in `config`, if anything is.
pub(crate) fn guard(config: &Config) -> Result<Option<Guard>, String> {
    Guard::new(config)
}

fn users(file: Option<&Path>, more: &[User]) -> Result<Users, String> {
    let mut users = match file {
        Some(path) => read_users(path).map_err(|errors| errors.to_string())?,
        None => Vec::new(),
    };
    users.extend_from_slice(more);
    Users::new(users).map_err(|error| format!("access: {error}; give each one [[user]]"))
}

fn key(index: usize, token: &config::Token) -> Result<TokenKey, String> {
    let number = index + 1;
    let (Some(algorithm), Some(path)) = (token.algorithm, &token.key) else {
        return Err(format!("access.jwt {number}: algorithm or key is missing"));
    };
    let wrong = |why: String, advice: &str| {
        format!("access.jwt {number}: key = {:?}: {why}; {advice}", path.display().to_string())
    };
    let bytes = read_key(path).map_err(|error| {
        wrong(format!("cannot be read: {error}"), "give the path of a key in PEM, or of a secret")
    })?;
    let rules = TokenRules {
        issuer: token.issuer.clone(),
        audience: token.audience.clone(),
        groups_claim: token.groups_claim.clone(),
        leeway: token.leeway,
    };
    TokenKey::new(algorithm, &bytes, rules).map_err(|error| {
        wrong(error.to_string(), "HS256 takes a secret, all others the public key of the issuer")
    })
}

fn read_key(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(KEY_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the operator sees of a login that failed.
fn report(attempt: &Attempt, denied: Denied, hidden: u64) {
    let Attempt { way, user, peer } = attempt;
    let peer = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
    // The name is what a stranger says: quoted, so that it cannot look like a line of its own.
    let user = user.as_deref().unwrap_or_default().escape_debug().to_string();
    if hidden > 0 {
        tracing::warn!("{hidden} more logins failed meanwhile");
    }
    tracing::warn!(way = way.as_str(), user, peer, "login failed: {denied}");
}

/// Reads the users again whenever the system says so.
pub(crate) struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    /// Listens from now on, if there is a file to read. Else a hangup ends the process, as it does
    /// where nobody listens.
    #[cfg(unix)]
    pub(crate) fn listen(guard: Option<&Guard>) -> std::io::Result<Hangups> {
        use tokio::signal::unix::{SignalKind, signal};
        let listens = guard.is_some_and(|guard| guard.file.is_some());
        let signal = listens.then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Hangups { signal })
    }

    /// There is no such signal here.
    #[cfg(not(unix))]
    pub(crate) fn listen(_: Option<&Guard>) -> std::io::Result<Hangups> {
        Ok(Hangups {})
    }

    /// Never ends.
    pub(crate) async fn obey(self, guard: Option<&Guard>) {
        #[cfg(unix)]
        if let (Some(mut signal), Some(guard)) = (self.signal, guard) {
            while signal.recv().await.is_some() {
                guard.reload();
            }
        }
        #[cfg(not(unix))]
        let _ = guard;
        std::future::pending::<()>().await;
    }
}
