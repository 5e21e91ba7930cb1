//! How far a session has come, over changes of what it reads, kills and many attempts.

use std::time::Duration;

use tidings_broker::{Broker, SessionLimits, Shard};
use tidings_model::{AckMode, Manage, Managed, Refusal};

use crate::support::{
    NOW, again, attach, broker, broker_at, events, logs, manage, name, options, publish,
    publish_to, read,
};

/// What the session `s` is sent on one more connection.
fn visit(broker: &Broker, shard: &mut Shard, topics: &[&str], acks: AckMode) -> Vec<(String, u32)> {
    let key = attach(broker, shard, options("s", topics, acks)).unwrap();
    let got = read(shard, key);
    shard.taken(key);
    shard.unsubscribe(key, NOW);
    got
}

/// The place in a log begins when the session first reads it, and is kept while it does not.
#[test]
fn topics_of_another_log_are_acknowledged_like_those_it_began_with() {
    let broker = broker(&logs(), SessionLimits::default());
    let mut shard = broker.shard(Box::new(|| {}));
    let (explicit, none) = (AckMode::Explicit, events(&[]));
    assert_eq!(visit(&broker, &mut shard, &["t"], explicit), none);
    publish_to(&broker, "v/x", "before");
    assert_eq!(visit(&broker, &mut shard, &["v/x"], explicit), none);
    let one = publish_to(&broker, "v/x", "one");
    publish_to(&broker, "v/x", "two");
    for attempt in 1..3 {
        let expected = events(&[("one", attempt), ("two", attempt)]);
        assert_eq!(visit(&broker, &mut shard, &[], explicit), expected);
    }
    manage(&broker, Manage::Ack(name("s"), one), NOW).unwrap();
    assert_eq!(visit(&broker, &mut shard, &[], explicit), events(&[("two", 3)]));
    publish(&broker, "meanwhile");
    let both = events(&[("meanwhile", 1), ("two", 4)]);
    assert_eq!(visit(&broker, &mut shard, &["t", "v/x"], explicit), both);
}

#[test]
fn an_automatic_session_keeps_its_place_in_a_log_that_it_does_not_read_for_a_while() {
    let broker = broker(&logs(), SessionLimits::default());
    let mut shard = broker.shard(Box::new(|| {}));
    let (automatic, none) = (AckMode::Automatic, events(&[]));
    assert_eq!(visit(&broker, &mut shard, &["t"], automatic), none);
    publish(&broker, "one");
    assert_eq!(visit(&broker, &mut shard, &["v/x"], automatic), none);
    publish_to(&broker, "v/x", "two");
    assert_eq!(visit(&broker, &mut shard, &["t"], automatic), events(&[("one", 1)]));
    assert_eq!(visit(&broker, &mut shard, &["t", "v/x"], automatic), events(&[("two", 1)]));
    assert_eq!(visit(&broker, &mut shard, &[], automatic), none);
}

/// Whoever is connected when the process is killed has been there until then.
#[test]
fn who_came_back_is_not_forgotten_for_having_been_away() {
    let logs = logs();
    let expiry = Duration::from_secs(60);
    let limits = SessionLimits { expiry, ..SessionLimits::default() };
    let before = broker(&logs, limits);
    let mut shard = before.shard(Box::new(|| {}));
    let key = attach(&before, &mut shard, options("s", &["t"], AckMode::Explicit)).unwrap();
    shard.unsubscribe(key, NOW);
    before.tick(NOW);
    attach(&before, &mut shard, options("s", &[], AckMode::Explicit)).unwrap();
    before.tick(NOW + Duration::from_secs(1));
    let later = NOW + 10 * expiry;
    let after = broker_at(later, &again(&logs), limits);
    after.tick(later);
    let Ok(Managed::Session(session)) = manage(&after, Manage::Show(name("s")), later) else {
        panic!("it is forgotten");
    };
    assert_eq!((session.connected, session.expires), (false, Some(later + expiry)));
    after.tick(later + expiry);
    let unknown = Err(Refusal::SessionUnknown(name("s")));
    assert_eq!(manage(&after, Manage::Show(name("s")), later), unknown);
}

/// What was sent up to a second before the process was killed is known to have been sent.
#[test]
fn attempts_are_counted_over_a_kill() {
    let logs = logs();
    let before = broker(&logs, SessionLimits::default());
    let mut shard = before.shard(Box::new(|| {}));
    let key = attach(&before, &mut shard, options("s", &["t"], AckMode::Explicit)).unwrap();
    publish(&before, "one");
    assert_eq!(read(&mut shard, key), events(&[("one", 1)]));
    before.tick(NOW);
    publish(&before, "two");
    let after = broker(&again(&logs), SessionLimits::default());
    let mut shard = after.shard(Box::new(|| {}));
    let explicit = AckMode::Explicit;
    assert_eq!(visit(&after, &mut shard, &[], explicit), events(&[("one", 2), ("two", 1)]));
    assert_eq!(visit(&after, &mut shard, &[], explicit), events(&[("one", 3), ("two", 2)]));
}
