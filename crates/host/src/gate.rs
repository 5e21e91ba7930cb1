//! Where credentials are looked at, for every transport: at once where that is cheap, elsewhere where a
//! password has to be hashed. Must never hash on the caller's thread, nor show a secret to whoever
//! hears of failures.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use tidings_access::{Access, Checked, Credentials, Denied, Identity, Login, Way};
use tidings_broker::Loader;
use tidings_model::Time;
use tidings_protocol::{Problem, Response};

/// Most passwords that wait to be hashed: a few seconds' worth, after which their clients have
/// mostly given up.
const WAITING_MAX: usize = 128;

/// Most failures that are told one by one in such a span; the rest is counted. Who guesses passwords
/// must not fill the operator's disk.
const TOLD_MAX: u32 = 10;
const TOLD_SPAN: Duration = Duration::from_secs(10);

/// Longest name that is told, in characters.
const NAME_CHARS_MAX: usize = 128;

/// Looks at credentials. Cheap to clone.
#[derive(Clone, Default)]
pub struct Gate(Option<Arc<Inner>>);

struct Inner {
    access: Arc<Access>,
    nobody: Arc<Identity>,
    worker: Loader,
    waiting: AtomicUsize,
    told: Mutex<Told>,
    report: Report,
}

/// Told of a login that failed, and how many before it were not told.
pub type Report = Box<dyn Fn(&Attempt, Denied, u64) + Send + Sync>;

/// A login as the operator may see it: no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How it was tried.
    pub way: Way,
    /// Who it was said to be; nothing more than that.
    pub user: Option<Box<str>>,
    /// Where it came from, where that is known: perhaps a proxy.
    pub peer: Option<SocketAddr>,
}

#[derive(Default)]
struct Told {
    since: Time,
    count: u32,
    hidden: u64,
}

impl Attempt {
    /// What is to be seen of credentials.
    pub fn new(credentials: &Credentials, peer: Option<SocketAddr>) -> Attempt {
        let user = credentials.user().map(|user| user.chars().take(NAME_CHARS_MAX).collect());
        Attempt { way: credentials.way(), user: user.map(String::into_boxed_str), peer }
    }
}

impl Gate {
    /// A gate that is shut to who may not enter. `worker` must do its work on other threads.
    pub fn new(access: Arc<Access>, worker: Loader, report: Report) -> Gate {
        let (waiting, told) = (AtomicUsize::new(0), Mutex::default());
        let nobody = Arc::new(Identity::nobody());
        Gate(Some(Arc::new(Inner { access, nobody, worker, waiting, told, report })))
    }

    /// Whether everybody may do everything: the operator has not said who may do what.
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// One who may do nothing; nothing where everybody may do everything.
    pub(crate) fn nobody(&self) -> Option<&Arc<Identity>> {
        self.0.as_ref().map(|inner| &inner.nobody)
    }

    /// What the operator has said.
    pub fn access(&self) -> Option<&Arc<Access>> {
        self.0.as_ref().map(|inner| &inner.access)
    }

    /// Who somebody is, if that can be told at once.
    pub fn at_once(&self, login: Login, now: Time) -> Option<Result<Arc<Identity>, Denied>> {
        match self.access()?.check(login, now) {
            Checked::Done(result) => Some(result),
            Checked::Slow(_) => None,
        }
    }

