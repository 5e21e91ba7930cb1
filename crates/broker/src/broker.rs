//! The broker: takes messages, checks them, hands them to their log, and says whom to wake.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidings_log::{AppendError, Batch, Level, Log, Remembered, Token};
use tidings_model::{
    Durability, IdempotencyKey, LogKind, Message, PerLog, Position, Published, Refusal, Time,
};

use crate::idempotency::{Seen, Window, fingerprint};
use crate::namespace::Namespaces;
use crate::retained::{self, Retained};
use crate::sessions::{Eviction, SessionLimits, Sessions};
use crate::shard::{Inbox, Shard, SubKey};
use crate::shares::Shares;

/// The logs there are, one of each kind.
pub type Logs = PerLog<Arc<dyn Log>>;

/// Told how a publish ended; called exactly once, on whatever thread.
pub type Done = Box<dyn FnOnce(Result<Published, Refusal>) + Send>;

/// Does work that may wait for a disk: on another thread, or at once where waiting is no harm.
/// There is never more of it than a few pieces for each shard.
pub type Loader = Box<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

/// What a broker takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Payload bytes of one message.
    pub message_bytes_max: usize,
    /// Messages in one publish.
    pub batch_messages_max: usize,
    /// Idempotency keys remembered.
    pub idempotency_keys_max: usize,
    /// How long an idempotency key is remembered.
    pub idempotency_keep: Duration,
    /// Subscriptions of one connection.
    pub subscriptions_max: usize,
    /// Durable sessions.
    pub sessions: SessionLimits,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_bytes_max: 1 << 20,
            batch_messages_max: 10_000,
            idempotency_keys_max: 100_000,
            idempotency_keep: Duration::from_secs(600),
            subscriptions_max: 256,
            sessions: SessionLimits::default(),
        }
    }
}

/// The core that all threads share. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

struct Shared {
    namespaces: Arc<Namespaces>,
    logs: Logs,
    limits: Limits,
    window: Mutex<Window>,
    sessions: Sessions,
    retained: Arc<Retained>,
    shares: Shares,
    loader: Loader,
    shards: Mutex<Vec<ShardBell>>,
}

/// How a shard is told that there is something to read.
struct ShardBell {
    /// Whether it has any subscription; one that has none need not be told.
    listening: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
}

impl Broker {
    /// A broker over these logs, ruled by these namespaces.
    ///
    /// The sessions that the log has are there when this returns.
    pub fn new(
        namespaces: Namespaces,
        logs: Logs,
        limits: Limits,
        loader: Loader,
        now: Time,
    ) -> Broker {
        let mut window = Window::new(limits.idempotency_keys_max, limits.idempotency_keep);
        for log in LogKind::ALL {
            for Remembered { topic, token, time, last, count } in logs[log].remembered() {
                // It has been on the disk since, whatever was promised then.
                let (position, durability) = (Position::at(log, last), Durability::Fsync);
                let published = Published { durability, position, count };
                window.remember((topic, token.key), token.fingerprint, time, published);
            }
        }
        let shared = Arc::new(Shared {
            namespaces: Arc::new(namespaces),
            logs,
            limits,
            window: Mutex::new(window),
            sessions: Sessions::new(limits.sessions),
            retained: Arc::default(),
            shares: Shares::default(),
            loader,
            shards: Mutex::new(Vec::new()),
        });
        for log in LogKind::ALL {
            let weak = Arc::downgrade(&shared);
            shared.logs[log].watch(Box::new(move || {
                if let Some(shared) = weak.upgrade() {
                    shared.ring();
                }
            }));
        }
        let broker = Broker { shared };
        broker.load_sessions(now);
        broker.load_retained();
        broker.load_shares();
        broker
    }

