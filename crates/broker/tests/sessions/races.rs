//! Sessions that several threads do something with at the same moment, and in the worst order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_broker::SessionLimits;
use tidings_log::MemoryLimits;
use tidings_model::{AckMode, Manage, Refusal};

use crate::support::{
    NOW, again, attach, broker, events, logs, logs_of, manage, name, options, publish, read,
};

/// Whoever was to be told has gone by itself, and another has its place in the thread.
#[test]
fn a_takeover_that_is_told_too_late_is_told_to_nobody_else() {
    let broker = broker(&logs(), SessionLimits::default());
    let mut older = broker.shard(Box::new(|| {}));
    let mut newer = broker.shard(Box::new(|| {}));
    let first = attach(&broker, &mut older, options("a", &["t"], AckMode::Automatic)).unwrap();
    attach(&broker, &mut newer, options("a", &[], AckMode::Automatic)).unwrap();
    older.unsubscribe(first, NOW);
    let other = attach(&broker, &mut older, options("b", &["t"], AckMode::Automatic)).unwrap();
    assert_eq!(first, other, "or this test shows nothing");
    older.dispatch(|_| {});
    assert_eq!(older.ended(other), None);
}

#[test]
fn a_session_that_is_deleted_before_it_is_stored_stays_deleted() {
    let logs = logs();
    let here = broker(&logs, SessionLimits::default());
    let mut shard = here.shard(Box::new(|| {}));
    let subscribed = shard.subscribe(1, options("s", &["t"], AckMode::Explicit), None, NOW);
    manage(&here, Manage::Delete(name("s")), NOW).unwrap();
    let unknown = Refusal::SessionUnknown(name("s"));
    let refused = Arc::new(AtomicBool::new(false));
    let (told, expected) = (Arc::clone(&refused), Err(unknown.clone()));
    let done = Box::new(move |result| told.store(result == expected, Ordering::SeqCst));
    here.save_session(subscribed.unsaved.unwrap(), NOW, done);
    assert!(refused.load(Ordering::SeqCst));
    let after = broker(&again(&logs), SessionLimits::default());
    assert_eq!(manage(&after, Manage::Show(name("s")), NOW), Err(unknown));
}

/// One that was to begin and could not be stored is none, and the next is told so, too.
#[test]
fn a_session_that_cannot_be_stored_is_none() {
    let limits = MemoryLimits { topics_max: 1, ..MemoryLimits::default() };
    let broker = broker(&logs_of(limits), SessionLimits::default());
    let mut shard = broker.shard(Box::new(|| {}));
    publish(&broker, "the one topic there may be");
    for _ in 0..2 {
        let subscribed = shard.subscribe(1, options("s", &["t"], AckMode::Explicit), None, NOW);
        let done = Box::new(|result| assert_eq!(result, Err(Refusal::TooManyTopics(1))));
        broker.save_session(subscribed.unsaved.unwrap(), NOW, done);
        shard.unsubscribe(subscribed.result.unwrap().0, NOW);
        broker.tick(NOW);
        let unknown = Err(Refusal::SessionUnknown(name("s")));
        assert_eq!(manage(&broker, Manage::Show(name("s")), NOW), unknown);
    }
}

#[test]
fn whoever_becomes_a_session_before_it_is_stored_waits_for_that_too() {
    let broker = broker(&logs(), SessionLimits::default());
    let mut shard = broker.shard(Box::new(|| {}));
    let first = shard.subscribe(1, options("s", &["t"], AckMode::Explicit), None, NOW);
    let second = shard.subscribe(2, options("s", &[], AckMode::Explicit), None, NOW);
    for unsaved in [first.unsaved, second.unsaved] {
        broker.save_session(unsaved.unwrap(), NOW, Box::new(|result| assert_eq!(result, Ok(()))));
    }
    let third = shard.subscribe(3, options("s", &[], AckMode::Explicit), None, NOW);
    assert!(third.result.is_ok() && third.unsaved.is_none(), "it is stored as it is");
}

/// Whoever names topics begins a session, also when one of that name is deleted just then.
#[test]
fn a_session_that_is_deleted_at_that_moment_is_made_anew() {
    let broker = broker(&logs(), SessionLimits::default());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let deleter = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // There may be none at the moment.
                let _ = manage(&broker, Manage::Delete(name("s")), NOW);
            }
        });
        let mut shard = broker.shard(Box::new(|| {}));
        let refused = (0..50_000).find_map(|_| {
            let subscribed = shard.subscribe(1, options("s", &["t"], AckMode::Explicit), None, NOW);
            subscribed.result.map(|(key, _)| shard.unsubscribe(key, NOW)).err()
        });
        stop.store(true, Ordering::Relaxed);
        assert!(deleter.join().is_ok());
        assert_eq!(refused, None);
    });
}

/// What was sent counts as sent, whoever became the session meanwhile; and nothing is sent after.
#[test]
fn what_an_older_connection_reads_too_late_it_does_not_get() {
    let broker = broker(&logs(), SessionLimits::default());
    let mut older = broker.shard(Box::new(|| {}));
    let mut newer = broker.shard(Box::new(|| {}));
    let first = attach(&broker, &mut older, options("s", &["t"], AckMode::Explicit)).unwrap();
    publish(&broker, "one");
    assert_eq!(read(&mut older, first), events(&[("one", 1)]));
    publish(&broker, "two");
    let second = attach(&broker, &mut newer, options("s", &[], AckMode::Explicit)).unwrap();
    assert_eq!(read(&mut older, first), events(&[]), "its thread has not heard of it yet");
    assert_eq!(read(&mut newer, second), events(&[("one", 2), ("two", 1)]));
}
