//! What readers get from the core: conflation, windows, permissions, and when they are woken.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use std::time::Duration;

use tidings_broker::{Broker, Limits, Logs, Namespace, Namespaces, Shard, SubKey};
use tidings_log::{Budget, Log, MemoryLimits, MemoryLog, Retention};
use tidings_model::{
    Delivery, Durability, EventType, Exposure, Headers, IdempotencyKey, Manner, Message, PerLog,
    Refusal, Since, Slow, SubscribeOptions, Time, Topic, TopicFilter,
};

const NOW: Time = Time::from_millis(1000);
const BUDGET: Budget = Budget { records: 100, bytes: 1 << 20 };

struct Bench {
    broker: Broker,
    shard: Shard,
    rung: Arc<AtomicUsize>,
}

fn namespace(topics: &str, durability: Durability, subscribe: bool) -> Namespace {
    let topics = TopicFilter::new(topics).unwrap();
    let retention = Retention { messages_max: 50, ..Retention::default() };
    Namespace {
        topics,
        durability,
        retention,
        publish: true,
        subscribe,
        jsonp: false,
        cache: Duration::ZERO,
    }
}

fn options(filters: &[&str], since: Since, slow: Slow, window: Option<u32>) -> SubscribeOptions {
    let filters = filters.iter().map(|text| TopicFilter::new(text).unwrap()).collect();
    let (otherwise, since) = (Since::Now, Some(since));
    SubscribeOptions {
        filters,
        since,
        otherwise,
        slow,
        window,
        limit: None,
        session: None,
        share: None,
        exposure: Exposure::Private,
    }
}

impl Bench {
    fn new() -> Bench {
        let namespaces = Namespaces::new(
            vec![
                namespace("secret/**", Durability::Fsync, false),
                namespace("fast/**", Durability::Volatile, true),
            ],
            namespace("**", Durability::Fsync, true),
        );
        let logs: Logs = PerLog::from_fn(|kind| {
            let retention = Retention { messages_max: 50, ..Retention::default() };
            let policy = Box::new(move |_: &Topic| retention);
            Arc::new(MemoryLog::new(kind, 1, MemoryLimits::default(), policy)) as Arc<dyn Log>
        });
        let broker = Broker::new(namespaces, logs, Limits::default(), Box::new(|work| work()), NOW);
        let rung = Arc::new(AtomicUsize::new(0));
        let bell = Arc::clone(&rung);
        let shard = broker.shard(Box::new(move || {
            bell.fetch_add(1, Ordering::SeqCst);
        }));
        Bench { broker, shard, rung }
    }

    fn publish(&self, topic: &str, payload: &str, key: Option<&str>) {
        let message = Message {
            topic: Topic::new(topic).unwrap(),
            payload: Bytes::from(payload.to_owned()),
            content_type: "text/plain".into(),
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: key.map(Into::into),
            time: NOW,
            expires: None,
            manner: Manner::default(),
        };
        self.broker.publish(vec![message], None, NOW, Box::new(|result| assert!(result.is_ok())));
    }

    fn subscribe(&mut self, filter: &str, slow: Slow, window: Option<u32>) -> SubKey {
        let options = options(&[filter], Since::Start, slow, window);
        self.shard.subscribe(9, options, None, NOW).result.unwrap().0
    }

    fn read(&mut self, key: SubKey) -> Vec<String> {
        let mut deliveries = Vec::new();
        self.shard.read(key, NOW, BUDGET, &mut deliveries);
        deliveries
            .iter()
            .map(|delivery| match delivery {
                Delivery::Event(event) => {
                    String::from_utf8(event.record.message.payload.to_vec()).unwrap()
                }
                Delivery::Gap(_) => "gap".to_owned(),
            })
            .collect()
    }
}

#[test]
fn a_reader_of_the_latest_skips_what_a_newer_message_replaces() {
    let mut bench = Bench::new();
    for (payload, key) in
        [("1", Some("x")), ("2", Some("y")), ("3", None), ("4", Some("x")), ("5", Some("x"))]
    {
        bench.publish("t", payload, key);
    }
    let (all, latest) =
        (bench.subscribe("t", Slow::Gap, None), bench.subscribe("t", Slow::Latest, None));
    assert_eq!(bench.read(all), ["1", "2", "3", "4", "5"]);
    assert_eq!(bench.read(latest), ["2", "3", "5"]);
    bench.publish("t", "6", Some("x"));
    assert_eq!(bench.read(latest), ["6"], "one that keeps up gets everything");
}

