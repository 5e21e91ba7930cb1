//! What is published for clients whose connections are lost (MQTT 5 section 3.1.2.5).

use std::sync::{Arc, Mutex};

use tidings_model::{Time, Will};

use super::{Entry, expires, state::State};
use crate::broker::{Broker, lock};

/// Sessions that nobody has and for which something is to be published later.
#[derive(Default)]
pub(super) struct Wills(Mutex<Vec<Arc<Entry>>>);

impl Wills {
    pub(super) fn add(&self, entry: &Arc<Entry>) {
        lock(&self.0).push(Arc::clone(entry));
    }
}

impl Broker {
    /// Publishes what is due, and says when the next is.
    pub(crate) fn publish_wills(&self, now: Time) -> Option<Time> {
        let mut waiting = std::mem::take(&mut *lock(&self.sessions().wills.0));
        // A client that comes and goes waits once.
        waiting.sort_by_key(Arc::as_ptr);
        waiting.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let mut next = None;
        for entry in waiting {
            let mut state = lock(&entry.state);
            // A client that came back has another will, or none.
            let Some(due) = due(&state) else { continue };
            if due > now {
                next = Some(next.map_or(due, |next: Time| next.min(due)));
                self.sessions().wills.add(&entry);
                continue;
            }
            let will = state.will.take();
            self.sessions().unsaved.add(&entry);
            drop(state);
            if let Some(will) = will {
                self.publish_will(*will, now);
            }
        }
        next
    }

    /// Publishes for a client that is lost. Where it may not publish, nothing is.
    pub(crate) fn publish_will(&self, will: Will, now: Time) {
        let Will { mut message, lifetime, .. } = will;
        message.time = now;
        message.expires = lifetime.map(|lifetime| now + lifetime);
        self.publish(vec![message], None, now, Box::new(|_| {}));
    }
}

/// When the will of a session is to be published that nobody has.
fn due(state: &State) -> Option<Time> {
    let (None, Some(left), Some(will)) = (state.holder, state.left, &state.will) else {
        return None;
    };
    let after = left + will.delay;
    Some(expires(state).map_or(after, |end| end.min(after)))
}
