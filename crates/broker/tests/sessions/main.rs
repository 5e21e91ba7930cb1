//! Durable sessions as the core keeps them: across connections, threads and restarts.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

mod races;
mod steps;
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidings_broker::SessionLimits;
use tidings_model::{AckMode, LogKind, Manage, Managed, Position, Refusal, SessionEnd, Since};

use support::{NOW, again, attach, broker, events, logs, manage, name, options, publish, read};

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
    shard.unsubscribe(key, NOW);
    before.tick(NOW);
    publish(&before, "three");

    let after = broker(&again(&logs), SessionLimits::default());
    let mut shard = after.shard(Box::new(|| {}));
    let key = attach(&after, &mut shard, options("s", &[], AckMode::Explicit)).unwrap();
    assert_eq!(read(&mut shard, key), events(&[("two", 2), ("three", 1)]));
    shard.unsubscribe(key, NOW);
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
    shard.unsubscribe(key, NOW);
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
    assert_eq!(read(&mut older, first), events(&[]));
    older.taken(first);
    assert_eq!(older.ended(first), None);
    let mut woken = Vec::new();
    older.dispatch(|owner| woken.push(owner));
    assert_eq!(older.ended(first), Some(SessionEnd::TakenOver));
    assert!(woken.contains(&1), "its connection is woken");
    older.unsubscribe(first, NOW);
    newer.unsubscribe(second, NOW);
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
    shard.unsubscribe(key, NOW);
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
    shard.unsubscribe(left, NOW);
    broker.tick(NOW);
    broker.tick(NOW + (expiry - Duration::from_millis(1)));
    assert!(manage(&broker, Manage::Show(name("left")), NOW).is_ok());
    broker.tick(NOW + expiry);
    let list = manage(&broker, Manage::List(None, 10), NOW).unwrap();
    let Managed::List(list, false) = list else { panic!("{list:?}") };
    assert_eq!(list.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), ["held"]);
    assert!(list[0].connected);
    shard.unsubscribe(held, NOW);
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