#[test]
fn a_full_window_waits_for_acknowledgement() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.publish("t", &n.to_string(), None);
    }
    let key = bench.subscribe("t", Slow::Gap, Some(3));
    assert_eq!(bench.read(key), ["0", "1", "2"]);
    assert_eq!(bench.read(key), [""; 0]);
    let position = bench.shard.position(key).unwrap();
    bench.shard.ack(key, position);
    assert!(bench.shard.is_ready(key));
    assert_eq!(bench.read(key), ["3"]);
}

#[test]
fn a_reader_is_woken_once_until_it_has_read() {
    let mut bench = Bench::new();
    let key = bench.subscribe("t/*", Slow::Gap, None);
    assert_eq!(bench.read(key), [""; 0]);
    let mut woken = Vec::new();
    bench.publish("t/1", "1", None);
    bench.publish("t/1", "2", None);
    bench.publish("other", "3", None);
    assert_eq!(bench.rung.load(Ordering::SeqCst), 3);
    assert!(!bench.shard.dispatch(|owner| woken.push(owner)));
    assert!(!bench.shard.dispatch(|owner| woken.push(owner)));
    assert_eq!(woken, [9]);
    assert_eq!(bench.read(key), ["1", "2"]);
    assert!(!bench.shard.is_ready(key));
}

#[test]
fn a_thread_without_readers_is_not_rung() {
    let mut bench = Bench::new();
    bench.publish("t", "1", None);
    assert_eq!(bench.rung.load(Ordering::SeqCst), 0);
    let key = bench.subscribe("t", Slow::Gap, None);
    bench.publish("t", "2", None);
    assert_eq!(bench.rung.load(Ordering::SeqCst), 1);
    bench.shard.unsubscribe(key, NOW);
    bench.publish("t", "3", None);
    assert_eq!(bench.rung.load(Ordering::SeqCst), 1);
}

#[test]
fn wildcards_do_not_reach_what_may_not_be_read() {
    let mut bench = Bench::new();
    bench.publish("secret/plan", "hidden", None);
    bench.publish("open", "seen", None);
    let key = bench.subscribe("**", Slow::Gap, None);
    assert_eq!(bench.read(key), ["seen"]);
    let filters = ["secret/plan", "open"].map(|text| TopicFilter::new(text).unwrap()).to_vec();
    let wanted = options(&["secret/plan", "open"], Since::Start, Slow::Gap, None);
    let both = bench.shard.subscribe(1, wanted, None, NOW);
    assert_eq!(both.refused[0].1, Refusal::SubscribeForbidden(filters[0].clone()));
    assert_eq!(bench.read(both.result.unwrap().0), ["seen"]);
}

#[test]
fn a_reader_of_both_logs_has_one_position() {
    let mut bench = Bench::new();
    for (topic, payload) in [("slow", "1"), ("fast/a", "2"), ("slow", "3")] {
        bench.publish(topic, payload, None);
    }
    let key = bench.subscribe("**", Slow::Gap, None);
    assert_eq!(bench.read(key), ["1", "3", "2"], "each log in its own order");
    let position = bench.shard.position(key).unwrap();
    bench.publish("fast/a", "4", None);
    bench.publish("slow", "5", None);
    let since = Since::After(position);
    let resumed = bench.shard.subscribe(1, options(&["**"], since, Slow::Gap, None), None, NOW);
    assert_eq!(bench.read(resumed.result.unwrap().0), ["5", "4"]);
}

#[test]
fn an_idle_readers_position_moves_on_with_the_log() {
    let mut bench = Bench::new();
    let key = bench.subscribe("t", Slow::Gap, None);
    bench.read(key);
    let before = bench.shard.position(key).unwrap();
    bench.publish("other", "1", None);
    assert_eq!(bench.shard.position(key), Some(before), "not before it was looked at");
    bench.shard.dispatch(|_| {});
    assert_ne!(bench.shard.position(key), Some(before));
    bench.publish("t", "2", None);
    assert_eq!(bench.read(key), ["2"]);
}

#[test]
fn a_retry_stores_nothing_and_gets_the_first_answer() {
    let bench = Bench::new();
    let publish = |payload: &'static str| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let message = Message {
            topic: Topic::new("t").unwrap(),
            payload: Bytes::from_static(payload.as_bytes()),
            content_type: "".into(),
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: None,
            time: NOW,
            expires: None,
            manner: Manner::default(),
        };
        let key = IdempotencyKey::new("k").ok();
        let done = Box::new(move |result| sender.send(result).unwrap());
        bench.broker.publish(vec![message], key, NOW, done);
        receiver.recv().unwrap()
    };
    let first = publish("once").unwrap();
    assert_eq!(publish("once"), Ok(first));
    assert_eq!(publish("other"), Err(Refusal::IdempotencyKeyReused));
}