    /// Finds out who somebody is. `done` is told, exactly once, perhaps on another thread.
    pub fn authenticate(
        &self,
        login: Login,
        now: Time,
        done: impl FnOnce(Result<Arc<Identity>, Denied>) + Send + 'static,
    ) {
        // Where nobody has to be anybody, nobody is.
        let Some(inner) = &self.0 else { return done(Err(Denied::Missing)) };
        let check = match inner.access.check(login, now) {
            Checked::Done(result) => return done(result),
            Checked::Slow(check) => check,
        };
        if inner.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            inner.waiting.fetch_sub(1, Ordering::Relaxed);
            return done(Err(Denied::Busy));
        }
        let waiting = Arc::clone(inner);
        (inner.worker)(Box::new(move || {
            let result = check.run(now);
            waiting.waiting.fetch_sub(1, Ordering::Relaxed);
            done(result);
        }));
    }

    /// Tells the operator of a login that failed; who brought nothing at all has not failed.
    pub fn report(&self, attempt: &Attempt, denied: Denied, now: Time) {
        let Some(inner) = &self.0 else { return };
        if denied == Denied::Missing {
            return;
        }
        let mut told = inner.told.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(told.since) >= TOLD_SPAN {
            (told.since, told.count) = (now, 0);
        }
        if told.count >= TOLD_MAX {
            told.hidden += 1;
            return;
        }
        told.count += 1;
        let hidden = std::mem::take(&mut told.hidden);
        drop(told);
        (inner.report)(attempt, denied, hidden);
    }

    /// The HTTP answer to who is not let in, with what would let them in (RFC 9110 section 11.6.1,
    /// RFC 6750 section 3, RFC 7617 section 2).
    pub fn refuse(&self, denied: Denied) -> Response {
        let mut response = Problem::from(&denied).to_response();
        if response.status != StatusCode::UNAUTHORIZED {
            return response;
        }
        let (passwords, tokens) = self.access().map_or((false, true), |access| access.takes());
        let mut add = |text| {
            response.headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(text));
        };
        match denied {
            Denied::Token(_) | Denied::Expired => {
                add("Bearer realm=\"tidings\", error=\"invalid_token\"");
            }
            _ => {
                if passwords {
                    add("Basic realm=\"tidings\", charset=\"UTF-8\"");
                }
                if tokens || !passwords {
                    add("Bearer realm=\"tidings\"");
                }
            }
        }
        response
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_open() { "Gate(open)" } else { "Gate" })
    }
}

#[cfg(test)]
mod tests {
    use tidings_access::{Rules, Users};

    use super::*;

    type Work = Box<dyn FnOnce() + Send>;

    /// A gate whose work is never done, and what it told.
    fn gate(work: Arc<Mutex<Vec<Work>>>) -> (Gate, Arc<Mutex<Vec<u64>>>) {
        let told: Arc<Mutex<Vec<u64>>> = Arc::default();
        let heard = Arc::clone(&told);
        let access = Access::new(false, Rules::default(), Vec::new(), Users::default(), [0; 32]);
        let gate = Gate::new(
            Arc::new(access),
            Box::new(move |piece| work.lock().unwrap().push(piece)),
            Box::new(move |_, _, hidden| heard.lock().unwrap().push(hidden)),
        );
        (gate, told)
    }

    fn password() -> Credentials {
        Credentials::Password { user: "ann".into(), password: Box::from(*b"a") }
    }

    #[test]
    fn passwords_that_wait_are_bounded() {
        let work = Arc::default();
        let (gate, _) = gate(Arc::clone(&work));
        let results: Arc<Mutex<Vec<_>>> = Arc::default();
        for _ in 0..WAITING_MAX + 1 {
            let results = Arc::clone(&results);
            let done = move |result: Result<_, Denied>| results.lock().unwrap().push(result.err());
            gate.authenticate(password().into(), Time::default(), done);
        }
        assert_eq!(*results.lock().unwrap(), [Some(Denied::Busy)]);
        for piece in work.lock().unwrap().drain(..) {
            piece();
        }
        assert_eq!(results.lock().unwrap().len(), WAITING_MAX + 1);
        assert_eq!(results.lock().unwrap().last(), Some(&Some(Denied::Wrong)));
        let late = Arc::new(Mutex::new(None));
        let put = Arc::clone(&late);
        let done = move |result: Result<_, Denied>| *put.lock().unwrap() = result.err();
        gate.authenticate(password().into(), Time::default(), done);
        assert_eq!(*late.lock().unwrap(), None, "there is room again");
    }

    #[test]
    fn failures_are_told_one_by_one_until_there_are_many() {
        let (gate, told) = gate(Arc::default());
        let attempt = Attempt::new(&password(), None);
        gate.report(&attempt, Denied::Missing, Time::from_millis(100_000));
        for _ in 0..15 {
            gate.report(&attempt, Denied::Wrong, Time::from_millis(100_000));
        }
        assert_eq!(told.lock().unwrap().len(), 10);
        gate.report(&attempt, Denied::Wrong, Time::from_millis(110_000));
        assert_eq!(told.lock().unwrap().last(), Some(&5));
    }
}