    /// A new shard. `ring` is called, from whatever thread, when the shard's
    /// [`dispatch`](Shard::dispatch) has something to do: once for many messages perhaps.
    pub fn shard(&self, ring: Box<dyn Fn() + Send + Sync>) -> Shard {
        let listening = Arc::new(AtomicBool::new(false));
        let inbox = Arc::new(Inbox::new(ring));
        let bell = ShardBell { listening: Arc::clone(&listening), inbox: Arc::clone(&inbox) };
        let mut shards = lock(&self.shared.shards);
        shards.push(bell);
        Shard::new(self.clone(), shards.len() - 1, listening, inbox)
    }

    /// Stores messages of one topic as one: all or none. `done` is told when what the topic's
    /// log promises is true. An empty publish is a caller's mistake and stores nothing.
    pub fn publish(
        &self,
        messages: Vec<Message>,
        key: Option<IdempotencyKey>,
        now: Time,
        done: Done,
    ) {
        let durability = match self.check(&messages) {
            Ok(durability) => durability,
            Err(refusal) => return done(Err(refusal)),
        };
        self.take(durability, messages, key, now, done);
    }

    /// The same, and a message of the server's own in the durable log with it: in one batch where
    /// they live there too, otherwise after them.
    pub(crate) fn publish_with(
        &self,
        mut messages: Vec<Message>,
        own: Option<Message>,
        now: Time,
        done: Done,
    ) {
        let Some(own) = own else { return self.publish(messages, None, now, done) };
        let durability = match self.check(&messages) {
            Ok(durability) => durability,
            Err(refusal) => return done(Err(refusal)),
        };
        if durability.log() == LogKind::Durable {
            messages.push(own);
            return self.take(durability, messages, None, now, done);
        }
        let broker = self.clone();
        let then: Done = Box::new(move |result| match result {
            Ok(_) => broker.append(Durability::Fsync, vec![own], None, done),
            Err(refusal) => done(Err(refusal)),
        });
        self.take(durability, messages, None, now, then);
    }

    /// The same for what the server itself has to say, which nobody may forbid.
    pub fn announce(&self, message: Message, now: Time) {
        let durability = self.namespaces().of(&message.topic).durability;
        self.take(durability, vec![message], None, now, Box::new(|_| {}));
    }

    fn take(
        &self,
        durability: Durability,
        messages: Vec<Message>,
        key: Option<IdempotencyKey>,
        now: Time,
        done: Done,
    ) {
        let (messages, done) = match self.retaining(messages, now, done) {
            Ok(retaining) => retaining,
            Err((refusal, done)) => return done(Err(refusal)),
        };
        let Some(key) = key.map(|key| (messages[0].topic.clone(), key)) else {
            return self.append(durability, messages, None, done);
        };
        let fingerprint = fingerprint(&messages);
        let seen = lock(&self.shared.window).enter(key.clone(), fingerprint, now, done);
        match seen {
            Seen::Handled => {}
            Seen::Answer(done, result) => done(result),
            Seen::First(done) => {
                let token_key = key.1.clone();
                let broker = self.clone();
                let settle: Done = Box::new(move |result| {
                    let waiting = lock(&broker.shared.window).settle(&key, &result);
                    for other in waiting {
                        other(result.clone());
                    }
                    done(result);
                });
                let token = Some(Token { key: token_key, fingerprint });
                self.append(durability, messages, token, settle);
            }
        }
    }

    /// Lets age do its work: to be called about once a second, and when it says that something is
    /// due.
    pub fn tick(&self, now: Time) -> Option<Time> {
        for log in LogKind::ALL {
            self.shared.logs[log].tick(now);
        }
        self.expire_sessions(now);
        self.save_sessions(now);
        self.publish_wills(now)
    }

    /// How many sessions there are.
    pub fn sessions_count(&self) -> usize {
        self.shared.sessions.len()
    }

    /// How many topics say something to whoever begins to read them, or did.
    pub fn retained_count(&self) -> usize {
        self.shared.retained.len()
    }

    /// Tells a connection that it has its session no longer.
    pub(crate) fn evict(&self, eviction: Eviction) {
        if let Some(bell) = lock(&self.shared.shards).get(eviction.shard) {
            bell.inbox.evict(eviction);
        }
    }

    pub(crate) fn load(&self, work: Box<dyn FnOnce() + Send>) {
        (self.shared.loader)(work);
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.shared.sessions
    }

