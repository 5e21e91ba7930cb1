//! Durable sessions as the core keeps them: across connections, threads and restarts.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tidings_broker::{Broker, Limits, Logs, Namespace, Namespaces, SessionLimits, Shard, SubKey};
use tidings_log::{Batch, Budget, Cursor, Level, Log, MemoryLimits, MemoryLog, Retention};
use tidings_model::{
    AckMode, Delivery, Durability, EventType, Headers, LogKind, Manage, Managed, Message, PerLog,
    Position, Refusal, Selection, SessionEnd, SessionName, SessionOptions, Since, Slow,
    SubscribeOptions, Time, Topic, TopicFilter,
};

const NOW: Time = Time::from_millis(1_000_000);
const BUDGET: Budget = Budget { records: 100, bytes: 1 << 20 };

fn logs() -> Logs {
    PerLog::from_fn(|kind| {
        let policy = Box::new(|_: &Topic| Retention::default());
        Arc::new(MemoryLog::new(kind, 1, MemoryLimits::default(), policy)) as Arc<dyn Log>
    })
}

/// The same logs, as a process finds them that begins now.
fn again(logs: &Logs) -> Logs {
    let fresh = self::logs();
    let wanted = Selection::new(["**", "$session/*"].map(|text| TopicFilter::new(text).unwrap()));
    for kind in LogKind::ALL {
        let mut records = Vec::new();
        logs[kind].read(&wanted, Cursor::default(), Time::default(), BUDGET, &mut records);
        assert_eq!(records.len() as u64, logs[kind].end().offset, "all of it");
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

fn broker(logs: &Logs, limits: SessionLimits) -> Broker {
    let otherwise = Namespace {
        topics: TopicFilter::new("**").unwrap(),
        durability: Durability::Fsync,
        retention: Retention::default(),
        publish: true,
        subscribe: true,
    };
    let limits = Limits { sessions: limits, ..Limits::default() };
    let logs = PerLog::from_fn(|kind| Arc::clone(&logs[kind]));
    Broker::new(Namespaces::new(Vec::new(), otherwise), logs, limits, Box::new(|work| work()), NOW)
}

fn publish(broker: &Broker, payload: &str) -> Position {
    let message = Message {
        topic: Topic::new("t").unwrap(),
        payload: Bytes::from(payload.to_owned()),
        content_type: "text/plain".into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: NOW,
        expires: None,
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

fn name(text: &str) -> SessionName {
    SessionName::new(text).unwrap()
}

fn options(session: &str, topics: &[&str], acks: AckMode) -> SubscribeOptions {
    let session = SessionOptions { name: name(session), acks: Some(acks), expiry: None };
    SubscribeOptions {
        filters: topics.iter().map(|text| TopicFilter::new(text).unwrap()).collect(),
        since: None,
        otherwise: Since::Now,
        slow: Slow::Gap,
        window: None,
        limit: None,
        session: Some(session),
    }
}

fn attach(
    broker: &Broker,
    shard: &mut Shard,
    options: SubscribeOptions,
) -> Result<SubKey, Refusal> {
    let subscribed = shard.subscribe(1, options, NOW);
    if let Some(unsaved) = subscribed.unsaved {
        broker.save_session(unsaved, NOW, Box::new(|result| assert_eq!(result, Ok(()))));
    }
    subscribed.result.map(|(key, _)| key)
}

/// What there is to read, each with the how manieth time it is sent.
fn read(shard: &mut Shard, key: SubKey) -> Vec<(String, u32)> {
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

fn manage(broker: &Broker, manage: Manage, now: Time) -> Result<Managed, Refusal> {
    let result = Arc::new(Mutex::new(None));
    let put = Arc::clone(&result);
    broker.manage(manage, now, Box::new(move |result| *put.lock().unwrap() = Some(result)));
    let result = result.lock().unwrap().take();
    result.unwrap()
}

fn events(texts: &[(&str, u32)]) -> Vec<(String, u32)> {
    texts.iter().map(|(text, attempt)| ((*text).to_owned(), *attempt)).collect()
}

#[test]
fn what_is_not_acknowledged_is_sent_again_also_after_a_restart() {
    let logs = logs();
    let before = broker(&logs, SessionLimits::default());
    let mut shard = before.shard(Box::new(|| {}));
    let key = attach(&before, &mut shard, options("s", &["t"], AckMode::Explicit)).unwrap();
    let one = publish(&before, "one");
    publish(&before, "two");
    assert_eq!(read(&mut shard, key), events(&[("one", 1), ("two", 1)]));
    let acked = manage(&before, Manage::Ack(name("s"), one), NOW);
    assert_eq!(acked, Ok(Managed::Acked(one)));
    shard.unsubscribe(key);
    before.tick(NOW);
    publish(&before, "three");

    let after = broker(&again(&logs), SessionLimits::default());
    let mut shard = after.shard(Box::new(|| {}));
    let key = attach(&after, &mut shard, options("s", &[], AckMode::Explicit)).unwrap();
    assert_eq!(read(&mut shard, key), events(&[("two", 2), ("three", 1)]));
    shard.unsubscribe(key);
    let key = attach(&after, &mut shard, options("s", &[], AckMode::Explicit)).unwrap();
    assert_eq!(read(&mut shard, key), events(&[("two", 3), ("three", 2)]));
    assert_eq!(manage(&after, Manage::Ack(name("s"), one), NOW), Ok(Managed::Acked(one)), "again");
}

#[test]
fn an_automatic_session_goes_on_from_what_was_taken_or_from_what_the_client_says() {
    let broker = broker(&logs(), SessionLimits::default());
    let mut shard = broker.shard(Box::new(|| {}));
    let key = attach(&broker, &mut shard, options("s", &["t"], AckMode::Automatic)).unwrap();
    let one = publish(&broker, "one");
    assert_eq!(read(&mut shard, key), events(&[("one", 1)]));
    shard.taken(key);
    publish(&broker, "two");
    assert_eq!(read(&mut shard, key), events(&[("two", 1)]));
    // The connection breaks before it has taken this one.
    shard.unsubscribe(key);
    let key = attach(&broker, &mut shard, options("s", &[], AckMode::Automatic)).unwrap();
    assert_eq!(read(&mut shard, key), events(&[("two", 2)]));
    shard.taken(key);
    let mut back = options("s", &[], AckMode::Automatic);
    back.since = Some(Since::After(one));
    let key = attach(&broker, &mut shard, back).unwrap();
    assert_eq!(read(&mut shard, key), events(&[("two", 1)]));
}

#[test]
fn a_session_that_another_thread_becomes_is_taken_and_changes_nothing_more() {
    let broker = broker(&logs(), SessionLimits::default());
    let rung = Arc::new(Mutex::new(0));
    let bell = Arc::clone(&rung);
    let mut older = broker.shard(Box::new(move || *bell.lock().unwrap() += 1));
    let mut newer = broker.shard(Box::new(|| {}));
    let first = attach(&broker, &mut older, options("s", &["t"], AckMode::Automatic)).unwrap();
    publish(&broker, "one");
    let before = *rung.lock().unwrap();
    let second = attach(&broker, &mut newer, options("s", &[], AckMode::Automatic)).unwrap();
    assert_eq!(*rung.lock().unwrap(), before + 1, "its thread is rung");
    // What the older still does, before its thread has heard of it, is not the session's.
    assert_eq!(read(&mut older, first), events(&[("one", 1)]));
    older.taken(first);
    assert_eq!(older.ended(first), None);
    let mut woken = Vec::new();
    older.dispatch(|owner| woken.push(owner));
    assert_eq!(older.ended(first), Some(SessionEnd::TakenOver));
    assert!(woken.contains(&1), "its connection is woken");
    older.unsubscribe(first);
    newer.unsubscribe(second);
    let third = attach(&broker, &mut newer, options("s", &[], AckMode::Automatic)).unwrap();
    assert_eq!(read(&mut newer, third), events(&[("one", 1)]), "nobody of the session had it");
}

#[test]
fn a_deleted_session_is_gone_for_good_and_its_connection_told() {
    let logs = logs();
    let here = broker(&logs, SessionLimits::default());
    let mut shard = here.shard(Box::new(|| {}));
    let key = attach(&here, &mut shard, options("s", &["t"], AckMode::Explicit)).unwrap();
    assert_eq!(manage(&here, Manage::Delete(name("s")), NOW), Ok(Managed::Deleted));
    shard.dispatch(|_| {});
    assert_eq!(shard.ended(key), Some(SessionEnd::Deleted));
    shard.unsubscribe(key);
    here.tick(NOW);
    let unknown = Err(Refusal::SessionUnknown(name("s")));
    assert_eq!(manage(&here, Manage::Show(name("s")), NOW), unknown);
    let after = broker(&again(&logs), SessionLimits::default());
    assert_eq!(manage(&after, Manage::Show(name("s")), NOW), unknown);
}

#[test]
fn a_session_nobody_comes_back_to_expires_and_their_number_is_bounded() {
    let expiry = Duration::from_secs(60);
    let limits = SessionLimits { sessions_max: 2, expiry, expiry_max: expiry };
    let broker = broker(&logs(), limits);
    let mut shard = broker.shard(Box::new(|| {}));
    let held = attach(&broker, &mut shard, options("held", &["t"], AckMode::Explicit)).unwrap();
    let left = attach(&broker, &mut shard, options("left", &["t"], AckMode::Explicit)).unwrap();
    let more = attach(&broker, &mut shard, options("more", &["t"], AckMode::Explicit));
    assert_eq!(more, Err(Refusal::TooManySessions(2)));
    shard.unsubscribe(left);
    broker.tick(NOW);
    broker.tick(NOW + (expiry - Duration::from_millis(1)));
    assert!(manage(&broker, Manage::Show(name("left")), NOW).is_ok());
    broker.tick(NOW + expiry);
    let list = manage(&broker, Manage::List(None, 10), NOW).unwrap();
    let Managed::List(list, false) = list else { panic!("{list:?}") };
    assert_eq!(list.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), ["held"]);
    assert!(list[0].connected);
    shard.unsubscribe(held);
}

#[test]
fn a_session_is_made_only_when_all_of_it_may_be_read() {
    let broker = broker(&logs(), SessionLimits::default());
    let mut shard = broker.shard(Box::new(|| {}));
    let refused =
        attach(&broker, &mut shard, options("s", &["t", "$session/*"], AckMode::Explicit));
    assert!(matches!(refused, Err(Refusal::SubscribeForbidden(_))), "{refused:?}");
    let ahead = Position::at(LogKind::Durable, tidings_model::Mark { epoch: 1, offset: 99 });
    let mut wanted = options("s", &["t"], AckMode::Explicit);
    wanted.since = Some(Since::After(ahead));
    assert_eq!(attach(&broker, &mut shard, wanted), Err(Refusal::PositionAhead));
    let unknown = Err(Refusal::SessionUnknown(name("s")));
    assert_eq!(manage(&broker, Manage::Show(name("s")), NOW), unknown);
    assert_eq!(
        attach(&broker, &mut shard, options("s", &[], AckMode::Explicit)),
        Err(Refusal::SessionUnknown(name("s")))
    );
    assert!(shard.is_empty());
}
