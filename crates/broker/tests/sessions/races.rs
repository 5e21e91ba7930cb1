//! Sessions that several threads do something with at the same moment, and in the worst order.

use tidings_broker::SessionLimits;
use tidings_model::AckMode;

use crate::support::{attach, broker, logs, options};

/// Whoever was to be told has gone by itself, and another has its place in the thread.
#[test]
fn a_takeover_that_is_told_too_late_is_told_to_nobody_else() {
    let broker = broker(&logs(), SessionLimits::default());
    let mut older = broker.shard(Box::new(|| {}));
    let mut newer = broker.shard(Box::new(|| {}));
    let first = attach(&broker, &mut older, options("a", &["t"], AckMode::Automatic)).unwrap();
    attach(&broker, &mut newer, options("a", &[], AckMode::Automatic)).unwrap();
    older.unsubscribe(first);
    let other = attach(&broker, &mut older, options("b", &["t"], AckMode::Automatic)).unwrap();
    assert_eq!(first, other, "or this test shows nothing");
    older.dispatch(|_| {});
    assert_eq!(older.ended(other), None);
}
