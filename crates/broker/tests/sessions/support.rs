//! What the tests of sessions share: a broker over logs in memory, which one that comes later finds
//! again as after a restart. Must never test anything by itself.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tidings_broker::{Broker, Limits, Logs, Namespace, Namespaces, SessionLimits, Shard, SubKey};
use tidings_log::{Batch, Budget, Cursor, Level, Log, MemoryLimits, MemoryLog, Retention};
use tidings_model::{
    AckMode, Delivery, Durability, EventType, Exposure, Headers, LogKind, Manage, Managed, Manner,
    Message, PerLog, Position, Refusal, Selection, SessionName, SessionOptions, Since, Slow,
    SubscribeOptions, Time, Topic, TopicFilter,
};

pub(crate) const NOW: Time = Time::from_millis(1_000_000);
pub(crate) const BUDGET: Budget = Budget { records: 100, bytes: 1 << 20 };

pub(crate) fn logs() -> Logs {
    logs_of(MemoryLimits::default())
}

pub(crate) fn logs_of(limits: MemoryLimits) -> Logs {
    PerLog::from_fn(|kind| {
        let policy = Box::new(|_: &Topic| Retention::default());
        Arc::new(MemoryLog::new(kind, 1, limits, policy)) as Arc<dyn Log>
    })
}

/// The same logs, as a process finds them that begins after this one was killed.
pub(crate) fn again(logs: &Logs) -> Logs {
    let fresh = self::logs();
    let wanted = Selection::new(["**", "$session/*"].map(|text| TopicFilter::new(text).unwrap()));
    for kind in LogKind::ALL {
        let mut records = Vec::new();
        logs[kind].read(&wanted, Cursor::default(), Time::default(), BUDGET, &mut records);
        assert!(records.len() < BUDGET.records, "not all of it");
        for record in records {
            let messages = vec![Message::clone(&record.message)];
            fresh[kind].append(
                Batch { messages, token: None, level: Level::Fsync },
                Box::new(|result| assert!(result.is_ok())),
            );
        }
    }
    fresh
}

/// A broker whose topics are durable, but for those below `v`.
pub(crate) fn broker(logs: &Logs, limits: SessionLimits) -> Broker {
    broker_at(NOW, logs, limits)
}

/// A [`broker`] of a process that begins at this time.
pub(crate) fn broker_at(now: Time, logs: &Logs, limits: SessionLimits) -> Broker {
    let namespace = |topics: &str, durability| Namespace {
        topics: TopicFilter::new(topics).unwrap(),
        durability,
        retention: Retention::default(),
        publish: true,
        subscribe: true,
        jsonp: false,
        cache: std::time::Duration::ZERO,
    };
    let namespaces = Namespaces::new(
        vec![namespace("v/**", Durability::Volatile)],
        namespace("**", Durability::Fsync),
    );
    let limits = Limits { sessions: limits, ..Limits::default() };
    let logs = PerLog::from_fn(|kind| Arc::clone(&logs[kind]));
    Broker::new(namespaces, logs, limits, Box::new(|work| work()), now)
}

pub(crate) fn publish(broker: &Broker, payload: &str) -> Position {
    publish_to(broker, "t", payload)
}

pub(crate) fn publish_to(broker: &Broker, topic: &str, payload: &str) -> Position {
    let message = Message {
        topic: Topic::new(topic).unwrap(),
        payload: Bytes::from(payload.to_owned()),
        content_type: "text/plain".into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: NOW,
        expires: None,
        manner: Manner::default(),
    };
    let position = Arc::new(Mutex::new(None));
    let put = Arc::clone(&position);
    let done = Box::new(move |result: Result<tidings_model::Published, Refusal>| {
        *put.lock().unwrap() = Some(result.unwrap().position);
    });
    broker.publish(vec![message], None, NOW, done);
    let position = position.lock().unwrap();
    position.unwrap()
}

pub(crate) fn name(text: &str) -> SessionName {
    SessionName::new(text).unwrap()
}

pub(crate) fn options(session: &str, topics: &[&str], acks: AckMode) -> SubscribeOptions {
    let session = SessionOptions {
        name: name(session),
        acks: Some(acks),
        expiry: None,
        fresh: false,
        will: None,
    };
    SubscribeOptions {
        filters: topics.iter().map(|text| TopicFilter::new(text).unwrap()).collect(),
        since: None,
        otherwise: Since::Now,
        slow: Slow::Gap,
        window: None,
        limit: None,
        session: Some(session),
        share: None,
        exposure: Exposure::Private,
    }
}

pub(crate) fn attach(
    broker: &Broker,
    shard: &mut Shard,
    options: SubscribeOptions,
) -> Result<SubKey, Refusal> {
    let subscribed = shard.subscribe(1, options, None, NOW);
    if let Some(unsaved) = subscribed.unsaved {
        broker.save_session(unsaved, NOW, Box::new(|result| assert_eq!(result, Ok(()))));
    }
    subscribed.result.map(|(key, _)| key)
}

/// What there is to read, each with the how manieth time it is sent.
pub(crate) fn read(shard: &mut Shard, key: SubKey) -> Vec<(String, u32)> {
    let mut deliveries = Vec::new();
    shard.read(key, NOW, BUDGET, &mut deliveries);
    let events = deliveries.into_iter().map(|delivery| match delivery {
        Delivery::Event(event) => {
            let payload = event.record.message.payload.to_vec();
            (String::from_utf8(payload).unwrap(), event.attempt)
        }
        Delivery::Gap(gap) => (gap.reason.as_str().to_owned(), 0),
    });
    events.collect()
}

pub(crate) fn manage(broker: &Broker, manage: Manage, now: Time) -> Result<Managed, Refusal> {
    let result = Arc::new(Mutex::new(None));
    let put = Arc::clone(&result);
    broker.manage(manage, None, now, Box::new(move |result| *put.lock().unwrap() = Some(result)));
    let result = result.lock().unwrap().take();
    result.unwrap()
}

pub(crate) fn events(texts: &[(&str, u32)]) -> Vec<(String, u32)> {
    texts.iter().map(|(text, attempt)| ((*text).to_owned(), *attempt)).collect()
}
