//! How far a session has come, over changes of what it reads, kills and many attempts.

use std::time::Duration;

use tidings_broker::SessionLimits;
use tidings_model::{AckMode, Manage, Managed, Refusal};

use crate::support::{NOW, again, attach, broker, broker_at, logs, manage, name, options};

/// Whoever is connected when the process is killed has been there until then.
#[test]
fn who_came_back_is_not_forgotten_for_having_been_away() {
    let logs = logs();
    let expiry = Duration::from_secs(60);
    let limits = SessionLimits { expiry, ..SessionLimits::default() };
    let before = broker(&logs, limits);
    let mut shard = before.shard(Box::new(|| {}));
    let key = attach(&before, &mut shard, options("s", &["t"], AckMode::Explicit)).unwrap();
    shard.unsubscribe(key);
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