    /// Has a subscription's thread look at it.
    pub(crate) fn wake(&self, shard: usize, key: SubKey) {
        if let Some(bell) = lock(&self.shared.shards).get(shard) {
            bell.inbox.wake(key);
        }
    }

    pub(crate) fn shares(&self) -> &Shares {
        &self.shared.shares
    }

    pub(crate) fn retained(&self) -> &Retained {
        &self.shared.retained
    }

    pub(crate) fn namespaces(&self) -> &Arc<Namespaces> {
        &self.shared.namespaces
    }

    pub(crate) fn log(&self, log: LogKind) -> &dyn Log {
        &*self.shared.logs[log]
    }

    /// The end of every log.
    pub(crate) fn end(&self) -> Position {
        let end = |position: Position, log| position.with(log, self.log(log).end());
        LogKind::ALL.into_iter().fold(Position::default(), end)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Has what is to be retained stored once more, in the same batch.
    fn retaining(
        &self,
        mut messages: Vec<Message>,
        now: Time,
        done: Done,
    ) -> Result<(Vec<Message>, Done), (Refusal, Done)> {
        // Of several the last one is what the topic says.
        let Some(last) = messages.iter().rfind(|message| message.manner.retain) else {
            return Ok((messages, done));
        };
        let copy = match retained::copy(last, now) {
            Ok(copy) => copy,
            Err(refusal) => return Err((refusal, done)),
        };
        let topic = (!last.payload.is_empty()).then(|| last.topic.clone());
        messages.push(copy);
        // Nothing of the broker's own, as with sessions.
        let retained = Arc::clone(&self.shared.retained);
        let told: Done = Box::new(move |result| {
            if let (Ok(_), Some(topic)) = (&result, topic) {
                retained.add(topic);
            }
            done(result.map(|published| Published { count: published.count - 1, ..published }));
        });
        Ok((messages, told))
    }

    fn check(&self, messages: &[Message]) -> Result<Durability, Refusal> {
        let limits = &self.shared.limits;
        let Some(first) = messages.first() else {
            return Err(Refusal::BatchTooLong(0, limits.batch_messages_max));
        };
        if messages.len() > limits.batch_messages_max {
            return Err(Refusal::BatchTooLong(messages.len(), limits.batch_messages_max));
        }
        for message in messages {
            let bytes = message.payload.len();
            if bytes > limits.message_bytes_max {
                return Err(Refusal::MessageTooLarge(bytes, limits.message_bytes_max));
            }
        }
        debug_assert!(messages.iter().all(|message| message.topic == first.topic));
        self.shared.namespaces.check_publish(&first.topic)
    }

    fn append(
        &self,
        durability: Durability,
        messages: Vec<Message>,
        token: Option<Token>,
        done: Done,
    ) {
        let log = durability.log();
        let level = if durability == Durability::Os { Level::Os } else { Level::Fsync };
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let appended = Box::new(move |result: Result<_, AppendError>| {
            done(match result {
                Ok(mark) => Ok(Published { durability, position: Position::at(log, mark), count }),
                Err(error) => Err(refusal(error)),
            });
        });
        self.shared.logs[log].append(Batch { messages, token, level }, appended);
    }
}

impl Shared {
    /// Rings every shard that has someone to tell: once for each, whatever its audience.
    fn ring(&self) {
        for bell in lock(&self.shards).iter() {
            // Pairs with the store in `Shard::subscribe`: either this sees it, or the shard sees
            // the new end of the log.
            if bell.listening.load(Ordering::SeqCst) {
                bell.inbox.ring();
            }
        }
    }
}

/// What a publisher is told that the log did not take something of.
pub(crate) fn refusal(error: AppendError) -> Refusal {
    match error {
        AppendError::TooManyTopics(most) => Refusal::TooManyTopics(most),
        AppendError::Storage(why) => Refusal::LogFailed(why),
    }
}

/// A lock whose holder never leaves things half done; a panic elsewhere is no reason to stop.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
