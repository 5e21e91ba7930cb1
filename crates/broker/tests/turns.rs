//! Readers that are behind take turns, and never keep live ones waiting.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tidings_broker::{Broker, Limits, Logs, Namespace, Namespaces, Shard, SubKey};
use tidings_log::{
    Budget, Directory, DiskLog, DiskOptions, Log, MemoryLimits, MemoryLog, Retention, Threads,
};
use tidings_model::{
    Delivery, Durability, EventType, Exposure, Headers, LogKind, Manner, Message, PerLog, Since,
    Slow, SubscribeOptions, Time, Topic, TopicFilter,
};

const NOW: Time = Time::from_millis(1000);
const BUDGET: Budget = Budget { records: 100, bytes: 1 << 20 };
const MESSAGES: usize = 1000;

type Work = Box<dyn FnOnce() + Send>;

/// A broker whose durable log has messages that lie in files only, and the work it has given to
/// loading threads that never come to it by themselves.
struct House {
    broker: Broker,
    shard: Shard,
    work: Arc<Mutex<VecDeque<Work>>>,
    folder: PathBuf,
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn disk_log(folder: &Path) -> DiskLog {
    let options = DiskOptions {
        kind: LogKind::Durable,
        fresh_epoch: 1,
        topics_max: 10,
        policy: Box::new(|_| Retention::default()),
        remember: Duration::ZERO,
        salt: Box::new(|| 7),
        segment_bytes: None,
        flush_within: Duration::from_secs(1),
        threads: Threads::Own,
    };
    DiskLog::open(Box::new(Directory::lock(folder).unwrap()), options, NOW).unwrap().0
}

fn publish(broker: &Broker, topic: &str, count: usize) {
    let message = |number: usize| Message {
        topic: Topic::new(topic).unwrap(),
        payload: Bytes::from(number.to_string()),
        content_type: "text/plain".into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: NOW,
        expires: None,
        manner: Manner::default(),
    };
    let (sender, receiver) = channel();
    let done = Box::new(move |result| sender.send(result).unwrap());
    broker.publish((0..count).map(message).collect(), None, NOW, done);
    assert!(receiver.recv().unwrap().is_ok());
}

fn broker(folder: &Path, work: &Arc<Mutex<VecDeque<Work>>>) -> Broker {
    let otherwise = Namespace {
        topics: TopicFilter::new("**").unwrap(),
        durability: Durability::Fsync,
        retention: Retention::default(),
        publish: true,
        subscribe: true,
        jsonp: false,
        cache: Duration::ZERO,
    };
    let disk: Arc<dyn Log> = Arc::new(disk_log(folder));
    let logs: Logs = PerLog::from_fn(|kind| match kind {
        LogKind::Durable => Arc::clone(&disk),
        LogKind::Volatile => {
            let policy = Box::new(|_: &Topic| Retention::default());
            Arc::new(MemoryLog::new(kind, 1, MemoryLimits::default(), policy))
        }
    });
    let work = Arc::clone(work);
    let loader = Box::new(move |job| work.lock().unwrap().push_back(job));
    let namespaces = Namespaces::new(Vec::new(), otherwise);
    Broker::new(namespaces, logs, Limits::default(), loader, NOW)
}

impl House {
    fn new(name: &str) -> House {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        let work = Arc::default();
        publish(&broker(&folder, &work), "t", MESSAGES);
        let broker = broker(&folder, &work);
        let shard = broker.shard(Box::new(|| {}));
        House { broker, shard, work, folder }
    }

    fn subscribe(&mut self, owner: u64, since: Since) -> SubKey {
        let options = SubscribeOptions {
            filters: vec![TopicFilter::new("t").unwrap()],
            since: Some(since),
            otherwise: Since::Now,
            slow: Slow::Gap,
            window: None,
            limit: None,
            session: None,
            share: None,
            exposure: Exposure::Private,
        };
        self.shard.subscribe(owner, options, None, NOW).result.unwrap().0
    }

    /// How many messages a reader is given now.
    fn read(&mut self, key: SubKey) -> usize {
        let mut deliveries = Vec::new();
        self.shard.read(key, NOW, BUDGET, &mut deliveries);
        deliveries.iter().filter(|delivery| matches!(delivery, Delivery::Event(_))).count()
    }

    /// Lets the loading threads do one piece of work; returns who is woken by it.
    fn load_one(&mut self) -> Vec<u64> {
        let work = self.work.lock().unwrap().pop_front();
        if let Some(work) = work {
            work();
        }
        self.dispatch()
    }

    fn dispatch(&mut self) -> Vec<u64> {
        let mut woken = Vec::new();
        while self.shard.dispatch(|owner| woken.push(owner)) {}
        woken
    }

    fn waiting(&self) -> usize {
        self.work.lock().unwrap().len()
    }
}

#[test]
fn few_load_at_a_time_and_all_get_their_turn() {
    let mut house = House::new("turns-fair");
    let readers: Vec<SubKey> = (0..20).map(|n| house.subscribe(n, Since::Start)).collect();
    let mut seen = vec![0; readers.len()];
    for &key in &readers {
        assert_eq!(house.read(key), 0, "nothing is read on the serving thread");
    }
    assert_eq!(house.waiting(), 4, "turns");
    for _ in 0..10_000 {
        for owner in house.load_one() {
            seen[owner as usize] += house.read(readers[owner as usize]);
            // Whoever has read asks for the next turn.
            seen[owner as usize] += house.read(readers[owner as usize]);
        }
        assert!(house.waiting() <= 4, "{} loads at a time", house.waiting());
        let (least, most) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
        assert!(most - least <= 200, "one is far ahead of another: {seen:?}");
        if *least == MESSAGES {
            return;
        }
    }
    panic!("not everybody has read everything: {seen:?}");
}

#[test]
fn a_live_reader_waits_for_nobody() {
    let mut house = House::new("turns-live");
    let live = house.subscribe(100, Since::Now);
    house.read(live);
    let late: Vec<SubKey> = (0..20).map(|n| house.subscribe(n, Since::Start)).collect();
    for &key in &late {
        house.read(key);
    }
    publish(&house.broker, "t", 1);
    assert!(house.dispatch().contains(&100));
    assert_eq!(house.read(live), 1);
}

#[test]
fn whoever_goes_or_is_full_keeps_no_turn() {
    let mut house = House::new("turns-given-up");
    let readers: Vec<SubKey> = (0..6).map(|n| house.subscribe(n, Since::Start)).collect();
    for &key in &readers {
        house.read(key);
    }
    assert_eq!(house.waiting(), 4);
    house.shard.step_back(readers[0]);
    house.shard.unsubscribe(readers[1], NOW);
    assert_eq!(house.dispatch(), [4, 5], "two turns are free");
    for &key in &readers[4..] {
        house.read(key);
    }
    assert_eq!(house.waiting(), 6, "what is under way cannot be called back");
    let mut woken = Vec::new();
    while house.waiting() > 0 {
        woken.extend(house.load_one());
    }
    assert_eq!(woken, [2, 3, 4, 5], "what came for the first two is nobody's");
}
