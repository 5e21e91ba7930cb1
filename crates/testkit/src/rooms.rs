//! A house of one thread: broker, logs in memory, one shard, and time that stands still.

use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use tidings_broker::{Broker, Limits, Logs, Namespace, Namespaces, Owner, Shard, Subscribed};
use tidings_host::{Carrier, Client, Gate, House, Outcome, Outcomes};
use tidings_log::{MemoryLimits, MemoryLog, Retention};
use tidings_model::{
    AckMode, Delivery, Durability, Exposure, LogKind, Message, PerLog, Published, Refusal,
    SessionName, SessionOptions, Since, Slow, SubscribeOptions, Time, Topic, TopicFilter,
};
use tidings_protocol::Outputs;

/// A house of one thread.
pub struct Rooms {
    /// The core.
    pub broker: Broker,
    /// The logs themselves, to look at.
    pub logs: PerLog<Arc<MemoryLog>>,
    /// The time.
    pub now: Time,
    shard: Shard,
    outcomes: Arc<Mail>,
    deliveries: Vec<Delivery>,
    outputs: Outputs,
    gate: Gate,
}

/// Outcomes that nobody has fetched yet.
#[derive(Default)]
struct Mail(Mutex<Vec<Letter>>);

/// Something that ended: whose, and how.
type Letter = (Owner, Outcome);

impl Outcomes for Mail {
    fn ended(&self, owner: Owner, outcome: Outcome) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((owner, outcome));
    }
}

/// A namespace that keeps so many messages of each topic.
pub fn namespace(topics: &str, log: LogKind, messages_max: u64) -> Namespace {
    let topics = TopicFilter::new(topics).unwrap_or_else(|error| panic!("{topics}: {error}"));
    let retention = Retention { messages_max, ..Retention::default() };
    let durability = match log {
        LogKind::Durable => Durability::Fsync,
        LogKind::Volatile => Durability::Volatile,
    };
    let cache = Duration::ZERO;
    Namespace { topics, durability, retention, publish: true, subscribe: true, jsonp: false, cache }
}

impl Rooms {
    /// A house with these namespaces; the last one rules whatever no other does. All logs have
    /// this epoch.
    pub fn new(mut namespaces: Vec<Namespace>, epoch: u32, now: Time) -> Rooms {
        let otherwise =
            namespaces.pop().unwrap_or_else(|| namespace("**", LogKind::Volatile, 1000));
        let namespaces = Namespaces::new(namespaces, otherwise);
        let logs = PerLog::from_fn(|kind| {
            let namespaces = namespaces.clone();
            let policy = Box::new(move |topic: &Topic| namespaces.of(topic).retention);
            Arc::new(MemoryLog::new(kind, epoch, MemoryLimits::default(), policy))
        });
        let shared: Logs = PerLog::from_fn(|kind| Arc::clone(&logs[kind]) as Arc<_>);
        let broker =
            Broker::new(namespaces, shared, Limits::default(), Box::new(|work| work()), now);
        let shard = broker.shard(Box::new(|| {}));
        let (outcomes, deliveries, outputs) = (Arc::default(), Vec::new(), Outputs::default());
        let gate = Gate::default();
        Rooms { broker, logs, now, shard, outcomes, deliveries, outputs, gate }
    }

    /// Lends a client what it works with.
    pub fn house<T>(&mut self, work: impl FnOnce(&mut House<'_>) -> T) -> T {
        let outcomes: Arc<dyn Outcomes> = Arc::clone(&self.outcomes) as _;
        work(&mut House {
            broker: &self.broker,
            shard: &mut self.shard,
            gate: &self.gate,
            outcomes: &outcomes,
            now: self.now,
            deliveries: &mut self.deliveries,
            outputs: &mut self.outputs,
        })
    }

    /// Gives a client the outcomes it waits for, and those of what it does about them.
    pub fn settle(&mut self, owner: Owner, client: &mut Client, carrier: &mut dyn Carrier) {
        loop {
            let mut mail = self.outcomes.0.lock().unwrap_or_else(PoisonError::into_inner);
            let arrived = std::mem::take(&mut *mail);
            drop(mail);
            if arrived.is_empty() {
                return;
            }
            for (to, outcome) in arrived {
                assert_eq!(to, owner, "an outcome for somebody else");
                self.house(|house| client.ended(outcome, house, carrier));
            }
        }
    }

    /// Looks at what is new in the logs; returns who has something to read.
    pub fn dispatch(&mut self) -> Vec<Owner> {
        let mut ready = Vec::new();
        while self.shard.dispatch(|owner| ready.push(owner)) {}
        ready
    }

    /// A client's connection has taken everything it was given.
    pub fn taken(&mut self, client: &mut Client) {
        client.taken(self.now, &mut self.shard);
    }

    /// Becomes a session that reads a topic from now on and acknowledges explicitly; and leaves.
    pub fn session(&mut self, name: &str, topic: &str) {
        let name = SessionName::new(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let filter = TopicFilter::new(topic).unwrap_or_else(|error| panic!("{topic}: {error}"));
        let acks = Some(AckMode::Explicit);
        let options = SubscribeOptions {
            filters: vec![filter],
            since: None,
            otherwise: Since::Now,
            slow: Slow::Gap,
            window: None,
            limit: None,
            session: Some(SessionOptions { name, acks, expiry: None, fresh: false, will: None }),
            share: None,
            exposure: Exposure::Private,
        };
        let Subscribed { result, unsaved, .. } =
            self.shard.subscribe(u64::MAX, options, None, self.now);
        let (key, _) = result.unwrap_or_else(|refusal| panic!("{refusal}"));
        if let Some(unsaved) = unsaved {
            self.broker.save_session(
                unsaved,
                self.now,
                Box::new(|result| assert_eq!(result, Ok(()))),
            );
        }
        self.shard.unsubscribe(key, self.now);
    }

    /// Ends a client's subscriptions.
    pub fn leave(&mut self, client: &mut Client) {
        client.leave(self.now, &mut self.shard);
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.shard.len()
    }

    /// Stores a message, past every transport.
    pub fn publish(&mut self, message: Message) {
        let done = Box::new(|result: Result<Published, Refusal>| {
            assert!(result.is_ok(), "the message was refused: {result:?}");
        });
        self.broker.publish(vec![message], None, self.now, done);
    }
}
